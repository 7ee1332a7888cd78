"""Steps that are made one after the other, awaited or at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from typing import Any

import pytest

from sluicegate._support.awaiting import at_once, drive, drive_at_once

Steps = Generator[tuple[Callable[..., Any], tuple[Any, ...]], Any, Any]


def sums() -> Steps:
    total = 0
    for number in (1, 2, 3):
        total += yield (lambda given: 10 * given), (number,)
    return total


def caught(error: BaseException) -> Steps:
    def fail() -> None:
        raise error

    try:
        yield fail, ()
    except ValueError as raised:
        return (yield str, (raised,))
    finally:
        yield (lambda: None), ()


def driven(steps: Steps) -> Any:
    return asyncio.run(drive(steps))


@pytest.mark.parametrize("drives", [driven, drive_at_once])
def test_each_step_is_sent_what_its_call_gives(drives: Any) -> None:
    assert drives(sums()) == 60
    assert drives(caught(ValueError("it"))) == "it"
    with pytest.raises(KeyError, match="other"):
        drives(caught(KeyError("other")))
    with pytest.raises(RuntimeError, match="generator raised StopIteration"):
        drives(caught(StopIteration()))


async def later() -> int:
    return 5


def awaits() -> Steps:
    return (yield later, ())


def test_what_has_to_be_awaited_is_an_error_where_nobody_can() -> None:
    assert driven(awaits()) == 5
    with pytest.raises(TypeError, match=r"later.* must return its answer here"):
        drive_at_once(awaits())  # and the coroutine is closed: no warning


def test_a_coroutine_that_never_waits_is_run_at_once() -> None:
    assert at_once(later()) == 5
    with pytest.raises(RuntimeError, match="waited, where nobody runs an event loop"):
        at_once(asyncio_less())


async def asyncio_less() -> None:
    class Never:
        def __await__(self) -> Generator[None]:
            yield

    await Never()
