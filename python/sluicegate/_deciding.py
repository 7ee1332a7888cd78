"""Who pays for a request, from which tier, how much; and the decision."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from sluicegate.headers import retry_after_seconds
from sluicegate.identity import ClientAddress, Principal, principal_of
from sluicegate.refusals import Refusal

if TYPE_CHECKING:
    from sluicegate._asgi_types import Scope
    from sluicegate._core import Decision
    from sluicegate._tiers import Tier, Tiers

__all__ = ["Charge", "Decider", "refusal_by", "resolved"]


async def resolved(value: Any) -> Any:
    """The value, awaited if a coroutine function gave it."""
    if not isinstance(value, Awaitable):
        return value
    awaitable: Awaitable[Any] = value
    return await awaitable


def refusal_by(tier: Tier, decision: Decision, cost: int) -> Refusal:
    return Refusal(tier.name, decision.limit, cost, retry_after_seconds(decision), decision)


class Charge:
    """What came of a request: by which tier, with which decision or refusal."""

    __slots__ = ("decision", "key", "refusal", "tier")

    def __init__(
        self, tier: Tier, key: str, decision: Decision | None, refusal: Refusal | None
    ) -> None:
        self.tier = tier
        self.key = key
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
    ) -> None:
        self._tiers = tiers
        self._address = address
        self._view = view
        self._identify = identify
        self._tier = tier
        self._cost = cost
        self._verify = verify
        self._api_key_header = api_key_header.lower().encode("ascii")
        self._verifying: Counter[str] = Counter()

    async def decide(self, scope: Scope) -> Charge:
        view = self._view(scope)
        cost = 1 if self._cost is None else await resolved(self._cost(view))
        key = None if self._identify is None else await resolved(self._identify(view))
        if not (key is None or isinstance(key, str)):
            raise TypeError(f"identify must return a str or None, got {type(key).__name__}")
        principal = None
        if key is None:
            principal = principal_of(scope)
            if principal is not None:
                key = "user:" + principal.id
        if key is None:
            api_key = self._api_key(scope)
            key = self._address(scope)
            if api_key is not None:
                principal, refused = await self._verified(api_key, key, cost)
                if refused is not None:
                    return refused
                if principal is not None:
                    scope["sluicegate.principal"] = principal
                    key = "key:" + principal.id
        name = None if principal is None else principal.tier
        if self._tier is not None:
            name = await resolved(self._tier(view))
        return await self._charged(self._tiers.get(name), key, cost)

    async def _charged(self, tier: Tier, key: str, cost: int) -> Charge:
        limit = tier.limiter.limit
        if isinstance(cost, int) and cost > limit:
            return Charge(tier, key, None, Refusal(tier.name, limit, cost, None, None))
        decision: Decision = await resolved(tier.check(key, cost))
        refusal = None if decision else refusal_by(tier, decision, cost)
        return Charge(tier, key, decision, refusal)

    def _api_key(self, scope: Scope) -> str | None:
        if self._verify is None:
            return None
        for name, value in scope.get("headers", ()):
            if name == self._api_key_header:
                text: str = value.decode("latin-1")
                return text
        return None

    async def _verified(
        self, api_key: str, address: str, cost: int
    ) -> tuple[Principal | None, Charge | None]:
        """The key's principal; or a refusal, if its address has no quota left to try keys with.

        An unknown key will be charged to the address, so no more keys are looked up at once
        than it could pay for: random keys cannot flood the database.
        """
        tier, verify = self._tiers.default, self._verify
        assert verify is not None
        limit, wanted = tier.limiter.limit, self._verifying[address] + cost
        if cost > limit:
            return None, await self._charged(tier, address, cost)
        peeked = None if wanted > limit else await resolved(tier.limiter.peek(address, wanted))
        if not peeked:
            if wanted == cost:
                return None, await self._charged(tier, address, cost)
            wait = 1 if peeked is None else retry_after_seconds(peeked)
            return None, Charge(
                tier, address, peeked, Refusal(tier.name, limit, cost, wait, peeked)
            )
        self._verifying[address] += cost
        try:
            return _principal(await resolved(verify(api_key))), None
        finally:
            self._verifying[address] -= cost
            if not self._verifying[address]:
                del self._verifying[address]


def _principal(verified: object) -> Principal | None:
    if verified is None or isinstance(verified, Principal):
        return verified
    if isinstance(verified, str):
        return Principal(verified)
    kind = type(verified).__name__
    raise TypeError(f"verify must return a Principal, a str or None, got {kind}")
