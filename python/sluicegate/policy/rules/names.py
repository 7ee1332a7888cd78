"""What a rule is called, and each of its limits: in decisions, fields, metrics and stores."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from sluicegate.gate.parts import window_of

if TYPE_CHECKING:
    from sluicegate._core import Quota
    from sluicegate.policy.rules.sources import Source

__all__ = ["LONGEST", "is_seen", "limit_name", "rule_name"]

#: So that there is room for the window behind it.
LONGEST: Final = 46
_LONGEST_OF_LIMIT: Final = 64
_DIGITS: Final = 8


def is_seen(text: str) -> bool:
    """Whether header fields and logs show it as it is."""
    return text.isascii() and text.isprintable()


def rule_name(pattern: str, sources: Iterable[Source]) -> str:
    """The name of a rule that was given none: ``POST /login by address``."""
    by = "+".join(map(str, sources))
    return _fitted(pattern if by == "client" else f"{pattern} by {by}", LONGEST)


def limit_name(rule: str, quota: Quota) -> str:
    """The name of one of a rule's limits: ``POST /login by address/minute``; with its unit, if named."""
    unit = () if quota.unit == "requests" or quota.concurrent is not None else (quota.unit,)
    return _fitted("/".join((rule, *unit, window_of(quota))), _LONGEST_OF_LIMIT)


def _fitted(name: str, longest: int) -> str:
    """The name if all may see it, else what may be seen of it and a digest of all."""
    seen = "".join(filter(is_seen, name))
    if seen == name and len(name) <= longest:
        return name
    digest = blake2b(name.encode("utf-8", "surrogatepass"), digest_size=_DIGITS // 2).hexdigest()
    return f"{seen[: longest - _DIGITS - 1]}~{digest}"
