"""What a policy would have done to the requests of a log, counted by limit and by client."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from sluicegate.policy.enforcing.applied import Applied

if TYPE_CHECKING:
    from sluicegate.policy.request import Request
    from sluicegate.policy.tiers.tier import Tier
    from sluicegate.replay.logs.access_log import AccessLog

__all__ = ["LimitOutcome", "PolicyOutcome", "Refused"]


class LimitOutcome:
    """What one limit has done.

    Attributes:
        requests: to which it applied.
        refused: those that it refused, alone or beside others; of one that only watches: would have.
        keys: of the clients among them.
        first, last: Unix seconds of the first and the last refusal.
    """

    def __init__(self, name: str, quota: str, is_shadow: bool) -> None:
        self.name = name
        self.quota = quota
        self.is_shadow = is_shadow
        self.requests = 0
        self.refused = 0
        self.keys: set[int] = set()
        self.first: int | None = None
        self.last: int | None = None


class Refused(NamedTuple):
    """A client's refusals for one kind of request, by one limit."""

    client: str
    target: str
    limit: str
    refused: int
    requests: int


class PolicyOutcome:
    """Counts the verdicts on the requests of a log.

    Attributes:
        free: requests that nothing limits.
        refused: those that were.
        held: those that were held, with ``longest`` the longest time in seconds.
    """

    def __init__(self, log: AccessLog) -> None:
        self.log = log
        self.free = 0
        self.refused = 0
        self.held = 0
        self.longest = 0.0
        self._asked: Counter[Tier] = Counter()
        self._limits: dict[str, LimitOutcome] = {}
        self._refused: Counter[tuple[int, int, str]] = Counter()

    @property
    def share(self) -> float:
        """The share of requests that is refused, 0 to 1."""
        return self.refused / len(self.log)

    def note(self, time: int, key: int, target: int, request: Request) -> None:
        """Take note of what came of a request at a Unix second."""
        for verdict in request.in_stores():
            tier, decision = verdict.tier, verdict.decision
            self._asked[tier] += 1
            if isinstance(tier, Applied) and tier.watches and decision is not None:
                for name, _ in tier.would_refuse(decision):  # type: ignore[arg-type]
                    self._refuse(tier, name, time, key)
        refusal = request.refusal
        if refusal is None:
            wait = request.delay() if request.lingers else None
            if wait:
                self.held += 1
                self.longest = max(self.longest, wait)
            return
        self.refused += 1
        decision = request.decision
        by = getattr(decision, "refused_by", ()) or (refusal.limit_name or request.tier.name,)
        for name in by:
            self._refuse(request.tier, name, time, key)
        self._refused[key, target, refusal.limit_name or request.tier.name] += 1

    def _refuse(self, tier: Tier, name: str, time: int, key: int) -> None:
        limit = self._limits.get(name)
        if limit is None:
            limit = self._limits[name] = _limits_of(tier)[name]
        limit.refused += 1
        limit.keys.add(key)
        limit.first = time if limit.first is None else limit.first
        limit.last = time

    def limits(self) -> list[LimitOutcome]:
        """Each limit that applied to a request, those that refused most first."""
        for tier, requests in self._asked.items():
            for name, limit in _limits_of(tier).items():
                self._limits.setdefault(name, limit).requests += requests
        self._asked.clear()
        return sorted(self._limits.values(), key=lambda limit: -limit.refused)

    def by_client(self) -> list[Refused]:
        """Who was refused, for what and by which limit; those refused most first."""
        totals = Counter(zip(self.log.keys, self._named(), strict=True)) if self._refused else {}
        rows: Counter[tuple[int, str, str]] = Counter()
        for (key, target, limit), count in self._refused.items():
            rows[key, self.log.kinds[target].name, limit] += count
        names = self.log.names
        found = [
            Refused(names[key], target, limit, count, totals[key, target])
            for (key, target, limit), count in rows.items()
        ]
        return sorted(found, key=lambda row: (-row.refused, row))

    def _named(self) -> Iterator[str]:
        kinds = self.log.kinds
        return (kinds[target].name for target in self.log.targets)


def _limits_of(tier: Tier) -> dict[str, LimitOutcome]:
    if isinstance(tier, Applied):
        return {
            each.name: LimitOutcome(each.name, str(each.quota), each.is_shadow)
            for each in tier.limits
        }
    quotas: dict[str, Any] = getattr(tier, "quotas", {})
    if quotas:
        return {name: LimitOutcome(name, str(quota), False) for name, quota in quotas.items()}
    quota = getattr(tier.terms, "quota", None)
    text = f"{tier.terms.limit} in {tier.terms.window_seconds:g} s" if quota is None else str(quota)
    return {tier.name: LimitOutcome(tier.name, text, False)}
