"""Real HTTP requests, sent when the story says, whatever became of the earlier ones."""

from __future__ import annotations

import asyncio
import json
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from _demo_story import Contestant, Story

CONNECTIONS = 24
GIVE_UP_AFTER = 20.0


@dataclass(frozen=True)
class Answer:
    """One request and what became of it; times are seconds of the story.

    It was to be sent at ``due`` and left at ``sent``. If it was admitted, the server
    decided that between ``earliest`` and ``latest``.
    """

    due: float
    sent: float
    status: int
    earliest: float = 0.0
    latest: float = 0.0

    @property
    def admitted(self) -> bool:
        return self.status == 200


@dataclass
class Outcome:
    """What one limiter did with the requests."""

    contestant: Contestant
    answers: list[Answer] = field(default_factory=list[Answer])

    def count(self, *, admitted: bool, start: float = 0.0, end: float = float("inf")) -> int:
        return sum(a.admitted is admitted and start <= a.due < end for a in self.answers)

    def worst(self, window: float) -> int:
        """The most admissions that certainly fell into one window, wherever it began.

        A decision was made between two stamps. It is counted in the window that ends
        with the later stamp of another only if both of its own lie in there.
        """
        taken = [answer for answer in self.answers if answer.admitted]
        earliest = sorted(answer.earliest for answer in taken)
        latest = sorted(answer.latest for answer in taken)
        counts = (n - bisect_right(earliest, end - window) for n, end in enumerate(latest, 1))
        return max(counts, default=0)


class Connection:
    """A keep-alive connection that asks one thing at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def get(self, path: str) -> tuple[int, bytes]:
        """Status and body."""
        self._writer.write(f"GET {path} HTTP/1.1\r\nHost: demo\r\n\r\n".encode())
        try:
            head = await self._reader.readuntil(b"\r\n\r\n")
            length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
            body = await self._reader.readexactly(int(length))
        except asyncio.IncompleteReadError as error:
            raise ConnectionError("the server closed a connection without an answer") from error
        return int(head.split(b" ", 2)[1]), body

    def close(self) -> None:
        self._writer.close()


async def send_all(
    connection: Connection, outcome: Outcome, arrivals: Iterator[float], start: float
) -> None:
    """Take the next arrival, wait for its time, send it; until there are none."""
    path = outcome.contestant.path + "/quote"
    for due in arrivals:
        await asyncio.sleep(start + due - time.monotonic())
        sent = time.monotonic() - start
        status, body = await connection.get(path)
        stamps: list[int] = json.loads(body)["stamps_ns"] if status == 200 else []
        outcome.answers.append(Answer(due, sent, status, *(ns / 1e9 - start for ns in stamps)))


async def watch(story: Story, start: float, every: float, show: Callable[[float], None]) -> None:
    """Call ``show`` with the story's time, every so many seconds."""
    while (now := time.monotonic() - start) < story.end:
        show(now)
        await asyncio.sleep(every)


async def _finish(
    tasks: Sequence[asyncio.Future[None]], deadline: float, stopped: Callable[[], bool]
) -> None:
    """Until all are done, one has failed (raises its error), or ``stopped``."""
    pending = set(tasks)
    while pending and not stopped():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{len(pending)} connections still wait for the server's answer")
        done, pending = await asyncio.wait(
            pending, timeout=0.1, return_when=asyncio.FIRST_EXCEPTION
        )
        for task in done:
            task.result()


async def _connect(port: int) -> list[Connection]:
    return [
        Connection(*await asyncio.open_connection("127.0.0.1", port)) for _ in range(CONNECTIONS)
    ]


async def run_load(
    port: int,
    story: Story,
    outcomes: list[Outcome],
    every: float,
    show: Callable[[float], None],
    stopped: Callable[[], bool],
) -> None:
    """Send the whole story to each contestant at the same time, or until ``stopped``.

    Raises ``OSError`` (``TimeoutError`` is one) when the server does not answer.
    """
    connections = [await _connect(port) for _ in outcomes]
    start = story.next_start(notice=0.3)
    tasks = [asyncio.ensure_future(watch(story, start, every, show))]
    for outcome, pool in zip(outcomes, connections, strict=True):
        arrivals = iter(story.arrivals)
        tasks += [
            asyncio.ensure_future(send_all(connection, outcome, arrivals, start))
            for connection in pool
        ]
    try:
        await _finish(tasks, start + story.end + GIVE_UP_AFTER, stopped)
    finally:
        for task in tasks:
            task.cancel()
        # Each is awaited, so that none is left to complain when the loop closes.
        await asyncio.gather(*tasks, return_exceptions=True)
        for connection in (each for pool in connections for each in pool):
            connection.close()
