"""A policy at one view, as its framework calls it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sluicegate._support.awaiting import drive_at_once
from sluicegate.policy.enforcer import Enforcer
from sluicegate.policy.policy import Policy
from sluicegate.policy.request import REQUEST
from sluicegate.policy.routes.by_policy import PolicyLimit
from sluicegate.wsgi.calls import call_of
from sluicegate.wsgi.limited import add_user, take_over
from sluicegate.wsgi.refusing import refusal_app
from sluicegate.wsgi.request import WSGIRequest, request_in
from sluicegate.wsgi.scope import environ_of, scope_of
from sluicegate.wsgi.serving import hold

__all__ = ["PolicyView"]


class PolicyView(PolicyLimit):
    """One ``rate_limit(policy=...)``."""

    def __init__(self, policy: Policy) -> None:
        super().__init__(policy, blocking=True)
        policy.require(Enforcer.for_threads)  # what can only be awaited is an error now

    def call(self, view: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call the view, or refuse."""
        call, enforcer = call_of(view, args, kwargs), self.enforcer
        environ = call.environ
        request, first = request_in(environ), None
        if request is None:
            request = first = environ[REQUEST] = WSGIRequest(None, environ)
            request.leave(enforcer.default, "", 0)
        if self.already(request) is not None:
            return call.view(first)
        mine = WSGIRequest(enforcer, environ)
        scope = scope_of(environ)
        add_user(scope, call)
        is_refused = drive_at_once(self.decide(mine, request, scope, environ_of))
        take_over(environ, scope)
        if is_refused:
            assert mine.refusal is not None
            return call.refuse(refusal_app(mine, mine.refusal, environ), first)
        if not mine.lingers:
            return call.view(first)
        hold(mine, environ)
        mine.awaits_status = mine.settles()
        return call.view(first, mine if mine.awaits_status else None)
