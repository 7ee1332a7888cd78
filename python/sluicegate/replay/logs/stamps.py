"""The time of a log's line, as Unix microseconds."""

from __future__ import annotations

import re
from datetime import datetime, timezone

__all__ = ["Stamps"]

_SECOND = 1_000_000
_DIGITS = b"0123456789"
_LATEST = 8_000_000_000 * _SECOND
_DAY = "%d/%b/%Y %z"
#: ``17/May/2015:10:05:03.250 +0000``
_CLF = re.compile(r"(\d\d/[A-Z][a-z]{2}/\d{4}):(\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?( [+-]\d{4})")
#: ``2015-05-17T10:05:03.25Z``; one without a zone is taken for UTC.
_ISO = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?(Z|[+-]\d\d:?\d\d)?", re.IGNORECASE
)
_NUMBER = re.compile(r"(\d{1,19})(?:\.(\d{1,9}))?")
#: Unix times of so many digits are of this unit, from 2001 to 2286.
_UNITS = {10: 1, 13: 1_000, 16: 1_000_000, 19: 1_000_000_000}


class Stamps(dict[bytes, int | None]):
    """A stamp as Unix microseconds; ``None`` where there is no such time.

    It may be ``17/May/2015:10:05:03 +0000`` as Apache and nginx write it, of ISO 8601, or a Unix time
    in seconds, milli-, micro- or nanoseconds; each with a fraction or without. Times from 1970 to 2223
    count, which is as far as the limiters' clocks go. Logs have many lines a second and few days, so
    both are remembered.

    Attributes:
        has_fractions: whether one of them said more than the second.
    """

    _MOST = 10_000

    def __init__(self) -> None:
        super().__init__()
        self._days: dict[tuple[str, str], int | None] = {}
        self.has_fractions = False

    def __missing__(self, stamp: bytes) -> int | None:
        if len(self) >= self._MOST:
            self.clear()
        self[stamp] = time = self._with_fraction(stamp)
        return time

    def _with_fraction(self, stamp: bytes) -> int | None:
        """A second with a fraction that is like no other: the second itself is known already, mostly."""
        head, _, tail = stamp.partition(b".")
        zone = tail.lstrip(_DIGITS)
        fraction = tail[: len(tail) - len(zone)]
        is_unit = head.isdigit() and len(head) > 10  # whose own digits are the fraction
        if not 0 < len(fraction) < 10 or is_unit or b"." in zone or b"," in stamp:
            return self._parse(stamp.decode("latin-1"))
        second = self[head + zone]
        if second is None:
            return None
        self.has_fractions = True
        time = second + int(fraction.ljust(6, b"0")[:6])
        return time if time <= _LATEST else None

    def _parse(self, stamp: str) -> int | None:
        found = _CLF.fullmatch(stamp) or _ISO.fullmatch(stamp)
        if found is None:
            number = _NUMBER.fullmatch(stamp)
            return None if number is None else self._unix(number[1], number[2])
        hours, minutes, seconds = int(found[2]), int(found[3]), int(found[4])
        midnight = self._midnight(found[1], found[6] or "Z")
        if midnight is None or hours > 23 or minutes > 59 or seconds > 60:  # 60: a leap second
            return None
        return self._within(midnight + hours * 3600 + minutes * 60 + seconds, found[5])

    def _unix(self, digits: str, fraction: str | None) -> int | None:
        unit = _UNITS.get(len(digits), 1)
        seconds, rest = divmod(int(digits), unit)
        if unit > 1:
            fraction = str(rest).zfill(len(str(unit)) - 1)
        return self._within(seconds, fraction)

    def _within(self, seconds: int, fraction: str | None) -> int | None:
        if fraction is not None:
            self.has_fractions = True
        time = seconds * _SECOND + int((fraction or "0").ljust(6, "0")[:6])
        return time if 0 <= time <= _LATEST else None

    def _midnight(self, day: str, zone: str) -> int | None:
        known = day, zone
        if known not in self._days:
            if len(self._days) >= self._MOST:
                self._days.clear()
            self._days[known] = _midnight(day, zone)
        return self._days[known]


def _midnight(day: str, zone: str) -> int | None:
    try:
        if day[2] == "/":
            return int(datetime.strptime(day + zone, _DAY).timestamp())
        start = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=timezone.utc)
        offset = datetime.strptime("+0000" if zone in "Zz" else zone, "%z").utcoffset()
        assert offset is not None
        return int(start.timestamp() - offset.total_seconds())
    except (ValueError, OverflowError):
        return None
