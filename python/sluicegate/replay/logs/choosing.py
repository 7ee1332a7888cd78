"""Which format the lines of a file have, and how a line is read by it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, TypeGuard

from sluicegate.replay.logs.common import ClientField, line_pattern
from sluicegate.replay.logs.given import GivenFormat
from sluicegate.replay.logs.json_lines import FIELDS, JsonLines, json_object

__all__ = ["Format", "Reading", "format_of", "unwrapped"]

#: Gives the wanted fields of a line.
Reading = Callable[[bytes], "tuple[bytes, ...] | None"]

#: Where a client may stand in a line without names.
_PLACES = ("first", "last")
#: Of what nothing is said, there is nothing in the fields.
_NOT_NEEDED = ("host", "status")
#: What docker and Kubernetes write around each line of a container.
_CONTAINER_KEYS = frozenset(("log", "stream", "time", "attrs"))


@dataclass(frozen=True, kw_only=True)
class Format:
    """What the command line says of a log's format; nothing, and it is found by the first lines.

    Attributes:
        client: where the client stands: a word's number, ``first``, ``last``, or a field's or variable's name.
        fields: of JSON lines the names of fields, by what they tell.
        line: nginx's ``log_format`` or Apache's ``LogFormat``.
    """

    client: ClientField = None
    fields: Mapping[str, str] = field(default_factory=dict)
    line: str | None = None

    def __post_init__(self) -> None:
        for name in self.fields:
            if name not in FIELDS:
                raise ValueError(
                    f"--fields must name some of {', '.join(FIELDS)}, as client=ip,time=ts, got {name!r}"
                )
        if self.line is not None and self.fields:
            raise ValueError("--fields is for JSON lines, and --log-format for others: give one")


def format_of(first: bytes, said: Format, wanted: tuple[str, ...]) -> Reading:
    """How lines such as the ``first`` one of a file are read.

    Raises:
        ValueError: it does not fit what is said of it, or lacks what is wanted.
    """
    found = json_object(first)
    if _is_wrapped(found):
        inner = format_of(_inner(found), said, wanted)
        return lambda line: _read_inner(line, inner)
    if said.line is not None:
        return _given(said, wanted)
    if found is not None:
        return _json(found, said, wanted)
    if said.fields:
        raise ValueError("--fields is for JSON lines, and the first line is no JSON object")
    names_client = "client" in wanted
    if isinstance(said.client, str) and said.client not in _PLACES:
        raise ValueError(
            "--client-field must be first, last or the number of a word, where lines are no JSON and no "
            f"--log-format is given, got {said.client!r}"
        )
    return _by_pattern(line_pattern(said.client, names_client=names_client), wanted)


def _json(first: Mapping[str, Any], said: Format, wanted: tuple[str, ...]) -> Reading:
    fields = dict(said.fields)
    if isinstance(said.client, str) and said.client not in _PLACES:
        fields["client"] = said.client
    elif said.client is not None:
        raise ValueError(
            f"--client-field must be the name of a field where lines are JSON, got {said.client!r}"
        )
    lines = JsonLines(first, fields)
    missing = lines.missing(name for name in wanted if name not in _NOT_NEEDED)
    if missing:
        known = ", ".join(sorted(first))
        raise ValueError(
            f"--fields must say where the {missing[0]} stands, as {missing[0]}=NAME: the first line has "
            f"{known}"
        )
    return lines.reader(wanted)


def _given(said: Format, wanted: tuple[str, ...]) -> Reading:
    assert said.line is not None
    client = said.client if isinstance(said.client, str) and said.client not in _PLACES else None
    if client is None and said.client is not None:
        raise ValueError(f"--client-field must be a variable of --log-format, got {said.client!r}")
    given = GivenFormat(said.line, client)
    missing = [name for name in wanted if name not in given.fields and name not in _NOT_NEEDED]
    if missing:
        raise ValueError(f"--log-format must have the {missing[0]} of a request, got {said.line!r}")
    return _by_pattern(given.pattern, wanted)


def _by_pattern(pattern: re.Pattern[bytes], wanted: tuple[str, ...]) -> Reading:
    match, groups = pattern.match, pattern.groupindex
    if all(name in groups for name in wanted) and not set(_NOT_NEEDED).intersection(wanted):
        get = itemgetter(*wanted)

        def read(line: bytes) -> tuple[bytes, ...] | None:
            found = match(line)
            return None if found is None else get(found)

        return read

    def read_parts(line: bytes) -> tuple[bytes, ...] | None:
        found = match(line)
        if found is None:
            return None
        told = found.groupdict()
        if "request" not in told and "method" in told:
            told["request"] = told["method"] + b" " + told["path"]
        return tuple([told.get(name) or b"" for name in wanted])

    return read_parts


def unwrapped(line: bytes) -> bytes:
    """The line that a container wrote, without what docker or Kubernetes wrote around it."""
    found = json_object(line)
    return _inner(found) if _is_wrapped(found) else line


def _is_wrapped(found: Mapping[str, Any] | None) -> TypeGuard[Mapping[str, Any]]:
    return found is not None and "log" in found and _CONTAINER_KEYS.issuperset(found)


def _inner(found: Mapping[str, Any]) -> bytes:
    text = found.get("log")
    return text.encode("utf-8", "backslashreplace") if isinstance(text, str) else b""


def _read_inner(line: bytes, inner: Reading) -> tuple[bytes, ...] | None:
    found = json_object(line)
    return None if found is None else inner(_inner(found))
