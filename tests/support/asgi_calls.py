"""Calls an ASGI app in this process, as a server would."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from typing import Any

Headers = Iterable[tuple[str, str]]


class Answer:
    """What an app sent."""

    def __init__(self, sent: list[dict[str, Any]], scope: dict[str, Any]) -> None:
        self.sent = sent
        self.scope = scope
        self.status: int = sent[0].get("status", 0)
        self.headers = {
            name.decode().lower(): value.decode() for name, value in sent[0].get("headers", ())
        }
        self.body = b"".join(message.get("body", b"") for message in sent)

    def json(self) -> Any:
        return json.loads(self.body)


def scope_of(
    path: str = "/",
    *,
    peer: str | None = "192.0.2.1",
    headers: Headers = (),
    kind: str = "http",
    **more: Any,
) -> dict[str, Any]:
    return {
        "type": kind,
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers],
        "client": None if peer is None else (peer, 40_000),
        "server": ("127.0.0.1", 80),
        **more,
    }


async def call(
    app: Any, path: str = "/", messages: Iterable[dict[str, Any]] = (), **options: Any
) -> Answer:
    scope = scope_of(path, **options)
    incoming = list(messages) or [{"type": "http.request", "body": b"", "more_body": False}]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if incoming:
            return incoming.pop(0)
        return {
            "type": "http.disconnect" if scope["type"] == "http" else "websocket.disconnect",
            "code": 1000,
        }

    async def send(message: Any) -> None:
        sent.append(dict(message))

    await app(scope, receive, send)
    return Answer(sent, scope)


def get(app: Any, path: str = "/", **options: Any) -> Answer:
    return asyncio.run(call(app, path, **options))


async def hello(scope: Any, receive: Any, send: Any) -> None:
    """The app behind the middleware."""
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"content-type", b"text/plain")],
        }
    )
    await send({"type": "http.response.body", "body": b"hello"})
