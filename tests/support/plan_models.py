"""Slow models of one key whose quota changes, and whose spends come back by receipt and without."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Protocol

from sluicegate import Quota

SECOND = 10**6


class Model(Protocol):
    """One key, by the rules of its algorithm, where neither speed nor room counts."""

    def remaining(self, now: int, plan: Any) -> int: ...
    def change(self, now: int, plan: Any) -> None:
        """A call is decided by that plan, and perhaps refused."""

    def spend(self, now: int, cost: int, plan: Any) -> Any:
        """What a receipt has to know of it."""

    def redeem(self, now: int, receipt: Any, units: int) -> None: ...
    def refund(self, now: int, units: int) -> None: ...


@dataclass
class Window:
    """A limit in the window that all quotas have."""

    limit: int
    window: int

    @property
    def quota(self) -> Quota:
        return Quota(self.limit, self.window / SECOND)


@dataclass
class Units:
    """The tick of each unit that was spent and has not come back, in the order in which they were."""

    kind: str
    window: int
    ticks: list[int] = field(default_factory=list)

    def part(self, tick: int) -> int:
        """What counts units of that tick: a tick, a 60th of a window or a window, by its first tick."""
        if self.kind == "SlidingWindowRateLimiter":
            return tick
        size = -(-self.window // 60) if self.kind == "SegmentedWindow" else self.window
        return tick - tick % size

    def counting(self, now: int) -> list[int]:
        if self.kind == "SlidingWindowRateLimiter":
            return [tick for tick in self.ticks if tick + self.window > now]
        if self.kind == "SegmentedWindow":
            last = -(-self.window // 60) - 1
            return [tick for tick in self.ticks if self.part(tick) + last + self.window > now]
        before = self.window if self.kind == "SlidingWindowCounter" else 0
        return [tick for tick in self.ticks if tick >= self.part(now) - before]

    def remaining(self, now: int, plan: Window) -> int:
        counting, start = self.counting(now), self.part(now)
        current = [tick for tick in counting if tick >= start]
        if self.kind != "SlidingWindowCounter":
            return max(plan.limit - len(counting), 0)
        before = (len(counting) - len(current)) * (start + self.window - now)
        return max(plan.limit - len(current) + -before // self.window, 0)

    def change(self, now: int, plan: Window) -> None:
        pass  # the limit is of the call, and nothing is kept of it

    def spend(self, now: int, cost: int, plan: Window) -> int:
        counting = self.counting(now)
        self.ticks += [now] * cost
        if self.kind != "FixedWindow":
            return now
        return counting[0] if counting else now  # a window is known by its first unit

    def redeem(self, now: int, receipt: int, units: int) -> None:
        mine = [tick for tick in self.counting(now) if self.part(tick) == self.part(receipt)]
        if self.kind != "FixedWindow" or mine[:1] == [receipt]:
            self.take(mine, units)

    def refund(self, now: int, units: int) -> None:
        counting = self.counting(now)
        self.take(counting, units)

    def take(self, ticks: list[int], units: int) -> None:
        """The oldest; a window keeps its first, by which it is known until none is left."""
        for tick in ticks[-units:] if self.kind == "FixedWindow" else ticks[:units]:
            self.ticks.remove(tick)


@dataclass
class Rate:
    """A capacity, and how it fills."""

    limit: int
    amount: int
    window: int

    @property
    def quota(self) -> Quota:
        return Quota(self.amount, self.window / SECOND, burst=self.limit)

    @property
    def a_tick(self) -> Fraction:
        return Fraction(self.amount, self.window)


@dataclass
class Spent:
    """A spend, and how many tokens were missing after it; without it, had nobody made it."""

    full_at: Fraction
    without: Fraction
    is_void: bool = False


@dataclass
class Bucket:
    """Tokens that are missing, in exact fractions. What each receipt tells, it tells of all that is known."""

    rate: Rate
    missing: Fraction = Fraction(0)
    since: int = 0
    receipts: list[Spent] = field(default_factory=list)

    def now_missing(self, now: int) -> Fraction:
        return max(self.missing - (now - self.since) * self.rate.a_tick, Fraction(0))

    def under(self, rate: Rate, missing: Fraction) -> Fraction:
        """The tokens that are missing, in whole grains of another rate: of those a token is so many."""
        if rate.a_tick == self.rate.a_tick:
            return missing
        token = rate.a_tick.denominator
        return Fraction(-(-missing * token // 1), token)

    def remaining(self, now: int, rate: Rate) -> int:
        return max(int((rate.limit - self.under(rate, self.now_missing(now))) // 1), 0)

    def change(self, now: int, rate: Rate) -> None:
        """Another rate decides: as many tokens are missing, and no receipt tells of them."""
        without = [self.under(rate, self._without(one, now)) for one in self.receipts]
        missing, is_another = self.now_missing(now), rate.a_tick != self.rate.a_tick
        for one, its in zip(self.receipts, without, strict=True):
            one.without, one.is_void = its, one.is_void or is_another
        self.missing, self.since, self.rate = self.under(rate, missing), now, rate

    def spend(self, now: int, cost: int, rate: Rate) -> Spent:
        self.change(now, rate)
        for one in self.receipts:
            one.without += cost
        self.missing += cost
        self.receipts.append(Spent(now + self.missing / rate.a_tick, self.missing - cost))
        return self.receipts[-1]

    def _without(self, one: Spent, now: int) -> Fraction:
        return max(one.without - (now - self.since) * self.rate.a_tick, Fraction(0))

    def redeem(self, now: int, receipt: Spent, units: int) -> None:
        if receipt.is_void:
            return
        still = max((receipt.full_at - now) * self.rate.a_tick, Fraction(0))
        self._back(now, min(Fraction(units), still, self.now_missing(now)))
        assert self.missing >= receipt.without, "more than had it not been spent"

    def refund(self, now: int, units: int) -> None:
        self._back(now, min(Fraction(units), self.now_missing(now)))

    def _back(self, now: int, tokens: Fraction) -> None:
        for one in self.receipts:
            one.without = max(self._without(one, now) - tokens, Fraction(0))
            one.full_at -= tokens / self.rate.a_tick
        self.missing, self.since = self.now_missing(now) - tokens, now
