"""A limit of one endpoint as FastAPI calls it."""

from __future__ import annotations

from time import time
from typing import TYPE_CHECKING, Any

from fastapi import Response
from starlette.requests import HTTPConnection

from sluicegate._support.awaiting import drive
from sluicegate.asgi.responder import request_in
from sluicegate.errors import StoreError
from sluicegate.fastapi.answering import request_of
from sluicegate.fastapi.mounts import warn_of_mounts
from sluicegate.fastapi.refusing import header_text, refused
from sluicegate.fastapi.routes import route_key
from sluicegate.fastapi.views import view
from sluicegate.policy.request import REQUEST
from sluicegate.policy.routes.limit import RouteLimit
from sluicegate.policy.steps import Steps

if TYPE_CHECKING:
    from sluicegate.policy.verdict import Verdict

__all__ = ["LimitedRoute", "limit_of"]


class LimitedRoute(RouteLimit):
    """One ``rate_limit``; ``limited`` is the dependency."""

    _has_looked_for_mounts = False

    async def limited(self, connection: HTTPConnection, response: Response) -> dict[str, Any]:
        """Charge a call of the endpoint, and say what is left."""
        scope = connection.scope
        if not self._has_looked_for_mounts:
            self._has_looked_for_mounts = True
            warn_of_mounts(scope, _is_limit)
        request = request_in(scope)
        if request is None:
            request = scope[REQUEST] = request_of(connection, self.tier)
        verdict = await drive(self.decide(request, scope, view, route_key))
        if self.refuses(verdict, request.enforcer):
            assert verdict.refusal is not None
            raise refused(request, scope, verdict.refusal)
        if not request.is_answered:
            for name, value in header_text(request.fields(200, ())).items():
                response.headers[name] = value
        decision = verdict.decision
        return await drive(_left(verdict)) if decision is None else decision.info


def limit_of(dependency: Any) -> RouteLimit | None:
    """The limit whose dependency this is."""
    owner = getattr(dependency, "__self__", None)
    return owner if isinstance(owner, RouteLimit) else None


def _is_limit(dependency: Any) -> bool:
    return limit_of(dependency) is not None


def _left(verdict: Verdict) -> Steps[dict[str, Any]]:
    """What is told of a call that is not charged, which no server may refuse."""
    tier = verdict.tier
    try:
        left = yield tier.peek, (verdict.charged_to(verdict.key), tier.one)
    except StoreError:
        return {"remaining": tier.terms.limit, "reset_at": time()}
    return {"remaining": left.remaining, "reset_at": left.reset_at}
