"""The common and combined formats: where a line names its client, its time and its request."""

from __future__ import annotations

import re

__all__ = ["MOST_WORDS", "ClientField", "field_of", "line_pattern"]

#: ``None``: the first word, after a prefix that is known. A number: that word of the line.
#: ``"last"``: the last quoted field, as nginx logs X-Forwarded-For. ``"first"``: the list at the line's
#: start, after a prefix that is known. Another text: the name of a field.
ClientField = int | str | None

MOST_WORDS = 20
_ADDRESS = (
    rb"(?:\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?"
    rb"|\[?[\da-fA-F]*:[\da-fA-F.]*:[\da-fA-F:.]*(?:%[^\s\]]*)?(?:\](?::\d{1,5})?)?)"
)
#: A line begins here: client, identity and user stand before its time. Of more words the first may be a
#: syslog's host.
_PLAIN = rb"(?=(?:[^\s,]+, *)*\S+ \S+ \S+ \[)"
_STAMP = rb"\d{4}-\d\d-\d\dT\S+ "
_PREFIXES = (
    rb"\d{4}-\d\d-\d\dT\S+ std(?:out|err) [FP] ",  # a container's, as Kubernetes keeps it
    rb"[\w.-]+ +\| (?:%b%b)?" % (_STAMP, _PLAIN),  # a container's, as docker compose shows it
    rb"(?:<\d{1,3}>)?[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \S+ \S+: ",  # syslog, RFC 3164
    rb"<\d{1,3}>\d{1,2} \S+ \S+ \S+ \S+ \S+ (?:-|\[[^\]]*\]) ",  # syslog, RFC 5424
    rb"\d{4}-\d\d-\d\dT\S+ \S+ \S+: ",  # syslog with ISO times, as rsyslog writes
    rb"(?:%b|\[pod/[^\]\s]+\] (?:%b)?)%b"
    % (_STAMP, _STAMP, _PLAIN),  # docker logs --timestamps, kubectl logs --prefix
    rb"(?!%b )\w[\w.-]*(?::\d+)? "
    % _ADDRESS,  # a virtual host, as Debian's other_vhosts_access.log
)
_TIME_AND_REQUEST = (
    rb"\[(?P<time>\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d(?:[.,]\d{1,9})? [+-]\d{4})\] "
    rb'"(?P<request>[^"\\]*(?:\\.[^"\\]*)*)"(?: (?P<status>\d{3})\b)?'
)
_NAME = re.compile(r"[A-Za-z_@][\w.@-]*")


def field_of(text: str) -> ClientField:
    """What ``--client-field`` says; a ``ValueError`` tells what it may be."""
    if text.isascii() and text.isdigit() and 1 <= int(text) <= MOST_WORDS:
        return int(text)
    if _NAME.fullmatch(text):
        return text
    raise ValueError(
        f"--client-field must be first, last, the number of a word from 1 to {MOST_WORDS}, or the name of a "
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
