"""Servers that refuse: a primary that became a replica is left, all others are kept; in all versions."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from polling import until
from redis_load import AGES, GRACE, PLENTY, answered_by, load, run
from redis_sentinels import SERVICE
from redis_servers import Server
from redis_wire import HOST
from sluicegate.redis import FixedWindow, StoreError

if TYPE_CHECKING:
    from redis_fixtures import Start

TIMEOUT = 0.25


def accepted(server: Server) -> int:
    """How many connections the server has accepted so far, without this one."""
    stats = server.command("INFO", "stats").decode()
    return int(stats.split("total_connections_received:")[1].split()[0]) - 1


def replica_of(start: Start, primary: Server, **config: str) -> Server:
    config = {"replicaof": f"{HOST} {primary.port}", **config}
    replica = start(Server, program=primary.program, config=config)
    until(lambda: b"master_link_status:up" in replica.command("INFO", "replication"), "in step")
    return replica


def test_a_primary_demoted_in_place_is_left_for_its_successor(
    start: Start, server_program: Path
) -> None:
    old = start(Server, program=server_program)
    new = replica_of(start, old)
    watching = {f"sentinel monitor {SERVICE}": f"{HOST} {old.port} 1"}
    sentinel = start(Server, sentinel=True, config=watching, program=server_program)

    async def main() -> None:
        url = f"redis+sentinel://{HOST}:{sentinel.port}/{SERVICE}"
        async with FixedWindow(url, PLENTY, AGES, timeout=TIMEOUT) as limiter:
            await answered_by(limiter)
            async with load(limiter) as answers:
                # No connection is killed, as it is when a Sentinel does this.
                new.command("REPLICAOF", "NO", "ONE")
                old.command("REPLICAOF", HOST, new.port)
                while (await limiter.check("key")).store == "redis":
                    await asyncio.sleep(0.001)
                sentinel.command("SENTINEL", "REMOVE", SERVICE)
                sentinel.command("SENTINEL", "MONITOR", SERVICE, HOST, new.port, 1)
                back = await answered_by(limiter)
            print(f"back after {1000 * back:.0f} ms; {dict(answers.stores)}")
            assert back <= 1 + answers.lag
            assert answers.slowest <= TIMEOUT + GRACE + answers.lag
            prefix = "sluicegate:fixed_window"
            assert any(key.startswith(prefix.encode()) for key in new.command("KEYS", "*"))

    run(main())


def test_a_replica_is_not_asked_again_and_again(start: Start, server_program: Path) -> None:
    replica = replica_of(start, start(Server, program=server_program))

    async def main() -> None:
        async with FixedWindow(replica.url, PLENTY, AGES, timeout=TIMEOUT) as limiter:
            await limiter.check("key")
            before = accepted(replica)
            async with load(limiter) as answers:
                await asyncio.sleep(2)
            made = accepted(replica) - before
            print(f"{made} connections in 2 s for {len(answers.taken)} calls")
            assert set(answers.stores) == {"local"}
            assert answers.slowest <= TIMEOUT + GRACE + answers.lag
            # After 10, 20 ... 320 ms, and every 320 ms.
            assert made <= 15 + answers.lag / 0.3
            replica.command("REPLICAOF", "NO", "ONE")
            assert await answered_by(limiter) <= 1 + answers.lag

    run(main())


def test_who_asks_a_replica_is_told_what_it_is(start: Start, server_program: Path) -> None:
    replica = replica_of(start, start(Server, program=server_program))

    async def main() -> None:
        async with FixedWindow(replica.url, PLENTY, AGES, timeout=5, on_error="raise") as limiter:
            with pytest.raises(StoreError, match="an error: READONLY You can't write"):
                await limiter.check("key")
            with pytest.raises(StoreError, match="the server is a read-only replica"):
                await limiter.check("key")

    run(main())


def test_a_replica_that_lost_its_primary_is_left(start: Start, server_program: Path) -> None:
    primary = start(Server, program=server_program)
    replica = replica_of(start, primary, **{"replica-serve-stale-data": "no"})

    async def main() -> None:
        async with FixedWindow(replica.url, PLENTY, AGES, timeout=TIMEOUT) as limiter:
            await limiter.peek("key")
            primary.kill()
            await answered_by(limiter, "local")
            before = accepted(replica)
            async with load(limiter) as answers:
                await asyncio.sleep(1)
            assert accepted(replica) - before <= 10 + answers.lag / 0.3
            replica.command("REPLICAOF", "NO", "ONE")
            assert await answered_by(limiter) <= 1 + answers.lag

    run(main())


def test_one_that_refuses_and_stays_in_charge_is_kept(start: Start, server_program: Path) -> None:
    server = start(Server, program=server_program)

    async def main() -> None:
        async with FixedWindow(server.url, PLENTY, AGES, timeout=TIMEOUT) as limiter:
            await answered_by(limiter)
            for name in ("maxmemory", "min-replicas-to-write"):
                with server.wire() as wire:
                    before = accepted(server)
                    wire.call("CONFIG", "SET", name, 1)
                    async with load(limiter, 5) as answers:
                        await asyncio.sleep(0.2)
                    wire.call("CONFIG", "SET", name, 0)
                    # 6.2 does not look at replicas in a script.
                    assert "local" in answers.stores or name == "min-replicas-to-write"
                    await answered_by(limiter)
                    assert accepted(server) - before == 1  # that which asks
                    assert (await limiter.check("key")).store == "redis"

    run(main())
