"""A refusal of one who would have to wait for those before it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sluicegate._core import Decision, GateDecision

__all__ = ["refused", "refused_by_several"]


def refused(decision: Decision, at_least: float) -> Decision:
    """The same as a refusal for ``at_least`` so many seconds: others were first."""
    wait = max(at_least, 0.000001)
    if not decision and decision.retry_after >= wait:
        return decision
    return Decision(
        False,
        decision.limit,
        decision.remaining,
        wait,
        decision.reset_after,
        decision.reset_at,
        decision.store,
    )


def refused_by_several(
    decision: GateDecision, waits: Mapping[str, float], concerned: Collection[str]
) -> GateDecision:
    """The same as a refusal by the limits that have such a wait. Of others than those that are ``concerned``
    it only tells."""
    limits = dict(decision.limits)
    for name in waits.keys() & limits.keys():
        limits[name] = refused(limits[name], waits[name])
    return GateDecision(limits, [name for name in limits if name not in concerned])
