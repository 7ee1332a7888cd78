"""The cost of a decision, in multiples of a bound ``dict.get(key)`` measured beside it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from benches.python.harness import (
    QUICK,
    Case,
    Figure,
    at_once,
    empty_loop,
    many_keys,
    one_key,
    paired,
    save,
    say,
    show,
    summary,
)

from sluicegate import (
    FixedWindow,
    Limiter,
    SegmentedWindow,
    SlidingWindowCounter,
    SlidingWindowRateLimiter,
    TokenBucket,
)

HOT = "203.0.113.7"
CALLS = 4_000
ROUNDS = 40 if QUICK else 200
KEYS = 10_000
PLENTY = 16_000_000
FEW = 100

Maker = Callable[[int], Limiter]
MAKERS: dict[str, Maker] = {
    "FixedWindow": lambda limit: FixedWindow(limit, 3600),
    "SlidingWindowRateLimiter": lambda limit: SlidingWindowRateLimiter(limit, 3600),
    "SegmentedWindow": lambda limit: SegmentedWindow(limit, 3600),
    "SlidingWindowCounter": lambda limit: SlidingWindowCounter(limit, 3600),
    "TokenBucket": lambda limit: TokenBucket(capacity=limit, refill_rate=limit / 3600),
}


def exhausted(make: Maker) -> Limiter:
    """A limiter whose hot key is refused; it hands out a unit every 36 s at most."""
    limiter = make(FEW)
    while limiter.is_allowed(HOT):
        pass
    return limiter


def floors() -> list[Case]:
    """The empty loop, and the bound ``dict.get(key)`` that everything is a multiple of."""
    lookup = dict.fromkeys((f"198.51.100.{n}" for n in range(256)), 0)
    lookup[HOT] = 0
    return [empty_loop(CALLS), one_key(lookup.get, HOT, CALLS)]


def ratios(times: list[tuple[int, ...]], calls: int, *, in_a_loop: bool = True) -> list[float]:
    """Time a call over a ``dict.get``'s, the empty loop taken off whatever ran in one."""
    found: list[float] = []
    for loop, floor, took in times:
        own_loop = loop / CALLS if in_a_loop else 0.0
        found.append((took / calls - own_loop) / ((floor - loop) / CALLS))
    return found


def floor_ns(times: dict[str, list[tuple[int, ...]]]) -> list[Figure]:
    rounds = [each for name in times for each in times[name]]
    gets = [(floor - loop) / CALLS for loop, floor, _ in rounds]
    loops = [loop / CALLS for loop, _, _ in rounds]
    return [
        summary("bound dict.get(key), the floor", gets, "ns"),
        summary("a turn of the loop, taken off both sides", loops, "ns"),
    ]


def hot_key() -> list[Figure]:
    cases: dict[str, Case] = {}
    bars: dict[str, float] = {}
    for name, make in MAKERS.items():
        full = exhausted(make)
        log = name == "SlidingWindowRateLimiter"
        for what, verb, bar in (
            ("is_allowed, admitted", make(PLENTY).is_allowed, 5.0),
            ("is_allowed, refused", full.is_allowed, 6.5 if log else 5.0),
            ("check, admitted", make(PLENTY).check, 8.0),
            ("check, refused", full.check, 8.0),
        ):
            cases[f"{what}: {name}"] = one_key(verb, HOT, CALLS)
            bars[f"{what}: {name}"] = bar
    times = paired(cases, floors(), ROUNDS)
    rows = [summary(what, ratios(times[what], CALLS), "×", bars[what]) for what in sorted(bars)]
    batches = {
        f"is_allowed_many: {name}": at_once(make(PLENTY).is_allowed_many, [HOT] * KEYS)
        for name, make in MAKERS.items()
    }
    times_many = paired(batches, floors(), ROUNDS)
    rows += [
        summary(what, ratios(each, KEYS, in_a_loop=False), "×", 2.5, "a key")
        for what, each in times_many.items()
    ]
    return [*floor_ns(times), *rows]


def many_clients() -> list[Figure]:
    distinct = [f"10.0.{n // 250}.{n % 250}" for n in range(KEYS)]
    shuffled = random.Random(1).sample(distinct, KEYS)
    lookup = dict.fromkeys(distinct, 0)
    loops = {"dict.get": many_keys(lookup.get, shuffled)}
    loops |= {
        f"is_allowed: {name}": many_keys(make(PLENTY).is_allowed, shuffled)
        for name, make in MAKERS.items()
    }
    batches = {
        f"is_allowed_many: {name}": at_once(make(PLENTY).is_allowed_many, shuffled)
        for name, make in MAKERS.items()
    }
    # Few rounds: every one of them adds to the log of every client.
    rounds = min(ROUNDS, 60)
    times = paired(loops | batches, floors(), rounds)
    return [
        summary(what, ratios(each, KEYS, in_a_loop=what in loops), "×")
        for what, each in times.items()
    ]


def _fresh_keys(count: int, seed: int) -> list[str]:
    """Strings that nobody has hashed yet (a ``str`` remembers its hash)."""
    draw = random.Random(seed).getrandbits
    return [f"{draw(64):016x}" for _ in range(count)]


def _insert(keys: list[str]) -> int:
    held: dict[str, int] = {}
    start = time.perf_counter_ns()
    for key in keys:
        held[key] = 1
    return time.perf_counter_ns() - start


def first_touch() -> list[Figure]:
    count, rounds = 1_000_000, 2 if QUICK else 5
    inserts: list[float] = []
    singles: dict[str, list[float]] = {name: [] for name in MAKERS}
    batched: dict[str, list[float]] = {name: [] for name in MAKERS}
    for seed in range(rounds):
        for name, make in MAKERS.items():
            base = _insert(_fresh_keys(count, seed))
            inserts.append(base / count)
            single = many_keys(make(100).is_allowed, _fresh_keys(count, seed))()
            singles[name].append(single / base)
            batch = at_once(make(100).is_allowed_many, _fresh_keys(count, seed))()
            batched[name].append(batch / base)
    figures = [summary("held[key] = 1, a key, the floor here", inserts, "ns")]
    for name in MAKERS:
        figures.append(summary(f"is_allowed: {name}", singles[name], "×", 1.0))
        figures.append(summary(f"is_allowed_many: {name}", batched[name], "×"))
    return figures


def main() -> None:
    say("core: a hot key ...")
    hot = hot_key()
    about = "Multiples of a bound `dict.get(key)` measured just before; medians."
    show("A hot key", about, hot)
    say("core: many keys ...")
    many = many_clients()
    show("10,000 keys in random order", f"{about} A key.", many)
    say("core: a million keys for the first time ...")
    first = first_touch()
    show(
        "A first touch of a million keys",
        "Multiples of inserting the same million keys into a dict. All strings are fresh.",
        first,
    )
    save("core", [*hot, *many, *first])


if __name__ == "__main__":
    main()
