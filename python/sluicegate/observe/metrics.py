"""Prometheus metrics (extra ``[metrics]``): few series, and next to no cost.

All are by tier; no label ever holds a client, an address or a raw path.

- ``rate_limit_requests_total{tier,endpoint,result}``: checks. ``result`` is ``allowed``,
  ``rejected``, ``too_large`` (the cost exceeds the limit), ``unavailable`` (the server did not
  decide, and ``on_error`` is ``"closed"``) or ``error`` (the same with ``"raise"``). A registry has at most 100 endpoints, and tiers;
  all others are ``other``.
- ``rate_limit_check_seconds{tier}``, ``rate_limit_used_ratio{tier}``: histograms of the time
  a check takes, and of the share of its quota that a client has used after it. In memory one
  check in 64 is measured (compare their buckets, not their ``_count``), in Redis every one.
- ``rate_limit_decisions_total{tier,store,result}``: who decided, as in ``Decision.store``.
- ``rate_limit_limit_decisions_total{tier,limit,result}``: what each limit of a gate, or of a tier of
  several windows, said by its own: ``allowed``, ``rejected``, or ``would_refuse`` of one that only
  watches. A registry has at most 100 limits.
- ``rate_limit_keys{tier}``, ``rate_limit_overflowed_total{tier}``,
  ``rate_limit_store_errors_total{tier,reason}``: from the limiters' ``statistics()``;
  where tiers share a limiter, under the first one's name.
- ``sluicegate_policy_reloads_total{result}`` (``ok``, ``failed``) and
  ``sluicegate_policy_last_reload_success_timestamp_seconds``: of policies that come from files.

Numbers are put together when Prometheus scrapes. They are those of one process: where several
serve the same port, let each serve its metrics on a port of its own, or export with
:class:`sluicegate.opentelemetry.OpenTelemetryHook`; prometheus_client's multi-process mode
does not see collectors like this one. A forked child starts with its parent's counts.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from itertools import count
from time import perf_counter
from typing import TYPE_CHECKING, Any, Generic, NoReturn, Protocol, TypeVar, final, overload

from prometheus_client import REGISTRY, CollectorRegistry

from sluicegate import _core
from sluicegate._core import Decision
from sluicegate._support import limits_off
from sluicegate._support.pending import to_be_awaited
from sluicegate._support.pickling import stays
from sluicegate.errors import StoreError
from sluicegate.gate.is_gate import is_gate
from sluicegate.observe import gates
from sluicegate.observe.collector import collector_of
from sluicegate.observe.counts import SAMPLE
from sluicegate.observe.hooks import Hook, Hooks
from sluicegate.observe.tier_metrics import TierMetrics
from sluicegate.redis.limiter import AsyncLimiter
from sluicegate.redis.sliding_window import RedisSlidingWindowRateLimiter

if TYPE_CHECKING:
    from sluicegate.redis.gate import Gate as RedisGate

__all__ = ["InstrumentedRateLimiter"]

A_co = TypeVar("A_co", covariant=True)


class _IsAllowed(Protocol[A_co]):
    def __call__(self, key: gates.Keys, endpoint: str = "") -> A_co: ...


@final
class InstrumentedRateLimiter(Generic[A_co]):
    """A limiter, or a gate, whose checks are counted.

    ``is_allowed(key, endpoint="")`` answers what the limiter's own ``is_allowed`` answers:
    around a limiter in memory at once, around one in Redis (also a bucket) as a coroutine. Of a gate
    it takes what ``check`` takes as ``keys``, and tells as a bool whether that admits them.
    ``endpoint`` names what is called: a route's template, never a raw path.

    Limiters of the same tier in the same registry are counted together, and may come and go.

    Args:
        limiter: a :class:`~sluicegate.Limiter`, a :class:`~sluicegate.Gate`, or one of
            :mod:`sluicegate.redis`.
        tier: the value of the label ``tier``.
        registry: where the metrics are registered; prometheus_client's own unless given.
        hooks: who is told of refusals; see :class:`~sluicegate.hooks.Hook`.

    Raises:
        TypeError: an argument of another kind; the message names it.
    """

    __slots__ = ("__weakref__", "is_allowed", "limiter", "tier")
    is_allowed: _IsAllowed[A_co]

    @overload
    def __init__(
        self: InstrumentedRateLimiter[bool],
        limiter: _core.Limiter | _core.Gate,
        tier: str,
        *,
        registry: CollectorRegistry = REGISTRY,
        hooks: Iterable[Hook] = (),
    ) -> None: ...
    @overload
    def __init__(
        self: InstrumentedRateLimiter[Coroutine[Any, Any, bool]],
        limiter: RedisSlidingWindowRateLimiter | RedisGate,
        tier: str,
        *,
        registry: CollectorRegistry = REGISTRY,
        hooks: Iterable[Hook] = (),
    ) -> None: ...
    @overload
    def __init__(
        self: InstrumentedRateLimiter[Coroutine[Any, Any, Decision]],
        limiter: AsyncLimiter,
        tier: str,
        *,
        registry: CollectorRegistry = REGISTRY,
        hooks: Iterable[Hook] = (),
    ) -> None: ...
    def __init__(
        self,
        limiter: Any,
        tier: str,
        *,
        registry: CollectorRegistry = REGISTRY,
        hooks: Iterable[Hook] = (),
    ) -> None:
        made = _maker(limiter)
        if made is None:
            raise TypeError(
                f"limiter must be a Limiter, an AsyncLimiter or a Gate, got {limiter!r}"
            )
        heard = Hooks(hooks)
        metrics = collector_of(registry).metrics(tier)
        metrics.counts.add(limiter)
        self.limiter = limiter
        self.tier = tier
        # The counting function itself, which a method would only make slower.
        self.is_allowed = made(limiter, tier, metrics, heard)

    def __reduce__(self) -> NoReturn:
        stays(self)

    def __repr__(self) -> str:
        return f"<InstrumentedRateLimiter tier={self.tier!r} of {self.limiter!r}>"


def _maker(limiter: Any) -> Callable[..., Any] | None:
    """What makes the function that counts the checks of this limiter or gate."""
    if isinstance(limiter, _core.Limiter):
        return _in_memory
    if isinstance(limiter, AsyncLimiter):
        return _in_redis
    if isinstance(limiter, _core.Gate):
        return gates.in_memory
    return gates.in_redis if is_gate(limiter) else None


class _Reasons(list[str]):
    """Why the next check needs more than a bool and a count."""

    __slots__ = ("__weakref__",)

    def limits_go_off(self) -> None:
        self.append("off")


def _in_memory(
    limiter: _core.Limiter, tier: str, metrics: TierMetrics, hooks: Hooks
) -> Callable[[str, str], bool]:
    """``is_allowed``, counted; one check in 64 is measured."""
    fast = limiter.is_allowed
    heard = ["heard"] if hooks else []
    reasons = _Reasons(heard)
    limits_off.call_when_off(reasons.limits_go_off)
    # By endpoint: how often it was refused, and how often admitted.
    known: dict[str, tuple[count[int], count[int]]] = {}

    def is_allowed(key: str, endpoint: str = "") -> bool:
        try:
            refused, admitted = known[endpoint]
        except (KeyError, TypeError):
            refused, admitted = counts_of(endpoint)
        if reasons:
            return look(key, endpoint, refused, admitted)
        allowed = fast(key)
        # No index: a bool's takes 20 ns more.
        if not next(admitted if allowed else refused) % SAMPLE:
            reasons.append("timed")
        return allowed

    def counts_of(endpoint: str) -> tuple[count[int], count[int]]:
        refused, admitted = metrics.results["rejected"], metrics.results["allowed"]
        counts = refused.cell(endpoint), admitted.cell(endpoint)
        if endpoint in admitted.cells:  # there is no end to those that are not told apart
            known[endpoint] = counts
        return counts

    def look(key: str, endpoint: str, refused: count[int], admitted: count[int]) -> bool:
        if limits_off.are_off():
            return fast(key)
        timed = "timed" in reasons
        reasons[:] = heard
        start = perf_counter()
        decision = limiter.check(key)
        if timed:
            metrics.seconds.observe(perf_counter() - start)
            metrics.measure(decision)
        if not next(admitted if decision else refused) % SAMPLE:
            reasons.append("timed")
        hooks.tell(tier, decision, 1, endpoint, key)
        return decision.allowed

    return is_allowed


def _in_redis(
    limiter: AsyncLimiter, tier: str, metrics: TierMetrics, hooks: Hooks
) -> Callable[[str, str], Coroutine[Any, Any, Any]]:
    """A coroutine function: every check is timed."""
    answers_bool = isinstance(limiter, RedisSlidingWindowRateLimiter)

    @to_be_awaited
    async def is_allowed(key: str, endpoint: str = "") -> Decision | bool:
        if not isinstance(endpoint, str):
            kind = type(endpoint).__name__
            raise TypeError(f"endpoint must be a str, got {kind} {endpoint!r}")
        if limits_off.are_off():
            untouched = await limiter.check(key)
            return bool(untouched) if answers_bool else untouched
        start = perf_counter()
        try:
            decision = await limiter.check(key)
        except StoreError:
            metrics.results["error"].add(endpoint)
            raise
        finally:
            metrics.seconds.observe(perf_counter() - start)
        metrics.count(decision, endpoint)
        metrics.measure(decision)
        hooks.tell(tier, decision, 1, endpoint, key)
        return bool(decision) if answers_bool else decision

    return is_allowed
