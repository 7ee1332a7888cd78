"""What a zone counts by: a policy's ``by``, or a function that makes nginx's key."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from keyword import iskeyword
from pprint import pformat

from sluicegate.importers.nginx.tables import Tables
from sluicegate.importers.nginx.zones import Zone
from sluicegate.importers.variables.template import parts_of, variables_in

__all__ = ["Counted", "Keys"]

#: What a policy's ``by`` and the module of functions have already.
_TAKEN = ("client", "address", "principal", "tier", "all", "key", "variables")
_ADDRESSES = ("binary_remote_addr", "remote_addr")
_LONGEST_NAME = 46
_UNPRINTABLE = re.compile(r"[^!-~ ]")


@dataclass(frozen=True)
class Counted:
    """How the policy counts what a zone counts.

    Attributes:
        by: as a rule has it.
        name: that of the rules, which is whose state it is.
        function: the key's function among ``by``, if it has one.
    """

    by: str | tuple[str, ...]
    name: str
    function: str | None = None

    @property
    def sources(self) -> tuple[str, ...]:
        return (self.by,) if isinstance(self.by, str) else self.by


class Keys:
    """The keys of all zones, and the functions that they need."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        #: Names of functions by the text of their key and the server's name.
        self._functions: dict[tuple[str, str], str] = {}

    def counted(self, zone: Zone, server_name: str) -> Counted | None:
        """How ``zone`` counts in a server of that name; ``None`` if its key is empty there.

        Raises ``ValueError`` for a variable that cannot be known.
        """
        used = self._tables.used_by(zone.key)
        constants = [
            server_name if part.is_variable else part.text
            for part in parts_of(zone.key)
            if not part.is_variable or part.text == "server_name"
        ]
        others = [name for name in variables_in(zone.key) if name != "server_name"]
        if used or not all(map(_is_source, others)):
            function = self._function(zone, server_name)
            return Counted(function, _name(zone, server_name), function)
        if not others and not any(constants):
            return None
        sources = tuple(dict.fromkeys(map(_source, others))) or ("all",)
        by = sources[0] if len(sources) == 1 else sources
        return Counted(by, _name(zone, server_name))

    def _function(self, zone: Zone, server_name: str) -> str:
        server = server_name if self._needs_server(zone.key) else ""
        known = self._functions.get((zone.key, server))
        if known is None:
            known = _unused(_identifier(zone.key, server), self._functions.values())
            self._functions[zone.key, server] = known
        return known

    def _needs_server(self, text: str) -> bool:
        """Whether the server's name may be part of the key."""
        inner = [text]
        for name in self._tables.used_by(text):
            inner += self._tables[name].texts()
        return any("server_name" in each or "host" in each for each in inner)

    @property
    def functions(self) -> list[str]:
        """The names of the functions that are needed."""
        return [*self._functions.values()]

    def module(self, title: str, identity: str) -> str | None:
        """The text of a Python module with the functions; ``None`` if there are none.

        Args:
            title: what stands at its top.
            identity: the arguments of ``Variables``.
        """
        if not self._functions:
            return None
        needed: dict[str, None] = {}
        for text, _ in self._functions:
            needed |= dict.fromkeys(self._tables.used_by(text))
        return "\n".join([*self._module(title, identity, needed), ""])

    def _module(self, title: str, identity: str, needed: Iterable[str]) -> Iterator[str]:
        yield f"# {title}"
        yield ""
        yield "from sluicegate.importers.variables import Variables"
        yield ""
        yield f"variables = Variables({identity})"
        for name in needed:
            table = self._tables[name]
            given = f"{name!r}, {table.source!r}"
            options = f", default={table.default!r}" if table.default else ""
            options += ", hostnames=True" if table.hostnames else ""
            yield ""
            yield f"# {table.directive.origin}: {table.directive.name} {' '.join(table.directive.args)}"
            values = pformat(dict(table.values), width=96, sort_dicts=False)
            yield f"variables.{table.kind}({given}, {values}{options})"
        for (text, server), name in self._functions.items():
            options = f", server_name={server!r}" if server else ""
            yield ""
            yield f"{name} = variables.key({text!r}{options})"


def _is_source(name: str) -> bool:
    return name in _ADDRESSES or name.startswith("http_")


def _source(name: str) -> str:
    return "address" if name in _ADDRESSES else f"header:{name[5:].replace('_', '-')}"


def _name(zone: Zone, server_name: str) -> str:
    """The zone's, with the server's where each has keys of its own."""
    name = f"{zone.name} {server_name}" if "server_name" in zone.key else zone.name
    seen = _UNPRINTABLE.sub("", name).strip()
    if seen == name and len(name) <= _LONGEST_NAME:
        return name
    digest = blake2b(name.encode("utf-8", "replace"), digest_size=4).hexdigest()
    return f"{seen[: _LONGEST_NAME - 9]}~{digest}"


def _identifier(text: str, server: str) -> str:
    words = re.sub(r"[^A-Za-z0-9]+", "_", f"{text} {server}").strip("_").lower()
    is_name = words.isidentifier() and not iskeyword(words) and words not in _TAKEN
    return words if is_name else f"key_{words}".rstrip("_")


def _unused(name: str, used: Collection[str]) -> str:
    number = 2
    unused = name
    while unused in used:
        unused = f"{name}_{number}"
        number += 1
    return unused
