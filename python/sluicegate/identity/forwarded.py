"""Reading the headers in which proxies forward addresses."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sluicegate.identity.addresses import Address, parse_address

__all__ = ["elements_from_the_right", "forwards", "parse_forwarded"]

# What lies further to the left is not looked at: it costs time and proves nothing.
MOST_ELEMENTS = 32
MOST_BYTES = 4096

# One pair of a Forwarded element. A semicolon inside quotes ends nothing: a proxy may quote
# the client's own Host there.
_PAIR = re.compile(
    r"""[ \t]*([!#$%&'*+.^_`|~\w-]+)=("(?:[^"\\]|\\.)*"|[^";]*)[ \t]*(?:;|\Z)""", re.ASCII
)


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


def forwards(name: bytes, value: bytes, host: str) -> bool:
    """Whether a header forwards ``host``: an address, or what somebody took for one."""
    address = parse_address(host)
    parse = parse_forwarded if name == b"forwarded" else parse_address
    for element in elements_from_the_right([value]):
        if element.strip(" \t") == host or (address is not None and parse(element) == address):
            return True
    return False
