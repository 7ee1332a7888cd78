"""Reading access logs in Apache's and nginx's common and combined formats."""

from __future__ import annotations

import gzip
import io
import re
import sys
import zlib
from array import array
from collections import Counter
from collections.abc import Callable
from functools import partial
from itertools import pairwise, repeat, starmap
from operator import gt
from pathlib import Path
from typing import IO, NamedTuple, cast

from sluicegate._forwarded import grouped, parse_address
from sluicegate.replay.stamps import Stamps

__all__ = ["CLIENT", "PATH", "AccessLog", "By", "client_key", "path_key", "read"]

_LINE = re.compile(
    # "vhost:port " comes first in Debian's other_vhosts_access.log: an address follows it
    rb"(?:\S+:\d+ (?=[\da-fA-F]*[.:][\da-fA-F.:]* ))?"
    rb"(\S+) \S+ [^\[]*"  # client, identity, user (may hold spaces)
    rb"\[(\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\] "
    rb'"([^"\\]*(?:\\.[^"\\]*)*)"'
)
_FOLDED = re.compile(
    r"(?<=/)(?:([0-9]+)|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})(?=/|$)"
)
_LONGEST_LINE = 64 * 1024
_GZIP = b"\x1f\x8b"
_FIRST_MALFORMED = 10


class AccessLog:
    """The requests of a log in the order of their times: 12 bytes each, and the keys' names.

    While a log that is out of order is put in order it takes 24 bytes a request.

    Attributes:
        times: Unix seconds, not decreasing.
        keys: for each request, where its key stands in ``names``.
        names: the distinct keys.
        lines: lines read, malformed ones included.
        malformed: lines that are none of a log, or of a time that is none.
        first_malformed: the numbers of the first few of them.
        out_of_order: lines that stood before an earlier one; they are put in order.
        damage: why reading ended before the file did, if it did.
    """

    def __init__(self) -> None:
        self.times = array("q")
        self.keys = array("I")
        self.names: list[str] = []
        self.lines = 0
        self.malformed = 0
        self.first_malformed: list[int] = []
        self.out_of_order = 0
        self.damage: str | None = None

    def __len__(self) -> int:
        return len(self.times)

    def _put_in_order(self) -> None:
        """Sort by time, stably: lines of one second stay as they were."""
        self.out_of_order = sum(starmap(gt, pairwise(self.times)))
        if not self.out_of_order:
            return
        # Stamps are whole seconds, so counting sorts in one pass and little memory.
        counts = Counter(self.times)
        seconds = sorted(counts)
        place, taken = {}, 0
        for second in seconds:
            place[second] = taken
            taken += counts[second]
        ordered = array(self.keys.typecode, bytes(self.keys.itemsize * len(self.keys)))
        for time, key in zip(self.times, self.keys, strict=True):
            ordered[place[time]] = key
            place[time] += 1
        self.keys, self.times = ordered, array("q")
        for second in seconds:
            self.times.extend(repeat(second, counts[second]))


def client_key(client: str) -> str:
    """The client as the middleware would tell it apart: IPv6 by its /64 network."""
    address = parse_address(client)
    return client if address is None else grouped(address, 64)


def path_key(request: str) -> str:
    """The path without its query, with number and UUID segments folded: one key a route."""
    parts = request.split(" ", 2)
    path = (parts[1] if len(parts) > 1 else request).partition("?")[0]
    return _FOLDED.sub(lambda found: "{n}" if found[1] else "{uuid}", path)


class By(NamedTuple):
    """Who is limited: a field of the line, and the key that is made of it."""

    field: int
    key: Callable[[str], str]


CLIENT = By(1, client_key)
PATH = By(3, path_key)


class _Keys(dict[bytes, int]):
    """Numbers the keys, making each once for the fields it has lately seen."""

    _MOST = 100_000

    def __init__(self, names: list[str], key: Callable[[str], str]) -> None:
        super().__init__()
        self._names = names
        self._key = key
        self._numbers: dict[str, int] = {}

    def __missing__(self, field: bytes) -> int:
        name = self._key(field.decode("utf-8", "backslashreplace"))
        number = self._numbers.setdefault(name, len(self._names))
        if number == len(self._names):
            self._names.append(name)
        if len(self) >= self._MOST:
            self.clear()
        self[field] = number
        return number


def read(source: str, by: By, progress: Callable[[int], None] = lambda _: None) -> AccessLog:
    """Read the log at ``source``, plain or gzipped; ``-`` is standard input.

    ``progress`` is told how many bytes of the file have been read. Malformed lines are
    counted, never fatal.

    Raises:
        ValueError: the file cannot be read, or holds no request.
    """
    log = AccessLog()
    try:
        with _opened(source) as raw:
            _read_lines(log, by, raw, progress)
    except OSError as error:
        raise ValueError(
            f"FILE must be a readable access log, got {source!r}: {error.strerror or error}"
        ) from None
    if not log:
        what = f"none of its {log.lines} lines is one" if log.lines else "it is empty"
        raise ValueError(
            f"FILE must hold requests in the common or combined log format, got {source!r}: "
            f"{log.damage or what}"
        )
    log._put_in_order()
    return log


def _opened(source: str) -> io.BufferedReader:
    if source != "-":
        return Path(source).open("rb")
    if sys.stdin is None:  # pyright: ignore[reportUnnecessaryComparison] - closed by the shell
        raise ValueError("FILE must be a readable access log, got '-': standard input is closed")
    return io.BufferedReader(io.FileIO(sys.stdin.fileno(), closefd=False))


def _read_lines(
    log: AccessLog, by: By, raw: io.BufferedReader, progress: Callable[[int], None]
) -> None:
    stream = cast("IO[bytes]", raw)
    if raw.peek(2)[:2] == _GZIP:
        stream = cast("IO[bytes]", io.BufferedReader(gzip.GzipFile(fileobj=raw)))
    seekable = raw.seekable()
    keys, stamps = _Keys(log.names, by.key), Stamps()
    match, field = _LINE.match, by.field
    add_time, add_key = log.times.append, log.keys.append
    number = 0
    try:
        # In pieces, so that a line without an end, as in binary data, stays small.
        for number, line in enumerate(iter(partial(stream.readline, _LONGEST_LINE), b""), 1):
            if len(line) == _LONGEST_LINE:
                _skip_rest(stream, line)
            found = match(line)
            time = stamps[found[2]] if found else None
            if found is None or time is None:
                _malformed(log, number)
            else:
                add_time(time)
                add_key(keys[found[field]])
            if seekable and number % 4096 == 0:
                progress(raw.tell())
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        log.damage = f"the gzip data ends or breaks after line {number:,} ({error})"
    log.lines = number


def _skip_rest(stream: IO[bytes], line: bytes) -> None:
    while line and not line.endswith(b"\n"):
        line = stream.readline(_LONGEST_LINE)


def _malformed(log: AccessLog, number: int) -> None:
    log.malformed += 1
    if len(log.first_malformed) < _FIRST_MALFORMED:
        log.first_malformed.append(number)
