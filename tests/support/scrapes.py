"""What Prometheus would read from a registry."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

Samples = dict[tuple[str, ...], float]
NAMES = {
    "rate_limit_requests",
    "rate_limit_decisions",
    "rate_limit_check_seconds",
    "rate_limit_used_ratio",
    "rate_limit_keys",
    "rate_limit_overflowed",
    "rate_limit_store_errors",
    "rate_limit_limit_decisions",
}


def scraped(registry: CollectorRegistry) -> Samples:
    """Each sample by its name and its labels' values, these by the labels' names in order."""
    text = generate_latest(registry).decode()
    samples: Samples = {}
    for family in text_string_to_metric_families(text):
        assert family.name in NAMES
        for sample in family.samples:
            assert set(sample.labels) <= {
                "tier",
                "limit",
                "endpoint",
                "result",
                "store",
                "reason",
                "le",
            }
            values = [sample.labels[label] for label in sorted(sample.labels)]
            name = (sample.name, *values)
            assert name not in samples
            samples[name] = sample.value
    return samples


def requests(samples: Samples, result: str, tier: str = "free") -> dict[str, float]:
    """Checks with this result, by endpoint."""
    kept = ("rate_limit_requests_total", result, tier)
    return {name[1]: value for name, value in samples.items() if (name[0], *name[2:]) == kept}
