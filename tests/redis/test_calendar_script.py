"""The script of calendar windows decides as memory does, and a wrong one is found out."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import redis

from calendars import unix
from redis_servers import Server
from script_traces import KEY, timed, without_mark
from sluicegate import FixedWindow, ManualClock
from sluicegate.redis import FixedWindow as InRedis

ZONE = "Europe/Berlin"
SECOND, DAY = 1_000_000, 86_400_000_000
#: Midnights, the day of 23 hours and the one of 25 among them.
MIDNIGHTS = [
    round(unix((datetime(2026, month, 20) + timedelta(day)).date(), ZoneInfo(ZONE))) * SECOND
    for month in (3, 10)
    for day in range(14)
]
DAYS = [(start, end) for start, end in pairwise(MIDNIGHTS) if end - start < 2 * DAY]


@pytest.fixture
def client(redis_server: Server) -> Iterator[redis.Redis]:
    with redis.Redis(port=redis_server.port) as client:
        yield client


def script() -> str:
    return InRedis("redis://127.0.0.1:1", f"5/day in {ZONE}")._core.script


def sent(script: str, client: redis.Redis, now: int, caller: int, *call: Any) -> Any:
    """What the script answers with the bounds by the caller's clock."""
    place = next(index for index, (start, end) in enumerate(DAYS) if start <= caller < end)
    bounds = [DAYS[place - 1][0], *DAYS[place], DAYS[place + 1][1]]
    reply, ttl = client.eval(script, 1, KEY, *call, 5, DAY, *bounds, *divmod(now, SECOND))
    if isinstance(reply, redis.ResponseError):
        raise reply
    return without_mark(*call, (5, DAY), reply) if len(reply) > 1 else reply, ttl


def disagreement(script: str, client: redis.Redis, seed: int) -> str | None:
    chance = random.Random(seed)
    client.flushall()
    place = chance.choice([3, 7, 8, 9, 16, 20, 21])
    now = chance.choice([DAYS[place][0], chance.randint(*DAYS[place])])
    clock = ManualClock(now / SECOND)
    memory = FixedWindow(f"5/day in {ZONE}", clock=clock)
    while now < DAYS[place][1] + DAY:
        caller = now + chance.randint(-22, 22) * 3_600 * SECOND
        cost = chance.choice([1, 1, 2, 5])
        reply, ttl = sent(script, client, now, caller, "c", cost)
        decision = memory.check(KEY, cost)
        if len(reply) == 1:
            return f"{now} by a clock at {caller} is outside of the bounds"
        room, wait, reset = reply
        told = (room >= 0, max(room, -1 - room), wait / SECOND, reset / SECOND)
        mine = (decision.allowed, decision.remaining, decision.retry_after, decision.reset_after)
        lives = -(-reset // 1000) <= ttl <= -(-reset // 1000) + 1 if decision else ttl == -2
        if told != mine or not lives:
            return f"at {now}: {reply} and {ttl} ms are not {decision}"
        gap = chance.choice([0, 0, 1, reset, reset - 1, reset + 1, chance.randint(0, DAY)])
        now += max(gap, 0)
        clock.advance(max(gap, 0) / SECOND)
    return None


def set_back(script: str, client: redis.Redis) -> list[Any]:
    """A clock that goes back over midnight, and one whose caller knows other days."""
    client.flushall()
    midnight, noon = DAYS[8][0], DAYS[8][0] + DAY // 2
    calls = [(midnight, noon), (midnight - 1, noon), (midnight - 2 * DAY, midnight - 2 * DAY)]
    answers = [sent(script, client, now, caller, "c", 5)[0] for now, caller in calls]
    far = [sent(script, client, noon + days * DAY, noon, "c", 1)[0] for days in (2, -2)]
    return [*answers, *far]


def expected() -> list[Any]:
    midnight, ends = DAYS[8]
    noon = midnight + DAY // 2
    return [
        [0, 0, ends - midnight],
        [-1, ends - midnight + 1, ends - midnight + 1],
        [0, 0, DAYS[6][1] - (midnight - 2 * DAY)],
        [noon + 2 * DAY],
        [noon - 2 * DAY],
    ]


def test_it_decides_as_memory_does(client: redis.Redis) -> None:
    text = timed(script())
    for seed in range(60):
        assert disagreement(text, client, seed) is None
    assert set_back(text, client) == expected()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("math.max(clock, kept - span)", "clock"),
        ("math.max(clock, kept - span)", "math.max(clock, kept)"),
        ("kept > clock + 2 * span", "false"),
        ("kept > clock + 2 * span", "kept > clock + span"),
        ("local period = at + 2", "local period = at + 3"),
        ("period < at + 5 and now", "period < at + 4 and now"),
        ("now >= tonumber(ARGV[period + 1])", "now > tonumber(ARGV[period + 1])"),
        ("or now < tonumber(ARGV[period])", ""),
        ("period == at + 5 or", ""),
        ("local ends = tonumber(ARGV[period + 1])", "local ends = tonumber(ARGV[period]) + window"),
        ("window = ends - tonumber(ARGV[period])", "window = 3600000000"),
    ],
)
def test_a_wrong_script_is_caught(client: redis.Redis, old: str, new: str) -> None:
    text = script()
    assert text.count(old) == 1
    wrong = timed(text.replace(old, new))
    try:
        told = [disagreement(wrong, client, seed) for seed in range(60)]
        assert any(told) or set_back(wrong, client) != expected()
    except redis.ResponseError:
        pass
