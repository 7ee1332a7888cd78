"""The dependency: a limit for one endpoint."""

from __future__ import annotations

from typing import Any

from fastapi import Depends

from sluicegate._support.signatures import takes
from sluicegate.fastapi.by_policy import PolicyEndpoint
from sluicegate.fastapi.limited import LimitedRoute
from sluicegate.policy.routes.endpoint import EndpointOptions

__all__ = ["rate_limit"]


@takes(EndpointOptions)
def rate_limit(*quota: Any, **options: Any) -> Any:
    """A limit for one endpoint.

    As a default value, ``info: dict = rate_limit("10/minute")``, it gives ``remaining`` and
    ``reset_at``; it also goes into ``dependencies=[…]`` of a route, a router or an app, and
    works on WebSocket endpoints. The key is the method, the route's whole template (root
    path and prefixes included) and the client, so that two endpoints never share a quota
    and two ids of one endpoint do. ``HEAD`` counts as ``GET``.

    Behind a :class:`RateLimitMiddleware` the client is whom that has found, and its store, hooks,
    metrics, shadow and refusal hold here, too. What a call has spent before is given back when a
    later limit refuses it.

    Args:
        limit: a quota (``"10/minute"``, or a :class:`~sluicegate.Quota`), alone; several, which are
            one decision (``"10/second; 100/minute"``); a :class:`~sluicegate.Gate`, whose state is its
            own: it counts by the client and not by the route, for all endpoints that have it; or
            calls per window, ≥ 1.
        window_seconds: 0.000001 to 1,000,000,000.
        window: the same by another name; not both.
        policy: a :class:`~sluicegate.policy.Policy`, alone: its rules and tiers limit the endpoint, as a
            middleware would. Where a middleware has that policy, it has done so.
        scope: a name: endpoints that give the same one, and the same limit, share one quota of a
            client.
        store, redis, algorithm, identify, cost, keys, trusted_proxies, proxy_header, ipv6_prefix,
        no_address, headers, name, prefix, timeout, on_error, workers, remember, max_keys, overflow,
        clock, closed_status: as for :class:`RateLimitMiddleware`, and instead of the middleware's. Limits
            of one name on one endpoint (a router's and a route's) count apart, in the order in
            which they are asked.

    Raises:
        ValueError, TypeError: an argument out of its range; the message names it.
        HTTPException: from the dependency: 429 with ``Retry-After``, 413 if the cost exceeds
            the limit, ``closed_status`` with ``Retry-After`` if nobody decided. A WebSocket's
            handshake is refused the same way.
    """
    given = EndpointOptions(*quota, **options)
    if given.policy is not None:
        return Depends(PolicyEndpoint(given.policy).limited)
    return Depends(LimitedRoute(given).limited)
