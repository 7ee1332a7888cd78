"""Threads that wait for long cost nothing; the main thread still looks for signals."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from polling import until
from sluicegate import ConcurrencyLimiter, FixedWindow, ManualClock, TokenBucket

needs_proc = pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="no /proc here")


def switches(threads: list[threading.Thread]) -> int:
    """How often they went to sleep."""
    count = 0
    for thread in threads:
        status = Path(f"/proc/self/task/{thread.native_id}/status").read_text()
        lines = dict(line.split(":", 1) for line in status.splitlines())
        count += int(lines["voluntary_ctxt_switches"])
    return count


def idle(wait: Callable[[], object], all_wait: Callable[[], object]) -> tuple[int, int]:
    """Wake-ups of 50 threads in half a second, and how many threads were served at last."""
    served: list[object] = []
    threads = [threading.Thread(target=lambda: served.append(wait())) for _ in range(50)]
    for thread in threads:
        thread.start()
    until(all_wait, "all threads wait")
    time.sleep(0.1)  # the last of them may not sleep yet
    before = switches(threads)
    time.sleep(0.5)
    woken = switches(threads) - before
    release.set()
    for thread in threads:
        thread.join(20)
    return woken, len(served)


release = threading.Event()


@needs_proc
def test_threads_that_wait_for_their_turn_sleep_until_it_comes(clock: ManualClock) -> None:
    limiter = FixedWindow(1, 1000, clock=clock)
    limiter.check("k")

    def move() -> None:
        release.wait()
        while limiter.statistics().admitted < 51:
            clock.advance(1000)
            time.sleep(0.001)

    release.clear()
    mover = threading.Thread(target=move)
    mover.start()
    all_wait = lambda: limiter.peek("k").retry_after > 50_000  # noqa: E731
    woken, served = idle(lambda: limiter.wait_sync("k"), all_wait)
    mover.join(20)
    assert (woken, served) == (0, 50)


@needs_proc
def test_threads_that_wait_for_a_permit_sleep_until_it_comes() -> None:
    limiter = ConcurrencyLimiter(1)
    held = limiter.try_acquire("k")
    assert held is not None

    def wait() -> None:
        with limiter.permit("k", timeout=None):
            pass

    def give_back() -> None:
        release.wait()
        held.release()

    release.clear()
    giver = threading.Thread(target=give_back)
    giver.start()
    woken, served = idle(wait, lambda: limiter._waiting("k") == 50)
    giver.join(20)
    assert (woken, served) == (0, 50)


def test_the_main_thread_hears_signals_while_it_waits_for_a_permit() -> None:
    limiter = ConcurrencyLimiter(1)
    main = threading.main_thread().ident
    assert main is not None
    with limiter.permit("k"):
        timer = threading.Timer(0.1, signal.pthread_kill, (main, signal.SIGINT))
        timer.start()
        with pytest.raises(KeyboardInterrupt), limiter.permit("k", timeout=None):
            pass
        timer.join()
        assert limiter._waiting("k") == 0
    assert len(limiter) == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no os.fork")
def test_in_a_child_the_thread_that_forked_is_the_main_thread() -> None:
    """It looks for signals there, though it did not in its parent."""
    bucket = TokenBucket(capacity=1, refill_rate=0.001)
    bucket.check("k")
    status: list[int] = []

    def fork() -> None:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                signal.signal(signal.SIGALRM, signal.default_int_handler)
                signal.setitimer(signal.ITIMER_REAL, 0.1)
                bucket.wait_sync("k")
            except KeyboardInterrupt:
                code = 0
            finally:
                os._exit(code)
        end = time.monotonic() + 20
        while time.monotonic() < end:
            done, ended = os.waitpid(child, os.WNOHANG)
            if done:
                status.append(ended)
                return
            time.sleep(0.01)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)

    thread = threading.Thread(target=fork)
    thread.start()
    thread.join(30)
    assert status == [0]
