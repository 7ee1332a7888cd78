"""How a refused request is answered: by a WSGI app, or by an ASGI app that never waits."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

from sluicegate._support.awaiting import at_once
from sluicegate._support.functions import is_async
from sluicegate.wsgi.scope import scope_of

if TYPE_CHECKING:
    from sluicegate._support.asgi_types import Environ, Message, StartResponse, WSGIApp
    from sluicegate.refusals import Refusal
    from sluicegate.wsgi.request import WSGIRequest

__all__ = ["Collected", "collected", "refusal_app"]


def refusal_app(request: WSGIRequest, refusal: Refusal, environ: Environ) -> WSGIApp:
    """What answers the request: its policy's ``refusal``, by a ``start_response`` of its limit."""
    environ["sluicegate.refusal"] = refusal
    request.name(refusal)
    enforcer = request.enforcer
    cors = None if enforcer is None else enforcer.cors
    request.outermost().refused = refusal, cors
    app = request.answer_to(refusal)
    return _of_asgi(app) if _is_asgi(app) else app


class Collected(NamedTuple):
    """The whole of an answer."""

    status: str
    headers: list[tuple[str, str]]
    body: bytes


def collected(app: WSGIApp, environ: Environ) -> Collected:
    """What the app answers, for frameworks that have objects for it."""
    begun: list[tuple[str, list[tuple[str, str]]]] = []
    written: list[bytes] = []

    def start_response(status: str, headers: list[tuple[str, str]], _: Any = None) -> Any:
        begun.append((status, headers))
        return written.append

    body = app(environ, start_response)
    try:
        written.extend(body)
    finally:
        close = getattr(body, "close", None)
        if close is not None:
            close()
    return Collected(*begun[-1], b"".join(written))


def _is_asgi(app: Any) -> bool:
    """Whether it is written for ASGI, as those are that middlewares of both sorts share."""
    if is_async(app):
        return True
    try:
        inspect.signature(app).bind(None, None, None)
    except (TypeError, ValueError):
        return False
    return True


def _of_asgi(app: Any) -> WSGIApp:
    def answer(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        scope = {
            **scope_of(environ),
            "asgi": {"version": "3.0"},
            "sluicegate.refusal": environ["sluicegate.refusal"],
        }
        sent: list[Message] = []
        at_once(app(scope, _receive, _sender(sent)))
        status = sent[0]["status"]
        headers = [(name.decode(), value.decode("latin-1")) for name, value in sent[0]["headers"]]
        start_response(f"{status} {_phrase(status)}", headers)
        if environ.get("REQUEST_METHOD") == "HEAD":
            return []
        return [b"".join(message.get("body", b"") for message in sent[1:])]

    return answer


async def _receive() -> Message:
    """The body is nobody's: what has been read of it is the app's."""
    return {"type": "http.request", "body": b"", "more_body": False}


def _sender(sent: list[Message]) -> Callable[[Message], Any]:
    async def send(message: Message) -> None:
        sent.append(message)

    return send


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Refused"
