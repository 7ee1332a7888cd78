"""How often policies' files have come into force again, and how often not."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from sluicegate.observe.counts import Counts

__all__ = ["RESULTS", "PolicyReloads"]

RESULTS = ("ok", "failed")


class PolicyReloads:
    """The reloads of all policies of one registry that come from files."""

    __slots__ = ("_counts", "_loaded_at")

    def __init__(self) -> None:
        self._counts = Counts(str)
        self._loaded_at: float | None = None

    def note(self, result: str | None, loaded_at: float | None) -> None:
        """Count a reload, if that is one, and note the Unix time at which the file in force was read."""
        if result is not None:
            self._counts.add(result)
        if loaded_at is not None:
            self._loaded_at = max(loaded_at, self._loaded_at or 0.0)

    def families(self) -> Iterator[Metric]:
        """What Prometheus is told; nothing unless a policy comes from a file."""
        if self._loaded_at is None:
            return
        reloads = CounterMetricFamily(
            "sluicegate_policy_reloads", "Changed versions of policies' files", labels=["result"]
        )
        counted = self._counts.totals()
        for result in RESULTS:
            reloads.add_metric([result], counted.get(result, 0))
        yield reloads
        yield GaugeMetricFamily(
            "sluicegate_policy_last_reload_success_timestamp_seconds",
            "When the file of a policy that is in force was read",
            value=self._loaded_at,
        )
