"""The tiers of a policy that has a function of their names, as for plans in a database."""

from __future__ import annotations

import inspect
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Final, NamedTuple

from sluicegate._core import Quota
from sluicegate._support.arguments import number
from sluicegate._support.functions import is_async
from sluicegate.policy.gates.joint import JointLimits
from sluicegate.policy.making import declared
from sluicegate.policy.options import PolicyOptions
from sluicegate.policy.owned import Owned
from sluicegate.policy.tiers.tier import Tier
from sluicegate.policy.tiers.unknown import UnknownTiers
from sluicegate.policy.tiers.windows import TooManyLimitersError, Windows

__all__ = ["Plans"]

_log = logging.getLogger("sluicegate")

#: The name of those clients' tier that have none, unless ``default_tier`` says so.
_DEFAULT: Final = "default"
#: Names of each kind, known and unknown, whose answers are kept.
_MOST_NAMES: Final = 1_024
#: Limiters that are made of quotas: one for each window and unit.
_MOST_LIMITERS: Final = 64
#: Nobody knows how much a plan will have some day, so that no algorithm is chosen for small ones.
_ANY: Final = Quota(2**32 - 1, 1)
_ADVICE: Final = (
    "it is asked in the midst of a request and cannot be awaited: keep the plans in a dict that a "
    "task of yours refreshes, and pass tiers=plans.get"
)


class _Known(NamedTuple):
    """What the function said of a name, and until when that is believed."""

    given: Any
    tier: Tier
    until: float


class Plans:
    """Tiers by a function of the name, whose answers are kept for a while.

    An exception of the function is the caller's, and what is no limit an error that names it.

    Attributes:
        default: the tier of clients who have none, as it was last known: here nobody is asked.
    """

    def __init__(
        self,
        ask: Callable[[str], Any],
        policy: PolicyOptions,
        owned: Owned,
        joint: JointLimits | None = None,
        *,
        blocks: bool = False,
    ) -> None:
        if is_async(ask):
            raise TypeError(f"tiers must be a plain function, got {ask!r}: {_ADVICE}")
        self._ask = ask
        self._ttl = number("tier_ttl", policy.tier_ttl, 0, 1e6, "seconds")
        self._time = time.monotonic if policy.clock is None else policy.clock.time
        #: Whether all are counted by one gate, in every process alike: as the default one is.
        self._is_joint: bool | None = None
        # In a zone the plan itself decides: what is too large for it there is an error.
        beside = [] if policy.place == "zone" else [_ANY]
        self._windows = Windows(
            policy,
            owned,
            beside,
            is_joint=lambda _: bool(self._is_joint),
            beside_joint=lambda _: beside,
            most=_MOST_LIMITERS,
            joint=joint,
            blocks=blocks,
        )
        self._known: dict[str, _Known] = {}
        self._unknown: dict[str, float] = {}
        self._strangers = UnknownTiers(policy)
        self._watch: Callable[[Tier], None] | None = None
        self._said: set[str] = set()
        self._default_name = _DEFAULT if policy.default_tier is None else policy.default_tier
        default = self._find(self._default_name)
        if default is None:
            name = self._default_name
            raise ValueError(
                f"tiers({name!r}) returned None: that is the tier of clients who have none, so it "
                "has to be known from the beginning; default_tier= gives it another name"
            )
        self.default = default

    def __iter__(self) -> Iterator[Tier]:
        """The tiers that there are from the beginning."""
        yield self.default

    def watch(self, watch: Callable[[Tier], None]) -> None:
        """Have all tiers watched, those to come too."""
        self._watch = watch
        for known in list(self._known.values()):
            watch(known.tier)

    def get(self, name: str | None) -> Tier:
        """The tier of that name, the default one for ``None``.

        For a name that is unknown the default one too, with a warning; or a ``LookupError``.
        """
        tier = None if name is None else self._find(name)
        if tier is not None:
            return tier
        if name is not None:
            self._strangers.note(name, self._default_name)
        default = self._find(self._default_name)
        if default is None:
            self._say_once("tiers(%r) is None by now: the last answer holds.", self._default_name)
            return self.default
        self.default = default
        return default

    def _find(self, name: str) -> Tier | None:
        now = self._time()
        known = self._known.get(name)
        if known is not None and now < known.until:
            return known.tier
        if now < self._unknown.get(name, now):
            return None
        given, until = self._answer(name), now + self._ttl
        if given is None:
            _keep(self._unknown, name, until)
            return None
        if known is None or known.given != given:
            tier = self._made(name, given)
            # Where there are too many, look again next time: the default one may have changed.
            known = (
                _Known(None, self.default, until) if tier is None else _Known(given, tier, until)
            )
        _keep(self._known, name, known._replace(until=until))
        return known.tier

    def _answer(self, name: str) -> Any:
        """What the function says: a quota, a limiter or ``None``."""
        given = self._ask(name)
        if inspect.isawaitable(given):
            if inspect.iscoroutine(given):
                given.close()  # or Python warns that it was never awaited
            raise TypeError(f"tiers({name!r}) must return a quota, got {given!r}: {_ADVICE}")
        return None if given is None else declared(f"tiers({name!r})", given)

    def _made(self, name: str, given: Any) -> Tier | None:
        if self._is_joint is None:
            self._is_joint = isinstance(given, tuple)
        try:
            tier = self._windows.tier(f"tiers({name!r})", name, given)
        except TooManyLimitersError:
            self._say_once(
                "tiers=: %d limiters, one for each window and unit, are all that are made. The "
                "tier %r needs one more: %r is used for it and its like.",
                _MOST_LIMITERS,
                name,
                self.default.name,
            )
            return None
        if self._watch is not None:
            self._watch(tier)
        return tier

    def _say_once(self, message: str, *values: object) -> None:
        if message not in self._said:
            self._said.add(message)
            _log.error(message, *values)


def _keep(answers: dict[str, Any], name: str, answer: Any) -> None:
    """Keep the answer as the newest. The oldest goes first."""
    answers.pop(name, None)
    answers[name] = answer
    while len(answers) > _MOST_NAMES:
        with suppress(RuntimeError, StopIteration):  # another thread changes it as well
            answers.pop(next(iter(answers)), None)
