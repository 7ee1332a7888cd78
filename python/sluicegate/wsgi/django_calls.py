"""Calls of Django's views."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.conf.urls.i18n import is_language_prefix_patterns_used
from django.http import HttpResponse
from django.urls import get_urlconf
from django.utils.translation import get_language

from sluicegate.wsgi.refusing import collected
from sluicegate.wsgi.serving import FAILED, settle_by

if TYPE_CHECKING:
    from sluicegate._support.asgi_types import Environ, WSGIApp
    from sluicegate.wsgi.request import WSGIRequest

__all__ = ["DjangoCall"]


class DjangoCall:
    """A call that gets the request: of Django, or of its REST framework."""

    def __init__(
        self,
        view: Callable[..., Any],
        request: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> None:
        self._view, self._args, self._kwargs = view, args, kwargs
        self._request = request
        self.environ: Environ = request.META

    def template(self) -> str:
        """The route, with those of ``include``, in whatever language its page is asked for."""
        match = getattr(self._request, "resolver_match", None)
        route: str = getattr(match, "route", None) or ""
        return route.removeprefix(_language_prefix(self._request))

    def user(self) -> Any:
        """As an authentication layer of Django has found out."""
        return getattr(self._request, "user", None)

    def view(self, first: WSGIRequest | None, settling: WSGIRequest | None = None) -> Any:
        """Call it. What it returns gets the fields; if it raises, nothing does."""
        try:
            response = self._view(*self._args, **self._kwargs)
        except Exception:
            if settling is not None:
                settle_by(settling, FAILED)
            raise
        if settling is not None:
            settle_by(settling, response.status_code)
        return _with_fields(response, first)

    def refuse(self, refusal: WSGIApp, first: WSGIRequest | None) -> Any:
        """Return it, as Django has no exception that is an answer."""
        status, headers, body = collected(refusal, self.environ)
        response = HttpResponse(body, status=int(status[:3]), reason=status[4:])
        for name, value in headers:
            response.headers[name] = value
        return _with_fields(response, first)


def _with_fields(response: Any, request: WSGIRequest | None) -> Any:
    headers = getattr(response, "headers", None)
    if request is not None and headers is not None:
        request.has_begun = True
        for name, value in request.whole_headers(response.status_code, [*headers.items()]):
            headers[name] = value
    return response


def _language_prefix(request: Any) -> str:
    """What i18n_patterns has put before the route, which would give each language a quota."""
    urlconf = getattr(request, "urlconf", None) or get_urlconf() or _root_urlconf()
    is_used, _ = is_language_prefix_patterns_used(urlconf)
    return f"{get_language()}/" if is_used else ""


def _root_urlconf() -> Any:
    from django.conf import settings

    return settings.ROOT_URLCONF
