"""A circuit breaker with a rate limit: a service in trouble is left alone."""

from sluicegate.breaker.breaker import (
    CircuitBreaker,
    CircuitConfig,
    CircuitOpenError,
    CircuitState,
    Guard,
    RateLimitError,
    StateChange,
)

__all__ = [
    "CircuitBreaker",
    "CircuitConfig",
    "CircuitOpenError",
    "CircuitState",
    "Guard",
    "RateLimitError",
    "StateChange",
]
