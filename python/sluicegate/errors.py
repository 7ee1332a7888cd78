"""Exceptions. A refusal is a value, never an exception, wherever a value can be returned."""

from __future__ import annotations

__all__ = ["CircuitOpenError", "RateLimitError", "StoreError"]


class RateLimitError(Exception):
    """A call was refused where no Decision can be returned, as around a function.

    Attributes:
        retry_after: seconds until it would be admitted, > 0.
    """

    def __init__(self, message: str = "Rate limit exceeded", retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class CircuitOpenError(Exception):
    """A circuit breaker did not let a call through.

    Attributes:
        retry_after: seconds until it may let one through, > 0.
    """

    def __init__(self, message: str = "Circuit is open", retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class StoreError(Exception):
    """The server that holds a limiter's state did not decide, and ``on_error`` is ``"raise"``."""
