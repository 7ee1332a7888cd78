"""Quotas of a policy in code that can never refuse, since a longer window allows less: the log says so."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from sluicegate.policy.making import declared
from sluicegate.policy.rules.checking import idle, warnings_of

if TYPE_CHECKING:
    from sluicegate.policy.options import PolicyOptions

__all__ = ["warn_of_idle"]

_log = logging.getLogger("sluicegate")


def warn_of_idle(policy: PolicyOptions) -> None:
    """Say which of its quotas can never refuse, each once in a process."""
    tiers = policy.tiers if isinstance(policy.tiers, Mapping) else {}
    for name, given in tiers.items():
        place = f"tiers[{name!r}]"
        quotas = declared(place, given) if isinstance(given, str | list | tuple) else None
        if isinstance(quotas, tuple):
            for why in idle(quotas):
                _tell(f"{place}: {why}")
    for problem in warnings_of(policy.rules):
        _tell(str(problem))


@lru_cache(maxsize=256)  # some frameworks make a middleware for each route
def _tell(message: str) -> None:
    _log.warning("%s", message)
