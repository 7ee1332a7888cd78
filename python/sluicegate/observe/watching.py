"""What metrics and hooks are told of the middleware's decisions."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterable
from time import perf_counter
from typing import TYPE_CHECKING, Any

from sluicegate._core import Counts, Limiter
from sluicegate._support.awaiting import maybe_await
from sluicegate._support.functions import is_async
from sluicegate.errors import StoreError
from sluicegate.observe.hooks import Hooks
from sluicegate.observe.labels import OTHER

if TYPE_CHECKING:
    from sluicegate._core import Decision
    from sluicegate._support.asgi_types import Scope
    from sluicegate.observe.tier_metrics import TierMetrics
    from sluicegate.policy.tiers import Tier, Tiers
    from sluicegate.refusals import Refusal

__all__ = ["Watch", "watch"]

_log = logging.getLogger("sluicegate")


def watch(
    tiers: Tiers,
    messages: Tier | None,
    metrics: object,
    hooks: Iterable[Any],
    endpoint: Callable[[Any], str] | None,
    view: Callable[[Scope], Any],
) -> Watch | None:
    """The watch that the options ask for, or ``None``: then a request costs nothing more."""
    if endpoint is not None and (not callable(endpoint) or is_async(endpoint)):
        raise TypeError(f"endpoint must be a plain function, got {endpoint!r}")
    heard = Hooks(hooks)
    if metrics is False and not heard:
        return None
    watched = [*tiers] if messages is None else [*tiers, messages]
    tallies = {} if metrics is False else _tallies(watched, metrics)
    for tier in watched:
        if tier in tallies:
            tier.check = _timed(tier, tallies[tier])
    made = Watch(tallies, heard, endpoint, view)
    if messages is not None:
        messages.check = made.seeing(messages)
    return made


def _tallies(tiers: list[Tier], metrics: object) -> dict[Tier, TierMetrics]:
    try:
        from prometheus_client import REGISTRY, CollectorRegistry

        from sluicegate.observe.collector import collector_of
        from sluicegate.redis.limiter import AsyncLimiter
    except ImportError as error:
        raise ImportError(
            "metrics= needs prometheus_client: install sluicegate[metrics]"
        ) from error
    if metrics is not True and not isinstance(metrics, CollectorRegistry):
        raise TypeError(f"metrics must be True, False or a CollectorRegistry, got {metrics!r}")
    collector = collector_of(REGISTRY if metrics is True else metrics)
    tallies: dict[Tier, TierMetrics] = {}
    for tier in tiers:
        tallies[tier] = collector.metrics(tier.name)
        if isinstance(tier.limiter, (Limiter, AsyncLimiter)):
            tallies[tier].counts.add(tier.limiter)
    return tallies


def _timed(tier: Tier, tally: TierMetrics) -> Callable[..., Any]:
    """The tier's ``check``, one in 64 timed in memory, every one in Redis."""
    check = tier.check
    turns = Counts(str)

    async def timed(key: str, cost: int = 1) -> Decision:
        start = perf_counter()
        try:
            decision: Decision = await check(key, cost)
        except StoreError:
            tally.results["error"].add("")
            raise
        finally:
            tally.seconds.observe(perf_counter() - start)
        tally.measure(decision)
        return decision

    def sometimes_timed(key: str, cost: int = 1) -> Any:
        if not turns.add(""):
            return check(key, cost)
        start = perf_counter()
        decision = check(key, cost)
        if not inspect.isawaitable(decision):
            tally.seconds.observe(perf_counter() - start)
            tally.measure(decision)
        return decision

    return timed if is_async(check) else sometimes_timed


def _checked(endpoint: object) -> str:
    if inspect.iscoroutine(endpoint):
        endpoint.close()  # or Python warns that it was never awaited
    if not isinstance(endpoint, str):
        raise TypeError(f"endpoint must return a str, got {type(endpoint).__name__}")
    return endpoint


class Watch:
    """Counts decisions and tells the hooks of them."""

    __slots__ = ("_endpoint", "_failed", "_hooks", "_tallies", "_view", "sees_admissions")

    def __init__(
        self,
        tallies: dict[Tier, TierMetrics],
        hooks: Hooks,
        endpoint: Callable[[Any], str] | None,
        view: Callable[[Scope], Any],
    ) -> None:
        self._tallies = tallies
        self._hooks = hooks or None
        self._endpoint = endpoint
        self._failed = False
        self._view = view
        self.sees_admissions = bool(tallies or hooks.admitted)

    def saw(
        self,
        scope: Scope,
        tier: Tier,
        key: str,
        cost: int,
        decision: Decision | None,
        refusal: Refusal | None,
    ) -> None:
        """Take note of what came of a request; of one that was not charged, nothing."""
        if decision is None and refusal is None:
            return
        endpoint = self._name(scope)
        if decision is not None and (refusal is None or refusal.retry_after is not None):
            self._decided(tier, key, cost, decision, endpoint)
        elif refusal is not None:
            if tier in self._tallies:
                self._tallies[tier].count_refusal(refusal, endpoint)
            if self._hooks is not None:
                self._hooks.tell_undecided(tier.name, refusal, endpoint, key)

    def _name(self, scope: Scope) -> str:
        """What the request is for; ``other`` if the program cannot say."""
        if self._endpoint is None:
            return ""
        try:
            return _checked(self._endpoint(self._view(scope)))
        except Exception:
            if not self._failed:
                self._failed = True
                _log.exception("endpoint= failed, so that its label is %r; logged once.", OTHER)
            return OTHER

    def seeing(self, tier: Tier) -> Callable[..., Any]:
        """The tier's ``check``, of which each decision is noted."""
        check = tier.check

        async def seen(key: str, cost: int = 1) -> Decision:
            decision: Decision = await maybe_await(check(key, cost))
            self._decided(tier, key, cost, decision, "")
            return decision

        return seen

    def _decided(self, tier: Tier, key: str, cost: int, decision: Decision, endpoint: str) -> None:
        tally = self._tallies.get(tier)
        if tally is not None:
            tally.count(decision, endpoint)
        if self._hooks is not None:
            self._hooks.tell(tier.name, decision, cost, endpoint, key)
