"""A proxy that breaks the connection to a server in the ways a network does."""

from __future__ import annotations

import asyncio
import os
import ssl
import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, TypeVar

from redis_wire import HOST

T = TypeVar("T")


class BlackHole:
    """Forwards TCP connections on ``port`` to a server on ``target`` until told otherwise.

    ``swallow()``: goes on accepting and forwards nothing, in either direction. ``forward()``: goes
    on, and what was held back arrives late, as after a network's outage. ``cut()``: closes all
    connections. ``delay(seconds)``: every reply from now on comes that much later, in its order.
    ``connections`` counts those accepted so far, ``open`` those that are open.
    With ``tls`` it speaks TLS to its clients and plain TCP to the server.
    """

    def __init__(self, target: int, *, tls: ssl.SSLContext | None = None) -> None:
        self.target = target
        self.connections = 0
        self.port = 0
        self._tls = tls
        self._delay = 0.0
        self._owner = os.getpid()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._gate = asyncio.Event()
        self._gate.set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    def __enter__(self) -> BlackHole:
        self._thread.start()
        self._run(self._listen())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # A forked child has the object and not the thread.
        if os.getpid() != self._owner:
            return
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def url(self) -> str:
        """The server by way of the proxy, as a client's URL."""
        return f"{'rediss' if self._tls else 'redis'}://{HOST}:{self.port}/0"

    @property
    def open(self) -> int:
        """Connections of clients that are open now."""
        return len(self._tasks)

    def swallow(self) -> None:
        """Accept, and forward nothing in either direction."""
        self._do(lambda: self._gate.clear())

    def forward(self) -> None:
        """Forward again, first what was held back."""
        self._do(lambda: self._gate.set())

    def cut(self) -> None:
        """Close every connection at once; new ones are accepted as before."""
        self._do(self._abort)

    def delay(self, seconds: float) -> None:
        """Hold every reply that comes from now on for ``seconds``."""
        if seconds < 0:
            raise ValueError(f"seconds must be at least 0, not {seconds!r}")
        self._do(lambda: setattr(self, "_delay", seconds))

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def _do(self, change: Callable[[], object]) -> None:
        async def in_the_loop() -> None:
            change()

        self._run(in_the_loop())

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accepted, HOST, 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _end(self) -> None:
        self._server.close()
        self._abort()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _abort(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        for task in self._tasks:
            task.cancel()

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._join(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass  # one side went, or `cut`: the other side is closed below
        finally:
            self._tasks.discard(task)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        upstream: asyncio.StreamWriter | None = None
        try:
            await self._gate.wait()
            replies, upstream = await asyncio.open_connection(HOST, self.target)
            self._writers.add(upstream)
            pumps = [
                asyncio.ensure_future(self._requests(reader, upstream)),
                asyncio.ensure_future(self._replies(replies, writer)),
            ]
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
                await self._gate.wait()  # nor is the news forwarded that one side has gone
            finally:
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
        finally:
            for end in (writer, upstream):
                if end is not None:
                    self._writers.discard(end)
                    end.close()

    async def _requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(65_536):
            await self._gate.wait()
            writer.write(chunk)
            await writer.drain()

    async def _replies(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def deliver() -> None:
            while True:
                due, chunk = await waiting.get()
                await asyncio.sleep(due - loop.time())
                await self._gate.wait()
                writer.write(chunk)
                await writer.drain()
                waiting.task_done()

        delivery = asyncio.ensure_future(deliver())
        try:
            while chunk := await reader.read(65_536):
                waiting.put_nowait((loop.time() + self._delay, chunk))
            await waiting.join()
        finally:
            delivery.cancel()
