"""The header fields that tell a client of its quota."""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from sluicegate._core import QuotaFields

if TYPE_CHECKING:
    from sluicegate._core import Decision

Field = tuple[bytes, bytes]

__all__ = [
    "HEADER_SETS",
    "Headers",
    "Item",
    "QuotaHeaders",
    "header_sets",
    "quoted",
    "retry_after_seconds",
]

#: ``x-ratelimit``: Limit, Remaining and Reset (Unix time).
#: ``ietf``: RateLimit-Policy and RateLimit of draft-ietf-httpapi-ratelimit-headers-11.
HEADER_SETS: Final = ("x-ratelimit", "ietf")


def header_sets(sets: Iterable[str] | str) -> tuple[str, ...]:
    """The sets that an option names: some of :data:`HEADER_SETS`, or none."""
    if not isinstance(sets, Iterable):
        raise TypeError(f"headers must hold some of {HEADER_SETS}, got {sets!r}")
    names = (sets,) if isinstance(sets, str) else tuple(sets)
    for name in names:
        if name not in HEADER_SETS:
            raise ValueError(f"headers must hold some of {HEADER_SETS}, got {name!r}")
    return names


def retry_after_seconds(decision: Decision) -> int:
    """Whole seconds to wait after a refusal: rounded up, at least 1 (0 makes clients hammer)."""
    return max(1, ceil(decision.retry_after))


class Item(NamedTuple):
    """What the IETF's two lists say of one limit.

    Attributes:
        limit: its name in its gate; ``None`` of one that is in none.
        name: its name in the lists, unless that is taken.
        policy, left: its items without the name; ``None`` if the lists are not sent.
    """

    limit: str | None
    name: str
    policy: bytes | None
    left: bytes | None


class Headers(Protocol):
    """Makes the header fields for the decisions of a limiter, or of a gate."""

    @property
    def sets(self) -> tuple[str, ...]:
        """Some of :data:`HEADER_SETS`."""
        ...

    @property
    def made(self) -> Any:
        """What makes them for an answer."""
        ...

    def fields(self, decision: Any) -> list[Field]:
        """A new list: the fields for ``decision``, as ASGI wants them."""
        ...

    def items(self, decision: Any) -> list[Item]:
        """What the lists say of each limit."""
        ...


class QuotaHeaders:
    """Makes the header fields for one limiter's decisions.

    Args:
        limiter: has ``limit`` and ``window_seconds``, which may change.
        name: the policy's name, printable ASCII.
        sets: some of :data:`HEADER_SETS`.
    """

    __slots__ = ("_limiter", "_name", "_part", "made", "name", "sets")

    def __init__(self, limiter: Any, name: str, sets: Iterable[str] | str) -> None:
        self.sets = header_sets(sets)
        self._part = 0 if "x-ratelimit" in self.sets else 3, 5 if "ietf" in self.sets else 3
        self._limiter = limiter
        self.name = name
        self._name = quoted(name)
        #: The fields by the quota of now.
        self.made = self._make(limiter.limit)

    def _make(self, limit: int) -> QuotaFields:
        return QuotaFields(self._limiter, limit, self._name, *self._part)

    def fields(self, decision: Decision) -> list[Field]:
        """A new list: the fields for ``decision``, as ASGI wants them."""
        fields = self.made.of(decision)
        while fields is None:  # the quota has changed, and may do so once more
            self.made = self._make(decision.limit)
            fields = self.made.of(decision)
        return fields

    def items(self, decision: Decision) -> list[Item]:
        """What the lists say of the limit."""
        if "ietf" not in self.sets:
            return [Item(None, self.name, None, None)]
        (_, policy), (_, left) = self.fields(decision)[-2:]
        own = len(self._name)
        return [Item(None, self.name, policy[own:], left[own:])]


def quoted(name: str) -> bytes:
    """A string as RFC 9651 writes it."""
    if not isinstance(name, str) or not name or not (name.isascii() and name.isprintable()):
        raise ValueError(f"name must be printable ASCII text, got {name!r}")
    return b'"%b"' % name.replace("\\", "\\\\").replace('"', '\\"').encode("ascii")
