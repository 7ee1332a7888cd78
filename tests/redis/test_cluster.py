"""A Cluster: every slot, slots that move under load, masters that are named in odd ways."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial

import pytest
import redis.asyncio

from redis_clock import MissingError
from redis_load import AGES, GRACE, LIMITERS, PLENTY, Answers, Lag, run
from redis_servers import Server
from redis_topologies import SLOTS, Cluster
from redis_wire import HOST, Wire
from sluicegate import Quota
from sluicegate.redis import AsyncLimiter, FixedWindow

TIMEOUT = 2.0


def masters(cluster: Cluster) -> list[Server]:
    """The masters, each once."""
    return list(dict.fromkeys(cluster.master_of(slot) for slot in range(0, SLOTS, 1000)))


@pytest.fixture(scope="module")
def shared() -> Iterator[Cluster]:
    """One for all of these tests: none of them breaks a server."""
    try:
        with Cluster() as cluster:
            yield cluster
    except MissingError as missing:
        pytest.skip(str(missing))


@pytest.fixture
def cluster(shared: Cluster) -> Cluster:
    for server in masters(shared):
        server.command("FLUSHALL")
    return shared


def test_keys_of_every_slot_and_with_braces(cluster: Cluster) -> None:
    braces = ["{a}b", "a{b}", "{}", "a{}b{c}", "{{a}}", "}a{", "{", ""]
    # No user's key chooses its slot.
    tagged = [f"{{tag}}{number}" for number in range(300)]

    async def main() -> None:
        async with FixedWindow(cluster.url, 3, AGES, timeout=TIMEOUT) as limiter:
            await limiter.ping()
            for kind in (tagged, [*braces, *map(str, range(3000))]):
                for server in masters(cluster):
                    server.command("FLUSHALL")
                for cost, admitted in ((1, True), (2, True), (1, False)):
                    decisions = await limiter.check_many(kind, cost)
                    assert {(each.store, each.allowed) for each in decisions} == {
                        ("redis", admitted)
                    }
                sizes = [server.command("DBSIZE") for server in masters(cluster)]
                print(f"{sum(sizes)} keys of {len(kind)} clients on {sizes}")
                assert sum(sizes) == len(kind)
                assert min(sizes) > len(kind) / 6

    run(main())


class Hammer:
    """Callers that spend from the same few keys of every algorithm, and what they were answered."""

    def __init__(self, url: str, keys: list[str]) -> None:
        self.keys = keys
        self.answers = Answers()
        self.admitted: Counter[tuple[str, str]] = Counter()
        self.limiters: dict[str, AsyncLimiter] = {
            name: make(url, PLENTY, AGES, timeout=TIMEOUT, prefix=name, on_error="raise")
            for name, make in LIMITERS.items()
        }

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        ended = asyncio.Event()

        async def work(name: str, start: int) -> None:
            turn = start
            while not ended.is_set():
                key = self.keys[turn % len(self.keys)]
                await self.answers.ask(partial(self.limiters[name].check, key))
                self.admitted[name, key] += 1
                turn += 1
                await asyncio.sleep(0.001)

        async with Lag() as lag:
            works = [asyncio.ensure_future(work(name, n)) for name in LIMITERS for n in range(8)]
            try:
                yield
            finally:
                ended.set()
                await asyncio.gather(*works)
        self.answers.lag = lag.worst

    async def charged(self) -> Counter[tuple[str, str]]:
        """What the cluster has charged."""
        seen: Counter[tuple[str, str]] = Counter()
        for name, limiter in self.limiters.items():
            for key in self.keys:
                seen[name, key] = PLENTY - (await limiter.peek(key)).remaining
        return seen


def test_slots_that_move_under_load_lose_and_double_nothing(cluster: Cluster) -> None:
    keys, rounds = ["a", "b", "c"], 5

    def move(slot: int, place: int) -> None:
        every = masters(cluster)
        source = cluster.master_of(slot)
        target = every[(every.index(source) + place) % len(every)]
        cluster.begin_migration(slot, source, target)
        cluster.move_keys(slot, source, target)
        cluster.end_migration(slot, target)

    async def main() -> None:
        hammer = Hammer(cluster.url, keys)
        async with hammer.at_work():
            await asyncio.sleep(0.1)
            for number in range(rounds):
                for key in keys:
                    slot = cluster.slot_of(key)
                    await asyncio.to_thread(move, slot, 1 + number % 2)
            await asyncio.sleep(0.1)
        answers, admitted = hammer.answers, hammer.admitted
        charged = await hammer.charged()
        print(
            f"{rounds * len(keys)} slots moved under {len(answers.taken)} calls: "
            f"{len(answers.errors)} errors, {sum(charged.values())} charged for "
            f"{sum(admitted.values())} admitted, slowest {1000 * answers.slowest:.0f} ms "
            f"(this machine: {1000 * answers.lag:.0f})"
        )
        assert not answers.errors
        assert charged == admitted
        assert set(answers.stores) == {"redis"}
        assert answers.slowest <= TIMEOUT + GRACE + answers.lag

    run(main())


def test_a_migration_that_stands_still(cluster: Cluster) -> None:
    async def main() -> None:
        hammer = Hammer(cluster.url, ["a", "b"])
        slot = cluster.slot_of("a")
        source = cluster.master_of(slot)
        target = next(each for each in masters(cluster) if each is not source)
        async with hammer.at_work():
            await asyncio.sleep(0.1)
            await asyncio.to_thread(cluster.begin_migration, slot, source, target)
            await asyncio.sleep(0.2)
            await asyncio.to_thread(cluster.move_keys, slot, source, target)
            # From here on each call is told to ASK.
            await asyncio.sleep(0.3)
            half = len(hammer.answers.taken)
            await asyncio.to_thread(cluster.end_migration, slot, target)
            await asyncio.sleep(0.2)
        charged = await hammer.charged()
        print(f"{half} calls before the end of a migration, {len(hammer.answers.taken)} in all")
        assert not hammer.answers.errors
        assert charged == hammer.admitted

    run(main())


def test_a_cluster_with_a_password_by_url_and_by_client(cluster: Cluster) -> None:
    port = cluster.servers[0].port
    client = redis.asyncio.RedisCluster(host=HOST, port=port, password="word")

    async def main() -> None:
        async with client:
            for number, place in enumerate((cluster.url.replace("://", "://:word@"), client)):
                limiter = FixedWindow(place, 3, AGES, timeout=TIMEOUT, on_error="raise")
                decisions = await limiter.check_many(map(str, range(100)))
                assert {each.remaining for each in decisions} == {2 - number}
                await limiter.aclose()

    for server in cluster.servers:
        server.command("CONFIG", "SET", "requirepass", "word")
    try:
        run(main())
    finally:
        for server in cluster.servers:
            with Wire(server.port, password="word") as wire:
                wire.call("CONFIG", "SET", "requirepass", "")


def test_one_node_is_enough_to_find_the_others(cluster: Cluster) -> None:
    replica = cluster.replicas_of(0)[0]

    async def main() -> None:
        url = f"redis+cluster://{HOST}:{replica.port}"
        async with FixedWindow(url, 3, AGES, timeout=TIMEOUT, on_error="raise") as limiter:
            assert all(await limiter.check_many(map(str, range(100))))

    run(main())


def test_nodes_that_do_not_know_their_own_names(cluster: Cluster) -> None:
    def say(kind: str) -> None:
        for server in cluster.servers:
            server.command("CONFIG", "SET", "cluster-preferred-endpoint-type", kind)

    async def main() -> None:
        url = f"{cluster.url}?client_name=stranger"
        async with FixedWindow(url, 3, AGES, timeout=TIMEOUT, on_error="raise") as limiter:
            assert all([await limiter.check(str(number)) for number in range(100)])

    say("unknown-endpoint")
    try:
        run(main())
    finally:
        say("ip")


@pytest.mark.parametrize("kind", LIMITERS)
def test_quotas_of_keys_and_receipts_in_every_slot(cluster: Cluster, kind: str) -> None:
    keys = [f"user {number}" for number in range(200)]
    more = Quota("50/hour burst 50" if kind == "bucket" else "50/hour")

    async def main() -> None:
        async with LIMITERS[kind](cluster.url, 5, 3600, timeout=TIMEOUT) as limiter:
            spent = await limiter.check_many(keys, 5)
            assert all(spent)
            assert not any(await limiter.check_many(keys))
            above = await limiter.check_many(keys, 9, quota=more)
            assert {(each.store, each.remaining) for each in above} == {("redis", 36)}
            await asyncio.gather(*map(limiter.refund, keys, above))
            left = await limiter.check_many(keys, quota=more)
            assert {each.remaining for each in left} == {44}

    run(main())
