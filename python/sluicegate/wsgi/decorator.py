"""The decorator: a limit for one view."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from sluicegate._support.functions import is_async
from sluicegate._support.signatures import takes
from sluicegate.policy.routes.endpoint import EndpointOptions
from sluicegate.wsgi.by_policy import PolicyView
from sluicegate.wsgi.limited import LimitedView
from sluicegate.wsgi.options import refuse_options

__all__ = ["rate_limit"]

F = TypeVar("F", bound=Callable[..., Any])


@takes(EndpointOptions)
def rate_limit(*quota: Any, **options: Any) -> Callable[[F], F]:
    """A limit for one view of Flask or Django, or for a WSGI app.

    ``@rate_limit("10/minute")`` stands next to the function, below ``@app.route(…)``, which
    otherwise never learns of it. Methods and functions of views that get the request, and those that
    Flask calls, can have it; several may be above each other. The key is the method, the route's
    template (the rule in Flask, with its blueprint's prefix; in Django the route, with those of
    ``include``), the view and the client, so that two views never share a quota and two ids of one view
    do. ``HEAD`` counts as ``GET``, and methods that HTTP does not know count together.

    Behind a :class:`RateLimitMiddleware` the client is whom that has found, or who has logged in to
    Django since; and its store, hooks, metrics, shadow and refusal hold here, too. What a call has spent
    before is given back when a later limit refuses it. The decision is in
    ``environ["sluicegate.decision"]`` (``request.environ`` in Flask, ``request.META`` in Django).

    A refused call of a Flask view raises a ``TooManyRequests`` of werkzeug, which has the answer and which
    error handlers see; a Django view returns an ``HttpResponse``, and a WSGI app answers.

    Args:
        limit: a quota (``"10/minute"``, or a :class:`~sluicegate.Quota`), alone; several, which are
            one decision (``"10/second; 100/minute"``); a :class:`~sluicegate.Gate`, whose state is its
            own: it counts by the client and not by the route, for all views that have it; or
            calls per window, ≥ 1.
        window_seconds: 0.000001 to 1,000,000,000.
        window: the same by another name; not both.
        policy: a :class:`~sluicegate.policy.Policy`, alone: its rules and tiers limit the view, as a
            middleware would. Where a middleware has that policy, it has done so.
        scope: a name: views that give the same one, and the same limit, share one quota of a client.
        store, redis, algorithm, identify, cost, keys, trusted_proxies, proxy_header, ipv6_prefix,
        no_address, headers, name, prefix, timeout, on_error, workers, remember, max_keys, overflow,
        clock, closed_status: as for :class:`RateLimitMiddleware`, and instead of the middleware's. Limits
            of one name on one view count apart, in the order in which they are asked.

    Raises:
        ValueError, TypeError: an argument out of its range; the message names it. From the
            decorated function: ``TypeError`` if it finds no request.
    """
    given = EndpointOptions(*quota, **options)
    refuse_options(given if given.policy is None else given.policy)
    limit = LimitedView(given) if given.policy is None else PolicyView(given.policy)

    def decorate(view: F) -> F:
        _check(view)

        @wraps(view)
        def limited(*args: Any, **kwargs: Any) -> Any:
            return limit.call(view, args, kwargs)

        return limited  # type: ignore[return-value]

    return decorate


def _check(view: Any) -> None:
    if isinstance(view, type):
        raise TypeError(
            f"rate_limit limits functions, got the class {view.__name__}: give it to its methods, to "
            "Flask's `decorators = [rate_limit(…)]` or to Django's method_decorator"
        )
    if not callable(view):
        raise TypeError(f"rate_limit limits functions, got {view!r}")
    if is_async(view) or inspect.isasyncgenfunction(view):
        raise TypeError(
            f"rate_limit of sluicegate.wsgi limits plain functions, got the coroutine function {view!r}"
        )
