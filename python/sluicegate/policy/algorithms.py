"""Limiters by the name of their algorithm, in memory, in a zone or in Redis."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from sluicegate._core import Quota, TokenBucketConfig
from sluicegate._support.functions import is_async
from sluicegate.gate.algorithms import default_algorithm
from sluicegate.limiters import (
    FixedWindow,
    Limiter,
    SegmentedWindow,
    SlidingWindowCounter,
    SlidingWindowRateLimiter,
    TokenBucket,
)
from sluicegate.policy.stores import zone

if TYPE_CHECKING:
    from sluicegate._core import ManualClock

__all__ = [
    "NAMES",
    "Algorithm",
    "common_window",
    "default_algorithm",
    "is_ours",
    "limiter_for",
    "limiter_in_redis",
    "limiter_in_zone",
    "name_of",
    "terms_of",
    "window_of",
]

#: A name, a limiter class, or a callable that makes a limiter from a limit and a window.
Algorithm = str | Callable[[int, float], Any]


def _bucket_config(quota: Quota) -> TokenBucketConfig:
    assert quota.limit is not None
    assert quota.window_seconds is not None
    return TokenBucketConfig(quota.burst or quota.limit, quota.limit / quota.window_seconds)


def _is_bucket(make: Any) -> bool:
    """Whether it is a bucket's class, perhaps with options: it takes a capacity and a rate."""
    while isinstance(make, partial):
        make = make.func
    in_redis = getattr(make, "_ALGORITHM", "") == "token_bucket"
    return isinstance(make, type) and (in_redis or issubclass(make, TokenBucket))


_BY_NAME: dict[str, Callable[..., Any]] = {
    "sliding_window": SlidingWindowRateLimiter,
    "segmented_window": SegmentedWindow,
    "sliding_counter": SlidingWindowCounter,
    "fixed_window": FixedWindow,
    "token_bucket": TokenBucket,
}

#: Those of ours.
NAMES: Final = tuple(_BY_NAME)


def _named(algorithm: Algorithm) -> Callable[..., Any]:
    if isinstance(algorithm, str):
        if algorithm not in _BY_NAME:
            names = ", ".join(map(repr, _BY_NAME))
            raise ValueError(f"algorithm must be one of {names} or a class, got {algorithm!r}")
        return _BY_NAME[algorithm]
    if not callable(algorithm):
        raise TypeError(f"algorithm must be a name or a class, got {algorithm!r}")
    if is_async(algorithm):
        raise TypeError(f"algorithm must be a plain function, got {algorithm!r}")
    return algorithm


def _arguments(algorithm: Algorithm, make: Any, quota: Quota) -> tuple[Any, ...]:
    """By what ``make`` is told the quota: ours by itself, which has a unit too."""
    is_bucket = _is_bucket(make)
    if quota.burst is not None and not is_bucket:
        raise _misfit(algorithm, quota, "only a token bucket has a burst")
    if quota.zone is not None and make is not FixedWindow:
        raise _misfit(algorithm, quota, "only a fixed window follows a calendar")
    if make in _BY_NAME.values():
        return (quota,)
    return (_bucket_config(quota),) if is_bucket else (quota.limit, quota.window_seconds)


def _misfit(algorithm: Algorithm, quota: Quota, why: str) -> ValueError:
    return ValueError(
        f"quota '{quota}': {why}, and algorithm= names {algorithm!r}: leave algorithm= out, which "
        "chooses by the quota"
    )


def limiter_for(algorithm: Algorithm, quota: Quota, **options: Any) -> Any:
    """A limiter of ``quota`` in this process."""
    for mark, where in (("_ALGORITHM", "redis"), ("_IN_ZONE", "shared")):
        if isinstance(algorithm, type) and mark in vars(algorithm):  # not a subclass of them
            without = "redis" if where == "redis" else "a zone as store="
            raise TypeError(
                f"algorithm must not be of sluicegate.{where} without {without}, got {algorithm!r}"
            )
    make = _named(algorithm)
    if options and not (isinstance(make, type) and issubclass(make, Limiter)):
        raise TypeError(
            f"{next(iter(options))}= is for the algorithms of sluicegate: one of your own "
            f"brings it itself, got {algorithm!r}"
        )
    return make(*_arguments(algorithm, make, quota), **options)


def limiter_in_redis(
    redis: object,
    algorithm: Algorithm,
    quota: Quota,
    prefix: Callable[[str], str],
    **options: Any,
) -> Any:
    """The same in Redis. ``algorithm`` may be the class for either.

    ``prefix`` gives that of the keys, by the algorithm's name there.
    """
    in_memory = _kind_of(algorithm)
    if in_memory is None:
        raise TypeError(
            f"algorithm must be a name or a class of sluicegate.redis, got {algorithm!r}"
        )
    make, arguments = _in_redis()[in_memory], _arguments(algorithm, in_memory, quota)
    return make(redis, *arguments, prefix=prefix(make._ALGORITHM), **options)  # noqa: SLF001


def limiter_in_zone(
    where: object,
    algorithm: Algorithm,
    quota: Quota,
    name: str,
    beside: Iterable[Quota] = (),
    clock: ManualClock | None = None,
) -> Any:
    """The same in a zone. ``algorithm`` may be the class in memory or there.

    It has room for the quotas ``beside`` this one that have its window.
    """
    in_memory = _kind_of(algorithm)
    if in_memory is None:
        raise TypeError(
            f"algorithm must be a name or a class of sluicegate.shared, got {algorithm!r}"
        )
    (checked,) = _arguments(algorithm, in_memory, quota)
    window = common_window(algorithm, quota)
    alike = (each for each in beside if common_window(algorithm, each) == window)
    largest = max((each.limit or 0 for each in alike), default=0)
    make = zone.classes()[_name_of_kind(in_memory)]
    return zone.made(make, where, checked, name, largest, clock)


def _in_redis() -> dict[Any, Any]:
    """The classes there of those in memory."""
    from sluicegate.redis import limiters as in_redis
    from sluicegate.redis.bucket import TokenBucket as RedisTokenBucket

    return {
        FixedWindow: in_redis.FixedWindow,
        SegmentedWindow: in_redis.SegmentedWindow,
        SlidingWindowCounter: in_redis.SlidingWindowCounter,
        SlidingWindowRateLimiter: in_redis.SlidingWindowRateLimiter,
        TokenBucket: RedisTokenBucket,
    }


def _kind_of(algorithm: Algorithm) -> Any:
    """Which class of ours in memory it is, or is in Redis; ``None`` for one of the user's own."""
    given: Any = _named(algorithm)
    if given in _BY_NAME.values():
        return given
    if isinstance(given, type) and "_IN_ZONE" in vars(given):
        return _BY_NAME[given._IN_ZONE]  # type: ignore[attr-defined]  # noqa: SLF001
    if not (isinstance(given, type) and "_ALGORITHM" in vars(given)):
        return None
    return next((here for here, there in _in_redis().items() if given is there), None)


def name_of(algorithm: Algorithm) -> str | None:
    """The name of an algorithm of ours, which may be given as a class; ``None`` for another one."""
    kind = _kind_of(algorithm)
    return None if kind is None else _name_of_kind(kind)


def is_ours(algorithm: Algorithm | None) -> bool:
    """Whether it is an algorithm of ours, as those that are chosen by the quota are."""
    return algorithm is None or name_of(algorithm) is not None


def _name_of_kind(kind: Any) -> str:
    return next(name for name, known in _BY_NAME.items() if known is kind)


def common_window(algorithm: Algorithm, quota: Quota) -> tuple[object, ...] | None:
    """What the quotas share that one limiter counts: its kind, the window and the unit.

    A bucket has no window. ``None`` for an algorithm of the user's own, which may know but one.
    """
    kind = _kind_of(algorithm)
    if kind is None:
        return None
    return kind, None if kind is TokenBucket else window_of(quota), quota.unit


def window_of(quota: Quota) -> str:
    """The window's seconds to the microsecond, as limiters read them; or ``day_in_UTC``."""
    if quota.zone is not None:
        return str(quota).partition("/")[2].replace(" ", "_")
    return f"{quota.window_seconds:.6f}".rstrip("0").rstrip(".")


def terms_of(algorithm: Algorithm, quota: Quota) -> tuple[int, float]:
    """The ``limit`` and the ``window_seconds`` that a limiter of ours has of the quota."""
    kind = _kind_of(algorithm)
    made = kind(*_arguments(algorithm, kind, quota))
    return made.limit, made.window_seconds
