"""Which limits requests have, and the decision: what every web framework shares."""

from sluicegate.policy.policy import Policy

__all__ = ["Policy"]
