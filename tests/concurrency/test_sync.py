"""Permits in Redis for threads without an event loop: `with limiter.permit(…)`."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import threading
import time
from typing import Any

import pytest

from forking import FORKED
from redis_programs import program
from redis_servers import Server
from sluicegate import RateLimitError, concurrency
from sluicegate.errors import StoreError
from sluicegate.redis import ConcurrencyLimiter
from threading_calls import in_threads


def waited_for(limiter: ConcurrencyLimiter, key: str, number: int) -> None:
    """Until the server says that so many are in use."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        with contextlib.suppress(StoreError):
            if limiter.in_use_sync(key) == number:
                return
        time.sleep(0.005)
    raise AssertionError(f"not {number} in use")


def test_a_block_holds_one_until_it_ends(redis_server: Server) -> None:
    limiter = ConcurrencyLimiter(redis_server.url, 1, timeout=30, lease_seconds=60)
    with limiter.permit("k") as permit:
        assert (permit.held, permit.key, limiter.in_use_sync("k")) == (True, "k", 1)
        assert limiter.try_acquire_sync("k") is None
        with pytest.raises(RateLimitError) as refused, limiter.permit("k"):
            pass
        assert 0 < refused.value.retry_after <= 60
    assert (permit.held, limiter.in_use_sync("k")) == (False, 0)
    with pytest.raises(ZeroDivisionError), limiter.permit("k"):
        _ = 1 / 0
    assert limiter.in_use_sync("k") == 0


def test_one_that_was_acquired_is_released_by_hand_or_by_a_block(redis_server: Server) -> None:
    limiter = ConcurrencyLimiter(redis_server.url, 1, timeout=30, lease_seconds=60)
    permit = limiter.try_acquire_sync("k")
    assert permit is not None
    assert permit.release() is None
    permit.release()
    assert limiter.in_use_sync("k") == 0
    with pytest.raises(RuntimeError, match="not held"), permit:
        pass
    permit = limiter.try_acquire_sync("k")
    assert permit is not None
    with permit:
        assert limiter.in_use_sync("k") == 1
    assert limiter.in_use_sync("k") == 0

    async def main() -> None:
        permit = limiter.try_acquire_sync("k")
        assert permit is not None
        async with permit:
            assert await limiter.in_use("k") == 1
        assert await limiter.in_use("k") == 0
        with pytest.raises(RuntimeError, match="async with"), limiter.permit("k"):
            pass

    asyncio.run(main())


def test_threads_never_hold_more_than_the_limit(redis_server: Server) -> None:
    limiter = ConcurrencyLimiter(redis_server.url, 2, timeout=30, lease_seconds=60)
    inside: list[int] = []
    most = 0

    def work() -> None:
        nonlocal most
        for _ in range(10):
            with limiter.permit("k", timeout=None):
                inside.append(1)
                most = max(most, len(inside))
                time.sleep(0.001)
                inside.pop()

    in_threads([work] * 8)
    assert most == 2
    assert limiter.in_use_sync("k") == 0


def test_what_a_thread_holds_is_renewed_for_as_long(redis_server: Server) -> None:
    limiter = ConcurrencyLimiter(redis_server.url, 1, timeout=0.2, lease_seconds=0.3)
    with limiter.permit("k") as permit:
        for _ in range(10):
            time.sleep(0.1)
            assert (permit.held, limiter.in_use_sync("k")) == (True, 1)
    # The second one, after the renewals have ended, and begin again.
    time.sleep(0.3)
    with limiter.permit("k") as permit:
        time.sleep(0.7)
        assert (permit.held, limiter.in_use_sync("k")) == (True, 1)
    calls = redis_server.command("INFO", "commandstats")
    time.sleep(0.5)
    evals = [line for line in calls.split(b"\r\n") if line.startswith(b"cmdstat_evalsha")]
    later = redis_server.command("INFO", "commandstats").split(b"\r\n")
    assert evals[0] in later, "nothing is renewed when nothing is held"


def test_one_that_is_dropped_is_given_back(redis_server: Server) -> None:
    limiter = ConcurrencyLimiter(redis_server.url, 1, timeout=30, lease_seconds=3_600)
    permit = limiter.try_acquire_sync("k")
    assert permit is not None
    del permit
    gc.collect()
    waited_for(limiter, "k", 0)


def test_ctrl_c_in_the_wait_leaves_no_trace(redis_server: Server) -> None:
    limiter = ConcurrencyLimiter(redis_server.url, 1, timeout=30, lease_seconds=3_600)
    held = limiter.try_acquire_sync("k")
    assert held is not None
    main = threading.main_thread().ident
    assert main is not None
    timer = threading.Timer(0.1, signal.pthread_kill, (main, signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt), limiter.permit("k", timeout=None):
        pass
    timer.join()
    held.release()
    assert limiter.in_use_sync("k") == 0
    with limiter.permit("k"):
        pass


@pytest.mark.parametrize("on_error", ["local", "open", "closed", "raise"])
def test_without_an_answer_the_policy_decides(on_error: Any, redis_server: Server) -> None:
    options: dict[str, Any] = {"timeout": 0.1, "lease_seconds": 4, "on_error": on_error}
    limiter = ConcurrencyLimiter(redis_server.url, 1, **options)
    limiter.ping_sync()
    redis_server.stop()
    if on_error == "raise":
        with pytest.raises(StoreError), limiter.permit("k"):
            pass
    elif on_error == "closed":
        with pytest.raises(RateLimitError, match="did not decide"), limiter.permit("k"):
            pass
    else:
        with limiter.permit("k") as permit:
            assert permit.held
            second = limiter.try_acquire_sync("k")
            assert (second is not None) == (on_error == "open")
            del second
    redis_server.cont()
    # What the server granted too late it gets back.
    waited_for(limiter, "k", 0)


def test_a_child_neither_renews_nor_releases_what_its_parent_holds(redis_server: Server) -> None:
    code = f"""{FORKED}
from sluicegate.redis import ConcurrencyLimiter
limiter = ConcurrencyLimiter(sys.argv[1], 1, timeout=0.5, lease_seconds=1)
def in_child():
    assert not permit.held
    permit.release()
    assert limiter.in_use_sync("k") == 1
    assert limiter.try_acquire_sync("k") is None
    with limiter.permit("other") as own:
        time.sleep(1.5)
        assert own.held and limiter.in_use_sync("other") == 1
def leaves():
    global permit
    del permit
with limiter.permit("k") as permit:
    ended_well([forked(in_child)])
    assert permit.held and limiter.in_use_sync("k") == 1
permit = limiter.try_acquire_sync("k")
ended_well([forked(leaves)])
assert permit.held and limiter.in_use_sync("k") == 1
"""
    assert program(code, redis_server.url) == ""


def test_a_program_ends_that_holds_one(redis_server: Server) -> None:
    code = """
import sys, threading, time
from sluicegate.redis import ConcurrencyLimiter
limiter = ConcurrencyLimiter(sys.argv[1], 1, timeout=0.5, lease_seconds=1)
ready = threading.Event()
def hold():
    with limiter.permit("k"):
        ready.set()
        limiter.permit("k", timeout=None).__enter__()
threading.Thread(target=hold, daemon=True).start()
assert ready.wait(30)
with limiter.permit("other"):
    time.sleep(0.1)
kept = limiter.try_acquire_sync("kept")
"""
    assert program(code, redis_server.url) == ""


def test_permits_in_memory_have_the_same_names() -> None:
    limiter = concurrency.ConcurrencyLimiter(1)
    permit = limiter.try_acquire_sync("k")
    assert permit is not None
    assert (limiter.in_use_sync("k"), limiter.ping_sync(1)) == (1, "memory")
    limiter.close()
    permit.release()
    assert limiter.in_use_sync("k") == 0


def test_bad_arguments(redis_server: Server) -> None:
    limiter = ConcurrencyLimiter(redis_server.url, 1)
    key: Any = 1
    for call in (limiter.try_acquire_sync, limiter.in_use_sync, limiter.permit):
        with pytest.raises(TypeError, match="key must be a str"):
            call(key)
    limiter.close()
    assert limiter.in_use_sync("k") == 0
