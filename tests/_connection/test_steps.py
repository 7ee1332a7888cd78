"""Between any two steps of one who waits: another comes, goes or gives something back, or a handler runs."""

from __future__ import annotations

import random
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from math import inf

import pytest

from interpreter_steps import at_step_of
from sluicegate import Decision
from sluicegate._connection import line, lines, places, waiter
from sluicegate._connection.lines import Lines
from sluicegate._connection.places import Places
from sluicegate._connection.waiter import ThreadWaiter, Waiter
from sluicegate._support import weak
from sluicegate._support.awaiting import at_once
from sluicegate.redis.waiting import OneCall

FILES = {module.__file__ for module in (line, lines, places, waiter, weak, threading)}
PLACE = "k"


class Noted(Waiter):
    """Stands in line, and notes whether it was woken."""

    __slots__ = ("home", "woken")
    home: object

    def __init__(self, number: int, home: object = None) -> None:
        super().__init__(number)
        self.home, self.woken = home, 0

    def wake(self) -> None:
        self.is_woken = True
        self.woken += 1


def at_step(step: int, do: Callable[[], object]) -> AbstractContextManager[list[bool]]:
    return at_step_of(FILES, step, do)


def come(lines: Lines, home: object = None) -> Noted:
    one = Noted(lines.next_number(), home)
    lines.hold(one, [PLACE])
    return one


def go(lines: Lines, one: Waiter) -> None:
    one.is_over = True
    lines.leave(one)


def stand(lines: Lines, *waiters: Waiter) -> None:
    """These stand in line and nobody else, and the first is known as the first."""
    there = lines.line(PLACE)
    assert there is not None, "whoever stands in a line that is lost is never woken"
    assert lines.first(PLACE) is min(waiters, key=lambda one: one.number)
    assert there.numbers == sorted(one.number for one in waiters)
    assert all(one.lines == {PLACE: there} for one in waiters)


def every_step(scene: Callable[[int], bool]) -> None:
    step = 1
    while scene(step):
        step += 1
    assert step > 20, "the scene has steps"


def test_one_enters_while_the_last_one_leaves() -> None:
    def scene(step: int) -> bool:
        lines = Lines()
        last = come(lines)
        with at_step(step, lambda: go(lines, last)) as came:
            new = come(lines)
        if came[0]:
            stand(lines, new)
        return came[0]

    every_step(scene)


def test_one_enters_while_another_does_and_leaves() -> None:
    def scene(step: int) -> bool:
        lines = Lines()
        with at_step(step, lambda: go(lines, come(lines))) as came:
            new = come(lines)
        stand(lines, new)
        return came[0]

    every_step(scene)


def test_the_other_leaves_and_some_come_while_one_leaves() -> None:
    def scene(step: int) -> bool:
        lines = Lines()
        one, other = come(lines), come(lines)
        new: list[Noted] = []

        def between() -> None:
            go(lines, other)
            new.extend([come(lines), come(lines)])

        with at_step(step, between) as came:
            go(lines, one)
        if came[0]:
            stand(lines, *new)
        return came[0]

    every_step(scene)


def test_whoever_is_first_after_two_have_left_at_once_is_woken() -> None:
    def scene(step: int) -> bool:
        lines = Lines()
        one, other, third = come(lines), come(lines), come(lines)
        with at_step(step, lambda: go(lines, other)) as came:
            go(lines, one)
        if came[0]:
            stand(lines, third)
            assert third.woken
        return came[0]

    every_step(scene)


@pytest.mark.parametrize("has_next", [False, True])
@pytest.mark.parametrize("verb", ["come", "go"])
def test_who_is_interrupted_leaves_no_trace(verb: str, has_next: bool) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    def scene(step: int) -> bool:
        lines = Lines()
        one = Noted(lines.next_number())
        if verb == "go":
            lines.hold(one, [PLACE])
        behind = come(lines) if has_next else None
        with suppress(KeyboardInterrupt), at_step(step, interrupt) as came:
            go(lines, one) if verb == "go" else lines.hold(one, [PLACE])
        del one
        new = come(lines)
        stand(lines, *([] if behind is None else [behind]), new)
        for there in filter(None, [behind, new]):
            go(lines, there)
        assert not len(lines)
        assert not lines._lines._known
        return came[0]

    every_step(scene)


class Sleepless(Waiter):
    """Would sleep for ever; its test says what that means."""

    __slots__ = ()
    home = None

    def wake(self) -> None:
        self.is_woken = True

    async def sleep(self, seconds: float) -> None:
        if not self.is_woken:
            sys.settrace(None)  # what happens later is not missed
            raise TimeoutError


def test_what_comes_back_is_never_missed() -> None:
    """Not even where a look tells of the time before it came back."""

    def scene(step: int) -> bool:
        there: Places[Decision] = Places(1.0)
        room = False

        async def check() -> Decision:
            return Decision(room, 1, 0, 0.0 if room else 1_000.0, 1_000.0, 0.0, "redis")

        async def peek() -> Decision:
            return Decision(False, 1, 0, 1_000.0, 1_000.0, 0.0, "redis")

        def comes_back() -> None:
            nonlocal room
            room = True
            there.look_again()

        with at_step(step, comes_back) as came:
            try:
                admitted = at_once(there.decided(OneCall("k", check, peek), Sleepless, inf))
            except TimeoutError:
                assert not came[0], "it is asleep, though something has come back"
                return False
        assert admitted
        assert not len(there)
        return True

    every_step(scene)


def test_a_handler_may_wake_the_thread_that_it_interrupts() -> None:
    def scene(step: int) -> bool:
        one = ThreadWaiter()
        with at_step(step, one.wake) as came:
            with suppress(StopIteration):
                one.sleep(0.001).send(None)
            one.wake()
        return came[0]

    every_step(scene)


@pytest.mark.parametrize("seed", range(30))
def test_somebody_always_looks_out(seed: int) -> None:
    """The second, and of each event loop, and of the threads, the first who is not the first of all."""
    chance, queue = random.Random(seed), Lines()
    there: list[Noted] = []

    def sleep_again() -> None:
        for one in there:
            if one.woken:
                one.woken, one.is_woken = 0, False
                one.looks_out = queue.looks_out(PLACE, one)

    for _ in range(300):
        if chance.random() < (0.7 if len(there) < 8 else 0.4) or not there:
            there.append(come(queue, chance.choice([None, "loop", "other loop"])))
            there[-1].looks_out = queue.looks_out(PLACE, there[-1])
        else:
            go(queue, there.pop(chance.choice([0, chance.randrange(len(there))])))
        sleep_again()
        homes: set[object] = {there[0].home} if there else set()
        for index, one in enumerate(there[1:], 1):
            if index == 1 or one.home not in homes:
                assert one.looks_out
            homes.add(one.home)
