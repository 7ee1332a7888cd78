"""Logs that are known and not read: each is refused by its name."""

from __future__ import annotations

import re

__all__ = ["refuse_foreign"]

_CONVERT = "convert it to the combined format, or to JSON lines whose fields --fields names, and replay that"
_ALB = re.compile(rb"(?:https?|h2|grpcs|wss?) \d{4}-\d\d-\d\dT[\d:.]+Z \S+ \S+:\d+ ")
_DIRECTIVE = re.compile(rb"#(Software|Version|Fields|Date|Remark|Start-Date|End-Date):")
#: How the first lines show whose log it is.
_KNOWN = (
    (re.compile(rb"(?m)^#Software: Microsoft"), "an IIS log (W3C extended)"),
    (re.compile(rb"(?m)^#Fields:.*\bx-edge-"), "a CloudFront log"),
    (re.compile(rb"(?m)^#Fields:.*\bs-(?:ip|sitename)\b"), "an IIS log (W3C extended)"),
    (re.compile(rb"\A" + _DIRECTIVE.pattern), "a W3C extended log"),
    (re.compile(rb"\A" + _ALB.pattern), "an AWS load balancer's log"),
)


def refuse_foreign(source: str, start: bytes) -> None:
    """Raise ``ValueError`` if the ``start`` of a file is that of a log which is not read."""
    for pattern, name in _KNOWN:
        if pattern.search(start):
            raise ValueError(
                f"FILE must hold requests in a format that replay reads, got {source!r}: it is {name}: "
                f"{_CONVERT}"
            )
