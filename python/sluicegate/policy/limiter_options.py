"""How limits that are given as numbers are counted: what middleware and ``rate_limit`` share."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Literal

from sluicegate._support.arguments import checked_prefix
from sluicegate.policy.algorithms import Algorithm, limiter_for, limiter_in_redis

if TYPE_CHECKING:
    from sluicegate._connection.on_error import OnError
    from sluicegate._core import ManualClock

__all__ = ["LimiterOptions", "Overflow"]

Overflow = Literal["share", "admit"]

_PREFIX = "sluicegate"
_IN_REDIS = ("prefix", "timeout", "on_error", "workers", "remember")
_IN_MEMORY = ("max_keys", "overflow", "clock")
_LONGEST_PREFIX = 31  # so that a digest fits behind it
_LONGEST = 64
_LEASE_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True)
class LimiterOptions:
    """The algorithm, the place, and what limiters of that place may be told.

    ``None`` is a limiter's own default. Their values are checked by the limiters.

    Raises:
        ValueError, TypeError: a prefix out of its range, or an option of the other place.
    """

    algorithm: Algorithm
    redis: object = None
    prefix: str | None = None
    timeout: float | None = None
    on_error: OnError | None = None
    workers: int | None = None
    remember: bool | None = None
    max_keys: int | None = None
    overflow: Overflow | None = None
    clock: ManualClock | None = None

    def __post_init__(self) -> None:
        others = _IN_REDIS if self.redis is None else _IN_MEMORY
        for name in others:
            if getattr(self, name) is None:
                continue
            if self.redis is None:
                raise TypeError(f"{name}= is for limits in Redis: give redis= too, or leave it out")
            raise TypeError(f"{name}= is for limits in memory: it means nothing with redis=")
        if self.prefix is not None:
            _check_prefix(self.prefix)

    def refuse_unused(self, because: str) -> None:
        """Raise ``TypeError`` if anything is given, since no limiter is made by it."""
        for name in ("redis", *_IN_REDIS, *_IN_MEMORY):
            if getattr(self, name) is not None:
                raise TypeError(f"{name}= means nothing here: {because}")

    def limiter(self, limit: int, window_seconds: float, kind: str, name: str) -> Any:
        """A limiter of ``limit`` per ``window_seconds``.

        In Redis its keys begin with the prefix, ``kind``, ``name``, the algorithm and the
        window, but not the limit, which may change without forgetting what was spent.
        """
        if self.redis is None:
            return limiter_for(self.algorithm, limit, window_seconds, **self._given(_IN_MEMORY))
        given = self._given(_IN_REDIS[1:])

        def prefix(algorithm: str, window: float) -> str:
            return _joined(self._prefix, kind, name, algorithm, _seconds(window))

        return limiter_in_redis(self.redis, self.algorithm, limit, window_seconds, prefix, **given)

    def permits(self, limit: int) -> Any:
        """A limiter of ``limit`` permits."""
        if self.redis is None:
            from sluicegate.concurrency.memory import ConcurrencyLimiter

            return ConcurrencyLimiter(limit)
        from sluicegate.concurrency import redis as in_redis

        given = self._given(("timeout", "on_error", "workers"))
        timeout = given.get("timeout")
        if isinstance(timeout, (int, float)) and timeout >= _LEASE_SECONDS:
            given["lease_seconds"] = 2 * timeout  # which has to be longer
        prefix = f"{self._prefix}:concurrency"
        return in_redis.ConcurrencyLimiter(self.redis, limit, prefix=prefix, **given)

    @property
    def _prefix(self) -> str:
        return _PREFIX if self.prefix is None else self.prefix

    def _given(self, names: tuple[str, ...]) -> dict[str, Any]:
        values = {name: getattr(self, name) for name in names}
        return {name: value for name, value in values.items() if value is not None}


def _check_prefix(prefix: object) -> None:
    checked_prefix(prefix)
    assert isinstance(prefix, str)
    if not 1 <= len(prefix.encode()) <= _LONGEST_PREFIX:
        raise ValueError(
            f"prefix must be 1 to {_LONGEST_PREFIX} bytes, one for each application, such as "
            f"'shop', got {prefix!r}"
        )


def _seconds(window: float) -> str:
    """To the microsecond, as limiters read it: 60 and 60.0 are one window."""
    return f"{window:.6f}".rstrip("0").rstrip(".")


def _joined(prefix: str, kind: str, name: str, algorithm: str, window: str) -> str:
    """A prefix of a limiter's keys. Different parts never give the same one.

    Only the first part may have colons; a name that has some, or is too long, is digested.
    """
    joined = f"{prefix}:{kind}:{name}:{algorithm}:{window}"
    plain = joined.isascii() and not set(name) & set("{}:")
    if plain and len(joined) <= _LONGEST:
        return joined
    parts = repr((kind, name, algorithm, window)).encode("utf-8", "surrogatepass")
    return f"{prefix}:{blake2b(parts, digest_size=16).hexdigest()}"
