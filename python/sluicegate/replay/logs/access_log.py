"""Reading access logs."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise, starmap
from operator import gt
from typing import Any, Final, NamedTuple, cast

from sluicegate.replay.logs.advice import client_advice, format_advice
from sluicegate.replay.logs.choosing import Format, format_of, unwrapped
from sluicegate.replay.logs.common import line_pattern
from sluicegate.replay.logs.foreign import refuse_foreign
from sluicegate.replay.logs.given import GivenFormat
from sluicegate.replay.logs.json_lines import json_object
from sluicegate.replay.logs.keys import CLIENT, By, is_private
from sluicegate.replay.logs.lines import BROKEN, Lines, opened
from sluicegate.replay.logs.order import SECOND, in_order, spread
from sluicegate.replay.logs.stamps import Stamps

__all__ = ["AccessLog", "read"]

ANY_FORMAT: Final = Format()
_FIRST_MALFORMED = 10


class AccessLog:
    """The requests of a log in the order of their times: 12 bytes each, and the keys' names.

    While a log that is out of order is put in order it takes 24 bytes a request.

    Most logs have times of whole seconds. The requests of one second are spread over it, in the
    order of their lines: bunched at its start they would be bursts that never were.

    Attributes:
        times: Unix microseconds, not decreasing.
        keys: for each request, where its key stands in ``names``.
        names: the distinct keys.
        targets: for each request, where what it is for stands in ``kinds``, if that was asked for.
        kinds: the distinct ones.
        is_exact: whether the log's times say more than the second, so that none is spread.
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
        self.targets = array("I")
        self.kinds: list[Any] = []
        self.is_exact = False
        self.lines = 0
        self.malformed = 0
        self.first_malformed: list[int] = []
        self.out_of_order = 0
        self.damage: str | None = None
        self.doubt: str | None = None

    def __len__(self) -> int:
        return len(self.times)

    def put_in_order(self) -> None:
        """Sort by time, stably, and spread the requests of whole seconds over them."""
        self.out_of_order = sum(starmap(gt, pairwise(self.times)))
        if self.out_of_order:
            self.times, (self.keys, self.targets) = in_order(self.times, self.keys, self.targets)
        if not self.is_exact:
            self.times = spread(self.times)

    @property
    def span(self) -> tuple[int, int]:
        """The Unix seconds of the first and the last request."""
        return self.times[0] // SECOND, self.times[-1] // SECOND

    def at_once(self) -> array[int]:
        """The times if the requests of a second had all come at its start; the times, if they are exact."""
        if self.is_exact:
            return self.times
        return array(self.times.typecode, (time - time % SECOND for time in self.times))


class _Numbers(dict[Any, int | None]):
    """Numbers what is made of fields, once for those it has lately seen; ``None`` is nothing."""

    _MOST = 100_000

    def __init__(self, names: list[Any], make: Callable[[Any], Any]) -> None:
        super().__init__()
        self._names = names
        self._make = make
        self._numbers: dict[Any, int] = {}

    def __missing__(self, field: Any) -> int | None:
        name = self._make(field)
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
    said: Format = ANY_FORMAT,
    target: Callable[[bytes, bytes, bytes], object] | None = None,
) -> AccessLog:
    """Read the log at ``source``, plain or gzipped; ``-`` is standard input.

    ``progress`` is told how many bytes of the file have been read; ``target`` makes of a request, its
    host and its status what is kept of them. Malformed lines are counted, never fatal; a line that names no client's
    address is one, unless paths are limited.

    Raises:
        ValueError: the file cannot be read, is of a format that is not, or holds no request.
    """
    log = AccessLog()
    try:
        with opened(source) as stream:
            samples = _read_lines(log, by, said, stream, progress, target)
    except OSError as error:
        raise ValueError(
            f"FILE must be a readable access log, got {source!r}: {error.strerror or error}"
        ) from None
    log.doubt = _doubt(log, by, samples, said)
    if not log:
        what = f"none of its {log.lines} lines is one" if log.lines else "it is empty"
        raise ValueError(
            f"FILE must hold requests in the common or combined log format, or as JSON lines, got "
            f"{source!r}: {log.damage or log.doubt or what}"
        )
    log.put_in_order()
    return log


class _Samples(NamedTuple):
    """The first line with a request, the first with one but without a client, and the number of the
    first of another format.
    """

    good: list[bytes]
    no_client: list[bytes]
    other: list[int]


def _read_lines(
    log: AccessLog,
    by: By,
    said: Format,
    stream: Lines,
    progress: Callable[[int], None],
    target: Callable[[bytes, bytes, bytes], object] | None,
) -> _Samples:
    refuse_foreign(stream.source, stream.start)
    wanted = (
        ("time", by.field) if target is None else ("time", by.field, "request", "host", "status")
    )
    read = format_of(stream.first, said, wanted)
    keys = _Numbers(log.names, lambda field: by.key(field.decode("utf-8", "backslashreplace")))
    kinds = _Numbers(log.kinds, lambda found: target(*found))  # type: ignore[misc]
    stamps, samples = Stamps(), _Samples([], [], [])
    add_time, add_key, add_kind = log.times.append, log.keys.append, log.targets.append
    number = 0
    try:
        for number, line in enumerate(stream, 1):
            found = read(line)
            time, key = (stamps[found[0]], keys[found[1]]) if found else (None, None)
            if time is None or key is None or found is None:
                _malformed(log, number, line, samples, said)
            else:
                if not log.keys:
                    samples.good.append(line)
                add_time(time)
                add_key(key)
                if target is not None:
                    add_kind(cast("int", kinds[found[2:]]))
            if number % 4096 == 0:
                progress(stream.done())
    except BROKEN as error:
        log.damage = f"the gzip data ends or breaks after line {number:,} ({error})"
    log.lines = number
    log.is_exact = stamps.has_fractions
    return samples


_ANY_LINE = line_pattern(None, names_client=False)


def _malformed(log: AccessLog, number: int, line: bytes, samples: _Samples, said: Format) -> None:
    log.malformed += 1
    if len(log.first_malformed) < _FIRST_MALFORMED:
        log.first_malformed.append(number)
    if not samples.no_client and _has_request(line, said):
        samples.no_client.append(line)
    elif not samples.other and line.strip():
        samples.other.append(number)


@lru_cache(1)
def _given(form: str) -> GivenFormat:
    return GivenFormat(form)


def _has_request(line: bytes, said: Format) -> bool:
    """Whether a line that was not read lacks nothing but its client, as far as can be seen."""
    line = unwrapped(line)
    if said.line is not None:
        return _given(said.line).pattern.match(line) is not None
    return _ANY_LINE.match(line) is not None or json_object(line) is not None


def _doubt(log: AccessLog, by: By, samples: _Samples, said: Format) -> str | None:
    """Why those who were counted are most likely not the clients, and what to do."""
    is_mostly_malformed = 2 * log.malformed > log.lines
    is_of_clients = by.field == CLIENT.field
    if is_mostly_malformed:
        share = f"{log.malformed / log.lines:.0%} of the lines"
        if samples.no_client and is_of_clients:
            where = client_advice(samples.no_client[0], said)
            return f"{share} name no client where it is looked for: {where}"
        if samples.other:
            return (
                f"{share} are no requests that can be read: {format_advice(samples.other[0], said)}"
            )
    busiest, requests = Counter(log.keys).most_common(1)[0] if log else (0, 0)
    if is_of_clients and 2 * requests > len(log) and is_private(log.names[busiest]):
        name, share = log.names[busiest], f"{requests / len(log):.0%} of the requests"
        return f"{share} are of {name}, most likely a proxy: {client_advice(samples.good[0], said, name)}"
    return None
