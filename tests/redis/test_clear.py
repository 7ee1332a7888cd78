"""All keys of a limiter or a gate in Redis are forgotten, and nobody else's."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import sluicegate
from in_loop import in_loop
from polling import until
from redis_servers import Server
from sluicegate import Limit
from sluicegate.errors import StoreError
from sluicegate.redis import (
    ClusterRateLimiter,
    FixedWindow,
    Gate,
    RedisSlidingWindowRateLimiter,
    SegmentedWindow,
    SlidingWindowCounter,
    SlidingWindowRateLimiter,
    TokenBucket,
)
from sluicegate.testing import limits_off

HOUR = 3_600
WINDOWS = [
    FixedWindow,
    RedisSlidingWindowRateLimiter,
    SegmentedWindow,
    SlidingWindowCounter,
    SlidingWindowRateLimiter,
]
KINDS = {kind.__name__: kind for kind in [*WINDOWS, TokenBucket]}
KEYS = ["a", "", "a:b", "{x}", "*", "ü", "y" * 300]


def made(server: Server, prefix: str, kind: Any = FixedWindow, **options: Any) -> Any:
    options = {"timeout": 10, "on_error": "raise"} | options
    quota = (2, 0.0001) if kind is TokenBucket else (2, HOUR)
    return kind(server.url, *quota, prefix=prefix, **options)


def names(server: Server) -> set[bytes]:
    return set(server.command("KEYS", "*"))


@pytest.mark.parametrize("kind", KINDS)
@in_loop
async def test_every_key_is_whole_again(redis_server: Server, kind: str) -> None:
    limiter = made(redis_server, "p", KINDS[kind])
    for key in KEYS:
        assert await limiter.check(key, 2)
    assert await limiter.clear() is None
    assert names(redis_server) == set()
    for key in KEYS:
        assert (await limiter.check(key)).remaining == 1
    assert limiter.statistics().admitted == 2 * len(KEYS)


PREFIXES = ["a", "a:b", "a*", "a?", "a[ab]", "a\\", "\\*", "ab", "b", "A", "a:", ":a", "a:b:c"]


@pytest.mark.parametrize("prefix", PREFIXES)
def test_no_key_is_touched_whose_name_begins_alike(redis_server: Server, prefix: str) -> None:
    limiters = {each: made(redis_server, each) for each in PREFIXES}
    gates = [
        Gate(redis_server.url, Limit("2/hour", name=name), prefix=each, name="g", timeout=10)
        for each in ("a", "a:b")
        for name in ("a", "b")
    ]
    foreign = ["a:{x}:y", "a:{x", "a:{{x}}", "a:{x}{y}", "a", "", "a:b{x}", "xa:{y}", "a:{x}}"]
    for name in foreign:
        redis_server.command("SET", name, 1)
    for limiter in limiters.values():
        for key in KEYS:
            assert limiter.check_sync(key)
    for gate in gates:
        assert gate.check_sync("k")
    before = names(redis_server)
    own = {name for name in before if name.startswith(f"{prefix}:{{".encode())}
    own -= {name.encode() for name in foreign}
    assert len(own) == len(KEYS)
    limiters[prefix].clear_sync()
    assert names(redis_server) == before - own
    for limiter in limiters.values():
        limiter.close()
    for gate in gates:
        gate.close()


def test_what_is_known_here_is_forgotten_too(redis_server: Server) -> None:
    limiter = made(redis_server, "p", on_error="local", timeout=0.5)
    spent = limiter.check_sync("k", 2)
    assert not limiter.check_sync("k")
    assert not limiter.check_sync("k")
    assert limiter.statistics().remembered == 1
    limiter.clear_sync()
    assert limiter.check_sync("k").store == "redis"
    limiter.refund_sync("k", spent)  # what it spent is forgotten
    assert limiter.peek_sync("k").remaining == 1
    limiter.clear_sync()
    redis_server.stop()
    told = limiter.check_sync("k", 2)
    assert (told.allowed, told.store) == (True, "local"), "which has forgotten, too"
    redis_server.cont()
    limiter.close()


def test_an_outage_is_told_of_and_all_is_forgotten_here(redis_server: Server) -> None:
    limiter = made(redis_server, "p", on_error="local", timeout=0.3)
    assert limiter.check_sync("k", 2)
    redis_server.stop()
    with pytest.raises(StoreError, match=r"in time \(to SCAN; so not all keys are forgotten\)$"):
        limiter.clear_sync()
    assert limiter.check_sync("k", 2).store == "local"
    with pytest.raises(StoreError, match="SCAN"):
        asyncio.run(limiter.clear())
    redis_server.cont()
    limiter.close()


GATE = [
    Limit("5/minute; 9/hour", by="user"),
    Limit("9 tokens/hour burst 9", by="org"),
    Limit("3/hour", by="user", name="watched", shadow=True),
    Limit("2 concurrent", by="model"),
]
WHO = {"user": "u", "org": "o", "model": "m"}


def left(gate: Gate) -> list[int]:
    told = gate.peek_sync(WHO, {"tokens": 1}).limits.values()
    return [each.remaining for each in told]


@pytest.fixture
def gate(redis_server: Server) -> Iterator[Gate]:
    gate = Gate(redis_server.url, GATE, name="chat", timeout=10, on_error="raise")
    yield gate
    gate.close()


def test_a_gate_forgets_all_of_its_limits_and_none_of_another(
    gate: Gate, redis_server: Server
) -> None:
    other = Gate(redis_server.url, GATE, name="chat2", timeout=10, on_error="raise")
    whole = left(gate)
    with other.reserve(WHO, {"tokens": 3}), gate.reserve(WHO, {"tokens": 3}) as reservation:
        spent = left(gate)
        assert all(now < before for now, before in zip(spent, whole, strict=True))
        gate.clear_sync()
        assert left(gate) == whole
        assert left(other) == spent
        reservation.cancel()
    assert left(gate) == whole, "nothing comes back that was forgotten"
    assert gate.statistics().admitted == 1
    other.close()


@in_loop
async def test_permits_that_are_forgotten_are_neither_renewed_nor_held(
    redis_server: Server,
) -> None:
    limits = [Limit("1 concurrent", lease_seconds=0.6)]
    gate = Gate(redis_server.url, limits, name="p", timeout=0.5, on_error="raise")
    async with gate.reserve("k"):
        await gate.clear()
        async with gate.reserve("k"):
            await asyncio.sleep(0.7)  # in which the second one is renewed
            assert redis_server.command("ZCARD", "sluicegate:permits:p:key/concurrent:{k}") == 1
            assert not await gate.peek("k")
    assert await gate.peek("k")
    await gate.aclose()


@in_loop
async def test_those_who_wait_look_again(redis_server: Server) -> None:
    limiter = made(redis_server, "p")
    gate = Gate(redis_server.url, [Limit("1/hour", by="user"), Limit("9/hour", by="org")])
    assert await limiter.check("k", 2)
    assert await gate.check({"user": "u", "org": "o"})
    waits = [
        asyncio.ensure_future(limiter.wait("k", timeout=2 * HOUR)),
        asyncio.ensure_future(gate.wait({"user": "u", "org": "o"}, timeout=2 * HOUR)),
    ]
    lines = [each._places.lines for each in (limiter, gate)]

    def asleep() -> bool:
        known = [each.known(1) for each in lines]
        return all(one is not None and one.is_asleep for one in known)

    await asyncio.to_thread(until, asleep, "both sleep")
    await limiter.clear()
    await gate.clear()
    assert all(await asyncio.wait_for(asyncio.gather(*waits), 20))


def test_many_keys_are_walked_through_in_steps(redis_server: Server) -> None:
    fill = "for i = 1, 20000 do redis.call('SET', ARGV[1] .. i .. '}', i) end"
    for start in ("p:{", "q:{"):
        redis_server.command("EVAL", fill, 0, start)
    limiter = made(redis_server, "p")
    limiter.clear_sync()
    assert redis_server.command("DBSIZE") == 20_000
    assert not [name for name in names(redis_server) if not name.startswith(b"q:{")]
    told = redis_server.command("INFO", "commandstats").decode().split("\r\n")
    calls = {line.split(":")[0]: int(line.split("calls=")[1].split(",")[0]) for line in told[1:-1]}
    assert calls["cmdstat_scan"] >= 40
    assert calls["cmdstat_unlink"] >= 40
    limiter.close()


def user(server: Server, *rights: str) -> str:
    server.command("ACL", "SETUSER", "app", "reset", "on", ">word", "~*", "+@all", *rights)
    return f"redis://app:word@127.0.0.1:{server.port}"


@pytest.mark.parametrize(
    ("rights", "said"),
    [
        (["-scan"], r"'scan' command.* \(to SCAN; so not all"),
        (["-unlink", "-del"], r"'del' command.* \(to UNLINK or DEL; so not all"),
        (["-unlink"], None),
        (["-del"], None),
    ],
)
def test_a_right_that_is_missing_is_named(
    start: Callable[..., Server], server_program: Path, rights: list[str], said: str | None
) -> None:
    redis_server = start(Server, program=server_program)
    limiter = FixedWindow(user(redis_server, *rights), 2, HOUR, prefix="p", timeout=10)
    for number in range(50):
        assert limiter.check_sync(str(number))
    if said is None:
        limiter.clear_sync()
    else:
        with pytest.raises(StoreError, match=said):
            limiter.clear_sync()
    assert redis_server.command("DBSIZE") == (0 if said is None else 50)
    limiter.close()


def test_a_server_that_does_not_know_unlink(start: Callable[..., Server]) -> None:
    server = start(Server, config={"rename-command": 'UNLINK ""'})
    limiter = made(server, "p")
    for number in range(50):
        assert limiter.check_sync(str(number))
    limiter.clear_sync()
    assert server.command("DBSIZE") == 0
    limiter.close()


def test_bad_use_is_told(redis_server: Server) -> None:
    nameless = made(redis_server, "")
    assert nameless.check_sync("k")
    with pytest.raises(ValueError, match="prefix='': give the limiter a prefix"):
        nameless.clear_sync()
    with pytest.raises(ValueError, match="prefix=''"):
        asyncio.run(nameless.clear())
    assert redis_server.command("EXISTS", "k")

    async def main() -> None:
        with pytest.raises(RuntimeError, match=r"`await clear\(\)`"):
            nameless.clear_sync()

    asyncio.run(main())
    with pytest.raises(StoreError, match="SCAN"):
        FixedWindow("redis://127.0.0.1:1", 2, HOUR, on_error="open").clear_sync()


def test_limits_that_are_off_are_forgotten_all_the_same(redis_server: Server) -> None:
    limiter = made(redis_server, "p")
    assert limiter.check_sync("k")
    with limits_off():
        limiter.clear_sync()
    assert names(redis_server) == set()


def test_ctrl_c_ends_it(redis_server: Server) -> None:
    limiter = made(redis_server, "p", timeout=50)
    assert limiter.check_sync("k")
    redis_server.stop()
    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            limiter.clear_sync()
    finally:
        timer.join()
        redis_server.cont()
    limiter.clear_sync()
    assert names(redis_server) == set()


@in_loop
async def test_one_that_is_cancelled_stops(redis_server: Server) -> None:
    limiter = made(redis_server, "p")
    fill = "for i = 1, 30000 do redis.call('SET', 'p:{' .. i .. '}', i) end"
    redis_server.command("EVAL", fill, 0)
    clears = asyncio.ensure_future(limiter.clear())
    while redis_server.command("DBSIZE") == 30_000:
        await asyncio.sleep(0)
    clears.cancel()
    with pytest.raises(asyncio.CancelledError):
        await clears
    assert await limiter.check("new")  # which is answered after all that was sent before
    stays = redis_server.command("DBSIZE")
    await asyncio.sleep(0.05)
    assert 0 < stays == redis_server.command("DBSIZE")


def test_a_connection_that_is_lost_on_the_way_is_told_of(redis_server: Server) -> None:
    """The next server may not know what the last cursor means."""
    fill = "for i = 1, 50000 do redis.call('SET', ARGV[1] .. i .. '}', i) end"
    for number in range(2):
        redis_server.command("EVAL", fill, 0, f"p:{{{number}/")
    limiter = made(redis_server, "p")
    errors: list[Exception] = []

    def clear() -> None:
        try:
            limiter.clear_sync()
        except StoreError as error:
            errors.append(error)

    thread = threading.Thread(target=clear)
    thread.start()
    with redis_server.wire() as wire:
        until(lambda: wire.call("DBSIZE") < 98_000, "it walks", pause=0)
        wire.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    thread.join(60)
    assert errors
    assert "so not all keys are forgotten" in str(errors[0])
    assert redis_server.command("DBSIZE") > 0
    limiter.clear_sync()
    assert redis_server.command("DBSIZE") == 0


def test_a_forked_child_may_clear(redis_server: Server) -> None:
    limiter = made(redis_server, "p")
    assert limiter.check_sync("k")
    child = os.fork()
    if not child:
        code = 1
        try:
            limiter.clear_sync()
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    assert names(redis_server) == set()


def test_all_servers_of_a_ring_forget_one_quota(start: Callable[..., Server]) -> None:
    servers = [start(Server), start(Server)]
    ring = ClusterRateLimiter([each.url for each in servers], timeout=10, on_error="raise")
    for key in range(40):
        assert ring.is_allowed_sync(str(key), "1/hour")
        assert not ring.is_allowed_sync(str(key), "1/hour")  # which is remembered
        assert ring.is_allowed_sync(str(key), 2, HOUR)
    assert all(each.command("DBSIZE") > 20 for each in servers)
    ring.clear_sync(1, HOUR)  # the same in other words
    assert sum(each.command("DBSIZE") for each in servers) == 40
    for key in range(40):
        assert ring.is_allowed_sync(str(key), "1/hour")
        assert ring.is_allowed_sync(str(key), 2, HOUR).remaining == 0
    asyncio.run(ring.clear("2/hour"))
    assert sum(each.command("DBSIZE") for each in servers) == 40
    with pytest.raises(TypeError, match="window_seconds is missing"):
        ring.clear_sync(5)  # type: ignore[call-overload]
    for each in servers:
        ring.remove_node(each.url)
    with pytest.raises(ValueError, match="all removed"):
        ring.clear_sync("1/hour")


def test_in_memory_it_has_the_same_name() -> None:
    limiter, gate = sluicegate.FixedWindow(1, HOUR), sluicegate.Gate("1/hour")
    assert limiter.check("k")
    assert gate.check("k")
    limiter.clear_sync()
    gate.clear_sync()
    assert limiter.check("k")
    assert gate.check("k")
