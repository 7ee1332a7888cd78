"""Who is the client: by default the socket's peer, and nothing that the client says itself."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from sluicegate._support.functions import check_plain
from sluicegate.identity.addresses import Address, grouped, parse_address
from sluicegate.identity.forwarded import elements_from_the_right, forwards, parse_forwarded
from sluicegate.identity.proxies import header_name, ipv6_prefix_bits, trusted

if TYPE_CHECKING:
    from sluicegate._support.asgi_types import Scope

__all__ = ["ENVIRON", "ClientAddress"]

_log = logging.getLogger("sluicegate")

#: Where a scope has the WSGI environ that it was made of, if it was.
ENVIRON: Final = "wsgi.environ"
_FORWARDED_HEADERS: Final = frozenset(
    (b"x-forwarded-for", b"forwarded", b"x-real-ip", b"cf-connecting-ip", b"true-client-ip")
)
# A proxy that forwards does so from the first request on; looking costs a microsecond.
_REQUESTS_LOOKED_AT: Final = 100
_MOST_CACHED: Final = 4_096

_IGNORED: Final = (
    "A request has the header %s, which is ignored: anybody can send it. If your own proxy "
    "sets it, name that proxy in trusted_proxies=."
)
_REWRITTEN: Final = (
    "The peer of a request is an address in its header %s: the server seems to have taken it "
    "from there, as uvicorn does for peers in --forwarded-allow-ips (by default 127.0.0.1 and "
    "::1). Who can send that header past your proxies is then limited by an address of its "
    "own choice. Let one place decide: start uvicorn with --no-proxy-headers and name your "
    "proxies in trusted_proxies=; docs/proxies.md says how for each server."
)


class ClientAddress:
    """Finds the client's address in an ASGI scope and gives its key, such as ``ip:192.0.2.7``.

    Without ``trusted_proxies`` that is the socket's peer, whatever the headers say. With
    them, the named header is read from the right: past trusted addresses to the first one
    that is not, which is the client. Garbage stops the walk at the last trusted hop.

    Args:
        trusted_proxies: networks such as ``["10.0.0.0/8"]`` (and ``"unix"`` for a peer
            without an address), or how many proxies stand in front of the app: with 2, the
            peer and the header's last element are proxies and the element before it is the
            client. Both only hold if the app cannot be reached past the proxies.
        header: ``x-forwarded-for``, ``forwarded`` (RFC 7239), or the name of a header that
            holds a single address, such as ``cf-connecting-ip``.
        ipv6_prefix: IPv6 clients are told apart by so many bits, 16 to 128. Link-local,
            loopback and unspecified addresses are whole, and those that a translator or a
            tunnel made of an IPv4 address count as that one (``docs/proxies.md``).
        no_address: the key of requests without an IP address (a Unix socket, a test
            client), or a callable that gives it for a scope. By default they share one.

    Raises:
        ValueError, TypeError: an argument out of its range; the message names it.
    """

    def __init__(
        self,
        trusted_proxies: Iterable[str] | int = (),
        *,
        header: str = "x-forwarded-for",
        ipv6_prefix: int = 64,
        no_address: Callable[[Scope], str] | str | None = None,
    ) -> None:
        self._hops, self._networks, self._trusts_unix = trusted(trusted_proxies)
        self._header = header_name(header)
        self._ipv6_prefix = ipv6_prefix_bits(ipv6_prefix)
        if not (no_address is None or isinstance(no_address, str) or callable(no_address)):
            kind = type(no_address).__name__
            raise TypeError(f"no_address must be a str or a callable, got {kind}")
        if callable(no_address):
            check_plain("no_address", no_address)
        self._no_address = no_address
        self._trusts = bool(self._hops or self._networks or self._trusts_unix)
        self._looks_left = _REQUESTS_LOOKED_AT
        self._told_of_ignored = False
        self._warned_of_no_address = False
        #: Peers' keys, without a look at anything else.
        self.known: dict[str, str] = {}

    def __call__(self, scope: Scope) -> str:
        """The key of the client. Never raises, unless ``no_address`` does."""
        client = scope.get("client")
        host: Any = client[0] if client else None
        if self._looks_left > 0:
            self._look_for_forwarded_addresses(host, scope)
        if not self._trusts:
            try:
                return self.known[host]
            except (KeyError, TypeError):
                return self._remembered(host, scope)
        address = self._client(_address(host), scope)
        return self._unknown(scope) if address is None else self._key(address)

    def _remembered(self, host: Any, scope: Scope) -> str:
        address = _address(host)
        if address is None:
            return self._unknown(scope)
        if len(self.known) >= _MOST_CACHED:
            self.known.clear()
        key = self._key(address)
        if self._looks_left == 0:
            self.known[host] = key
        return key

    def _key(self, address: Address) -> str:
        return "ip:" + grouped(address, self._ipv6_prefix)

    def _client(self, peer: Address | None, scope: Scope) -> Address | None:
        """The client's address, given that some proxies are trusted."""
        if not self._is_trusted(peer, 1):
            return peer
        name = self._header.encode("ascii")
        lines = [value for key, value in scope.get("headers", ()) if key.lower() == name]
        if self._header not in ("x-forwarded-for", "forwarded"):
            claimed = parse_address(lines[0].decode("latin-1")) if len(lines) == 1 else None
            return peer if claimed is None else claimed
        parse = parse_forwarded if self._header == "forwarded" else parse_address
        last = peer
        for hop, element in enumerate(elements_from_the_right(lines), start=2):
            address = parse(element)
            if address is None:
                return last
            if not self._is_trusted(address, hop):
                return address
            last = address
        return last

    def has_trusted_peer(self, scope: Scope) -> bool:
        """Whether a request has come from one of the proxies, whose headers are believed."""
        client = scope.get("client")
        return self._trusts and self._is_trusted(_address(client[0] if client else None), 1)

    def _is_trusted(self, address: Address | None, hop: int) -> bool:
        if self._hops:
            return hop <= self._hops
        if address is None:
            return self._trusts_unix
        return any(address in network for network in self._networks)

    def _unknown(self, scope: Scope) -> str:
        if callable(self._no_address):
            key: object = self._no_address(scope.get(ENVIRON, scope))
            if not isinstance(key, str):
                kind = type(key).__name__
                raise TypeError(f"no_address must return a str, got {kind}")
            return key
        if self._no_address is not None:
            return self._no_address
        if not self._warned_of_no_address:
            self._warned_of_no_address = True
            _log.warning(
                "A request came without an IP address (a Unix socket or a test client?). All "
                "such requests share one limit; pass trusted_proxies= if a proxy forwards "
                "them, or no_address= to tell them apart."
            )
        return "ip:unknown"

    def _look_for_forwarded_addresses(self, host: object, scope: Scope) -> None:
        """Tell the operator once what becomes of the headers that forward an address."""
        self._looks_left -= 1
        if self._trusts and self._is_trusted(_address(host), 1):
            return
        for name, value in scope.get("headers", ()):
            if name not in _FORWARDED_HEADERS:
                continue
            if isinstance(host, str) and forwards(name, value, host):
                self._looks_left = 0
                _log.warning(_REWRITTEN, name.decode("latin-1"))
                return
            if not (self._trusts or self._told_of_ignored):
                self._told_of_ignored = True
                _log.warning(_IGNORED, name.decode("latin-1"))


def _address(host: object) -> Address | None:
    return parse_address(host) if isinstance(host, str) else None
