"""``map`` and ``geo``: the variables that a configuration makes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sluicegate.importers.nginx.parsing import Directive
from sluicegate.importers.nginx.report import Report
from sluicegate.importers.variables.request import is_known
from sluicegate.importers.variables.tables import networks_of, regex_of
from sluicegate.importers.variables.template import variables_in

__all__ = ["Table", "Tables"]

_OF_MAP = ("default", "hostnames", "volatile")
_OF_GEO = ("default", "ranges", "delete", "proxy", "proxy_recursive")


@dataclass(frozen=True)
class Table:
    """A ``map`` or a ``geo``.

    Attributes:
        source: the text whose value is looked up.
        values: by what is looked up.
        hostnames: of a ``map``: whether hosts may have wildcards.
    """

    kind: str
    name: str
    source: str
    values: Mapping[str, str]
    default: str
    hostnames: bool
    directive: Directive

    def texts(self) -> Iterator[str]:
        """All that may have variables in it."""
        yield self.source
        if self.kind == "map":
            yield self.default
            yield from self.values.values()


class Tables:
    """All of them by the names of their variables, and which variables can be known at all."""

    def __init__(self, http: Directive, report: Report) -> None:
        self._report = report
        self._found: dict[str, Table] = {}
        #: Who else makes a variable, by its name.
        self._others: dict[str, Directive] = {}
        for directive in http.walk():
            if directive.name in ("map", "geo") and directive.block is not None:
                table = _table(directive)
                self._found[table.name] = table
            elif directive.name in (
                "set",
                "split_clients",
                "auth_request_set",
                "perl_set",
                "js_set",
            ):
                names = directive.args[1:] if directive.name == "split_clients" else directive.args
                self._others.setdefault("".join(names[:1]).lstrip("$"), directive)

    def __getitem__(self, name: str) -> Table:
        return self._found[name]

    def used_by(self, text: str) -> list[str]:
        """The names of the tables that ``text`` needs, each behind those that it needs itself.

        Raises ``ValueError`` for a variable that cannot be known, and for a table that is wrong.
        """
        found: list[str] = []
        self._add(text, found, ())
        return found

    def _add(self, text: str, found: list[str], within: tuple[str, ...]) -> None:
        for name in variables_in(text):
            if name in within:
                raise ValueError(f"${name} depends on itself")
            table = self._found.get(name)
            if table is None:
                self._check_known(name)
            elif name not in found:
                groups = _check(table, self._report)
                for inner in table.texts():
                    self._add(_without(inner, groups), found, (*within, name))
                found.append(name)

    def _check_known(self, name: str) -> None:
        if is_known(name) or name == "server_name":
            return
        other = self._others.get(name)
        if other is not None:
            raise ValueError(
                f"${name} cannot be known: `{other.name}` at {other.origin} makes it for each request"
            )
        raise ValueError(
            f"${name} cannot be known: neither does a request tell it, nor is there a map or geo that "
            "makes it"
        )


def _without(text: str, groups: frozenset[str]) -> str:
    """The variables of ``text`` that are no group of a regular expression."""
    return "".join(f"${{{name}}}" for name in variables_in(text) if name not in groups)


def _table(directive: Directive) -> Table:
    kind = directive.name
    name = directive.args[-1].lstrip("$")
    source = directive.args[0] if len(directive.args) > 1 else "$remote_addr"
    values: dict[str, str] = {}
    default = ""
    special = _OF_MAP if kind == "map" else _OF_GEO
    for inner in directive.block or ():
        if inner.name == "default" and inner.args:
            default = inner.args[0]
        elif inner.name == "delete" and kind == "geo" and inner.args:
            values.pop(inner.args[0], None)
        elif inner.name not in special:
            values[inner.name] = inner.args[0] if inner.args else ""
    hostnames = kind == "map" and bool(directive.all("hostnames"))
    return Table(kind, name, source, values, default, hostnames, directive)


def _check(table: Table, report: Report) -> frozenset[str]:
    """The names of all groups of its regular expressions.

    Raises ``ValueError`` if it cannot be read.
    """
    groups: set[str] = set()
    for inner in table.directive.block or ():
        try:
            if table.kind == "map" and inner.name.startswith("~"):
                regex = regex_of(inner.name)
                groups |= {*regex.groupindex, *map(str, range(regex.groups + 1))}
            elif table.kind == "geo" and inner.name not in _OF_GEO:
                networks_of(inner.name)
        except ValueError as error:
            raise ValueError(f"{table.kind} ${table.name} at {inner.origin}: {error}") from None
        if table.kind == "geo" and inner.name in ("proxy", "proxy_recursive"):
            report.differs(
                inner,
                "one identity says for all who the client is: [identity] trusted_proxies",
                f"${table.name} is looked up for the client that [identity] finds",
            )
    return frozenset(groups)
