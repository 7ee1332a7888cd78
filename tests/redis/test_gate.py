"""The public gate in Redis: its verbs as coroutines and blocking, reservations, permits, and its names."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from redis_servers import Server
from redis_topologies import Cluster
from sluicegate import GateDecision, Limit, RateLimitError
from sluicegate.redis import (
    ConcurrencyLimiter,
    FixedWindow,
    Gate,
    SlidingWindowRateLimiter,
    StoreError,
    TokenBucket,
)

pytest_plugins = ["redis_fixtures"]

CHAT = (
    Limit("3/hour; 100/day", by="user"),
    Limit("1000 tokens/hour", by="model", algorithm="token_bucket"),
)
KEYS = {"user": "ada", "model": "m"}


class Made:
    """Gates that are closed with the test."""

    def __init__(self, server: Server) -> None:
        self.server, self.all = server, []  # type: ignore[var-annotated]

    def __call__(self, limits: Any, **options: Any) -> Gate:
        options = {"timeout": 2.0, "on_error": "raise"} | options
        self.all.append(Gate(self.server.url, limits, **options))
        return self.all[-1]  # type: ignore[no-any-return]


@pytest.fixture
def make(redis_server: Server) -> Iterator[Made]:
    made = Made(redis_server)
    yield made
    for gate in made.all:
        gate.close()


def left(decision: GateDecision) -> list[int]:
    return [each.remaining for each in decision.limits.values()]


def test_it_decides_and_says_by_which_limit(make: Made) -> None:
    gate = make(CHAT, name="chat")

    async def main() -> None:
        decision = await gate.check(KEYS, cost={"tokens": 400})
        assert (decision.allowed, decision.name, decision.store) == (
            True,
            "model/tokens/hour",
            "redis",
        )
        assert list(decision.limits) == ["user/hour", "user/day", "model/tokens/hour"]
        assert left(decision) == [2, 99, 600]
        refused = await gate.check(KEYS, cost={"tokens": 700})
        assert (bool(refused), refused.name) == (False, "model/tokens/hour")
        assert refused.refused_by == ("model/tokens/hour",)
        assert 355 < refused.retry_after <= 360
        assert left(await gate.peek(KEYS, cost={"tokens": 1})) == [2, 99, 600]
        await gate.refund(KEYS, decision)
        assert gate.peek_sync(KEYS, cost={"tokens": 1}).remaining == 3
        with pytest.raises(ValueError, match="given back before"):
            await gate.refund(KEYS, decision)
        with pytest.raises(ValueError, match="refused"):
            await gate.refund(KEYS, refused)
        await gate.check(KEYS, cost={"tokens": 400})
        await gate.reset({"user": "ada"})
        assert left(await gate.peek(KEYS, cost={"tokens": 1})) == [3, 100, 600]
        with pytest.raises(ValueError, match="'model'"):
            await gate.check({"user": "ada"}, cost={"tokens": 1})
        with pytest.raises(ValueError, match="tokens"):
            await gate.check(KEYS)

    asyncio.run(main())
    assert gate.statistics()[:2] == (2, 1)
    assert gate.statistics().limits["model/tokens/hour"].refused == 1


def test_the_verbs_that_block_do_the_same(make: Made) -> None:
    gate = make("2/hour; 10/day")
    first = gate.check_sync("ada")
    assert (first.allowed, left(first)) == (True, [1, 9])
    assert gate.check_sync("ada").allowed
    assert not gate.check_sync("ada")
    gate.refund_sync("ada", first)
    assert gate.wait_sync("ada", timeout=1).allowed
    assert not gate.wait_sync("ada", timeout=1).allowed
    gate.reset_sync("ada")
    assert left(gate.peek_sync("ada")) == [2, 10]
    assert gate.ping_sync().startswith(("redis", "valkey", "Redis", "Valkey"))
    assert asyncio.run(gate.ping()) == gate.ping_sync()


def test_quotas_by_key_and_keys_that_take_no_part(make: Made) -> None:
    plans = {"pro": "5/hour; 50/day", "free": None, "all": "unlimited"}
    limits = [Limit("1/hour; 100/day", by="user", quota_for=plans.get), Limit("9/day", by="org")]
    gate = make(limits)
    assert left(gate.check_sync({"user": "pro", "org": None})) == [4, 49]
    assert left(gate.check_sync({"user": "free", "org": "acme"})) == [0, 99, 8]
    assert left(gate.check_sync({"user": "all", "org": "acme"})) == [7]
    nobody = gate.check_sync({"user": None, "org": None})
    assert (nobody.allowed, nobody.name, dict(nobody.limits)) == (True, None, {})
    with pytest.raises(ValueError, match="at most 1"):
        gate.check_sync({"user": "free", "org": None}, cost=2)


def test_a_reservation_is_put_right(make: Made) -> None:
    gate = make(CHAT)

    async def main() -> None:
        async with gate.reserve(KEYS, cost={"tokens": 400}) as reservation:
            assert left(reservation.decision) == [2, 99, 600]
            reservation.settle(tokens=150)
        assert left(await gate.peek(KEYS, cost={"tokens": 1})) == [2, 99, 850]
        async with gate.reserve(KEYS, cost={"tokens": 400}) as reservation:
            reservation.settle(tokens=1000)
        told = await gate.peek(KEYS, cost={"tokens": 1})
        assert left(told) == [1, 98, 0]
        assert 540 - 5 < told.retry_after < 545, "150 are owed, and one more is wanted"
        with pytest.raises(RateLimitError):
            async with gate.reserve(KEYS, cost={"tokens": 400}):
                pass
        await gate.reset(KEYS)
        async with gate.reserve(KEYS, cost={"tokens": 400}) as reservation:
            reservation.cancel()
        assert left(await gate.peek(KEYS, cost={"tokens": 1})) == [3, 100, 1000]

    asyncio.run(main())
    with gate.reserve(KEYS, cost={"tokens": 400}) as reservation:
        reservation.settle(tokens=100)
    assert left(gate.peek_sync(KEYS, cost={"tokens": 1})) == [2, 99, 900]


def test_permits_are_held_in_the_block(make: Made) -> None:
    limits = [Limit("9/hour", by="user"), Limit("1 concurrent", by="model", lease_seconds=3)]
    gate = make(limits)
    with pytest.raises(TypeError, match="reserve"):
        gate.check_sync(KEYS)

    async def main() -> None:
        with pytest.raises(TypeError, match="reserve"):
            await gate.check(KEYS)
        async with gate.reserve(KEYS):
            told = await gate.peek(KEYS)
            assert (told.refused_by, left(told)) == (("model/concurrent",), [8, 0])
            assert 2 < told.retry_after <= 3
            with pytest.raises(RateLimitError):
                async with gate.reserve(KEYS):
                    pass
            await asyncio.sleep(4)  # it is renewed
            assert (await gate.peek(KEYS)).refused_by == ("model/concurrent",)
        assert left(await gate.peek(KEYS)) == [8, 1]
        order: list[int] = []

        async def one(number: int) -> None:
            async with gate.reserve(KEYS, timeout=20):
                order.append(number)
                await asyncio.sleep(0.01)

        await asyncio.gather(*map(one, range(5)))
        assert sorted(order) == list(range(5))

    asyncio.run(main())
    with gate.reserve(KEYS), pytest.raises(RateLimitError), gate.reserve(KEYS, timeout=0.05):
        pass
    assert left(gate.peek_sync(KEYS)) == [2, 1]


def test_who_is_cancelled_while_it_is_decided_holds_no_permit(make: Made) -> None:
    gate = make([Limit("1 concurrent", by="model", lease_seconds=20)])

    async def main() -> None:
        async def enter() -> None:
            async with gate.reserve("m"):
                await asyncio.sleep(10)

        for turns in range(1, 8):
            task = asyncio.create_task(enter())
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        async with gate.reserve("m", timeout=5):
            pass

    asyncio.run(main())


def test_a_server_that_fails_does_not_hide_the_blocks_own_exception(
    make: Made, redis_server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    gate = make(CHAT, timeout=0.2)

    def fail() -> None:
        with gate.reserve(KEYS, cost={"tokens": 400}) as reservation:
            reservation.settle(tokens=1)
            redis_server.kill()
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    with pytest.raises(StoreError):
        gate.check_sync(KEYS, cost={"tokens": 1})
    messages = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert any("reservations" in message for message in messages)


def test_it_shares_its_state_with_single_limiters(make: Made, redis_server: Server) -> None:
    options: dict[str, Any] = {"timeout": 2.0, "on_error": "raise"}
    limits = [
        Limit("9/hour", by="user"),
        Limit("9/5 minutes", by="user", algorithm="fixed_window"),
        Limit("9 tokens/hour burst 9", by="user"),
        Limit("2 concurrent", by="user"),
    ]
    gate = make(limits, name="chat", prefix="app")
    url = redis_server.url
    singles = [
        SlidingWindowRateLimiter(url, "9/hour", name="chat:user/hour", prefix="app", **options),
        FixedWindow(url, "9/5 minutes", name="chat:user/5_minutes", prefix="app", **options),
        TokenBucket(
            url, "9 tokens/hour burst 9", name="chat:user/tokens/hour", prefix="app", **options
        ),
    ]
    permits = ConcurrencyLimiter(url, 2, prefix="app:permits:chat:user/concurrent", **options)
    with gate.reserve("ada", cost={"tokens": 4}):
        assert [each.peek_sync("ada").remaining for each in singles] == [8, 8, 5]
        assert permits.in_use_sync("ada") == 1
        singles[0].check_sync("ada", 3)
        assert left(gate.peek_sync("ada", cost={"tokens": 1})) == [5, 8, 5, 1]
    for each in (*singles, permits):
        each.close()


def test_changed_limits_keep_what_was_spent(make: Made) -> None:
    gate = make([Limit("3/hour; 9/day", by="user")])
    gate.check_sync("ada", 2)
    gate.set_limits([Limit("5/hour; 9/week", by="user", name="user")])
    assert left(gate.check_sync("ada")) == [2, 8]
    assert gate.statistics()[:2] == (2, 0)
    with pytest.raises(ValueError, match="names"):
        gate.set_limits("1/hour; 2/hour")
    assert left(gate.check_sync("ada")) == [1, 7]


def test_shadows_are_counted(make: Made) -> None:
    gate = make([Limit("9/hour", by="user"), Limit("1/day", by="user", shadow=True)])
    for _ in range(3):
        decision = gate.check_sync("ada")
        assert (decision.allowed, decision.refused_by) == (True, ())
    assert not decision.limits["user/day"].allowed
    assert gate.statistics().limits["user/day"].would_have_refused == 2
    assert gate.statistics().limits["user/hour"].admitted == 3


def test_a_tag_is_what_every_limit_counts_by(redis_server: Server) -> None:
    limits = [Limit("5/hour", by="org"), Limit("5/hour", by="user")]
    with pytest.raises(ValueError, match=r"tag_by must be what every limit counts by.*user/hour"):
        Gate(redis_server.url, limits, tag_by="org")
    with pytest.raises(TypeError, match="tag_by"):
        Gate(redis_server.url, limits, tag_by=1)  # type: ignore[arg-type]


def test_in_a_cluster(redis_cluster: Cluster) -> None:
    options: dict[str, Any] = {"timeout": 2.0, "on_error": "raise"}
    plain = Gate(redis_cluster.url, CHAT, name="{odd} name", **options)
    spread = Gate(redis_cluster.url, "2/hour; 3/day", tag_by="key", **options)
    for user in ["ada", "", "{x}", "y" * 200]:
        assert plain.check_sync({"user": user, "model": user}, {"tokens": 1}).allowed
        assert [spread.check_sync(user).allowed for _ in range(3)] == [True, True, False]
    with plain.reserve(KEYS, {"tokens": 500}) as reservation:
        reservation.settle(tokens=5)
    assert left(plain.peek_sync(KEYS, {"tokens": 1})) == [1, 98, 995]
    single = SlidingWindowRateLimiter(redis_cluster.url, "2/hour", name="gate:key/hour", **options)
    assert single.peek_sync("ada").remaining == 0, "its keys are on their own nodes"
    for each in (plain, spread, single):
        each.close()
