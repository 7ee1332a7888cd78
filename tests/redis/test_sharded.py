"""Independent servers behind a ring: each key has one, and no other when that one is down."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from redis.asyncio import Redis

from polling import until
from redis_load import AGES, run
from redis_servers import Server
from redis_wire import HOST
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


def test_wrong_nodes_are_named_and_not_quoted() -> None:
    bad: Any
    for bad in (None, 5, "redis://:hunter2@h", b"redis://:hunter2@h"):
        with pytest.raises(TypeError, match=r"^redis_nodes must be a list of servers") as raised:
            ClusterRateLimiter(bad)
        assert "hunter2" not in str(raised.value)


def clients(server: Server) -> int:
    """How many are connected, but for who asks."""
    return len(server.command("CLIENT", "LIST").splitlines()) - 1


def test_a_removed_server_is_left_alone(start: Start) -> None:
    stays, goes = start(Server), start(Server)

    async def main() -> None:
        async with ClusterRateLimiter([stays.url, goes.url], timeout=5) as limiter:
            for key in KEYS[:20]:
                await limiter.is_allowed(key, 2, AGES)
            assert clients(goes) == 1
            limiter.remove_node(goes.url)
            await asyncio.to_thread(until, lambda: clients(goes) == 0, "its connection closed")
            assert clients(stays) == 1

    run(main())


def test_a_server_that_comes_back_may_have_another_password(start: Start) -> None:
    server = start(Server, password="new")

    def client(password: str) -> Redis:
        return Redis(host=HOST, port=server.port, password=password)

    async def main() -> None:
        options: Any = {"timeout": 5, "on_error": "raise"}
        async with ClusterRateLimiter([client("old")], **options) as limiter:
            with pytest.raises(StoreError, match="WRONGPASS"):
                await limiter.is_allowed("a", 2, AGES)
            limiter.remove_node(client("old"))
            limiter.add_node(client("new"))
            assert await limiter.is_allowed("a", 2, AGES)

    run(main())


def test_no_connection_outlives_a_limiter_with_many_quotas(start: Start) -> None:
    first, second = start(Server), start(Server)

    async def main() -> None:
        async with ClusterRateLimiter([first.url, second.url], timeout=5) as limiter:
            of_first = next(key for key in KEYS if limiter.get_node(key) == first.url)
            of_second = next(key for key in KEYS if limiter.get_node(key) == second.url)
            await limiter.is_allowed(of_first, 1, AGES)
            for limit in range(1, 300):
                await limiter.is_allowed(of_second, limit, AGES)
        await asyncio.to_thread(until, lambda: clients(first) + clients(second) == 0, "all closed")

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


def test_a_quota_that_is_no_number_is_named(redis_server: Server) -> None:
    async def main() -> None:
        async with ClusterRateLimiter([redis_server.url]) as limiter:
            for limit, window in ([1], 1), (1, "60"), (None, 1):
                wrong: Any = limit
                with pytest.raises(TypeError, match="limit and window must be numbers, got"):
                    await limiter.is_allowed("key", wrong, window)

    run(main())


def a_ring(*nodes: object) -> ClusterRateLimiter:
    """One that is asked for nothing but where keys belong."""
    return ClusterRateLimiter(nodes)


def places(limiter: ClusterRateLimiter) -> list[str | None]:
    return [limiter.ring.get_node(key) for key in KEYS]


SAME = (
    "redis://a:7000/1",
    "redis://:hunter2@A:7000/1",
    "rediss://user:hunter2@a:7000/1?ssl_cert_reqs=none",
    "valkey://a:7000?db=1&client_name=me",
    Redis(host="a", port=7000, db=1, password="hunter2"),
)


@pytest.mark.parametrize("node", SAME)
def test_a_new_password_moves_no_key(node: object) -> None:
    others = ("redis://b", "unix:///run/redis.sock?db=2")
    before, after = a_ring(SAME[0], *others), a_ring(node, *others)
    assert set(places(before)) == {"a:7000/1", "b:6379/0", "/run/redis.sock/2"}
    assert places(after) == places(before)
    told = {after.get_node(key) for key in KEYS}
    assert {"redis://b:6379/0", "unix:///run/redis.sock?db=2"} < told
    assert "hunter2" not in f"{told} {after.ring.nodes} {after!r}"


@pytest.mark.parametrize("node", SAME)
def test_the_same_server_is_named_once(node: object) -> None:
    expected = "redis_nodes must name each server once, got a:7000/1 twice"
    with pytest.raises(ValueError, match=expected):
        a_ring("redis://b", SAME[1], node)
    limiter = a_ring("redis://b", SAME[1])
    if node == SAME[1] or isinstance(node, Redis):  # nothing else than it was
        limiter.add_node(node)
    else:
        with pytest.raises(ValueError, match="got a:7000/1: remove it first") as raised:
            limiter.add_node(node)
        assert "hunter2" not in str(raised.value)
    limiter.remove_node(node)
    assert limiter.ring.nodes == {"b:6379/0"}
    with pytest.raises(ValueError, match="node must be on the ring to be removed"):
        limiter.remove_node(node)


@pytest.mark.parametrize(
    ("node", "name", "url"),
    [
        (
            "redis://u:p@[FE80::1%25eth0]/3",
            "fe80::1%eth0:6379/3",
            "redis://[fe80::1%25eth0]:6379/3",
        ),
        ("rediss://u:p@h", "h:6379/0", "rediss://h:6379/0"),
        ("unix://u:p@/a%20b", "/a b/0", "unix:///a%20b?db=0"),
        ("redis+cluster://:p@b,a:1", "a:1,b:6379/0", "redis+cluster://b:6379,a:1/0"),
        (
            "redis+sentinel://:p@h/my%2Fown/2?sentinel_password=p",
            "h:26379/my/own/2",
            "redis+sentinel://h:26379/my%2Fown/2",
        ),
    ],
)
def test_a_server_is_told_by_a_url_that_means_it(node: str, name: str, url: str) -> None:
    limiter = a_ring(node)
    assert limiter.ring.nodes == {name}
    assert limiter.get_node("key") == url
    assert a_ring(url).ring.nodes == {name}
    limiter.remove_node(url)
    assert limiter.get_node("key") is None


def test_two_services_of_the_same_sentinels_are_two_servers() -> None:
    limiter = a_ring("redis+sentinel://h/one", "redis+sentinel://h/two")
    assert len(set(places(limiter))) == 2
