"""Hooks: what a program is told of refusals, and, if it asks, of admissions."""

from sluicegate.observe.hooks import (
    Details,
    Hook,
)

__all__ = [
    "Details",
    "Hook",
]
