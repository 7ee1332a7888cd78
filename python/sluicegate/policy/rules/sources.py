"""What a rule counts by: the client, its address, a header, a part of the path, a key."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, Literal, NamedTuple

from sluicegate.identity.proxies import header_name

__all__ = ["OWN", "Source", "sources_of"]

Kind = Literal["client", "address", "principal", "tier", "all", "header", "path", "key"]

#: What needs no name; no function of a policy's ``keys`` can be called so.
OWN: Final[tuple[Kind, ...]] = ("client", "address", "principal", "tier", "all")
_NAMED: Final[tuple[Kind, ...]] = ("header", "path")
_RIGHT: Final = (
    "'client', 'address', 'principal', 'tier', 'all', 'header:NAME', 'path:PARAMETER', a name in "
    "the policy's keys, or several of these"
)


class Source(NamedTuple):
    """Where a key, or a part of one, comes from.

    Attributes:
        kind: ``"key"`` is a function of the policy's ``keys``.
        name: the header's, in lower case, the parameter's or the function's; else empty.
    """

    kind: Kind
    name: str = ""

    def __str__(self) -> str:
        if self.kind == "key":
            return self.name
        return f"{self.kind}:{self.name}" if self.name else self.kind


def sources_of(by: object) -> tuple[Source, ...]:
    """The sources that a rule's ``by`` says, in their order.

    Raises ``TypeError`` for what is neither a ``str`` nor some, and ``ValueError`` for what cannot
    be counted by.
    """
    if isinstance(by, str):
        return (_source(by),)
    if not isinstance(by, Collection) or isinstance(by, (bytes, dict, set, frozenset)):
        raise TypeError(f"by must be {_RIGHT}, as a list, got {type(by).__name__} {by!r}")
    if not by:
        raise ValueError(f"by must be {_RIGHT}, got none: for one count of all write by='all'")
    found = tuple(map(_source, by))
    if len(found) > 1 and Source("all") in found:
        raise ValueError(f"by must have 'all' alone, which tells nobody apart, got {list(by)!r}")
    for place, source in enumerate(found):
        if source in found[:place]:
            raise ValueError(f"by must not have {str(source)!r} twice, got {list(by)!r}")
    return found


def _source(word: object) -> Source:
    if not isinstance(word, str):
        raise TypeError(f"by must be {_RIGHT}, got {type(word).__name__} {word!r}")
    for own in OWN:
        if word == own:
            return Source(own)
    before, colon, name = word.partition(":")
    for kind in _NAMED:
        if before == kind and colon and name:
            return Source(kind, header_name(name, f"by={word!r}") if kind == "header" else name)
    if colon or not word.strip():
        raise ValueError(f"by must be {_RIGHT}, got {word!r}")
    return Source("key", word)
