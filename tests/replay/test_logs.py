"""``sluicegate replay``: formats beside the common one, times with fractions, and files of any bytes."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replays import document, line, run, write
from sluicegate.replay.logs.access_log import AccessLog, read
from sluicegate.replay.logs.choosing import Format
from sluicegate.replay.logs.given import GivenFormat
from sluicegate.replay.logs.keys import CLIENT, PATH, clients_behind
from sluicegate.replay.logs.order import in_order
from sluicegate.replay.logs.stamps import Stamps

ADDRESS = "203.0.113.9"
SECOND = 1_000_000
NGINX = {
    "remote_addr": ADDRESS,
    "time_iso8601": "2026-03-15T03:31:12+00:00",
    "request": "GET /a?b=1 HTTP/1.1",
    "status": "200",
    "http_x_forwarded_for": "6.6.6.6, 198.51.100.7",
}
CADDY = {
    "level": "info",
    "ts": 1773545472.25,
    "logger": "http.log.access.log0",
    "msg": "handled request",
    "request": {
        "remote_ip": "10.0.0.1",
        "remote_port": "41342",
        "client_ip": ADDRESS,
        "proto": "HTTP/2.0",
        "method": "GET",
        "host": "shop.example",
        "uri": "/a?b=1",
        "headers": {"X-Forwarded-For": ["6.6.6.6", "198.51.100.7, 10.0.0.3"]},
    },
    "status": 200,
}
TRAEFIK = {
    "ClientAddr": f"{ADDRESS}:52364",
    "ClientHost": ADDRESS,
    "RequestMethod": "GET",
    "RequestPath": "/a?b=1",
    "RequestHost": "shop.example",
    "StartUTC": "2026-03-15T03:31:12.250000125Z",
    "time": "2026-03-15T03:31:13Z",
    "DownstreamStatus": 200,
    "request_X-Forwarded-For": "198.51.100.7",
}
TIME = 1773545472 * SECOND


def as_lines(*objects: Any) -> str:
    return "".join(json.dumps(each) + "\n" for each in objects)


def kept(request: bytes, host: bytes, status: bytes) -> tuple[bytes, bytes, bytes]:
    return request, host, status


@pytest.mark.parametrize(
    ("found", "client", "offset", "host"),
    [
        (NGINX, ADDRESS, 0, b""),
        (CADDY, ADDRESS, 250_000, b"shop.example"),
        (TRAEFIK, ADDRESS, 250_000, b"shop.example"),
    ],
    ids=["nginx", "caddy", "traefik"],
)
def test_json_lines_are_found_by_the_names_of_servers(
    tmp_path: Path, found: dict[str, Any], client: str, offset: int, host: bytes
) -> None:
    log = read(write(tmp_path, as_lines(found)), CLIENT, target=kept)
    assert log.names == [client]
    assert list(log.times) == [TIME + offset]
    assert log.is_exact == bool(offset)
    request, where, status = log.kinds[log.targets[0]]
    assert status == b"200"
    assert request.split(b" ")[:2] == [b"GET", b"/a?b=1"]
    assert where == host
    assert read(write(tmp_path, as_lines(found)), PATH).names == ["/a"]


@pytest.mark.parametrize(
    ("found", "field", "client"),
    [
        (NGINX, "http_x_forwarded_for", "198.51.100.7"),
        (CADDY, "request.headers.X-Forwarded-For", "198.51.100.7"),
        (CADDY, "request.remote_ip", "10.0.0.1"),
        (TRAEFIK, "request_X-Forwarded-For", "198.51.100.7"),
    ],
)
def test_the_field_of_the_client_can_be_named(
    tmp_path: Path, found: dict[str, Any], field: str, client: str
) -> None:
    path = write(tmp_path, as_lines(found))
    assert read(path, CLIENT, said=Format(client=field)).names == [client]
    assert read(path, CLIENT, said=Format(fields={"client": field})).names == [client]
    done = run("replay", path, "--fields", f"client={field}", "--json")
    assert json.loads(done.stdout)["limits"][0]["admitted"] == 1


def test_json_lines_of_a_proxy_say_which_option_helps(tmp_path: Path) -> None:
    behind = {**CADDY, "request": {**CADDY["request"], "client_ip": "10.0.0.1"}}
    log = read(write(tmp_path, as_lines(behind)), CLIENT)
    assert log.doubt == (
        "100% of the requests are of 10.0.0.1, most likely a proxy: pass --client-field "
        "request.headers.X-Forwarded-For if the client is 198.51.100.7"
    )
    nameless = {**NGINX, "remote_addr": "unix:"}
    with pytest.raises(ValueError, match="pass --client-field http_x_forwarded_for if the client"):
        read(write(tmp_path, as_lines(nameless)), CLIENT)


def test_fields_that_are_not_there(tmp_path: Path) -> None:
    path = write(tmp_path, as_lines({"who": ADDRESS, "when": 1773545472}))
    with pytest.raises(ValueError, match="--fields must say where the time stands, as time=NAME"):
        read(path, PATH, said=Format(fields={"client": "who"}))
    with pytest.raises(ValueError, match=r"time must be a field .* got 'x': they have who, when"):
        read(path, CLIENT, said=Format(fields={"client": "who", "time": "x"}))
    assert read(path, CLIENT, said=Format(fields={"client": "who", "time": "when"})).names
    for given_fields in ("client", "client=", "=a", "x=y"):
        done = run("replay", path, "--fields", given_fields)
        assert done.returncode == 2
        assert "--fields must" in done.stderr.decode()


def test_json_lines_that_lack_something_are_malformed(tmp_path: Path) -> None:
    odd: list[Any] = [{**NGINX, "remote_addr": each} for each in ("unknown", 7, None, True, {}, [])]
    text = as_lines(NGINX, *odd, {}, [NGINX], 1) + "{\n" + "[" * 100_000 + "\n" + as_lines(NGINX)
    log = read(write(tmp_path, text), CLIENT)
    assert (len(log), log.names, log.malformed) == (2, [ADDRESS], log.lines - 2)


@pytest.mark.parametrize(
    "prefix",
    ["web-1  | ", "2026-03-15T03:31:12.123456789Z stdout F ", "shop_web_1 | "],
)
def test_lines_of_containers(tmp_path: Path, prefix: str) -> None:
    assert read(write(tmp_path, prefix + line(ADDRESS)), CLIENT).names == [ADDRESS]


@pytest.mark.parametrize("inner", [line(ADDRESS), as_lines(CADDY)], ids=["combined", "JSON"])
def test_lines_that_docker_wraps(tmp_path: Path, inner: str) -> None:
    wrapped = {"log": inner, "stream": "stdout", "time": "2026-03-15T03:31:12.1Z"}
    log = read(write(tmp_path, as_lines(wrapped, {**wrapped, "log": "starting\n"})), CLIENT)
    assert (log.names, log.malformed) == ([ADDRESS], 1)


MAIN = (
    '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
    '"$http_referer" "$http_user_agent" "$http_x_forwarded_for"'
)
MAIN_LINE = (
    '10.0.0.1 - - [15/Mar/2026:03:31:12 +0000] "GET /a?q=\\"x HTTP/1.1" 200 12 "-" "curl [x] y" '
    f'"{ADDRESS}"\n'
)
MSEC = "$msec $host $request_method $request_uri $proxy_protocol_addr $remote_addr"
APACHE = '%{msec}t %v:%p %h %l %u \\"%r\\" %>s %b %{X-Forwarded-For}i 100%%'
FORMATS = [
    (MAIN, None, MAIN_LINE, "10.0.0.1", 0, b"/a?q=\\"),
    (MAIN, "http_x_forwarded_for", MAIN_LINE, ADDRESS, 0, b"/a?q=\\"),
    (MSEC, None, f"1773545472.250 shop.example GET /a - {ADDRESS}\n", ADDRESS, 250_000, b"/a"),
    (
        APACHE,
        "X-Forwarded-For",
        f'1773545472250 shop:443 10.0.0.1 - - "GET /a HTTP/1.1" 200 5 {ADDRESS} 100%\n',
        ADDRESS,
        250_000,
        b"/a",
    ),
    (
        '%h %l %u %t "%r" %>s %O "%{Referer}i"',
        None,
        f'{ADDRESS} - a [15/Mar/2026:03:31:12.250 +0000] "GET /a HTTP/1.1" 200 1 "-"\n',
        ADDRESS,
        250_000,
        b"/a",
    ),
]


@pytest.mark.parametrize(("form", "field", "text", "client", "offset", "path"), FORMATS)
def test_a_format_can_be_given(
    tmp_path: Path,
    form: str,
    field: str | None,
    text: str,
    client: str,
    offset: int,
    path: bytes,
) -> None:
    said = Format(line=form, client=field)
    log = read(write(tmp_path, text + "something else\n"), CLIENT, said=said, target=kept)
    assert (log.names, log.malformed) == ([client], 1)
    assert list(log.times) == [TIME + offset]
    request, *_ = log.kinds[0]
    assert request.split(b" ")[1].startswith(path)
    more = [] if field is None else ["--client-field", field]
    assert document(write(tmp_path, text), "--log-format", form, *more)["keys"] == 1


@pytest.mark.parametrize(
    ("form", "reason"),
    [
        ("", "--log-format must be nginx's log_format"),
        ("no variable", "--log-format must be nginx's log_format"),
        ("$remote_addr$msec", "something between remote_addr and msec"),
        ("$remote_addr $status", "--log-format must have the time"),
        ("%t", "--log-format must have the client"),
        ("%{%Y}t %h", "of Apache's times"),
    ],
)
def test_formats_that_cannot_be_read(tmp_path: Path, form: str, reason: str) -> None:
    done = run("replay", write(tmp_path, line()), "--log-format", form)
    assert done.returncode == 2
    assert reason in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()


@given(st.text(max_size=40), st.binary(max_size=80))
def test_no_format_breaks(form: str, text: bytes) -> None:
    try:
        found = GivenFormat(form)
    except ValueError as error:
        assert "--log-format" in str(error)
    else:
        found.pattern.match(text)


@pytest.mark.parametrize(
    ("start", "name"),
    [
        (
            "h2 2026-03-15T03:31:12.186641Z app/my-lb/50dc6c49 192.0.2.1:2817 10.0.0.1:80 0 0 0 200\n",
            "an AWS load balancer's log",
        ),
        ("#Version: 1.0\n#Fields: date time x-edge-location sc-bytes c-ip\n", "a CloudFront log"),
        ("#Software: Microsoft Internet Information Services 10.0\n#Version: 1.0\n", "an IIS log"),
        ("#Version: 1.0\n#Fields: date time s-ip cs-method\n", "an IIS log"),
        ("#Version: 1.0\n#Fields: date time c-ip cs-uri\n", "a W3C extended log"),
    ],
)
def test_logs_that_are_not_read_are_refused_by_name(tmp_path: Path, start: str, name: str) -> None:
    done = run("replay", write(tmp_path, start + line()))
    assert done.returncode == 2
    assert f"it is {name}" in " ".join(done.stderr.decode().split())


def test_the_first_address_of_a_list_and_trusted_proxies(tmp_path: Path) -> None:
    listed = f"6.6.6.6, {ADDRESS}, 198.51.100.7, 10.0.0.2 - - [" + line().partition("[")[2]
    path = write(tmp_path, listed)
    first = Format(client="first")
    assert read(path, CLIENT, said=first).names == ["198.51.100.7"]
    behind = clients_behind("10.0.0.0/8, 198.51.100.0/24")
    assert read(path, behind, said=first).names == [ADDRESS]
    told = document(path, "--client-field", "first", "--trusted-proxies", "10.0.0.0/8")
    assert told["limits"][0]["admitted"] == 1
    for wrong in ("*", "x", "0.0.0.0/0", ""):
        done = run("replay", path, "--trusted-proxies", wrong)
        assert done.returncode == 2
        assert "--trusted-proxies must" in done.stderr.decode()
    assert run("replay", path, "--trusted-proxies", "10.0.0.0/8", "--by", "path").returncode == 2


@pytest.mark.parametrize(
    ("stamp", "time"),
    [
        (b"15/Mar/2026:03:31:12 +0000", TIME),
        (b"15/Mar/2026:05:31:12.5 +0200", TIME + 500_000),
        (b"2026-03-15T03:31:12Z", TIME),
        (b"2026-03-15T05:31:12.000001+02:00", TIME + 1),
        (b"2026-03-15 03:31:12,250", TIME + 250_000),
        (b"2026-03-14T20:01:12.123456789-0730", TIME + 123_456),
        (b"1773545472", TIME),
        (b"1773545472.001", TIME + 1_000),
        (b"1773545472001", TIME + 1_000),
        (b"1773545472000001", TIME + 1),
        (b"1773545472000001999", TIME + 1),
        (b"15/Xyz/2026:03:31:12 +0000", None),
        (b"2026-13-15T03:31:12Z", None),
        (b"2026-03-15T24:31:12Z", None),
        (b"-1", None),
        (b"", None),
        (b"99999999999", None),
        ("١٧٧٣٥٤٥٤٧٢".encode(), None),
    ],
)
def test_stamps(stamp: bytes, time: int | None) -> None:
    assert Stamps()[stamp] == time


def test_requests_with_exact_times_are_replayed_at_them(tmp_path: Path) -> None:
    objects = [{**CADDY, "ts": 1773545472 + place / 10} for place in range(20)]
    random.Random(7).shuffle(objects)
    path = write(tmp_path, as_lines(*objects))
    log = read(path, CLIENT)
    assert list(log.times) == [TIME + place * 100_000 for place in range(20)]
    assert log.at_once() == log.times
    told = document(path, "--limit", "1/second")
    assert told["times"] == "exact"
    (limit,) = told["limits"]
    assert limit["refused"] == limit["refused_at_once"] == 18
    report = run("replay", path, "--limit", "1/second").stdout.decode()
    assert "say more than the second" in report


def test_the_report_states_between_what_the_truth_lies(tmp_path: Path) -> None:
    path = write(tmp_path, line() * 4)
    done = run("replay", path, "--limit", "token_bucket:2/second burst 1")
    text = " ".join(done.stdout.decode().split())
    assert "The truth most likely lies between the two: 50.00% to 75.00%." in text


@given(st.lists(st.tuples(st.integers(0, 5_000_000), st.integers(0, 9)), min_size=1, max_size=60))
def test_requests_are_put_in_order_with_what_belongs_to_them(rows: list[tuple[int, int]]) -> None:
    log = AccessLog()
    for time, key in rows:
        log.times.append(time)
        log.keys.append(key)
    times, (keys, targets) = in_order(log.times, log.keys, log.targets)
    expected = sorted(rows, key=lambda row: row[0])
    assert list(zip(times, keys, strict=True)) == expected
    assert len(targets) == 0


def test_several_members_and_junk_behind_them(tmp_path: Path) -> None:
    path = tmp_path / "access.log.gz"
    half = line() * 30_000
    path.write_bytes(
        gzip.compress(half.encode()) + gzip.compress(half.encode()) + b"\0" * 7 + b"junk"
    )
    log = read(str(path), CLIENT)
    assert (len(log), log.damage) == (60_000, None)
    path.write_bytes(gzip.compress(half.encode())[:-20])
    assert "the gzip data ends or breaks" in (read(str(path), CLIENT).damage or "")


@pytest.mark.parametrize("text", [line(ADDRESS), as_lines(CADDY)], ids=["combined", "JSON"])
def test_a_byte_order_mark_is_no_part_of_a_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "access.log"
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    log = read(str(path), CLIENT)
    assert (log.names, log.malformed) == ([ADDRESS], 0)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, text: bytes
) -> None:
    path = tmp_path_factory.mktemp("log") / "access.log"
    path.write_bytes(text)
    with pytest.raises(ValueError, match=r"FILE must|--fields must"):
        read(str(path), CLIENT)
