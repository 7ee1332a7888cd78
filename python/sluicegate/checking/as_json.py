"""A policy, and what it does with one request, for programs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sluicegate.checking.tables import traits_of

if TYPE_CHECKING:
    from sluicegate.checking.asked import Answer
    from sluicegate.policy.document.loading import Document

__all__ = ["as_json"]


def as_json(document: Document, answer: Answer | None) -> dict[str, Any]:
    """What ``--json`` prints.

    ``warnings`` (each ``line, reason``), ``tiers`` (by name the quota; ``null`` of a function),
    ``rules`` (``line, name, match, quota, by, exempt, otherwise``), and for a request ``request``:
    ``client, tier, rules`` (those that match: ``line, name, applies, why_not``), ``spent`` (``limit,
    quota, key, cost, left, shadow``), ``refusal`` (``null`` unless it can never be admitted) and
    ``delay`` in seconds.
    """
    options, lines = document.options, document.given.lines
    rules, tiers = options.get("rules", ()), options.get("tiers")
    told: dict[str, Any] = {
        "warnings": [{"line": line, "reason": reason} for line, reason in document.warnings],
        "tiers": {name: str(quota) for name, quota in tiers.items()}
        if isinstance(tiers, Mapping)
        else None,
        "rules": [
            {
                "line": lines.get(f"rules[{place}]"),
                "name": rule.name,
                "match": rule.match,
                "quota": "; ".join(map(str, rule.quotas)) or None,
                "by": list(rule.by) if rule.quotas else [],
                "exempt": rule.exempt,
                "otherwise": traits_of(rule),
            }
            for place, rule in enumerate(rules)
        ],
    }
    if answer is not None:
        told["request"] = {
            "client": answer.client,
            "tier": answer.tier,
            "rules": [
                {
                    "line": lines.get(f"rules[{place}]"),
                    "name": rules[place].name,
                    "applies": not why_not,
                    "why_not": why_not or None,
                }
                for place, why_not in answer.matches
            ],
            "spent": [
                {
                    "limit": each.limit,
                    "quota": each.quota,
                    "key": each.key,
                    "cost": each.cost,
                    "left": each.left,
                    "shadow": each.is_shadow,
                }
                for each in answer.spent
            ],
            "refusal": answer.refusal,
            "delay": answer.delay,
        }
    return told
