"""Who pays for a request, from which tier, how much; and the decision."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from sluicegate._support.awaiting import maybe_await
from sluicegate.headers import retry_after_seconds
from sluicegate.identity.client_address import ClientAddress
from sluicegate.identity.principal import principal_of
from sluicegate.identity.proxies import header_name
from sluicegate.identity.verified import VerifiedKeys
from sluicegate.refusals import Refusal

if TYPE_CHECKING:
    from sluicegate._core import Decision
    from sluicegate._support.asgi_types import Scope
    from sluicegate.asgi.concurrency import Hold
    from sluicegate.identity.principal import Principal
    from sluicegate.policy.tiers import Tier, Tiers

__all__ = ["Charge", "Decider", "cost_by", "refusal_by", "text_by"]


async def cost_by(function: Callable[[Any], Any] | None, view: Any) -> int:
    """What the option ``cost`` says that a request costs."""
    if function is None:
        return 1
    cost = await maybe_await(function(view))
    if isinstance(cost, bool) or not isinstance(cost, int):
        kind = type(cost).__name__
        raise TypeError(f"cost must be an int, but the function cost= returned {kind} {cost!r}")
    if cost < 0:
        raise ValueError(f"cost must be an int from 0, but the function cost= returned {cost}")
    return cost


async def text_by(option: str, function: Callable[[Any], Any] | None, view: Any) -> str | None:
    """What the function that is given as ``option`` says of a request."""
    text = None if function is None else await maybe_await(function(view))
    if not (text is None or isinstance(text, str)):
        raise TypeError(f"{option} must return a str or None, got {type(text).__name__}")
    return text


def refusal_by(tier: Tier, decision: Decision, cost: int) -> Refusal:
    return Refusal(tier.name, decision.limit, cost, retry_after_seconds(decision), decision)


class Charge:
    """What came of a request: by which tier, with which decision or refusal."""

    __slots__ = ("cost", "decision", "key", "refusal", "tier")

    def __init__(
        self,
        tier: Tier,
        key: str,
        decision: Decision | None,
        refusal: Refusal | None,
        cost: int = 1,
    ) -> None:
        self.tier = tier
        self.key = key
        self.cost = cost
        self.decision = decision
        self.refusal = refusal


class Decider:
    """Decides for requests that need more than the peer's address.

    The callables get ``view(scope)``, may be coroutine functions, and their exceptions are
    the caller's.
    """

    def __init__(
        self,
        tiers: Tiers,
        address: ClientAddress,
        view: Callable[[Scope], Any],
        *,
        identify: Callable[[Any], Any] | None,
        tier: Callable[[Any], Any] | None,
        cost: Callable[[Any], Any] | None,
        keys: VerifiedKeys | None,
        api_key_header: str,
        hides_keys: bool = False,
    ) -> None:
        self._tiers = tiers
        self._address = address
        self._view = view
        self._identify = identify
        self._tier = tier
        self._cost = cost
        self._keys = keys
        self._api_key_header = header_name(api_key_header, "api_key_header").encode("ascii")
        self._hides_keys = hides_keys

    async def decide(self, scope: Scope, hold: Hold | None = None) -> Charge:
        """Charge whom the request is from, if ``hold`` has a permit for them or is ``None``."""
        view = self._view(scope)
        cost = await cost_by(self._cost, view)
        key = await text_by("identify", self._identify, view)
        api_key = None if key is not None else self._api_key(scope)
        if api_key is None:
            principal = principal_of(scope)
            if key is None:
                key = self._address(scope) if principal is None else "user:" + principal.id
        else:
            address = self._address(scope)
            found = await self._whose(api_key, address)
            if found is None:
                # An unknown key is a client without one, and a try is never free.
                return await self._charged(self._tiers.default, address, cost or 1, hold)
            principal = scope["sluicegate.principal"] = found
            # An id may be the API key itself, which is nobody's business in another server.
            key = "key:" + (_hidden(found.id) if self._hides_keys else found.id)
        name = None if principal is None else principal.tier
        chosen = await text_by("tier", self._tier, view)
        name = name if chosen is None else chosen
        return await self._charged(self._tiers.get(name), key, cost, hold)

    async def _charged(self, tier: Tier, key: str, cost: int, hold: Hold | None) -> Charge:
        limit = tier.limiter.limit
        if cost > limit:
            return Charge(tier, key, None, Refusal(tier.name, limit, cost, None, None), cost)
        if hold is not None and not await hold.take(key):
            return Charge(tier, key, None, hold.refusal(cost), cost)
        if cost == 0:
            return Charge(tier, key, None, None, 0)
        decision: Decision = await maybe_await(tier.check(key, cost))
        refusal = None if decision else refusal_by(tier, decision, cost)
        return Charge(tier, key, decision, refusal, cost)

    def _api_key(self, scope: Scope) -> str | None:
        if self._keys is None:
            return None
        for name, value in scope.get("headers", ()):
            if name == self._api_key_header:
                text: str = value.decode("latin-1")
                return text or None
        return None

    async def _whose(self, api_key: str, address: str) -> Principal | None:
        assert self._keys is not None
        # An address may try as many wrong keys as the default tier has requests.
        limiter = self._tiers.default.limiter
        return await self._keys.find(api_key, address, limiter.limit, limiter.window_seconds)


def _hidden(secret: str) -> str:
    return blake2b(
        secret.encode("utf-8", "surrogatepass"), digest_size=20, key=b"sluicegate"
    ).hexdigest()
