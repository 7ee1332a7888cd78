"""One call of a limited function: of a WSGI app, or of a view of Flask or Django."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from sluicegate.wsgi.answer import Answer
from sluicegate.wsgi.serving import settled

if TYPE_CHECKING:
    from sluicegate._support.asgi_types import Environ, WSGIApp
    from sluicegate.wsgi.request import WSGIRequest

__all__ = ["Call", "call_of"]


class Call(Protocol):
    """How a framework calls its views, and is answered.

    ``first`` is the request if this is the first limit that it meets, whose answer gets the fields.
    What is ``settling`` awaits the answer's status.
    """

    environ: Environ

    def template(self) -> str:
        """The route's template: the same for every id in a path."""
        ...

    def user(self) -> Any:
        """Who has logged in to the framework, if that is known."""
        ...

    def view(self, first: WSGIRequest | None, settling: WSGIRequest | None = None) -> Any:
        """Call the function."""
        ...

    def refuse(self, refusal: WSGIApp, first: WSGIRequest | None) -> Any:
        """Answer instead of it, as ``refusal`` does."""
        ...


def call_of(view: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
    """The call of ``view`` with these arguments, by whoever calls it so."""
    if len(args) > 1 and _is_environ(args[-2]) and callable(args[-1]):
        return _OfApp(view, args)
    for each in (*args[:2], kwargs.get("request")):  # of a method, the second
        if _is_environ(getattr(each, "META", None)):
            from sluicegate.wsgi.django_calls import DjangoCall

            return DjangoCall(view, each, args, kwargs)
    flask: Any = sys.modules.get("flask")
    if flask is not None and flask.has_request_context():
        from sluicegate.wsgi.flask_calls import FlaskCall

        return FlaskCall(view, args, kwargs)
    raise TypeError(
        f"rate_limit finds no request in the call of {view!r}: limit a view of Flask, a view of Django, "
        "which gets the request, or a WSGI app, which gets the environ and start_response"
    )


def _is_environ(given: object) -> bool:
    return isinstance(given, dict) and "REQUEST_METHOD" in given


class _OfApp:
    """A call of a WSGI app, or of a method that is one."""

    def __init__(self, app: Callable[..., Any], args: tuple[Any, ...]) -> None:
        *self._before, self.environ, self._start_response = args
        self._app = app

    def template(self) -> str:
        return ""  # nobody routes it

    def user(self) -> None:
        return None

    def view(self, first: WSGIRequest | None, settling: WSGIRequest | None = None) -> Any:
        app: WSGIApp = partial(self._app, *self._before)
        start_response = self._start(first)
        if settling is not None:
            app = settled(app, settling)
            start_response = Answer(settling, start_response).start
        return app(self.environ, start_response)

    def refuse(self, refusal: WSGIApp, first: WSGIRequest | None) -> Any:
        return refusal(self.environ, self._start(first))

    def _start(self, first: WSGIRequest | None) -> Any:
        start_response = self._start_response
        return start_response if first is None else Answer(first, start_response).start
