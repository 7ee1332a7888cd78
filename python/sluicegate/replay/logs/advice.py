"""What to say on the command line so that the lines of a file, or their clients, are found."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sluicegate.replay.logs.choosing import Format, unwrapped
from sluicegate.replay.logs.common import MOST_WORDS, line_pattern
from sluicegate.replay.logs.given import GivenFormat
from sluicegate.replay.logs.json_lines import advice_of
from sluicegate.replay.logs.keys import client_key

__all__ = ["client_advice", "format_advice"]

_TIME = re.compile(rb"\[\d\d/[A-Z][a-z]{2}/\d{4}:")
_WORD = re.compile(rb"\S+")
_LAST_QUOTED = re.compile(rb'"([^"]*)"[^"]*\Z')
_LISTED = line_pattern("first", names_client=True)


def client_advice(line: bytes, said: Format, besides: str | None = None) -> str:
    """Which option would find a client in ``line``, other than ``besides``."""
    line = unwrapped(line)
    if said.line is not None:
        return _of_variables(line, said.line, besides)
    return advice_of(line, besides) or _of_words(line, besides)


def format_advice(number: int, said: Format) -> str:
    """How to say the format of lines such as that of this number, which cannot be read."""
    if said.line is not None:
        return f"compare --log-format {said.line!r} with line {number:,}"
    return f"if the server has a format of its own, as in line {number:,}, pass it by --log-format"


def _of_variables(line: bytes, form: str, besides: str | None) -> str:
    options: list[str] = []
    for name in GivenFormat(form).names:
        found = GivenFormat(form, name).pattern.match(line)
        text = found["client"].decode("latin-1") if found else ""
        if client_key(text) not in (None, besides):
            options.append(f"--client-field {name} if the client is in {text!r}")
    if options:
        return "pass " + ", or ".join(options)
    return "let the server log X-Forwarded-For, and name its variable in --log-format by --client-field"


def _of_words(line: bytes, besides: str | None) -> str:
    options = [*_listed(line, besides)] or [*_by_place(line, besides)]
    quoted = _LAST_QUOTED.search(line)
    last = quoted[1].decode("latin-1") if quoted else ""
    if client_key(last) not in (None, besides):
        options.append(f"--client-field last if the client is in {last!r}")
    if options:
        return "pass " + ", or ".join(options)
    return (
        "let the server log the client's address as the line's first word, or X-Forwarded-For "
        "as its last quoted field, and pass --client-field last"
    )


def _listed(line: bytes, besides: str | None) -> Iterator[str]:
    """Where the line begins with a list, as X-Forwarded-For is, no word of it is the client for sure."""
    found = _LISTED.match(line)
    text = found["client"].decode("latin-1") if found else ""
    if "," in text and client_key(text) not in (None, besides):
        yield f"--client-field first if the client is in {text!r}"


def _by_place(line: bytes, besides: str | None) -> Iterator[str]:
    before_time = _TIME.split(line, maxsplit=1)[0]
    words = [word.decode("latin-1") for word in _WORD.findall(before_time)[:MOST_WORDS]]
    for number, word in enumerate(words, 1):
        if client_key(word) not in (None, besides):
            yield f"--client-field {number} if the client is {word}"
