"""Independent servers behind a ring: each key has one, and no other when that one is down."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from redis_load import AGES, run
from redis_servers import Server
from sluicegate.redis import ClusterRateLimiter, StoreError

if TYPE_CHECKING:
    from redis_fixtures import Start

KEYS = [f"client-{number}" for number in range(600)]


def test_each_key_is_counted_at_one_server(start: Start) -> None:
    servers = {server.url: server for server in (start(Server) for _ in range(3))}

    async def main() -> None:
        async with ClusterRateLimiter(list(servers), timeout=5, on_error="raise") as limiter:
            for turn in range(3):
                for key in KEYS:
                    allowed, info = await limiter.is_allowed(key, 2, AGES)
                    assert allowed == (turn < 2)
                    assert info["remaining"] == max(0, 1 - turn)
            expected = Counter(limiter.get_node(key) for key in KEYS)
        sizes = {url: server.command("DBSIZE") for url, server in servers.items()}
        print("keys at each server:", sorted(sizes.values()))
        assert sizes == expected
        assert min(sizes.values()) > len(KEYS) / 6

    run(main())


def test_a_new_node_takes_its_share_alone(start: Start) -> None:
    servers = {server.url: server for server in (start(Server) for _ in range(4))}
    *first, new = servers

    async def main() -> None:
        async with ClusterRateLimiter(first, timeout=5, on_error="raise") as limiter:
            for key in KEYS:
                assert await limiter.is_allowed(key, 1, AGES)
            limiter.add_node(new)
            again = [bool(await limiter.is_allowed(key, 1, AGES)) for key in KEYS]
            moved = [key for key in KEYS if limiter.get_node(key) == new]
            print(f"3 to 4 servers: {sum(again)} of {len(KEYS)} keys begin anew (a quarter is 150)")
            assert [key for key, begun in zip(KEYS, again, strict=True) if begun] == moved
            assert servers[new].command("DBSIZE") == len(moved)
            assert 60 < len(moved) < 240
            limiter.remove_node(new)
            # They are where they were, and have been spent there.
            assert not any([await limiter.is_allowed(key, 1, AGES) for key in KEYS])

    run(main())


@pytest.mark.parametrize("policy", ["local", "open", "closed", "raise"])
def test_the_keys_of_a_node_that_is_down_stay_its_own(start: Start, policy: Any) -> None:
    servers = {server.url: server for server in (start(Server) for _ in range(3))}
    down, *others = servers
    keys = KEYS[:150]

    async def main() -> None:
        async with ClusterRateLimiter(list(servers), timeout=5, on_error=policy) as limiter:
            for key in keys:
                assert (await limiter.is_allowed(key, 2, AGES)).store == "redis"
            sizes = [servers[url].command("DBSIZE") for url in others]
            servers[down].kill()
            answered: Counter[tuple[bool, str, bool]] = Counter()
            for key in keys:
                mine = limiter.get_node(key) == down
                try:
                    decision = await limiter.is_allowed(key, 2, AGES)
                    answered[mine, decision.store, bool(decision)] += 1
                except StoreError:
                    answered[mine, "raise", False] += 1
            print(f"{policy}:", dict(answered))
            admits = policy in ("local", "open")
            assert set(answered) == {(False, "redis", True), (True, policy, admits)}
            assert sizes == [servers[url].command("DBSIZE") for url in others]
            if policy == "local":
                mine = [key for key in keys if limiter.get_node(key) == down]
                again = [await limiter.is_allowed(key, 2, AGES) for key in mine]
                assert not any(again), "the local limiter has seen both"

    run(main())
