"""The variables of an imported configuration, and functions that make keys of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b
from typing import Any

from sluicegate.identity.client_address import ClientAddress
from sluicegate.importers.variables.request import scope_of, value_of
from sluicegate.importers.variables.tables import Geo, Map
from sluicegate.importers.variables.template import parts_of

__all__ = ["Variables"]

_DEEPEST = 32
_DIGEST_BYTES = 16
_ADDRESSES = ("remote_addr", "binary_remote_addr", "realip_remote_addr")


class Variables:
    """nginx's variables, with those that ``map`` and ``geo`` make. For one policy.

    ``variables.geo("office", "$remote_addr", {"10.0.0.0/8": "1"})`` and
    ``variables.map("limited", "$office", {"1": ""}, default="$binary_remote_addr")``, then
    ``limited = variables.key("$limited")`` is a function for a policy's ``keys``: given a request, it
    returns the key, or ``None`` if it is empty, so that the limit does not apply.

    Args:
        trusted_proxies, proxy_header: as the policy's identity has them.
    """

    def __init__(
        self,
        *,
        trusted_proxies: Iterable[str] | int = (),
        proxy_header: str = "x-forwarded-for",
    ) -> None:
        # As nginx counts: an IPv6 address by itself.
        self._address = ClientAddress(trusted_proxies, header=proxy_header, ipv6_prefix=128)
        self._tables: dict[str, Map | Geo] = {}

    def map(
        self,
        name: str,
        source: str,
        values: Mapping[str, str],
        *,
        default: str = "",
        hostnames: bool = False,
    ) -> None:
        """``map SOURCE $name``; see :class:`~sluicegate.importers.variables.tables.Map`."""
        self._tables[name] = Map(source, values, default=default, hostnames=hostnames)

    def geo(
        self, name: str, source: str, networks: Mapping[str, str], *, default: str = ""
    ) -> None:
        """``geo SOURCE $name``; see :class:`~sluicegate.importers.variables.tables.Geo`."""
        self._tables[name] = Geo(source, networks, default=default)

    def key(self, text: str, *, server_name: str = "") -> Callable[[Any], str | None]:
        """A function that gives the key which ``text`` stands for; ``None`` for an empty one.

        What a client chooses, as a header, is kept as a digest, since it may be long or secret.
        """
        parts_of(text)

        def key(request: Any) -> str | None:
            asked = self._asked(request, server_name)
            value = asked.expand(text, {})
            if not value:
                return None
            return _digest(value) if asked.is_chosen else value

        return key

    def value(self, text: str, request: Any, *, server_name: str = "") -> str:
        """What ``text`` stands for in a request, as it is."""
        return self._asked(request, server_name).expand(text, {})

    def _asked(self, request: Any, server_name: str) -> _Asked:
        return _Asked(self._tables, self._address, scope_of(request), server_name)


class _Asked:
    """The variables of one request."""

    def __init__(
        self,
        tables: Mapping[str, Map | Geo],
        address: ClientAddress,
        scope: Mapping[str, Any],
        server_name: str,
    ) -> None:
        self._tables = tables
        self._address = address
        self._scope = scope
        self._server_name = server_name
        self._depth = 0
        #: Whether there is any text in it that a client could choose.
        self.is_chosen = False

    def expand(self, text: str, groups: Mapping[str, str]) -> str:
        """The text with the values of its variables; ``groups`` are a regular expression's."""
        return "".join(
            self._value(part.text, groups) if part.is_variable else part.text
            for part in parts_of(text)
        )

    def _value(self, name: str, groups: Mapping[str, str]) -> str:
        if name in groups:
            self.is_chosen = True
            return groups[name]
        if name == "server_name":
            return self._server_name
        table = self._tables.get(name)
        if table is None:
            self.is_chosen = self.is_chosen or name not in _ADDRESSES
            value = value_of(name, self._scope, self._address)
            return value or (self._server_name if name == "host" else "")
        if self._depth > _DEEPEST:
            raise ValueError(f"${name} depends on itself")
        self._depth += 1
        was_chosen = self.is_chosen
        source = self.expand(table.source, {})
        self.is_chosen = was_chosen
        value = table.value(source) if isinstance(table, Geo) else table.value(source, self.expand)
        self._depth -= 1
        return value


def _digest(value: str) -> str:
    text = value.encode("utf-8", "surrogatepass")
    return blake2b(text, digest_size=_DIGEST_BYTES).hexdigest()
