"""Rules without a tree: every rule is compared with the request, by regular expressions."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple


class NaiveRule(NamedTuple):
    """What decides whether a rule applies; a ``Rule`` has it as well."""

    match: str
    tier: Sequence[str] = ()
    group: str | None = None
    exempt: bool = False


def walk(
    rules: Iterable[Any], method: str, host: str | None, path: str, tier: str | None
) -> tuple[list[int], int | None]:
    """The places of the rules that apply, in order, and of the exempt one that ended the walk."""
    apply: list[int] = []
    groups: set[str] = set()
    for place, rule in enumerate(rules):
        if not matches(rule.match, method, host, path, exempt=rule.exempt):
            continue
        if rule.tier and tier not in rule.tier:
            continue
        if rule.group is not None and rule.group in groups:
            continue
        groups |= {rule.group} if rule.group is not None else set()
        if rule.exempt:
            return apply, place
        apply.append(place)
    return apply, None


def matches(
    pattern: str, method: str, host: str | None, path: str, *, exempt: bool = False
) -> bool:
    """Whether a request matches a pattern, which is right."""
    methods, wanted_host, template = parts(pattern)
    if "GET" in methods:
        methods.append("HEAD")
    if methods and method.upper() not in methods:
        return False
    if wanted_host is not None and (host is None or not is_host(wanted_host, host)):
        return False
    spelt = folded(path)
    if re.search(r"/\.\.?(/|$)", spelt):
        if exempt:
            return False
        return fits(template, spelt) or fits(template, posixpath.normpath(spelt))
    return fits(template, spelt)


def params(pattern: str, path: str) -> dict[str, str]:
    """What the parameters stand for in a path that matches."""
    template = expression(parts(pattern)[2])
    spelt = folded(path)
    found = re.fullmatch(template, spelt, re.DOTALL)
    found = found or re.fullmatch(template, posixpath.normpath(spelt), re.DOTALL)
    assert found is not None
    return found.groupdict()


def parts(pattern: str) -> tuple[list[str], str | None, str]:
    """The methods, the host and the path of a pattern."""
    found = re.fullmatch(r"(?:([A-Z|-]+) +)?(?://([^/]+))?(.*)", pattern)
    assert found is not None
    methods, host, template = found.groups()
    return methods.split("|") if methods else [], host, "/*" if template == "*" else template


def folded(path: str) -> str:
    return "/" + re.sub("/+", "/", path).strip("/")


def fits(template: str, path: str) -> bool:
    return re.fullmatch(expression(template), path, re.DOTALL) is not None


def expression(template: str) -> str:
    """The regular expression of a path template."""
    template, all_below = re.subn(r"/+\*/*$", "", template)
    template = folded(template) if template.strip("/") or not all_below else ""
    pieces = re.split(r"\{(\w+)\}", template)
    pieces[::2] = map(re.escape, pieces[::2])
    pieces[1::2] = [f"(?P<{name}>[^/]+)" for name in pieces[1::2]]
    return "".join(pieces) + ("(?:/.*)?" if all_below else "")


def is_host(wanted: str, host: str) -> bool:
    name = re.sub(r":\d*$", "", host.lower()) if not host.endswith("]") else host.lower()
    name = re.sub(r"\.$", "", name)
    wanted = wanted.lower()
    return name.endswith(wanted[1:]) if wanted.startswith("*.") else name == wanted
