"""Calls of Flask's views."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import flask
from werkzeug.exceptions import HTTPException, default_exceptions

from sluicegate.wsgi.refusing import collected
from sluicegate.wsgi.serving import settle_by

if TYPE_CHECKING:
    from sluicegate._support.asgi_types import Environ, WSGIApp
    from sluicegate.wsgi.request import WSGIRequest

__all__ = ["FlaskCall"]


class FlaskCall:
    """A call in the context of a request, which says what it is for."""

    def __init__(
        self, view: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        self._view, self._args, self._kwargs = view, args, kwargs
        self.environ: Environ = flask.request.environ

    def template(self) -> str:
        """The rule, which has the blueprint's prefix, its host if that is matched, and its endpoint.

        Never where the app is mounted, which may be a client's word.
        """
        rule = flask.request.url_rule
        if rule is None:
            return ""  # nothing matched, or it is not routed yet
        host = rule.host or rule.subdomain or ""
        return f"{host}{rule.rule} {rule.endpoint}"

    def user(self) -> None:
        """Flask itself knows no users."""

    def view(self, first: WSGIRequest | None, settling: WSGIRequest | None = None) -> Any:
        """Call it. If it raises, the answer gets the fields all the same."""
        _add_fields(first)
        if settling is not None:

            @flask.after_this_request
            def settle(response: flask.Response) -> flask.Response:
                settle_by(settling, response.status_code)
                return response

        return self._view(*self._args, **self._kwargs)

    def refuse(self, refusal: WSGIApp, first: WSGIRequest | None) -> Any:
        """Raise it, past what is around the view: a cache would keep what is returned."""
        _add_fields(first)
        status, headers, body = collected(refusal, self.environ)
        code = int(status[:3])
        error = default_exceptions.get(code, HTTPException)(
            response=flask.Response(body, status, headers)
        )
        error.code = code
        raise error


def _add_fields(request: WSGIRequest | None) -> None:
    """Have them added to the answer that there will be."""
    if request is None:
        return

    @flask.after_this_request
    def add(response: flask.Response) -> flask.Response:
        request.has_begun = True
        headers = request.whole_headers(response.status_code, list(response.headers))
        response.headers.clear()
        for name, value in headers:
            response.headers.add(name, value)
        return response
