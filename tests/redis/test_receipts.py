"""A decision of a limiter in Redis is a receipt: its own units come back, once, and nobody else's."""

from __future__ import annotations

import copy
import pickle
import sys
from collections.abc import Callable
from typing import Any

import pytest

from receipt_traces import KINDS, disagreement
from redis_programs import program, run
from redis_servers import Server
from sluicegate import Decision, redis
from sluicegate import FixedWindow as InMemory
from sluicegate.redis import StoreError
from sluicegate.testing import limits_off

pytest_plugins = ["redis_fixtures"]

START = 1_800_000_000
WINDOWS = ("FixedWindow", "SlidingWindowRateLimiter", "SegmentedWindow", "SlidingWindowCounter")
EXACT = WINDOWS[:3]


def limiter_of(
    kind: str, server: Server, limit: int = 5, window: float = 60, **options: Any
) -> Any:
    """A limiter of that many units, or a bucket that fills in a window."""
    quota = (limit, limit / window) if kind == "TokenBucket" else (limit, window)
    made: dict[str, Any] = {"prefix": "p", "timeout": 30, "on_error": "raise", "remember": False}
    return getattr(redis, kind)(server.url, *quota, **(made | options))


def left(limiter: Any, key: str = "key") -> int:
    return int(limiter.peek_sync(key).remaining)


@pytest.mark.parametrize("plain", [False, True], ids=["", "plain"])
@pytest.mark.parametrize("kind", KINDS)
def test_redis_memory_and_a_ledger_agree(kind: str, plain: bool, moved_server: Server) -> None:
    for seed in range(12):
        assert disagreement(kind, moved_server, seed, 60, plain) is None


@pytest.mark.long
@pytest.mark.parametrize("plain", [False, True], ids=["", "plain"])
@pytest.mark.parametrize("kind", KINDS)
def test_they_agree_for_long(kind: str, plain: bool, moved_server: Server) -> None:
    """Some 120,000 steps in all."""
    for seed in range(1000, 1200):
        assert disagreement(kind, moved_server, seed, 60, plain) is None


@pytest.mark.parametrize("kind", EXACT)
def test_who_gives_the_rest_back_gets_the_whole_quota(kind: str, moved_server: Server) -> None:
    """Checks for twice what it uses, again and again, for five windows."""
    moved_server.set_time(START)
    limiter, used = limiter_of(kind, moved_server, 50), 0
    for _ in range(5 * 200):
        decision = limiter.check_sync("key", 2)
        if decision:
            used += 1
            limiter.refund_sync("key", decision, 1)
        moved_server.advance(0.3)
    # The last unit of each window is one for which two are not left.
    print(f"{kind}: {used} of {5 * 50} used")
    assert used >= 5 * 49


@pytest.mark.parametrize("kind", KINDS)
def test_a_failed_try_leaves_nothing_behind(kind: str, moved_server: Server) -> None:
    moved_server.set_time(START)
    limiter = limiter_of(kind, moved_server)
    for _ in range(3):
        assert limiter.check_sync("busy")
        moved_server.advance(1)
    before = limiter.peek_sync("busy")
    limiter.refund_sync("busy", limiter.check_sync("busy"))
    after = limiter.peek_sync("busy")
    assert (after.remaining, after.reset_after) == (before.remaining, before.reset_after)


@pytest.mark.parametrize("kind", WINDOWS[:2])
def test_what_has_left_its_window_frees_nobody_elses_unit(kind: str, moved_server: Server) -> None:
    moved_server.set_time(START + 59)
    limiter = limiter_of(kind, moved_server, 2)
    early = limiter.check_sync("key")
    moved_server.advance(2 if kind == "FixedWindow" else 60)
    assert limiter.check_sync("key", 2)
    limiter.refund_sync("key", early)
    assert not limiter.check_sync("key")


def test_periods_of_a_calendar(moved_server: Server) -> None:
    moved_server.set_time(START)
    limiter = redis.FixedWindow(moved_server.url, "5/day in Europe/Berlin", timeout=30, prefix="p")
    first = limiter.check_sync("key", 3)
    limiter.refund_sync("key", first, 1)
    assert left(limiter) == 3
    moved_server.advance(86_400)
    assert limiter.check_sync("key", 4)
    limiter.refund_sync("key", first)
    assert left(limiter) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_reset_makes_receipts_void(kind: str, moved_server: Server) -> None:
    moved_server.set_time(START)
    limiter = limiter_of(kind, moved_server)
    held = limiter.check_sync("key", 2)
    limiter.reset_sync("key")
    assert limiter.check_sync("key", 5)
    limiter.refund_sync("key", held)
    assert left(limiter) == 0


@pytest.mark.parametrize("kind", WINDOWS[:2])
def test_another_processes_reset_is_known(kind: str, moved_server: Server) -> None:
    moved_server.set_time(START)
    limiter, other = limiter_of(kind, moved_server), limiter_of(kind, moved_server)
    held = limiter.check_sync("key", 2)
    other.reset_sync("key")
    moved_server.advance(0.000_001)
    assert other.check_sync("key", 5)
    limiter.refund_sync("key", held)
    assert left(limiter) == 0


def test_a_buckets_receipts_know_of_each_other(moved_server: Server) -> None:
    moved_server.set_time(START)
    limiter = limiter_of("TokenBucket", moved_server, 2, 2)
    first, second = limiter.check_sync("key"), limiter.check_sync("key")
    limiter.refund_sync("key", first)
    moved_server.advance(1)
    assert limiter.check_sync("key", 2)
    limiter.refund_sync("key", second)
    assert not limiter.check_sync("key"), "a token that nobody had"


def test_a_full_bucket_still_knows_what_came_back(moved_server: Server) -> None:
    """Given back by its units and by its receipt, a spend comes back once."""
    moved_server.set_time(START)
    limiter = limiter_of("TokenBucket", moved_server, 10, 10)
    held = limiter.check_sync("key", 10)
    moved_server.advance(1)
    limiter.refund_sync("key", 9)
    moved_server.advance(1)
    assert limiter.check_sync("key", 10)
    limiter.refund_sync("key", held)
    assert left(limiter) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_clock_that_leaps_never_gives_too_much(kind: str, moved_server: Server) -> None:
    """A spend at a time that the clock then denies frees nobody else's units."""
    for ahead in (1, 59, 3600, 86_400):
        moved_server.command("FLUSHALL")
        limiter = limiter_of(kind, moved_server)
        moved_server.set_time(START + ahead)
        held = limiter.check_sync("key", 2)
        moved_server.set_time(START)
        others = left(limiter)
        if others:
            assert limiter.check_sync("key", others)
        limiter.refund_sync("key", held)
        assert left(limiter) <= 2 * (ahead < 60)


@pytest.mark.parametrize("kind", KINDS)
def test_another_window_or_rate_gives_nothing_back(kind: str, moved_server: Server) -> None:
    moved_server.set_time(START)
    limiter = limiter_of(kind, moved_server, 6)
    held, again = limiter.check_sync("key", 2), limiter.check_sync("key", 2)
    quota = [(7, 0.1), (7, 0.2)] if kind == "TokenBucket" else [(7, 60), (7, 30)]
    run(limiter.set_quota(*quota[0]))
    limiter.refund_sync("key", held)
    assert left(limiter) == 5, "another limit keeps them"
    run(limiter.set_quota(*quota[1]))
    before = left(limiter)
    limiter.refund_sync("key", again)
    kept = kind == "SlidingWindowRateLimiter"  # whose units have their own time
    assert left(limiter) == before + 2 * kept


def test_a_log_is_rewritten_behind_what_goes(moved_server: Server) -> None:
    moved_server.set_time(START)
    limiter = limiter_of("SlidingWindowRateLimiter", moved_server, 10_000)
    decisions = []
    for _ in range(2_600):
        decisions.append(limiter.check_sync("key", 2))
        moved_server.advance(0.000_001)
    limiter.refund_sync("key", decisions[0])
    limiter.refund_sync("key", decisions[1], 1)
    assert moved_server.command("LLEN", "p:{key}") == 1 + 2 * 2_599
    assert moved_server.command("LINDEX", "p:{key}", 2) == b"1"
    assert moved_server.command("LINDEX", "p:{key}", -1) == b"5197"
    assert moved_server.command("PTTL", "p:{key}") > 0
    for decision in decisions[1:]:
        limiter.refund_sync("key", decision)
    assert moved_server.command("EXISTS", "p:{key}") == 0


@pytest.mark.parametrize("policy", ["local", "open"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_was_admitted_here_comes_back_here(
    kind: str, policy: str, moved_server: Server
) -> None:
    moved_server.set_time(START)
    limiter = limiter_of(kind, moved_server, on_error=policy)
    other = limiter_of(kind, moved_server)
    moved_server.command("SADD", "p:{key}", "what is no limiter's")
    held = limiter.check_sync("key", 4)
    assert held.store == policy
    limiter.refund_sync("key", held, 1)
    assert bool(limiter.check_sync("key", 3)) == (policy == "open"), "one of them has come back"
    assert limiter.check_sync("key", 2)
    moved_server.command("DEL", "p:{key}")
    assert other.check_sync("key", 5)
    limiter.refund_sync("key", held)
    assert left(other) == 0, "the server was not charged for them"
    with pytest.raises(ValueError, match="was given back before"):
        limiter.refund_sync("key", held)
    with pytest.raises(ValueError, match="another"):
        limiter_of(kind, moved_server, on_error=policy).refund_sync("key", held)


def test_a_refund_that_fails_uses_the_receipt_up(redis_server: Server) -> None:
    limiter = limiter_of("FixedWindow", redis_server)
    held = limiter.check_sync("key", 2)
    redis_server.command("DEL", "p:{key}")
    redis_server.command("SADD", "p:{key}", "what is no limiter's")
    with pytest.raises(StoreError):
        limiter.refund_sync("key", held)
    with pytest.raises(ValueError, match="was given back before"):
        limiter.refund_sync("key", held)


@pytest.mark.parametrize("kind", KINDS)
def test_a_refused_key_is_asked_for_again(kind: str, redis_server: Server) -> None:
    async def main() -> None:
        limiter = limiter_of(kind, redis_server, window=1e6, remember=True)
        held = await limiter.check("key", 5)
        assert not await limiter.check("key")
        await limiter.refund("key", held, units=2)
        assert (await limiter.peek("key")).remaining == 2
        assert await limiter.check("key", 2)

    run(main())


def test_a_child_has_no_receipts_of_its_parents(redis_server: Server) -> None:
    """It could give back once more what its parent has given back."""
    told = program(
        """
import os, sys
from sluicegate.redis import FixedWindow
limiter = FixedWindow(sys.argv[1], 5, 1e9, prefix="p", timeout=30, on_error="raise")
held = limiter.check_sync("key", 2)
child = os.fork()
if child == 0:
    try:
        limiter.refund_sync("key", held)
    except ValueError as error:
        os._exit(7 if "another limiter" in str(error) else 8)
    os._exit(9)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
limiter.refund_sync("key", held)
print(limiter.peek_sync("key").remaining)
""",
        redis_server.url,
    )
    assert told == "5\n"


def test_limits_off_gives_nothing_back(redis_server: Server) -> None:
    limiter = limiter_of("FixedWindow", redis_server)
    held = limiter.check_sync("key")
    with limits_off():
        free = limiter.check_sync("key")
        limiter.refund_sync("key", free)
        limiter.refund_sync("key", held)
    assert left(limiter) == 4
    with pytest.raises(ValueError, match="limits were off"):
        limiter.refund_sync("key", free)


def decided(limiter: Any, cost: int = 2) -> Decision:
    decision: Decision = limiter.check_sync("key", cost)
    return decision


BAD: list[tuple[Callable[[Any], Any], type[Exception], str]] = [
    (lambda one: one.refund_sync("other", decided(one)), ValueError, "another key"),
    (
        lambda one: one.refund_sync("key", InMemory("9/minute").check("key")),
        ValueError,
        "another limiter",
    ),
    (lambda one: one.refund_sync("key", decided(copy.copy(one))), ValueError, "another limiter"),
    (lambda one: InMemory("9/minute").refund("key", decided(one)), ValueError, "another limiter"),
    (lambda one: one.refund_sync("key", decided(one), 3), ValueError, "units .* 2, got 3"),
    (lambda one: one.refund_sync("key", decided(one), 0), ValueError, "units .* got 0"),
    (lambda one: one.refund_sync("key", decided(one), True), TypeError, "units .* got bool True"),
    (lambda one: one.refund_sync("key", decided(one), 1.0), TypeError, "units .* got float 1.0"),
    (lambda one: one.refund_sync("key", 1, 1), TypeError, "units means nothing without"),
    (lambda one: one.refund_sync("key", None), TypeError, "cost must be an int"),
    (lambda one: one.refund_sync("key", 6), ValueError, "cost"),
    (lambda one: one.refund_sync(5, decided(one)), TypeError, "key must be a str"),
    (lambda one: one.refund_sync("key", copy.copy(decided(one))), ValueError, "it is a copy"),
    (
        lambda one: one.refund_sync("key", pickle.loads(pickle.dumps(decided(one)))),
        ValueError,
        "a copy",
    ),
    (
        lambda one: (decided(one, 5), one.refund_sync("key", decided(one))),
        ValueError,
        "it was refused",
    ),
]


@pytest.mark.parametrize(("refund", "error", "says"), BAD)
def test_what_is_no_receipt_is_refused(
    refund: Callable[[Any], Any], error: type[Exception], says: str, redis_server: Server
) -> None:
    limiter = limiter_of("FixedWindow", redis_server, window=1e9)
    with pytest.raises(error, match=says):
        refund(limiter)


def test_a_remembered_refusal_is_no_receipt(redis_server: Server) -> None:
    limiter = limiter_of("FixedWindow", redis_server, window=1e9, remember=True)
    decided(limiter, 5)
    assert not decided(limiter)
    remembered = decided(limiter)
    assert remembered.store == "remembered"
    with pytest.raises(ValueError, match="it was refused"):
        limiter.refund_sync("key", remembered)


def test_a_decision_stays_small(redis_server: Server) -> None:
    assert sys.getsizeof(decided(limiter_of("TokenBucket", redis_server))) <= 128
