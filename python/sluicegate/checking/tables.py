"""A policy, and what it does with one request, as tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sluicegate._support.arguments import printable

if TYPE_CHECKING:
    from sluicegate.checking.asked import Answer, Question
    from sluicegate.policy.document.loading import Document
    from sluicegate.policy.rules.rule import Rule

__all__ = ["show_answer", "show_policy", "traits_of"]


def show_policy(console: Console, path: str, document: Document) -> None:
    """Print the tiers and the rules, in the order in which they are looked at."""
    options, lines = document.options, document.given.lines
    rules, tiers = options.get("rules", ()), options.get("tiers")
    count = f"{len(rules)} rule{'' if len(rules) == 1 else 's'}"
    console.print(_text(f"{path}: right; {count}, {_number_of_tiers(tiers)}"))
    for line, reason in document.warnings:
        console.print(_text(f"  {path}:{line}: warning: {reason}"))
    if isinstance(tiers, Mapping) and tiers:
        table = _table("tier", "quota")
        default = options.get("default_tier") or next(iter(tiers))
        for name, quota in tiers.items():
            table.add_row(_text(f"{name} (default)" if name == default else name), _text(quota))
        console.print()
        console.print(table)
    if rules:
        table = _table("line", "match", "quota", "by", "otherwise")
        table.columns[0].justify = "right"
        for place, rule in enumerate(rules):
            table.add_row(
                str(lines.get(f"rules[{place}]", "")),
                _text(rule.match),
                _text("; ".join(map(str, rule.quotas)) or "exempt"),
                _text(" + ".join(rule.by) if rule.quotas else ""),
                _text(", ".join(traits_of(rule))),
            )
        console.print()
        console.print(table)
    exempt = options.get("exempt", ())
    if exempt and not callable(exempt):
        paths = [exempt] if isinstance(exempt, str) else exempt
        console.print()
        console.print(_text(f"not limited: {', '.join(paths)}"))


def show_answer(console: Console, document: Document, question: Question, answer: Answer) -> None:
    """Print which rules apply to a request, and what it is charged."""
    lines, rules = document.given.lines, document.options.get("rules", ())
    who = f" of {answer.client}" if answer.client else ""
    tier = f", tier {answer.tier}" if answer.tier else ""
    console.print(_text(f"{question.method} {question.path}{who}{tier}"))
    if answer.matches:
        table = _table("line", "rule", "applies")
        table.columns[0].justify = "right"
        for place, why_not in answer.matches:
            line = str(lines.get(f"rules[{place}]", ""))
            table.add_row(line, _text(rules[place].name), _text(why_not or "yes"))
        console.print()
        console.print(table)
    elif rules:
        console.print("  no rule matches it")
    console.print()
    if answer.spent:
        table = _table("limit", "quota", "key", "cost", "left")
        for column in table.columns[3:]:
            column.justify = "right"
        for each in answer.spent:
            name = f"{each.limit} (shadow)" if each.is_shadow else each.limit
            table.add_row(
                *map(_text, (name, each.quota, each.key, f"{each.cost:,}", f"{each.left:,}"))
            )
        console.print(table)
    if answer.refusal is not None:
        console.print(_text(f"refused, however little was spent before: {answer.refusal}"))
    elif not answer.spent:
        console.print("not limited")
    if answer.delay:
        console.print(f"held for {answer.delay:.3f} s")


def traits_of(rule: Rule) -> list[str]:
    """What else a rule says, beside whom it counts and how much."""
    traits = [f"for the tier {' or '.join(rule.tier)}"] if rule.tier else []
    if rule.group is not None:
        traits.append(f"group {rule.group}")
    if rule.counts != "all":
        traits.append(f"counts {rule.counts if isinstance(rule.counts, str) else 'by a function'}")
    if rule.cost is not None:
        cost = "by a function" if callable(rule.cost) else rule.cost
        traits.append(f"cost {dict(cost) if isinstance(cost, Mapping) else cost}")
    if rule.delay is not None:
        more = f", {rule.undelayed} at once" if rule.undelayed else ""
        traits.append(f"held up to {rule.delay:g} s{more}")
    traits += [word for word in ("shadow",) if rule.shadow]
    for name in ("algorithm", "on_error"):
        if getattr(rule, name) is not None:
            traits.append(f"{name} {getattr(rule, name)}")
    return [*traits, *(["a store of its own"] if rule.store is not None else [])]


def _number_of_tiers(tiers: Any) -> str:
    if callable(tiers):
        return "tiers by a function"
    number = len(tiers or ())
    return f"{number} tier{'' if number == 1 else 's'}"


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(Text(column), overflow="fold")
    return table


def _text(value: object) -> Text:
    """As text, with nothing in it that a terminal would obey."""
    return Text(printable(str(value)))
