"""Prometheus metrics (extra ``[metrics]``): few series, and next to no cost.

All are by tier; no label ever holds a client, an address or a raw path.

- ``rate_limit_requests_total{tier,endpoint,result}``: checks. ``result`` is ``allowed``,
  ``rejected``, ``too_large`` (the cost exceeds the limit), ``unavailable`` (the server did not
  decide, and ``on_error`` is ``"closed"``) or ``error`` (the same with ``"raise"``). A registry has at most 100 endpoints, and tiers;
  all others are ``other``.
- ``rate_limit_check_seconds{tier}``, ``rate_limit_used_ratio{tier}``: histograms of the time
  a check takes, and of the share of its quota that a client has used after it. In memory one
  check in 64 is measured (compare their buckets, not their ``_count``), in Redis every one.
- ``rate_limit_decisions_total{tier,store,result}``: who decided, as in ``Decision.store``.
- ``rate_limit_keys{tier}``, ``rate_limit_overflowed_total{tier}``,
  ``rate_limit_store_errors_total{tier,reason}``: from the limiters' ``statistics()``;
  where tiers share a limiter, under the first one's name.

Numbers are put together when Prometheus scrapes. They are those of one process: where several
serve the same port, let each serve its metrics on a port of its own, or export with
:class:`sluicegate.opentelemetry.OpenTelemetryHook`; prometheus_client's multi-process mode
does not see collectors like this one. A forked child starts with its parent's counts.
"""

from sluicegate.observe.metrics import (
    InstrumentedRateLimiter,
)

__all__ = [
    "InstrumentedRateLimiter",
]
