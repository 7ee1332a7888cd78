"""Options that cannot be what they say in WSGI."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sluicegate.policy.options import SharedOptions

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
