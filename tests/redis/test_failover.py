"""A primary that dies or hangs: who answers meanwhile, how soon Redis does again, what it forgot."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from polling import until
from redis_faults import BlackHole
from redis_load import AGES, GRACE, PLENTY, Answers, Lag, answered_by, load, run
from redis_sentinels import SERVICE, Sentinels
from redis_servers import Server
from redis_topologies import Cluster
from redis_wire import HOST
from sluicegate.redis import FixedWindow, SlidingWindowRateLimiter

if TYPE_CHECKING:
    from redis_fixtures import Start

TIMEOUT = 0.25
TASKS = 20
KEY = "until-answered"  # what `answered_by` asks for


def fail_over(where: Cluster | Sentinels, slot: int) -> None:
    """Kill the primary of the slot and wait for its successor."""
    if isinstance(where, Cluster):
        where.kill_master(slot)
        where.wait_until_ok()
    else:
        where.wait_until_moved(where.kill_primary())


def pair(where: Cluster | Sentinels, slot: int) -> tuple[Server, Server]:
    """The primary of the slot and its replica."""
    if isinstance(where, Cluster):
        return where.master_of(slot), where.replicas_of(slot)[0]
    primary = where.primary()
    return primary, next(server for server in where.servers if server is not primary)


TOPOLOGIES = pytest.mark.parametrize("topology", [Cluster, Sentinels])


@TOPOLOGIES
def test_a_killed_primary_under_load(
    start: Start, topology: type[Cluster | Sentinels], server_program: Path
) -> None:
    where = start(topology, program=server_program)
    slot = where.slot_of(KEY) if isinstance(where, Cluster) else 0

    async def main() -> None:
        async with FixedWindow(where.url, PLENTY, AGES, timeout=TIMEOUT) as limiter:
            await answered_by(limiter)
            async with load(limiter, pause=0.01) as answers:
                await asyncio.sleep(0.1)
                begun = time.monotonic()
                await asyncio.to_thread(fail_over, where, slot)
                failed_over = time.monotonic() - begun
                back = await answered_by(limiter)
                await asyncio.sleep(0.1)
            print(
                f"{topology.__name__}: {failed_over:.1f} s to fail over, answered by Redis "
                f"{1000 * back:.0f} ms later; slowest {1000 * answers.slowest:.0f} ms "
                f"(this machine: {1000 * answers.lag:.0f}), {dict(answers.stores)}, "
                f"{answers.late(TIMEOUT)} waited for the deadline"
            )
            assert not answers.errors
            assert answers.slowest <= TIMEOUT + GRACE + answers.lag
            assert set(answers.stores) == {"redis", "local"}
            # An attempt that was begun in the midst of it may be lost, and takes 1 s.
            assert back <= 2 + answers.lag

    run(main())


@TOPOLOGIES
def test_one_more_limit_at_most_after_what_was_lost(
    start: Start, topology: type[Cluster | Sentinels], server_program: Path
) -> None:
    where = start(topology, program=server_program)
    slot = where.slot_of(KEY) if isinstance(where, Cluster) else 0
    primary, replica = pair(where, slot)
    limit = 500

    async def main() -> None:
        limiter = SlidingWindowRateLimiter(where.url, limit, AGES, timeout=TIMEOUT, remember=False)
        async with limiter:
            await answered_by(limiter)
            # What is written from here on is not replicated.
            replica.stop()
            primary.command("CLIENT", "KILL", "TYPE", "replica")
            decisions = await limiter.check_many([KEY] * limit)
            kept = sum(each.allowed and each.store == "redis" for each in decisions)
            first = 1 + sum(map(bool, decisions))
            primary.kill()
            replica.cont()
            during = sum([bool(await limiter.check(KEY)) for _ in range(limit)])
            if isinstance(where, Cluster):
                await asyncio.to_thread(where.wait_until_ok)
            else:
                await asyncio.to_thread(where.wait_until_moved, primary)
            while (await limiter.peek(KEY)).store != "redis":
                await asyncio.sleep(0.01)
            after = [await limiter.check(KEY) for _ in range(2 * limit)]
            admitted = first + during + sum(map(bool, after))
            print(
                f"{topology.__name__}: {first} admitted before ({kept} known to Redis), {during} "
                f"without it, {sum(map(bool, after))} after: {admitted} of at most {2 * limit}"
            )
            assert first == limit
            assert during == 0, "the local limiter has seen them"
            assert limit < admitted <= 2 * limit, "something was lost, and counted again once"

    run(main())


def test_sentinels_that_hang_or_are_gone(start: Start) -> None:
    where = start(Sentinels)
    gone, hung, _ = where.sentinels
    gone.kill()
    hung.stop()

    async def main() -> None:
        async with FixedWindow(where.url, PLENTY, AGES, timeout=2, on_error="raise") as limiter:
            begun = time.monotonic()
            assert (await limiter.check("key")).store == "redis"
            print(f"{1000 * (time.monotonic() - begun):.0f} ms past two sentinels of no use")
        unknown = where.url.replace(f"/{SERVICE}", "/unknown")
        async with FixedWindow(unknown, PLENTY, AGES, timeout=2) as limiter:
            assert (await limiter.check("key")).store == "local"

    run(main())


def ask_in_turn(limiter: FixedWindow, answers: dict[str, Answers], keys: list[str]) -> object:
    """All keys at once, the answers of each noted apart."""
    return asyncio.gather(*(answers[key].ask(partial(limiter.check, key)) for key in keys))


def test_a_master_that_hangs_holds_up_its_own_keys_alone(redis_cluster: Cluster) -> None:
    hung = redis_cluster.master_of(redis_cluster.slot_of("a"))
    names = [str(number) for number in range(60)]
    others = [
        name for name in names if redis_cluster.master_of(redis_cluster.slot_of(name)) is not hung
    ]

    async def main() -> None:
        async with FixedWindow(redis_cluster.url, PLENTY, AGES, timeout=TIMEOUT) as limiter:
            while any(each.store == "local" for each in await limiter.check_many(names)):
                await asyncio.sleep(0.01)
            answers = {name: Answers() for name in names}
            hung.stop()
            async with Lag() as lag:
                await ask_in_turn(limiter, answers, names)  # type: ignore[misc]
            hung.cont()
            held = sum(answers[name].late(TIMEOUT) for name in others)
            print(f"{held} of {len(others)} keys of other masters waited for the one that hangs")
            assert all(answers[name].slowest <= TIMEOUT + GRACE + lag.worst for name in names)
            assert {store for name in others for store in answers[name].stores} == {"redis"}
            assert not held

    run(main())


def test_a_cluster_that_never_answered_is_known_to_be_down(
    start: Start, redis_server: Server
) -> None:
    proxies = [start(BlackHole, redis_server.port) for _ in range(4)]
    for proxy in proxies:
        proxy.swallow()
    url = "redis+cluster://" + ",".join(f"{HOST}:{proxy.port}" for proxy in proxies)

    async def main() -> None:
        limiter = FixedWindow(url, PLENTY, AGES, timeout=TIMEOUT)
        async with limiter, load(limiter, TASKS, pause=0.01) as answers:
            await asyncio.sleep(2.5)
        print(f"{answers.late(TIMEOUT)} of {len(answers.taken)} calls waited for the deadline")
        assert set(answers.stores) == {"local"}
        assert answers.slowest <= TIMEOUT + GRACE + answers.lag
        assert answers.late(TIMEOUT) <= 1.5 * TASKS

    run(main())


def test_a_closed_limiter_connects_no_more(start: Start) -> None:
    server = start(Server)
    proxy = start(BlackHole, server.port)
    server.kill()

    async def main() -> int:
        async with FixedWindow(proxy.url, PLENTY, AGES, timeout=TIMEOUT) as limiter:
            await limiter.check("key")
            # Its pauses are long by now.
            await asyncio.to_thread(until, lambda: proxy.connections >= 8, "attempts")
            await asyncio.sleep(0.02)
        return proxy.connections

    closed_at = run(main())
    with pytest.raises(TimeoutError):
        until(lambda: proxy.connections > closed_at, "another attempt", timeout=0.6)
