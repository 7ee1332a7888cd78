"""What nginx does with a request, slowly: which server, which location, which limits.

After ``ngx_http_find_virtual_server``, ``ngx_http_core_find_location`` and the merging of
``ngx_http_limit_req_module`` and ``ngx_http_limit_conn_module``.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

from sluicegate.importers.document import Document
from sluicegate.importers.nginx.parsing import Directive

#: A zone, its quota, how long requests may be held, how many are not, and whether it only watches.
Applied = tuple[str, str, "Fraction | None", int, bool]


def server_of(http: Directive, host: str) -> Directive:
    """The server for a host, all of them listening at one port."""
    servers = http.all("server")
    names = [(name, s) for s in servers for d in s.all("server_name") for name in d.args]
    for name, server in names:
        if host == name or (name.startswith(".") and host == name[1:]):
            return server
    below = [(name.lstrip("*"), s) for name, s in names if name.startswith((".", "*."))]
    fits = [(len(name), place) for place, (name, _) in enumerate(below) if host.endswith(name)]
    if fits:
        return below[max(fits, key=lambda fit: fit[0])[1]][1]
    for server in servers:
        if any("default_server" in listen.args for listen in server.all("listen")):
            return server
    return servers[0]


def blocks_of(server: Directive, path: str) -> list[Directive]:
    """The blocks around the location that a path gets, from the server inwards."""
    return [server, *(_found(server, path)[1])]


def _found(block: Directive, path: str) -> tuple[bool, list[Directive]]:
    """Whether the search ends here (an exact one, or a regular expression), and the blocks."""
    locations = [(*_split(each), each) for each in block.all("location")]
    for modifier, text, each in locations:
        if modifier == "=" and path == text:
            return True, [each]
    prefixes = [
        (len(text), modifier, each)
        for modifier, text, each in locations
        if modifier in ("", "^~") and path.startswith(text)
    ]
    inner: list[Directive] = []
    skips = False
    if prefixes:
        _, modifier, each = max(prefixes, key=lambda prefix: prefix[0])
        skips = modifier == "^~"
        ends, deeper = _found(each, path)
        inner = [each, *deeper]
        if ends:
            return True, inner
    for modifier, text, each in locations:
        flags = re.IGNORECASE if modifier == "~*" else 0
        if modifier.startswith("~") and not skips and re.search(text, path, flags):
            return True, [each, *_found(each, path)[1]]
    return False, inner


def _split(location: Directive) -> tuple[str, str]:
    return (
        ("", location.args[0]) if len(location.args) == 1 else (location.args[0], location.args[1])
    )


def applied_at(http: Directive, blocks: list[Directive]) -> set[Applied]:
    """What applies in the innermost of some blocks."""
    found: set[Applied] = set()
    if blocks[0].all("return") or blocks[-1].all("return"):
        return set()
    for kind in ("limit_req", "limit_conn"):
        having = [block.all(kind) for block in (http, *blocks) if block.all(kind)]
        dry = [d.args[0] for block in (http, *blocks) for d in block.all(f"{kind}_dry_run")]
        for directive in having[-1] if having else ():
            found.add(_applied(http, directive, dry[-1:] == ["on"]))
    return found


def _applied(http: Directive, directive: Directive, is_dry: bool) -> Applied:
    if directive.name == "limit_conn":
        name, most = directive.args
        return name, f"{most} concurrent", None, 0, is_dry
    given = dict(arg.partition("=")[::2] for arg in directive.args)
    zones = http.all("limit_req_zone")
    name = given["zone"]
    zone = next(zone for zone in zones if zone.args[1].startswith(f"zone={name}:"))
    amount, _, unit = zone.args[2].removeprefix("rate=").partition("r/")
    seconds = {"s": 1, "m": 60}[unit]
    burst, at_once = int(given.get("burst", 0)), int(given.get("delay", 0))
    quota = f"{amount}/{ {'s': 'second', 'm': 'minute'}[unit] } burst {burst + 1}"
    if "nodelay" in given or at_once >= burst:
        return name, quota, None, 0, is_dry
    return name, quota, Fraction(burst * seconds, int(amount)), at_once, is_dry


def applied_by(document: Document, host: str, path: str) -> set[Applied]:
    """What an imported policy applies: all that match, of a group the first, until one is exempt."""
    applying: list[dict[str, Any]] = []
    groups = set()
    for entry in document.rules:
        rule = dict(entry.values)
        if not matches(str(rule["match"]), host, path):
            continue
        if rule.get("exempt"):
            break
        group = rule.get("group")
        if group is not None and group in groups:
            continue
        groups.add(group)
        applying.append(rule)
    return applied_of(applying)


def applied_of(rules: list[dict[str, Any]]) -> set[Applied]:
    """What some rules apply that all apply to one request."""
    found: set[Applied] = set()
    for rule in rules:
        delay = rule.get("delay")
        exact = None if delay is None else Fraction(str(delay))
        name = str(rule["name"]).removesuffix(" dry")
        found.add((name, rule["quota"], exact, rule.get("undelayed", 0), "shadow" in rule))
    return found


def matches(pattern: str, host: str, path: str) -> bool:
    """Whether a rule's pattern matches, as docs of rules have it."""
    if pattern == "*":
        return True
    if pattern.startswith("//"):
        wanted, _, rest = pattern[2:].partition("/")
        if host != wanted and not (wanted.startswith("*.") and host.endswith(wanted[1:])):
            return False
        pattern = f"/{rest}"
    own = [segment for segment in pattern.split("/") if segment]
    its = [segment for segment in path.split("/") if segment]
    if own[-1:] == ["*"]:
        own.pop()
        its = its[: len(own)]
    return len(own) == len(its) and all(
        mine == theirs or mine.startswith("{") for mine, theirs in zip(own, its, strict=True)
    )


def same(one: set[Applied], other: set[Applied]) -> bool:
    """Whether they are the same, delays to a microsecond (a policy's is rounded up)."""

    def rounded(applied: set[Applied]) -> set[tuple[object, ...]]:
        return {
            (n, q, None if d is None else -(-d * 1_000_000 // 1), u, s) for n, q, d, u, s in applied
        }

    return rounded(one) == rounded(other)
