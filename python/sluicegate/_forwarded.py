"""Reading addresses, and the headers in which proxies forward them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

__all__ = ["Address", "elements_from_the_right", "grouped", "parse_address", "parse_forwarded"]

Address = IPv4Address | IPv6Address

# What lies further to the left is not looked at: it costs time and proves nothing.
MOST_ELEMENTS = 32
MOST_BYTES = 4096

# One pair of a Forwarded element. A semicolon inside quotes ends nothing: a proxy may quote
# the client's own Host there.
_PAIR = re.compile(
    r"""[ \t]*([!#$%&'*+.^_`|~\w-]+)=("(?:[^"\\]|\\.)*"|[^";]*)[ \t]*(?:;|\Z)""", re.ASCII
)


def parse_address(text: str) -> Address | None:
    """An IP address, with or without a port, brackets or a zone; ``None`` for all else.

    An IPv4 address that is mapped into IPv6 is that IPv4 address.
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
    if ":" in host:
        host = host.partition("%")[0]
    try:
        address = ip_address(host)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 5


def grouped(address: Address, ipv6_prefix: int) -> str:
    """The address as a key: IPv4 whole, IPv6 by its network, since one host has all of it."""
    if isinstance(address, IPv4Address):
        return str(address)
    return str(IPv6Network((int(address), ipv6_prefix), strict=False))


def elements_from_the_right(lines: list[bytes]) -> Iterator[str]:
    """The elements of a list header, the last one first, commas in quotes not counted.

    Read from the right, because what stands further left may be the client's own word: a
    quote that it never closes spoils nothing that a proxy has added after it.
    """
    text = b",".join(lines).decode("latin-1")
    if len(text) > MOST_BYTES:
        # The first element is cut in two now.
        text = text[-MOST_BYTES:].partition(",")[2]
    count, quoted, end = 0, False, len(text)
    for position in range(len(text) - 1, -1, -1):
        character = text[position]
        if character == '"' and not _escaped(text, position):
            quoted = not quoted
        elif character == "," and not quoted:
            yield text[position + 1 : end]
            end, count = position, count + 1
            if count == MOST_ELEMENTS:
                return
    if text:
        yield text[:end]


def _escaped(text: str, position: int) -> bool:
    start = position
    while start and text[start - 1] == "\\":
        start -= 1
    return (position - start) % 2 == 1


def parse_forwarded(element: str) -> Address | None:
    """The ``for`` address of one element of ``Forwarded`` (RFC 7239), if it has just one."""
    found: list[str] = []
    position = 0
    while position < len(element):
        pair = _PAIR.match(element, position)
        if pair is None:
            return None
        if pair[1].lower() == "for":
            found.append(pair[2].strip(" \t"))
        position = pair.end()
    if len(found) != 1:
        return None
    value = found[0]
    if value.startswith('"'):
        value = re.sub(r"\\(.)", r"\1", value[1:-1])
    return parse_address(value)
