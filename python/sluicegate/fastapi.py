"""The middleware and the dependency for FastAPI and Starlette (extra ``[fastapi]``)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from fastapi import Depends, HTTPException, Response, WebSocketException
from starlette.requests import HTTPConnection

from sluicegate import _websocket, asgi
from sluicegate._algorithms import Algorithm
from sluicegate._deciding import refusal_by, resolved
from sluicegate._routes import route_template
from sluicegate._tiers import Tier, made
from sluicegate.asgi import Refusal, json_refusal, problem_refusal
from sluicegate.identity import ClientAddress, Principal
from sluicegate.limiters import SlidingWindowRateLimiter

if TYPE_CHECKING:
    from sluicegate._asgi_types import Scope
    from sluicegate._core import Decision

__all__ = [
    "Principal",
    "RateLimitMiddleware",
    "Refusal",
    "json_refusal",
    "problem_refusal",
    "rate_limit",
]


class RateLimitMiddleware(asgi.RateLimitMiddleware):
    __doc__ = asgi.RateLimitMiddleware.__doc__

    def _view(self, scope: Scope) -> HTTPConnection:
        return HTTPConnection(scope)


def rate_limit(
    limit: int,
    window: float = 60,
    *,
    redis: object = None,
    algorithm: Algorithm = SlidingWindowRateLimiter,
    identify: Callable[[HTTPConnection], Any] | None = None,
    cost: Callable[[HTTPConnection], Any] | None = None,
    trusted_proxies: Iterable[str] | int = (),
    proxy_header: str = "x-forwarded-for",
    ipv6_prefix: int = 64,
    no_address: Callable[[Scope], str] | str | None = None,
    headers: Iterable[str] | str = ("x-ratelimit", "ietf"),
    name: str = "route",
) -> Any:
    """A limit for one endpoint, as in article 2.

    As a default value, ``info: dict = rate_limit(10, 60)``, it gives ``remaining`` and
    ``reset_at``; it also goes into ``dependencies=[…]`` of a route, a router or an app, and
    works on WebSocket endpoints. The key is the method, the route's whole template (root
    path and prefixes included) and the client, so that two endpoints never share a quota
    and two ids of one endpoint do. ``HEAD`` counts as ``GET``.

    Args:
        limit: calls per window, ≥ 1.
        window: seconds.
        redis, algorithm, identify, cost, trusted_proxies, proxy_header, ipv6_prefix, no_address,
        headers, name: as for :class:`RateLimitMiddleware`. In Redis, limits of one endpoint
            with the same algorithm and quota (a router's and a route's) count together unless
            their names differ.

    Raises:
        ValueError, TypeError: an argument out of its range; the message names it.
        HTTPException: from the dependency: 429 with ``Retry-After``, or 413 if the cost
            exceeds the limit. A WebSocket's handshake is refused the same way.
    """
    for option, value in {"identify": identify, "cost": cost}.items():
        if not (value is None or callable(value)):
            raise TypeError(f"{option} must be callable, got {value!r}")
    prefix = f"sluicegate:route:{name}:{limit}/{window}"
    tier = Tier(name, made("rate_limit", (limit, window), algorithm, redis, prefix), headers)
    address = ClientAddress(
        trusted_proxies, header=proxy_header, ipv6_prefix=ipv6_prefix, no_address=no_address
    )

    async def limited(connection: HTTPConnection, response: Response) -> dict[str, Any]:
        scope = connection.scope
        units = 1 if cost is None else await resolved(cost(connection))
        most = tier.limiter.limit
        if isinstance(units, int) and units > most:
            raise _exception(scope, Refusal(name, most, units, None, None), [])
        client = None if identify is None else await resolved(identify(connection))
        if not (client is None or isinstance(client, str)):
            raise TypeError(f"identify must return a str or None, got {type(client).__name__}")
        key = _route_key(scope, address(scope) if client is None else f"id:{client}")
        decision: Decision = await resolved(tier.check(key, units))
        scope["sluicegate.decision"] = decision
        fields = [(name.decode(), value.decode()) for name, value in tier.headers.fields(decision)]
        if not decision:
            raise _exception(scope, refusal_by(tier, decision, units), fields)
        _tell(response, fields)
        return decision.info

    return Depends(limited)


def _tell(response: Response, fields: list[tuple[str, str]]) -> None:
    """Add the fields. X-RateLimit can be sent only once: the stricter of two limits speaks."""
    told = response.headers.get("x-ratelimit-remaining", "")
    ours = dict(fields).get("x-ratelimit-remaining", "")
    stricter = not told.isdecimal() or (ours.isdecimal() and int(ours) < int(told))
    for name, value in fields:
        if not name.startswith("x-ratelimit"):
            response.headers.append(name, value)
        elif stricter:
            response.headers[name] = value


def _route_key(scope: Scope, client: str) -> str:
    method = scope.get("method", "WEBSOCKET")
    template = route_template(scope)
    return f"{'GET' if method == 'HEAD' else method} {len(template)}:{template} {client}"


def _exception(scope: Scope, refusal: Refusal, fields: list[tuple[str, str]]) -> Exception:
    if scope["type"] == "websocket" and not _websocket.answers_in_http(scope):
        return WebSocketException(_websocket.POLICY_VIOLATION, refusal.message)
    detail: dict[str, Any] = {"error": refusal.message}
    headers = dict(fields)
    if refusal.retry_after is not None:
        detail["retry_after"] = refusal.retry_after
        headers["Retry-After"] = str(refusal.retry_after)
    return HTTPException(refusal.status, detail, headers)
