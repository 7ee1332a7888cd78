"""The middleware, for any ASGI app: no framework is needed or imported."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from sluicegate._core import Decision
from sluicegate._support.awaiting import maybe_await
from sluicegate._support.functions import check_callables
from sluicegate.asgi import websocket
from sluicegate.asgi.answers import refuse, with_fields
from sluicegate.asgi.concurrency import Hold, permits_of
from sluicegate.asgi.option_names import NamesOptions
from sluicegate.asgi.starting import need_asyncio, refuses_to_start
from sluicegate.identity.client_address import ClientAddress
from sluicegate.identity.verified import TTL, VerifiedKeys
from sluicegate.identity.verify_option import verified_keys
from sluicegate.limiters import SlidingWindowRateLimiter
from sluicegate.observe.hooks import Hook
from sluicegate.observe.watching import watch
from sluicegate.policy.algorithms import Algorithm
from sluicegate.policy.deciding import Charge, Decider, refusal_by
from sluicegate.policy.exempt import Paths, exemption
from sluicegate.policy.limiter_options import LimiterOptions
from sluicegate.policy.owned import owned_by
from sluicegate.policy.tiers import Tier, Tiers, check_limiter, is_pair, made
from sluicegate.refusals import checked_closed_status, json_refusal

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from sluicegate._connection.on_error import OnError
    from sluicegate._core import ManualClock
    from sluicegate._support.asgi_types import ASGIApp, Receive, Scope, Send
    from sluicegate.policy.limiter_options import Overflow

__all__ = ["RateLimitMiddleware"]


class RateLimitMiddleware(NamesOptions):
    """Limits the requests to an ASGI app, by client.

    ``RateLimitMiddleware(app, tiers={"free": (100, 60), "premium": (10000, 60)})``
    or ``RateLimitMiddleware(app, limiter=any_limiter)``. Refused requests get a
    429 with ``Retry-After``; one whose cost exceeds the limit gets a 413. The decision is in
    ``scope["sluicegate.decision"]``. Adds some 6 µs to a request.

    Those that are made of one ``tiers`` object before the first request count together, as
    where a framework makes one for each route.

    Args:
        app: the ASGI app.
        tiers: name → ``(limit, window_seconds)`` or a limiter; the first is the default.
        limiter: one limiter for all, instead of tiers; of this process or in Redis.
        redis: a URL or a ``redis.asyncio`` client: quotas given as pairs are counted there,
            by all processes together; see :mod:`sluicegate.redis`.
        algorithm: ``"sliding_window"`` (the exact log), ``"fixed_window"``,
            ``"sliding_counter"``, ``"token_bucket"``, or a limiter class, for the tiers.
        identify: gives the key of a request; ``None`` for the default identity.
        tier: gives the name of a request's tier, instead of the principal's.
        cost: gives what a request costs, an int ≥ 0. At 0 it is not charged: it passes
            whatever is left, without fields, and the limit is not asked.
            These three get the scope (in :mod:`sluicegate.fastapi` a ``Request`` without its
            body), may be coroutine functions, and their exceptions propagate.
        trusted_proxies, proxy_header, ipv6_prefix, no_address: who the client is; see
            :class:`~sluicegate.identity.ClientAddress`.
        verify: given an API key, returns a :class:`~sluicegate.identity.Principal`, its id,
            or ``None`` for an unknown one, which is limited by its address; or a
            :class:`~sluicegate.identity.VerifiedKeys`, which can ``forget``.
        verify_ttl: seconds for which a verified key is remembered; 0: not at all.
        api_key_header: where the API key is sent.
        exempt: paths that are not limited (``"/health"``, or ``"/static/*"`` for all below),
            or a predicate like ``cost``.
        shadow: decide and count (``statistics().refused``), but refuse nobody, send no headers.
        refusal: the ASGI app that answers refused requests; see :mod:`sluicegate.refusals`.
        headers: which sets to send, some of ``("x-ratelimit", "ietf")``, or ``()``.
        messages: limits each WebSocket's incoming messages too: a limiter, or
            ``(limit, window_seconds)``. Over it the connection is closed with 1008.
        concurrency: most requests of one key at once, until the app has returned: a number
            (in Redis with ``redis``) or a ``ConcurrencyLimiter``. One too many gets a 429 and
            spends nothing.
        name: the policy's name in the headers when ``limiter`` is given.
        metrics: True, or a prometheus_client registry: see :mod:`sluicegate.metrics`; 2 µs.
        hooks: who is told of refusals; see :class:`~sluicegate.hooks.Hook`.
        endpoint: a plain function: gives what a request is for, for metrics and hooks, of
            few names, never a raw path: only 100 are told apart.
        prefix: what keys in Redis begin with, up to 31 bytes: one for each application, so
            that two with a tier of one name count apart; ``"sluicegate"`` unless given.
        timeout, on_error, workers, remember: of limits in Redis; see
            :class:`sluicegate.redis.FixedWindow`.
        max_keys, overflow, clock: of limits in memory; see :class:`~sluicegate.FixedWindow`.
        closed_status: the status, 400 to 599, of refusals that nobody decided: Redis does not
            answer and ``on_error`` is ``"closed"``. They have ``Retry-After`` and no quota.

    Raises:
        ValueError, TypeError: an argument out of its range; the message names it.
    """

    def __init__(
        self,
        app: ASGIApp,
        tiers: Mapping[str, Any] | None = None,
        *,
        limiter: Any = None,
        redis: object = None,
        algorithm: Algorithm = SlidingWindowRateLimiter,
        identify: Callable[[Any], Any] | None = None,
        tier: Callable[[Any], Any] | None = None,
        cost: Callable[[Any], Any] | None = None,
        trusted_proxies: Iterable[str] | int = (),
        proxy_header: str = "x-forwarded-for",
        ipv6_prefix: int = 64,
        no_address: Callable[[Scope], str] | str | None = None,
        verify: Callable[[str], Any] | VerifiedKeys | None = None,
        verify_ttl: float = TTL,
        api_key_header: str = "x-api-key",
        exempt: Iterable[str] | Callable[[Any], Any] = (),
        shadow: bool = False,
        refusal: ASGIApp = json_refusal,
        headers: Iterable[str] | str = ("x-ratelimit", "ietf"),
        messages: Any = None,
        concurrency: Any = None,
        name: str = "default",
        metrics: bool | CollectorRegistry = False,
        hooks: Iterable[Hook] = (),
        endpoint: Callable[[Any], str] | None = None,
        prefix: str | None = None,
        timeout: float | None = None,
        on_error: OnError | None = None,
        workers: int | None = None,
        remember: bool | None = None,
        max_keys: int | None = None,
        overflow: Overflow | None = None,
        clock: ManualClock | None = None,
        closed_status: int = 503,
    ) -> None:
        if (tiers is None) == (limiter is None):
            raise TypeError("RateLimitMiddleware needs either tiers= or limiter=")
        if limiter is not None:
            check_limiter("limiter", limiter)
        if not isinstance(shadow, bool):
            raise TypeError(f"shadow must be True or False, got {shadow!r}")
        check_callables(identify=identify, tier=tier, cost=cost)
        if not callable(refusal):
            raise TypeError(f"refusal must be callable, an ASGI app, got {refusal!r}")
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
        self.app = app
        quotas = {name: limiter} if tiers is None else tiers
        owned = self._owned = owned_by(limiter if tiers is None else tiers)
        self._tiers = Tiers(quotas, options, headers, owned, warns=tiers is not None)
        in_redis = redis is not None and isinstance(concurrency, int)
        if not in_redis and not any(map(is_pair, (*quotas.values(), messages))):
            options.refuse_unused("all limiters are made already")
        self._permits = None if concurrency is None else permits_of(concurrency, options, owned)
        self._messages: Tier | None = None
        if messages is not None:
            each = made("messages", messages, options, "websocket", "messages", owned)
            self._messages = Tier("messages", each, ())
        counting = [tier.limiter for tier in (*self._tiers, self._messages) if tier is not None]
        counting.append(self._permits)
        self._needs_asyncio = need_asyncio(counting)
        self._address = ClientAddress(
            trusted_proxies, header=proxy_header, ipv6_prefix=ipv6_prefix, no_address=no_address
        )
        self._decider = Decider(
            self._tiers,
            self._address,
            self._view,
            identify=identify,
            tier=tier,
            cost=cost,
            keys=verified_keys(verify, verify_ttl, owned, clock),
            api_key_header=api_key_header,
            hides_keys=any(hasattr(each, "aclose") for each in counting),
        )
        # Without options a request costs one call of `check`, and nothing is awaited for it.
        self._plain = not any((identify, tier, cost, verify)) and self._permits is None
        self._exempt = exemption(exempt)
        self._shadow = shadow
        self._closed_status = checked_closed_status(closed_status)
        self._refusal = refusal
        self._watch = watch(self._tiers, self._messages, metrics, hooks, endpoint, self._view)
        self._sees_all = self._watch is not None and self._watch.sees_admissions

    def _view(self, scope: Scope) -> Any:
        """What the callables get."""
        return scope

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind != "http" and kind != "websocket":
            refuses = kind == "lifespan" and self._needs_asyncio
            if not (refuses and await refuses_to_start(receive, send)):
                await self.app(scope, receive, send)
            return None
        if self._exempt is not None and await self._is_exempt(scope):
            return await self.app(scope, receive, send)
        hold: Hold | None = None
        try:
            if self._plain and "user" not in scope:
                tier, key, cost = self._tiers.default, self._address(scope), 1
                decision = tier.check(key)
                if type(decision) is not Decision and hasattr(decision, "__await__"):
                    decision = await decision
                refusal = None if decision else refusal_by(tier, decision, 1)
            else:
                if self._permits is not None:
                    hold = Hold(self._permits)
                charge = await self._decider.decide(scope, hold)
                tier, key, cost = charge.tier, charge.key, charge.cost
                decision, refusal = charge.decision, charge.refusal
            if self._sees_all or (refusal is not None and self._watch is not None):
                assert self._watch is not None
                self._watch.saw(scope, tier, key, cost, decision, refusal)
            scope["sluicegate.decision"] = decision
            if refusal is not None and not self._shadow:
                refusal.closed_status = self._closed_status
                refused = Charge(tier, key, decision, refusal)
                return await refuse(self._refusal, refused, scope, receive, send)
            if kind == "websocket" and self._messages is not None:
                messages = websocket.Messages(receive, send, self._messages, key, self._shadow)
                receive, send = messages.receive, messages.send
            if decision is not None and tier.headers.sets and not self._shadow:
                send = with_fields(scope, send, tier, decision)
            return await self.app(scope, receive, send)
        finally:
            if hold is not None:
                await hold.release()

    async def _is_exempt(self, scope: Scope) -> bool:
        assert self._exempt is not None
        if isinstance(self._exempt, Paths):
            return self._exempt.match(scope)
        return bool(await maybe_await(self._exempt(self._view(scope))))
