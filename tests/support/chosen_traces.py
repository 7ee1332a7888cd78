"""Random calls of chosen limits: of gates that answer the same, and of slow ledgers beside them."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from receipt_traces import Bucket, Ledger
from sluicegate import GateDecision, Limit, Quota, RateLimitError

START = 1_800_000_000 * 10**6
SECOND = 10**6
KEYS = "ab"
#: The algorithms that answer the same wherever they are kept; and those of memory and Redis. A zone
#: counts the parts of a token by whole ticks, so that its buckets need amounts which divide a second, and
#: its buckets' receipts do not know of each other, so that only the last call is put right.
EVERYWHERE = ("fixed_window", "sliding_counter", "token_bucket")
WHOLE = (1, 2, 5, 8)
IN_MEMORY = (*EVERYWHERE, "sliding_window", "segmented_window")
#: Which ledger counts as which algorithm.
_LEDGERS = {
    "fixed_window": "FixedWindow",
    "sliding_window": "SlidingWindowRateLimiter",
    "segmented_window": "SegmentedWindow",
    "sliding_counter": "SlidingWindowCounter",
}


class Account:
    """What one limit has counted, unit by unit."""

    def __init__(self, algorithm: str, limit: int, seconds: int, is_shadow: bool) -> None:
        self.algorithm, self.limit, self.seconds = algorithm, limit, seconds
        self.window, self.is_shadow = seconds * SECOND, is_shadow
        self.of: Ledger | Bucket
        if algorithm == "token_bucket":
            self.of = Bucket(limit, Fraction(limit, self.window))
        else:
            self.of = Ledger(_LEDGERS[algorithm], limit, self.window)

    def left(self, key: str, now: int) -> int:
        return max(self.of.remaining(key, now), 0)

    def owe(self, key: str, now: int, call: int, units: int) -> None:
        """Spent whether it fits or not; beyond twice the limit nothing is counted."""
        if isinstance(self.of, Bucket):
            most = max(2 * self.limit - self.of.missing(key, now), Fraction(0))
            self.of.full_at[key] = max(self.of.full_at[key], Fraction(now))
            self.of.full_at[key] += min(Fraction(units), most) / self.of.rate
            return
        counted = self.of.counted(key, now)
        if self.algorithm == "sliding_counter":
            start = now - now % self.window
            counted = sum(tick >= start for tick, _ in self.of.units[key])
        self.of.spend(key, now, call, min(units, max(2 * self.limit - counted, 0)))

    @property
    def declared(self) -> Limit:
        quota = Quota(self.limit, self.seconds)
        if self.algorithm == "token_bucket":
            quota = Quota(self.limit, self.seconds, burst=self.limit)
        return Limit(quota, algorithm=self.algorithm, shadow=self.is_shadow)


class Spent:
    """A call that was admitted: by which limits, of which keys and at which cost, in every gate."""

    def __init__(self, call: int, chosen: list[int], keys: dict[str, Any], cost: Any) -> None:
        self.call, self.chosen, self.keys, self.cost = call, chosen, keys, cost
        #: The limits that have spent.
        self.places: list[int] = []
        self.told: list[tuple[Any, GateDecision]] = []
        #: The calls of reservations, by gate.
        self.held: list[Any] = []


class Trace:
    """Gates of the same limits on one trace. ``make`` gives them, ``advance`` moves all clocks by ticks."""

    def __init__(
        self,
        seed: int,
        algorithms: Sequence[str],
        make: Callable[[list[Limit]], list[Any]],
        advance: Callable[[int], None],
        begin: int = START,
        amounts: Sequence[int] = (1, 2, 3, 5, 9),
        only_last: bool = False,
    ) -> None:
        chance = self.chance = random.Random(seed)
        self.now, self.advance, self.only_last = begin, advance, only_last
        self.accounts = [
            Account(
                chance.choice(algorithms),
                chance.choice(amounts),
                chance.choice([1, 2, 10]),
                chance.random() < 0.15,
            )
            for _ in range(chance.randint(1, 6))
        ]
        self.bys = [chance.choice(["user", "org", f"own {at}"]) for at in range(len(self.accounts))]
        self.gates = make([self._limit(at) for at in range(len(self.accounts))])
        self.spent: list[Spent] = []

    def _limit(self, at: int) -> Limit:
        declared = self.accounts[at].declared
        (quota,) = declared.quotas
        return Limit(
            quota,
            by=self.bys[at],
            name=f"limit {at}",
            algorithm=declared.algorithm,
            shadow=declared.shadow,
        )

    def run(self, steps: int) -> None:
        for number in range(steps):
            self.step(number)

    def step(self, number: int) -> None:
        chance = self.chance
        gap = chance.choice(
            [0, 0, 1, chance.randint(0, SECOND), chance.choice([1, 2, 10]) * SECOND]
        )
        self.now += gap
        self.advance(gap)
        what = chance.random()
        if what < 0.6:
            self.ask(number, spends=what < 0.5)
        elif self.spent:
            self.settle(-1 if self.only_last else chance.randrange(len(self.spent)))
            if self.only_last:
                self.spent.clear()

    def ask(self, number: int, spends: bool) -> None:
        chance, many = self.chance, range(len(self.accounts))
        chosen = sorted(chance.sample(many, chance.randint(1, len(self.accounts))))
        bys = dict.fromkeys(self.bys[at] for at in chosen)
        keys = {by: chance.choice([*KEYS, *KEYS, None]) for by in bys}
        cost = tuple(
            chance.choice([0, 1, 1, chance.randint(1, self.accounts[at].limit)]) for at in chosen
        )
        quotas = [self._quota(at) if at in chosen else None for at in many]
        spent, fits = Spent(number, chosen, keys, cost), True
        for at, units in zip(chosen, cost, strict=True):
            key, account = keys[self.bys[at]], self.accounts[at]
            if key is None or units == 0:
                continue
            room = account.left(key, self.now) >= units
            fits &= room or account.is_shadow
            if room:
                spent.places.append(at)
        for gate in self.gates:
            self._ask(gate, spent, quotas, spends)
        first = spent.told[0][1]
        assert first.allowed == fits, (number, first, chosen, keys, cost)
        if spends and fits:
            for at in spent.places:
                units = cost[chosen.index(at)]
                self.accounts[at].of.spend(keys[self.bys[at]], self.now, number, units)
            self.spent.append(spent)
        for gate, told in spent.told:
            self.compare(number, gate, told, first, spent)

    def _ask(self, gate: Any, spent: Spent, quotas: list[Quota | None], spends: bool) -> None:
        by = gate._quotas(quotas)
        if not spends:
            spent.told.append((gate, gate._peek_by_sync(by, spent.keys, spent.cost)))
        elif spent.call % 3 == 0:
            reservation = gate._reserve_by(by, spent.keys, spent.cost)
            spent.held.append(reservation._call)
            spent.told.append((gate, reservation._call.acquire_sync(0)))
            if not spent.told[-1][1].allowed:
                entered = False
                with contextlib.suppress(RateLimitError):
                    entered = bool(gate._reserve_by(by, spent.keys, spent.cost).__enter__())
                assert not entered
        else:
            spent.told.append((gate, gate._check_by_sync(by, spent.keys, spent.cost)))

    def _quota(self, at: int) -> Quota:
        return self.accounts[at].declared.quotas[0]

    def compare(
        self, number: int, gate: Any, told: GateDecision, first: GateDecision, spent: Spent
    ) -> None:
        """A gate's answer beside the first one's, and beside the ledgers."""
        taking = [
            at
            for at, units in zip(spent.chosen, spent.cost, strict=True)
            if units and spent.keys[self.bys[at]] is not None
        ]
        assert list(told.limits) == [f"limit {at}" for at in taking], (number, gate)
        mine = {name: (each.allowed, each.remaining) for name, each in told.limits.items()}
        others = {name: (each.allowed, each.remaining) for name, each in first.limits.items()}
        assert mine == others, (number, gate)
        assert (told.allowed, told.refused_by) == (first.allowed, first.refused_by), (number, gate)
        for at in taking:
            left = self.accounts[at].left(spent.keys[self.bys[at]], self.now)
            assert told.limits[f"limit {at}"].remaining == left, (number, gate, at)

    def settle(self, at: int) -> None:
        spent = self.spent.pop(at)
        chance = self.chance
        used = tuple(
            None
            if units == 0
            else chance.choice([None, 0, units, chance.randint(0, units), units + 1, 3 * units + 9])
            for units in spent.cost
        )
        by_gate = [None] * len(self.accounts)
        for place in spent.chosen:
            by_gate[place] = self._quota(place)  # type: ignore[call-overload]
        for number, (gate, told) in enumerate(spent.told):
            quotas = gate._quotas(by_gate)
            if spent.held:
                spent.held[number].examine(used)
                spent.held[number].end_sync(told, used)
                continue
            arguments = (quotas, spent.keys, spent.cost, told, used)
            gate._settle_by_sync(*arguments)
            if any(used[spent.chosen.index(place)] is not None for place in spent.places):
                self._is_refused(gate, arguments)
        for place in spent.places:
            actual = used[spent.chosen.index(place)]
            units = spent.cost[spent.chosen.index(place)]
            account, key = self.accounts[place], spent.keys[self.bys[place]]
            if actual is not None and actual < units:
                account.of.give_back(key, self.now, spent.call, units - actual)
            elif actual is not None and actual > units:
                account.owe(key, self.now, -1 - spent.call, actual - units)
        self._look(spent)

    def _is_refused(self, gate: Any, arguments: Any) -> None:
        try:
            gate._settle_by_sync(*arguments)
        except ValueError as error:
            assert "before" in str(error)
        else:
            raise AssertionError("it was put right twice")

    def _look(self, spent: Spent) -> None:
        """What is left of what was put right."""
        for gate in self.gates:
            for place in spent.places:
                key = spent.keys[self.bys[place]]
                chosen = [self._quota(at) if at == place else None for at in range(len(self.bys))]
                told = gate._peek_by_sync(gate._quotas(chosen), key)
                left = self.accounts[place].left(key, self.now)
                assert told.limits[f"limit {place}"].remaining == left, (gate, place, spent.call)
