"""Calls a WSGI app in this process, as a server would, and holds both to the standard."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from typing import Any
from wsgiref.validate import validator

Headers = Iterable[tuple[str, str]]


class Answer:
    """What an app sent."""

    def __init__(self, status: str, headers: list[tuple[str, str]], body: bytes, environ: Any):
        self.status = int(status[:3])
        self.sent = headers
        self.headers = {name.lower(): value for name, value in headers}
        self.body = body
        self.environ: dict[str, Any] = environ

    def json(self) -> Any:
        return json.loads(self.body)


def environ_of(
    path: str = "/",
    *,
    method: str = "GET",
    peer: str | None = "192.0.2.1",
    headers: Headers = (),
    **more: Any,
) -> dict[str, Any]:
    """As CGI has it: fields of one name are joined."""
    path, _, query = path.partition("?")
    environ = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    if peer is not None:
        environ.update(REMOTE_ADDR=peer, REMOTE_PORT="40000")
    for name, value in headers:
        key = "HTTP_" + name.upper().replace("-", "_")
        environ[key] = f"{environ[key]}, {value}" if key in environ else value
    return environ | more


def call(app: Any, environ: dict[str, Any]) -> Answer:
    """Ask, read all, and close."""
    begun: list[tuple[str, list[tuple[str, str]]]] = []
    written: list[bytes] = []

    def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
        if begun and exc_info is None:
            raise AssertionError("start_response was called twice")
        begun.append((status, list(headers)))
        return written.append

    body = app(environ, start_response)
    try:
        written.extend(body)
    finally:
        close = getattr(body, "close", None)
        if close is not None:
            close()
    return Answer(*begun[-1], b"".join(written), environ)


def get(app: Any, path: str = "/", **options: Any) -> Answer:
    """The same where both must keep to the letter of PEP 3333."""
    return call(validator(app), environ_of(path, **options))


def statuses(app: Any, times: int, path: str = "/", **options: Any) -> list[int]:
    return [get(app, path, **options).status for _ in range(times)]


def hello(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """The app behind the middleware."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]
