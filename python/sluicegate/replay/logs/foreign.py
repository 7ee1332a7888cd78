"""Logs that are known and not read: each is refused by its name."""

from __future__ import annotations

import re

__all__ = ["refuse_foreign"]

_CONVERT = "convert it to the combined format, or to JSON lines whose fields --fields names, and replay that"
#: Of the application, the network and the classic load balancer.
_BALANCER = re.compile(
    rb"(?:https?|h2|grpcs|wss?) \d{4}-\d\d-\d\dT[\d:.]+Z \S+ \S+:\d+ "
    rb"|tls \d\.\d \d{4}-\d\d-\d\dT[\d:.]+ net/"
    rb"|\d{4}-\d\d-\d\dT[\d:.]+Z \S+ \S+:\d+ (?:\S+:\d+|-) -?[\d.]+ -?[\d.]+ -?[\d.]+ "
)
#: Of files that were cut, without the lines that name the fields.
_EDGE = re.compile(rb'\d{4}-\d\d-\d\d\t\d\d:\d\d:\d\d\t[A-Z]{3}\d+|\{[^\n]*"x-edge-location"')
_IIS = re.compile(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d (?:\S+ ){0,3}[A-Z]+ /\S* \S+ \d+ \S+ ")
_DIRECTIVE = re.compile(rb"#(Software|Version|Fields|Date|Remark|Start-Date|End-Date):")
#: How the first lines show whose log it is.
_KNOWN = (
    (re.compile(rb"(?m)^#Software: Microsoft"), "an IIS log (W3C extended)"),
    (re.compile(rb"(?m)^#Fields:.*\bx-edge-"), "a CloudFront log"),
    (re.compile(rb"(?m)^#Fields:.*\bs-(?:ip|sitename)\b"), "an IIS log (W3C extended)"),
    (re.compile(rb"\A" + _DIRECTIVE.pattern), "a W3C extended log"),
    (re.compile(rb"\A(?:%b)" % _BALANCER.pattern), "an AWS load balancer's log"),
    (re.compile(rb"\A(?:%b)" % _EDGE.pattern), "a CloudFront log"),
    (re.compile(rb"\A(?:%b)" % _IIS.pattern), "an IIS log (W3C extended)"),
)


def refuse_foreign(source: str, start: bytes) -> None:
    """Raise ``ValueError`` if the ``start`` of a file is that of a log which is not read."""
    for pattern, name in _KNOWN:
        if pattern.search(start):
            raise ValueError(
                f"FILE must hold requests in a format that replay reads, got {source!r}: it is {name}: "
                f"{_CONVERT}"
            )
