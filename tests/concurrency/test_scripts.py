"""The permits' scripts against an obvious model, at every tick, and what they leave in Redis."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from redis_clock import MissingError
from redis_servers import Server
from redis_wire import ReplyError
from sluicegate.redis import ConcurrencyLimiter, Permit

SCRIPTS = ("acquire", "renew", "release")
CORE = ConcurrencyLimiter("redis://127.0.0.1:1", 1)._core
KEY = "k"
LIMIT, LEASE, TICK = 3, 3_000, 10**6
START = 1_800_000_000 * TICK


def run_script(server: Server, name: str, *words: str) -> Any:
    """As the core does: ``acquire`` an id of so many with a lease: {granted, live, wait};
    ``renew`` with a lease, or ``release``, ids.
    """
    if name == "renew":
        return server.command("EVAL", CORE.renewal(), 1, KEY, *words)
    if name == "release":
        mode = ["r", len(words), 1, 1_000_000, *words]
        before = server.command("ZCARD", KEY)
        server.command("EVAL", CORE.script, 1, KEY, *mode)
        return before - server.command("ZCARD", KEY)
    lease_id, limit, lease = words
    room, wait, _ = server.command("EVAL", CORE.script, 1, KEY, "c", 1, limit, lease, lease_id)
    return [int(room >= 0), int(limit) - (room if room >= 0 else -1 - room), wait]


def arguments(name: str) -> list[str]:
    return {"acquire": ["id", "3", "1000000"], "renew": ["1000000", "id"], "release": ["id"]}[name]


class Permits(RuleBasedStateMachine):
    """Two limiters, as in two processes, on a server whose clock the test moves.

    The model: when each permit's lease ends, by the server's clock.
    """

    server: Server

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.server.moved.micros = START
        self.server.command("FLUSHALL")
        options: dict[str, Any] = {"prefix": "p", "lease_seconds": LEASE, "timeout": 10}
        self.limiters = [
            ConcurrencyLimiter(self.server.url, LIMIT, on_error="raise", **options)
            for _ in range(2)
        ]
        self.now = START
        self.ends: dict[int, int] = {}
        self.permits: list[tuple[Permit, int]] = []

    def live(self) -> list[int]:
        return [ends for ends in self.ends.values() if ends > self.now]

    @rule(by=st.integers(0, 1))
    def acquire(self, by: int) -> None:
        permit = self.loop.run_until_complete(self.limiters[by].try_acquire(KEY))
        assert (permit is not None) == (len(self.live()) < LIMIT)
        if permit is not None:
            self.ends[len(self.permits)] = self.now + LEASE * TICK
            self.permits.append((permit, by))

    @precondition(lambda self: self.permits)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        """Also one that was released before, or has run out."""
        number = data.draw(st.integers(0, len(self.permits) - 1))
        self.loop.run_until_complete(self.permits[number][0].release())
        self.ends.pop(number, None)
        assert not self.permits[number][0].held

    @rule(by=st.integers(0, 1))
    def renew(self, by: int) -> None:
        async def renewed() -> None:
            await asyncio.gather(*self.limiters[by]._now_here().renew())

        self.loop.run_until_complete(renewed())
        for number, (permit, owner) in enumerate(self.permits):
            if owner == by and number in self.ends:
                alive = self.ends[number] > self.now
                assert permit.held == alive
                if alive:
                    self.ends[number] = self.now + LEASE * TICK
                else:
                    del self.ends[number]

    @rule(
        ticks=st.sampled_from(
            [1, 2, TICK, LEASE * TICK // 2, LEASE * TICK - 1, LEASE * TICK, LEASE * TICK + 1]
        )
    )
    def time_passes(self, ticks: int) -> None:
        self.now += ticks
        self.server.moved.micros = self.now

    @rule()
    def the_server_forgets(self) -> None:
        self.server.command("FLUSHALL")
        self.server.command("SCRIPT", "FLUSH")
        self.ends.clear()

    @invariant()
    def agrees(self) -> None:
        live = self.live()
        for limiter in self.limiters:
            assert self.loop.run_until_complete(limiter.in_use(KEY)) == len(live) <= LIMIT
        left = self.server.command("PTTL", f"p:{{{KEY}}}")
        if live:
            # Redis counts whole milliseconds; the key outlives its last lease.
            assert (self.now // 1000 + left) * 1000 >= max(live)
            assert left <= LEASE * 1000 + 2
        else:
            assert left == -2

    def teardown(self) -> None:
        try:
            for permit, _ in self.permits:
                self.loop.run_until_complete(permit.release())
            assert self.loop.run_until_complete(self.limiters[0].in_use(KEY)) == 0
        finally:
            self.loop.close()


def test_it_agrees_with_the_model() -> None:
    try:
        with Server(moved_clock=True) as server:
            Permits.server = server
            run_state_machine_as_test(Permits)
    except MissingError as missing:
        pytest.skip(str(missing))


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_read_the_time_once(name: str) -> None:
    text = CORE.renewal() if name == "renew" else CORE.script
    assert text.count("TIME") == text.count("redis.call('TIME')") == 1


@pytest.mark.parametrize("name", SCRIPTS)
def test_what_are_no_permits_stays_as_it_was(redis_server: Server, name: str) -> None:
    others: list[tuple[Any, ...]] = [("SET", KEY, "1"), ("RPUSH", KEY, "1"), ("SADD", KEY, "id")]
    others += [("HSET", KEY, "id", "1")]
    if name != "release":
        others += [("ZADD", KEY, "inf", "id"), ("ZADD", KEY, 2**54, "id")]
    if name == "acquire":
        others += [("ZADD", KEY, "1", "id"), ("ZADD", KEY, "-inf", "x", 2**51, "y")]
    for command in others:
        redis_server.command("FLUSHALL")
        redis_server.command(*command)
        before = redis_server.command("DUMP", KEY)
        with pytest.raises(ReplyError):
            run_script(redis_server, name, *arguments(name))
        assert redis_server.command("DUMP", KEY) == before, command


def test_a_permit_takes_little_memory(redis_server: Server) -> None:
    sizes: list[int] = []
    for number in range(100):
        run_script(redis_server, "acquire", f"{number:011}:30000000", "100", "30000000")
        sizes.append(redis_server.command("MEMORY", "USAGE", KEY, "SAMPLES", 0))
    print(f"one permit: {sizes[0]} bytes; a hundred: {sizes[-1]} bytes")
    assert sizes[0] <= 96
    assert sizes[-1] < 100 * 50


def test_a_clock_set_back_cuts_no_lease_short(moved_server: Server) -> None:
    def permit(name: str, *words: str) -> Any:
        return run_script(moved_server, name, *words)

    a, b, c = (f"{name}:30000000" for name in "abc")
    moved_server.set_time(1_800_000_000)
    assert permit("acquire", a, "1", "30000000") == [1, 1, 0]
    moved_server.advance(-30)
    assert permit("acquire", b, "1", "30000000") == [0, 1, 60_000_000]
    assert permit("renew", "30000000", a, b) == [1, 0]
    assert moved_server.command("PTTL", KEY) >= 60_000
    assert permit("acquire", c, "2", "30000000") == [1, 2, 0]
    assert moved_server.command("PTTL", KEY) >= 60_000
    assert permit("release", a, b, c) == 2
    assert moved_server.command("EXISTS", KEY) == 0


def test_the_end_that_a_clock_ahead_gave_a_lease_is_not_believed(moved_server: Server) -> None:
    def permit(name: str, *words: str) -> Any:
        return run_script(moved_server, name, *words)

    moved_server.set_time(1_800_000_000)
    dead, alive, other = "dead:5000000", "alive:5000000", "other:5000000"
    assert permit("acquire", dead, "2", "5000000") == [1, 1, 0]
    moved_server.advance(1)
    assert permit("acquire", alive, "2", "5000000") == [1, 2, 0]
    moved_server.advance(-86_401)
    # Nobody's place is taken at once: both may be alive.
    assert permit("acquire", other, "2", "5000000") == [0, 2, 5_000_000]
    assert moved_server.command("PTTL", KEY) == 5_001
    moved_server.advance(4)
    assert permit("renew", "5000000", alive) == [1]
    moved_server.advance(1)
    assert permit("acquire", other, "2", "5000000") == [1, 2, 0]
    assert moved_server.command("ZSCORE", KEY, dead) is None
    assert 4_000 < moved_server.command("PTTL", KEY) <= 5_001


def test_a_lease_that_its_holder_renews_is_of_now(moved_server: Server) -> None:
    moved_server.set_time(1_800_000_000)
    run_script(moved_server, "acquire", "a:5000000", "1", "5000000")
    moved_server.advance(-86_400)
    assert run_script(moved_server, "renew", "5000000", "a:5000000") == [1]
    assert moved_server.command("PTTL", KEY) == 5_001
    assert run_script(moved_server, "acquire", "b:5000000", "1", "5000000") == [0, 1, 5_000_000]


def test_a_lease_is_measured_by_itself(moved_server: Server) -> None:
    """A limiter whose leases are short does not end those of one whose leases are long."""
    moved_server.set_time(1_800_000_000)
    run_script(moved_server, "acquire", "long:3600000000", "2", "3600000000")
    run_script(moved_server, "acquire", "unknown", "2", "86400000000")
    for _ in range(3):
        assert run_script(moved_server, "acquire", "b:5000000", "2", "5000000")[:2] == [0, 2]
        moved_server.advance(1000)
    assert run_script(moved_server, "renew", "3600000000", "long:3600000000") == [1]


def test_many_leases_that_a_clock_ahead_gave_begin_anew(moved_server: Server) -> None:
    moved_server.set_time(1_800_000_000)
    for number in range(2_500):
        run_script(moved_server, "acquire", f"{number}:5000000", "2500", "5000000")
    moved_server.advance(-86_400)
    for _ in range(4):  # so many at a time do not hold up the server
        assert run_script(moved_server, "acquire", "more:5000000", "2500", "5000000")[0] == 0
    moved_server.advance(5)
    assert run_script(moved_server, "acquire", "more:5000000", "2500", "5000000") == [1, 1, 0]


def test_a_lease_that_ran_out_is_not_renewed_though_nobody_took_its_place(
    moved_server: Server,
) -> None:
    moved_server.set_time(1_800_000_000)
    run_script(moved_server, "acquire", "a", "2", "10000000")
    run_script(moved_server, "acquire", "b", "2", "10000001")
    moved_server.advance(10)
    assert run_script(moved_server, "renew", "10000000", "a", "b") == [0, 1]
