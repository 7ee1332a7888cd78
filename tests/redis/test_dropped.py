"""Limiters that are dropped without being closed: their connections end, and are not made anew."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from forking import FORKED, needs_fork
from polling import until
from redis_faults import BlackHole
from redis_load import AGES, PLENTY, run
from redis_programs import CONNECTED, program
from redis_servers import Server
from sluicegate.breaker import CircuitBreaker
from sluicegate.redis import ConcurrencyLimiter, FixedWindow

if TYPE_CHECKING:
    from redis_fixtures import Start


async def limiter(url: str) -> None:
    assert (await FixedWindow(url, PLENTY, AGES, timeout=30).check("key")).store == "redis"


async def permits(url: str) -> None:
    async with ConcurrencyLimiter(url, 3, timeout=20).permit("key"):
        pass


async def breaker(url: str) -> None:
    await CircuitBreaker(url, timeout=30).execute("service", asyncio.sleep, 0)


@pytest.mark.parametrize("use", [limiter, permits, breaker])
def test_what_nobody_refers_to_is_closed(
    use: Callable[[str], object], start: Start, redis_server: Server
) -> None:
    proxy = start(BlackHole, redis_server.port)
    run(use(proxy.url))  # type: ignore[arg-type]
    gc.collect()
    assert proxy.connections >= 1
    until(lambda: proxy.open == 0, "closed", timeout=20)


def test_a_limiter_a_request_uses_one_connection(start: Start, redis_server: Server) -> None:
    proxy = start(BlackHole, redis_server.port)

    async def main() -> None:
        for number in range(300):
            made = FixedWindow(proxy.url, PLENTY, AGES, timeout=30, prefix=str(number % 7))
            assert (await made.check("key")).store == "redis"
            await asyncio.sleep(0.005)

    run(main())
    assert proxy.connections == 1


def test_one_that_is_used_again_stays(start: Start, redis_server: Server) -> None:
    proxy = start(BlackHole, redis_server.port)
    run(limiter(proxy.url))
    kept = FixedWindow(proxy.url, PLENTY, AGES, timeout=30)
    run(kept.check("key"))
    gc.collect()
    with pytest.raises(TimeoutError):
        until(lambda: proxy.open == 0, "closed", timeout=7)
    assert proxy.connections == 1
    del kept
    until(lambda: proxy.open == 0, "closed", timeout=20)


def test_dead_urls_are_left_in_peace(start: Start) -> None:
    server = start(Server)
    proxy = start(BlackHole, server.port)
    server.kill()

    async def main() -> None:
        urls = [f"{proxy.url}?client_name=c{number}" for number in range(1_000)]
        # A few at a time: what is dropped is left at once, but for some.
        for first in range(0, len(urls), 50):
            made = [FixedWindow(url, PLENTY, AGES, timeout=0.2) for url in urls[first : first + 50]]
            await asyncio.gather(*[each.check("key") for each in made])

    run(main())
    gc.collect()

    def at_peace() -> bool:
        tried = proxy.connections
        time.sleep(1)
        return proxy.connections == tried

    print(f"{proxy.connections} attempts to reach 1,000 dead URLs")
    until(at_peace, "no more attempts", timeout=30)


CHILD = """
from sluicegate.redis import FixedWindow
limiter = FixedWindow(sys.argv[1], 1000, 1e9, timeout=30, on_error="raise")
async def use():
    await connected(limiter)
    await limiter.check("key")
def drop():
    global limiter
    del limiter
    gc.collect()
async def parent():
    await use()
    child = forked(drop)
    await asyncio.to_thread(ended_well, [child])
    assert (await limiter.check("key")).remaining == 998
    child = forked(lambda: asyncio.run(use()))
    await asyncio.to_thread(ended_well, [child])
    assert (await limiter.check("key")).remaining == 996
asyncio.run(parent())
"""


@needs_fork
def test_a_child_that_drops_it_leaves_its_parents_connection(
    start: Start, redis_server: Server
) -> None:
    proxy = start(BlackHole, redis_server.port)
    program(CONNECTED + FORKED + "import gc\n" + CHILD, proxy.url)
    assert proxy.connections == 2  # the parent's, and that of the child that used it
