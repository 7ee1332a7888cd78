"""The rules of a file: what is wrong with each, and with them beside each other."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from sluicegate.policy.document.arguments import STAND_IN, Given
from sluicegate.policy.document.text.problems import Problems
from sluicegate.policy.document.values.kinds import WRONG
from sluicegate.policy.rules.arguments import checked_arguments
from sluicegate.policy.rules.checking import problems_of
from sluicegate.policy.rules.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["check_rules", "rule_of", "stand_in"]

#: Fields of which others are asked for: no fault of theirs where such a one is wrong.
_NEEDED: Final = {"quota": "exempt", "undelayed": "delay"}


def rule_of(arguments: dict[str, Any]) -> Rule:
    """The rule of arguments that are right."""
    return cast("Callable[..., Rule]", Rule)(**arguments)


def stand_in(place: int) -> dict[str, Any]:
    """A rule in the place of one that is wrong, which is like no other."""
    return {"match": f"/{place}", "quota": STAND_IN, "name": f"stands in for {place}"}


def check_rules(given: Given, options: Mapping[str, Any], problems: Problems) -> None:
    """Note what is wrong with the rules of a file; of each such one another takes the place.

    ``options`` are the policy's, of the file and of the code.
    """
    for place, arguments in enumerate(given.rules):
        if not _is_right(place, arguments, given, problems):
            given.rules[place] = stand_in(place)
    keys, tiers = options.get("keys") or {}, options.get("tiers")
    found = problems_of(
        [rule_of(arguments) for arguments in given.rules],
        keys=keys,
        tiers=[*tiers] if isinstance(tiers, Mapping) else None,
    )
    for place, field, message in [*found]:
        if field == "by" and "keys" in given.wrong:
            continue
        _note(place, field, message, given, problems)
        given.rules[place] = stand_in(place)


def _is_right(place: int, arguments: dict[str, Any], given: Given, problems: Problems) -> bool:
    wrong = {field for field, value in arguments.items() if value is WRONG}
    right = {field: value for field, value in arguments.items() if field not in wrong}
    _, faults = checked_arguments(right)
    for field, fault in faults:
        if field not in wrong and _NEEDED.get(field) not in wrong:
            _note(place, field, str(fault), given, problems)
    return not wrong and not faults


def _note(place: int, field: str, message: str, given: Given, problems: Problems) -> None:
    own = f"rules[{place}]"
    line = given.lines.get(f"{own}.{field}", given.lines[own])
    problems.add(line, in_lines(message, given))


def in_lines(message: str, given: Given) -> str:
    """The message, which names rules by the lines on which they begin."""

    def named(found: re.Match[str]) -> str:
        line = given.lines.get(found[0])
        return found[0] if line is None else f"the rule of line {line}"

    return re.sub(r"rules\[\d+\]", named, message)
