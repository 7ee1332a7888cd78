"""All keys of a limiter or a gate in a Cluster are forgotten, on every primary, also while slots move."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from gate_same import difference
from in_loop import in_loop
from redis_clock import MissingError
from redis_servers import Server
from redis_topologies import SLOTS, Cluster
from sluicegate import Limit
from sluicegate.redis import FixedWindow, Gate, TokenBucket

HOUR = 3_600


@pytest.fixture(scope="module")
def shared() -> Iterator[Cluster]:
    try:
        with Cluster() as cluster:
            yield cluster
    except MissingError as missing:
        pytest.skip(str(missing))


def primaries(cluster: Cluster) -> list[Server]:
    return list(dict.fromkeys(cluster.master_of(slot) for slot in range(0, SLOTS, 1_000)))


@pytest.fixture
def cluster(shared: Cluster) -> Cluster:
    for server in primaries(shared):
        server.command("FLUSHALL")
    return shared


def names(cluster: Cluster) -> set[bytes]:
    return {name for server in primaries(cluster) for name in server.command("KEYS", "*")}


def limits() -> list[Limit]:
    return [Limit("5/minute; 9/hour", by="user"), Limit("9/hour burst 9", by="user", name="b")]


@in_loop
async def test_on_every_primary(cluster: Cluster) -> None:
    limiter = FixedWindow(cluster.url, 2, HOUR, prefix="a", timeout=10, on_error="raise")
    other = TokenBucket(cluster.url, 2, 1, prefix="a:b", timeout=10, on_error="raise")
    everyone = [f"{number}" for number in range(400)] + ["{x}", ""]
    assert all(await limiter.check_many(everyone))
    assert all(await other.check_many(everyone))
    assert all(server.command("DBSIZE") > 200 for server in primaries(cluster))
    await limiter.clear()
    assert {name.split(b":{")[0] for name in names(cluster)} == {b"a:b"}
    assert len(names(cluster)) == len(everyone)
    await other.clear()
    assert names(cluster) == set()
    await limiter.aclose()
    await other.aclose()


@pytest.mark.parametrize("tag_by", [None, "user"])
@in_loop
async def test_a_gates(cluster: Cluster, tag_by: Any) -> None:
    options: dict[str, Any] = {"tag_by": tag_by, "timeout": 10, "on_error": "raise"}
    gates = [Gate(cluster.url, limits(), name=name, **options) for name in ("chat", "chat:2")]
    single = FixedWindow(cluster.url, 2, HOUR, prefix="sluicegate", timeout=10)
    for number in range(60):
        assert await single.check(f"{number}")
        for gate in gates:
            assert await gate.check(f"{number}")
    assert len(names(cluster)) == 60 * 7
    await gates[0].clear()
    assert len(names(cluster)) == 60 * 4
    assert (await gates[0].peek("1")).limits["user/minute"].remaining == 5
    assert (await gates[1].peek("1")).limits["user/minute"].remaining == 4
    assert (await single.peek("1")).remaining == 1
    await single.clear()
    assert len(names(cluster)) == 60 * 3
    for each in (*gates, single):
        await each.aclose()


@in_loop
async def test_while_a_slot_moves(cluster: Cluster) -> None:
    gate = Gate(cluster.url, limits(), name="moving", timeout=10, on_error="raise")
    for number in range(50):
        assert await gate.check(f"{number}")
    slot = cluster.slot_of("{moving}")
    source = cluster.master_of(slot)
    target = next(server for server in primaries(cluster) if server is not source)
    cluster.begin_migration(slot, source, target)
    try:
        for name in source.command("KEYS", "*")[::2]:
            source.command("MIGRATE", "127.0.0.1", target.port, "", 0, 5_000, "KEYS", name)
        assert target.command("DBSIZE") >= 75
        await gate.clear()
        assert names(cluster) == set()
    finally:
        cluster.end_migration(slot, target)
    assert (await gate.check("1")).limits["user/minute"].remaining == 4
    await gate.clear()
    assert names(cluster) == set()
    await gate.aclose()


def test_by_a_tag_a_gate_does_what_one_in_memory_does(cluster: Cluster) -> None:
    """Also where keys are named by their digests."""

    def made(limits: list[Limit]) -> Gate:
        options: dict[str, Any] = {"timeout": 10, "on_error": "raise", "remember": False}
        return Gate(cluster.url, limits, name="same", tag_by="user", **options)

    for seed in range(8):
        for server in primaries(cluster):
            server.command("FLUSHALL")
        assert difference(seed, made, is_odd=True) is None
