"""Reading access logs in Apache's and nginx's common and combined formats."""

from __future__ import annotations

import gzip
import io
import re
import sys
import zlib
from array import array
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from sluicegate._forwarded import grouped, parse_address

__all__ = ["AccessLog", "client_key", "path_key", "read"]

# client, identity, user (may hold spaces), [time], "request"
_LINE = re.compile(
    r'(\S+) \S+ [^\[]*\[(\d{2}/[A-Z][a-z]{2}/\d{4}:\d{2}:\d{2}:\d{2} [+-]\d{4})\] "((?:[^"\\]|\\.)*)"'
)
_TIME = "%d/%b/%Y:%H:%M:%S %z"
_NUMBER = re.compile(r"\d+")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_LONGEST_LINE = 64 * 1024
_GZIP = b"\x1f\x8b"


class AccessLog:
    """The requests of a log in the order of their times: 12 bytes each, and the keys' names.

    Attributes:
        times: Unix seconds, not decreasing.
        keys: for each request, where its key stands in ``names``.
        names: the distinct keys.
        malformed: lines that are none of a log, or of a time that is none.
        first_malformed: the numbers of the first few of them.
        out_of_order: lines that stood after a later one; they are put in order.
        damage: why reading ended before the file did, if it did.
    """

    def __init__(self) -> None:
        self.times = array("q")
        self.keys = array("L" if array("L").itemsize == 4 else "I")
        self.names: list[str] = []
        self.lines = 0
        self.malformed = 0
        self.first_malformed: list[int] = []
        self.out_of_order = 0
        self.damage: str | None = None

    def __len__(self) -> int:
        return len(self.times)

    def _put_in_order(self) -> None:
        times = self.times
        self.out_of_order = sum(map(int.__gt__, times[:-1], times[1:]))
        if self.out_of_order:
            # Stable: lines of one second stay as they were.
            order = sorted(range(len(times)), key=times.__getitem__)
            self.times = array("q", map(times.__getitem__, order))
            self.keys = array(self.keys.typecode, map(self.keys.__getitem__, order))


def client_key(client: str, _request: str) -> str:
    """The client as the middleware would tell it apart: IPv6 by its /64 network."""
    address = parse_address(client)
    return client if address is None else grouped(address, 64)


def path_key(_client: str, request: str) -> str:
    """The path without its query, with numbers and UUIDs folded: one key a route."""
    parts = request.split(" ")
    path = (parts[1] if len(parts) > 1 else request).partition("?")[0]
    return "/".join(_folded(segment) for segment in path.split("/"))


def _folded(segment: str) -> str:
    if _NUMBER.fullmatch(segment):
        return "{n}"
    return "{uuid}" if _UUID.fullmatch(segment) else segment


def read(
    source: str, key: Callable[[str, str], str], progress: Callable[[int], None] = lambda _: None
) -> AccessLog:
    """Read the log at ``source``, plain or gzipped; ``-`` is standard input.

    ``progress`` is told how many bytes of the file have been read. Malformed lines are
    counted, never fatal.

    Raises:
        ValueError: the file cannot be read, or holds no request.
    """
    log = AccessLog()
    try:
        with _opened(source) as raw:
            _read_lines(log, _Keys(log, key), raw, progress)
    except OSError as error:
        raise ValueError(
            f"FILE must be a readable access log, got {source!r}: {error.strerror or error}"
        ) from None
    if not log:
        what = f"none of its {log.lines} lines is one" if log.lines else "it is empty"
        raise ValueError(
            f"FILE must hold requests in the common or combined log format, got {source!r}: {what}"
        )
    log._put_in_order()
    return log


def _opened(source: str) -> io.BufferedReader:
    if source == "-":
        return io.BufferedReader(io.FileIO(sys.stdin.fileno(), closefd=False))
    return Path(source).open("rb")


class _Keys(dict[tuple[str, str], int]):
    """Gives each key its number, asking ``key`` once for each client and request."""

    _MOST = 100_000

    def __init__(self, log: AccessLog, key: Callable[[str, str], str]) -> None:
        super().__init__()
        self._names = log.names
        self._key = key
        self._numbers: dict[str, int] = {}

    def __missing__(self, asked: tuple[str, str]) -> int:
        name = self._key(*asked)
        number = self._numbers.setdefault(name, len(self._names))
        if number == len(self._names):
            self._names.append(name)
        if len(self) < self._MOST:
            self[asked] = number
        return number


def _read_lines(
    log: AccessLog, keys: _Keys, raw: io.BufferedReader, progress: Callable[[int], None]
) -> None:
    seekable = raw.seekable()
    stream: Any = raw
    if raw.peek(2)[:2] == _GZIP:
        stream = io.BufferedReader(gzip.GzipFile(fileobj=raw))
    by_client = keys._key is client_key
    seconds: dict[str, int] = {}
    try:
        for line in _lines(stream):
            log.lines += 1
            found = _LINE.match(line)
            if found is None or not _add(log, keys, seconds, found, by_client):
                log.malformed += 1
                if len(log.first_malformed) < 10:
                    log.first_malformed.append(log.lines)
            if log.lines % 4096 == 0 and seekable:
                progress(raw.tell())
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        log.damage = f"the gzip data ends or breaks after line {log.lines:,} ({error})"


def _add(
    log: AccessLog, keys: _Keys, seconds: dict[str, int], found: re.Match[str], by_client: bool
) -> bool:
    client, stamp, request = found.groups()
    time = seconds.get(stamp)
    if time is None:
        try:
            time = int(datetime.strptime(stamp, _TIME).timestamp())
        except ValueError:
            return False
        if time < 0:
            return False
        if len(seconds) > 10_000:
            seconds.clear()
        seconds[stamp] = time
    log.times.append(time)
    log.keys.append(keys[client, "" if by_client else request])
    return True


def _lines(stream: Any) -> Iterator[str]:
    """Lines of bounded length: a longer one, as in binary data, comes cut off."""
    while line := stream.readline(_LONGEST_LINE):
        text = line.decode("utf-8", "backslashreplace")
        while line and not line.endswith(b"\n"):
            line = stream.readline(_LONGEST_LINE)
        yield text
