"""Exceptions. A refusal is a value, never an exception, wherever a value can be returned."""

from __future__ import annotations

__all__ = ["CircuitOpenError", "PolicyFileError", "RateLimitError", "StoreError"]


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


class PolicyFileError(ValueError):
    """A policy's file is wrong. The text has a line for each problem: ``limits.toml:12: reason``.

    Attributes:
        path: the file, as it was named.
        problems: all of them, ``(line, reason)`` in the order of the lines; line 0 is the file as a
            whole, as when it cannot be read.
    """

    def __init__(self, path: str, problems: list[tuple[int, str]]) -> None:
        super().__init__(path, problems)
        self.path = path
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(
            f"{self.path}:{line}: {reason}" if line else f"{self.path}: {reason}"
            for line, reason in self.problems
        )
