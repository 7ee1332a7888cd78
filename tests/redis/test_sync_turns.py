"""Threads that ask at once, one time after the other, wake each other; nobody relies on it."""

from __future__ import annotations

import time

from redis_servers import Server
from sluicegate import redis
from threading_calls import in_threads


def test_a_thread_that_asks_no_more_holds_up_nobody(redis_server: Server) -> None:
    limiter = redis.FixedWindow(redis_server.url, 10_000, 1e6, timeout=30)
    admitted: list[bool] = []

    def check(calls: int) -> None:
        for number in range(calls):
            admitted.append(bool(limiter.check_sync("k")))
            if number % 40 == 39:
                time.sleep(0.005)  # longer than others wait for it

    counts = [25 + 10 * number for number in range(12)]
    in_threads([lambda calls=calls: check(calls) for calls in counts])
    assert admitted == [True] * sum(counts)
    assert limiter.peek_sync("k").remaining == 10_000 - sum(counts)


def test_each_of_many_threads_has_the_answers_to_its_own_calls(redis_server: Server) -> None:
    """What goes out as one comes back to whom it belongs, be it one call, many or a refusal."""
    limiter = redis.FixedWindow(redis_server.url, 40, 1e6, timeout=30, remember=False)

    def check(key: str) -> None:
        left = [limiter.check_sync(key).remaining for _ in range(20)]
        left += [each.remaining for each in limiter.check_many_sync([key] * 19)]
        assert left == list(range(39, 0, -1)), key
        assert not limiter.check_sync(key, 2)
        assert limiter.check_sync(key).remaining == 0
        found.append(key)

    found: list[str] = []
    keys = [f"k{number}" for number in range(8)]
    in_threads([lambda key=key: check(key) for key in keys])
    assert sorted(found) == keys
