"""The lines of those who wait, between any two steps: another thread comes or goes there, or it is interrupted."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

import pytest

from sluicegate._connection import line as line_module
from sluicegate._connection import lines as lines_module
from sluicegate._connection import weak as weak_module
from sluicegate._connection.lines import Lines
from sluicegate._connection.waiter import Waiter

FILES = {line_module.__file__, lines_module.__file__, weak_module.__file__}
PLACE = "k"


class Noted(Waiter):
    """Stands in line, and notes whether it was woken."""

    __slots__ = ("woken",)

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.woken = 0

    @property
    def home(self) -> object:
        return None

    def wake(self) -> None:
        self.is_woken = True
        self.woken += 1


@contextmanager
def at_step(step: int, do: Callable[[], object]) -> Iterator[list[bool]]:
    """Call ``do`` before the so-manieth step of the interpreter in these files; whether it came to that."""
    left, came = step, [False]

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal left
        if frame.f_code.co_filename not in FILES:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            left -= 1
            if left == 0:
                came[0] = True
                sys.settrace(None)
                do()
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield came
    finally:
        sys.settrace(before)


def come(lines: Lines) -> Noted:
    waiter = Noted(lines.next_number())
    lines.hold(waiter, [PLACE])
    return waiter


def go(lines: Lines, waiter: Waiter) -> None:
    waiter.is_over = True
    lines.leave(waiter)


def stand(lines: Lines, *waiters: Waiter) -> None:
    """These stand in line and nobody else, and the first is known as the first."""
    line = lines.line(PLACE)
    assert line is not None, "whoever stands in a line that is lost is never woken"
    assert lines.first(PLACE) is min(waiters, key=lambda waiter: waiter.number)
    assert line.numbers == sorted(waiter.number for waiter in waiters)
    assert all(waiter.lines == {PLACE: line} for waiter in waiters)


def every_step(scene: Callable[[int], bool]) -> None:
    step = 1
    while scene(step):
        step += 1
    assert step > 50, "the scene has steps"


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
        waiter = Noted(lines.next_number())
        if verb == "go":
            lines.hold(waiter, [PLACE])
        behind = come(lines) if has_next else None
        with suppress(KeyboardInterrupt), at_step(step, interrupt) as came:
            go(lines, waiter) if verb == "go" else lines.hold(waiter, [PLACE])
        del waiter
        new = come(lines)
        stand(lines, *([] if behind is None else [behind]), new)
        for there in filter(None, [behind, new]):
            go(lines, there)
        assert not len(lines)
        assert not lines._lines._known
        return came[0]

    every_step(scene)
