"""How a leaky bucket ends: drained, cancelled, or in the next event loop."""

from __future__ import annotations

import asyncio

import pytest

from leaking import fill, recording
from sluicegate.leaky_bucket import LeakyBucket
from virtual_time import VirtualLoop, run


def test_leaving_the_block_drains() -> None:
    bucket, times = recording(capacity=5, leak_rate=10)

    async def program() -> None:
        async with bucket:
            await fill(bucket, 5)
        assert len(times) == 5
        assert not await bucket.submit("late")

    run(program())


def test_an_error_in_the_block_cancels() -> None:
    async def program() -> None:
        bucket, times = recording(capacity=5, leak_rate=10)

        async def block() -> None:
            async with bucket:
                await fill(bucket, 5)
                raise KeyError

        with pytest.raises(KeyError):
            await block()
        assert (times, bucket.waiting) == ([], 0)

    run(program())


def test_closing_without_drain_cancels_and_hands_back() -> None:
    cancelled: list[str] = []

    async def handle(request_id: str) -> None:
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            cancelled.append(request_id)
            raise

    async def program() -> None:
        bucket = LeakyBucket(5, 10, handle)
        await fill(bucket, 5)
        await asyncio.sleep(0.15)
        assert await bucket.aclose(drain=False) == ["2", "3", "4"]
        assert sorted(cancelled) == ["0", "1"]
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(program())


def test_a_drain_that_is_given_up_stops_nothing() -> None:
    async def program() -> None:
        bucket, times = recording(capacity=5, leak_rate=10)
        await fill(bucket, 5)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(bucket.aclose(), 0.15)
        await asyncio.sleep(0.1)
        assert len(times) == 3
        assert await bucket.aclose(drain=False) == ["3", "4"]

    run(program())


def test_a_handler_may_submit_and_close_but_not_drain() -> None:
    told: list[object] = []

    async def handle(request_id: str) -> None:
        if request_id == "drain":
            told.append(await bucket.submit("close"))
            await bucket.aclose()
        told.append(await bucket.aclose(drain=False))

    bucket = LeakyBucket(5, 10, handle, on_error=lambda name, error: told.append(str(error)))

    async def program() -> None:
        await bucket.submit("drain")
        await asyncio.sleep(1)
        assert not await bucket.submit("late")

    run(program())
    assert told == [True, "a handler cannot drain its own bucket: use aclose(drain=False)", []]


def test_one_loop_after_the_other() -> None:
    bucket, times = recording(capacity=5, leak_rate=10)

    async def program() -> None:
        async with bucket:
            await fill(bucket, 3)

    run(program())
    run(program())
    asyncio.run(fill(bucket, 0))
    assert [name for name, _ in times] == ["0", "1", "2"] * 2


def test_what_a_dead_loop_left_goes_first_in_the_next() -> None:
    bucket, times = recording(capacity=5, leak_rate=10)

    async def first() -> None:
        await fill(bucket, 3)

    async def second() -> None:
        await bucket.submit("new")
        await bucket.aclose()

    run(first())
    assert (bucket.waiting, times) == (3, [])
    run(second())
    assert [name for name, _ in times] == ["0", "1", "2", "new"]


def test_a_stopped_loop_that_runs_again_leaks_nothing_twice() -> None:
    bucket, times = recording(capacity=9, leak_rate=10)
    one, other = VirtualLoop(), VirtualLoop()
    one.run_until_complete(fill(bucket, 3))
    other.run_until_complete(fill(bucket, 3))
    one.run_until_complete(asyncio.sleep(5))
    assert times == []
    other.run_until_complete(bucket.aclose())
    assert len(times) == 6
    one.close()
    other.close()


def test_two_loops_at_once_are_refused() -> None:
    async def program() -> None:
        bucket = LeakyBucket(5, 10)
        await fill(bucket, 2)
        with pytest.raises(RuntimeError, match="another event loop"):
            await asyncio.to_thread(asyncio.run, bucket.submit("x"))
        await bucket.aclose(drain=False)

    asyncio.run(program())
