"""How an endpoint's limit refuses: as the middleware does, if there is one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fastapi import HTTPException, WebSocketException
from fastapi.exception_handlers import http_exception_handler
from starlette.responses import JSONResponse

from sluicegate.asgi import websocket
from sluicegate.asgi.responder import refuse
from sluicegate.policy.fields import refusal_fields
from sluicegate.refusals import json_refusal

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection

    from sluicegate._support.asgi_types import ASGIApp, Receive, Scope, Send
    from sluicegate.headers import Field
    from sluicegate.policy.request import Request
    from sluicegate.refusals import Refusal

__all__ = ["header_text", "refused"]


class _Refused(HTTPException):
    """A refusal behind a middleware, whose ``refusal`` answers it."""

    def __init__(self, request: Request, refusal: Refusal, headers: dict[str, str]) -> None:
        super().__init__(refusal.status, _detail(refusal), headers)
        self.request = request
        self.refusal = refusal


def refused(request: Request, scope: Scope, refusal: Refusal) -> Exception:
    """The exception to raise: an ``HTTPException``, which the app's own handlers see."""
    scope["sluicegate.refusal"] = refusal
    if scope["type"] == "websocket" and not websocket.answers_in_http(scope):
        return WebSocketException(websocket.close_code(refusal), refusal.message)
    status, enforcer = refusal.status, request.enforcer
    fields = refusal_fields(refusal, status, ())
    if not request.is_answered:
        headers = header_text(fields + request.fields(status, ()))
    else:
        cors = None if enforcer is None else enforcer.cors
        headers = header_text(request.readable([], fields, cors))
    if enforcer is None:
        return HTTPException(status, _detail(refusal), headers)
    _let_the_middleware_answer(scope)
    return _Refused(request, refusal, headers)


def header_text(fields: list[Field]) -> dict[str, str]:
    """Header fields as a mapping: there is one of each name."""
    return {name.decode(): value.decode() for name, value in fields}


def _detail(refusal: Refusal) -> dict[str, Any]:
    detail: dict[str, Any] = {"error": refusal.message}
    if refusal.retry_after is not None:
        detail["retry_after"] = refusal.retry_after
    return detail


def _let_the_middleware_answer(scope: Scope) -> None:
    """Register our handler in the app that has none of its own for an ``HTTPException``."""
    handlers: Mapping[Any, Any]
    handlers, _ = scope.get("starlette.exception_handlers", ({}, {}))
    known = next((handlers[kind] for kind in HTTPException.__mro__ if kind in handlers), None)
    if known is http_exception_handler:
        handlers.setdefault(_Refused, _answer)  # type: ignore[attr-defined]


async def _answer(_: HTTPConnection, error: _Refused) -> ASGIApp:
    """What the middleware's ``refusal`` answers."""
    assert error.request.enforcer is not None
    if error.request.enforcer.policy.refusal is json_refusal:
        # As the middleware's, and under `detail` once more, where FastAPI has it.
        body = {**_detail(error.refusal), "detail": error.detail}
        return JSONResponse(body, error.status_code, error.headers)

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await refuse(error.request, error.refusal, scope, receive, send)

    return answer
