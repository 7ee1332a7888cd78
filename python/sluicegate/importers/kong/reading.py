"""Reads a kong.yml as a policy."""

from __future__ import annotations

from collections.abc import Iterator

from sluicegate.importers.document import Document
from sluicegate.importers.kong.cells import cells_of, rank
from sluicegate.importers.kong.counters import tell_of_counters
from sluicegate.importers.kong.defaults import defaults_of
from sluicegate.importers.kong.entities import Entities, Plugin, Scope, entities_of
from sluicegate.importers.kong.options import options_of
from sluicegate.importers.kong.others import (
    LIMITING,
    tell_of_others,
    tell_of_strays,
    tell_of_ties,
)
from sluicegate.importers.kong.plugins.settings import (
    ADVANCED,
    KINDS,
    Setting,
    override_of,
    setting_of,
)
from sluicegate.importers.kong.plugins.stores import Stores
from sluicegate.importers.kong.report import Report
from sluicegate.importers.kong.routes.router import ways_of
from sluicegate.importers.kong.routes.unlike import Unlike
from sluicegate.importers.kong.rules import rules_of
from sluicegate.importers.kong.table import Table, parse
from sluicegate.importers.kong.tiers import Tiers
from sluicegate.importers.origins import ImportFileError

__all__ = ["read_kong"]

_FORMATS = ("1.1", "2.1", "3.0")


def read_kong(path: str, name: str = "limits") -> Document:
    """The policy of a declarative configuration of Kong.

    Args:
        path: of the file, YAML or JSON.
        name: what the zone of the policy's store is called.

    Raises:
        ImportFileError: the file cannot be read or does not parse, is of another format, refers to
            what is not there, has a plugin that limits nothing, or nothing that limits.
        ImportError: PyYAML is not installed.
    """
    report = Report(path)
    root = parse(path, report)
    version = _check_format(root, report)
    entities = entities_of(root, report)
    settings = _settings(entities, report)
    if not settings and not report.problems:
        _nothing_limits(root, entities, report)
    _raise_any(report)
    tiers = Tiers(entities, settings, report)
    unlike = Unlike()
    enabled = [
        route
        for route in entities.routes
        if route.service is None or route.service.table.flag("enabled", unless=True)
    ]
    ways = ways_of(enabled, version != "3.0", unlike, report)
    cells = cells_of(ways, settings, KINDS, tiers)
    unlike.tell(report)
    tell_of_ties(cells, report)
    tell_of_strays(cells, report)
    tell_of_others(entities, settings, report)
    defaults = defaults_of(settings, name)
    tell_of_counters(settings, cells, defaults, report)
    document = Document("kong", path)
    document.rules = rules_of(cells, defaults, report)
    document.tiers = tiers.entries(report)
    document.options = [*options_of(entities, settings, defaults)]
    _tell_of_unused(document, settings, report)
    _raise_any(report)
    document.unmatched = report.unmatched
    return document


def _raise_any(report: Report) -> None:
    if report.problems:
        raise ImportFileError(report.problems)


def _check_format(root: Table, report: Report) -> str | None:
    version = root.text("_format_version")
    if version not in _FORMATS:
        given = "none" if version is None else repr(version)
        report.wrong(
            root.line_of("_format_version"),
            f"_format_version must be one of {', '.join(_FORMATS)}, got {given}",
        )
        _raise_any(report)
    return version


def _settings(entities: Entities, report: Report) -> list[Setting]:
    stores = Stores(report)
    found: list[Setting] = []
    known: dict[tuple[str, Scope], Plugin] = {}
    limiting = [each for each in entities.plugins if each.name in KINDS and each.is_enabled]
    overriding = _overriding(limiting)
    for plugin in limiting:
        scope = plugin.scope
        if scope.consumer is not None and scope.group is not None:
            report.wrong(plugin.line, f"{plugin}: it is for a consumer or a group, not for both")
            continue
        first = known.setdefault((plugin.name, scope), plugin)
        if first is not plugin:
            report.wrong(
                plugin.line, f"{plugin} is there already, in line {first.line}: leave one out"
            )
            continue
        if plugin in overriding:
            continue
        setting = setting_of(plugin, stores, report)
        if setting is not None:
            found += _overrides(setting, overriding, report)
            found.append(setting)
    return found


def _overriding(plugins: list[Plugin]) -> dict[Plugin, str]:
    """The plugins of consumer groups that only change the limits of others, which enforce them."""
    enforced = {group for plugin in plugins for group in _enforced(plugin)}
    return {
        plugin: plugin.scope.group.name
        for plugin in plugins
        if plugin.name == ADVANCED
        and plugin.scope.group is not None
        and plugin.scope.group.name in enforced
        and {plugin.scope.route, plugin.scope.service} == {None}
    }


def _enforced(plugin: Plugin) -> list[str]:
    config = plugin.config
    if config is None or not config.flag("enforce_consumer_groups", unless=False):
        return []
    return [each.text for each in config.texts("consumer_groups")]


def _overrides(
    setting: Setting, overriding: dict[Plugin, str], report: Report
) -> Iterator[Setting]:
    """What takes the place of a setting for members of groups, in the order in which it names them."""
    for group in _enforced(setting.plugin):
        plugin = next((each for each, name in overriding.items() if name == group), None)
        override = None if plugin is None else override_of(setting, plugin, report)
        if override is not None:
            yield override
        elif plugin is None:
            config = setting.plugin.config
            assert config is not None
            report.differs(
                config.line_of("consumer_groups"),
                f"{setting.plugin}: consumer group {group}",
                "the file has no rate-limiting-advanced of that group",
                "its members have the plugin's own limits",
            )


def _nothing_limits(root: Table, entities: Entities, report: Report) -> None:
    """Say so, of each plugin if there are any."""
    for plugin in entities.plugins:
        if plugin.name in KINDS:
            why = "it is not enabled"
        elif plugin.name in LIMITING:
            why = f"it limits {LIMITING[plugin.name]}"
        else:
            why = "it is no plugin that limits"
        report.wrong(
            plugin.line,
            f"{plugin} gives no rule: {why}, and there is no {' or '.join(KINDS)} beside it",
        )
    if not entities.plugins:
        report.wrong(root.line, "nothing is limited: there are no plugins")


def _tell_of_unused(document: Document, settings: list[Setting], report: Report) -> None:
    """Tell of plugins that limit no request that a rule could name."""
    used = {source.origin.line for rule in document.rules for source in rule.sources}
    for setting in sorted(settings, key=lambda each: rank(each.plugin.scope)):
        if setting.plugin.line not in used:
            report.differs(
                setting.plugin.line,
                str(setting.plugin),
                "no request gets to it that a pattern can name: others go before it everywhere, or its "
                "routes are not there",
                "the policy has no rule of it",
            )
    if not document.rules:
        report.wrong(None, "nothing is limited: no rule can be made of any plugin")
