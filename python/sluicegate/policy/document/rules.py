"""The rules of a file: what is wrong with each, and with them beside each other."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from sluicegate.policy.document.arguments import STAND_IN, Given
from sluicegate.policy.document.text.problems import Problems
from sluicegate.policy.document.values.kinds import WRONG
from sluicegate.policy.rules.arguments import checked_arguments
from sluicegate.policy.rules.checking import problems_of
from sluicegate.policy.rules.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["bys_of", "check_rules", "in_words_of_file", "rule_of", "stand_in"]

#: Fields of which others are asked for: no fault of theirs where such a one is wrong.
_NEEDED: Final = {"quota": "exempt", "undelayed": "delay"}
_WORDS: Final = {
    "give redis= too, or a zone as store=": "give store= too",
    "give redis= too": "give store= too",
    "with redis=": "in Redis",
    "give them instead of limiter=": "give that too",
}
_MISSING: Final = {
    "match": 'match is missing: it says which requests the rule is for, such as "POST /login" or "*"',
    "quota": 'quota is missing: it says how much they may have, such as "5/minute"; or exempt is to be '
    "true",
}


def rule_of(arguments: dict[str, Any]) -> Rule:
    """The rule of arguments that are right."""
    return cast("Callable[..., Rule]", Rule)(**arguments)


def bys_of(arguments: Mapping[str, Any]) -> set[str]:
    """What a rule of these arguments counts by."""
    by = arguments.get("by", ())
    return {by} if isinstance(by, str) else {*by}


def stand_in(place: int, keys: Iterable[str] = ()) -> dict[str, Any]:
    """A rule in the place of one that is wrong, which is like no other and counts by all ``keys``."""
    own = {"match": f"/{place}", "quota": STAND_IN, "name": f"stands in for {place}"}
    return {**own, "by": [*keys] or "all"}


def check_rules(given: Given, options: Mapping[str, Any], problems: Problems) -> None:
    """Note what is wrong with the rules of a file; of each such one another takes the place.

    ``options`` are the policy's, of the file and of the code.
    """
    keys, tiers = options.get("keys") or {}, options.get("tiers")
    wrong: set[int] = set()
    mended = []
    for place, arguments in enumerate(given.rules):
        faults = _faults(place, arguments, given, problems)
        if faults:
            wrong.add(place)
        mended.append(_mended(place, arguments, faults))
    found = problems_of(mended, keys=keys, tiers=[*tiers] if isinstance(tiers, Mapping) else None)
    for place, field, message in found:
        if field == "by" and "keys" in given.wrong:
            continue
        _note(place, field, message, given, problems)
        wrong.add(place)
    for place in wrong:
        given.rules[place] = stand_in(place, keys)


def _faults(place: int, arguments: dict[str, Any], given: Given, problems: Problems) -> set[str]:
    """The fields that are wrong, each in itself or beside the others."""
    wrong = {field for field, value in arguments.items() if value is WRONG}
    right = {field: value for field, value in arguments.items() if field not in wrong}
    faulty = set(wrong)
    for field, fault in checked_arguments(right)[1]:
        if field in wrong or _NEEDED.get(field) in wrong:
            continue
        why = _MISSING[field] if field in _MISSING and field not in right else str(fault)
        _note(place, field, why, given, problems)
        faulty.add(field)
    return faulty


def _mended(place: int, arguments: dict[str, Any], faulty: set[str]) -> Rule:
    """The rule without what is faulty in it, to be looked at beside the others."""
    if not faulty:
        return rule_of(arguments)
    own = stand_in(place)
    right = {field: value for field, value in arguments.items() if field not in faulty}
    for field in {"match", "quota"} - right.keys():
        right[field] = own[field]
    try:
        return rule_of(right)
    except (TypeError, ValueError):  # what is left does not go together without the rest
        return rule_of(own)


def _note(place: int, field: str, message: str, given: Given, problems: Problems) -> None:
    own = f"rules[{place}]"
    line = given.lines.get(f"{own}.{field}", given.lines[own])
    problems.add(line, in_words_of_file(message, given))


def in_words_of_file(message: str, given: Given) -> str:
    """The message, which names rules by their lines, and no option that a file does not have."""

    def named(found: re.Match[str]) -> str:
        line = given.lines.get(found[0])
        return found[0] if line is None else f"the rule of line {line}"

    for in_code, in_file in _WORDS.items():
        message = message.replace(in_code, in_file)
    return re.sub(r"rules\[\d+\]", named, message)
