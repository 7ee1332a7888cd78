"""What a server shows of the limiters: how long keys live, what a user must be allowed to do."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from redis_load import AGES, LIMITERS, PLENTY, run
from redis_programs import program
from redis_servers import Server
from sluicegate._connection.rights import _server
from sluicegate.redis import FixedWindow, StoreError

if TYPE_CHECKING:
    from redis_fixtures import Start


def about(words: str, caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was logged and has these words."""
    messages = [record.getMessage() for record in caplog.records]
    return [message for message in messages if words in message]


DATA = {"get", "set", "del", "llen", "lindex", "lrange", "ltrim", "lset", "rpush", "pexpire"}


def test_no_key_without_a_ttl(redis_server: Server) -> None:
    async def main() -> None:
        for window in (0.5, 10, AGES):
            for make in LIMITERS.values():
                limiter = make(redis_server.url, 5, window)
                for index in range(20):
                    for cost in (1, 3, 2, 5):
                        await limiter.check(f"{index}", cost)
                    await limiter.refund(f"{index}", 1 + index % 5)
                    await limiter.peek(f"new-{index}")

    run(main())
    keys = redis_server.command("KEYS", "*")
    immortal = [key for key in keys if redis_server.command("PTTL", key) == -1]
    print(f"{len(keys)} keys, {len(immortal)} without a TTL")
    assert len(keys) > 80
    assert not immortal


NEEDED = DATA | {"time", "eval", "evalsha", "unlink"}


async def every_verb(url: str) -> int:
    """What does not work, by the number of errors."""
    errors = 0
    for name, make in LIMITERS.items():
        limiter = make(url, 4, AGES, prefix=f"app:{name}", on_error="closed")
        for cost in (2, 1, 3):
            await limiter.check("key", cost)
        for _ in range(2):
            await limiter.refund("key", 2)
        await limiter.peek("key")
        decision = await limiter.check("key", 2)
        if decision:
            await limiter.refund("key", decision, 1)
        await limiter.refund("key", 1)
        await limiter.reset("key")
        errors += limiter.statistics().errors
        await limiter.aclose()
    return errors


def test_the_rights_that_a_user_needs(redis_server: Server) -> None:
    def errors_with(rights: set[str]) -> int:
        allowed = [f"+{right}" for right in sorted(rights)]
        redis_server.command(*("ACL", "SETUSER", "app", "reset", "on", ">word", "~app:*", *allowed))
        redis_server.command("SCRIPT", "FLUSH")
        return run(every_verb(f"redis://app:word@127.0.0.1:{redis_server.port}"))

    assert errors_with(NEEDED) == 0
    missed = {right for right in NEEDED if errors_with(NEEDED - {right})}
    print("needed:", " ".join(f"+{right}" for right in sorted(missed)))
    assert missed == NEEDED


def test_a_server_that_evicts_is_told_of_once(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    server = start(Server, maxmemory_policy="allkeys-lru")

    async def main() -> None:
        for make in LIMITERS.values():
            limiter = make(server.url, 5, AGES)
            await limiter.check("key")
            await limiter.aclose()

    with caplog.at_level(logging.WARNING, "sluicegate"):
        run(main())
        run(main())
    [told] = about(str(server.port), caplog)
    print(told)
    assert "allkeys-lru" in told


def test_ping_tells_of_a_server_that_evicts(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    server = start(Server, maxmemory_policy="allkeys-lru")
    with caplog.at_level(logging.WARNING, "sluicegate"):
        run(FixedWindow(server.url, PLENTY, AGES).ping())
    assert len(about(str(server.port), caplog)) == 1


UNDECIDED = """
import asyncio, contextlib, logging, sys
from sluicegate.redis import FixedWindow, StoreError
logging.basicConfig(stream=sys.stdout, format="%(message)s")
async def main():
    for limit in range(10, 20):
        limiter = FixedWindow(sys.argv[1], limit, 60, on_error=sys.argv[2])
        for _ in range(5):
            with contextlib.suppress(StoreError):
                await limiter.check("key")
asyncio.run(main())
"""


@pytest.mark.parametrize("policy", ["local", "open", "closed", "raise"])
def test_limits_that_redis_never_decides_are_told_of_once(start: Start, policy: str) -> None:
    server = start(Server, user="app", password="the right one")
    url = f"redis://app:guessed@127.0.0.1:{server.port}"
    told = program(UNDECIDED, url, policy)
    print(told)
    assert told.count("WRONGPASS") == told.count("\n") == (policy != "raise")
    assert "guessed" not in told


def test_ping_names_the_server(redis_server: Server) -> None:
    name = run(FixedWindow(redis_server.url, PLENTY, AGES).ping())
    print(name)
    assert name.split()[0] in ("redis", "valkey")
    assert _server({b"server": b"redis", b"version": b"6.2.0"}) == "redis 6.2.0"
    assert _server({b"server": b"valkey", b"version": b"8.1.1"}) == "valkey 8.1.1"
    for old in ("5.0.14", "6.0.16"):
        with pytest.raises(StoreError, match=f"redis {old} is too old: 6.2"):
            _server({b"server": b"redis", b"version": old.encode()})
