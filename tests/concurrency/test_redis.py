"""Permits in Redis: leased, renewed, never too many among all, none ever lost."""

from __future__ import annotations

import asyncio
import gc
import os
import time
from typing import Any, TypeVar

import pytest

import permit_processes
from cancelling import cancelled_everywhere
from polling import until
from redis_servers import Server
from running import run
from sluicegate import RateLimitError
from sluicegate._connection import seconds
from sluicegate.redis import ConcurrencyLimiter, Permit, StoreError
from sluicegate.testing import limits_off

T = TypeVar("T")
NAME = "p:{k}"


def limiter_in(server: Server, limit: int = 2, **options: Any) -> ConcurrencyLimiter:
    """One that waits for its server as long as a busy machine may need."""
    options = {"prefix": "p", "timeout": 5, **options}
    return ConcurrencyLimiter(server.url, limit, **options)


async def acquired(limiter: ConcurrencyLimiter) -> Permit:
    permit = await limiter.try_acquire("k")
    assert permit is not None
    return permit


async def eventually(server: Server, live: int) -> None:
    """What was sent and not awaited has been done by the server."""
    await asyncio.get_running_loop().run_in_executor(
        None, until, lambda: server.command("ZCARD", NAME) == live, f"{live} live permits"
    )


def test_a_permit_is_one_of_so_many_of_its_key(redis_server: Server) -> None:
    async def main() -> None:
        one, other = limiter_in(redis_server), limiter_in(redis_server)
        first, second = await acquired(one), await acquired(other)
        assert await one.try_acquire("k") is None
        assert await other.in_use("k") == 2
        async with one.permit("another") as third:
            assert third.key == "another"
            assert await one.in_use("another") == 1
        assert redis_server.command("EXISTS", "p:{another}") == 0
        with pytest.raises(RateLimitError, match="All 2 permits") as refused:
            await one.permit("k").__aenter__()
        assert 0 < refused.value.retry_after <= 30
        assert 29_000 < redis_server.command("PTTL", NAME) <= 30_002
        await first.release()
        await first.release()
        assert (first.held, second.held) == (False, True)
        assert redis_server.command("ZCARD", NAME) == 1
        async with second:
            assert (await acquired(one)).held
        assert not second.held
        assert (one.limit, one.lease_seconds) == (2, 30)

    run(main())


@pytest.mark.parametrize(
    ("options", "kind", "text"),
    [
        ({"limit": 0}, ValueError, "limit must be an int from 1 to 1,000,000"),
        ({"limit": 1.5}, TypeError, "limit must be an int"),
        ({"lease_seconds": 0.2}, ValueError, "lease_seconds must be above timeout, which is 0.25"),
        ({"lease_seconds": 1e6}, ValueError, "lease_seconds must be a number of seconds"),
        ({"lease_seconds": float("nan")}, ValueError, "lease_seconds must be"),
        ({"timeout": 0}, ValueError, "timeout must be a number of seconds"),
        ({"on_error": "maybe"}, ValueError, "on_error must be one of .* got 'maybe'"),
        ({"workers": 0}, ValueError, "workers must be an int"),
        ({"prefix": "{x}"}, ValueError, "prefix must be up to 64 bytes"),
        ({"prefix": 5}, TypeError, "prefix must be a str or None"),
        ({"redis": 5}, TypeError, "redis must be a URL"),
    ],
)
def test_bad_arguments_are_named(options: Any, kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=text):
        ConcurrencyLimiter(**{"redis": "redis://127.0.0.1:1", "limit": 1, **options})


def test_bad_arguments_of_verbs_are_named(redis_server: Server) -> None:
    async def main() -> None:
        limiter = limiter_in(redis_server)
        for verb in (limiter.try_acquire, limiter.in_use, limiter.permit):
            with pytest.raises(TypeError, match="key must be a str, got bytes"):
                await verb(b"k")  # type: ignore[operator]
        with pytest.raises(ValueError, match="timeout must be"):
            limiter.permit("k", -1)
        with pytest.raises(RuntimeError, match="use `async with`"):
            limiter.permit("k").__enter__()
        with pytest.raises(TypeError, match="use `async with`"):
            (await acquired(limiter)).__enter__()
        entry = limiter.permit("k")
        async with entry:
            with pytest.raises(RuntimeError, match="entered before"):
                await entry.__aenter__()

    run(main())


def test_a_killed_holder_is_free_after_its_lease_and_not_before(moved_server: Server) -> None:
    moved_server.set_time(1_800_000_000)
    holder = permit_processes.start("hold", moved_server.url, 2, 30)
    try:
        assert permit_processes.told(holder) == "held"
    finally:
        holder.kill()
        holder.communicate()

    async def main() -> None:
        limiter = ConcurrencyLimiter(moved_server.url, 2, timeout=5)
        moved_server.advance(29.999999)
        with pytest.raises(RateLimitError) as refused:
            await limiter.permit("k").__aenter__()
        assert refused.value.retry_after == pytest.approx(0.000001)
        moved_server.advance(refused.value.retry_after)
        async with limiter.permit("k"), limiter.permit("k"):
            assert await limiter.try_acquire("k") is None

    run(main())


def test_a_killed_holder_is_free_in_real_time_too(redis_server: Server) -> None:
    holder = permit_processes.start("hold", redis_server.url, 1, 0.9)
    try:
        assert permit_processes.told(holder) == "held"

        async def main() -> None:
            limiter = ConcurrencyLimiter(redis_server.url, 1, timeout=5)
            with pytest.raises(RateLimitError):  # it is renewed for as long as the holder lives
                await limiter.permit("k", timeout=1.5).__aenter__()
            holder.kill()
            killed = time.monotonic()
            async with limiter.permit("k", timeout=20):
                print(f"free {time.monotonic() - killed:.2f} s after the holder was killed")

        run(main())
    finally:
        holder.kill()
        holder.communicate()


def test_a_permit_is_renewed_for_as_long_as_it_is_held(redis_server: Server) -> None:
    async def main() -> None:
        limiter = limiter_in(redis_server, 3, lease_seconds=1.5, timeout=0.5)
        held = [await acquired(limiter) for _ in range(3)]
        leases = limiter._now_here()
        before = redis_server.command("ZRANGE", NAME, 0, -1, "WITHSCORES")
        for _ in range(4):
            await asyncio.sleep(0.6)
            assert all(permit.held for permit in held)
            assert redis_server.command("ZCARD", NAME) == 3
            assert 0 < redis_server.command("PTTL", NAME) <= 1_502
        after = redis_server.command("ZRANGE", NAME, 0, -1, "WITHSCORES")
        assert sorted(before[::2]) == sorted(after[::2])
        assert int(after[1]) - int(before[-1]) > 1_000_000
        assert leases._timer is not None
        for permit in held:
            await permit.release()
        assert leases._timer is None
        assert leases.core.is_idle

    run(main())


def test_a_lease_that_was_lost_is_lost(moved_server: Server) -> None:
    async def main() -> None:
        limiter = limiter_in(moved_server, 2)
        moved_server.set_time(1_800_000_000)
        leases = limiter._now_here()
        first = await acquired(limiter)
        [name] = moved_server.command("ZRANGE", NAME, 0, -1)
        second = await acquired(limiter)
        moved_server.advance(29)
        await asyncio.gather(*leases.renew())
        assert first.held
        moved_server.advance(29)
        assert await limiter.try_acquire("k") is None
        moved_server.command("ZREM", NAME, name)
        await asyncio.gather(*leases.renew())
        assert (first.held, second.held) == (False, True)
        assert await limiter.in_use("k") == 1
        await first.release()
        moved_server.advance(30)
        await asyncio.gather(*leases.renew())
        assert not second.held
        assert await limiter.in_use("k") == 0
        assert (await acquired(limiter)).held
        await second.release()
        assert await limiter.in_use("k") == 0  # the one above was dropped

    run(main())


def test_a_server_that_is_away_for_a_lease_has_lost_it(redis_server: Server) -> None:
    async def main() -> None:
        limiter = limiter_in(redis_server, lease_seconds=1, timeout=0.5)
        permit = await acquired(limiter)
        redis_server.stop()
        assert permit.held
        await asyncio.sleep(1.01)
        assert not permit.held
        redis_server.cont()
        await permit.release()

    run(main())


@pytest.mark.parametrize("way", ["try_acquire", "permit"])
def test_a_permit_is_entered_while_it_is_held_only(redis_server: Server, way: str) -> None:
    async def main() -> None:
        limiter = limiter_in(redis_server, 1)
        if way == "permit":
            async with limiter.permit("k") as permit:
                pass
        else:
            permit = await acquired(limiter)
            async with permit:
                assert permit.held
        with pytest.raises(RuntimeError, match="not held: it was released, or lost; acquire"):
            await permit.__aenter__()
        assert await limiter.in_use("k") == 0

    run(main())


def test_what_is_not_awaited_is_named_as_users_know_it(redis_server: Server) -> None:
    async def main() -> None:
        limiter = limiter_in(redis_server, 1)
        permit = await acquired(limiter)
        for _ in range(2):  # there is nothing to send the second time
            with pytest.warns(
                RuntimeWarning, match=r"^coroutine 'Permit.release' was never awaited"
            ):
                permit.release()
        await eventually(redis_server, 0)
        assert (await acquired(limiter)).held

    run(main())


def test_permits_are_counted_as_calls_are(redis_server: Server) -> None:
    async def main() -> None:
        limiter = limiter_in(redis_server, 2, timeout=0.5)
        held = [await acquired(limiter) for _ in range(2)]
        assert await limiter.try_acquire("k") is None
        await held.pop().release()
        assert await limiter.in_use("k") == 1
        told = limiter.statistics()
        assert (told.admitted, told.refused, told.errors, told.local) == (2, 1, 0, 0)
        redis_server.stop()
        held.append(await acquired(limiter))
        assert await limiter.try_acquire("k") is None
        for permit in held:
            await permit.release()
        told = limiter.statistics()
        assert (told.admitted, told.refused) == (3, 2)
        assert (told.errors, told.local, told.remembered) == (2, 2, 0)
        assert 1 <= told.timeouts <= 2  # the connection may be known to be dead by then

    run(main())


def test_cancelled_while_the_server_does_not_answer_it_holds_nothing(redis_server: Server) -> None:
    async def main() -> None:
        limiter = limiter_in(redis_server, 1, timeout=0.5)
        redis_server.stop()
        waiters = [asyncio.create_task(limiter.permit("k").__aenter__()) for _ in range(3)]
        await asyncio.sleep(0.01)
        for waiter in waiters:
            waiter.cancel()
        await asyncio.wait(waiters)
        await asyncio.sleep(0.6)  # what was asked for them is decided here
        permit: Permit | None = await acquired(limiter)
        assert await limiter.try_acquire("k") is None
        permit = None
        assert await limiter.try_acquire("k") is not None, "a dropped one is free at once"
        assert permit is None

    run(main())


def test_cancelled_anywhere_it_leaks_nothing(redis_server: Server) -> None:
    limiter = limiter_in(redis_server, 1)

    async def work() -> None:
        async with limiter.permit("k") as permit:
            assert permit.held
        held = await limiter.try_acquire("k")
        assert held is not None
        loop = asyncio.get_running_loop()
        releases: list[asyncio.Task[None]] = []
        loop.call_later(0.004, lambda: releases.append(loop.create_task(held.release())))
        async with limiter.permit("k", timeout=10):
            await asyncio.sleep(0)
        await (await acquired(limiter)).release()

    async def check() -> None:
        await asyncio.sleep(0.006)
        await eventually(redis_server, 0)
        assert not len(limiter._lines)

    async def main() -> int:
        count = await cancelled_everywhere(work, check)
        assert limiter._core.is_idle
        return count

    assert run(main()) >= 14


def test_a_dropped_permit_is_given_back(redis_server: Server) -> None:
    async def main() -> None:
        limiter = limiter_in(redis_server, 1)
        for _ in range(3):
            permit: Permit | None = await acquired(limiter)
            permit = None
            gc.collect()
            await eventually(redis_server, 0)
        assert permit is None

    run(main())


def test_waiters_of_a_loop_are_first_come_first_served(redis_server: Server) -> None:
    async def main() -> None:
        limiter = limiter_in(redis_server, 1)
        order: list[int] = []
        held = await acquired(limiter)

        async def work(number: int, timeout: float | None) -> None:
            async with limiter.permit("k", timeout=timeout):
                order.append(number)

        tasks = [asyncio.create_task(work(number, None)) for number in range(10)]
        late = asyncio.create_task(work(99, 0.01))
        await asyncio.wait([late])
        assert isinstance(late.exception(), RateLimitError)
        tasks[0].cancel()
        tasks[5].cancel()
        await held.release()
        assert await limiter.try_acquire("k") is None  # it is for those in line
        await asyncio.wait(tasks)
        assert order == [1, 2, 3, 4, 6, 7, 8, 9]
        assert await limiter.in_use("k") == 0

    run(main())


def test_a_release_wakes_who_waits(redis_server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for pause in ("_SHORTEST", "_LONGEST"):
        monkeypatch.setattr(seconds, pause, 1_000)

    async def main() -> None:
        limiter = limiter_in(redis_server, 1)
        held = await acquired(limiter)
        waiter = asyncio.create_task(limiter.permit("k", timeout=None).__aenter__())
        done, _ = await asyncio.wait([waiter], timeout=0.05)
        assert not done
        await held.release()
        await (await asyncio.wait_for(waiter, 20)).release()

    run(main())


def test_nobody_overtakes_who_waits_in_the_same_loop(
    redis_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for pause in ("_SHORTEST", "_LONGEST"):
        monkeypatch.setattr(seconds, pause, 1_000)

    async def main() -> None:
        limiter, elsewhere = limiter_in(redis_server, 1), limiter_in(redis_server, 1)
        held = await acquired(elsewhere)
        waiter = asyncio.create_task(limiter.permit("k", timeout=None).__aenter__())
        await asyncio.wait([waiter], timeout=0.1)
        await held.release()  # who waits here does not hear of it
        assert await limiter.in_use("k") == 0
        with pytest.raises(RateLimitError):
            await limiter.permit("k").__aenter__()
        limiter._lines.wake("k")
        await (await waiter).release()

    run(main())


def test_processes_never_exceed_it(redis_server: Server) -> None:
    limit, processes, tasks, turns = 3, 4, 4, 12
    workers = [
        permit_processes.start("compete", redis_server.url, limit, redis_server.port, tasks, turns)
        for _ in range(processes)
    ]
    try:
        assert [worker.wait(100) for worker in workers] == [0] * processes
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()
    most = int(redis_server.command("GET", permit_processes.MOST))
    assert 1 <= most <= limit
    count = int(redis_server.command("GET", permit_processes.COUNT))
    assert count == processes * tasks * turns
    assert redis_server.command("KEYS", "sluicegate:*") == []
    print(f"{count} turns, {most} inside at most")


@pytest.mark.parametrize(("on_error", "most"), [("local", 2), ("open", 20), ("closed", 0)])
def test_without_a_server_the_policy_decides(
    redis_server: Server, on_error: Any, most: int
) -> None:
    async def main() -> None:
        options = {"timeout": 0.5, "on_error": on_error, "workers": 2}
        limiter = limiter_in(redis_server, 4, **options)
        before = await acquired(limiter)
        redis_server.stop()
        asked = [await limiter.try_acquire("k") for _ in range(20)]
        held = [permit for permit in asked if permit is not None]
        assert len(held) == most
        assert all(permit.held for permit in held)
        if on_error != "open":
            with pytest.raises(RateLimitError) as refused:
                await limiter.permit("k", timeout=0.05).__aenter__()
            assert refused.value.retry_after > 0
            undecided = "server did not decide" in str(refused.value)
            assert undecided == (on_error == "closed")
        if held:
            await held[0].release()
            assert not held[0].held
            async with limiter.permit("k") as again:
                assert again.held
        await before.release()
        assert not before.held
        for permit in held:
            await permit.release()
        again = [await limiter.try_acquire("k") for _ in range(min(most, 3) + 1)]
        assert sum(permit is not None for permit in again) == min(most, 3 + (most > 3))

    run(main())


def test_what_is_held_in_redis_counts_when_it_does_not_answer(redis_server: Server) -> None:
    async def main() -> None:
        limiter = limiter_in(redis_server, 3, timeout=0.5)
        held = [await acquired(limiter) for _ in range(2)]
        elsewhere = await limiter.try_acquire("another")
        assert elsewhere is not None
        redis_server.stop()
        third = await acquired(limiter)
        assert await limiter.try_acquire("k") is None
        await held[0].release()
        fourth = await acquired(limiter)
        assert await limiter.try_acquire("k") is None
        assert [permit.held for permit in (*held, third, fourth)] == [False, True, True, True]
        for permit in (held[1], third, fourth, elsewhere):
            await permit.release()
        again = [await limiter.try_acquire("k") for _ in range(4)]
        assert sum(permit is not None for permit in again) == 3

    run(main())


def test_a_local_permit_goes_to_who_waits(redis_server: Server) -> None:
    async def main() -> None:
        limiter = limiter_in(redis_server, 1, timeout=0.5)
        redis_server.stop()
        held = await acquired(limiter)
        waiter = asyncio.create_task(limiter.permit("k", timeout=20).__aenter__())
        await asyncio.sleep(0.01)
        await held.release()
        await (await waiter).release()

    run(main())


def test_the_caller_may_want_to_know(redis_server: Server) -> None:
    async def main() -> None:
        limiter = limiter_in(redis_server, timeout=0.5, on_error="raise")
        permit = await acquired(limiter)
        redis_server.stop()
        with pytest.raises(StoreError):
            await limiter.try_acquire("k")
        for timeout in (0, 1):
            with pytest.raises(StoreError):
                await limiter.permit("k", timeout=timeout).__aenter__()
        with pytest.raises(StoreError):
            await limiter.in_use("k")
        await permit.release()

    run(main())


def test_a_release_that_had_no_answer_is_sent_again(redis_server: Server) -> None:
    async def main() -> None:
        limiter = limiter_in(redis_server, 2, timeout=0.5)
        permit = await acquired(limiter)
        leases = limiter._now_here()
        redis_server.stop()
        await permit.release()
        assert await limiter.try_acquire("k") is not None  # a local one
        assert not leases.core.is_idle
        redis_server.cont()
        deadline = time.monotonic() + 20
        while not leases.core.is_idle:
            assert time.monotonic() < deadline
            await asyncio.gather(*leases.renew())
            await asyncio.sleep(0.02)
        assert redis_server.command("ZCARD", NAME) == 0
        assert leases._timer is None

    run(main())


def test_two_loops_and_a_fork_keep_apart(redis_server: Server) -> None:
    limiter = limiter_in(redis_server, 2)

    async def take() -> Permit:
        return await acquired(limiter)

    async def give(permit: Permit) -> None:
        assert permit.held
        await permit.release()

    first = asyncio.run(take())
    second = asyncio.run(take())
    child = os.fork()
    if child == 0:
        code = 1
        try:
            assert not first.held
            asyncio.run(first.release())
            assert asyncio.run(limiter.try_acquire("k")) is None
            code = 7
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 7 << 8
    assert redis_server.command("ZCARD", NAME) == 2
    asyncio.run(give(first))
    asyncio.run(second.release())
    assert redis_server.command("ZCARD", NAME) == 0


def test_limits_off_does_not_ask(redis_server: Server) -> None:
    async def main() -> None:
        limiter = limiter_in(redis_server, 1)
        with limits_off():
            for _ in range(3):
                assert (await acquired(limiter)).held
            async with limiter.permit("k", timeout=1), limiter.permit("k"):
                assert redis_server.command("DBSIZE") == 0

    run(main())
