"""The lines of a file, plain or gzipped, of any bytes."""

from __future__ import annotations

import io
import sys
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final, cast

__all__ = ["BROKEN", "Lines", "opened"]

#: What reading raises where gzip data ends or breaks.
BROKEN: Final = (EOFError, zlib.error)

_LONGEST_LINE = 64 * 1024
_GZIP = b"\x1f\x8b"
_AS_GZIP = 16 + zlib.MAX_WBITS
_CHUNK = 256 * 1024
_BOM = b"\xef\xbb\xbf"
_FIRST_LINES = 20


class Lines:
    """Iterates over the lines; its attributes tell of those that can be looked at beforehand.

    Attributes:
        source: what the user calls it.
        start: the first few lines.
        first: the first one that is not empty.
    """

    def __init__(self, source: str, raw: io.BufferedReader) -> None:
        self.source = source
        self._raw = raw
        self._is_seekable = raw.seekable()
        self._stream = cast("IO[bytes]", raw)
        if raw.peek(2)[:2] == _GZIP:
            self._stream = cast("IO[bytes]", io.BufferedReader(_Members(raw), _CHUNK))
        self._seen: list[bytes] = []
        self._broken: Exception | None = None
        try:
            self._seen.extend(islice(self._pieces(), _FIRST_LINES))
        except BROKEN as error:  # told when those before it have been read
            self._broken = error
        if self._seen:
            self._seen[0] = self._seen[0].removeprefix(_BOM)
        self.start = b"".join(self._seen)
        self.first = next((line for line in self._seen if line.strip()), b"")

    def __iter__(self) -> Iterator[bytes]:
        yield from self._seen
        if self._broken is not None:
            raise self._broken
        yield from self._pieces()

    def _pieces(self) -> Iterator[bytes]:
        # In pieces, so that a line without an end, as in binary data, stays small.
        stream = self._stream
        for line in iter(partial(stream.readline, _LONGEST_LINE), b""):
            yield line
            if len(line) == _LONGEST_LINE:
                rest = line
                while rest and not rest.endswith(b"\n"):
                    rest = stream.readline(_LONGEST_LINE)

    def done(self) -> int:
        """How many bytes of the file have been read; 0 where it cannot be told."""
        return self._raw.tell() if self._is_seekable else 0


class _Members(io.RawIOBase):
    """Gzip data of one or several members. What stands behind the last one and is none is left alone.

    So do gzip and zcat, which warn of it: some programs pad what they write.
    """

    def __init__(self, raw: io.BufferedReader) -> None:
        self._raw = raw
        self._member = zlib.decompressobj(_AS_GZIP)
        self._ahead = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while True:
            data = self._member.decompress(self._ahead, len(buffer))
            self._ahead = self._member.unconsumed_tail
            if data:
                buffer[: len(data)] = data
                return len(data)
            if self._member.eof:
                rest = self._behind_member()
                if not rest.startswith(_GZIP):
                    return 0
                self._member, self._ahead = zlib.decompressobj(_AS_GZIP), rest
            elif not self._ahead:
                self._ahead = self._raw.read(_CHUNK)
                if not self._ahead:
                    raise EOFError("the file ends within it")

    def _behind_member(self) -> bytes:
        """What stands there, from the first byte that is no zero: those only fill up."""
        rest = self._member.unused_data.lstrip(b"\0")
        while len(rest) < len(_GZIP):
            more = self._raw.read(_CHUNK)
            if not more:
                break
            rest = (rest + more).lstrip(b"\0")
        return rest


@contextmanager
def opened(source: str) -> Generator[Lines]:
    """The lines of the file at ``source``; ``-`` is standard input.

    Raises:
        OSError: it cannot be read.
        ValueError: standard input is closed.
    """
    with _raw(source) as raw:
        yield Lines(source, raw)


def _raw(source: str) -> io.BufferedReader:
    if source != "-":
        return Path(source).open("rb")
    if sys.stdin is None:  # pyright: ignore[reportUnnecessaryComparison] - closed by the shell
        raise ValueError("FILE must be a readable access log, got '-': standard input is closed")
    return io.BufferedReader(io.FileIO(sys.stdin.fileno(), closefd=False))
