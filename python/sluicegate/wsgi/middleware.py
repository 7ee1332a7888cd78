"""The middleware, for any WSGI app: no framework is needed or imported."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

from sluicegate._support.awaiting import drive_at_once
from sluicegate._support.functions import is_async
from sluicegate._support.signatures import takes_wsgi_app_and
from sluicegate.policy.policy import PolicyOfOptions, policy_of
from sluicegate.policy.request import REQUEST
from sluicegate.wsgi.answer import Answer, ended
from sluicegate.wsgi.options import refuse_options
from sluicegate.wsgi.refusing import refusal_app
from sluicegate.wsgi.request import WSGIRequest, request_in
from sluicegate.wsgi.scope import environ_of, scope_of
from sluicegate.wsgi.serving import serving

if TYPE_CHECKING:
    from sluicegate._support.asgi_types import Environ, StartResponse, WSGIApp
    from sluicegate.policy.enforcer import Enforcer
    from sluicegate.policy.held.permits import RequestPermit
    from sluicegate.policy.held.reservation import Held
    from sluicegate.policy.policy import Policy

__all__ = ["RateLimitMiddleware"]


class RateLimitMiddleware:
    """Limits the requests to a WSGI app, by client: Flask's, Django's or any other.

    ``RateLimitMiddleware(app, tiers={"free": "100/minute", "premium": "1000/minute"})``,
    ``RateLimitMiddleware(app, limiter=any_limiter)`` or
    ``RateLimitMiddleware(app, policy=policy)``; in Flask
    ``app.wsgi_app = RateLimitMiddleware(app.wsgi_app, ...)``. Refused requests get a 429 with
    ``Retry-After``; one whose cost exceeds the limit gets a 413. The decision is in
    ``environ["sluicegate.decision"]``, whose the API key is in ``environ["sluicegate.principal"]``.

    Limits in Redis block the request's thread for a round trip, at most for ``timeout``. Permits, of
    ``concurrency`` or of a gate, are held until the server has closed the answer.

    Args:
        app: the WSGI app.
        policy: a :class:`~sluicegate.policy.Policy`, instead of all other options. One that ASGI
            middlewares have as well counts both together.

    The other options are those of :class:`~sluicegate.policy.Policy`, which says what they mean; here
    their functions get the environ, and must be plain ones. ``refusal`` is a WSGI app that finds
    ``environ["sluicegate.refusal"]``, or one for ASGI that never waits. There are no ``messages``.

    Raises:
        ValueError, TypeError: an argument out of its range; the message names it.
    """

    @takes_wsgi_app_and(PolicyOfOptions)
    def __init__(
        self, app: WSGIApp, *tiers: Any, policy: Policy | None = None, **options: Any
    ) -> None:
        if not callable(app) or is_async(app):
            raise TypeError(f"app must be a WSGI app, got {app!r}")
        if options.get("messages") is not None:
            raise TypeError(
                "messages= means nothing in WSGI, which has no WebSockets: leave it out"
            )
        self.app = app
        self._policy = policy_of(policy, *tiers, **options)  # which keeps what it has counted
        refuse_options(self._policy)
        self._policy.enforcer.for_threads()  # what can only be awaited is an error now

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        enforcer = self._policy.enforcer.for_threads()
        request = WSGIRequest(enforcer, environ)
        request.outer = request_in(environ)
        permit = None if enforcer.permits is None else enforcer.new_permit()
        try:
            app = self._decided(request, enforcer, environ, permit)
            body = app(environ, Answer(request, start_response).start)
        except BaseException:
            request.has_begun = True  # the environ may be passed on to another app
            _release(request, permit)
            raise
        if any(each.is_held for each in _holding(request, permit)):
            return ended(body, partial(_release, request, permit))
        return body  # as it is: it may be what the server knows how to send

    def _decided(
        self,
        request: WSGIRequest,
        enforcer: Enforcer,
        environ: Environ,
        permit: RequestPermit | None,
    ) -> WSGIApp:
        """The app that is to answer."""
        scope = scope_of(environ)
        limited = drive_at_once(enforcer.decide(request, scope, environ_of, permit))
        environ[REQUEST] = request
        if "sluicegate.principal" in scope:
            environ["sluicegate.principal"] = scope["sluicegate.principal"]
        if not limited:
            return self.app
        environ["sluicegate.decision"] = request.deciding()
        if enforcer.observer is not None:
            enforcer.observer.saw(scope, environ_of, request)
        if request.outer is not None:
            request.outer.add(request)
        if request.refusal is None or enforcer.policy.shadow:
            return serving(self.app, request) if request.lingers else self.app
        if request.outer is not None:  # else there is nothing but this verdict
            drive_at_once(request.give_back())
        return refusal_app(request, request.refusal, environ)


def _holding(request: WSGIRequest, permit: RequestPermit | None) -> list[RequestPermit | Held]:
    """What may hold something for a request."""
    held = [verdict.held for verdict in request.in_stores()]
    return [each for each in (permit, *held) if each is not None]


def _release(request: WSGIRequest, permit: RequestPermit | None) -> None:
    """Give back what a request has held, whatever becomes of the one or the other."""
    with ExitStack() as each:
        for held in _holding(request, permit):
            each.callback(held.release)
