"""A limit of one view, as its framework calls it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from sluicegate._support.awaiting import drive_at_once
from sluicegate.policy.request import REQUEST
from sluicegate.policy.routes.keys import key_of_route
from sluicegate.policy.routes.limit import RouteLimit
from sluicegate.policy.routes.options import RouteOptions
from sluicegate.wsgi.calls import Call, call_of
from sluicegate.wsgi.refusing import refusal_app
from sluicegate.wsgi.request import WSGIRequest, request_in
from sluicegate.wsgi.scope import environ_of, scope_of

if TYPE_CHECKING:
    from sluicegate._support.asgi_types import Environ, Scope

__all__ = ["LimitedView", "add_user", "take_over"]

# A view that takes any method must not have a quota for each that a client invents.
_METHODS: Final = frozenset(
    ("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE")
)


class LimitedView(RouteLimit):
    """One ``rate_limit``."""

    def __init__(self, options: RouteOptions) -> None:
        super().__init__(options, blocking=True)

    def call(self, view: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call the view, or refuse."""
        call = call_of(view, args, kwargs)
        environ = call.environ
        request = request_in(environ)
        first = None
        if request is None:
            request = first = environ[REQUEST] = WSGIRequest(None, environ)
            request.leave(self.tier, "", 0)
        scope = scope_of(environ)
        if request.enforcer is not None:
            add_user(scope, call)
        template = f"{call.template()} {_name_of(view)}"
        verdict = drive_at_once(
            self.decide(request, scope, environ_of, partial(_route_key, template))
        )
        take_over(environ, scope)
        if self.refuses(verdict, request.enforcer):
            assert verdict.refusal is not None
            return call.refuse(refusal_app(request, verdict.refusal, environ), first)
        return call.view(first)


def add_user(scope: dict[str, Any], call: Call) -> None:
    """Whom the framework knows is whom the request is from, unless somebody says otherwise."""
    user = call.user()
    if user is not None:
        scope["user"] = user


def take_over(environ: Environ, scope: Mapping[str, Any]) -> None:
    """What was decided stands in the environ."""
    for name in ("sluicegate.decision", "sluicegate.principal"):
        if name in scope:
            environ[name] = scope[name]


def _route_key(template: str, scope: Scope, name: str, client: str) -> str:
    method = scope["method"] if scope["method"] in _METHODS else "*"
    return key_of_route(environ_of(scope), method, template, name, client)


def _name_of(view: Any) -> str:
    """The view's function, which tells apart what one template cannot."""
    name = getattr(view, "__qualname__", type(view).__qualname__)
    return f"{getattr(view, '__module__', '')}.{name}"
