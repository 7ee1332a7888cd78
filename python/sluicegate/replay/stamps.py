"""The time of a log's line, as Unix seconds."""

from __future__ import annotations

from datetime import datetime

__all__ = ["Stamps"]

_LATEST = 8_000_000_000
_DAY = "%d/%b/%Y %z"


class Stamps(dict[bytes, int | None]):
    """``17/May/2015:10:05:03 +0000`` as Unix seconds; ``None`` where there is no such time.

    Times from 1970 to 2223 count, which is as far as the limiters' clocks go. A log has
    many lines a second and few days, so both are remembered.
    """

    _MOST = 10_000

    def __init__(self) -> None:
        super().__init__()
        self._days: dict[str, int] = {}

    def __missing__(self, stamp: bytes) -> int | None:
        if len(self) >= self._MOST:
            self.clear()
        self[stamp] = time = self._parse(stamp.decode("ascii"))
        return time

    def _parse(self, stamp: str) -> int | None:
        hours, minutes, seconds = int(stamp[12:14]), int(stamp[15:17]), int(stamp[18:20])
        if hours > 23 or minutes > 59 or seconds > 60:  # 60: a leap second
            return None
        day = stamp[:11] + stamp[20:]
        try:
            midnight = self._days.get(day)
            if midnight is None:
                midnight = int(datetime.strptime(day, _DAY).timestamp())
        except (ValueError, OverflowError):
            return None
        if len(self._days) >= self._MOST:
            self._days.clear()
        self._days[day] = midnight
        time = midnight + hours * 3600 + minutes * 60 + seconds
        return time if 0 <= time <= _LATEST else None
