"""The checks of a gate, counted: what ``is_allowed`` of an instrumented one is."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from time import perf_counter
from typing import TYPE_CHECKING, Any

from sluicegate._support import limits_off
from sluicegate._support.pending import to_be_awaited
from sluicegate.errors import StoreError
from sluicegate.observe.counts import Counts

if TYPE_CHECKING:
    from sluicegate._core import GateDecision
    from sluicegate.gate import Gate
    from sluicegate.observe.hooks import Hooks
    from sluicegate.observe.tier_metrics import TierMetrics

__all__ = ["in_memory", "in_redis"]

Keys = str | Mapping[str, str | None]


def in_memory(
    gate: Gate, tier: str, metrics: TierMetrics, hooks: Hooks
) -> Callable[[Keys, str], bool]:
    """``is_allowed``, counted; one check in 64 is measured."""
    turns = Counts(str)

    def is_allowed(keys: Keys, endpoint: str = "") -> bool:
        _check(endpoint)
        if limits_off.are_off():
            return gate.check(keys).allowed
        timed = turns.add("")
        start = perf_counter() if timed else 0.0
        decision = gate.check(keys)
        if timed:
            metrics.seconds.observe(perf_counter() - start)
            metrics.measure(decision)
        return _told(decision, keys, endpoint, tier, metrics, hooks)

    return is_allowed


def in_redis(
    gate: Any, tier: str, metrics: TierMetrics, hooks: Hooks
) -> Callable[[Keys, str], Coroutine[Any, Any, bool]]:
    """A coroutine function: every check is timed."""

    @to_be_awaited
    async def is_allowed(keys: Keys, endpoint: str = "") -> bool:
        _check(endpoint)
        if limits_off.are_off():
            return bool(await gate.check(keys))
        start = perf_counter()
        try:
            decision = await gate.check(keys)
        except StoreError:
            metrics.results["error"].add(endpoint)
            raise
        finally:
            metrics.seconds.observe(perf_counter() - start)
        metrics.measure(decision)
        return _told(decision, keys, endpoint, tier, metrics, hooks)

    return is_allowed


def _told(
    decision: GateDecision,
    keys: Keys,
    endpoint: str,
    tier: str,
    metrics: TierMetrics,
    hooks: Hooks,
) -> bool:
    metrics.count(decision, endpoint)
    if hooks:
        hooks.tell(tier, decision, 1, endpoint, _caller(keys))
    return decision.allowed


def _check(endpoint: object) -> None:
    if not isinstance(endpoint, str):
        raise TypeError(f"endpoint must be a str, got {type(endpoint).__name__} {endpoint!r}")


def _caller(keys: Keys) -> str:
    """Who is told to hooks as the caller."""
    if isinstance(keys, str):
        return keys
    own = (keys.get(name) for name in ("client", "key", "user", *keys))
    return next((key for key in own if key is not None), "")
