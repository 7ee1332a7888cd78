"""What Kong itself would refuse, and what is meant by it."""

from __future__ import annotations

from sluicegate.importers.kong.entities import Plugin
from sluicegate.importers.kong.report import Report
from sluicegate.importers.kong.table import Table
from sluicegate.policy.document.text.nodes import nearest

__all__ = ["mended", "tell_of_keys"]

_COMMON = (
    "hide_client_headers", "error_code", "error_message", "header_name", "path", "redis", "sync_rate",
)  # fmt: skip
_OLD_REDIS = (
    "redis_host", "redis_port", "redis_username", "redis_password", "redis_database", "redis_timeout",
    "redis_ssl", "redis_ssl_verify", "redis_server_name",
)  # fmt: skip
_KEYS = {
    "rate-limiting": (
        *_COMMON, *_OLD_REDIS, "second", "minute", "hour", "day", "month", "year", "limit_by", "policy",
        "fault_tolerant",
    ),
    "rate-limiting-advanced": (
        *_COMMON, "limit", "window_size", "window_type", "identifier", "compound_identifier", "strategy",
        "namespace", "dictionary_name", "lock_dictionary_name", "retry_after_jitter_max",
        "disable_penalty", "consumer_groups", "enforce_consumer_groups", "throttling",
    ),
}  # fmt: skip
_CHOICES = {
    "window_type": ("fixed", "sliding"),
    "strategy": ("cluster", "redis", "local"),
    "policy": ("local", "cluster", "redis"),
}


def mended(plugin: Plugin, config: Table, report: Report) -> Table:
    """The configuration with words in their right places, each of which the report tells."""
    if plugin.name != "rate-limiting-advanced":
        return config
    if "limits" in config and "limit" not in config:
        report.differs(
            config.line_of("limits"),
            f"{plugin}: limits",
            "Kong has no such key and refuses the file: it is called limit",
            "it is read as limit",
        )
        config = config.renamed("limits", "limit")
    strategy = config.text("strategy")
    if strategy in _CHOICES["window_type"] and "window_type" not in config:
        where = "redis, since redis is given" if "redis" in config else "local"
        report.differs(
            config.line_of("strategy"),
            f"{plugin}: strategy: {strategy}",
            "Kong refuses the file: a strategy is cluster, redis or local, and it is window_type "
            f"that is {strategy}",
            f"it is read as window_type: {strategy}, and the strategy as {where}",
        )
        instead = "redis" if "redis" in config else "local"
        config = config.renamed("strategy", "window_type", strategy=instead)
    return config


def tell_of_keys(plugin: Plugin, config: Table, report: Report) -> None:
    """Of keys that nobody knows, and of values that a key does not have."""
    known = _KEYS[plugin.name]
    for name in config:
        if name not in known:
            report.differs(
                config.line_of(name),
                f"{plugin}: {name}",
                f"this key is not known{nearest(name, known)}",
                "it is left out",
            )
    for name, choices in _CHOICES.items():
        value = config.text(name) if name in known else None
        if value is not None and value not in choices:
            right = ", ".join(choices)
            report.wrong(config.line_of(name), f"{name} must be one of {right}, got {value!r}")
