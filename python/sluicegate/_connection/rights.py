"""Whether a server lets its user run what a limiter needs.

Asking `ACL` needs rights of its own. So every command is called, by a script and on a key that
nobody has, with arguments that it refuses before it does anything.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from secrets import token_hex
from time import monotonic
from typing import Any

from sluicegate._connection.blocking import BlockingScripts, Settled
from sluicegate._connection.notices import log_notices
from sluicegate._connection.scripts import Scripts, script_of
from sluicegate._connection.seconds import seconds_of
from sluicegate.errors import StoreError

__all__ = ["commands_of", "ping"]

_OLDEST_SERVER = (6, 2)
_TRY = script_of("sluicegate._connection", "try_commands")

# How to call a command so that it does nothing; * is the key, which does not exist. What leaves
# something comes last.
_HARMLESS = {
    "time": "TIME",
    "get": "GET *",
    "set": "SET * x NX XX",
    "del": "DEL *",
    "unlink": "UNLINK *",
    "pexpire": "PEXPIRE * x",
    "llen": "LLEN *",
    "lindex": "LINDEX * 0",
    "lrange": "LRANGE * x x",
    "ltrim": "LTRIM * x x",
    "lset": "LSET * 0 x",
    "hget": "HGET * x",
    "hgetall": "HGETALL *",
    "hset": "HSET * x x x",
    "hdel": "HDEL * x",
    "hincrby": "HINCRBY * x x",
    "zadd": "ZADD * x x",
    "zcard": "ZCARD *",
    "zrange": "ZRANGE * x x",
    "zrem": "ZREM * x",
    "zremrangebyscore": "ZREMRANGEBYSCORE * x x",
    "zscore": "ZSCORE * x",
    "rpush": "RPUSH * x",
}
# What a command says that was run: the arguments are wrong, or there is no such key.
_WAS_RUN = re.compile(
    r"ERR (value is not |syntax error|wrong number of arguments|no such key|min or max)"
)


def commands_of(scripts: Iterable[str]) -> set[str]:
    """The commands that scripts call."""
    called = (re.findall(r"redis\.p?call\('(\w+)'", script) for script in scripts)
    return {name.lower() for names in called for name in names}


async def ping(scripts: Scripts | BlockingScripts, commands: Iterable[str], timeout: float) -> str:
    """The server's name and version.

    Raises ``StoreError`` when it does not answer within ``timeout`` seconds, is too old, or
    does not let its user run a script or one of the commands.
    """
    if not 0 < seconds_of(timeout) <= 60:
        raise ValueError(f"timeout must be a number of seconds above 0 to 60, got {timeout!r}")
    names = sorted(commands, key=list(_HARMLESS).index)
    words, key = [_HARMLESS[name] for name in names], token_hex(16)
    until = monotonic() + timeout  # a thread asks one question after the other
    try:
        hello, answers, _ = await _all(
            scripts.hello(timeout),
            scripts.run(_TRY, key, words, until - monotonic()),
            scripts.run(_TRY, key, words, until - monotonic(), by_text=True),
        )
    except StoreError as error:
        if "can't run this command" not in str(error):
            raise
        # Older servers do not name it. It is what a new connection is asked.
        raise StoreError(f"{error} (it calls 'time')") from None
    server = _server(hello)
    log_notices()  # what was noticed when it connected
    for name, answer in zip(names, answers, strict=True):
        said = answer.decode("utf-8", "replace")
        if said and not _WAS_RUN.search(said):
            raise StoreError(f"{server} does not run {name!r} for this user: {said}")
    return server


async def _all(*awaitables: Any) -> list[Any]:
    """What each comes to; the first error, but only when all have ended."""
    if isinstance(awaitables[0], Settled):
        return [settled.result() for settled in awaitables]
    results = await asyncio.gather(*awaitables, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results


def _server(hello: dict[bytes, Any]) -> str:
    name, version = (hello[field].decode("utf-8", "replace") for field in (b"server", b"version"))
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if numbers < _OLDEST_SERVER:
        raise StoreError(f"{name} {version} is too old: 6.2 or newer is needed")
    return f"{name} {version}"
