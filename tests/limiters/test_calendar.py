"""Calendar windows: days, weeks, months and years as the zone's clock shows them, beside zoneinfo."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from sluicegate import FixedWindow, ManualClock

HOUR = 3_600.0
DAYS = 24 * HOUR

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


@pytest.mark.parametrize(("period", "name", "moment", "hours"), PERIODS)
def test_a_window_is_the_period_that_zoneinfo_tells(
    period: str, name: str, moment: str, hours: float
) -> None:
    zone = ZoneInfo(name)
    there = datetime.fromisoformat(moment).replace(tzinfo=zone)
    first, behind = (unix(day, zone) for day in bounds(period, there))
    assert behind - first == hours * HOUR
    clock = ManualClock(first)
    limiter = FixedWindow(f"2/{period} in {name}", clock=clock)
    assert limiter.check("key").reset_at == behind
    clock.advance(there.timestamp() - first)
    assert limiter.check("key").reset_at == behind
    refused = limiter.check("key")
    assert not refused
    clock.advance(refused.retry_after - 0.000_001)
    assert not limiter.check("key")
    clock.advance(0.000_001)
    assert [bool(limiter.check("key")) for _ in range(3)] == [True, True, False]


def test_every_day_of_some_years_is_one_window() -> None:
    zone = ZoneInfo("Europe/Berlin")
    day = date(2024, 1, 1)
    clock = ManualClock(unix(day, zone))
    limiter = FixedWindow("1/day in Europe/Berlin", clock=clock)
    for _ in range(3 * 365):
        following = day + timedelta(days=1)
        assert limiter.check("key").reset_at == unix(following, zone), day
        assert not limiter.check("key")
        clock.advance(unix(following, zone) - unix(day, zone))
        day = following


def test_a_quota_may_become_a_calendars_and_keeps_what_was_spent() -> None:
    noon = datetime(2026, 11, 26, 12, tzinfo=ZoneInfo("UTC")).timestamp()
    limiter = FixedWindow(5, 60, clock=ManualClock(noon))
    assert all(limiter.check("key") for _ in range(3))
    limiter.set_quota("4/day in UTC")
    assert limiter.window_seconds == DAYS
    assert limiter.peek("key").remaining == 1
    assert limiter.check("key").reset_at == noon + 12 * HOUR
    assert not limiter.check("key")
