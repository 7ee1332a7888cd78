"""Limiters in Redis from threads without an event loop decide as their coroutines do."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from typing import Any

import pytest

from redis_programs import program
from redis_servers import Server
from sluicegate import Decision, TokenBucketConfig, limiters, redis
from sluicegate.errors import StoreError
from sluicegate.redis import AsyncLimiter
from sluicegate.types import SyncLimiter
from threading_calls import in_threads

KINDS: dict[str, Callable[..., AsyncLimiter]] = {
    "FixedWindow": redis.FixedWindow,
    "SlidingWindowRateLimiter": redis.SlidingWindowRateLimiter,
    "RedisSlidingWindowRateLimiter": redis.RedisSlidingWindowRateLimiter,
    "SegmentedWindow": redis.SegmentedWindow,
    "SlidingWindowCounter": redis.SlidingWindowCounter,
    "TokenBucket": lambda url, limit, window, **options: redis.TokenBucket(
        url, TokenBucketConfig(limit, limit / window), **options
    ),
}
VERBS = ["check"] * 5 + ["peek", "refund", "reset"]
AT_LEAST = 0.2  # seconds: the deadline of what a stopped server does not answer


@pytest.mark.parametrize("kind", KINDS)
def test_each_verb_says_what_its_coroutine_says(kind: str, moved_server: Server) -> None:
    """One trace, once by coroutines and once by calls that block, at the same times."""
    options: dict[str, Any] = {"timeout": 30, "remember": False}
    one = KINDS[kind](moved_server.url, 7, 7.3, prefix="one", **options)
    other = KINDS[kind](moved_server.url, 7, 7.3, prefix="other", **options)
    moved_server.set_time(1_700_000_000)
    with asyncio.Runner() if hasattr(asyncio, "Runner") else _Runner() as runner:
        awaited = runner.run
        chance = random.Random(kind)
        for _ in range(200):
            gap, verb = chance.choice([0, 0, 1, 1_000_000, 7_300_000]), chance.choice(VERBS)
            key, cost = chance.choice("ab"), chance.choice([1, 1, 2, 7])
            moved_server.advance(gap / 1e6)
            arguments = (key,) if verb == "reset" else (key, cost)
            said = awaited(getattr(one, verb)(*arguments))
            blocked = getattr(other, f"{verb}_sync")(*arguments)
            assert (blocked is None) == (said is None)
            if said is not None:
                assert told(blocked) == told(said), (verb, arguments)
        many = awaited(one.check_many(["a", "z", "a"] * 5))
        assert [*map(told, other.check_many_sync(iter(["a", "z", "a"] * 5)))] == [*map(told, many)]
        assert other.ping_sync() == awaited(one.ping())
    assert other.statistics() == one.statistics()


def told(decision: Decision) -> tuple[bool, int, int, int]:
    retry, reset = round(decision.retry_after * 1e6), round(decision.reset_after * 1e6)
    return decision.allowed, decision.remaining, retry, reset


class _Runner:
    """What Python 3.10 has instead of asyncio.Runner."""

    def __enter__(self) -> _Runner:
        self.loop = asyncio.new_event_loop()
        return self

    def run(self, main: Any) -> Any:
        return self.loop.run_until_complete(main)

    def __exit__(self, *_: object) -> None:
        self.loop.close()


def test_eight_threads_admit_exactly_the_limit(redis_server: Server) -> None:
    limiter = redis.SlidingWindowRateLimiter(redis_server.url, 1_000, 1e6, timeout=30)
    admitted: list[bool] = []

    def check() -> None:
        admitted.extend(bool(limiter.check_sync("k")) for _ in range(200))

    in_threads([check] * 8)
    assert (sum(admitted), len(admitted)) == (1_000, 1_600)
    assert limiter.statistics().admitted == 1_000
    assert limiter.statistics().remembered > 0, "refusals are remembered here as well"


@pytest.mark.parametrize("on_error", ["local", "open", "closed", "raise"])
def test_a_server_that_stands_still_is_waited_for_until_the_deadline(
    on_error: Any, redis_server: Server
) -> None:
    limiter = redis.FixedWindow(redis_server.url, 1, 1e6, timeout=AT_LEAST, on_error=on_error)
    assert limiter.check_sync("k").store == "redis"
    redis_server.stop()
    begun = time.monotonic()
    if on_error == "raise":
        with pytest.raises(StoreError):
            limiter.check_sync("other")
    else:
        decision = limiter.check_sync("other")
        assert (decision.store, decision.allowed) == (on_error, on_error != "closed")
    took = time.monotonic() - begun
    assert took >= AT_LEAST * 0.99, "it gave the server all its time"
    print(f"{on_error}: decided {(took - AT_LEAST) * 1e3:.1f} ms after the deadline")
    assert limiter.statistics().timeouts == 1
    redis_server.cont()


def test_an_outage_is_told_in_the_log(redis_server: Server) -> None:
    code = """
import logging, os, signal, sys
from sluicegate.redis import FixedWindow
logging.basicConfig(stream=sys.stdout, format="%(message)s")
limiter = FixedWindow(sys.argv[1], 9, 60, timeout=0.05)
limiter.ping_sync()
os.kill(int(sys.argv[2]), signal.SIGSTOP)
while limiter.check_sync("k").store == "redis":
    pass
"""
    # In a process of its own: the same is not said again for a minute.
    said = program(code, redis_server.url, redis_server.pid)
    assert said.startswith("Limits are decided by on_error"), said
    redis_server.cont()


def test_many_keys_of_which_some_are_bad_spend_nothing(redis_server: Server) -> None:
    limiter = redis.FixedWindow(redis_server.url, 9, 1e6)
    bad: list[Any] = ["a", 1]
    for keys, error in ((bad, TypeError), ("abc", TypeError)):
        with pytest.raises(error, match="key"):
            limiter.check_many_sync(keys)
    with pytest.raises(ValueError, match="cost"):
        limiter.check_many_sync(["a"], 10)
    assert limiter.peek_sync("a").remaining == 9
    assert limiter.check_many_sync([]) == []
    admitted = limiter.check_many_sync([f"k{number}" for number in range(1_200)])
    assert all(decision.store == "redis" and decision for decision in admitted)


def test_bad_arguments_are_refused_as_the_coroutines_refuse_them(redis_server: Server) -> None:
    limiter = redis.FixedWindow(redis_server.url, 9, 60)
    key: Any = 1
    calls = (limiter.check_sync, limiter.peek_sync, limiter.refund_sync, limiter.wait_sync)
    for call in calls:
        with pytest.raises(TypeError, match="key must be a str"):
            call(key)
        with pytest.raises(ValueError, match="cost"):
            call("a", 10)
    with pytest.raises(TypeError, match="key must be a str"):
        limiter.reset_sync(key)
    for timeout in (-1, float("nan")):
        with pytest.raises(ValueError, match="timeout must be"):
            limiter.wait_sync("a", 1, timeout)
    for timeout in (0, 61):
        with pytest.raises(ValueError, match="timeout must be"):
            limiter.ping_sync(timeout)


def test_a_closed_limiter_opens_again(redis_server: Server) -> None:
    limiter = redis.FixedWindow(redis_server.url, 9, 1e6, timeout=30)
    assert limiter.check_sync("k").remaining == 8
    limiter.close()
    limiter.close()
    assert limiter.check_sync("k").remaining == 7
    sharded = redis.ClusterRateLimiter([redis_server.url], timeout=30)
    assert sharded.is_allowed_sync("k", 2, 1e6).remaining == 1
    sharded.close()
    assert sharded.is_allowed_sync("k", 2, 1e6).remaining == 0


def test_a_ping_of_no_server_ends_within_its_timeout() -> None:
    limiter = redis.FixedWindow("redis://127.0.0.1:1", 9, 60)
    with pytest.raises(StoreError, match="no connection"):
        limiter.ping_sync(0.5)


def test_in_a_running_loop_it_blocks_and_says_so_once(
    redis_server: Server, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sluicegate._connection.blocking._said", False)
    limiter = redis.FixedWindow(redis_server.url, 9, 1e6, timeout=30)

    async def main() -> None:
        assert limiter.check_sync("k").remaining == 8
        assert limiter.peek_sync("k").remaining == 8
        assert (await limiter.check("k")).remaining == 7
        with pytest.raises(RuntimeError, match="await wait"):
            limiter.wait_sync("k")

    with caplog.at_level(logging.WARNING):
        asyncio.run(main())
    said = [
        record.message for record in caplog.records if "blocks the event loop" in record.message
    ]
    assert len(said) == 1
    assert said[0].startswith("check_sync")


def test_what_is_in_memory_has_the_same_names() -> None:
    here: list[SyncLimiter] = [
        limiters.FixedWindow(2, 60),
        limiters.SlidingWindowRateLimiter(2, 60),
        limiters.SegmentedWindow(2, 60),
        limiters.SlidingWindowCounter(2, 60),
        limiters.TokenBucket(2, 1 / 60),
    ]
    for limiter in here:
        assert [bool(each) for each in limiter.check_many_sync(["k"] * 3)] == [True, True, False]
        limiter.refund_sync("k", 1)
        assert limiter.check_sync("k", 1)
        assert not limiter.peek_sync("k", 1)
        limiter.reset_sync("k")
        assert limiter.wait_sync("k", 2, 0)
        assert limiter.ping_sync(0.5) == "memory"
        limiter.close()
        with pytest.raises(TypeError, match="keys must be"):
            limiter.check_many_sync("abc")


def test_what_was_interrupted_leaves_its_answer_to_nobody(redis_server: Server) -> None:
    """A handler raises while a check waits; the late answer is not the next call's."""
    code = """
import os, signal, sys, threading
from sluicegate.redis import FixedWindow
limiter = FixedWindow(sys.argv[1], 5, 1e6, timeout=30)
assert limiter.check_sync("a").remaining == 4
os.kill(int(sys.argv[2]), signal.SIGSTOP)
threading.Timer(0.1, signal.pthread_kill, (threading.main_thread().ident, signal.SIGINT)).start()
try:
    limiter.check_sync("a")
except KeyboardInterrupt:
    os.kill(int(sys.argv[2]), signal.SIGCONT)
    print(limiter.peek_sync("b").remaining, limiter.check_sync("a").remaining)
"""
    assert program(code, redis_server.url, redis_server.pid) == "5 2\n"


def test_a_handler_may_ask_while_its_thread_waits(redis_server: Server) -> None:
    code = """
import os, signal, sys, threading
from sluicegate.redis import FixedWindow
limiter = FixedWindow(sys.argv[1], 5, 1e6, timeout=30)
limiter.ping_sync()
def handler(*_):
    os.kill(int(sys.argv[2]), signal.SIGCONT)
    print(limiter.peek_sync("b").remaining, end=" ")
signal.signal(signal.SIGUSR1, handler)
os.kill(int(sys.argv[2]), signal.SIGSTOP)
threading.Timer(0.1, signal.pthread_kill, (threading.main_thread().ident, signal.SIGUSR1)).start()
print(limiter.check_sync("a", 2).remaining)
"""
    assert program(code, redis_server.url, redis_server.pid) == "5 3\n"


ENDS = """
import sys, threading, time, os
from sluicegate.redis import FixedWindow
limiter = FixedWindow(sys.argv[1], 1000, 1e9, timeout=30, remember=False)
limiter.ping_sync()
ready = threading.Event()
class Slow:
    # As long as it is being deleted, the interpreter has ended and its threads live.
    def __del__(self, sleep=time.sleep):
        sleep(0.3)
slow = Slow()
"""
IN_FLIGHT = {
    "one that is not answered": """
os.kill(int(sys.argv[2]), 19)
def ask():
    ready.set()
    limiter.check_sync("a")
threading.Thread(target=ask, daemon=True).start()
ready.wait(30)
time.sleep(0.05)
""",
    "threads that are answered all the time": """
def ask():
    while True:
        limiter.check_sync("a")
        ready.set()
for _ in range(8):
    threading.Thread(target=ask, daemon=True).start()
ready.wait(30)
""",
    "one that waits in line": """
def ask():
    ready.set()
    limiter.check_sync("w", 1000)
    limiter.wait_sync("w")
threading.Thread(target=ask, daemon=True).start()
ready.wait(30)
time.sleep(0.05)
""",
    "a check while it ends": """
import atexit
@atexit.register
def late():
    assert limiter.check_sync("late").store == "redis"
""",
}


@pytest.mark.parametrize("code", IN_FLIGHT.values(), ids=IN_FLIGHT)
def test_a_program_ends_with_threads_that_are_blocked(code: str, redis_server: Server) -> None:
    for _ in range(3):
        assert program(ENDS + code, redis_server.url, redis_server.pid) == ""
        redis_server.cont()
