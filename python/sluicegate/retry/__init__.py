"""Retries that a server in trouble can bear: backoff, jitter, Retry-After, deadline, budget."""

from sluicegate.retry.policy import (
    Backoff,
    Retry,
    RetryBudget,
    retry,
)

__all__ = [
    "Backoff",
    "Retry",
    "RetryBudget",
    "retry",
]
