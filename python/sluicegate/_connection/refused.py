"""A refusal of one who would have to wait for those before it."""

from __future__ import annotations

from sluicegate._core import Decision

__all__ = ["refused"]


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
