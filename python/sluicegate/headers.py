"""The header fields that tell a client of its quota."""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from sluicegate._core import Decision

Field = tuple[bytes, bytes]

__all__ = ["HEADER_SETS", "QuotaHeaders", "header_sets", "quoted", "retry_after_seconds"]

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


class QuotaHeaders:
    """Makes the header fields for one limiter's decisions.

    Args:
        limiter: has ``limit`` and ``window_seconds``, which may change.
        name: the policy's name, printable ASCII.
        sets: some of :data:`HEADER_SETS`.
    """

    __slots__ = (
        *("_limit", "_limit_field", "_limiter", "_name", "_part", "_policy"),
        *("_policy_field", "_window", "sets"),
    )

    def __init__(self, limiter: Any, name: str, sets: Iterable[str] | str) -> None:
        self.sets = header_sets(sets)
        first, last = 0 if "x-ratelimit" in self.sets else 3, 5 if "ietf" in self.sets else 3
        #: Which of the five fields are sent; ``None`` for all.
        self._part = None if (first, last) == (0, 5) else slice(first, last)
        self._limiter = limiter
        self._name = quoted(name)
        self._describe(limiter.limit, limiter.window_seconds)

    def _describe(self, limit: int, window: float) -> None:
        self._limit, self._window = limit, window
        self._limit_field = (b"x-ratelimit-limit", b"%d" % limit)
        self._policy = b";q=%d;w=%d" % (limit, max(1, ceil(window)))
        self._policy_field = (b"ratelimit-policy", self._name + self._policy)

    def fields(self, decision: Decision, name: bytes = b"") -> list[Field]:
        """A new list: the fields for ``decision``, as ASGI wants them.

        ``name`` is another one for the IETF's lists, :func:`quoted`.
        """
        limit, remaining, reset_at, quota = decision._header_values()
        if limit != self._limit or self._limiter.window_seconds != self._window:
            self._describe(limit, self._limiter.window_seconds)
        fields = [
            self._limit_field,
            (b"x-ratelimit-remaining", remaining),
            (b"x-ratelimit-reset", reset_at),
            (b"ratelimit-policy", name + self._policy) if name else self._policy_field,
            (b"ratelimit", (name or self._name) + quota),
        ]
        return fields if self._part is None else fields[self._part]


def quoted(name: str) -> bytes:
    """A string as RFC 9651 writes it."""
    if not isinstance(name, str) or not name or not (name.isascii() and name.isprintable()):
        raise ValueError(f"name must be printable ASCII text, got {name!r}")
    return b'"%b"' % name.replace("\\", "\\\\").replace('"', '\\"').encode("ascii")
