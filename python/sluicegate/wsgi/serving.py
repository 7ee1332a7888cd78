"""What rules ask of an admitted request: that it is held for a while, and settled by its status."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

from sluicegate._support.awaiting import drive_at_once

if TYPE_CHECKING:
    from sluicegate._support.asgi_types import Environ, StartResponse, WSGIApp
    from sluicegate.wsgi.request import WSGIRequest

__all__ = ["FAILED", "hold", "serving", "settle_by", "settled"]

#: The status of an app that raises.
FAILED: Final = 500


def serving(app: WSGIApp, request: WSGIRequest) -> WSGIApp:
    """The app, which is called when the request's time has come, and settles it."""

    def serve(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        hold(request, environ)
        return (settled(app, request) if request.settles() else app)(environ, start_response)

    return serve


def hold(request: WSGIRequest, environ: Environ) -> None:
    """Sleep until the request's slot: under a clock for tests not at all."""
    seconds = request.delay()
    if seconds is None:
        return
    environ["sluicegate.delay"] = seconds
    assert request.enforcer is not None
    if seconds > 0 and request.enforcer.policy.clock is None:
        time.sleep(seconds)


def settled(app: WSGIApp, request: WSGIRequest) -> WSGIApp:
    """The app, whose answer settles the request. One that raises before that has failed.

    Of one that ends without an answer all stays spent.
    """
    request.awaits_status = True

    def serve(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        try:
            body = app(environ, start_response)
        except Exception:
            settle_by(request, FAILED)
            raise
        return _Late(body, request) if request.awaits_status else body

    return serve


def settle_by(request: WSGIRequest, status: int) -> None:
    """Settle it by the first status that it gets."""
    if request.awaits_status:
        request.awaits_status = False
        drive_at_once(request.settle(status))


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
            settle_by(self._request, FAILED)
            raise


def _nothing() -> None: ...
