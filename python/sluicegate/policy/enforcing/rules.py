"""The rules of a policy at work: which a request matches, and what is asked therefore."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TypeVar

from sluicegate.policy.enforcing.compiling import Compiler
from sluicegate.policy.rules.applying import chosen
from sluicegate.policy.rules.matching import Matcher

if TYPE_CHECKING:
    from sluicegate._support.asgi_types import Scope
    from sluicegate.policy.enforcing.selection import Selection
    from sluicegate.policy.rules.rule import Rule
    from sluicegate.policy.tiers.tier import Tier

__all__ = ["PolicyRules"]

#: Paths and selections that are kept: which there are is the clients' choice.
_MOST: Final = 1_024
_LONGEST_KEPT: Final = 128

K = TypeVar("K")
V = TypeVar("V")


class PolicyRules:
    """The rules of a policy, ready for requests: no more than a look-up for those of a kind known.

    Args:
        compiler: makes what is asked where these rules apply.
    """

    __slots__ = (
        "_compiler",
        "_matcher",
        "_matching",
        "_needs_host",
        "_rules",
        "_selections",
        "_tiers",
    )

    def __init__(self, rules: Sequence[Rule], matcher: Matcher, compiler: Compiler) -> None:
        self._rules = rules
        self._matcher = matcher
        self._compiler = compiler
        self._needs_host = any(rule.pattern.host is not None for rule in rules)
        self._tiers = frozenset(tier for rule in rules for tier in rule.tier)
        self._matching: dict[tuple[str, str | None, str], tuple[int, ...]] = {}
        self._selections: dict[tuple[tuple[int, ...], str | None, Tier], Selection] = {}

    def watch(self, watch: Callable[[Tier], None]) -> None:
        """Have all that is asked watched."""
        self._compiler.watch = watch

    def matching(self, scope: Scope, path: str) -> tuple[int, ...]:
        """The places of the rules whose pattern a request for the ``path`` matches."""
        method: str = scope.get("method", "GET")  # of a WebSocket's handshake
        known = method, _host(scope) if self._needs_host else None, path
        places = self._matching.get(known)
        if places is None:
            places = self._matcher.match(*known)
            if len(path) <= _LONGEST_KEPT:
                _keep(self._matching, known, places)
        return places

    def selection(self, places: tuple[int, ...], name: str | None, tier: Tier) -> Selection:
        """What is asked of a request that matches these rules, of a client of the tier.

        ``name`` is the tier's as somebody says it. There may be any number of them: only those that
        rules name make a difference.
        """
        name = name if name in self._tiers else None
        known = places, name, tier
        selection = self._selections.get(known)
        if selection is None:
            selection = self._compiler.selection(chosen(self._rules, places, name), tier)
            _keep(self._selections, known, selection)
        return selection


def _keep(kept: dict[K, V], key: K, value: V) -> None:
    """Keep it as the newest. The oldest goes first."""
    kept[key] = value
    while len(kept) > _MOST:
        with suppress(RuntimeError, StopIteration):  # another thread changes it as well
            kept.pop(next(iter(kept)), None)


def _host(scope: Scope) -> str | None:
    for name, value in scope.get("headers", ()):
        if name == b"host":
            text: str = value.decode("latin-1")
            return text
    return None
