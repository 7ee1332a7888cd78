"""The common and combined formats: where a line names its client, its time and its request."""

from __future__ import annotations

import re

from sluicegate.replay.logs.keys import client_key

__all__ = ["ClientField", "advice", "field_of", "line_pattern"]

#: ``None``: the first word, after a prefix that is known. A number: that word of the line.
#: ``"last"``: the last quoted field, as nginx logs X-Forwarded-For. ``"first"``: the list at the line's
#: start, after a prefix that is known. Another text: the name of a field.
ClientField = int | str | None

_MOST_WORDS = 20
_ADDRESS = (
    rb"(?:\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?"
    rb"|\[?[\da-fA-F]*:[\da-fA-F.]*:[\da-fA-F:.]*(?:%[^\s\]]*)?(?:\](?::\d{1,5})?)?)"
)
_PREFIXES = (
    rb"\d{4}-\d\d-\d\dT\S+ std(?:out|err) [FP] ",  # a container's, as Kubernetes keeps it
    rb"[\w.-]+ +\| ",  # a container's, as docker compose shows it
    rb"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \S+ \S+: ",  # syslog, RFC 3164
    rb"<\d{1,3}>\d{1,2} \S+ \S+ \S+ \S+ \S+ (?:-|\[[^\]]*\]) ",  # syslog, RFC 5424
    rb"\d{4}-\d\d-\d\dT\S+ \S+ \S+: ",  # syslog with ISO times, as rsyslog writes
    rb"(?!%b )\w[\w.-]*(?::\d+)? "
    % _ADDRESS,  # a virtual host, as Debian's other_vhosts_access.log
)
_TIME_AND_REQUEST = (
    rb"\[(?P<time>\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d(?:[.,]\d{1,9})? [+-]\d{4})\] "
    rb'"(?P<request>[^"\\]*(?:\\.[^"\\]*)*)"(?: (?P<status>\d{3})\b)?'
)
_LAST_QUOTED = re.compile(rb'"([^"]*)"[^"]*\Z')
_TIME = re.compile(rb"\[\d\d/[A-Z][a-z]{2}/\d{4}:")
_WORD = re.compile(rb"\S+")
_NAME = re.compile(r"[A-Za-z_@][\w.@-]*")


def field_of(text: str) -> ClientField:
    """What ``--client-field`` says; a ``ValueError`` tells what it may be."""
    if text.isascii() and text.isdigit() and 1 <= int(text) <= _MOST_WORDS:
        return int(text)
    if _NAME.fullmatch(text):
        return text
    raise ValueError(
        f"--client-field must be first, last, the number of a word from 1 to {_MOST_WORDS}, or the name of a "
        f"field, got {text!r}"
    )


def line_pattern(field: ClientField, *, names_client: bool) -> re.Pattern[bytes]:
    """Matches a line; its groups are ``client``, ``time`` and ``request``.

    By itself only an address in a known place is a client: the first word, or the first after
    the prefix that syslog or a virtual host leaves. An address that follows it where the
    identity stands makes the line doubtful, and a user's name proves nothing: it is the
    client's own word.
    """
    if not names_client:
        start = rb"(?P<client>)[^\[]*(?:\[[^\]]*\]:? [^\[]*)?"
    elif field == "last":
        return re.compile(rb"[^\[]*" + _TIME_AND_REQUEST + rb'.*"(?P<client>[^"]*)"[^"]*\Z', re.S)
    elif field == "first":
        prefix = rb"(?:" + rb"|".join(_PREFIXES) + rb")?"
        start = rb"%b(?P<client>[^\s\[\",]+(?:, *[^\s\[\",]+)*) [^\[]*" % prefix
    elif field is None:
        prefix = rb"(?:" + rb"|".join(_PREFIXES) + rb")?"
        start = rb"%b(?P<client>%b) (?!%b )\S+ [^\[]*" % (
            prefix,
            _ADDRESS,
            _ADDRESS,
        )  # the identity, and the user, whose name may hold spaces
    else:
        assert isinstance(field, int)
        start = rb"(?:\S+ +){%d}(?P<client>[^\s\[]+) [^\[]*" % (field - 1)
    return re.compile(start + _TIME_AND_REQUEST)


def advice(line: bytes, besides: str | None = None) -> str:
    """Which option would find a client in ``line``, other than ``besides``."""
    before_time = _TIME.split(line, maxsplit=1)[0]
    words = [word.decode("latin-1") for word in _WORD.findall(before_time)[:_MOST_WORDS]]
    nobody = (None, besides)
    places = [number for number, word in enumerate(words, 1) if client_key(word) not in nobody]
    options = [f"--client-field {number} if the client is {words[number - 1]}" for number in places]
    quoted = _LAST_QUOTED.search(line)
    last = quoted[1].decode("latin-1") if quoted else ""
    if client_key(last) not in nobody:
        options.append(f"--client-field last if the client is in {last!r}")
    if options:
        return "pass " + ", or ".join(options)
    return (
        "let the server log the client's address as the line's first word, or X-Forwarded-For "
        "as its last quoted field, and pass --client-field last"
    )
