"""Reading access logs in Apache's and nginx's common and combined formats."""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from array import array
from collections import Counter
from collections.abc import Callable
from functools import partial
from itertools import groupby, pairwise, repeat, starmap
from operator import gt, itemgetter
from pathlib import Path
from typing import IO, NamedTuple, cast

from sluicegate.replay.formats import ClientField, advice, line_pattern
from sluicegate.replay.keys import CLIENT, By, is_private
from sluicegate.replay.stamps import Stamps

__all__ = ["AccessLog", "read"]

_LONGEST_LINE = 64 * 1024
_GZIP = b"\x1f\x8b"
_FIRST_MALFORMED = 10
_SECOND = 1_000_000


class AccessLog:
    """The requests of a log in the order of their times: 12 bytes each, and the keys' names.

    While a log that is out of order is put in order it takes 24 bytes a request.

    Logs have times of whole seconds. The requests of one second are spread over it, in the
    order of their lines: bunched at its start they would be bursts that never were.

    Attributes:
        times: Unix microseconds, not decreasing.
        keys: for each request, where its key stands in ``names``.
        names: the distinct keys.
        lines: lines read, malformed ones included.
        malformed: lines that are none of a log, or of a time that is none.
        first_malformed: the numbers of the first few of them.
        out_of_order: lines that stood before an earlier one; they are put in order.
        damage: why reading ended before the file did, if it did.
        doubt: why the clients are most likely not the clients, and what to do.
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
        self.doubt: str | None = None

    def __len__(self) -> int:
        return len(self.times)

    def put_in_order(self) -> None:
        """Sort whole seconds, stably, and spread each one's requests over it."""
        self.out_of_order = sum(starmap(gt, pairwise(self.times)))
        if self.out_of_order:
            self._sort()
        spread = array(self.times.typecode)
        for second, same in groupby(self.times):
            count, start = sum(1 for _ in same), second * _SECOND
            spread.extend(start + place * _SECOND // count for place in range(count))
        self.times = spread

    @property
    def span(self) -> tuple[int, int]:
        """The Unix seconds of the first and the last request."""
        return self.times[0] // _SECOND, self.times[-1] // _SECOND

    def at_once(self) -> array[int]:
        """The times if the requests of a second had all come at its start."""
        return array(self.times.typecode, (time - time % _SECOND for time in self.times))

    def _sort(self) -> None:
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


class _Keys(dict[bytes, int | None]):
    """Numbers the keys, making each once for the fields it has lately seen; ``None`` is no key."""

    _MOST = 100_000

    def __init__(self, names: list[str], key: Callable[[str], str | None]) -> None:
        super().__init__()
        self._names = names
        self._key = key
        self._numbers: dict[str, int] = {}

    def __missing__(self, field: bytes) -> int | None:
        name = self._key(field.decode("utf-8", "backslashreplace"))
        number = None if name is None else self._numbers.setdefault(name, len(self._names))
        if name is not None and number == len(self._names):
            self._names.append(name)
        if len(self) >= self._MOST:
            self.clear()
        self[field] = number
        return number


def read(
    source: str,
    by: By,
    progress: Callable[[int], None] = lambda _: None,
    *,
    client: ClientField = None,
) -> AccessLog:
    """Read the log at ``source``, plain or gzipped; ``-`` is standard input.

    ``progress`` is told how many bytes of the file have been read. Malformed lines are
    counted, never fatal; a line that names no client's address is one, unless paths are limited.

    Raises:
        ValueError: the file cannot be read, or holds no request.
    """
    log = AccessLog()
    try:
        with _opened(source) as raw:
            samples = _read_lines(log, by, client, raw, progress)
    except OSError as error:
        raise ValueError(
            f"FILE must be a readable access log, got {source!r}: {error.strerror or error}"
        ) from None
    log.doubt = _doubt(log, by, samples)
    if not log:
        what = f"none of its {log.lines} lines is one" if log.lines else "it is empty"
        raise ValueError(
            f"FILE must hold requests in the common or combined log format, got {source!r}: "
            f"{log.damage or log.doubt or what}"
        )
    log.put_in_order()
    return log


def _opened(source: str) -> io.BufferedReader:
    if source != "-":
        return Path(source).open("rb")
    if sys.stdin is None:  # pyright: ignore[reportUnnecessaryComparison] - closed by the shell
        raise ValueError("FILE must be a readable access log, got '-': standard input is closed")
    return io.BufferedReader(io.FileIO(sys.stdin.fileno(), closefd=False))


class _Samples(NamedTuple):
    """The first line with a request, and the first with one but without a client."""

    good: list[bytes]
    no_client: list[bytes]


def _read_lines(
    log: AccessLog,
    by: By,
    client: ClientField,
    raw: io.BufferedReader,
    progress: Callable[[int], None],
) -> _Samples:
    stream = cast("IO[bytes]", raw)
    if raw.peek(2)[:2] == _GZIP:
        stream = cast("IO[bytes]", io.BufferedReader(gzip.GzipFile(fileobj=raw)))
    seekable = raw.seekable()
    keys, stamps, samples = _Keys(log.names, by.key), Stamps(), _Samples([], [])
    match = line_pattern(client, names_client=by is CLIENT).match
    fields = itemgetter("time", by.field)
    add_time, add_key = log.times.append, log.keys.append
    number = 0
    try:
        # In pieces, so that a line without an end, as in binary data, stays small.
        for number, line in enumerate(iter(partial(stream.readline, _LONGEST_LINE), b""), 1):
            if len(line) == _LONGEST_LINE:
                _skip_rest(stream, line)
            found = match(line)
            stamp, field = fields(found) if found else (b"", b"")
            time, key = (stamps[stamp], keys[field]) if found else (None, None)
            if time is None or key is None:
                _malformed(log, number, line, samples)
            else:
                if not log.keys:
                    samples.good.append(line)
                add_time(time)
                add_key(key)
            if seekable and number % 4096 == 0:
                progress(raw.tell())
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        log.damage = f"the gzip data ends or breaks after line {number:,} ({error})"
    log.lines = number
    return samples


def _skip_rest(stream: IO[bytes], line: bytes) -> None:
    while line and not line.endswith(b"\n"):
        line = stream.readline(_LONGEST_LINE)


_ANY_LINE = line_pattern(None, names_client=False)


def _malformed(log: AccessLog, number: int, line: bytes, samples: _Samples) -> None:
    log.malformed += 1
    if len(log.first_malformed) < _FIRST_MALFORMED:
        log.first_malformed.append(number)
    if not samples.no_client and _ANY_LINE.match(line):
        samples.no_client.append(line)


def _doubt(log: AccessLog, by: By, samples: _Samples) -> str | None:
    """Why those who were counted are most likely not the clients, and what to do."""
    if by is not CLIENT:
        return None
    if samples.no_client and 2 * log.malformed > log.lines:
        share = log.malformed / log.lines
        where = advice(samples.no_client[0])
        return f"{share:.0%} of the lines name no client where it is looked for: {where}"
    busiest, requests = Counter(log.keys).most_common(1)[0] if log else (0, 0)
    if 2 * requests > len(log) and is_private(log.names[busiest]):
        name, share = log.names[busiest], requests / len(log)
        where = advice(samples.good[0], besides=name)
        return f"{share:.0%} of the requests are of {name}, most likely a proxy: {where}"
    return None
