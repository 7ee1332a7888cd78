"""What a quota of one key costs: ``check(key, quota=q)`` beside ``check(key)``."""

from __future__ import annotations

import time
from itertools import repeat

from benches.python.core import CALLS, HOT, MAKERS, PLENTY, ROUNDS
from benches.python.harness import Case, Figure, one_key, paired, save, say, show, summary

from sluicegate import Limiter, Quota

MAY_COST = 1.15


def by_quota(limiter: Limiter, quota: Quota) -> Case:
    check = limiter.check

    def case() -> int:
        start = time.perf_counter_ns()
        for _ in repeat(None, CALLS):
            check(HOT, quota=quota)
        return time.perf_counter_ns() - start

    return case


def figures() -> list[Figure]:
    found = []
    for name, make in MAKERS.items():
        say(f"key quotas: {name} ...")
        floor = one_key(make(PLENTY).check, HOT, CALLS)
        times = paired({name: by_quota(make(PLENTY), Quota(PLENTY // 2, 3600))}, [floor], ROUNDS)[
            name
        ]
        ratios = [took / floor for floor, took in times]
        found.append(summary(f"check, quota=: {name}", ratios, "×", MAY_COST))
    return found


def main() -> None:
    found = figures()
    show("Quotas of one key", "Multiples of `check(key)` measured just before; medians.", found)
    save("key_quotas", found)


if __name__ == "__main__":
    main()
