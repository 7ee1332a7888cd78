"""The directives of a configuration, with what it includes in the places where it does."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sluicegate.importers.origins import ImportFileError, Origin, Problem, Source

__all__ = ["Directive", "parse"]

_DEEP = "its blocks are too deep"
_SHOWN = 90
_TABLES = ("map", "geo", "split_clients", "types", "charset_map")
_END = "unexpected end of file: the last directive needs a ';' or a quotation mark is not closed"
#: As nginx reads a word; other backslashes stay, as in regular expressions.
_ESCAPED = re.compile(r"\\([\"'\\trn])")
_MEANT = {"t": "\t", "r": "\r", "n": "\n"}


@dataclass(frozen=True)
class Directive:
    """One directive, such as ``limit_req zone=ip burst=20;``, or a block.

    Attributes:
        block: the directives within it; ``None`` if it is no block.
    """

    name: str
    args: tuple[str, ...]
    origin: Origin
    block: tuple[Directive, ...] | None = None

    def __str__(self) -> str:
        text = " ".join([self.name, *(arg or '""' for arg in self.args)])
        return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"

    @property
    def source(self) -> Source:
        """Where it comes from, for those who read the policy."""
        return Source(self.origin, str(self))

    def all(self, name: str) -> list[Directive]:
        """The directives of this name directly in the block."""
        return [inner for inner in self.block or () if inner.name == name]

    def last(self, name: str) -> Directive | None:
        """The only one of them that counts, if there is one."""
        return next(reversed(self.all(name)), None)

    def walk(self) -> Iterator[Directive]:
        """All within the block, at any depth, without the entries of tables."""
        for inner in self.block or ():
            yield inner
            if inner.name not in _TABLES:
                yield from inner.walk()


def parse(path: str) -> Directive:
    """The whole configuration, as a block.

    Raises:
        ImportFileError: a file that is not there, cannot be read or does not parse; with the line.
    """
    parse_files: Any = importlib.import_module("crossplane").parse
    try:
        with open(path, "rb"):
            pass
        found = parse_files(path, onerror=_reason)
    except OSError as error:
        raise _error(Origin(path), f"cannot be read: {error.strerror}") from None
    except RecursionError:
        raise _error(Origin(path), _DEEP) from None
    if found["errors"]:
        raise ImportFileError([*map(_problem, found["errors"])])
    files: list[Any] = found["config"]
    return Directive("", (), Origin(path), _block(files, 0, files[0]["parsed"], (0,)))


def _block(
    files: list[Any], file: int, parsed: list[Any], within: tuple[int, ...]
) -> tuple[Directive, ...]:
    """``file`` is where ``parsed`` stands, ``within`` are the files that include it.

    crossplane's own ``combine`` gives directives behind an ``include`` the included file's name, and
    does not end where a file includes itself.
    """
    found: list[Directive] = []
    for statement in parsed:
        origin = Origin(files[file]["file"], statement["line"])
        for included in statement.get("includes", ()):
            if included in within:
                raise _error(origin, f"{files[included]['file']} includes itself")
            inner = files[included]["parsed"]
            found += _block(files, included, inner, (*within, included))
        if "includes" not in statement:
            inner = statement.get("block")
            block = None if inner is None else _block(files, file, inner, within)
            args = tuple(map(_unescaped, statement["args"]))
            found.append(Directive(_unescaped(statement["directive"]), args, origin, block))
    return tuple(found)


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError) or _is_closed(error):
        return _DEEP
    if isinstance(error, OSError):
        return f"{error.filename} cannot be read: {error.strerror}"
    return str(getattr(error, "strerror", error)) or _END


def _is_closed(error: Any) -> bool:
    """Whether each block has its end, though it was said to have none.

    Where the stack ends within crossplane's lexer, it takes that for the end of the file.
    """
    crossplane: Any = importlib.import_module("crossplane")
    if not isinstance(error, crossplane.errors.NgxParserSyntaxError):
        return False
    try:
        for _ in crossplane.lexer.lex(error.filename):
            pass
    except crossplane.errors.NgxParserSyntaxError:
        return False
    return True


def _problem(error: Any) -> Problem:
    return Problem(Origin(error["file"], error["line"]), error["callback"])


def _error(origin: Origin, reason: str) -> ImportFileError:
    return ImportFileError([Problem(origin, reason)])


def _unescaped(word: str) -> str:
    return _ESCAPED.sub(lambda found: _MEANT.get(found[1], found[1]), word)
