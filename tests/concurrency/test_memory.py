"""Permits in this process: never too many, first come first served, none ever lost."""

from __future__ import annotations

import asyncio
import copy
import gc
import inspect
import pickle
import threading
from typing import Any, TypeVar

import pytest

from cancelling import cancelled_everywhere
from forking import needs_fork, program_that_forks
from polling import until
from running import run
from sluicegate import ConcurrencyLimiter, RateLimitError
from sluicegate.concurrency import Permit
from sluicegate.testing import limits_off

T = TypeVar("T")


def acquired(limiter: ConcurrencyLimiter, key: str = "k") -> Permit:
    permit = limiter.try_acquire(key)
    assert permit is not None
    return permit


def waiting(limiter: ConcurrencyLimiter, key: str = "k") -> int:
    return limiter._waiting(key)


def test_a_permit_is_one_of_so_many_of_its_key() -> None:
    limiter = ConcurrencyLimiter(2)
    first, second = acquired(limiter), acquired(limiter)
    assert limiter.try_acquire("k") is None
    assert acquired(limiter, "other").key == "other"
    assert first.held
    first.release()
    first.release()
    assert not first.held
    assert second.held
    assert limiter.in_use("k") == 1
    with acquired(limiter) as third:
        assert third.held
        assert limiter.try_acquire("k") is None
    assert not third.held
    assert limiter.limit == 2


def test_none_free_in_time_is_an_error_with_a_hint() -> None:
    limiter = ConcurrencyLimiter(1)
    with limiter.permit("k") as permit:
        assert isinstance(permit, Permit)
        with pytest.raises(RateLimitError, match="All 1 permits") as refused:
            limiter.permit("k").__enter__()
        assert refused.value.retry_after > 0
        with pytest.raises(RateLimitError), limiter.permit("k", timeout=0.01):
            pass

        async def later() -> None:
            for timeout in (0, 0.01):
                with pytest.raises(RateLimitError):
                    await limiter.permit("k", timeout=timeout).__aenter__()

        run(later())
        assert waiting(limiter) == 0
    assert limiter.in_use("k") == len(limiter) == 0
    assert limiter  # true, however many keys there are


def test_an_exception_in_the_block_releases_it() -> None:
    limiter = ConcurrencyLimiter(1)
    with pytest.raises(ZeroDivisionError), limiter.permit("k"):
        raise ZeroDivisionError

    async def fails() -> None:
        async with limiter.permit("k"), acquired(limiter, "other"):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(fails())
    assert len(limiter) == 0


def test_an_entry_is_for_one_block_at_a_time() -> None:
    limiter = ConcurrencyLimiter(1)
    entry = limiter.permit("k")
    for _ in range(2):
        with entry:
            with pytest.raises(RuntimeError, match="entered before"):
                entry.__enter__()
            assert limiter.in_use("k") == 1
    with limiter.permit("k"), pytest.raises(RateLimitError):
        entry.__enter__()
    with entry:
        assert limiter.in_use("k") == 1


@pytest.mark.parametrize(
    ("make", "kind", "text"),
    [
        (lambda: ConcurrencyLimiter(0), ValueError, "limit must be an int from 1 to"),
        (lambda: ConcurrencyLimiter(2**32), ValueError, "limit must be an int from 1 to"),
        (lambda: ConcurrencyLimiter(True), TypeError, "limit must be an int, got bool"),
        (lambda: ConcurrencyLimiter(1.0), TypeError, "limit must be an int, got float"),  # type: ignore[arg-type]
        (lambda: ConcurrencyLimiter(1).try_acquire(b"k"), TypeError, "key must be a str"),  # type: ignore[arg-type]
        (lambda: ConcurrencyLimiter(1).permit(None), TypeError, "key must be a str"),  # type: ignore[arg-type]
        (lambda: ConcurrencyLimiter(1).in_use(1), TypeError, "key must be a str"),  # type: ignore[arg-type]
        (lambda: ConcurrencyLimiter(1).permit("k", -1), ValueError, "timeout must be a number"),
        (lambda: ConcurrencyLimiter(1).permit("k", float("nan")), ValueError, "timeout must be"),
        (lambda: ConcurrencyLimiter(1).permit("k", "1"), TypeError, "timeout must be"),  # type: ignore[arg-type]
    ],
)
def test_bad_arguments_are_named(make: Any, kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=text):
        make()


def test_any_str_is_a_key_and_every_public_name_is_documented() -> None:
    limiter = ConcurrencyLimiter(1)
    for key in ("", "\ud800", "x" * 2**20):
        with limiter.permit(key):
            assert limiter.in_use(key) == 1
    for kind in (ConcurrencyLimiter, Permit):
        for name, thing in vars(kind).items():
            assert name.startswith("_") or name == "key" or inspect.getdoc(thing), name


def test_threads_and_coroutines_wait_in_one_line() -> None:
    limiter = ConcurrencyLimiter(1)
    order: list[int] = []
    held = acquired(limiter)

    def in_thread(number: int) -> None:
        with limiter.permit("k", timeout=None):
            assert limiter.in_use("k") == 1
            order.append(number)

    async def in_loop(number: int) -> None:
        async with limiter.permit("k", timeout=20):
            assert limiter.in_use("k") == 1
            order.append(number)

    threads: list[threading.Thread] = []
    for number in range(12):
        if number % 3 == 2:
            thread = threading.Thread(target=run, args=(in_loop(number),))
        else:
            thread = threading.Thread(target=in_thread, args=(number,))
        thread.start()
        threads.append(thread)
        until(lambda number=number: waiting(limiter) == number + 1, "it stands in line")
    assert limiter.try_acquire("k") is None
    held.release()
    for thread in threads:
        thread.join(20)
    assert order == list(range(12))
    assert len(limiter) == 0


def test_a_newcomer_never_overtakes_in_one_loop() -> None:
    limiter = ConcurrencyLimiter(2)

    async def main() -> list[int]:
        order: list[int] = []
        held = [acquired(limiter), acquired(limiter)]

        async def worker(number: int) -> None:
            async with limiter.permit("k", timeout=None):
                order.append(number)
                await asyncio.sleep(0)

        tasks = [asyncio.create_task(worker(number)) for number in range(50)]
        await asyncio.sleep(0)
        for permit in held:
            permit.release()
            # Handed to the first in line: there is none for who comes now.
            assert limiter.try_acquire("k") is None
        await asyncio.gather(*tasks)
        return order

    assert run(main()) == list(range(50))
    assert len(limiter) == 0


def test_those_who_give_up_pass_it_on() -> None:
    limiter = ConcurrencyLimiter(1)

    async def wait(timeout: float | None) -> str:
        async with limiter.permit("k", timeout=timeout):
            return "held"

    async def main() -> None:
        held = acquired(limiter)
        tasks = [asyncio.create_task(wait(timeout)) for timeout in (None, 0.01, None, None)]
        await asyncio.wait([tasks[1]])
        assert isinstance(tasks[1].exception(), RateLimitError)
        tasks[0].cancel()
        await asyncio.wait([tasks[0]])
        assert waiting(limiter) == 2
        held.release()  # to the third, which is cancelled before it hears of it
        tasks[2].cancel()
        assert await asyncio.gather(*tasks[2:], return_exceptions=True) != []
        assert tasks[2].cancelled()
        assert tasks[3].result() == "held"

    run(main())
    assert len(limiter) == 0


def test_a_closed_loop_is_passed_over() -> None:
    limiter = ConcurrencyLimiter(1)
    held = acquired(limiter)
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda *_: None)  # that the task was destroyed
    task = loop.create_task(limiter.permit("k", timeout=None).__aenter__())
    loop.run_until_complete(asyncio.sleep(0))
    assert waiting(limiter) == 1
    loop.close()
    thread = threading.Thread(target=limiter.permit("k", timeout=20).__enter__)
    thread.start()
    until(lambda: waiting(limiter) == 2, "the waiters stand in line")
    held.release()
    thread.join(20)
    assert not thread.is_alive()
    del task
    gc.collect()
    assert len(limiter) == 0


def test_a_loop_that_is_closed_with_a_permit_on_its_way_gives_it_back() -> None:
    limiter = ConcurrencyLimiter(1)
    held = acquired(limiter)
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda *_: None)
    task = loop.create_task(limiter.permit("k", timeout=None).__aenter__())
    loop.run_until_complete(asyncio.sleep(0))
    held.release()
    loop.close()
    assert limiter.in_use("k") == 1
    del task
    gc.collect()
    assert limiter.in_use("k") == 0


def test_cancelled_anywhere_it_leaks_nothing() -> None:
    limiter = ConcurrencyLimiter(1)

    async def work() -> None:
        held = acquired(limiter)
        loop = asyncio.get_running_loop()
        loop.call_later(0.002, held.release)
        async with limiter.permit("k", timeout=5) as permit:
            assert permit.held
            await asyncio.sleep(0)
        entry = limiter.permit("k", timeout=None)
        async with entry:
            await asyncio.sleep(0)

    async def check() -> None:
        await asyncio.sleep(0.004)
        assert len(limiter) == 0

    async def main() -> int:
        return await cancelled_everywhere(work, check)

    assert run(main()) == 6


def test_wait_for_leaks_nothing() -> None:
    limiter = ConcurrencyLimiter(1)

    async def use() -> None:
        async with limiter.permit("k", timeout=None):
            await asyncio.sleep(0.001)

    async def main() -> None:
        times = [None, 0, 0.001, 0.002, 0.005, 0.01, 0.05]
        calls = [asyncio.wait_for(use(), times[number % 7]) for number in range(200)]
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert None in results
        assert any(isinstance(result, asyncio.TimeoutError) for result in results)

    run(main())
    assert len(limiter) == 0


def test_one_that_is_dropped_is_given_back() -> None:
    limiter = ConcurrencyLimiter(1)
    for _ in range(3):
        permit: Permit | None = acquired(limiter)
        cycle: list[Any] = [permit]
        cycle.append(cycle)
        thread = threading.Thread(target=limiter.permit("k", timeout=20).__enter__)
        thread.start()
        until(lambda: waiting(limiter) == 1, "the waiters stand in line")
        permit = None
        del cycle
        gc.collect()
        thread.join(20)
        assert not thread.is_alive()
    del thread
    gc.collect()
    assert len(limiter) == 0


def test_collection_in_the_middle_of_a_call_does_no_harm() -> None:
    limiter = ConcurrencyLimiter(5)
    before = gc.get_threshold()
    gc.set_threshold(1, 1, 1)  # as often as there can be
    try:
        for number in range(2_000):
            cycle: list[Any] = [limiter.try_acquire(str(number % 3))]
            cycle.append(cycle)
    finally:
        gc.set_threshold(*before)
    del cycle
    gc.collect()
    assert len(limiter) == 0


@pytest.mark.parametrize("limit", [1, 3])
def test_threads_never_exceed_it_and_all_get_their_turn(limit: int) -> None:
    limiter = ConcurrencyLimiter(limit)
    lock = threading.Lock()
    inside = most = 0
    turns = [0] * 8

    def work(number: int) -> None:
        nonlocal inside, most
        for _ in range(150):
            with limiter.permit("k", timeout=60):
                with lock:
                    inside += 1
                    most = max(most, inside)
                turns[number] += 1
                with lock:
                    inside -= 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert turns == [150] * 8
    assert 1 <= most <= limit
    assert len(limiter) == 0


_FORK = """
from sluicegate import ConcurrencyLimiter
limiter = ConcurrencyLimiter(1)
held = limiter.try_acquire("k")
threading.Thread(target=limiter.permit("k", timeout=None).__enter__, daemon=True).start()
while not limiter._waiting("k"):
    time.sleep(0.001)
def begin_anew():
    assert not held.held and limiter.in_use("k") == limiter._waiting("k") == 0
    own = limiter.try_acquire("k")
    assert own is not None and limiter.try_acquire("k") is None
    held.release()
    assert own.held and limiter.try_acquire("k") is None
    own.release()
    assert len(limiter) == 0
ended_well([forked(begin_anew)])
assert held.held and limiter._waiting("k") == 1
"""


@needs_fork
def test_a_forked_child_begins_with_all_permits_free() -> None:
    program_that_forks(_FORK)


_FORK_IN_A_WAIT = """
import signal
from sluicegate import ConcurrencyLimiter
limiter, children = ConcurrencyLimiter(1), []
held = limiter.try_acquire("k")
def fork_in_the_middle(*_):
    children.append(os.fork())
    if children[0]:
        threading.Timer(0.1, held.release).start()
signal.signal(signal.SIGALRM, fork_in_the_middle)
signal.setitimer(signal.ITIMER_REAL, 0.1)
with limiter.permit("k", timeout=None) as permit:
    assert permit.held and not held.held
    assert limiter.try_acquire("k") is None and limiter._waiting("k") == 0
assert len(limiter) == 0
if children == [0]:
    os._exit(0)
ended_well(children, 10)
"""


@needs_fork
def test_a_child_forked_by_a_signal_handler_in_a_wait_lines_up_anew() -> None:
    program_that_forks(_FORK_IN_A_WAIT)


def test_a_with_does_not_block_the_loop_in_which_the_next_one_waits() -> None:
    limiter = ConcurrencyLimiter(1)

    async def main() -> None:
        held = acquired(limiter)
        task = asyncio.ensure_future(limiter.permit("k", timeout=None).__aenter__())
        await asyncio.sleep(0)
        with pytest.raises(RateLimitError), limiter.permit("k", timeout=20):
            pass
        with pytest.raises(RuntimeError, match="event loop"), limiter.permit("k", timeout=None):
            pass
        held.release()
        (await task).release()

    run(main())
    assert len(limiter) == 0


def test_limits_off_admits_everything_and_counts_nothing() -> None:
    limiter = ConcurrencyLimiter(1)
    held = acquired(limiter)
    with limits_off():
        more = [acquired(limiter) for _ in range(5)]
        assert all(permit.held for permit in more)
    assert limiter.try_acquire("k") is None
    for permit in more:
        permit.release()
    assert limiter.in_use("k") == 1
    held.release()
    assert len(limiter) == 0


def test_a_permit_cannot_be_copied_lest_it_is_released_twice() -> None:
    limiter = ConcurrencyLimiter(2)
    with limiter.permit("k") as permit, limiter.permit("k"):
        for copied in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(TypeError, match="a permit can be neither copied nor pickled"):
                copied(permit)
        assert limiter.in_use("k") == 2


def test_a_permit_is_entered_while_it_is_held_only() -> None:
    limiter = ConcurrencyLimiter(1)
    with limiter.permit("k") as permit:
        pass
    for enter in (permit.__enter__, permit.__aenter__):
        with pytest.raises(RuntimeError, match="not held: it was released, or lost; acquire"):
            enter()
    assert limiter.in_use("k") == 0
    again = limiter.try_acquire("k")
    assert again is not None
    with again:
        assert limiter.in_use("k") == 1
