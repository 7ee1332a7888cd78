"""By what a plugin counts: ``limit_by`` and ``identifier``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sluicegate.importers.kong.entities import Plugin
from sluicegate.importers.kong.report import Report
from sluicegate.importers.kong.table import Table

__all__ = ["Identifier", "identifier_of"]

_KNOWN = ("consumer", "credential", "ip", "service", "header", "path", "consumer-group", "route")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
#: A policy's source for what counts clients or requests as such.
_SOURCES = {"consumer": "client", "credential": "client", "ip": "address"}


@dataclass(frozen=True)
class Identifier:
    """What is counted by.

    Attributes:
        words: Kong's, without those that are the same for all requests of the plugin.
        header: whose value counts.
        path: that is counted by itself, by all clients together.
    """

    words: tuple[str, ...]
    header: str | None = None
    path: str | None = None

    @property
    def by(self) -> tuple[str, ...]:
        """As a rule says it, where all is known that may be the same for some requests."""
        sources = [
            f"header:{self.header}" if word == "header" else _SOURCES[word]
            for word in self.words
            if word in _SOURCES or word == "header"
        ]
        return tuple(dict.fromkeys(sources)) or ("all",)


def identifier_of(plugin: Plugin, config: Table, report: Report) -> Identifier | None:
    """What the plugin counts by; ``None`` if that cannot be, of which the report tells."""
    key = "identifier" if plugin.name.endswith("-advanced") else "limit_by"
    words = [text.text for text in config.texts("compound_identifier")]
    if words:
        key = "compound_identifier"
    else:
        words = [config.text(key) or "consumer"]
    line = config.line_of(key)
    for word in words:
        if word not in _KNOWN:
            report.wrong(line, f"{key} must be one of {', '.join(_KNOWN)}, got {word!r}")
            return None
    if len(words) > 1 and "path" in words:
        report.wrong(line, f"{key} with path beside others cannot be imported")
        return None
    header, path = config.text("header_name"), config.text("path")
    if "header" in words and not _HEADER.fullmatch(header or ""):
        report.wrong(line, f"{key} header needs header_name, the name of a header, got {header!r}")
        return None
    if "path" in words and not (path or "").startswith("/"):
        report.wrong(line, f"{key} path needs path, which begins with '/', got {path!r}")
        return None
    if "consumer-group" in words and plugin.scope.group is None:
        report.wrong(line, f"{key} consumer-group needs a plugin of a consumer group")
        return None
    _tell(plugin, key, words, line, report)
    return Identifier(
        tuple(words),
        header.lower() if header and "header" in words else None,
        path if "path" in words else None,
    )


def _tell(plugin: Plugin, key: str, words: list[str], line: int, report: Report) -> None:
    if "credential" in words:
        report.differs(
            line,
            f"{plugin}: {key} credential",
            "a policy knows whom a credential belongs to, not which of theirs it is",
            "all credentials of a consumer count together",
        )
    if "header" in words:
        report.differs(
            line,
            f"{plugin}: {key} header",
            "a policy believes a header only where a trusted proxy sent it: clients could send another "
            "value with each request, which Kong counts from the beginning each time",
            "without trusted_proxies in [identity] these requests are counted by their address",
        )
    if len(words) > 1:
        report.differs(
            line,
            f"{plugin}: {key} {', '.join(words)}",
            "Kong's documentation does not say what counts where one of them is not known",
            "the consumer's place is taken by the address then",
        )
