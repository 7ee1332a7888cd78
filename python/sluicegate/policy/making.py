"""Limiters as they are given, or made of the quotas that are."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import Any, cast

from sluicegate._core import Quota
from sluicegate.gate.is_gate import is_gate
from sluicegate.headers import quoted
from sluicegate.policy.algorithms import Algorithm, terms_of
from sluicegate.policy.gates.making import own_gate, tier_of_gate
from sluicegate.policy.options import SharedOptions
from sluicegate.policy.owned import Owned
from sluicegate.policy.quotas import UNLIMITED, is_quota, quotas_of
from sluicegate.policy.stores.options import LimiterOptions
from sluicegate.policy.tiers.tier import Share, Tier
from sluicegate.types import AnyLimiter

__all__ = [
    "algorithm_of",
    "check_limiter",
    "check_name",
    "declared",
    "make_limiter",
    "new_limiter",
    "share_of",
    "tier_of",
]


def check_limiter(argument: str, limiter: Any) -> None:
    """Raise a ``TypeError`` that names ``argument`` unless it has the verbs of a limiter."""
    if is_gate(limiter):
        return
    verbs = all(callable(getattr(limiter, verb, None)) for verb in ("check", "peek"))
    is_one = verbs and hasattr(limiter, "limit") and hasattr(limiter, "window_seconds")
    if not is_one or isinstance(limiter, type):
        raise TypeError(f"{argument} must have the verbs of a Limiter, got {limiter!r}")


def check_name(place: str, name: str) -> None:
    """Raise a ``ValueError`` that names the ``place`` unless header fields can hold the ``name``."""
    with _named(place):
        quoted(name)


def declared(place: str, given: Any) -> Quota | tuple[Quota, ...] | AnyLimiter:
    """The quota that is given at ``place``, or several, or the limiter; an error names the place."""
    if not is_quota(given):
        if not hasattr(given, "check"):
            raise TypeError(
                f"{place} must be (limit, window_seconds) or a limiter, or a quota such as "
                f"'100/minute', got {given!r}"
            )
        check_limiter(place, given)
        return cast("AnyLimiter", given)
    quotas = quotas_of(place, given)
    for quota in quotas:
        if quota.concurrent is not None:
            raise ValueError(
                f"{place}: quota '{quota}': permits are given by concurrency='{quota}' of the "
                "middleware: here write a rate, such as '100/minute'"
            )
        if quota.limit is None and len(quotas) > 1:
            raise ValueError(f"{place}: 'unlimited' stands alone: leave the other quotas out")
    if len(quotas) > 1:
        return quotas
    only = next(iter(quotas))
    return UNLIMITED if only.limit is None else only


def algorithm_of(
    place: str, quota: Quota, options: LimiterOptions, beside: Iterable[Quota] = ()
) -> Algorithm:
    """What the options name, or else what the quota and those ``beside`` it ask for."""
    if options.algorithm is not None:
        return options.algorithm
    with _named(place):
        return options.default_algorithm(quota, beside)


def new_limiter(
    place: str,
    algorithm: Algorithm,
    quota: Quota,
    options: LimiterOptions,
    *names: str,
    beside: Iterable[Quota] = (),
) -> AnyLimiter:
    """A limiter of ``quota``, and of those ``beside`` it; an error names the ``place``.

    It is known by the ``names`` where processes share it.
    """
    with _named(place):
        limiter: AnyLimiter = options.make_limiter(algorithm, quota, *names, beside=beside)
    check_limiter(f"{place}: what algorithm makes", limiter)
    return limiter


def share_of(place: str, algorithm: Algorithm, quota: Quota) -> Share:
    """The share of a limiter of ours that has another quota of the same window."""
    with _named(place):
        limit, window_seconds = terms_of(algorithm, quota)
    return Share(quota, limit, window_seconds)


@contextmanager
def _named(place: str) -> Generator[None]:
    try:
        yield
    except (TypeError, ValueError) as error:
        # The exact log's class calls it otherwise than a tier or a route does.
        raise type(error)(f"{place}: {str(error).replace('max_requests', 'limit')}") from error


def make_limiter(
    place: str,
    given: Any,
    options: LimiterOptions,
    kind: str,
    name: str,
    owned: Owned | None = None,
) -> AnyLimiter:
    """The limiter that is ``given``, or one of that quota: ``owned``'s, or new."""
    quota = declared(place, given)
    limiter: AnyLimiter
    algorithm: Algorithm | None
    if isinstance(quota, tuple):
        limiter, algorithm = own_gate(place, quota, options, kind, name), options.algorithm
    elif isinstance(quota, Quota):
        algorithm = algorithm_of(place, quota, options)
        limiter = new_limiter(place, algorithm, quota, options, kind, name)
    else:
        return quota
    if owned is not None:
        described = kind, name, quota, algorithm, options.description()
        limiter = owned.first(described, limiter)
    return limiter


def tier_of(
    place: str,
    name: str,
    limiter: AnyLimiter,
    options: SharedOptions,
    *,
    is_own: bool,
    sets: Iterable[str] | str,
    closed_status: int,
    shadow: bool = False,
    may_hold: bool = False,
    blocks: bool = False,
) -> Tier:
    """The tier of a limiter or a gate.

    ``is_own``: whether it was made for it, and has its name. ``may_hold``: whether somebody gives
    permits back. ``blocks``: whether it is asked by threads.
    """
    if not is_gate(limiter):
        return Tier(name, limiter, sets, closed_status, shadow=shadow, blocks=blocks)
    check_name(place, name)
    return tier_of_gate(
        place,
        name,
        limiter,
        options,
        is_own=is_own,
        sets=sets,
        closed_status=closed_status,
        shadow=shadow,
        may_hold=may_hold,
        blocks=blocks,
    )
