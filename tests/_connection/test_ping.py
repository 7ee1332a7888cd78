"""What a user must be allowed to do: ping names what is missing, and the docs list it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from redis_programs import FOREVER, run
from redis_servers import Server
from redis_topologies import Cluster
from sluicegate import TokenBucketConfig
from sluicegate.breaker import CircuitBreaker, CircuitConfig
from sluicegate.redis import (
    ConcurrencyLimiter,
    FixedWindow,
    SegmentedWindow,
    SlidingWindowCounter,
    SlidingWindowRateLimiter,
    StoreError,
    TokenBucket,
)

DOCS = (Path(__file__).parents[2] / "docs" / "redis.md").read_text()
OPTIONS: dict[str, Any] = {"prefix": "app:x", "timeout": 20, "on_error": "raise"}


def _limiter(kind: Callable[..., Any]) -> Callable[[str], Any]:
    return lambda url: kind(url, 3, FOREVER, **OPTIONS)


def _breaker(url: str, limit: int | None = None) -> CircuitBreaker:
    config = CircuitConfig(failure_threshold=1, timeout=0.001, rate_limit=limit)
    return CircuitBreaker(url, config, **OPTIONS)


MAKERS: dict[str, Callable[[str], Any]] = {
    "FixedWindow": _limiter(FixedWindow),
    "SegmentedWindow": _limiter(SegmentedWindow),
    "SlidingWindowCounter": _limiter(SlidingWindowCounter),
    "SlidingWindowRateLimiter": _limiter(SlidingWindowRateLimiter),
    "TokenBucket": lambda url: TokenBucket(url, TokenBucketConfig(3, 3 / FOREVER), **OPTIONS),
    "ConcurrencyLimiter": lambda url: ConcurrencyLimiter(url, 2, lease_seconds=60, **OPTIONS),
    "CircuitBreaker": _breaker,
}
every_class = pytest.mark.parametrize("name", MAKERS)


def listed(name: str) -> set[str]:
    """The commands of a class, as the page has them."""
    [row] = re.findall(rf"^\| `{name}` \| ([^;|]*)", DOCS, re.MULTILINE)
    return set(re.findall(r"`(\w+)`", row))


def url_with(server: Server, rights: set[str]) -> str:
    words = [f"+{right}" for right in sorted(rights)]
    server.command("ACL", "SETUSER", "app", "reset", "on", ">word", "~app:*", *words)
    return f"redis://app:word@127.0.0.1:{server.port}"


async def use(name: str, thing: Any) -> None:
    """Everything that it does: an error is raised, or told by a result."""
    if name == "ConcurrencyLimiter":
        permits = [await thing.try_acquire("k") for _ in range(3)]
        assert [permit is None for permit in permits] == [False, False, True]
        await _renewed(thing)
        assert all(permit.held for permit in permits[:2])
        for permit in permits[:2]:
            await permit.release()
        assert await thing.in_use("k") == 0
    elif name == "CircuitBreaker":
        with pytest.raises(ZeroDivisionError):
            await thing.execute("s", lambda: 1 // 0)
        while (await thing.state("s")).value != "half_open":
            pass
        for _ in range(3):
            await thing.execute("s", int)
        assert (await thing.state("s")).value == "closed"
    else:
        assert await thing.check("k", 2)
        assert await thing.check("k")
        assert not await thing.check("k")
        await thing.refund("k", 2)
        assert (await thing.peek("k")).remaining == 2
        assert await thing.check("k", 2)
        await thing.refund("k", 3)
        await thing.check("k")
        await thing.reset("k")


async def _renewed(permits: ConcurrencyLimiter) -> None:
    for reply in permits._now_here().renew():
        await reply


@every_class
def test_the_docs_list_what_the_scripts_call(name: str) -> None:
    thing = MAKERS[name]("redis://127.0.0.1:1")
    commands = (
        thing._admitter.circuits.commands() if name == "CircuitBreaker" else thing._commands()
    )
    assert listed(name) == commands | {"eval", "evalsha"}


@every_class
def test_ping_is_content_with_what_is_listed_and_names_what_is_missing(
    name: str, redis_server: Server
) -> None:
    async def with_(rights: set[str]) -> str:
        thing = MAKERS[name](url_with(redis_server, rights))
        try:
            server: str = await thing.ping(20)
            await use(name, thing)
            return server
        finally:
            await thing.aclose()

    assert run(with_(listed(name))).split()[0] in ("redis", "valkey")
    redis_server.command("FLUSHALL")
    for missing in sorted(listed(name)):
        redis_server.command("SCRIPT", "FLUSH")
        with pytest.raises(StoreError, match=rf"'{missing}'"):
            run(with_(listed(name) - {missing}))
    assert redis_server.command("KEYS", "*") == []


def test_ping_looks_at_rights_that_are_taken_away(redis_server: Server) -> None:
    async def main() -> None:
        rights = listed("SlidingWindowCounter") | listed("CircuitBreaker")
        breaker = _breaker(url_with(redis_server, rights), limit=10)
        for missing in ("eval", "evalsha", "hincrby", "unlink"):
            await breaker.ping(20)
            url_with(redis_server, rights - {missing})
            with pytest.raises(StoreError, match=f"'{missing}'"):
                await breaker.ping(20)
            url_with(redis_server, rights)

    run(main())


def test_ping_of_a_key_that_is_not_allowed_and_a_server_that_only_reads(
    redis_server: Server,
) -> None:
    async def main() -> None:
        url = url_with(redis_server, listed("FixedWindow"))
        elsewhere = FixedWindow(url, 3, FOREVER, prefix="other")
        with pytest.raises(StoreError, match="access"):
            await elsewhere.ping(20)
        permits = MAKERS["ConcurrencyLimiter"](redis_server.url)
        await permits.ping(20)
        redis_server.command("REPLICAOF", "127.0.0.1", "1")
        with pytest.raises(StoreError, match="READONLY"):
            await permits.ping(20)

    run(main())


MORE = {"/3": "select", "/0?client_name=web": "client|setname"}


@pytest.mark.parametrize("ending", MORE)
def test_what_settings_need_besides(ending: str, redis_server: Server) -> None:
    async def ping(rights: set[str]) -> str:
        url = url_with(redis_server, rights) + ending
        async with MAKERS["FixedWindow"](url) as limiter:
            server: str = await limiter.ping(20)
            return server

    assert f"`{MORE[ending]}`" in DOCS
    assert "." in run(ping(listed("FixedWindow") | {MORE[ending]}))
    with pytest.raises(StoreError, match=MORE[ending].split("|")[0]):
        run(ping(listed("FixedWindow")))


def test_what_a_cluster_needs_besides(redis_cluster: Cluster) -> None:
    def url(name: str, more: set[str]) -> str:
        for server in redis_cluster.running:
            url_with(server, listed(name) | more)
        return redis_cluster.url.replace("://", "://app:word@")

    async def ping(name: str, more: set[str]) -> str:
        thing = MAKERS[name](url(name, more))
        try:
            server: str = await thing.ping(20)
            return server
        finally:
            await thing.aclose()

    assert {"`cluster|slots`", "`asking`"} <= set(re.findall(r"`[^`\n]+`", DOCS))
    for name in MAKERS:
        assert "." in run(ping(name, {"cluster|slots", "asking"}))
    with pytest.raises(StoreError, match="cluster"):
        run(ping("FixedWindow", {"asking"}))


def test_ping_of_circuits(redis_server: Server) -> None:
    async def main() -> None:
        with pytest.raises(TypeError, match="in memory"):
            await CircuitBreaker().ping()
        breaker = CircuitBreaker(redis_server.url)
        for timeout in (0, 61, None):
            with pytest.raises(ValueError, match="timeout must be a number of seconds above 0"):
                await breaker.ping(timeout)  # type: ignore[arg-type]
        assert "." in await breaker.ping(20)

    run(main())


def test_a_wrong_password_is_told_and_not_shown(redis_server: Server) -> None:
    url_with(redis_server, set())
    for make in MAKERS.values():
        with pytest.raises(StoreError, match="WRONGPASS") as error:
            run(make(f"redis://app:guessed@127.0.0.1:{redis_server.port}").ping(20))
        assert "guessed" not in str(error.value)


@pytest.mark.parametrize("code", re.findall(r"```python\n(.*?)```", DOCS, re.DOTALL))
def test_the_snippets_of_the_docs_run(code: str, redis_server: Server) -> None:
    assert "redis://localhost:6379/0" in code
    code = code.replace("redis://localhost:6379/0", redis_server.url)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_line_for_an_acl_is_one(redis_server: Server) -> None:
    [line] = re.findall(r"^    (ACL SETUSER .*)$", DOCS, re.MULTILINE)
    redis_server.command(*line.split())
    url = f"redis://app:secret@127.0.0.1:{redis_server.port}"
    run(FixedWindow(url, 3, FOREVER, prefix="app:x").ping(20))
