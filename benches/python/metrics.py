"""What counting adds to a check in memory, with and without an endpoint."""

from __future__ import annotations

from benches.python.harness import QUICK, Figure, one_key, paired, save, say, show, summary
from prometheus_client import CollectorRegistry

from sluicegate import SlidingWindowRateLimiter
from sluicegate.metrics import InstrumentedRateLimiter

CALLS = 2000
ROUNDS = 100 if QUICK else 600
KEY = "ip:203.0.113.7"


def added(what: str, limit: int) -> list[Figure]:
    limiter = SlidingWindowRateLimiter(limit, 3600)
    counted = InstrumentedRateLimiter(limiter, "bench", registry=CollectorRegistry()).is_allowed
    full = InstrumentedRateLimiter(limiter, "bench", registry=CollectorRegistry()).is_allowed
    for number in range(100):
        full(KEY, f"/{number}")
    cases = {
        f"added to a check that is {what}": (one_key(counted, KEY, CALLS), 100.0),
        "with an endpoint": (one_key(lambda key: counted(key, "/users"), KEY, CALLS), None),
        "with an endpoint beyond 100": (one_key(lambda key: full(key, "/x"), KEY, CALLS), None),
        "a function that only calls the limiter": (
            one_key(lambda key: limiter.is_allowed(key), KEY, CALLS),
            None,
        ),
    }
    bare = one_key(limiter.is_allowed, KEY, CALLS)
    times = paired({name: case for name, (case, _) in cases.items()}, [bare], ROUNDS)
    floor = [took / CALLS for each in times.values() for took, _ in each]
    figures = [summary(f"the check itself, {what}", floor, "ns")]
    for name, (_, bar) in cases.items():
        samples = [(took - bare) / CALLS for bare, took in times[name]]
        figures.append(summary(name, samples, "ns", bar))
    return figures


def measure() -> list[Figure]:
    return [*added("admitted", 16_000_000), *added("refused", 1)]


def main() -> None:
    say("metrics ...")
    figures = measure()
    about = "Nanoseconds added to `is_allowed` by `InstrumentedRateLimiter`, samples and all; each\nagainst the bare limiter measured just before. The lambdas cost one more call."
    show("Metrics", about, figures)
    save("metrics", figures)


if __name__ == "__main__":
    main()
