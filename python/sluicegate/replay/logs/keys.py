"""Who is limited: the key that is made of a line's field."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import partial
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import NamedTuple

from sluicegate.identity.addresses import Address, grouped, parse_address
from sluicegate.identity.forwarded import elements_from_the_right
from sluicegate.identity.proxies import trusted

__all__ = ["CLIENT", "PATH", "By", "client_key", "clients_behind", "is_private", "path_key"]

Network = IPv4Network | IPv6Network

_FOLDED = re.compile(
    r"(?<=/)(?:([0-9]+)|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})(?=/|$)"
)
_PRIVATE = tuple(
    ip_network(network)
    for network in (
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"),
        *("127.0.0.0/8", "169.254.0.0/16", "::1/128", "fe80::/10", "fc00::/7"),
    )
)


def client_key(field: str, proxies: Iterable[Network] = _PRIVATE) -> str | None:
    """The client as the middleware would tell it apart: IPv6 by its /64 network.

    Of a list, as X-Forwarded-For is, the last address that is not of the ``proxies``, the private
    ones unless given: what stands further left may be the client's own word. ``None`` if there is no
    address.
    """
    address = None
    for element in elements_from_the_right([field.encode("latin-1", "replace")]):
        found = parse_address(element)
        if found is None:
            break
        address = found
        if not _is_of(found, proxies):
            break
    return None if address is None else grouped(address, 64)


def is_private(name: str) -> bool:
    """Whether an address, or a network's first one, is of a private network or this host."""
    return _is_of(ip_address(name.partition("/")[0]), _PRIVATE)


def _is_of(address: Address, networks: Iterable[Network]) -> bool:
    return any(address in network for network in networks if network.version == address.version)


def path_key(request: str) -> str:
    """The path without its query, with number and UUID segments folded: one key a route."""
    parts = request.split(" ", 2)
    path = (parts[1] if len(parts) > 1 else request).partition("?")[0]
    return _FOLDED.sub(lambda found: "{n}" if found[1] else "{uuid}", path)


class By(NamedTuple):
    """Who is limited: a field of the line, and the key that is made of it (``None``: none)."""

    field: str
    key: Callable[[str], str | None]


CLIENT = By("client", client_key)
PATH = By("request", path_key)


def clients_behind(proxies: str) -> By:
    """Clients behind the networks that ``--trusted-proxies`` names, with commas between them."""
    names = [name.strip() for name in proxies.split(",")]
    try:
        _, networks, _ = trusted(names)
    except ValueError as error:
        raise ValueError(str(error).replace("trusted_proxies", "--trusted-proxies")) from None
    return By("client", partial(client_key, proxies=networks))
