"""A circuit breaker with a rate limit: a service in trouble is left alone."""

from sluicegate.breaker.breaker import CircuitBreaker
from sluicegate.breaker.config import CircuitConfig, CircuitState, StateChange
from sluicegate.breaker.guard import Guard
from sluicegate.errors import CircuitOpenError, RateLimitError

__all__ = [
    "CircuitBreaker",
    "CircuitConfig",
    "CircuitOpenError",
    "CircuitState",
    "Guard",
    "RateLimitError",
    "StateChange",
]
