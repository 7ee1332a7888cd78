"""Calendar windows: days, weeks, months and years as the zone's clock shows them, beside zoneinfo."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from calendars import PERIODS, bounds, unix
from sluicegate import FixedWindow, ManualClock

HOUR = 3_600.0
DAYS = 24 * HOUR


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


@pytest.mark.parametrize(
    ("quota", "hours"),
    [
        ("2/day in America/Los_Angeles", 8),
        ("2/day in Asia/Tokyo", 15),
        ("2/month in Asia/Tokyo", 31 * 24 - 9),
        ("2/year in UTC", 365 * 24),
        ("2/week in UTC", 4 * 24),  # 1970 began on a Thursday
    ],
)
def test_a_clock_that_begins_in_1970_is_in_the_middle_of_a_period(quota: str, hours: int) -> None:
    clock = ManualClock()
    limiter = FixedWindow(quota, clock=clock)
    assert limiter.check("key").reset_after == hours * HOUR
    clock.advance(hours * HOUR - 1)
    assert limiter.check("key")
    assert not limiter.check("key")
    clock.advance(1)
    assert limiter.check("key")
