"""Which limits requests have, and the decision: what every web framework shares."""

from sluicegate.policy.identity import Identity
from sluicegate.policy.policy import Policy
from sluicegate.policy.rules.rule import Rule

__all__ = ["Identity", "Policy", "Rule"]
