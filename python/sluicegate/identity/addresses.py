"""Reading addresses, and which of them are one client."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

__all__ = ["Address", "grouped", "parse_address"]

Address = IPv4Address | IPv6Address

# A host's own name for one of its interfaces, or its number.
_ZONE = re.compile(r"[\w.:@+=~-]{1,32}", re.ASCII)


def parse_address(text: str) -> Address | None:
    """An IP address, with or without a port, brackets or a zone; ``None`` for all else.

    An IPv4 address that is mapped into IPv6 is that IPv4 address: so the system shows an IPv4
    peer of an IPv6 socket. No other form is, since a client may choose it. A zone is kept
    where it tells addresses apart, which is on links.
    """
    host = text.strip(" \t")
    if host.startswith("["):
        host, closed, rest = host[1:].partition("]")
        if not closed or ":" not in host or (rest and not (rest[0] == ":" and _is_port(rest[1:]))):
            return None
    elif host.count(":") == 1:
        host, _, port = host.partition(":")
        if not _is_port(port):
            return None
    zone = ""
    if ":" in host:
        host, _, zone = host.partition("%")
    try:
        address = ip_address(host)
    except ValueError:
        return None
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if zone and address.is_link_local:
        return IPv6Address(f"{address}%{zone}") if _ZONE.fullmatch(zone) else None
    return address


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 5


# Each IPv4 address behind these translators is a client of its own; it is the last 32 bits.
# RFC 6052, 2.1, and RFC 2765, 2.1 (obsolete, and still in use).
_TRANSLATED = frozenset(int(IPv6Address(first)) >> 32 for first in ("64:ff9b::", "::ffff:0:0:0"))
# The same, but only its operator knows which bits: RFC 8215's 64:ff9b:1::/48.
_TRANSLATED_SOMEHOW = int(IPv6Address("64:ff9b:1::")) >> 80
_TEREDO = int(IPv6Address("2001::")) >> 96  # RFC 4380
_6TO4 = int(IPv6Address("2002::")) >> 112  # RFC 3056
_LINK_LOCAL = int(IPv6Address("fe80::")) >> 118


def grouped(address: Address, ipv6_prefix: int) -> str:
    """The address as a key: IPv4 whole, IPv6 by its network, since one host has all of it.

    An IPv6 address that was made of a client's IPv4 address stands for that client; those
    that belong to one host or one link are whole. docs/proxies.md has the table.
    """
    if isinstance(address, IPv4Address):
        return str(address)
    bits = int(address)
    inside = _ipv4_inside(bits)
    if inside is not None:
        return str(IPv4Address(inside))
    # Unspecified and loopback are 0 and 1.
    if bits <= 1 or bits >> 118 == _LINK_LOCAL or bits >> 80 == _TRANSLATED_SOMEHOW:
        return str(address)
    return str(IPv6Network((bits, ipv6_prefix), strict=False))


def _ipv4_inside(bits: int) -> int | None:
    """The IPv4 address of the one client that has this IPv6 address, if it is made of one."""
    if bits >> 32 in _TRANSLATED:
        return bits & 0xFFFF_FFFF
    if bits >> 96 == _TEREDO:
        return ~bits & 0xFFFF_FFFF
    if bits >> 112 == _6TO4:
        return bits >> 80 & 0xFFFF_FFFF
    return None
