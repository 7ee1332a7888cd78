"""Periods of a calendar as zoneinfo tells them."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

#: A period and a zone, a moment in it, and how many hours it has.
PERIODS = [
    ("day", "UTC", "2026-11-26T12:00", 24),
    ("day", "Europe/Berlin", "2026-03-29T12:00", 23),
    ("day", "Europe/Berlin", "2026-10-25T12:00", 25),
    ("day", "Europe/Berlin", "2026-10-25T01:30", 25),
    ("day", "America/Los_Angeles", "2026-03-08T12:00", 23),
    ("day", "America/Sao_Paulo", "2018-11-04T12:00", 23),  # its midnight was leapt over
    ("day", "Asia/Kolkata", "2026-11-26T12:00", 24),
    ("day", "America/Caracas", "2016-05-01T12:00", 23.5),  # the zone moved by half an hour
    ("day", "Africa/Casablanca", "2018-10-28T12:00", 24),  # the zone did away with winter time
    ("day", "UTC", "2028-02-29T12:00", 24),
    ("week", "Europe/Berlin", "2026-03-25T12:00", 7 * 24 - 1),
    ("week", "Europe/Berlin", "2026-03-30T00:00", 7 * 24),
    ("month", "UTC", "2028-02-29T12:00", 29 * 24),
    ("month", "UTC", "2026-02-28T12:00", 28 * 24),
    ("month", "America/Los_Angeles", "2026-11-15T12:00", 30 * 24 + 1),
    ("year", "UTC", "2028-02-29T12:00", 366 * 24),
    ("year", "Europe/Berlin", "2026-06-01T12:00", 365 * 24),
]


def unix(day: date, zone: ZoneInfo) -> float:
    """The first instant of a day, by zoneinfo."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()


def bounds(period: str, moment: datetime) -> tuple[date, date]:
    """The days on which a period and the next one begin."""
    day = moment.date()
    if period == "day":
        return day, day + timedelta(days=1)
    if period == "week":
        monday = day - timedelta(days=day.weekday())
        return monday, monday + timedelta(days=7)
    if period == "month":
        first = day.replace(day=1)
        return first, (first + timedelta(days=31)).replace(day=1)
    return date(day.year, 1, 1), date(day.year + 1, 1, 1)
