"""Calendar windows in Redis: the zone's periods by the server's clock, whatever the client's says."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from calendars import PERIODS, bounds, unix
from redis_programs import run
from redis_servers import Server
from sluicegate import Decision, FixedWindow, ManualClock
from sluicegate.redis import FixedWindow as InRedis

NOWHERE = "redis://127.0.0.1:1"
HOUR, DAY, TICK = 3_600, 86_400, 0.000_001
Told = tuple[bool, int, int, int]


def told(decision: Decision) -> Told:
    retry, reset = round(decision.retry_after * 1e6), round(decision.reset_after * 1e6)
    return decision.allowed, decision.remaining, retry, reset


def limiter(server: Server, quota: str, prefix: str = "p", remember: bool = False) -> InRedis:
    return InRedis(
        server.url, quota, prefix=prefix, timeout=30, on_error="raise", remember=remember
    )


@pytest.mark.parametrize(("period", "name", "moment", "hours"), PERIODS)
def test_a_window_is_the_period_that_zoneinfo_tells(
    period: str, name: str, moment: str, hours: float, moved_server: Server
) -> None:
    zone = ZoneInfo(name)
    there = datetime.fromisoformat(moment).replace(tzinfo=zone)
    first, behind = (unix(day, zone) for day in bounds(period, there))
    assert behind - first == hours * HOUR
    windows = limiter(moved_server, f"2/{period} in {name}")

    async def main() -> None:
        moved_server.set_time(first)
        assert told(await windows.check("key"))[3] == hours * HOUR * 1e6
        moved_server.set_time(there.timestamp())
        assert (await windows.check("key")).reset_after == behind - there.timestamp()
        refused = await windows.check("key")
        assert (bool(refused), refused.retry_after) == (False, behind - there.timestamp())
        lives = moved_server.command("PTTL", "p:{key}") / 1e3
        assert 0 <= lives - refused.retry_after <= 0.002
        moved_server.set_time(behind - TICK)
        assert not await windows.check("key")
        moved_server.set_time(behind)
        assert [bool(await windows.check("key")) for _ in range(3)] == [True, True, False]

    run(main())


def calls(server: Server) -> int:
    """How many scripts ran; none by its text, as the server was shown them."""
    told = server.command("INFO", "commandstats").decode().split()
    counts = dict(line.split(":calls=") for line in told if ":calls=" in line)
    assert "cmdstat_eval" not in counts
    return int(counts["cmdstat_evalsha"].partition(",")[0])


@pytest.mark.parametrize("days", [-400, -3, 0, 3, 400])
def test_a_call_is_sent_again_where_the_clocks_are_days_apart(
    days: int, moved_server: Server
) -> None:
    """And from then on it is known how far, until that changes."""
    utc = ZoneInfo("UTC")
    noon = datetime.now(utc).replace(hour=12, minute=0, second=0, microsecond=0)
    windows = limiter(moved_server, "3/day in UTC")

    async def main() -> list[int]:
        await windows.ping()
        moved_server.command("CONFIG", "RESETSTAT")
        counts = []
        for there in [noon + timedelta(days), noon + timedelta(days, hours=9), noon]:
            moved_server.set_time(there.timestamp())
            decision = await windows.check("key")
            assert decision.reset_after == 12 * HOUR - (there.hour - 12) * HOUR
            counts.append(calls(moved_server))
        return counts

    far = bool(days)
    assert run(main()) == [1 + far, 2 + far, 3 + 2 * far]


@pytest.mark.parametrize("hours", [-11, -2, 5, 11])
def test_hours_between_the_clocks_cost_nothing(hours: int, moved_server: Server) -> None:
    windows = limiter(moved_server, "3/day in America/Los_Angeles")
    zone = ZoneInfo("America/Los_Angeles")

    async def main() -> None:
        await windows.ping()
        moved_server.command("CONFIG", "RESETSTAT")
        now = float(int(time.time())) + hours * HOUR
        moved_server.set_time(now)
        today = datetime.fromtimestamp(now, zone).date()
        reset = (await windows.check("key")).reset_after
        assert reset == unix(today + timedelta(days=1), zone) - now
        assert calls(moved_server) == 1

    run(main())


def steps(period: str, name: str, start: float, chance: random.Random) -> Iterator[float]:
    """Seconds to let pass: among them all that lead to the end of a period, or one tick beside it."""
    zone, now = ZoneInfo(name), start
    for _ in range(100):
        moment = datetime.fromtimestamp(now, zone)
        end = unix(bounds(period, moment)[1], zone)
        edge = end - now + chance.choice([-TICK, 0, TICK])
        gap = chance.choice([0, 0, 0, 0, 0, edge, chance.uniform(0, 30 * HOUR)])
        gap = round(max(gap, 0), 6)
        now += gap
        yield gap


@pytest.mark.parametrize("remember", [False, True])
@pytest.mark.parametrize(("period", "name", "moment", "hours"), PERIODS[1:4] + PERIODS[11:15])
def test_memory_decides_alike(
    period: str, name: str, moment: str, hours: float, remember: bool, moved_server: Server
) -> None:
    del hours
    start = datetime.fromisoformat(moment).replace(tzinfo=ZoneInfo(name)).timestamp() - 2 * DAY
    chance = random.Random(moment + period)
    quota = f"5/{period} in {name}"
    clock = ManualClock(start)
    here = FixedWindow(quota, clock=clock)
    there = limiter(moved_server, quota, remember=remember)

    async def main() -> int:
        moved_server.set_time(start)
        refused = 0
        for gap in steps(period, name, start, chance):
            if gap:
                clock.advance(gap)
                moved_server.advance(gap)
                await there.set_quota(quota)  # which forgets what is remembered by the real time
            verb, key = (
                chance.choice(["check"] * 6 + ["peek", "refund", "reset"]),
                chance.choice("ab"),
            )
            arguments = (key,) if verb == "reset" else (key, chance.choice([1, 1, 2, 5]))
            answer = await getattr(there, verb)(*arguments)
            expected = getattr(here, verb)(*arguments)
            if answer is None or answer.store == "remembered":
                assert bool(answer) == bool(expected)
                continue
            assert told(answer) == told(expected), (verb, arguments)
            refused += not answer
        return refused

    assert run(main()) > 3


def test_what_was_spent_stays_spent_from_window_to_calendar_and_back(moved_server: Server) -> None:
    noon = datetime(2026, 11, 26, 12, tzinfo=ZoneInfo("UTC")).timestamp()
    there = limiter(moved_server, "5/hour")
    here = FixedWindow("5/hour", clock=ManualClock(noon))

    async def main() -> None:
        moved_server.set_time(noon)
        for quota, used in [
            ("5/hour", 3),
            ("4/day in UTC", 1),
            ("9/day in Europe/Berlin", 2),  # which ends at another time
            ("9/day", 2),  # as long as a calendar's day, but not its own
            ("9/month in UTC", 1),
        ]:
            await there.set_quota(quota)
            here.set_quota(quota)
            for _ in range(used):
                assert told(await there.check("key")) == told(here.check("key")), quota
            assert told(await there.peek("key", 4)) == told(here.peek("key", 4))

    run(main())


def test_a_clock_set_back_stays_in_the_period_and_one_far_ahead_was_wrong(
    moved_server: Server,
) -> None:
    midnight = datetime(2026, 11, 26, tzinfo=ZoneInfo("UTC")).timestamp()
    windows = limiter(moved_server, "1/day in UTC")

    async def main() -> None:
        moved_server.set_time(midnight + 1)
        assert await windows.check("key")
        moved_server.set_time(midnight - 1)
        refused = await windows.check("key")
        assert (bool(refused), refused.retry_after) == (False, DAY + 1)
        moved_server.set_time(midnight - 3 * DAY)
        decision = await windows.check("key")
        assert (bool(decision), decision.reset_after) == (True, DAY)

    run(main())


def test_a_period_that_is_kept_may_be_outside_of_the_bounds(moved_server: Server) -> None:
    """The server's clock was set back, and is a day ahead of this one."""
    today = datetime.now(ZoneInfo("UTC")).replace(hour=12, minute=0, second=0, microsecond=0)

    async def main() -> None:
        moved_server.set_time((today + timedelta(2)).timestamp())
        assert await limiter(moved_server, "1/day in UTC").check("key")
        moved_server.set_time((today + timedelta(1)).timestamp())
        refused = await limiter(moved_server, "1/day in UTC").check("key")
        assert (bool(refused), refused.retry_after) == (False, 1.5 * DAY)

    run(main())


def test_a_wait_that_is_too_long_is_refused_at_once(moved_server: Server) -> None:
    windows = limiter(moved_server, "1/day in UTC")

    async def main() -> None:
        moved_server.set_time(DAY * 20_000)
        assert await windows.wait("key", timeout=1)
        refused = await windows.wait("key", timeout=1)
        assert (bool(refused), refused.retry_after) == (False, DAY)

    run(main())


def test_who_stands_in_has_the_calendar_too() -> None:
    zone = ZoneInfo("Asia/Kolkata")

    async def main() -> None:
        windows = InRedis(NOWHERE, "4/day in Asia/Kolkata", prefix="stand-in", workers=2)
        answers = [await windows.check("key") for _ in range(3)]
        assert [bool(answer) for answer in answers] == [True, True, False]
        assert {answer.store for answer in answers} == {"local"}
        midnight = unix(datetime.now(zone).date() + timedelta(days=1), zone)
        assert answers[2].reset_at == pytest.approx(midnight, abs=1)
        same_length = InRedis(NOWHERE, 4, DAY, prefix="stand-in", workers=2)
        assert await same_length.check("key"), "windows that end at other times count apart"
        other_zone = InRedis(NOWHERE, "4/day in UTC", prefix="stand-in", workers=2)
        assert await other_zone.check("key")
        await windows.set_quota("8/day in Asia/Kolkata")
        assert (await windows.check("key")).remaining == 1

    run(main())


def test_keys_of_one_zone_are_not_anothers() -> None:
    names = [
        InRedis(NOWHERE, quota)._made_of[1]["prefix"]
        for quota in ("9/day", "9/day in UTC", "9/day in Europe/Paris", "9/week in UTC")
    ]
    assert names[:2] == ["sluicegate:fixed_window:9/86400", "sluicegate:fixed_window:9/day@UTC"]
    assert len(set(names)) == 4
