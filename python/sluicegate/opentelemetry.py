"""Rate limits as OpenTelemetry metrics: a hook (needs ``opentelemetry-api``)."""

from sluicegate.observe.opentelemetry import (
    OpenTelemetryHook,
)

__all__ = [
    "OpenTelemetryHook",
]
