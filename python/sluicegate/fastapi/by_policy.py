"""A policy at one endpoint, as FastAPI calls it."""

from __future__ import annotations

from time import time
from typing import TYPE_CHECKING, Any

from fastapi import Response
from starlette.requests import HTTPConnection

from sluicegate._support.awaiting import drive
from sluicegate.asgi.responder import request_in
from sluicegate.asgi.serving import Settling, hold
from sluicegate.fastapi.answering import cell_of_send, request_of
from sluicegate.fastapi.refusing import header_text, refused
from sluicegate.fastapi.views import view
from sluicegate.policy.gates.tier import MOST_UNITS
from sluicegate.policy.request import REQUEST, Request
from sluicegate.policy.routes.by_policy import PolicyLimit

if TYPE_CHECKING:
    from sluicegate.policy.verdict import Verdict

__all__ = ["PolicyEndpoint"]


class PolicyEndpoint(PolicyLimit):
    """One ``rate_limit(policy=...)``; ``limited`` is the dependency."""

    async def limited(self, connection: HTTPConnection, response: Response) -> dict[str, Any]:
        """Charge a call of the endpoint, and say what is left."""
        scope, enforcer = connection.scope, self.enforcer
        request = request_in(scope)
        if request is None:
            request = scope[REQUEST] = request_of(connection, enforcer.default)
        met = self.already(request)
        if met is not None:
            return _left(met)
        mine = Request(enforcer, request.headers)
        mine.is_answered = request.is_answered
        if await drive(self.decide(mine, request, scope, view)):
            assert mine.refusal is not None
            raise refused(mine, scope, mine.refusal)
        if mine.lingers:
            await _linger(connection, mine)
        if not request.is_answered:
            for name, value in header_text(request.fields(200, ())).items():
                response.headers[name] = value
        return _left(mine)


async def _linger(connection: HTTPConnection, mine: Request) -> None:
    """Hold the request, and have it settled by what the endpoint answers.

    One that raises what nobody handles within the app is not seen here: all stays spent.
    """
    if mine.settles():
        cell = cell_of_send(connection)
        if cell is not None:
            cell.cell_contents = Settling(mine, cell.cell_contents)
    await hold(mine, connection.scope)


def _left(verdict: Verdict) -> dict[str, Any]:
    decision = verdict.decision
    if decision is None:
        return {"remaining": MOST_UNITS, "reset_at": time()}
    return decision.info
