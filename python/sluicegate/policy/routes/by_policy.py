"""An endpoint that a policy of its own limits, where no middleware does."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sluicegate._core import Quota
from sluicegate.gate.is_gate import is_gate
from sluicegate.policy.request import Request
from sluicegate.policy.steps import Steps

if TYPE_CHECKING:
    from sluicegate._support.asgi_types import Scope
    from sluicegate.policy.enforcer import Enforcer
    from sluicegate.policy.policy import Policy
    from sluicegate.policy.verdict import Verdict

__all__ = ["PolicyLimit"]

_log = logging.getLogger("sluicegate")
_ADVICE = "only the middleware knows when they come back: give it RateLimitMiddleware"


class PolicyLimit:
    """One ``rate_limit(policy=...)``, without I/O: steps that a framework's shell makes.

    A ``blocking`` one asks limiters by verbs that block their thread.

    Raises ``TypeError`` for a policy that only a middleware can enforce.
    """

    def __init__(self, policy: Policy, *, blocking: bool = False) -> None:
        self._policy = policy
        self._blocks = blocking
        self._has_told_of_permits = False
        if policy.messages is not None:
            raise TypeError("messages= means nothing at an endpoint: give it RateLimitMiddleware")
        if policy.concurrency is not None:
            raise TypeError(f"concurrency= gives permits, and {_ADVICE}")
        for place, rule in enumerate(policy.rules):
            _refuse_permits(f"rules[{place}]", rule.quotas)
        for tier in policy.enforcer.tiers:
            if is_gate(tier.limiter):
                gate: Any = tier.limiter
                _refuse_permits(f"the tier {tier.name!r}", [part.quota for part in gate.parts])

    @property
    def enforcer(self) -> Enforcer:
        """What decides now."""
        policy = self._policy
        if policy.on_first_request is not None:
            policy.on_first_request()
        return policy.enforcer.for_threads() if self._blocks else policy.enforcer

    def already(self, request: Request) -> Verdict | None:
        """The verdict of the same policy that a request has met before, as in a middleware."""
        met: Request | None = request
        while met is not None:
            if self._is_of(met):
                return met
            met = met.outer
        others = request.outermost().later or ()
        return next((each for each in others if self._is_of(each)), None)

    def _is_of(self, verdict: Verdict) -> bool:
        enforcer = getattr(verdict, "enforcer", None)
        return enforcer is not None and enforcer.owned is self.enforcer.owned

    def decide(
        self, mine: Request, request: Request, scope: Scope, view: Callable[[Scope], Any]
    ) -> Steps[bool]:
        """Charge a call of the endpoint: whether it is to be refused.

        ``request`` is the one that has met limits before, ``mine`` what comes of it here.
        """
        enforcer = mine.enforcer
        assert enforcer is not None
        mine.outer = request
        limited = yield from enforcer.decide(mine, scope, view, None)
        if not limited:
            return False
        scope["sluicegate.decision"] = mine.deciding()
        if enforcer.observer is not None:
            enforcer.observer.saw(scope, view, mine)
        request.add(mine)
        yield from self._let_go(mine)
        if mine.refusal is None or enforcer.policy.shadow:
            return False
        yield from mine.give_back()
        return True

    def _let_go(self, mine: Request) -> Steps[None]:
        """Hold no permits, which a policy may have got since it was loaded again."""
        for verdict in mine.in_stores():
            if verdict.held is not None:
                if not self._has_told_of_permits:
                    self._has_told_of_permits = True
                    _log.error("rate_limit(policy=...) holds no permits: %s.", _ADVICE)
                yield verdict.held.release, ()


def _refuse_permits(place: str, quotas: Any) -> None:
    quota: Quota
    for quota in quotas:
        if quota.concurrent is not None:
            raise TypeError(f"{place} has permits ('{quota}'), and {_ADVICE}")
