"""A gate in Redis under cancellation, forks, outages, changed limits and wrong arguments."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import sluicegate
from cancelling import cancelled_everywhere
from in_loop import in_loop
from polling import until
from redis_servers import Server
from sluicegate import Limit, RateLimitError
from sluicegate.errors import StoreError
from sluicegate.redis import Gate
from threading_calls import in_threads

Make = Callable[..., Gate]
MANY = [
    Limit("100000/hour", by="user"),
    Limit("1000000 tokens/hour", by="user"),
    Limit("2 concurrent", by="user", lease_seconds=60),
]


@pytest.fixture
def make(redis_server: Server) -> Iterator[Make]:
    made: list[Gate] = []

    def gate(limits: Any, **options: Any) -> Gate:
        options = {"timeout": 10, "on_error": "raise"} | options
        made.append(Gate(redis_server.url, limits, **options))
        return made[-1]

    yield gate
    for each in made:
        each.close()


def left(gate: Gate, key: str = "k") -> dict[str, int]:
    told = gate.peek_sync(key, {"tokens": 1}).limits
    return {name: each.remaining for name, each in told.items()}


def test_no_cost_is_wrong_as_in_memory(make: Make) -> None:
    limits = "5/hour"
    here, there = sluicegate.Gate(limits), make(limits)
    none: Any = None
    for gate in (here, there):
        for call in (gate.check_sync, gate.peek_sync, gate.wait_sync, gate.reserve):
            with pytest.raises(TypeError, match="cost must be an int, or a mapping"):
                call("k", none)
    for verb in (there.check, there.peek, there.wait):
        with pytest.raises(TypeError, match="cost must be an int, or a mapping"):
            asyncio.run(verb("k", none))
    assert there.peek_sync("k").remaining == 5


def test_more_limits_than_one_decision_may_have_are_reset(make: Make) -> None:
    limits = [Limit(f"{n + 5}/{n + 1} hours", by=f"by{n // 20}", name=f"l{n}") for n in range(40)]
    for gate in (sluicegate.Gate(limits), make(limits)):
        assert gate.check_sync({"by0": "k", "by1": None})
        assert gate.check_sync({"by0": None, "by1": "k"})
        gate.reset_sync({"by0": "k", "by1": "k"})
        for keys in ({"by0": "k", "by1": None}, {"by0": None, "by1": "k"}):
            told = gate.peek_sync(keys).limits.values()
            assert all(each.remaining == each.limit for each in told)


def test_what_is_used_beyond_an_estimate_is_no_call_more(make: Make) -> None:
    for gate in (sluicegate.Gate("9/hour"), make("9/hour")):
        with gate.reserve("k") as reservation:
            reservation.settle(requests=3)
        told = gate.statistics()
        assert (told.admitted, told.limits["key/hour"].admitted) == (1, 1)
        assert gate.peek_sync("k").remaining == 6


def test_a_permit_that_is_given_back_elsewhere_is_free_at_once(make: Make) -> None:
    """That it was refused says nothing of the next moment, unlike of a quota."""
    limits = [Limit("9/hour", by="user"), Limit("1 concurrent", by="user")]
    here, elsewhere = make(limits), make(limits)
    with elsewhere.reserve("k"):
        for _ in range(2):
            with pytest.raises(RateLimitError):
                here.reserve("k").__enter__()
    with here.reserve("k"):
        assert here.statistics().limits["user/concurrent"].remembered == 0


def test_what_only_watches_is_not_remembered_as_a_refusal(make: Make) -> None:
    gate = make([Limit("1/hour", name="watched", shadow=True), Limit("3/hour", name="enforced")])
    for _ in range(3):
        assert gate.check_sync("k")
    for _ in range(2):
        assert gate.check_sync("k").refused_by == ("enforced",)
    counted = gate.statistics().limits
    assert counted["enforced"].remembered == 1
    assert (counted["watched"].remembered, counted["watched"].refused) == (0, 0)
    gate.set_limits([Limit("1/hour", name="watched"), Limit("9/hour", name="enforced")])
    assert gate.check_sync("k").refused_by == ("watched",)
    gate.set_limits(
        [Limit("1/hour", name="watched", shadow=True), Limit("9/hour", name="enforced")]
    )
    assert gate.check_sync("k"), "it only watches again, and what it refused is forgotten"


def test_cancelled_anywhere_it_leaks_nothing(make: Make) -> None:
    gate, small = make(MANY), make(Limit("1/hour", by="user"), name="small")

    async def work() -> None:
        async with gate.reserve("k", {"tokens": 10}) as reservation:
            await asyncio.sleep(0)
            reservation.settle(tokens=3)
        async with gate.reserve("k", {"tokens": 10}, timeout=5) as reservation:
            reservation.cancel()
        async with gate.reserve("k", {"tokens": 1}), gate.reserve("k", {"tokens": 1}):
            with pytest.raises(RateLimitError):
                await gate.reserve("k", {"tokens": 1}, timeout=0.01).__aenter__()
        decision = await small.check("k")
        await small.refund("k", decision)
        await small.wait("k", timeout=5)
        await small.reset("k")
        await small.clear()

    async def check() -> None:
        end = time.monotonic() + 20
        while (await gate.peek("k", {"tokens": 1})).limits["user/concurrent"].remaining < 2:
            assert time.monotonic() < end
            await asyncio.sleep(0.002)
        for each in (gate, small):
            assert len(each._places) == 0
            assert not each._places.lines.lines
        await small.reset("k")

    async def main() -> int:
        return await cancelled_everywhere(work, check)

    assert asyncio.run(main()) >= 20


def test_a_child_of_a_fork_in_the_block_has_nothing_of_it(make: Make) -> None:
    gate = make([Limit("100 tokens/hour", by="user"), Limit("3 concurrent", by="user")])
    with gate.reserve("k", {"tokens": 10}) as reservation:
        child = os.fork()
        if not child:
            code = 1
            try:
                reservation.settle(tokens=1)
                reservation.__exit__(None, None, None)
                del reservation
                gc.collect()
                assert left(gate) == {"user/tokens/hour": 90, "user/concurrent": 2}
                with gate.reserve("k", {"tokens": 5}, timeout=1) as own:
                    assert left(gate)["user/concurrent"] == 1
                    own.settle(tokens=1)
                assert left(gate) == {"user/tokens/hour": 89, "user/concurrent": 2}
                code = 0
            finally:
                os._exit(code)
        assert os.waitpid(child, 0)[1] == 0
        reservation.settle(tokens=2)
    assert left(gate) == {"user/tokens/hour": 97, "user/concurrent": 3}


def test_it_may_be_left_in_another_loop_in_a_thread_or_by_nobody(make: Make) -> None:
    gate = make([Limit("100 tokens/hour", by="user"), Limit("3 concurrent", by="user")])

    def entered(is_async: bool) -> Any:
        reservation = gate.reserve("k", {"tokens": 10})
        if is_async:
            asyncio.run(reservation.__aenter__())
        else:
            reservation.__enter__()
        reservation.settle(tokens=1)
        return reservation

    asyncio.run(entered(True).__aexit__(None, None, None))
    entered(True).__exit__(None, None, None)
    asyncio.run(entered(False).__aexit__(None, None, None))
    assert left(gate) == {"user/tokens/hour": 97, "user/concurrent": 3}
    for is_async in (True, False):
        entered(is_async)  # and dropped, its loop closed
        gc.collect()
    until(lambda: left(gate) == {"user/tokens/hour": 77, "user/concurrent": 3}, "permits are back")


def test_limits_that_change_under_load_admit_exactly_the_largest(make: Make) -> None:
    gate = make([Limit("100/hour", by="user"), Limit("3 concurrent", by="user")])
    ends, lock = threading.Event(), threading.Lock()
    admitted, inside, most = [0], [0], [0]

    def step(by: int) -> None:
        with lock:
            inside[0] += by
            most[0] = max(most[0], inside[0])
            admitted[0] += by > 0

    def thread() -> None:
        for _ in range(60):
            try:
                with gate.reserve("k", timeout=30):
                    step(1)
                    step(-1)
            except RateLimitError:
                pass

    async def coroutine() -> None:
        for _ in range(60):
            try:
                async with gate.reserve("k", timeout=30):
                    step(1)
                    await asyncio.sleep(0)
                    step(-1)
            except RateLimitError:
                pass

    def change() -> None:
        number = 0
        while not ends.is_set():
            number += 1
            limits = [Limit(f"{100 + number % 2 * 20}/hour", by="user")]
            limits.append(Limit("3 concurrent", by="user"))
            if number % 3 == 0:
                limits.append(Limit("90/day", by="user", shadow=True, name="watched"))
            gate.set_limits(limits if number % 5 else limits[::-1])
        gate.set_limits([Limit("120/hour", by="user"), Limit("3 concurrent", by="user")])

    changes = threading.Thread(target=change)
    changes.start()
    in_threads([thread, thread, lambda: asyncio.run(coroutine()), lambda: asyncio.run(coroutine())])
    ends.set()
    changes.join()
    while gate.peek_sync("k"):  # refused by the smaller number of the two
        with gate.reserve("k"):
            step(1)
            step(-1)
    assert admitted == [120]
    assert most[0] <= 3
    assert gate.statistics().admitted == 120


@in_loop
async def test_bad_timeouts_are_told_with_their_values(make: Make) -> None:
    gate = make("5/hour")
    for wrong, said in (("1", "str '1'"), (True, "bool True")):
        timeout: Any = wrong
        with pytest.raises(TypeError, match=f"timeout must be an int or a float, got {said}"):
            await gate.wait("k", timeout=timeout)


def entered(gate: Gate, is_async: bool, then: Callable[[Any], None]) -> str:
    """Who decided, or what was raised."""

    async def awaited() -> str:
        async with gate.reserve("k", {"tokens": 10}) as reservation:
            then(reservation)
            return reservation.decision.store

    try:
        if is_async:
            return asyncio.run(awaited())
        with gate.reserve("k", {"tokens": 10}) as reservation:
            then(reservation)
            return reservation.decision.store
    except (RateLimitError, StoreError) as error:
        return type(error).__name__


WITHOUT = {"local": "local", "open": "open", "closed": "RateLimitError", "raise": "StoreError"}


@pytest.mark.long
@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("on_error", WITHOUT)
def test_an_outage_in_the_middle_of_a_reservation(
    redis_server: Server, make: Make, on_error: str, is_async: bool
) -> None:
    """A call that was on its way may have been spent; permits come back, and nothing comes back twice."""
    limits = [
        Limit("100/hour", by="user"),
        Limit("1000 tokens/hour", by="user"),
        Limit("2 concurrent", by="user", lease_seconds=3),
    ]
    gate = make(limits, timeout=0.3, on_error=on_error)
    look = make(limits, remember=False)
    names = "user/hour", "user/tokens/hour", "user/concurrent"

    def are_left(*numbers: int) -> None:
        def are() -> bool:
            try:
                return left(look) == dict(zip(names, numbers, strict=True))
            except StoreError:
                return False

        redis_server.cont()
        until(are, f"{numbers} are left")
        until(is_asked, "the server decides")

    def is_asked() -> bool:
        try:
            return gate.peek_sync("k", {"tokens": 1}).store == "redis"
        except StoreError:
            return False

    def ended(before: Callable[[], None], **settled: int) -> Callable[[Any], None]:
        def end(reservation: Any) -> None:
            before()
            if settled:
                reservation.settle(**settled)
            else:
                reservation.cancel()

        return end

    gate.ping_sync()
    redis_server.stop()
    assert entered(gate, is_async, lambda _: None) == WITHOUT[on_error]
    are_left(99, 990, 2)
    assert entered(gate, is_async, ended(redis_server.stop, tokens=3)) == "redis"
    are_left(98, 987, 2)
    assert entered(gate, is_async, ended(redis_server.stop, tokens=30)) == "redis"
    are_left(97, 957, 2)
    assert entered(gate, is_async, ended(redis_server.stop)) == "redis"
    are_left(97, 957, 2)
    redis_server.stop()
    told = entered(gate, is_async, ended(lambda: are_left(96, 947, 2), tokens=3))
    assert told == WITHOUT[on_error]
    are_left(96, 947, 2)
    assert entered(gate, is_async, ended(redis_server.kill, tokens=3)) == "redis"
    redis_server.restart()
    are_left(100, 1000, 2)

    def killed() -> None:
        redis_server.kill()
        redis_server.restart()
        are_left(100, 1000, 2)

    assert entered(gate, is_async, ended(killed, tokens=3)) == "redis"
    are_left(100, 1000, 2)
