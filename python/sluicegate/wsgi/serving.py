"""What rules ask of an admitted request: that it is held for a while, and settled by its status."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

from sluicegate._support.awaiting import drive_at_once

if TYPE_CHECKING:
    from sluicegate._support.asgi_types import Environ, StartResponse, WSGIApp
    from sluicegate.wsgi.request import WSGIRequest

__all__ = ["serving"]

_FAILED: Final = 500


def serving(app: WSGIApp, request: WSGIRequest) -> WSGIApp:
    """The app, which is called when the request's time has come; one that raises has failed.

    Its ``start_response`` settles the request: of one that ends without, all stays spent.
    """

    def serve(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        _hold(request, environ)
        request.awaits_status = request.settles()
        if not request.awaits_status:
            return app(environ, start_response)
        try:
            body = app(environ, start_response)
        except Exception:
            _fail(request)
            raise
        return body if request.has_begun else _Late(body, request)

    return serve


def _hold(request: WSGIRequest, environ: Environ) -> None:
    """Sleep until the request's slot: under a clock for tests not at all."""
    seconds = request.delay()
    if seconds is None:
        return
    environ["sluicegate.delay"] = seconds
    assert request.enforcer is not None
    if seconds > 0 and request.enforcer.policy.clock is None:
        time.sleep(seconds)


def _fail(request: WSGIRequest) -> None:
    if not request.has_begun:
        request.has_begun = True
        drive_at_once(request.settle(_FAILED))


class _Late:
    """A body that begins its answer when it is asked for, and may fail before."""

    __slots__ = ("_body", "_request", "close")

    def __init__(self, body: Any, request: WSGIRequest) -> None:
        self._body = body
        self._request = request
        self.close = getattr(body, "close", None) or _nothing

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._body
        except Exception:
            _fail(self._request)
            raise


def _nothing() -> None: ...
