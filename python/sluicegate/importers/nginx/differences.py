"""What a policy does otherwise than nginx, or not at all, beside the choice of a location."""

from __future__ import annotations

from collections.abc import Iterator

from sluicegate.importers.nginx.entries import Applied, Entry
from sluicegate.importers.nginx.parsing import Directive
from sluicegate.importers.nginx.report import Report
from sluicegate.importers.nginx.zones import Zone

__all__ = ["tell_of_limits", "tell_of_others"]

_REFUSAL = 429
_FIELDS = ("x-ratelimit", "ratelimit", "x-rate-limit", "retry-after")
_BANDWIDTH = ("limit_rate", "limit_rate_after", "proxy_limit_rate")


def tell_of_limits(places: list[Entry], zones: dict[str, Zone], report: Report) -> None:
    """Tell of limits that are imported and do not do quite the same, and of unused zones."""
    every = [applied for place in places for applied in place.applied]
    _tell_of_statuses(every, report)
    _tell_of_pages(every, report)
    _tell_of_headers(every, report)
    _tell_of_both(places, report)
    used = {applied.use.zone.name for applied in every}
    for zone in zones.values():
        if zone.name not in used:
            name = zone.directive.name.removesuffix("_zone")
            report.differs(
                zone.directive,
                f"no {name} uses the zone {zone.name} where a request can come by",
                "nothing is counted in it",
            )
        if "sync" in zone.directive.args:
            report.differs(
                zone.directive,
                "sync counts on several hosts together: a policy does so in Redis",
                'each host counts by itself; with store = "redis://…" they count together',
            )


def _tell_of_statuses(every: list[Applied], report: Report) -> None:
    by_status: dict[int, list[Directive]] = {}
    for applied in every:
        use = applied.use
        if use.status != _REFUSAL and not use.is_dry and use.answer is None:
            by_status.setdefault(applied.use.status, []).append(applied.use.directive)
    for status, directives in by_status.items():
        where = dict.fromkeys(str(directive.origin) for directive in directives[1:])
        others = f" (so at {', '.join(where)})" if where else ""
        said = (
            " since no limit_req_status or limit_conn_status says another" if status == 503 else ""
        )
        report.differs(
            directives[0],
            f"nginx refuses with {status}{said}{others}; a policy with {_REFUSAL}",
            f"refused requests get {_REFUSAL} and Retry-After instead of {status}",
        )


def _tell_of_pages(every: list[Applied], report: Report) -> None:
    for use in (applied.use for applied in every):
        page = use.page
        if page is None or use.is_dry or (use.answer is not None and page in use.answer.directives):
            continue
        report.differs(
            page,
            "a policy sends a page if it is a text that is always the same: that of the `return` of a "
            "location @name or = /path, without variables",
            'refused requests get JSON, or with refusal = "problem" RFC 9457\'s; the page is not sent',
        )


def _tell_of_headers(every: list[Applied], report: Report) -> None:
    for applied in every:
        headers = [s for s in applied.counted.sources if s.startswith("header:")]
        if headers:
            alone = len(headers) == len(applied.counted.sources)
            without = (
                "; a request without it, which nginx does not limit, is counted by its address"
                if alone
                else ""
            )
            report.differs(
                applied.use.zone.directive,
                "anybody can send a header: a policy counts by one only if a proxy of [identity] "
                "trusted_proxies has sent the request",
                f"other requests are counted by their address instead of {' and '.join(headers)}{without}",
            )


def _tell_of_both(places: list[Entry], report: Report) -> None:
    """Of ``limit_req`` and ``limit_conn`` at one place, which nginx looks at in this order."""
    found: dict[Directive, str] = {}
    for place in places:
        conn = [applied.use for applied in place.applied if applied.use.zone.rate is None]
        req = [applied.use for applied in place.applied if applied.use.zone.rate is not None]
        held = [use.directive for use in req if use.is_held and not use.is_dry]
        for use in conn if req else ():
            found.setdefault(use.directive, "")
            if held:
                found[use.directive] = f"; one that `{held[0]}` holds is among those of limit_conn"
    for directive, waiting in found.items():
        report.differs(
            directive,
            "nginx counts a request by limit_req, holds it, and then looks at limit_conn; a policy "
            "decides once, by all limits",
            f"a request that limit_conn refuses is not counted by limit_req{waiting}",
        )


def tell_of_others(tree: Directive, http: Directive, places: list[Entry], report: Report) -> None:
    """Tell of other directives that limit, or that say what refused requests get."""
    if not tree.all("events"):
        report.differs(
            http,
            "there is no events block: nginx refuses the whole file",
            "none: what stands in http is imported",
        )
    blocks = {id(place.location.directive) for place in places if place.applied}
    for directive in http.walk():
        _tell_of_one(directive, report)
        if directive.name in ("server", "location") and _has_any(directive, blocks):
            _tell_of_rewrites(directive, report)
    for stream in tree.all("stream"):
        for directive in stream.walk():
            if directive.name in ("limit_conn", "limit_conn_zone"):
                report.differs(
                    directive,
                    "a policy limits requests, not TCP or UDP connections",
                    "it is left out",
                )


def _tell_of_one(directive: Directive, report: Report) -> None:
    name, args = directive.name, directive.args
    if name == "add_header" and args[0].lower().startswith(_FIELDS):
        report.differs(
            directive,
            "it is the same text for every request; a policy sends what is true of each",
            "the policy's own header fields are sent instead",
        )
    elif name in _BANDWIDTH:
        report.differs(directive, "a policy limits requests, not bytes", "it is left out")
    elif name == "server" and any(arg.startswith("max_conns=") for arg in args):
        report.differs(
            directive,
            "a policy limits what comes in, not connections to one upstream",
            "max_conns is left out",
        )


def _has_any(block: Directive, blocks: set[int]) -> bool:
    return id(block) in blocks or any(id(inner) in blocks for inner in block.walk())


def _tell_of_rewrites(block: Directive, report: Report) -> None:
    """Of what changes a path, or answers on a condition, before nginx looks at limits."""
    for directive in _conditional(block):
        if directive.args[-1:] == ("break",) and block.name == "location":
            continue  # it stays in this location
        if directive.name == "rewrite" and directive.args[-1] not in ("redirect", "permanent"):
            report.differs(
                directive,
                "nginx rewrites a path before it looks at limits; a policy sees the path as it was sent",
                "requests that it rewrites have the limits of the path that they were sent to",
            )
        elif directive.name in ("rewrite", "return"):
            report.differs(
                directive,
                "nginx answers before it looks at limits, where the condition holds",
                "such requests are counted if they reach the app",
            )


def _conditional(block: Directive) -> Iterator[Directive]:
    for inner in block.block or ():
        if inner.name == "rewrite":
            yield inner
        elif inner.name == "if":
            yield from (each for each in inner.walk() if each.name in ("rewrite", "return"))
