"""One order of arrival in a process: event loops and threads, and those who leave, stand still or are gone."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from contextlib import suppress
from math import inf

import pytest

from loops import loop_in_thread
from polling import until
from sluicegate import Decision
from sluicegate._connection import lines, places
from sluicegate._connection.places import Places
from sluicegate._connection.waiter import LoopWaiter, ThreadWaiter
from sluicegate._support.awaiting import at_once
from sluicegate.redis.waiting import OneCall


class Desk:
    """Admits as many as there is room for, and notes whom in which order: so it is read from the decisions."""

    def __init__(self) -> None:
        self.places: Places[Decision] = Places(1.0)
        self.room = 0
        self.admitted: list[int] = []
        self._kept: list[object] = []  # an event loop does not keep who waits in it
        self._lock = threading.Lock()

    def call(self, number: int) -> OneCall:
        def decide(cost: int) -> Decision:
            with self._lock:
                is_free = self.room > 0
                if is_free and cost:
                    self.room -= 1
                    self.admitted.append(number)
            return Decision(is_free, 1, 0, 0.0 if is_free else 1_000.0, 1_000.0, 0.0, "redis")

        async def check() -> Decision:
            return decide(1)

        async def peek() -> Decision:
            return decide(0)

        return OneCall("k", check, peek)

    async def wait(self, number: int, seconds: float = inf) -> Decision:
        return await self.places.decided(self.call(number), LoopWaiter, seconds)

    def wait_sync(self, number: int, seconds: float = inf) -> Decision:
        return at_once(self.places.decided(self.call(number), ThreadWaiter, seconds))

    def in_line(self) -> int:
        return sum(len(line.numbers) for line in list(self.places.lines.lines.values()))

    def come(self, number: int, loop: asyncio.AbstractEventLoop | None) -> None:
        """One more, in a loop or in a thread of its own, who is in line when this returns."""
        before = self.in_line()
        if loop is not None:
            self._kept.append(asyncio.run_coroutine_threadsafe(self.wait(number), loop))
        else:
            threading.Thread(target=self.wait_sync, args=(number,), daemon=True).start()
        until(lambda: self.in_line() > before, "it stands in line", pause=0.001)

    def free(self) -> None:
        """Room for one, who takes it before this returns."""
        before = len(self.admitted)
        self.room += 1
        self.places.look_again()
        until(lambda: len(self.admitted) > before, "one is admitted", pause=0.001)

    def is_empty(self) -> None:
        until(lambda: not len(self.places) and not self.places.lines.lines, "no trace", pause=0.001)


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_loops_and_threads_go_in_one_order(desk: Desk) -> None:
    with loop_in_thread() as one, loop_in_thread() as other:
        for number, loop in enumerate([one, None, other, None, None, other, one, one, None, other]):
            desk.come(number, loop)
        for _ in range(10):
            desk.free()
        assert desk.admitted == list(range(10))
        desk.is_empty()


def test_one_who_is_cancelled_leaves_no_trace(desk: Desk) -> None:
    with loop_in_thread() as one, loop_in_thread() as other:
        desk.come(0, one)
        late = asyncio.run_coroutine_threadsafe(desk.wait(1), other)
        until(lambda: desk.in_line() == 2, "it stands in line")
        desk.come(2, None)
        desk.come(3, one)
        late.cancel()
        until(lambda: desk.in_line() == 3, "it has left")
        desk.free()
        desk.free()
        desk.free()
        assert desk.admitted == [0, 2, 3]
        desk.is_empty()


def test_who_leaves_first_lets_a_thread_or_another_loop_ask(desk: Desk) -> None:
    with loop_in_thread() as one, loop_in_thread() as other:
        first = asyncio.run_coroutine_threadsafe(desk.wait(0), one)
        until(lambda: desk.in_line() == 1, "it stands in line")
        desk.come(1, None)
        desk.come(2, other)
        desk.room = 2
        first.cancel()
        until(lambda: len(desk.admitted) == 2, "the others are admitted")
        assert desk.admitted == [1, 2]
        desk.is_empty()


def test_who_cannot_wait_so_long_is_refused_wherever_the_first_is(desk: Desk) -> None:
    with loop_in_thread() as loop:
        desk.come(0, loop)
        until(lambda: desk.places.lines.free_at("k") > 0, "the first was told")
        refused = desk.wait_sync(1, 500)
        assert not refused
        assert refused.retry_after > 900
        desk.free()
        desk.is_empty()


@pytest.mark.parametrize("ending", ["closed", "stopped"])
def test_a_loop_that_has_ended_holds_nobody_up(
    ending: str, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "_LOOKS_AFTER", 0.01)
    loop = asyncio.new_event_loop()

    async def begin() -> asyncio.Task[Decision]:
        task = loop.create_task(desk.wait(0))
        await asyncio.sleep(0)
        assert desk.in_line() == 1
        return task

    task = loop.run_until_complete(begin())  # it is kept, and waits for ever
    task._log_destroy_pending = False  # type: ignore[attr-defined]
    if ending == "closed":
        loop.close()
    desk.come(1, None)
    desk.free()
    assert desk.admitted == [1]
    if ending == "stopped":
        desk.room = 1
        desk.places.look_again()
        assert loop.run_until_complete(task), "it is the first one still"
        desk.is_empty()
        loop.close()


def test_a_loop_that_blocks_on_a_thread_behind_its_own_coroutine_goes_on(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "_LOOKS_AFTER", 0.01)
    monkeypatch.setattr(lines, "_LATE", 0.05)

    async def main() -> None:
        first = asyncio.ensure_future(desk.wait(0))
        await asyncio.sleep(0)
        thread = threading.Thread(target=desk.wait_sync, args=(1,))
        thread.start()
        until(lambda: desk.in_line() == 2, "it stands in line")
        desk.room = 1
        desk.places.look_again()
        thread.join(20)  # in which the loop stands still
        assert desk.admitted == [1]
        desk.room = 1
        desk.places.look_again()
        assert await first
        assert desk.admitted == [1, 0]

    asyncio.run(main())
    desk.is_empty()


def test_a_thread_looks_out_when_the_one_that_did_has_left(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "_LOOKS_AFTER", 0.01)
    ended: list[object] = []
    stands_still = threading.Event()

    def stand_still() -> None:
        stands_still.set()
        thread.join(20)

    with loop_in_thread() as loop:
        for number, where in enumerate([loop, None, loop]):
            desk.come(number, where)
        thread = threading.Thread(target=lambda: ended.append(desk.wait_sync(3)))
        thread.start()
        until(lambda: desk.in_line() == 4, "all stand in line")
        until(lambda: desk.places.lines.known(4).is_asleep, "it sleeps")  # type: ignore[union-attr]
        desk.free()
        desk.free()
        monkeypatch.setattr(lines, "_LATE", 0.05)
        loop.call_soon_threadsafe(stand_still)
        assert stands_still.wait(20)
        desk.free()
        assert desk.admitted == [0, 1, 3]
        thread.join(20)
        desk.free()
        assert desk.admitted == [0, 1, 3, 2]
        desk.is_empty()


def test_a_handler_wakes_who_waits_in_the_loop_that_it_interrupts(desk: Desk) -> None:
    def gives_back(*_: object) -> None:
        desk.room = 1
        desk.places.look_again()

    missed: list[int] = []

    def send(number: int, loop: asyncio.AbstractEventLoop) -> None:
        until(lambda: (one := desk.places.lines.known(number)) and one.is_asleep, "it sleeps")
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
        try:
            until(lambda: len(desk.admitted) == number, "it is admitted", 10)
        except TimeoutError:
            missed.append(number)
            loop.call_soon_threadsafe(str)  # which ends its sleep

    async def main() -> None:
        for number in range(1, 6):
            args = number, asyncio.get_running_loop()
            sending = threading.Thread(target=send, args=args)
            sending.start()
            assert await desk.wait(number)
            sending.join(20)
            assert not missed

    before = signal.signal(signal.SIGUSR1, gives_back)
    try:
        asyncio.run(main())
    finally:
        signal.signal(signal.SIGUSR1, before)
    desk.is_empty()


def test_a_forked_child_starts_with_an_empty_line(desk: Desk) -> None:
    desk.come(0, None)
    child = os.fork()
    if not child:
        desk.room = 1
        admitted = desk.wait_sync(1, 0)
        os._exit(0 if admitted and not len(desk.places) else 3)
    assert os.waitpid(child, 0)[1] == 0
    desk.free()
    desk.is_empty()


def test_nobody_is_left_behind(desk: Desk) -> None:
    """Many come, leave and go on at once, where threads take turns after every few steps."""
    rounds, ends = 20, list[object]()

    async def some(number: int) -> None:
        for _ in range(rounds):
            waits = [asyncio.ensure_future(desk.wait(number)) for _ in range(4)]
            await asyncio.sleep(0)
            waits[1].cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    def many(number: int) -> None:
        for _ in range(rounds):
            desk.wait_sync(number)

    def noted(work: object, number: int) -> None:
        many(number) if work is many else asyncio.run(some(number))
        ends.append(True)

    work = [many, many, many, some, some]
    threads = [
        threading.Thread(target=noted, args=args) for args in zip(work, range(5), strict=True)
    ]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        with suppress(TimeoutError):
            until(
                lambda: _give(desk) or not any(t.is_alive() for t in threads), "all end", 60, 0.001
            )
    finally:
        sys.setswitchinterval(before)
    assert ends == [True] * 5
    desk.is_empty()


def _give(desk: Desk) -> None:
    if not desk.room:
        desk.room = 1
        desk.places.look_again()
