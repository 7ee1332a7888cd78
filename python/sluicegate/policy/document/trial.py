"""A policy is tried before it is made, until every argument that it refuses is known with its line."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import closing
from itertools import starmap
from typing import Any, Final

from sluicegate.policy.document.arguments import STAND_IN, Given, key_place, nobody
from sluicegate.policy.document.rules import (
    bys_of,
    check_rules,
    in_words_of_file,
    rule_of,
    stand_in,
)
from sluicegate.policy.document.scratch import ScratchStores
from sluicegate.policy.document.text.problems import Problems
from sluicegate.policy.enforcer import Enforcer
from sluicegate.policy.enforcing.stores import at_rule
from sluicegate.policy.options import PolicyOptions
from sluicegate.policy.owned import Owned
from sluicegate.policy.rules.rule import Rule
from sluicegate.policy.stores.place import OPTIONS, STORES

__all__ = ["REFUSALS", "place_in", "try_policy"]

#: What is raised by arguments that are refused.
REFUSALS: Final = (TypeError, ValueError, ImportError)
#: Options that say nothing without another: no fault of theirs where that one is wrong.
_BELONGING: Final[dict[str, Iterable[str]]] = {
    "store": {name for names in OPTIONS.values() for name in names} - {"clock"},
    "trusted_proxies": ("proxy_header",),
    "verify": ("verify_ttl", "api_key_header"),
    "tiers": ("default_tier", "unknown_tier", "tier_ttl"),
    "metrics": ("endpoint",),
}
_SAYS: Final = re.compile(r" must | has | means |=|:|\[")


def place_in(message: str, places: Iterable[str]) -> tuple[str, str] | None:
    """Which of the ``places`` an error speaks of, and the message from there on.

    It begins with the place; or with that of a limit, and then with that of an argument by which
    the limit was made: ``tiers['free']: timeout must be …``.
    """
    places = [*places]
    found: tuple[str, str] | None = None
    for start in [0, *(colon.end() for colon in re.finditer(": ", message))]:
        own = f"{found[0]}." if found is not None and found[0].startswith("rules[") else ""
        known = [
            place
            for place in places
            for named in {place, place.removeprefix(own)}
            if message.startswith(named, start) and _SAYS.match(message, start + len(named))
        ]
        if known:
            inner = [place for place in known if own and place.startswith(own)]
            found = max(inner or known, key=len), message[start:]
    return found


class _Trial:
    """Arguments that get fewer until a policy is made of them."""

    def __init__(self, given: Given, in_code: dict[str, Any], stores: ScratchStores) -> None:
        self._given = given
        self._stores = stores
        self.options = given.beside(in_code)
        if given.rules:
            self.options["rules"] = [*given.rules]
        if "limiter" not in in_code:
            self._leave_out_unused()
        for name in given.wrong:
            self.leave_out(name)

    def _leave_out_unused(self) -> None:
        """Do without functions that could not be had, where no rule counts by them."""
        used = {by for rule in self._given.rules for by in bys_of(rule)}
        for by, function in self._given.options.get("keys", {}).items():
            if function is nobody and by not in used:
                del self.options["keys"][by]

    def error(self) -> Exception | None:
        """What the policy says of the arguments."""
        try:
            options = self._with_scratch(self.options)
            if self._given.rules:
                options["rules"] = [*starmap(self._rule, enumerate(options["rules"]))]
            if options.get("metrics"):
                options["metrics"] = _scratch_registry(options["metrics"])
            made = PolicyOptions(**options)
            Enforcer(made, Owned(made, lasts=True))
        except REFUSALS as error:
            return error
        return None

    def _rule(self, place: int, arguments: dict[str, Any]) -> Rule:
        with at_rule(place):
            return rule_of(self._with_scratch(arguments))

    def _with_scratch(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """The arguments with stores that may be thrown away."""
        return {
            name: self._stores.of(value) if name in STORES else value
            for name, value in arguments.items()
        }

    def leave_out(self, place: str) -> bool:
        """Do without it, or with what is right in its place; ``False`` if that changes nothing."""
        name, _, key = place.partition("[")
        before = dict(self.options)
        if name == "rules":
            self._leave_out_rule(key)
        elif name == "keys":
            self._leave_out_keys(place)
        elif name == "tiers":
            tiers = self.options.get("tiers")
            known = tiers if isinstance(tiers, dict) and key else {"default": STAND_IN}
            self.options["tiers"] = {
                tier: STAND_IN if place == f"tiers[{tier!r}]" else quota
                for tier, quota in known.items()
            }
        else:
            self.options.pop(name, None)
        if not key:
            for belonging in _BELONGING.get(name, ()):
                self.options.pop(belonging, None)
        return self.options != before

    def _leave_out_keys(self, place: str) -> None:
        """Do without a function to count by, or all, and without the rules that count so."""
        known = self.options.pop("keys", None) or {}
        left = {by: known[by] for by in known if key_place(by) != place and place != "keys"}
        if left:
            self.options["keys"] = left
        if self._given.rules:
            self.options["rules"] = [
                stand_in(number, left) if bys_of(rule) & (known.keys() - left.keys()) else rule
                for number, rule in enumerate(self.options["rules"])
            ]

    def _leave_out_rule(self, key: str) -> None:
        """Have another rule in its place, or no rules at all."""
        rules = [*self.options.get("rules", ())]
        if key:
            place = int(key.partition("]")[0])
            rules[place] = stand_in(place, self.options.get("keys") or ())
        elif "limiter" not in self.options:
            rules = []
            self.options.setdefault("tiers", {"default": STAND_IN})
        self.options["rules"] = rules


def _scratch_registry(metrics: object) -> object:
    """A registry that is thrown away, for one that is right."""
    try:
        from prometheus_client import CollectorRegistry
    except ImportError:
        return metrics  # of which the policy tells
    return (
        CollectorRegistry()
        if metrics is True or isinstance(metrics, CollectorRegistry)
        else metrics
    )


def try_policy(given: Given, in_code: dict[str, Any], problems: Problems) -> None:
    """Note each argument of the file that the policy refuses; one of the code is raised."""
    check_rules(given, given.beside(in_code), problems)
    with closing(ScratchStores()) as stores:
        trial = _Trial(given, in_code, stores)
        while (error := trial.error()) is not None:
            found = place_in(str(error), [*given.lines, *in_code])
            if found is None or found[0] not in given.lines:
                if found is not None:
                    raise error
                found = _by_leaving_out(trial, given, str(error)), str(error)
            place, message = found
            place = _entry(place, message, given)
            line = given.lines.get(place, 0)
            own = f"{place}: " if place.startswith("rules[") else ""
            problems.add(line, in_words_of_file(message.removeprefix(own), given))
            if not trial.leave_out(place):
                return


def _entry(place: str, message: str, given: Given) -> str:
    """The place, or that of the entry of ``keys`` which the message shows."""
    if place == "keys":
        for by in given.options.get("keys", {}):
            if f"got {by!r}" in message or f"have {by!r}" in message:
                return key_place(by) if key_place(by) in given.lines else place
    return place


def _by_leaving_out(trial: _Trial, given: Given, message: str) -> str:
    """The option without which the policy does not say so; an empty text if there is none."""
    options = trial.options
    for place in given.lines:
        trial.options = dict(options)
        if trial.leave_out(place) and str(trial.error()) != message:
            trial.options = options
            return place
    trial.options = options
    return ""
