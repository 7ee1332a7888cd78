"""Rate limits as OpenTelemetry metrics: a hook (needs ``opentelemetry-api``)."""

from __future__ import annotations

from collections.abc import Callable

from opentelemetry.metrics import Meter, get_meter

from sluicegate.observe.hooks import Details
from sluicegate.observe.labels import BoundedLabels

__all__ = ["OpenTelemetryHook"]


class OpenTelemetryHook:
    """Counts decisions in ``rate_limit.requests`` and used quotas in ``rate_limit.used_ratio``; and in
    ``rate_limit.would_refuse`` whom limits would have refused that only watch.

    The attributes are ``tier``, ``endpoint`` (at most 100 values, then ``other``), ``result``
    (``allowed``, ``rejected``, ``unavailable`` or ``too_large``) and ``store``; where there are several
    limits also ``limit``, the name of the one that decided (as many); never the client. Each process
    exports its own counts, and the backend adds them up.

    Args:
        meter: where the instruments are made; the global provider's meter unless given.
        admissions: whether admissions are counted, too; they then cost a few microseconds.
    """

    on_admitted: Callable[[Details], None] | None
    """Counts an admission; ``None`` if ``admissions`` is false."""

    def __init__(self, meter: Meter | None = None, *, admissions: bool = True) -> None:
        if not isinstance(admissions, bool):
            raise TypeError(f"admissions must be True or False, got {admissions!r}")
        if meter is None:
            meter = get_meter("sluicegate")
        if not isinstance(meter, Meter):
            raise TypeError(f"meter must be a Meter or None, got {meter!r}")
        self._endpoints = BoundedLabels()
        self._tiers = BoundedLabels("tier")
        self._limits = BoundedLabels("limit")
        self._requests = meter.create_counter(
            "rate_limit.requests", unit="{request}", description="Rate limit checks"
        )
        self._used = meter.create_histogram(
            "rate_limit.used_ratio",
            unit="1",
            description="Share of its quota that a client has used after a check",
        )
        self._would_refuse = meter.create_counter(
            "rate_limit.would_refuse",
            unit="{request}",
            description="Requests that a limit would have refused, which only watches",
        )
        self.on_admitted = self._count if admissions else None

    def on_refused(self, details: Details) -> None:
        """Counts a refusal."""
        self._count(details)

    def on_would_refuse(self, details: Details) -> None:
        """Counts what a limit would have refused that only watches."""
        self._would_refuse.add(
            1,
            {
                "tier": self._tiers.label(details.limiter),
                "limit": self._limits.label(details.limit_name or ""),
                "endpoint": self._endpoints.label(details.endpoint),
            },
        )

    def _count(self, details: Details) -> None:
        counted = {"tier": self._tiers.label(details.limiter)}
        if details.limit_name is not None:
            counted["limit"] = self._limits.label(details.limit_name)
        refused = "unavailable" if details.store == "closed" else "rejected"
        result = "allowed" if details.allowed else refused
        attributes = {
            **counted,
            "endpoint": self._endpoints.label(details.endpoint),
            "result": "too_large" if details.retry_after is None else result,
        }
        if details.store is not None:
            attributes["store"] = details.store
            if details.store not in ("open", "closed"):
                self._used.record(1 - details.remaining / details.limit, counted)
        self._requests.add(1, attributes)
