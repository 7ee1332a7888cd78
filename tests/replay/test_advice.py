"""``sluicegate replay``: what is said of files whose clients, or whose lines, are not found."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from replays import line, write
from sluicegate.replay.logs.access_log import read
from sluicegate.replay.logs.choosing import Format
from sluicegate.replay.logs.common import field_of
from sluicegate.replay.logs.keys import CLIENT, PATH

ADDRESS = "203.0.113.9"
LISTED = line(f"{ADDRESS}, 10.0.0.7")
LAST = line("10.0.0.7").rstrip() + f' "{ADDRESS}"\n'
FORM = (
    '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
    '"$http_referer" "$http_user_agent" "$http_x_forwarded_for"'
)


def wrapped(text: str) -> str:
    return json.dumps({"log": text, "stream": "stdout", "time": "2026-03-15T03:31:12.1Z"}) + "\n"


@pytest.mark.parametrize(
    ("text", "given", "option"),
    [
        (LISTED, (), ("--client-field", "first")),
        ("shop.example:443 " + LISTED, (), ("--client-field", "first")),
        (wrapped(LISTED), (), ("--client-field", "first")),
        (wrapped(LAST), (), ("--client-field", "last")),
        (wrapped(line(f"web says: {ADDRESS}")), (), ("--client-field", "3")),
        (LAST, ("--log-format", FORM), ("--client-field", "http_x_forwarded_for")),
        (
            wrapped(LAST),
            (
                "--log-format",
                '%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i" "%{X-Forwarded-For}i"',
            ),
            ("--client-field", "X-Forwarded-For"),
        ),
        (
            LAST.replace("10.0.0.7", "unix:"),
            ("--log-format", FORM),
            ("--client-field", "http_x_forwarded_for"),
        ),
    ],
)
def test_the_option_that_is_advised_finds_the_client(
    text: str, given: tuple[str, ...], option: tuple[str, str], tmp_path: Path
) -> None:
    path = write(tmp_path, text * 3)
    try:
        said = str(read(path, CLIENT, said=_format(*given)).doubt)
    except ValueError as error:  # no line has a client
        said = str(error)
    assert f"pass {' '.join(option)} if the client is" in said
    found = read(path, CLIENT, said=_format(*given, *option))
    assert (found.names, found.doubt) == ([ADDRESS], None)


def _format(*options: str) -> Format:
    given = dict(zip(options[::2], options[1::2], strict=True))
    client = given.get("--client-field")
    return Format(client=client and field_of(client), line=given.get("--log-format"))


def test_lines_of_another_format_are_told_of_with_the_option_for_it(tmp_path: Path) -> None:
    odd = f"time=1773545472 ip={ADDRESS}\n"
    path = write(tmp_path, line() + odd * 2)
    text = "67% of the lines are no requests that can be read"
    option = "if the server has a format of its own, as in line 2, pass it by --log-format"
    assert read(path, CLIENT).doubt == read(path, PATH).doubt == f"{text}: {option}"
    assert read(write(tmp_path, line() * 2 + odd * 2), CLIENT).doubt is None
    with pytest.raises(ValueError, match="as in line 1, pass it by --log-format"):
        read(write(tmp_path, odd), CLIENT)
    with pytest.raises(ValueError, match=r"compare --log-format .* with line 1"):
        read(write(tmp_path, line()), PATH, said=Format(line='%h %t "%r"'))


@pytest.mark.parametrize(
    "prefix",
    [
        "<190>Mar 15 03:31:12 web1 nginx: ",
        "2026-03-15T03:31:12.123456789Z ",
        "web-1  | 2026-03-15T03:31:12.123456789Z ",
        "[pod/web-7d9f/nginx] ",
        "[pod/web-7d9f/nginx] 2026-03-15T03:31:12.123456789Z ",
    ],
)
def test_prefixes_of_containers(prefix: str, tmp_path: Path) -> None:
    assert read(write(tmp_path, prefix + line(ADDRESS)), CLIENT).names == [ADDRESS]
    assert read(write(tmp_path, prefix + line(ADDRESS)), PATH).names == ["/a"]
    listed = write(tmp_path, prefix + LISTED)
    assert read(listed, CLIENT, said=Format(client="first")).names == [ADDRESS]
    for other in ("unknown", f"a {ADDRESS} b"):
        with pytest.raises(ValueError, match="FILE must hold requests"):
            read(write(tmp_path, prefix + line(other)), CLIENT)


def test_the_host_of_a_syslog_is_no_client(tmp_path: Path) -> None:
    """Also where a time could be a container's, and what is behind it a client."""
    for start in ("", "web-1  | ", "[pod/web-7d9f/nginx] "):
        odd = f"{start}2026-03-15T03:31:12Z 10.0.0.5 nginx: " + line("unknown")
        with pytest.raises(ValueError, match="FILE must hold requests"):
            read(write(tmp_path, odd), CLIENT)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (
            "2026-03-15T03:31:12.9Z my-lb 192.0.2.1:2817 10.0.0.1:80 0.1 0.2 -1 200 200 0 29\n",
            "an AWS load balancer's log",
        ),
        (
            "tls 2.0 2026-03-15T03:31:12 net/lb/c6e7 a 192.0.2.1:5 10.0.0.1:443\n",
            "an AWS load balancer's log",
        ),
        ("2026-03-15\t03:31:12\tIAD89-C1\t100\t192.0.2.1\tGET\n", "a CloudFront log"),
        ('{"date":"2026-03-15","x-edge-location":"IAD89-C1","c-ip":"192.0.2.1"}\n', "a CloudFront"),
        ("2026-03-15 03:31:12 10.0.0.1 GET /a - 443 - 192.0.2.1 curl - 200\n", "an IIS log"),
        ("2026-03-15 03:31:12 W3SVC1 WEB 10.0.0.1 POST /a b=1 80 - 192.0.2.1\n", "an IIS log"),
    ],
)
def test_logs_that_are_not_read_are_known_without_their_first_lines(
    text: str, name: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=f"it is {name}"):
        read(write(tmp_path, text), CLIENT)


@pytest.mark.parametrize("zeros", [1, 511, 600_000])
def test_zeros_between_members_of_a_gzip_file(zeros: int, tmp_path: Path) -> None:
    path = tmp_path / "access.log.gz"
    member = gzip.compress(line().encode())
    path.write_bytes(member + b"\0" * zeros + member + b"\0" * zeros)
    log = read(str(path), CLIENT)
    assert (len(log), log.damage) == (2, None)
