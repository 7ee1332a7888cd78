"""Retries that a server in trouble can bear: backoff, jitter, Retry-After, deadline, budget."""

from sluicegate.retry.backoff import Backoff
from sluicegate.retry.budget import RetryBudget
from sluicegate.retry.policy import Retry, retry

__all__ = [
    "Backoff",
    "Retry",
    "RetryBudget",
    "retry",
]
