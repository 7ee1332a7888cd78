"""Scripts of what is no limiter: circuits, and what `ping` tries."""

from __future__ import annotations

import asyncio
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from sluicegate._connection.blocking import BlockingScripts
from sluicegate._connection.bridge import bridge_of, running_loop
from sluicegate._core import RedisScript, RedisScripts

if TYPE_CHECKING:
    from sluicegate._connection.options import Settings

__all__ = ["Scripts", "script_of"]


def script_of(package: str, name: str) -> RedisScript:
    """A script of a package's folder ``scripts``."""
    file = files(package).joinpath("scripts").joinpath(f"{name}.lua")
    return RedisScript(file.read_text("utf-8"))


class Scripts:
    """Runs scripts on one key each, over the connections that limiters use."""

    __slots__ = ("_core", "_timeout")

    def __init__(self, settings: Settings, prefix: str, timeout: float) -> None:
        self._core = RedisScripts(settings, prefix)
        self._timeout = timeout

    def run(
        self,
        script: RedisScript,
        key: str,
        arguments: list[str],
        timeout: float | None = None,
        by_text: bool = False,
    ) -> asyncio.Future[Any]:
        """The server's reply within ``timeout`` seconds, or a ``StoreError``.

        The script's text is sent only to a server that does not know it yet, or ``by_text``.
        """
        loop = running_loop()
        reply: asyncio.Future[Any] = loop.create_future()
        bridge = bridge_of(loop)
        seconds = self._timeout if timeout is None else timeout
        if self._core.begin(bridge, reply, script, key, arguments, seconds, by_text):
            loop.call_soon(bridge.flush)
        return reply

    def post(self, script: RedisScript, key: str, arguments: list[str]) -> None:
        """Run a script, and let nobody know what it says."""
        self.run(script, key, arguments).add_done_callback(_retrieved)

    async def settled(self, reply: asyncio.Future[Any]) -> None:
        """Wait until there is a reply, or an error. It is not cancelled with who waits."""
        await asyncio.wait([reply])

    def blocking(self) -> BlockingScripts:
        """The same for a thread without an event loop."""
        return BlockingScripts(self._core, self._timeout)

    async def hello(self, timeout: float) -> dict[bytes, Any]:
        """What a server says of itself."""
        return await self._core.hello(timeout)

    def close(self) -> None:
        """Let go of the connection, if nobody else uses it."""
        self._core.close()


def _retrieved(reply: asyncio.Future[Any]) -> None:
    """Asyncio complains of an error that nobody has seen."""
    if not reply.cancelled():
        reply.exception()
