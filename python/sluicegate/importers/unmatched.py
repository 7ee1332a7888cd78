"""What a policy cannot say: nothing is guessed, and nothing is left out silently."""

from __future__ import annotations

from typing import NamedTuple

from sluicegate.importers.origins import Origin

__all__ = ["Unmatched"]


class Unmatched(NamedTuple):
    """Something in the imported file that has no equivalent, or none that is quite the same.

    Attributes:
        origin: where it stands.
        what: what stands there, on one line.
        reason: why there is none.
        effect: what is different therefore, for those who send requests.
    """

    origin: Origin
    what: str
    reason: str
    effect: str
