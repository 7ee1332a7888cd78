"""What Prometheus is told when it scrapes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any
from weakref import WeakKeyDictionary

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from sluicegate._support import fork
from sluicegate.observe.labels import Endpoints
from sluicegate.observe.tally import Tally

__all__ = ["TierCollector", "collector_of"]


class TierCollector(Collector):
    """The tallies of one registry, one for each tier."""

    def __init__(self) -> None:
        self._lock = fork.new_lock()
        self._endpoints = Endpoints()
        self._names = Endpoints("tier")
        self._tallies: dict[str, Tally] = {}

    def tally(self, tier: str) -> Tally:
        """The tier's tally; limiters of the same tier share it."""
        name = self._names.label(tier)
        with self._lock:
            tally = self._tallies.get(name)
            if tally is None:
                tally = self._tallies[name] = Tally(self._endpoints)
            return tally

    def describe(self) -> Iterable[Metric]:
        return _families({})

    def collect(self) -> Iterable[Metric]:
        with self._lock:
            tallies = dict(self._tallies)
        return _families(tallies)


_registering = fork.new_lock()
_collectors: WeakKeyDictionary[CollectorRegistry, TierCollector] = WeakKeyDictionary()


def collector_of(registry: object) -> TierCollector:
    """The registry's own collector; registered when it is asked for."""
    if not isinstance(registry, CollectorRegistry):
        raise TypeError(f"registry must be a CollectorRegistry, got {registry!r}")
    with _registering:
        collector = _collectors.get(registry)
        if collector is None:
            collector = TierCollector()
            registry.register(collector)
            _collectors[registry] = collector
        else:
            with suppress(ValueError):  # it is there, unless somebody has unregistered it
                registry.register(collector)
        return collector


def _families(tallies: dict[str, Tally]) -> list[Metric]:
    return [
        _requests(tallies),
        _by_store(tallies),
        _histogram(
            "rate_limit_check_seconds",
            "Time a check takes: one in 64 in memory, every one in Redis",
            tallies,
            lambda tally: tally.seconds.read(),
        ),
        _histogram(
            "rate_limit_used_ratio",
            "Share of its quota that a client has used after a check: a sample like the times",
            tallies,
            lambda tally: tally.used.read(),
        ),
        *_of_sources(tallies),
    ]


def _requests(tallies: dict[str, Tally]) -> Metric:
    labels = ["tier", "endpoint", "result"]
    family = CounterMetricFamily("rate_limit_requests", "Rate limit checks", labels=labels)
    for tier, tally in tallies.items():
        for result, counts in tally.results.items():
            for endpoint, number in counts.totals().items():
                family.add_metric([tier, endpoint, result], number)
    return family


def _by_store(tallies: dict[str, Tally]) -> Metric:
    labels = ["tier", "store", "result"]
    about = "Rate limit decisions, by who made them"
    family = CounterMetricFamily("rate_limit_decisions", about, labels=labels)
    for tier, tally in tallies.items():
        for (store, result), number in tally.decided().items():
            family.add_metric([tier, store, result], number)
    return family


def _histogram(
    name: str, about: str, tallies: dict[str, Tally], read: Callable[[Tally], tuple[Any, float]]
) -> Metric:
    family = HistogramMetricFamily(name, about, labels=["tier"])
    for tier, tally in tallies.items():
        buckets, total = read(tally)
        family.add_metric([tier], buckets, total)
    return family


def _of_sources(tallies: dict[str, Tally]) -> list[Metric]:
    keys = GaugeMetricFamily("rate_limit_keys", "Keys held in memory", labels=["tier"])
    overflowed = CounterMetricFamily(
        "rate_limit_overflowed",
        "Calls that the overflow policy decided, since max_keys live keys were held",
        labels=["tier"],
    )
    errors = CounterMetricFamily(
        "rate_limit_store_errors",
        "Calls that the server did not decide",
        labels=["tier", "reason"],
    )
    for tier, tally in tallies.items():
        held, counts = tally.sources.read()
        if held is not None:
            keys.add_metric([tier], held)
            overflowed.add_metric([tier], counts.get("overflowed", 0))
        timeouts = counts.get("timeouts", 0)
        for reason, number in (
            ("timeout", timeouts),
            ("error", counts.get("errors", 0) - timeouts),
        ):
            if number:
                errors.add_metric([tier, reason], number)
    return [keys, overflowed, errors]
