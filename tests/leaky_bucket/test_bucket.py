"""The leaky bucket: its rate, its bound, its errors."""

from __future__ import annotations

import asyncio
import logging
import random
from typing import Any

import pytest

from leaking import fill, gaps, recording
from sluicegate.leaky_bucket import LeakyBucket, LeakyBucketConfig
from virtual_time import VirtualLoop, now, run


def test_the_articles_way() -> None:
    class Printer(LeakyBucket):
        printed: list[str]

        async def _handle_request(self, request_id: str) -> None:
            self.printed.append(request_id)

    async def program() -> None:
        bucket = Printer(LeakyBucketConfig(capacity=3, leak_rate=10))
        bucket.printed = []
        assert await fill(bucket, 5) == [True, True, True, False, False]
        await bucket.aclose()
        assert bucket.printed == ["0", "1", "2"]

    run(program())


@pytest.mark.parametrize("rate", [0.5, 10, 333.3, 5_000])
def test_late_timers_do_not_add_up(rate: float) -> None:
    late = random.Random(4)
    bucket, times = recording(capacity=1_001, leak_rate=rate)

    async def program() -> None:
        await fill(bucket, 1_001)
        await bucket.aclose()

    longest = 0.001  # as late as timers are, five intervals of the fastest
    run(program(), late=lambda: late.uniform(0.1, 1) * longest)
    assert [name for name, _ in times] == [str(number) for number in range(1_001)]
    drift = (times[-1][1] - times[0][1]) * rate / 1_000 - 1
    print(f"{rate}/s: 1,000 intervals drift by {drift:+.4%}")
    assert abs(drift) < 0.01
    assert max(gaps(times)) < 1 / rate + 1.01 * longest


@pytest.mark.parametrize("seconds", [0.02, 0.25])
def test_a_slow_handler_does_not_slow_the_leak(seconds: float) -> None:
    times: list[float] = []

    async def handle(request_id: str) -> None:
        times.append(now())
        await asyncio.sleep(seconds)

    async def program() -> None:
        bucket = LeakyBucket(50, 10, handle)
        await fill(bucket, 50)
        await bucket.aclose()
        assert now() == pytest.approx(times[-1] + seconds)

    run(program())
    assert times[-1] - times[0] == pytest.approx(4.9)


def test_no_more_run_at_once_than_may() -> None:
    running, most = 0, 0

    async def handle(request_id: str) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(1.0)
        running -= 1

    async def program(bound: int) -> float:
        begun = now()
        bucket = LeakyBucket(9, 10, handle, max_running=bound)
        await fill(bucket, 9)
        await bucket.aclose()
        return now() - begun

    for bound, took in ((1, 9.0), (3, 3.2)):
        most = 0
        assert run(program(bound)) == pytest.approx(took, abs=0.11)
        assert most == bound


def test_a_stalled_loop_is_not_made_up_for_by_a_burst() -> None:
    bucket, times = recording(capacity=100, leak_rate=10)

    async def program() -> None:
        await fill(bucket, 100)
        await asyncio.sleep(1.05)
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        loop.now += 5
        await bucket.aclose()

    run(program())
    assert sum(gap < 0.0999 for gap in gaps(times)) <= 1


def test_an_idle_bucket_saves_nothing_up() -> None:
    bucket, times = recording(capacity=10, leak_rate=10)

    async def program() -> None:
        for pause in (0.0, 0.03, 0.12, 7.0):
            await asyncio.sleep(pause)
            await fill(bucket, 2)
        await bucket.aclose()

    run(program())
    assert len(times) == 8
    assert min(gaps(times)) > 0.0999


def test_an_idle_bucket_still_knows_when_it_last_leaked() -> None:
    bucket, times = recording(capacity=10, leak_rate=10)

    async def program() -> None:
        for _ in range(4):
            await fill(bucket, 1)
            await asyncio.sleep(0.03)
        await bucket.aclose()

    run(program())
    assert gaps(times) == pytest.approx([0.1] * 3)


def test_submitters_at_once_start_one_leak() -> None:
    bucket, times = recording(capacity=10, leak_rate=10)

    async def program() -> None:
        assert all(await asyncio.gather(*(bucket.submit(str(n)) for n in range(10))))
        await bucket.aclose()

    run(program())
    assert gaps(times) == pytest.approx([0.1] * 9)


def test_capacity_is_what_waits() -> None:
    async def program() -> None:
        bucket, times = recording(capacity=2, leak_rate=1)
        assert await fill(bucket, 3) == [True, True, False]
        await asyncio.sleep(0.5)
        assert (len(times), bucket.waiting) == (1, 1)
        assert await fill(bucket, 2) == [True, False]

    run(program())


@pytest.mark.parametrize("asynchronous", [False, True])
def test_errors_are_told_and_the_leak_goes_on(asynchronous: bool) -> None:
    async def fail_later(request_id: str) -> None:
        await asyncio.sleep(0)
        raise OSError(request_id)

    def fail(request_id: str) -> None:
        raise OSError(request_id)

    told: list[tuple[str, str]] = []

    async def program() -> None:
        handler = fail_later if asynchronous else fail
        bucket = LeakyBucket(3, 10, handler, on_error=lambda name, e: told.append((name, str(e))))
        await fill(bucket, 3)
        await bucket.aclose()

    run(program())
    assert told == [("0", "0"), ("1", "1"), ("2", "2")]


@pytest.mark.parametrize("broken", [False, True])
def test_errors_are_logged(caplog: pytest.LogCaptureFixture, broken: bool) -> None:
    def fail(*arguments: object) -> None:
        raise OSError("no")

    async def program() -> None:
        async with LeakyBucket(2, 10, fail, on_error=fail if broken else None) as bucket:
            await fill(bucket, 2)

    with caplog.at_level(logging.ERROR, logger="sluicegate.leaky_bucket"):
        run(program())
    assert len(caplog.records) == 2
    assert all(record.exc_info for record in caplog.records)


@pytest.mark.parametrize(
    ("arguments", "options", "kind", "words"),
    [
        ((), {}, TypeError, "pass config, or capacity and leak_rate"),
        ((5,), {}, TypeError, "pass config, or capacity and leak_rate"),
        ((5, 1), {"capacity": 5}, TypeError, "pass capacity once"),
        ((LeakyBucketConfig(5, 1), 1), {}, TypeError, "not both"),
        ((0, 1), {}, ValueError, "capacity must be an int from 1 to 1,000,000,000, got 0"),
        ((True, 1), {}, TypeError, "capacity must be an int, got bool True"),
        ((1, 0), {}, ValueError, "leak_rate must be a number of requests per second"),
        ((1, float("nan")), {}, ValueError, "leak_rate must be"),
        ((1, "2"), {}, TypeError, "leak_rate must be an int or a float"),
        ((1, 1), {"max_running": 0}, ValueError, "max_running must be an int from 1"),
        ((1, 1, "f"), {}, TypeError, "handler must be callable"),
        ((1, 1), {"on_error": 3}, TypeError, "on_error must be callable"),
        ((1, 1), {"on_error": asyncio.sleep}, TypeError, "on_error must be a plain function"),
    ],
)
def test_bad_arguments(
    arguments: tuple[Any, ...], options: dict[str, Any], kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words):
        LeakyBucket(*arguments, **options)


def test_a_request_id_is_a_str() -> None:
    with pytest.raises(TypeError, match="request_id must be a str, got 5"):
        run(LeakyBucket(5, 1).submit(5))  # type: ignore[arg-type]
