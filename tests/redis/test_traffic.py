"""What goes over the wire: cut connections, late replies, forgotten scripts, commands, rights."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from polling import until
from redis_faults import BlackHole
from redis_load import AGES, LIMITERS, PLENTY, answered_by, commands, load, run
from redis_servers import Server
from sluicegate.redis import AsyncLimiter, FixedWindow, StoreError

if TYPE_CHECKING:
    from redis_fixtures import Start

DATA = {"get", "set", "del", "llen", "lindex", "lrange", "ltrim", "lset", "rpush", "pexpire"}


async def spent(limiter: AsyncLimiter, key: str) -> int:
    return limiter.limit - (await limiter.peek(key)).remaining


def test_cut_while_idle_costs_nothing(start: Start, redis_server: Server) -> None:
    proxy = start(BlackHole, redis_server.port)

    async def main() -> None:
        async with FixedWindow(proxy.url, PLENTY, AGES, on_error="raise") as limiter:
            for cuts in range(1, 6):
                await limiter.check("key")
                proxy.cut()
                until(lambda cuts=cuts: proxy.connections > cuts, "connected again unasked")
            assert await spent(limiter, "key") == 5
            print("5 cuts while idle, 0 errors")

    run(main())


def test_cut_under_load_fails_those_in_flight_alone(start: Start, redis_server: Server) -> None:
    proxy = start(BlackHole, redis_server.port)
    tasks, cuts = 10, 8

    async def main() -> None:
        async with FixedWindow(proxy.url, PLENTY, AGES, timeout=2) as limiter:
            async with load(limiter, tasks, key="one") as answers:
                for _ in range(cuts):
                    # To cut an attempt to connect would be another fault.
                    await answered_by(limiter)
                    await asyncio.sleep(0.03)
                    await asyncio.to_thread(proxy.cut)
                await answered_by(limiter)
            known, unknown = answers.stores["redis"], answers.stores["local"]
            charged = await spent(limiter, "one")
            print(f"{cuts} cuts: {unknown} of {len(answers.taken)} calls failed, {tasks} at once;")
            print(f"{charged} charged for {known} known to be admitted")
            assert 0 < unknown <= tasks * cuts
            assert known <= charged <= known + unknown

    run(main())


def test_a_late_reply_is_nobody_elses(start: Start, redis_server: Server) -> None:
    proxy = start(BlackHole, redis_server.port)
    keys = 40

    async def main() -> None:
        told: Counter[str] = Counter()
        setup = FixedWindow(
            redis_server.url, PLENTY, AGES, timeout=5, prefix="late", on_error="raise"
        )
        for index in range(keys):
            await setup.check(str(index), index + 1)
        # So short that the connection outlives the first calls that were not answered.
        async with FixedWindow(proxy.url, PLENTY, AGES, timeout=0.05, prefix="late") as limiter:
            for delay in (0.045, 0.055, 0.08, 0.2) * 4:
                await asyncio.to_thread(proxy.delay, 0)
                await answered_by(limiter)
                for held in (0, delay, delay, delay, 0):
                    await asyncio.to_thread(proxy.delay, held)
                    peeks = [limiter.peek(str(index)) for index in range(keys)]
                    for index, seen in enumerate(await asyncio.gather(*peeks)):
                        right = PLENTY - seen.remaining == index + 1
                        told[
                            "late" if seen.store != "redis" else "right" if right else "wrong"
                        ] += 1
            print(f"replies to peeks at {keys} keys that differ:", dict(told))
            assert not told["wrong"]
            assert min(told["right"], told["late"]) > 8 * keys

    run(main())


def test_scripts_forgotten_every_5_ms(redis_server: Server) -> None:
    async def main() -> None:
        async with FixedWindow(
            redis_server.url, PLENTY, AGES, timeout=5, on_error="raise"
        ) as limiter:
            flushes = 200
            with redis_server.wire() as wire:
                async with load(limiter, 20, key="one") as answers:
                    for _ in range(flushes):
                        wire.call("SCRIPT", "FLUSH")
                        await asyncio.sleep(0.005)
            charged = await spent(limiter, "one")
            print(f"{flushes} flushes, {len(answers.taken)} calls, {len(answers.errors)} errors")
            assert (answers.errors, charged) == ([], len(answers.taken))

    run(main())


def test_one_command_a_decision_and_many_a_pipeline(redis_server: Server) -> None:
    many = 500

    def reads() -> int:
        stats = redis_server.command("INFO", "stats").decode()
        return int(stats.split("total_reads_processed:")[1].split()[0])

    async def main() -> None:
        for make in LIMITERS.values():
            limiter = make(redis_server.url, PLENTY, AGES, remember=False)
            await limiter.check("warm")
            before, read = commands(redis_server), reads()
            await asyncio.gather(*(limiter.check(str(index)) for index in range(many)))
            read = reads() - read
            ran = commands(redis_server) - before
            print(
                f"{limiter!r}: {ran['evalsha'] / many} commands, {read / many:.3f} reads a decision"
            )
            outer = {name for name in ran if name.split("|")[0] not in DATA | {"info", "time"}}
            assert outer == {"evalsha"}
            assert ran["evalsha"] == ran["time"] == many
            assert read < many / 4
            await limiter.aclose()

    run(main())


def test_closing_with_a_call_on_its_way_closes_the_connection(
    start: Start, redis_server: Server
) -> None:
    proxy = start(BlackHole, redis_server.port)

    async def main() -> None:
        limiter = FixedWindow(proxy.url, PLENTY, AGES)
        await limiter.check("key")
        proxy.delay(0.1)
        call = asyncio.ensure_future(limiter.check("key"))
        await asyncio.sleep(0.01)
        await limiter.aclose()
        await call

    run(main())
    until(lambda: proxy.open == 0, "the connection closed", timeout=2)


def test_a_short_deadline_leaves_an_idle_connection_alone(
    start: Start, redis_server: Server
) -> None:
    proxy = start(BlackHole, redis_server.port)

    async def main() -> None:
        patient = FixedWindow(proxy.url, PLENTY, AGES, timeout=1)
        hasty = FixedWindow(proxy.url, PLENTY, AGES, timeout=0.01)
        await patient.check("key")
        proxy.delay(0.03)
        stores = []
        for _ in range(4):
            await asyncio.sleep(0.15)
            assert (await hasty.check("key")).store == "local"
            stores.append((await patient.check("key")).store)
        print(f"{proxy.connections} connections; the patient one was answered by {stores}")
        assert (proxy.connections, set(stores)) == (1, {"redis"})

    run(main())


def test_the_first_calls_are_decided_in_their_order(redis_server: Server) -> None:
    async def main() -> None:
        wrong = 0
        for number in range(20):
            # A connection of its own, which is not there yet.
            url = f"{redis_server.url}?client_name=c{number}"
            async with FixedWindow(url, 1, AGES, prefix=str(number)) as limiter:
                wrong += not (await limiter.check_many(["key"] * 4))[0]
        print(f"{wrong} of 20 times another than the first call was admitted")
        assert not wrong

    run(main())


def test_many_that_fail_tell_of_it_once(start: Start) -> None:
    server = start(Server)

    async def main() -> list[str]:
        noise: list[str] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: noise.append(context["message"]))
        async with FixedWindow(server.url, PLENTY, AGES, on_error="raise") as limiter:
            await limiter.check("key")
            server.kill()
            # Twice: what the first left behind has come by the time the second is answered.
            for _ in range(2):
                with pytest.raises(StoreError):
                    await limiter.check_many(map(str, range(10)))
        gc.collect()
        return noise

    noise = run(main())
    print(f"{len(noise)} errors on the loop's own handler beside the one that was raised")
    assert not noise
