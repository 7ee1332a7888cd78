"""Functions that policies' files name in tests."""

from __future__ import annotations

from typing import Any


def quota_of(tier: str) -> str | None:
    return {"default": "5/minute", "paid": "50/minute"}.get(tier)


def org_of(scope: Any) -> str | None:
    return dict(scope["headers"]).get(b"x-org", b"").decode() or None
