"""What a plugin that limits is configured to do."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil, floor

from sluicegate.importers.kong.entities import Plugin
from sluicegate.importers.kong.plugins.identifiers import Identifier, identifier_of
from sluicegate.importers.kong.plugins.mistakes import mended, tell_of_keys
from sluicegate.importers.kong.plugins.refusals import Refused, refused_of
from sluicegate.importers.kong.plugins.stores import Store, Stores
from sluicegate.importers.kong.plugins.told import tell_of_settings
from sluicegate.importers.kong.report import Report
from sluicegate.importers.kong.table import Table

__all__ = ["ADVANCED", "KINDS", "PLAIN", "Setting", "Window", "override_of", "setting_of"]

PLAIN = "rate-limiting"
ADVANCED = "rate-limiting-advanced"
#: The plugins that are imported, in the order in which Kong runs them.
KINDS = (PLAIN, ADVANCED)

_PERIODS = ("second", "minute", "hour", "day", "month", "year")
_CALENDAR = ("month", "year")
_SPANS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))
_MOST = 2**32 - 1
_LONGEST = 1_000_000_000


@dataclass(frozen=True)
class Window:
    """At most so many in a window, as a quota spells it: ``minute``, ``month in UTC``, ``90 seconds``."""

    amount: int
    text: str

    def __str__(self) -> str:
        return f"{self.amount}/{self.text}"


@dataclass(frozen=True, eq=False)
class Setting:
    """What a plugin does.

    Attributes:
        windows: all must admit.
        algorithm: that counts them.
        namespace: within which plugins count together; ``None`` for one of its own.
        is_hidden: whether clients are told nothing.
        refused: what they get who are refused, if that is not usual.
        member_of: the name of the consumer group for whom this takes the place of the plugin's own.
    """

    plugin: Plugin
    windows: tuple[Window, ...]
    algorithm: str
    identifier: Identifier
    store: Store | None
    namespace: str | None = None
    is_hidden: bool = False
    refused: Refused | None = None
    member_of: str | None = None

    @property
    def quota(self) -> str:
        return "; ".join(map(str, self.windows))

    @property
    def is_calendar(self) -> bool:
        """Whether it counts months or years."""
        return any(window.text.endswith(" in UTC") for window in self.windows)


def setting_of(plugin: Plugin, stores: Stores, report: Report) -> Setting | None:
    """What the plugin does; ``None`` for one that is wrong, of which the report tells."""
    if plugin.config is None:
        report.wrong(plugin.line, f"{plugin.name} limits nothing: it has no config")
        return None
    config = mended(plugin, plugin.config, report)
    tell_of_keys(plugin, config, report)
    is_plain = plugin.name == PLAIN
    windows = _periods(plugin, config, report) if is_plain else _windows(plugin, config, report)
    identifier = identifier_of(plugin, config, report)
    if not windows or identifier is None:
        return None
    algorithm = "fixed_window"
    if not is_plain and config.text("window_type") != "fixed":
        algorithm = "sliding_counter"
    store = stores.store_of(plugin, config, is_plain=is_plain)
    tell_of_settings(plugin, config, algorithm, len(windows), report)
    return Setting(
        plugin,
        windows,
        algorithm,
        identifier,
        store,
        None if is_plain else config.text("namespace"),
        config.flag("hide_client_headers", unless=False),
        refused_of(plugin, config, report),
    )


def override_of(setting: Setting, plugin: Plugin, report: Report) -> Setting | None:
    """The setting with the limits that a consumer group's own plugin has for its members."""
    assert plugin.scope.group is not None
    if plugin.config is None:
        report.wrong(plugin.line, f"{plugin.name} limits nothing: it has no config")
        return None
    windows = _windows(plugin, plugin.config, report)
    if not windows:
        return None
    algorithm = {"fixed": "fixed_window", "sliding": "sliding_counter"}.get(
        plugin.config.text("window_type") or "", setting.algorithm
    )
    group = plugin.scope.group.name
    return replace(setting, windows=windows, algorithm=algorithm, member_of=group)


def _periods(plugin: Plugin, config: Table, report: Report) -> tuple[Window, ...]:
    """Of ``rate-limiting``: calendar periods in UTC, of which all but months and years are spans."""
    found: list[Window] = []
    largest = 0.0
    for period in _PERIODS:
        limit = config.number(period)
        if limit is None:
            continue
        line = config.line_of(period)
        if limit < largest:
            report.differs(
                line,
                f"{plugin}: {period}: {limit:g}",
                f"Kong refuses a limit of a {period} below that of a shorter time",
                "here both apply, so the shorter one never refuses anybody",
            )
        largest = max(largest, limit)
        # A request passes while less than the limit has been counted.
        amount = _amount(period, ceil(limit), line, report)
        if amount is not None:
            found.append(Window(amount, f"{period} in UTC" if period in _CALENDAR else period))
    if not any(period in config for period in _PERIODS):
        report.wrong(
            plugin.line,
            f"{plugin.name} limits nothing: it needs one of {', '.join(_PERIODS)}",
        )
    return tuple(found)


def _windows(plugin: Plugin, config: Table, report: Report) -> tuple[Window, ...]:
    """Of ``rate-limiting-advanced``: limits and, one for each, windows in seconds."""
    limits, sizes = config.numbers("limit"), config.numbers("window_size")
    if not ("limit" in config and "window_size" in config):
        report.wrong(plugin.line, f"{plugin.name} limits nothing: it needs limit and window_size")
        return ()
    line = config.line_of("limit")
    if len(limits) != len(sizes):
        report.wrong(
            line,
            "You must provide the same number of windows and limits: there are "
            f"{len(limits)} in limit and {len(sizes)} in window_size",
        )
        return ()
    found: dict[str, int] = {}
    for limit, size in sorted(zip(limits, sizes, strict=True), key=lambda pair: pair[1]):
        if not 0.000001 <= size <= _LONGEST:
            report.wrong(
                config.line_of("window_size"),
                f"window_size must be 0.000001 to {_LONGEST:,} seconds, got {size:g}",
            )
            return ()
        amount = _amount("limit", floor(limit), line, report)
        if amount is None:
            return ()
        if limit != floor(limit):
            report.differs(
                line,
                f"{plugin}: limit {limit:g}",
                "a quota is a whole number",
                f"{amount} are admitted in each window",
            )
        text = _span(size)
        found[text] = min(amount, found.get(text, amount))
    return tuple(Window(amount, text) for text, amount in found.items())


def _amount(name: str, amount: int, line: int, report: Report) -> int | None:
    if 1 <= amount <= _MOST:
        return amount
    report.wrong(line, f"{name} must be 1 to {_MOST:,}, got {amount:,}")
    return None


def _span(seconds: float) -> str:
    for length, word in _SPANS:
        if seconds % length == 0:
            count = int(seconds // length)
            return word if count == 1 else f"{count} {word}s"
    return f"{seconds:f}".rstrip("0") + " seconds"
