"""Who decides while the server does not: a limiter that has seen what was admitted, or a policy."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from redis_load import AGES, LIMITERS, run
from redis_servers import Server
from sluicegate import TokenBucketConfig
from sluicegate.redis import FixedWindow, StoreError

if TYPE_CHECKING:
    from redis_fixtures import Start

ALGORITHMS = pytest.mark.parametrize("algorithm", LIMITERS)
POLICIES = pytest.mark.parametrize("policy", ["local", "open", "closed", "raise"])


@ALGORITHMS
def test_the_local_limiter_has_seen_what_was_admitted(start: Start, algorithm: str) -> None:
    server = start(Server)

    async def main() -> None:
        one = LIMITERS[algorithm](server.url, 10, AGES)
        four = LIMITERS[algorithm](server.url, 10, AGES, workers=4, prefix="four")
        assert [(await one.check("key", cost)).store for cost in (4, 3, 1)] == ["redis"] * 3
        await one.refund("key", 1)
        assert (await four.check("key")).store == "redis"
        server.kill()
        mine = [await one.check("key") for _ in range(5)]
        seen = [await four.check("key") for _ in range(5)]
        fresh = [await four.check("other") for _ in range(5)]
        assert {each.store for each in mine + seen + fresh} == {"local"}
        print([sum(map(bool, each)) for each in (mine, seen, fresh)], "admitted here")
        assert [sum(map(bool, each)) for each in (mine, seen, fresh)] == [3, 1, 2]
        await one.reset("key")
        assert (await one.peek("key")).remaining == 10
        assert (one.statistics().errors, one.statistics().local) == (7, 6)

    run(main())


@pytest.mark.parametrize("policy", ["local", "open"])
@ALGORITHMS
def test_what_was_admitted_here_is_not_given_back_there(
    redis_server: Server, algorithm: str, policy: Any
) -> None:
    async def main() -> None:
        make, options = LIMITERS[algorithm], {"prefix": "p", "remember": False}
        limiter = make(redis_server.url, 10, AGES, on_error=policy, **options)
        other = make(redis_server.url, 10, AGES, on_error="raise", **options)
        redis_server.command("SADD", "p:{key}", "what is no limiter's")
        assert (await limiter.check("key", 5)).store == policy
        redis_server.command("DEL", "p:{key}")
        assert await other.check("key", 10)
        for units, left in ((2, 0), (1, 0), (3, 1), (1, 2)):
            await limiter.refund("key", units)
            assert (await other.peek("key")).remaining == left
        await limiter.reset("key")
        await other.check("key", 10)
        await limiter.refund("key", 4)
        assert (await other.peek("key")).remaining == 4

    run(main())


@ALGORITHMS
def test_what_was_admitted_here_is_given_back_here(redis_server: Server, algorithm: str) -> None:
    async def main() -> None:
        limiter = LIMITERS[algorithm](redis_server.url, 10, AGES, prefix="p")
        redis_server.command("SADD", "p:{key}", "what is no limiter's")
        assert (await limiter.check("key", 10)).store == "local"
        assert not await limiter.check("key")
        await limiter.refund("key", 3)
        told = [bool(await limiter.check("key")) for _ in range(4)]
        assert told == [True, True, True, False]
        await limiter.reset("key")
        redis_server.command("DEL", "p:{key}")
        await limiter.check("key", 10)
        await limiter.refund("key", 2)
        assert (await limiter.peek("key")).remaining == 2

    run(main())


def test_a_share_of_less_than_a_token_is_one() -> None:
    async def main() -> None:
        bucket = LIMITERS["bucket"]("redis://127.0.0.1:1", 5, AGES, workers=10, prefix="share")
        told = [await bucket.check("key") for _ in range(2)]
        assert [(bool(each), each.store) for each in told] == [(True, "local"), (False, "local")]

    run(main())


def test_the_local_limiter_stays_warm_when_the_quota_changes(start: Start) -> None:
    server = start(Server)

    async def main() -> None:
        limiter = FixedWindow(server.url, 10, AGES, prefix="changing")
        await limiter.check("key", 10)
        await limiter.set_quota(12, AGES)
        server.kill()
        admitted = sum([bool(await limiter.check("key")) for _ in range(5)])
        print(admitted, "admitted here beyond the 10")
        assert admitted == 2

    run(main())


@ALGORITHMS
def test_a_quota_that_changes_and_changes_back_gives_nothing_away(
    start: Start, algorithm: str
) -> None:
    server = start(Server)

    async def main() -> None:
        limiter = LIMITERS[algorithm](server.url, 10, AGES, prefix="back")
        other = LIMITERS[algorithm](server.url, 10, AGES, prefix="other")
        await limiter.check("key", 4)
        for limit in (20, 10):
            bucket = TokenBucketConfig(limit, limit / AGES)
            quota = (bucket,) if algorithm == "bucket" else (limit, AGES)
            await limiter.set_quota(*quota)  # type: ignore[attr-defined]
            await limiter.check("key", 3)
        server.kill()
        left = sum([bool(await limiter.check("key")) for _ in range(12)])
        others = sum([bool(await other.check("key")) for _ in range(12)])
        print(f"{algorithm}: {left} left of 10 after 4 + 3 + 3, {others} of another limiter's")
        assert (left, others) == (0, 10)

    run(main())


def test_a_quota_that_one_limiter_changes_stays_anothers(start: Start) -> None:
    server = start(Server)

    async def main() -> None:
        one = FixedWindow(server.url, 10, AGES, prefix="both")
        other = FixedWindow(server.url, 10, AGES, prefix="both")
        await one.check("key", 4)
        await one.set_quota(20, AGES)
        server.kill()
        left = sum([bool(await other.check("key")) for _ in range(30)])
        print(f"{left} left of 10 to the one whose quota is as it was")
        assert left == 6

    run(main())


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads Linux's figures")
def test_old_quotas_leave_nothing_behind(redis_server: Server) -> None:
    def resident() -> int:
        pages = Path("/proc/self/statm").read_text().split()[1]
        return int(pages) * resource.getpagesize()

    async def main() -> int:
        limiter = FixedWindow(redis_server.url, 1_000, AGES, timeout=20, on_error="local")
        await limiter.check_many(f"client-{number}" for number in range(20_000))
        await limiter.set_quota(1_001, AGES)
        before = resident()
        for limit in range(1_002, 1_102):
            await limiter.set_quota(limit, AGES)
        return resident() - before

    grown = run(main())
    print(f"a hundred quotas of 20,000 clients: {grown / 1e6:.1f} MB more")
    assert grown < 20e6


@POLICIES
@ALGORITHMS
def test_garbage_at_the_key(redis_server: Server, algorithm: str, policy: Any) -> None:
    words = (["SET", "x"], ["SET", "1 2 x"], ["HSET", "a", "b"], ["RPUSH", "x", "y", "z"])

    async def main() -> None:
        limiter = LIMITERS[algorithm](redis_server.url, 10, AGES, prefix="p", on_error=policy)
        for number, (command, *rest) in enumerate(words):
            redis_server.command(command, f"p:{{{number}}}", *rest)
            if policy == "raise":
                with pytest.raises(StoreError, match="answered with an error"):
                    await limiter.check(str(number))
            else:
                assert (await limiter.check(str(number))).store == policy
        assert (await limiter.check("clean")).store == "redis"
        assert limiter.statistics().errors == len(words)
        await limiter.reset("0")
        assert (await limiter.check("0")).store == "redis"

    run(main())
