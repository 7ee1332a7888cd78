"""Who pays for a request, from which tier, how much; and the decision."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from sluicegate._proxies import header_name
from sluicegate.headers import retry_after_seconds
from sluicegate.identity import ClientAddress, Principal, principal_of
from sluicegate.refusals import Refusal

if TYPE_CHECKING:
    from sluicegate._asgi_types import Scope
    from sluicegate._core import Decision
    from sluicegate._permits_asgi import Hold
    from sluicegate._tiers import Tier, Tiers

__all__ = ["Charge", "Decider", "cost_by", "refusal_by", "resolved", "text_by"]


async def resolved(value: Any) -> Any:
    """The value, awaited if a coroutine function gave it."""
    if not isinstance(value, Awaitable):
        return value
    awaitable: Awaitable[Any] = value
    return await awaitable


async def cost_by(function: Callable[[Any], Any] | None, view: Any) -> int:
    """What the option ``cost`` says that a request costs."""
    if function is None:
        return 1
    cost = await resolved(function(view))
    if isinstance(cost, bool) or not isinstance(cost, int):
        kind = type(cost).__name__
        raise TypeError(f"cost must be an int, but the function cost= returned {kind} {cost!r}")
    if cost < 0:
        raise ValueError(f"cost must be an int from 0, but the function cost= returned {cost}")
    return cost


async def text_by(option: str, function: Callable[[Any], Any] | None, view: Any) -> str | None:
    """What the function that is given as ``option`` says of a request."""
    text = None if function is None else await resolved(function(view))
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
        verify: Callable[[str], Any] | None,
        api_key_header: str,
        hides_keys: bool = False,
    ) -> None:
        self._tiers = tiers
        self._address = address
        self._view = view
        self._identify = identify
        self._tier = tier
        self._cost = cost
        self._verify = verify
        self._api_key_header = header_name(api_key_header, "api_key_header").encode("ascii")
        self._hides_keys = hides_keys
        self._verifying: Counter[str] = Counter()

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
            found = await self._verified(api_key, self._address(scope), cost or 1, hold)
            if isinstance(found, Charge):
                return found
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
        decision: Decision = await resolved(tier.check(key, cost))
        refusal = None if decision else refusal_by(tier, decision, cost)
        return Charge(tier, key, decision, refusal, cost)

    def _api_key(self, scope: Scope) -> str | None:
        if self._verify is None:
            return None
        for name, value in scope.get("headers", ()):
            if name == self._api_key_header:
                text: str = value.decode("latin-1")
                return text or None
        return None

    async def _verified(
        self, api_key: str, address: str, cost: int, hold: Hold | None
    ) -> Principal | Charge:
        """The key's principal; or what its address was charged in the default tier instead.

        No more keys are looked up at once than the address could pay for, and an unknown one
        is charged before its place is given up: random keys cannot flood the database.
        """
        tier, verify = self._tiers.default, self._verify
        assert verify is not None
        limit = tier.limiter.limit
        # What cannot be charged must not be free, or keys of a large cost would be.
        units = min(cost, limit)
        self._verifying[address] += units
        pending = self._verifying[address]
        try:
            peeked = (
                None if pending > limit else await resolved(tier.limiter.peek(address, pending))
            )
            if not peeked and pending != units:
                wait = 1 if peeked is None else retry_after_seconds(peeked)
                refusal = Refusal(tier.name, limit, units, wait, peeked)
                return Charge(tier, address, peeked, refusal)
            # With no quota left and nobody else asking, the charge is what refuses and counts.
            principal = _principal(await resolved(verify(api_key))) if peeked else None
            if principal is not None:
                return principal
            charge = await self._charged(tier, address, units, hold)
            if cost > limit and charge.refusal is None:
                charge.refusal = Refusal(tier.name, limit, cost, None, charge.decision)
            return charge
        finally:
            self._verifying[address] -= units
            if not self._verifying[address]:
                del self._verifying[address]


def _hidden(secret: str) -> str:
    return blake2b(
        secret.encode("utf-8", "surrogatepass"), digest_size=20, key=b"sluicegate"
    ).hexdigest()


def _principal(verified: object) -> Principal | None:
    if verified is None or isinstance(verified, Principal):
        return verified
    if isinstance(verified, str):
        return Principal(verified)
    kind = type(verified).__name__
    raise TypeError(f"verify must return a Principal, a str or None, got {kind}")
