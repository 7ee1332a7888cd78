"""Reads an nginx.conf as a policy."""

from __future__ import annotations

from dataclasses import replace

from sluicegate.importers.document import Document, Entry, Template
from sluicegate.importers.nginx.differences import tell_of_limits, tell_of_others
from sluicegate.importers.nginx.entries import Entry as Place
from sluicegate.importers.nginx.entries import entries_of, reduced
from sluicegate.importers.nginx.keys import Keys
from sluicegate.importers.nginx.limits import Limits, limits_at
from sluicegate.importers.nginx.lost import tell_of_locations
from sluicegate.importers.nginx.parsing import parse
from sluicegate.importers.nginx.proxies import identity_of
from sluicegate.importers.nginx.report import Report
from sluicegate.importers.nginx.rules import rules_of
from sluicegate.importers.nginx.servers import hosts_of, servers_of
from sluicegate.importers.nginx.tables import Tables
from sluicegate.importers.nginx.zones import zones_of
from sluicegate.importers.origins import ImportFileError, Origin, Problem, Source

__all__ = ["read_nginx"]

#: Of a zone of ours, in bytes.
_USUAL_SIZE = 10 << 20
_SECRET = "RATE_LIMIT_SECRET"


def read_nginx(path: str, name: str = "limits") -> Document:
    """The policy of an nginx configuration.

    Args:
        path: of the main file.
        name: what the zone of the policy's store is called, and the module of its keys.

    Raises:
        ImportFileError: a file cannot be read or does not parse, nginx would refuse it, a key has a
            variable that cannot be known, or nothing is limited.
    """
    tree = parse(path)
    report = Report()
    http = next(iter(tree.all("http")), None)
    if http is None:
        raise ImportFileError(
            [Problem(Origin(path), "it has no http block, so it limits no requests")]
        )
    zones = zones_of(http, report)
    outer = limits_at(http, Limits(), zones, report)
    servers = servers_of(http, outer, zones, report)
    keys = Keys(Tables(http, report))
    hosts = [*hosts_of(servers, report)]
    entries = entries_of(hosts, keys, report)
    places = reduced(entries)
    document = Document("nginx", path, module=f"{name}_keys")
    document.identity = identity_of(http, report)
    document.rules = rules_of(places, report)
    tell_of_limits(places, zones, report)
    tell_of_locations(hosts, entries, places, keys, report)
    tell_of_others(tree, http, places, report)
    if report.problems:
        raise ImportFileError(report.problems)
    if not any(place.applied for place in places):
        problem = Problem(
            http.origin, "nothing is limited: no limit_req or limit_conn applies anywhere"
        )
        raise ImportFileError([problem])
    document.options = [*_options(places, name), *_refusal(document, places)]
    document.keys = [*_keys(document, keys)]
    document.functions = keys.module(_title(document), _identity(document))
    document.unmatched = report.unmatched
    return document


def _options(places: list[Place], name: str) -> list[Entry]:
    applied = [each for place in places for each in place.applied]
    used = {each.use.zone.name: each.use.zone for each in applied}
    size = sum(zone.size for zone in used.values())
    larger = f"?size={-(-size >> 20)}m" if size > _USUAL_SIZE else ""
    store = Entry(
        {"store": f"shared:{name}{larger}"},
        tuple(zone.directive.source for zone in used.values()),
        (
            "All workers of this host count together, as nginx's do in its zones; each application "
            'needs a name of its own. Redis counts on several hosts: store = "redis://…".',
        ),
    )
    options = [
        store,
        Entry({"exempt_preflight": False}, (), ("nginx counts a browser's OPTIONS as well.",)),
    ]
    if any(source.startswith("header:") for each in applied for source in each.counted.sources):
        note = (
            "What headers hold is hashed with this: 16 characters or more, the same for all workers, "
            "as python -c 'import secrets; print(secrets.token_hex(32))' prints them."
        )
        options.insert(1, Entry({"secret": Template(f"${{{_SECRET}}}")}, (), (note,)))
    return options


def _refusal(document: Document, places: list[Place]) -> list[Entry]:
    """What all rules answer alike is said once, for the whole policy."""
    uses = [applied.use for place in places for applied in place.applied if not applied.use.is_dry]
    answer = uses[0].answer if uses else None
    if answer is None or any(use.answer != answer for use in uses):
        return []
    own = {directive.source for use in uses if use.answer for directive in use.answer.directives}
    document.rules = [_without_refusal(rule, own) for rule in document.rules]
    return [Entry({"refusal": answer.value}, tuple(sorted(own)))]


def _without_refusal(rule: Entry, sources: set[Source]) -> Entry:
    values = {key: value for key, value in rule.values.items() if key != "refusal"}
    return replace(rule, values=values, sources=tuple(s for s in rule.sources if s not in sources))


def _keys(document: Document, keys: Keys) -> list[Entry]:
    note = f"Functions of {document.module}.py, which must be where Python finds it."
    return [
        Entry({name: f"{document.module}:{name}"}, (), (note,) if place == 0 else ())
        for place, name in enumerate(keys.functions)
    ]


def _title(document: Document) -> str:
    return f"Keys of the policy that was imported from {document.file}."


def _identity(document: Document) -> str:
    """The arguments that give the policy's identity to the functions of its keys."""
    given = {key: value for entry in document.identity for key, value in entry.values.items()}
    names = ("trusted_proxies", "proxy_header")
    return ", ".join(f"{name}={given[name]!r}" for name in names if name in given)
