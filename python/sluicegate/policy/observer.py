"""What metrics and hooks are told of a policy's verdicts."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager
from time import perf_counter
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from sluicegate._core import Limiter
from sluicegate._support.awaiting import maybe_await
from sluicegate._support.functions import is_async
from sluicegate.errors import StoreError
from sluicegate.observe.counts import Counts
from sluicegate.observe.hooks import Hooks
from sluicegate.observe.labels import OTHER
from sluicegate.policy.tiers.tier import is_elsewhere

if TYPE_CHECKING:
    from sluicegate._core import Decision
    from sluicegate._support.asgi_types import Scope
    from sluicegate.observe.collector import TierCollector
    from sluicegate.observe.tier_metrics import TierMetrics
    from sluicegate.policy.options import PolicyOptions
    from sluicegate.policy.tiers.named import Tiers
    from sluicegate.policy.tiers.plans import Plans
    from sluicegate.policy.tiers.tier import Tier
    from sluicegate.policy.verdict import Verdict

__all__ = ["Observer", "observer_of"]

_log = logging.getLogger("sluicegate")


def observer_of(
    tiers: Tiers | Plans, messages: Tier | None, policy: PolicyOptions
) -> Observer | None:
    """The observer that the options ask for, or ``None``: then a request costs nothing more."""
    endpoint = policy.endpoint
    if endpoint is not None and (not callable(endpoint) or is_async(endpoint)):
        raise TypeError(f"endpoint must be a plain function, got {endpoint!r}")
    hooks = Hooks(policy.hooks)
    if policy.metrics is False and not hooks:
        return None
    collector = None if policy.metrics is False else _collector(policy.metrics)
    observer = Observer(collector, hooks, endpoint)
    tiers.watch(observer.watch)
    if messages is not None:
        observer.watch(messages)
        messages.check = observer.seeing(messages)
    return observer


def _collector(metrics: object) -> TierCollector:
    try:
        from prometheus_client import REGISTRY, CollectorRegistry

        from sluicegate.observe.collector import collector_of
    except ImportError as error:
        raise ImportError(
            "metrics= needs prometheus_client: install sluicegate[metrics]"
        ) from error
    if metrics is not True and not isinstance(metrics, CollectorRegistry):
        raise TypeError(f"metrics must be True, False or a CollectorRegistry, got {metrics!r}")
    return collector_of(REGISTRY if metrics is True else metrics)


def _timed(tier: Tier, tally: TierMetrics) -> Callable[..., Any]:
    """The tier's ``check``, one in 64 timed in memory, every one in Redis."""
    check = tier.check
    turns = Counts(str)

    async def timed(key: str, cost: int = 1) -> Decision:
        with _measured(tally):
            decision: Decision = await check(key, cost)
        tally.measure(decision)
        return decision

    def timed_by_thread(key: str, cost: int = 1) -> Decision:
        with _measured(tally):
            decision: Decision = check(key, cost)
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

    if is_async(check):
        return timed
    return timed_by_thread if tier.blocks and is_elsewhere(tier.limiter) else sometimes_timed


@contextmanager
def _measured(tally: TierMetrics) -> Generator[None]:
    start = perf_counter()
    try:
        yield
    except StoreError:
        tally.results["error"].add("")
        raise
    finally:
        tally.seconds.observe(perf_counter() - start)


def _counts_itself(tier: Tier) -> bool:
    if tier.is_gate or isinstance(tier.limiter, Limiter):
        return True
    from sluicegate.redis.limiter import AsyncLimiter

    return isinstance(tier.limiter, AsyncLimiter)


def _checked(endpoint: object) -> str:
    if inspect.iscoroutine(endpoint):
        endpoint.close()  # or Python warns that it was never awaited
    if not isinstance(endpoint, str):
        raise TypeError(f"endpoint must return a str, got {type(endpoint).__name__}")
    return endpoint


class Observer:
    """Counts the verdicts of a policy's limits, and tells the hooks of them."""

    __slots__ = ("_collector", "_endpoint", "_failed", "_hooks", "_sees_admissions", "_watched")

    def __init__(
        self,
        collector: TierCollector | None,
        hooks: Hooks,
        endpoint: Callable[[Any], str] | None,
    ) -> None:
        self._collector = collector
        self._hooks = hooks or None
        self._endpoint = endpoint
        self._failed = False
        self._watched: WeakSet[Any] = WeakSet()
        self._sees_admissions = bool(collector is not None or hooks.admitted)

    def watch(self, tier: Tier) -> None:
        """Count what this tier decides from now on, and time it."""
        if self._collector is None:
            return
        tally = tier.tally = self._collector.metrics(tier.name)
        limiter: Any = tier.limiter
        if _counts_itself(tier) and limiter not in self._watched:
            self._watched.add(limiter)  # what it counts by itself is told of one tier
            tally.counts.add(limiter)
        tier.check = _timed(tier, tally)

    def loaded(self, result: str | None, loaded_at: float | None) -> None:
        """Take note of when the policy's file was read, and of what came of reading it again."""
        if self._collector is not None:
            self._collector.reloads.note(result, loaded_at)

    def saw(self, scope: Scope, view: Callable[[Scope], Any], verdict: Verdict) -> None:
        """Take note of what came of a request."""
        tier, decision, refusal = verdict.tier, verdict.decision, verdict.refusal
        if tier.watches or verdict.earlier:
            self._tell_of_watching(scope, view, verdict)
        if refusal is None and (decision is None or not self._sees_admissions):
            return
        endpoint = self._name(scope, view)
        if decision is not None and (refusal is None or refusal.retry_after is not None):
            units = tier.units_of(getattr(decision, "name", None), verdict.cost)
            self._decided(tier, verdict.key, units, decision, endpoint)
        elif refusal is not None:
            if tier.tally is not None:
                tier.tally.count_refusal(refusal, endpoint)
            if self._hooks is not None:
                self._hooks.tell_undecided(tier.name, refusal, endpoint, verdict.key)

    def _tell_of_watching(
        self, scope: Scope, view: Callable[[Scope], Any], verdict: Verdict
    ) -> None:
        """Tell of the limits that only watch. Metrics have them of the gates."""
        if self._hooks is None or not self._hooks.watched:
            return
        for each in verdict.in_stores():
            if each.decision is None:
                continue
            tier = each.tier
            for name, decision in tier.would_refuse(each.decision):
                cost, endpoint = tier.units_of(name, each.cost), self._name(scope, view)
                self._hooks.tell_watched(tier.name, name, decision, cost, endpoint, each.key)

    def _name(self, scope: Scope, view: Callable[[Scope], Any]) -> str:
        """What the request is for; ``other`` if the program cannot say."""
        if self._endpoint is None:
            return ""
        try:
            return _checked(self._endpoint(view(scope)))
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
        if tier.tally is not None:
            tier.tally.count(decision, endpoint)
        if self._hooks is not None:
            self._hooks.tell(tier.name, decision, cost, endpoint, key)
