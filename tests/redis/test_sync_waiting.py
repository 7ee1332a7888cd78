"""Threads that wait for a limiter in Redis: in order of arrival, to their deadlines, and no trace."""

from __future__ import annotations

import signal
import threading
from typing import Any

import pytest

from forking import FORKED
from polling import until
from redis_programs import program
from redis_servers import Server
from sluicegate.redis import FixedWindow, SlidingWindowRateLimiter
from threading_calls import in_threads


def waiting(limiter: Any) -> int:
    """How many are in line; others who wait still ask."""
    return sum(len(line.numbers) for line in list(limiter._places.lines.lines.values()))


def first_was_told(limiter: Any) -> None:
    """Until the first in line knows how long it has to wait."""
    until(
        lambda: any(line.free_at > 0 for line in list(limiter._places.lines.lines.values())), "told"
    )


def test_threads_are_served_in_the_order_they_came(redis_server: Server) -> None:
    limiter = SlidingWindowRateLimiter(redis_server.url, 1, 0.05, timeout=30)
    assert limiter.check_sync("k")
    served: list[int] = []
    at: dict[int, float] = {}

    def wait(number: int) -> None:
        decision = limiter.wait_sync("k")
        assert decision
        at[number] = decision.reset_at  # in the order of the server: threads run in any
        served.append(number)

    threads = [threading.Thread(target=wait, args=(number,)) for number in range(6)]
    for number, thread in enumerate(threads, 1):
        thread.start()
        until(lambda: len(served) + waiting(limiter) >= number, "it waits", pause=0.001)  # noqa: B023
    for thread in threads:
        thread.join(60)
    assert sorted(at, key=at.__getitem__) == list(range(6))
    assert not len(limiter._places)


def test_a_wait_that_would_be_too_long_is_refused_at_once(redis_server: Server) -> None:
    limiter = FixedWindow(redis_server.url, 1, 1e6, timeout=30)
    assert limiter.wait_sync("k", timeout=0)
    refused = limiter.wait_sync("k", timeout=1_000)
    assert not refused
    assert refused.retry_after > 1_000
    assert not len(limiter._places)


def test_who_stands_behind_a_longer_wait_is_refused_when_that_is_known(
    redis_server: Server,
) -> None:
    limiter = SlidingWindowRateLimiter(redis_server.url, 1, 1.5, timeout=30)
    assert limiter.check_sync("k")
    first = threading.Thread(target=limiter.wait_sync, args=("k",))
    first.start()
    first_was_told(limiter)
    refused = limiter.wait_sync("k", timeout=0.5)
    assert not refused
    assert first.is_alive(), "it was refused before the first was served"
    first.join(30)


def test_ctrl_c_ends_a_wait_and_leaves_no_trace(redis_server: Server) -> None:
    limiter = FixedWindow(redis_server.url, 1, 1e6, timeout=30)
    assert limiter.check_sync("k")
    main = threading.main_thread().ident
    assert main is not None
    timer = threading.Timer(0.1, signal.pthread_kill, (main, signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        limiter.wait_sync("k")
    timer.join()
    assert not len(limiter._places)
    limiter.reset_sync("k")
    assert limiter.wait_sync("k", timeout=0)


def test_who_leaves_lets_the_next_ask(redis_server: Server) -> None:
    limiter = FixedWindow(redis_server.url, 4, 1e6, timeout=30)
    assert limiter.check_sync("k", 2)
    main = threading.main_thread().ident
    assert main is not None
    served: list[bool] = []

    def behind() -> None:
        first_was_told(limiter)
        signal.pthread_kill(main, signal.SIGINT)
        served.append(bool(limiter.wait_sync("k", 2)))

    thread = threading.Thread(target=behind)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        limiter.wait_sync("k", 3)
    thread.join(30)
    assert served == [True]


FORKS = f"""{FORKED}
from sluicegate.redis import FixedWindow, SlidingWindowRateLimiter
import multiprocessing, sys
limiter = FixedWindow(sys.argv[1], 1_000, 1e6, timeout=30)
log = SlidingWindowRateLimiter(sys.argv[1], 1, 0.2, timeout=30)
def work():
    assert [limiter.check_sync("k").store for _ in range(10)] == ["redis"] * 10
    assert all(log.wait_sync("w") for _ in range(2))
"""
KINDS = {
    "os.fork": "work(); ended_well([forked(work) for _ in range(4)])",
    "multiprocessing": """
work()
context = multiprocessing.get_context("fork")
children = [context.Process(target=work) for _ in range(4)]
for child in children: child.start()
for child in children: child.join(30)
assert [child.exitcode for child in children] == [0] * 4
""",
    "while other threads are blocked": """
limiter.ping_sync()
stop = threading.Event()
def busy():
    while not stop.is_set():
        limiter.check_sync("busy")
def waiting():
    while not stop.is_set():
        log.wait_sync("w")
threads = [threading.Thread(target=each) for each in [busy] * 4 + [waiting] * 2]
for thread in threads: thread.start()
for _ in range(10):
    ended_well([forked(work)])
stop.set()
for thread in threads: thread.join(30)
""",
    "in a handler, while its thread is blocked": """
import signal
children = []
def handler(*_):
    child = os.fork()
    if child: children.append(child)
signal.signal(signal.SIGUSR1, handler)
parent = os.getpid()
limiter.ping_sync()
log.check_sync("w")
threading.Timer(0.05, signal.pthread_kill, (threading.get_ident(), signal.SIGUSR1)).start()
assert log.wait_sync("w")
if os.getpid() != parent: os._exit(0)
ended_well(children)
""",
}


@pytest.mark.parametrize("code", KINDS.values(), ids=KINDS)
def test_a_forked_child_uses_what_its_parent_used(code: str, redis_server: Server) -> None:
    assert program(FORKS + code, redis_server.url) == ""


def test_threads_of_one_key_share_what_comes_free(redis_server: Server) -> None:
    limiter = SlidingWindowRateLimiter(redis_server.url, 4, 0.05, timeout=30)
    in_threads([lambda: [limiter.wait_sync("k") for _ in range(5)]] * 4)
    assert limiter.statistics().admitted == 20
