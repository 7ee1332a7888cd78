"""A policy of rules without any of its machinery: every rule is looked at, every unit is remembered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from naive_rules import params, walk
from sluicegate import Quota
from sluicegate.policy import Rule

PROXY = "10.0.0.9"


class Asked(NamedTuple):
    """A request, as far as a policy can know it."""

    method: str = "GET"
    path: str = "/"
    peer: str = "192.0.2.1"
    forwarded: str | None = None
    org: str | None = None
    user: str | None = None
    tier: str | None = None
    cost: int = 1
    status: int = 200


class Outcome(NamedTuple):
    """What came of it: ``left`` is of each limit that took part."""

    status: int
    refused_by: tuple[str, ...]
    left: Mapping[str, int]


class Limit(NamedTuple):
    name: str
    quota: Quota
    key: str | None
    cost: int
    shadow: bool
    counts: Any


class NaivePolicy:
    """Counts by exact logs, in one store.

    ``cost`` and ``org`` are the policy's functions of the request.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        tiers: Mapping[str, str] | None,
        time: Callable[[], float],
    ) -> None:
        self.rules = rules
        self.tiers = tiers
        self.time = time
        self.spent: dict[tuple[str, str], list[tuple[float, int]]] = {}

    def ask(self, asked: Asked) -> Outcome | None:
        """What becomes of a request; ``None``: no limit takes part."""
        limits = [limit for limit in self.limits(asked) if limit.cost and limit.key is not None]
        if not limits:
            return None
        for limit in limits:
            assert limit.quota.limit is not None
            if limit.cost > limit.quota.limit and not limit.shadow:
                return Outcome(413, (), {})
        before = {limit.name: self.left(limit) for limit in limits}
        over = [limit for limit in limits if before[limit.name] < limit.cost]
        refusing = tuple(limit.name for limit in over if not limit.shadow)
        if refusing:
            left = {name: max(0, left) for name, left in before.items()}
            return Outcome(429, refusing, left)
        for limit in limits:
            if limit not in over:
                self.log(limit).append((self.time(), limit.cost))
        left = {limit.name: max(0, self.left(limit)) for limit in limits}
        for limit in limits:
            if limit not in over:
                self.settle(limit, asked.status)
        return Outcome(asked.status, (), left)

    def limits(self, asked: Asked) -> list[Limit]:
        """All limits that apply."""
        tier = asked.tier
        if self.tiers is not None and tier not in self.tiers:
            tier = next(iter(self.tiers))
        apply, exempt = walk(self.rules, asked.method, None, asked.path, tier)
        found = []
        for place in apply:
            rule = self.rules[place]
            key = self.key(rule, asked, tier)
            for name, quota in zip(rule.limit_names, rule.quotas, strict=True):
                cost = asked.cost if rule.cost is None else rule.cost
                assert isinstance(cost, int)
                found.append(Limit(name, quota, key, cost, rule.shadow, rule.counts))
        if exempt is None and self.tiers is not None and tier is not None:
            for quota in Quota.parse_all(self.tiers[tier]):
                if quota.limit is not None:
                    name = "client/" + str(quota).partition("/")[2]
                    client = self.part("client", asked, tier, {})
                    found.append(Limit(name, quota, client, asked.cost, False, "all"))
        return found

    def key(self, rule: Rule, asked: Asked, tier: str | None) -> str | None:
        named = params(rule.match, asked.path) if "{" in rule.match else {}
        each = [self.part(by, asked, tier, named) for by in rule.by]
        return None if None in each else repr(each)

    def part(self, by: str, asked: Asked, tier: str | None, named: Mapping[str, str]) -> str | None:
        address = f"ip:{self.address(asked)}"
        user = None if asked.user is None else f"user:{asked.user}"
        if by.startswith("path:"):
            return named[by.removeprefix("path:")]
        if by == "header:x-org":
            return f"header:{asked.org}" if asked.peer == PROXY and asked.org else address
        return {
            "client": user or address,
            "address": address,
            "principal": user,
            "tier": tier,
            "all": "",
            "org": asked.org,
        }[by]

    def address(self, asked: Asked) -> str:
        is_forwarded = asked.peer == PROXY and asked.forwarded is not None
        return str(asked.forwarded) if is_forwarded else asked.peer

    def log(self, limit: Limit) -> list[tuple[float, int]]:
        return self.spent.setdefault((limit.name, str(limit.key)), [])

    def left(self, limit: Limit) -> int:
        """What is left before, or less than nothing where a debt is owed."""
        assert limit.quota.limit is not None
        assert limit.quota.window_seconds is not None
        since = self.time() - limit.quota.window_seconds
        return limit.quota.limit - sum(units for at, units in self.log(limit) if at > since)

    def settle(self, limit: Limit, status: int) -> None:
        """Put right what was spent last."""
        is_failure = status >= 400
        used = limit.cost
        if callable(limit.counts):
            used = limit.counts(status)
        elif limit.counts != "all":
            used = limit.cost if is_failure == (limit.counts == "failures") else 0
        at, _ = self.log(limit).pop()
        assert limit.quota.limit is not None
        self.log(limit).append((at, min(used, limit.cost + limit.quota.limit)))
