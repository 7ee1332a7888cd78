"""The middleware and the dependency for FastAPI and Starlette (extra ``[fastapi]``)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import time
from typing import TYPE_CHECKING, Any

from fastapi import Depends, HTTPException, Response, WebSocketException
from starlette.requests import HTTPConnection

from sluicegate._support.awaiting import maybe_await
from sluicegate._support.functions import check_callables
from sluicegate.asgi import middleware, websocket
from sluicegate.errors import StoreError
from sluicegate.fastapi.routes import route_template
from sluicegate.fastapi.views import view
from sluicegate.identity.client_address import ClientAddress
from sluicegate.limiters import SlidingWindowRateLimiter
from sluicegate.policy.algorithms import Algorithm
from sluicegate.policy.deciding import cost_by, refusal_by, text_by
from sluicegate.policy.limiter_options import LimiterOptions
from sluicegate.policy.tiers import Tier, made
from sluicegate.refusals import Refusal, checked_closed_status

if TYPE_CHECKING:
    from sluicegate._connection.on_error import OnError
    from sluicegate._core import Decision, ManualClock
    from sluicegate._support.asgi_types import Scope
    from sluicegate.policy.limiter_options import Overflow

__all__ = ["RateLimitMiddleware", "rate_limit"]


class _Unless(int):
    """A default that is told from the same number, given."""


_MINUTE = _Unless(60)


class RateLimitMiddleware(middleware.RateLimitMiddleware):
    __doc__ = middleware.RateLimitMiddleware.__doc__

    def _view(self, scope: Scope) -> HTTPConnection:
        return view(scope)


def rate_limit(
    limit: int,
    window_seconds: float = _MINUTE,
    *,
    window: float | None = None,
    redis: object = None,
    algorithm: Algorithm = SlidingWindowRateLimiter,
    identify: Callable[[Any], Any] | None = None,
    cost: Callable[[Any], Any] | None = None,
    trusted_proxies: Iterable[str] | int = (),
    proxy_header: str = "x-forwarded-for",
    ipv6_prefix: int = 64,
    no_address: Callable[[Scope], str] | str | None = None,
    headers: Iterable[str] | str = ("x-ratelimit", "ietf"),
    name: str = "route",
    prefix: str | None = None,
    timeout: float | None = None,
    on_error: OnError | None = None,
    workers: int | None = None,
    remember: bool | None = None,
    max_keys: int | None = None,
    overflow: Overflow | None = None,
    clock: ManualClock | None = None,
    closed_status: int = 503,
) -> Any:
    """A limit for one endpoint.

    As a default value, ``info: dict = rate_limit(10, 60)``, it gives ``remaining`` and
    ``reset_at``; it also goes into ``dependencies=[…]`` of a route, a router or an app, and
    works on WebSocket endpoints. The key is the method, the route's whole template (root
    path and prefixes included) and the client, so that two endpoints never share a quota
    and two ids of one endpoint do. ``HEAD`` counts as ``GET``.

    Args:
        limit: calls per window, ≥ 1.
        window_seconds: 0.000001 to 1,000,000,000.
        window: the same by another name; not both.
        redis, algorithm, identify, cost, trusted_proxies, proxy_header, ipv6_prefix, no_address,
        headers, name, prefix, timeout, on_error, workers, remember, max_keys, overflow, clock,
        closed_status: as for :class:`RateLimitMiddleware`. Limits of one name on one endpoint (a router's
            and a route's) count apart, in the order in which they are asked.

    Raises:
        ValueError, TypeError: an argument out of its range; the message names it.
        HTTPException: from the dependency: 429 with ``Retry-After``, 413 if the cost exceeds
            the limit, ``closed_status`` with ``Retry-After`` if nobody decided. A WebSocket's handshake is refused the same way.
    """
    check_callables(identify=identify, cost=cost)
    seconds = _one_window(window_seconds, window)
    options = LimiterOptions(
        algorithm=algorithm,
        redis=redis,
        prefix=prefix,
        timeout=timeout,
        on_error=on_error,
        workers=workers,
        remember=remember,
        max_keys=max_keys,
        overflow=overflow,
        clock=clock,
    )
    tier = Tier(name, made("rate_limit", (limit, seconds), options, "route", name), headers)
    checked_closed_status(closed_status)
    address = ClientAddress(
        trusted_proxies, header=proxy_header, ipv6_prefix=ipv6_prefix, no_address=no_address
    )

    async def limited(connection: HTTPConnection, response: Response) -> dict[str, Any]:
        scope = connection.scope
        seen = view(scope)
        units = await cost_by(cost, seen)
        most = tier.limiter.limit
        if units > most:
            raise _exception(scope, Refusal(name, most, units, None, None), [])
        client = await text_by("identify", identify, seen)
        place = _place(scope, name)
        key = _route_key(scope, place, address(scope) if client is None else f"id:{client}")
        if units == 0:
            return await _left(tier, key)
        decision: Decision = await maybe_await(tier.check(key, units))
        scope["sluicegate.decision"] = decision
        fields = [(name.decode(), value.decode()) for name, value in tier.headers.fields(decision)]
        if not decision:
            refusal = refusal_by(tier, decision, units)
            refusal.closed_status = closed_status
            raise _exception(scope, refusal, [] if refusal.unavailable else fields)
        _tell(response, fields)
        return decision.info

    return Depends(limited)


async def _left(tier: Tier, key: str) -> dict[str, Any]:
    """What is told of a call that is not charged, which no server may refuse."""
    try:
        left: Decision = await maybe_await(tier.limiter.peek(key))
    except StoreError:
        return {"remaining": tier.limiter.limit, "reset_at": time()}
    return {"remaining": left.remaining, "reset_at": left.reset_at}


def _one_window(window_seconds: float, window: float | None) -> float:
    """The window that was given under either name."""
    if window is None:
        return window_seconds
    if window_seconds is not _MINUTE:
        raise TypeError(
            f"window_seconds and window are the same: pass one, got {window_seconds!r} and {window!r}"
        )
    return window


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


def _place(scope: Scope, name: str) -> int:
    """The how manyth limit of this name it is that is asked for a request."""
    places: dict[str, int] = scope.setdefault("sluicegate.places", {})
    places[name] = places.get(name, 0) + 1
    return places[name]


def _route_key(scope: Scope, place: int, client: str) -> str:
    method = scope.get("method", "WEBSOCKET")
    template = route_template(scope)
    which = "" if place == 1 else f"{place}/"
    return f"{'GET' if method == 'HEAD' else method} {len(template)}:{template} {which}{client}"


def _exception(scope: Scope, refusal: Refusal, fields: list[tuple[str, str]]) -> Exception:
    if scope["type"] == "websocket" and not websocket.answers_in_http(scope):
        return WebSocketException(websocket.close_code(refusal), refusal.message)
    detail: dict[str, Any] = {"error": refusal.message}
    headers = dict(fields)
    if refusal.retry_after is not None:
        detail["retry_after"] = refusal.retry_after
        headers["Retry-After"] = str(refusal.retry_after)
    return HTTPException(refusal.status, detail, headers)
