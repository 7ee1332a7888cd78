"""What a plugin's settings do that a policy does not do, or does in another way."""

from __future__ import annotations

from sluicegate.importers.kong.entities import Plugin
from sluicegate.importers.kong.report import Report
from sluicegate.importers.kong.table import Table

__all__ = ["tell_of_settings"]

_HTTP = {"http", "https"}


def tell_of_settings(
    plugin: Plugin, config: Table, algorithm: str, windows: int, report: Report
) -> None:
    """Tell of what is given and has no equivalent."""
    _tell_of_jitter(plugin, config, report)
    _tell_of_penalty(plugin, config, algorithm, windows, report)
    for name, usual, effect in (
        ("dictionary_name", "kong_rate_limiting_counters", "the policy's store has its own"),
        ("lock_dictionary_name", "kong_locks", "the policy needs none"),
    ):
        given = config.text(name)
        if given is not None and given != usual:
            report.differs(
                config.line_of(name),
                f"{plugin}: {name}: {given}",
                "it names memory of Kong's nginx",
                effect,
            )
    throttling = config.table("throttling")
    if throttling is not None and throttling.flag("enabled", unless=False):
        report.differs(
            config.line_of("throttling"),
            f"{plugin}: throttling",
            "Kong holds requests above the limit and tries them again; a policy's delay is of a bucket",
            "these requests are refused at once",
        )
    protocols = {each.text for each in plugin.table.texts("protocols")}
    if protocols and not protocols >= _HTTP:
        report.differs(
            plugin.table.line_of("protocols"),
            f"{plugin}: protocols {', '.join(sorted(protocols))}",
            "a pattern does not look at the scheme",
            "it limits requests of http and of https",
        )


def _tell_of_jitter(plugin: Plugin, config: Table, report: Report) -> None:
    jitter = config.number("retry_after_jitter_max")
    if jitter:
        report.differs(
            config.line_of("retry_after_jitter_max"),
            f"{plugin}: retry_after_jitter_max: {jitter:g}",
            "Retry-After says when a request would pass",
            "clients who wait for it come back at one time",
        )


def _tell_of_penalty(
    plugin: Plugin, config: Table, algorithm: str, windows: int, report: Report
) -> None:
    penalty = not config.flag("disable_penalty", unless=False)
    if algorithm == "sliding_counter" and penalty:
        has = "disable_penalty" in config
        report.differs(
            config.line_of("disable_penalty") if has else plugin.line,
            f"{plugin}: disable_penalty: false" + ("" if has else ", as it is unless given"),
            "Kong counts the requests that it refuses as well; a policy counts those that it admits",
            "who goes on above the limit is admitted at the rate of the limit, where Kong admits "
            "less, or nobody until they slow down",
        )
    elif plugin.name.endswith("-advanced") and windows > 1 and algorithm == "fixed_window":
        report.differs(
            config.line_of("limit"),
            f"{plugin}: several limits in fixed windows",
            "Kong's documentation does not say whether a request that one window refuses counts in "
            "the others",
            "it counts in none",
        )
