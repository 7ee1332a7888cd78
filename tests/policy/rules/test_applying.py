"""Which of the rules that match apply."""

from __future__ import annotations

from sluicegate.policy import Rule
from sluicegate.policy.rules.applying import Chosen, chosen

ANY = (0, 1, 2, 3)


def test_all_apply_in_their_order() -> None:
    rules = [Rule("*", "5/second") for _ in ANY]
    assert chosen(rules, ANY, None) == Chosen((0, 1, 2, 3), None)
    assert chosen(rules, (1, 3), "free") == Chosen((1, 3), None)
    assert chosen(rules, (), "free") == Chosen((), None)


def test_a_rule_for_other_tiers_does_not_take_its_groups_place() -> None:
    rules = [
        Rule("*", "50/second", tier="pro", group="g"),
        Rule("*", "5/second", tier=["free", "trial"], group="g"),
        Rule("*", "1/second", group="g"),
        Rule("*", "9/second", group="other"),
    ]
    assert chosen(rules, ANY, "pro").places == (0, 3)
    assert chosen(rules, ANY, "trial").places == (1, 3)
    assert chosen(rules, ANY, None).places == (2, 3)


def test_an_exempt_rule_ends_the_walk() -> None:
    rules = [
        Rule("*", "5/second"),
        Rule("/health", exempt=True, tier="pro"),
        Rule("/health", "5/second"),
        Rule("/health", exempt=True),
    ]
    assert chosen(rules, ANY, "pro") == Chosen((0,), 1)
    assert chosen(rules, ANY, "free") == Chosen((0, 2), 3)


def test_an_exempt_rule_behind_another_of_its_group_is_passed_over() -> None:
    rules = [
        Rule("*", "5/second", group="g"),
        Rule("*", exempt=True, group="g"),
        Rule("*", "6/second"),
        Rule("*", exempt=True, group="h"),
    ]
    assert chosen(rules, ANY, None) == Chosen((0, 2), 3)
