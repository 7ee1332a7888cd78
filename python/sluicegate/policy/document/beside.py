"""What a file must not give beside the code, or the code beside a file; and what can hardly be meant."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any, Final

from sluicegate._core import Quota
from sluicegate.policy.document.arguments import Given, key_place, nobody
from sluicegate.policy.document.rules import rule_of
from sluicegate.policy.document.text.problems import Problems
from sluicegate.policy.document.values.keys import IDENTITY
from sluicegate.policy.gates.keys import check_keys
from sluicegate.policy.options import PolicyOptions
from sluicegate.policy.rules.checking import idle
from sluicegate.policy.rules.checking import warnings_of as rule_warnings

__all__ = ["check_beside", "check_in_code", "warnings_of"]

_OPTIONS: Final = inspect.signature(PolicyOptions).parameters
#: Options that stand for others.
_SAME: Final = {"redis": ("store",), "limiter": ("tiers",), "identity": tuple(IDENTITY)}


def check_in_code(in_code: Mapping[str, Any]) -> None:
    """Raise ``TypeError`` for an option that no policy has, and for functions that are none."""
    for name in in_code:
        if name not in _OPTIONS:
            raise TypeError(f"Policy.from_file() got an unexpected keyword argument {name!r}")
    if in_code.get("keys") is not None:
        check_keys(in_code["keys"])


def check_beside(
    given: Given, in_code: Mapping[str, Any], problems: Problems, stand_ins: bool
) -> None:
    """Note what is given twice, and what is given by neither."""
    for name in in_code:
        for same in (name, *_SAME.get(name, ())):
            if same in given.lines and same != "keys":
                problems.add(
                    given.lines[same], f"{same} is given in code as well, as {name}=: leave one out"
                )
                given.options.pop(same, None)
    in_code_too = in_code.get("keys", {})
    for by in in_code_too:
        line = given.lines.get(key_place(by))
        if line is not None:
            problems.add(line, f"keys has {by!r} in code as well: leave one out")
    for by, line in given.names.items():
        if by not in in_code_too:
            given.options["keys"][by] = nobody
            if not stand_ins:
                problems.add(
                    line, f"keys has {by!r}, which code must give, as keys={{{by!r}: a function}}"
                )
    others = ("tiers", "limiter")
    is_given = any(name in given.lines or name in in_code for name in others)
    if not (is_given or given.rules or "rules" in given.wrong or "rules" in in_code):
        problems.add(0, "there are neither tiers nor rules: a policy has some of them")
        given.wrong.add("tiers")


def warnings_of(given: Given) -> Iterator[tuple[int, str]]:
    """Quotas that can never refuse, with their lines."""
    tiers = given.options.get("tiers")
    if isinstance(tiers, dict):
        for name, text in tiers.items():
            place = f"tiers[{name!r}]"
            why_idle = idle(Quota.parse_all(text))
            yield from ((given.lines[place], f"{place}: {why}") for why in why_idle)
    for number, field, message in rule_warnings([*map(rule_of, given.rules)]):
        own = f"rules[{number}]"
        yield given.lines.get(f"{own}.{field}", given.lines[own]), message
