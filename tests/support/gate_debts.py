"""What a limit owes that is spent from whether it fits or not, by the slow models of receipts."""

from __future__ import annotations

from fractions import Fraction
from math import ceil

from gate_scripts import Limit
from receipt_traces import Bucket, Ledger

KEY = "a"
#: Which ledger counts as which algorithm.
LEDGERS = {
    "fixed_window": "FixedWindow",
    "sliding_log": "SlidingWindowRateLimiter",
    "segmented_window": "SegmentedWindow",
    "sliding_counter": "SlidingWindowCounter",
}
DEBTORS = (*LEDGERS, "token_bucket")


class Debtor:
    """One key of a limit. Beyond twice the limit nothing is counted; of a counter, of each window."""

    def __init__(self, limit: Limit) -> None:
        self.limit, self.window = limit.limit, limit.window
        self.ledger: Ledger | None = None
        if limit.kind in LEDGERS:
            self.ledger = Ledger(LEDGERS[limit.kind], self.limit, self.window)
        self.bucket = Bucket(self.limit, Fraction(self.limit, self.window))

    def used(self, now: int) -> int:
        if self.ledger is None:
            return ceil(self.bucket.missing(KEY, now))
        return self.ledger.counted(KEY, now)

    def check(self, now: int, call: int, cost: int) -> bool:
        fits = self.used(now) + cost <= self.limit
        if fits:
            self._spend(now, call, cost)
        return fits

    def spend_anyway(self, now: int, call: int, cost: int) -> int:
        """How many units were counted; of a bucket whole ones, though parts are owed as well."""
        if self.ledger is None:
            most = max(2 * self.limit - self.bucket.missing(KEY, now), Fraction(0))
            tokens = min(Fraction(cost), most)
            self.bucket.full_at[KEY] = max(self.bucket.full_at[KEY], Fraction(now))
            self.bucket.full_at[KEY] += tokens / self.bucket.rate
            return int(tokens)
        used = self.used(now)
        if self.ledger.kind == "SlidingWindowCounter":
            start = now - now % self.window
            used = sum(tick >= start for tick, _ in self.ledger.units[KEY])
        counted = min(cost, max(2 * self.limit - used, 0))
        self._spend(now, call, counted)
        return counted

    def _spend(self, now: int, call: int, units: int) -> None:
        (self.ledger or self.bucket).spend(KEY, now, call, units)
