"""Which requests a policy limits, counted by what: rules, what they match, which of them apply."""

from sluicegate.policy.rules.rule import Rule

__all__ = ["Rule"]
