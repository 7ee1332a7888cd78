"""Permits in Redis go to those who wait in order of arrival: of all event loops and threads of a process."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterator
from itertools import pairwise
from math import inf
from typing import Any

import pytest

import virtual_time
from loops import loop_in_thread
from polling import until
from redis_servers import Server
from sluicegate import RateLimitError
from sluicegate._connection import lines, places, seconds
from sluicegate._connection.lines import Lines
from sluicegate._connection.places import Places
from sluicegate._connection.waiter import LoopWaiter
from sluicegate.concurrency.waiting import PermitLines
from sluicegate.redis import ConcurrencyLimiter, Permit

pytest_plugins = ["redis_fixtures"]


class Desk:
    """A limiter of one permit, which is held; and who got it since, in which order."""

    def __init__(self, server: Server) -> None:
        self.limiter = ConcurrencyLimiter(server.url, 1, timeout=10, lease_seconds=600)
        self.order: list[int] = []
        self.tasks: dict[int, Any] = {}
        self.threads: list[threading.Thread] = []
        #: Each gives its permit back only when told to.
        self.go_on = threading.Semaphore(0)
        self.held = self.limiter.try_acquire_sync("k")

    def in_line(self) -> int:
        return sum(len(line.numbers) for line in list(self._lines.lines.lines.values()))

    @property
    def _lines(self) -> Places[Any]:
        return self.limiter._lines.places

    async def _in_loop(self, number: int) -> None:
        async with self.limiter.permit("k", timeout=None):
            self.order.append(number)
            await asyncio.to_thread(self.go_on.acquire)

    def _in_thread(self, number: int) -> None:
        with self.limiter.permit("k", timeout=None):
            self.order.append(number)
            self.go_on.acquire()

    def come(self, number: int, loop: asyncio.AbstractEventLoop | None) -> None:
        before = self.in_line()
        if loop is not None:
            self.tasks[number] = asyncio.run_coroutine_threadsafe(self._in_loop(number), loop)
        else:
            self.threads.append(threading.Thread(target=self._in_thread, args=(number,)))
            self.threads[-1].start()
        until(lambda: self.in_line() > before, "it stands in line", pause=0.001)

    def give_back(self) -> None:
        """Whoever holds the permit does so, and the next one has it when this returns."""
        before = len(self.order)
        if self.held is not None:
            self.held.release()
            self.held = None
        else:
            self.go_on.release()
        until(lambda: len(self.order) > before, "the next one has it", pause=0.001)

    def ends(self) -> None:
        self.go_on.release()
        until(lambda: not len(self.limiter._lines) and not self._lines.lines.lines, "no trace")
        for thread in self.threads:
            thread.join(20)
        until(lambda: self.limiter.in_use_sync("k") == 0, "all is given back")


@pytest.fixture
def desk(redis_server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """Nobody asks again unless told to: it is the wake-ups that keep the order."""
    for pause in ("_SHORTEST", "_LONGEST"):
        monkeypatch.setattr(seconds, pause, 1_000)
    desk = Desk(redis_server)
    yield desk
    desk.limiter.close()


def test_loops_and_threads_go_in_one_order(desk: Desk) -> None:
    with loop_in_thread() as one, loop_in_thread() as other:
        where = [one, None, other, None, None, other, one, None]
        for number, loop in enumerate(where):
            desk.come(number, loop)
        for _ in where:
            desk.give_back()
        assert desk.order == list(range(len(where)))
        desk.ends()


def test_who_leaves_is_not_waited_for_and_a_newcomer_does_not_overtake(desk: Desk) -> None:
    with loop_in_thread() as one, loop_in_thread() as other:
        for number, loop in enumerate([one, other, None, one]):
            desk.come(number, loop)
        desk.tasks[0].cancel()
        until(lambda: desk.in_line() == 3, "it has left")
        newcomer = ConcurrencyLimiter.try_acquire(desk.limiter, "k")
        assert asyncio.run_coroutine_threadsafe(newcomer, one).result(20) is None
        assert desk.limiter.try_acquire_sync("k") is None
        before = desk.limiter.statistics().refused
        with pytest.raises(RateLimitError) as refused:
            desk.limiter.permit("k").__enter__()
        assert 500 < refused.value.retry_after <= 600, "as the first in line was told"
        assert desk.limiter.statistics().refused == before, "the server is not asked"
        for _ in range(3):
            desk.give_back()
        assert desk.order == [1, 2, 3]
        desk.ends()


def test_a_loop_that_stands_still_holds_up_no_thread(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "_LOOKS_AFTER", 0.01)
    monkeypatch.setattr(lines, "_LATE", 0.05)
    goes_on = threading.Event()
    with loop_in_thread() as loop:
        desk.come(0, loop)
        desk.come(1, None)
        stands_still = threading.Event()

        def stand_still() -> None:
            stands_still.set()
            goes_on.wait(20)

        loop.call_soon_threadsafe(stand_still)
        assert stands_still.wait(20)
        desk.give_back()
        assert desk.order == [1]
        goes_on.set()
        desk.give_back()
        assert desk.order == [1, 0]
        desk.ends()


def test_a_forked_child_stands_behind_nobody_of_its_parent(desk: Desk) -> None:
    desk.come(0, None)
    child = os.fork()
    if not child:
        code = 3
        try:
            with pytest.raises(RateLimitError):
                desk.limiter.permit("k", timeout=0.01).__enter__()
            code = 0 if not len(desk.limiter._lines) else 4
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    desk.give_back()
    desk.ends()


def in_virtual_time(work: Callable[[PermitLines], Any]) -> Any:
    async def main() -> Any:
        lines = PermitLines(1.0)
        lines.places.lines = Lines(asyncio.get_running_loop().time)
        result = await work(lines)
        assert not len(lines)
        return result

    return virtual_time.run(main())


@pytest.mark.parametrize("place", ["first", "second"])
def test_nobody_is_refused_before_the_time_is_over(place: str) -> None:
    """A permit may be given back at any moment, whatever was told: also in the last one."""
    left = {"permits": 0}

    async def acquire() -> Permit | float:
        if left["permits"]:
            left["permits"] -= 1
            return Permit._leased("k", object())  # type: ignore[arg-type]
        return 30.0

    async def work(lines: PermitLines) -> None:
        began = virtual_time.now()
        ahead = asyncio.ensure_future(lines.served("k", acquire, LoopWaiter, inf))
        if place == "first":
            ahead.cancel()
        await asyncio.sleep(0)
        waits = asyncio.ensure_future(lines.served("k", acquire, LoopWaiter, 5.0))
        await asyncio.sleep(4.999)
        assert not waits.done()
        left["permits"] = 2 if place == "second" else 1
        lines.wake("k")
        assert isinstance(await waits, Permit)
        refused = await lines.served("k", acquire, LoopWaiter, 5.0)
        assert refused == 30.0
        assert virtual_time.now() - began == pytest.approx(4.999 + 5.0, abs=1e-3)

    in_virtual_time(work)


def test_the_first_asks_again_and_again_and_once_more_at_the_end() -> None:
    asked: list[float] = []

    async def acquire() -> Permit | float:
        asked.append(virtual_time.now())
        return 30.0

    async def work(lines: PermitLines) -> None:
        began = virtual_time.now()
        others = [
            asyncio.ensure_future(lines.served("k", acquire, LoopWaiter, 1.0)) for _ in range(50)
        ]
        assert await lines.served("k", acquire, LoopWaiter, 0.5) == 30.0
        assert set(await asyncio.gather(*others)) == {30.0}
        steps = [later - at for at, later in pairwise(asked)]
        assert all(step <= 0.126 for step in steps)
        assert len(asked) < 30, "one asks for all of them"
        ends = [began + 0.5, began + 1.0]
        assert [any(abs(at - end) < 1e-6 for at in asked) for end in ends] == [True, True]

    in_virtual_time(work)


def test_the_last_question_is_at_the_end_of_the_time_however_that_is_rounded() -> None:
    asked: list[float] = []

    async def acquire() -> Permit | float:
        asked.append(virtual_time.now())
        return 30.0

    async def work(lines: PermitLines) -> None:
        for number in range(1, 40):
            ends = virtual_time.now() + number / 7
            await lines.served("k", acquire, LoopWaiter, number / 7)
            assert asked[-1] == pytest.approx(ends, abs=1e-9)

    in_virtual_time(work)
