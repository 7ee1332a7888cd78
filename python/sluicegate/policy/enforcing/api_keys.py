"""What the options ``verify``, ``verify_ttl`` and ``clock`` stand for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluicegate._support.arguments import number
from sluicegate.identity.verified import TTL, VerifiedKeys

if TYPE_CHECKING:
    from sluicegate._core import ManualClock
    from sluicegate.policy.owned import Owned

__all__ = ["verified_keys"]


def verified_keys(
    verify: object, ttl: float, owned: Owned, clock: ManualClock | None = None
) -> VerifiedKeys | None:
    """The user's own, or ``owned``'s: what a framework makes of the same options shares them."""
    if verify is None or isinstance(verify, VerifiedKeys):
        if ttl != TTL:
            without = "without verify" if verify is None else "with VerifiedKeys, whose ttl counts"
            raise TypeError(f"verify_ttl has no effect {without}; leave it out, got {ttl!r}")
        return verify
    if not callable(verify):
        raise TypeError(f"verify must be callable, got {verify!r}")
    number("verify_ttl", ttl, 0, 1e6, "seconds")
    keys = VerifiedKeys(verify, ttl=ttl, clock=clock)
    mine: VerifiedKeys = owned.first(("verify", verify, ttl, clock), keys)
    return mine
