"""Options that cannot be what they say in WSGI."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sluicegate.policy.options import SharedOptions
    from sluicegate.policy.rules.rule import Rule

__all__ = ["refuse_options"]


def refuse_options(options: SharedOptions) -> None:
    """Raise ``ValueError`` for a header's name that WSGI cannot tell from another."""
    for option in ("proxy_header", "api_key_header"):
        name: str = getattr(options, option, "")
        if "_" in name:
            right = name.replace("_", "-")
            raise ValueError(
                f"{option} must have no '_' in WSGI, where it cannot be told from '-': let clients "
                f"send {right!r}, got {name!r}"
            )
    rules: Sequence[Rule] = getattr(options, "rules", ())
    for place, rule in enumerate(rules):
        for source in rule.sources:
            if source.kind == "header" and "_" in source.name:
                right = str(source).replace("_", "-")
                raise ValueError(
                    f"rules[{place}]: by must have no '_' in a header's name in WSGI, where it cannot "
                    f"be told from '-': write {right!r}, got {str(source)!r}"
                )
