"""Prometheus metrics: what is counted, how few series there are, and what outlives what."""

from __future__ import annotations

import gc
import math
import threading
import weakref
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from forking import needs_fork, program_that_forks
from scrapes import requests, scraped
from sluicegate import (
    FixedWindow,
    ManualClock,
    SlidingWindowRateLimiter,
)
from sluicegate.metrics import InstrumentedRateLimiter
from sluicegate.observe.collector import collector_of
from sluicegate.observe.tier_metrics import Histogram


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def test_the_answers_are_those_of_the_limiter(
    registry: CollectorRegistry, clock: ManualClock
) -> None:
    limiter = SlidingWindowRateLimiter(2, 60, clock=clock)
    counted = InstrumentedRateLimiter(limiter, "free", registry=registry)
    assert [counted.is_allowed("a", "/tea") for _ in range(3)] == [True, True, False]
    assert counted.is_allowed(key="b", endpoint="/tea") is True
    assert counted.is_allowed("b") is True
    assert counted.limiter is limiter
    assert counted.tier == "free"
    assert repr(counted).startswith("<InstrumentedRateLimiter tier='free' of ")
    samples = scraped(registry)
    assert requests(samples, "allowed") == {"/tea": 3, "": 1}
    assert requests(samples, "rejected") == {"/tea": 1}
    assert samples["rate_limit_keys", "free"] == 2


def test_counts_equal_statistics_through_many_threads(registry: CollectorRegistry) -> None:
    limiter = SlidingWindowRateLimiter(30_000, 3600)
    counted = InstrumentedRateLimiter(limiter, "free", registry=registry)
    seen: list[float] = []
    done = threading.Event()

    def scrape() -> None:
        while not done.is_set():
            seen.append(sum(requests(scraped(registry), "allowed").values()))

    def work(endpoint: str) -> None:
        for n in range(6_000):
            counted.is_allowed("all", endpoint if n % 3 else "/shared")

    workers = [threading.Thread(target=work, args=(f"/{n % 4}",)) for n in range(8)]
    scraper = threading.Thread(target=scrape)
    for thread in (scraper, *workers):
        thread.start()
    for thread in workers:
        thread.join()
    done.set()
    scraper.join()
    samples = scraped(registry)
    admitted, refused = requests(samples, "allowed"), requests(samples, "rejected")
    assert (sum(admitted.values()), sum(refused.values())) == (30_000, 18_000)
    statistics = limiter.statistics()
    assert (statistics.admitted, statistics.refused) == (30_000, 18_000)
    both = {name: admitted.get(name, 0) + refused.get(name, 0) for name in {*admitted, *refused}}
    assert both == {"/shared": 16_000, **{f"/{n}": 8_000 for n in range(4)}}
    assert seen == sorted(seen)
    assert samples["rate_limit_decisions_total", "allowed", "memory", "free"] == 30_000


def test_one_check_in_64_is_timed(registry: CollectorRegistry) -> None:
    limiter = SlidingWindowRateLimiter(6_400, 3600)
    counted = InstrumentedRateLimiter(limiter, "free", registry=registry)
    for _ in range(6_400):
        counted.is_allowed("all", "/tea")
    samples = scraped(registry)
    assert samples["rate_limit_check_seconds_count", "free"] == 100
    assert samples["rate_limit_check_seconds_bucket", "+Inf", "free"] == 100
    assert 0 < samples["rate_limit_check_seconds_sum", "free"] < 60
    # The quota was used evenly, from nothing to all of it.
    assert samples["rate_limit_used_ratio_bucket", "0.5", "free"] == pytest.approx(50, abs=1)
    assert samples["rate_limit_used_ratio_bucket", "0.9", "free"] == pytest.approx(90, abs=1)
    assert samples["rate_limit_used_ratio_count", "free"] == 100


def test_a_bucket_holds_its_own_bound() -> None:
    histogram = Histogram((0.5, 1.0, math.inf))
    for value in (0.5, 1.0, 1.5):
        histogram.observe(value)
    assert histogram.read() == ([("0.5", 1), ("1.0", 2), ("+Inf", 3)], 3.0)


def test_a_histogram_sorts_values_in_and_keeps_them(registry: CollectorRegistry) -> None:
    limiter = SlidingWindowRateLimiter(1_000_000, 3600)
    counted = InstrumentedRateLimiter(limiter, "free", registry=registry)
    for _ in range(64 * 600):
        counted.is_allowed("all")
    assert scraped(registry)["rate_limit_used_ratio_bucket", "0.1", "free"] == 600
    assert scraped(registry)["rate_limit_used_ratio_bucket", "0.1", "free"] == 600


def test_100_000_clients_and_1000_endpoints_make_a_small_set(registry: CollectorRegistry) -> None:
    limiter = SlidingWindowRateLimiter(1, 3600)
    counted = InstrumentedRateLimiter(limiter, "free", registry=registry)
    sizes: list[int] = []
    for client in range(100_000):
        counted.is_allowed(f"client-{client}", f"/endpoint-{client % 1000}")
        if client in (9_999, 99_999):
            sizes.append(len(scraped(registry)))
    samples = scraped(registry)
    endpoints = requests(samples, "allowed")
    assert set(endpoints) == {"other", *(f"/endpoint-{n}" for n in range(100))}
    assert sum(endpoints.values()) == limiter.statistics().admitted == 100_000
    assert endpoints["other"] == 90_000
    assert sizes == [len(samples)] * 2
    assert "client-" not in generate_latest(registry).decode()
    print(f"{len(samples)} samples after 100,000 clients and 1,000 endpoints")


def test_a_registry_has_at_most_100_endpoints_and_tiers(registry: CollectorRegistry) -> None:
    for number in range(150):
        limiter = FixedWindow(9, 60)
        counted = InstrumentedRateLimiter(limiter, f"tier-{number}", registry=registry)
        counted.is_allowed("a", f"/{number}")
    samples = [name for name in scraped(registry) if name[0] == "rate_limit_requests_total"]
    assert len({name[3] for name in samples}) == 101
    assert len({name[1] for name in samples}) == 101


@pytest.mark.parametrize("endpoint", ["/" * 201, "\ud800", "other"])
def test_names_that_no_label_can_have_are_other(registry: CollectorRegistry, endpoint: str) -> None:
    counted = InstrumentedRateLimiter(FixedWindow(99, 60), "free", registry=registry)
    for _ in range(70):
        counted.is_allowed("a", endpoint)
    assert requests(scraped(registry), "allowed") == {"other": 70}


def test_limiters_of_a_tier_are_counted_together_and_may_go(registry: CollectorRegistry) -> None:
    for _ in range(50):
        limiter = FixedWindow(1, 3600)
        counted = InstrumentedRateLimiter(limiter, "free", registry=registry)
        counted.is_allowed("a", "/tea")
    gone = weakref.ref(limiter)
    gc.collect()
    assert scraped(registry)["rate_limit_keys", "free"] == 1
    del limiter, counted
    gc.collect()
    assert gone() is None
    samples = scraped(registry)
    assert requests(samples, "allowed") == {"/tea": 50}
    assert ("rate_limit_keys", "free") not in samples


def test_what_a_limiter_counted_itself_outlives_it(registry: CollectorRegistry) -> None:
    limiter = FixedWindow(1, 3600, max_keys=1)
    counted = [InstrumentedRateLimiter(limiter, "free", registry=registry) for _ in range(2)]
    for key in "abc":
        counted[0].is_allowed(key)
    name = ("rate_limit_overflowed_total", "free")
    overflowed = limiter.statistics().overflowed
    assert overflowed > 0
    assert [scraped(registry)[name] for _ in range(2)] == [overflowed] * 2
    del limiter
    counted.clear()
    InstrumentedRateLimiter(kept := FixedWindow(1, 3600), "free", registry=registry)
    assert len(kept) == 0
    assert scraped(registry)[name] == overflowed


def test_registries_know_nothing_of_each_other(registry: CollectorRegistry) -> None:
    other = CollectorRegistry()
    limiter = FixedWindow(9, 3600)
    InstrumentedRateLimiter(limiter, "free", registry=registry).is_allowed("a", "/tea")
    InstrumentedRateLimiter(limiter, "free", registry=other).is_allowed("a", "/coffee")
    assert requests(scraped(registry), "allowed") == {"/tea": 1}
    assert requests(scraped(other), "allowed") == {"/coffee": 1}
    forgotten = weakref.ref(other)
    del other
    gc.collect()
    assert forgotten() is None


def test_what_was_unregistered_is_registered_with_the_next_limiter(
    registry: CollectorRegistry,
) -> None:
    InstrumentedRateLimiter(FixedWindow(9, 3600), "free", registry=registry)
    registry.unregister(collector_of(registry))
    assert scraped(registry) == {}
    InstrumentedRateLimiter(FixedWindow(9, 3600), "free", registry=registry).is_allowed("a")
    assert requests(scraped(registry), "allowed") == {"": 1}


def test_an_error_of_the_limiter_counts_as_nothing(registry: CollectorRegistry) -> None:
    counted = InstrumentedRateLimiter(FixedWindow(9, 3600), "free", registry=registry)
    with pytest.raises(TypeError, match="key"):
        counted.is_allowed(7, "/tea")  # type: ignore[arg-type]
    assert requests(scraped(registry), "allowed") == {}


def test_bad_arguments_are_named(registry: CollectorRegistry) -> None:
    make: Any = InstrumentedRateLimiter
    limiter = FixedWindow(9, 60)
    with pytest.raises(
        TypeError, match="limiter must be a Limiter, an AsyncLimiter or a Gate, got 7"
    ):
        make(7, "free", registry=registry)
    with pytest.raises(TypeError, match="tier must be a str, got int 7"):
        make(limiter, 7, registry=registry)
    with pytest.raises(TypeError, match="registry must be a CollectorRegistry"):
        make(limiter, "free", registry="default")
    with pytest.raises(TypeError, match="hooks must"):
        make(limiter, "free", registry=registry, hooks=7)
    with pytest.raises(TypeError, match="endpoint must be a str, got int 7"):
        make(limiter, "free", registry=registry).is_allowed("a", 7)


_FORKS = """
from prometheus_client import CollectorRegistry
from sluicegate import FixedWindow
from sluicegate.observe.collector import collector_of
from sluicegate.metrics import InstrumentedRateLimiter

registry = CollectorRegistry()
# Not through the registry, whose own lock a child may inherit.
collector = collector_of(registry)
limited = InstrumentedRateLimiter(FixedWindow(10**6, 60), "free", registry=registry)
def scrape_on():
    while True:
        list(collector.collect())
threading.Thread(target=scrape_on, daemon=True).start()
def count_on():
    for n in range(300):
        limited.is_allowed("a", f"/{n}")
    assert "/99" in str(collector.collect())
for _ in range(20):
    time.sleep(0.003)
    ended_well([forked(count_on)], 10)
"""


@needs_fork
def test_a_child_forked_in_a_scrape_counts_on() -> None:
    program_that_forks(_FORKS)


# In Redis.
