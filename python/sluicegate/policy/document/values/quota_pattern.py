"""The grammar of quotas as a regular expression, for editors; what it misses the policy finds."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["QUOTA"]


def _any_case(words: str) -> str:
    """A regular expression that takes its letters in either case, which JSON Schema cannot ask for."""
    return re.sub("[a-z]", lambda letter: f"[{letter[0].upper()}{letter[0]}]", words)


_NUMBER: Final = "[0-9][0-9_.]*"
_UNIT: Final = "[A-Za-z][A-Za-z0-9_-]*"
_PERIODS: Final = _any_case("(?:s|m|h|d|(?:second|minute|hour|day|week|month|year)s?)")
_PER: Final = rf"(?:\s*(?:{_UNIT}\s*)?/|\s*(?:{_UNIT}\s+)?{_any_case('per')}\s)"
_BURST: Final = rf"(?:\s+{_any_case('burst')}\s*{_NUMBER})?"
_ZONE: Final = rf"(?:\s+{_any_case('in')}\s+[^\s;,|]+)?"
_RATE: Final = rf"{_NUMBER}{_PER}\s*(?:{_NUMBER}\s*)?{_PERIODS}{_BURST}{_ZONE}"
_PERMITS: Final = rf"{_NUMBER}\s*{_any_case('concurrent')}"
_PART: Final = rf"\s*(?:{_any_case('unlimited')}|{_PERMITS}|{_RATE})\s*"

#: One quota or several, as :meth:`sluicegate.Quota.parse_all` reads them.
QUOTA: Final = f"^{_PART}(?:[;,|]{_PART})*$"
