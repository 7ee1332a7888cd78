"""One request's answer: the quota's fields on it, or the whole of a refusal."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from sluicegate._core import Answer, PlainRequests
from sluicegate.asgi import websocket
from sluicegate.policy.request import REQUEST, Request

if TYPE_CHECKING:
    from sluicegate._core import Decision
    from sluicegate._support.asgi_types import Receive, Scope, Send
    from sluicegate.headers import Field
    from sluicegate.policy.enforcer import Enforcer
    from sluicegate.policy.held.permits import RequestPermit
    from sluicegate.policy.held.reservation import Held
    from sluicegate.refusals import Refusal

__all__ = ["admit_plainly", "refuse", "release", "request_in"]


def admit_plainly(enforcer: Enforcer) -> Callable[[Scope, Send], Any] | None:
    """How requests are checked where no option asks for more; ``None`` where one does."""
    if not enforcer.is_plain:
        return None
    tier, address = enforcer.default, enforcer.address

    def request(key: str, decision: Decision, headers: Iterable[Field]) -> Request:
        request = Request(enforcer, headers)
        request.judge(tier, key, 1, decision)
        return request

    quota = tier.headers if tier.tells else None
    admit = PlainRequests(tier.check, address, address.known, quota, request).admit
    paths = enforcer.exempt_paths
    if paths is None:
        return admit

    def unless_exempt(scope: Scope, send: Send) -> Any:
        # A server's start has no path.
        return None if "path" not in scope or paths.match(scope) else admit(scope, send)

    return unless_exempt


def request_in(scope: Scope) -> Request | None:
    """The request at the nearest limit outwards, if it has met one."""
    found: Answer | Request | None = scope.get(REQUEST)
    return found.asked() if isinstance(found, Answer) else found


async def release(*held: RequestPermit | Held | None) -> None:
    """Give back what a request has held, whatever becomes of the one or the other."""
    first, *others = held
    try:
        released = None if first is None else first.release()
        if released is not None:
            await released
    finally:
        if others:
            await release(*others)


async def refuse(
    request: Request, refusal: Refusal, scope: Scope, receive: Receive, send: Send
) -> None:
    """Let the policy's ``refusal`` answer the request."""
    assert request.enforcer is not None
    scope["sluicegate.refusal"] = refusal
    request.name(refusal)
    request.outermost().refused = refusal, request.enforcer.cors
    answer = request.answer_to(refusal)
    if scope["type"] == "websocket":
        await websocket.refuse(answer, scope, receive, websocket.as_websocket(send))
    else:
        await answer(scope, receive, send)
