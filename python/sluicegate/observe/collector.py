"""What Prometheus is told when it scrapes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
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
from sluicegate.observe.labels import BoundedLabels
from sluicegate.observe.reloads import PolicyReloads
from sluicegate.observe.tier_metrics import TierMetrics

__all__ = ["TierCollector", "collector_of"]


class TierCollector(Collector):
    """The tiers of one registry, one for each tier."""

    def __init__(self) -> None:
        self._lock = fork.new_lock()
        self._endpoints = BoundedLabels()
        self._names = BoundedLabels("tier")
        self._limits = BoundedLabels("limit")
        self._tiers: dict[str, TierMetrics] = {}
        #: Of policies that come from files.
        self.reloads = PolicyReloads()

    def metrics(self, tier: str) -> TierMetrics:
        """The tier's metrics; limiters of the same tier share it."""
        name = self._names.label(tier)
        with self._lock:
            metrics = self._tiers.get(name)
            if metrics is None:
                metrics = self._tiers[name] = TierMetrics(self._endpoints, self._limits)
            return metrics

    def describe(self) -> Iterable[Metric]:
        return _families({})

    def collect(self) -> Iterable[Metric]:
        with self._lock:
            tiers = dict(self._tiers)
        return [*_families(tiers), *self.reloads.families()]


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


def _families(tiers: dict[str, TierMetrics]) -> list[Metric]:
    return [
        _requests(tiers),
        _by_store(tiers),
        _histogram(
            "rate_limit_check_seconds",
            "Time a check takes: one in 64 in memory, every one in Redis",
            tiers,
            lambda metrics: metrics.seconds.read(),
        ),
        _histogram(
            "rate_limit_used_ratio",
            "Share of its quota that a client has used after a check: a sample like the times",
            tiers,
            lambda metrics: metrics.used.read(),
        ),
        *_of_sources(tiers),
    ]


def _requests(tiers: dict[str, TierMetrics]) -> Metric:
    labels = ["tier", "endpoint", "result"]
    family = CounterMetricFamily("rate_limit_requests", "Rate limit checks", labels=labels)
    for tier, metrics in tiers.items():
        for result, counts in metrics.results.items():
            for endpoint, number in counts.totals().items():
                family.add_metric([tier, endpoint, result], number)
    return family


def _by_store(tiers: dict[str, TierMetrics]) -> Metric:
    labels = ["tier", "store", "result"]
    about = "Rate limit decisions, by who made them"
    family = CounterMetricFamily("rate_limit_decisions", about, labels=labels)
    for tier, metrics in tiers.items():
        for (store, result), number in metrics.decided().items():
            family.add_metric([tier, store, result], number)
    return family


def _histogram(
    name: str,
    about: str,
    tiers: dict[str, TierMetrics],
    read: Callable[[TierMetrics], tuple[list[tuple[str, float]], float]],
) -> Metric:
    family = HistogramMetricFamily(name, about, labels=["tier"])
    for tier, metrics in tiers.items():
        buckets, total = read(metrics)
        family.add_metric([tier], buckets, total)
    return family


def _of_sources(tiers: dict[str, TierMetrics]) -> list[Metric]:
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
    limits = CounterMetricFamily(
        "rate_limit_limit_decisions",
        "What each limit of a gate said, by its name",
        labels=["tier", "limit", "result"],
    )
    for tier, metrics in tiers.items():
        held, counts = metrics.counts.read()
        if held is not None:
            keys.add_metric([tier], held)
            overflowed.add_metric([tier], counts.get(("", "overflowed"), 0))
        timeouts = counts.get(("", "timeouts"), 0)
        for reason, number in (
            ("timeout", timeouts),
            ("error", counts.get(("", "errors"), 0) - timeouts),
        ):
            if number:
                errors.add_metric([tier, reason], number)
        for (limit, result), number in _by_limit(counts, metrics.limit_names).items():
            limits.add_metric([tier, limit, result], number)
    return [keys, overflowed, errors, limits]


_RESULTS = {"admitted": "allowed", "refused": "rejected", "would_have_refused": "would_refuse"}


def _by_limit(
    counts: dict[tuple[str, str], int], names: BoundedLabels
) -> dict[tuple[str, str], int]:
    """The counts of gates' limits, by name and result."""
    found: Counter[tuple[str, str]] = Counter()
    for (limit, counted), number in counts.items():
        if limit and number:
            found[names.label(limit), _RESULTS[counted]] += number
    return found
