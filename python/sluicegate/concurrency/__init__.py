"""At most so many at once: permits that are held while something goes on (nginx's limit_conn)."""

from sluicegate.concurrency.memory import ConcurrencyLimiter
from sluicegate.concurrency.permit import Entry, Permit

__all__ = [
    "ConcurrencyLimiter",
    "Entry",
    "Permit",
]
