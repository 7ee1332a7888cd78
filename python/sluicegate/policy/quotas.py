"""What is given as a quota, whichever way it is written; and the quota that is none."""

from __future__ import annotations

from time import time
from typing import Final, TypeGuard

from sluicegate._core import Decision, Quota
from sluicegate.types import AnyGate, AnyLimiter

__all__ = ["REQUESTS", "UNLIMITED", "Given", "GivenLimit", "is_quota", "quota_of", "quotas_of"]

#: A quota, its text, or ``(limit, window_seconds)``.
Given = Quota | str | tuple[int, float]

#: A quota, or what counts by one or several already.
GivenLimit = Given | AnyLimiter | AnyGate

#: What a cost counts unless a quota names something else.
REQUESTS: Final = "requests"
_MOST: Final = 2**32 - 1


def is_quota(given: object) -> TypeGuard[Given]:
    """Whether it is given as a quota, rather than as a limiter."""
    pair = isinstance(given, (tuple, list)) and len(given) == 2
    return pair or isinstance(given, (Quota, str)) or _are_quotas(given)


def _are_quotas(given: object) -> TypeGuard[tuple[Quota, ...]]:
    """Whether they are the quotas of a text that has been read."""
    return (
        isinstance(given, tuple) and all(isinstance(each, Quota) for each in given) and given != ()
    )


def quota_of(place: str, given: Given) -> Quota:
    """The quota that was given at ``place``, which errors name."""
    try:
        return Quota(given) if isinstance(given, (Quota, str)) else Quota(*given)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{place}: {error}") from error


def quotas_of(place: str, given: Given) -> tuple[Quota, ...]:
    """The quotas that were given at ``place``, of which a text may have several."""
    if _are_quotas(given):
        return given
    if not isinstance(given, str):
        return (quota_of(place, given),)
    try:
        return Quota.parse_all(given)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{place}: {error}") from error


class _Unlimited:
    """Stands for the limiter of ``"unlimited"``: admits all, counts nothing."""

    __slots__ = ("limit", "window_seconds")

    def __init__(self) -> None:
        self.limit = _MOST
        self.window_seconds = 60.0

    def check(self, _key: str, _cost: int = 1, /) -> Decision:
        """An admission that leaves as much as a decision can tell."""
        return Decision(True, _MOST, _MOST, 0.0, 0.0, time())

    peek = check


UNLIMITED: Final[AnyLimiter] = _Unlimited()
