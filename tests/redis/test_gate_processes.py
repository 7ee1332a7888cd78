"""A gate in Redis that several processes share: exactly the smallest limit, and permits of the dead."""

from __future__ import annotations

import asyncio
import time

from gate_processes import ALL, ORG, USER, held, start, three
from redis_servers import Server


def test_four_processes_admit_exactly_the_smallest_limit(redis_server: Server) -> None:
    for attempt in range(20):
        name = f"g{attempt}"
        processes = [start("hammer", redis_server.url, name, f"u{n}", 200) for n in range(4)]
        admitted = [int(process.communicate(timeout=120)[0]) for process in processes]
        assert sum(admitted) == ORG, name

        async def left(name: str = name) -> dict[str, int]:
            gate = three(redis_server.url, name)
            users = []
            for n in range(4):
                told = await gate.peek({"user": f"u{n}", "org": "o", "all": "a"}, {"tokens": 1})
                users.append(USER - told.limits["user/day"].remaining)
            limits = told.limits
            await gate.aclose()
            return {
                "users": sum(users),
                "org": ORG - limits["org/day"].remaining,
                "all": ALL - limits["all/tokens/day"].remaining,
            }

        assert asyncio.run(left()) == {"users": ORG, "org": ORG, "all": ORG}


def test_a_holder_that_is_killed_frees_its_permits_after_the_lease_and_nothing_else(
    redis_server: Server,
) -> None:
    process = start("hold", redis_server.url, 1)
    try:
        assert process.stdout is not None
        with process.stdout as told:
            assert told.readline().strip() == "held"
        gate = held(redis_server.url, 1)
        time.sleep(1.5)  # longer than the lease: it is renewed
        refused = gate.peek_sync({"model": "m"}, {"tokens": 1})
        assert refused.refused_by == ("model/concurrent",)
    finally:
        process.kill()
        process.wait()
    died_at = time.monotonic()
    with gate.reserve({"model": "m"}, {"tokens": 1}, timeout=20):
        assert time.monotonic() - died_at < 10
        left = gate.peek_sync({"model": "m"}, {"tokens": 1}).limits
        assert left["model/concurrent"].remaining == 1
        assert left["model/tokens/day"].remaining == 199, "the estimates stay spent"
    gate.close()
