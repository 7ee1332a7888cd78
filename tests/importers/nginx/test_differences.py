"""What is told of as different, with its reason and effect, and in the rules' comments."""

from __future__ import annotations

from pathlib import Path

import pytest

from nginx_configs import ZONES, imported
from sluicegate.importers.unmatched import Unmatched

USED = "server { limit_req zone=ip; location / { proxy_pass http://app; } }"


def told(folder: Path, http: str, what: str) -> Unmatched:
    """The one difference of that directive."""
    (found,) = [each for each in imported(folder, http).unmatched if each.what == what]
    return found


# What stands beside ZONES; the directive that is told of; a part of the reason; and of the effect.
CASES = [
    (
        "limit_conn_status 429;" + USED,
        "limit_req zone=ip",
        "nginx refuses with 503",
        "get 429 and Retry-After instead of 503",
    ),
    ("limit_req_status 444;" + USED, "limit_req zone=ip", "refuses with 444; a policy with 429", "444"),
    ("limit_rate 5k;" + USED, "limit_rate 5k", "requests, not bytes", "left out"),
    ("error_page 500 429 /wait.html;" + USED, "error_page 500 429 /wait.html", "a text that is always the same", "JSON"),
    ("limit_req_status 499;" + USED, "limit_req zone=ip", "refuses with 499; a policy with 429", "499"),
    (
        "add_header RateLimit-Limit 10;" + USED,
        "add_header RateLimit-Limit 10",
        "the same text for every request",
        "own header fields",
    ),
    (
        "upstream app { server a:1 max_conns=5; }" + USED,
        "server a:1 max_conns=5",
        "not connections to one upstream",
        "left out",
    ),
    (
        "limit_req_zone $remote_addr zone=s:1m rate=1r/s sync; server { limit_req zone=s; }",
        "limit_req_zone $remote_addr zone=s:1m rate=1r/s sync",
        "on several hosts together",
        "redis://",
    ),
    (
        "limit_req_zone $http_x zone=x:1m rate=1r/s; server { limit_req zone=x; }",
        "limit_req_zone $http_x zone=x:1m rate=1r/s",
        "anybody can send a header",
        "a request without it, which nginx does not limit",
    ),
    (
        "server { limit_req zone=ip; location / { rewrite ^/a/(.*)$ /b/$1 last; } }",
        "rewrite ^/a/(.*)$ /b/$1 last",
        "as it was sent",
        "the path that they were sent to",
    ),
    (
        "server { limit_req zone=ip; location / { if ($arg_a) { return 204; } } }",
        "return 204",
        "where the condition holds",
        "counted if they reach the app",
    ),
    (
        "limit_req_zone $remote_addr zone=hour:1m rate=1r/m; server { limit_req zone=hour burst=99; }",
        "limit_req zone=hour burst=99",
        "for 3,600 seconds at most",
        "60 requests wait at most, not 99",
    ),
    (
        "server { server_name mail.* a.test; limit_req zone=ip; } server { listen 80 default_server; }",
        "server_name mail.* a.test",
        "mail.*: a policy's host is whole",
        "the limits of the default server",
    ),
    (
        USED.replace("server {", "server { listen 80; server_name a.test;")
        + USED.replace("server {", "server { listen 81; server_name a.test;").replace("ip", "slow"),
        "server",
        "sees no ports",
        "requests for a.test at *:81 have the limits of that server",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("http", "what", "reason", "effect"), CASES)
def test_a_difference_is_told(
    http: str, what: str, reason: str, effect: str, tmp_path: Path
) -> None:
    zones = ZONES.replace("limit_req_status 429;", "") if "_status" in http else ZONES
    found = [
        each
        for each in imported(tmp_path, zones + http).unmatched
        if each.what == what and reason in each.reason
    ]
    assert [effect in each.effect for each in found][:1] == [True], found


@pytest.mark.parametrize(
    "http",
    [
        USED,
        "limit_req_status 503;" + USED,
        "error_page 404 /none.html; add_header X-Frame-Options DENY;" + USED,
        "server { limit_req zone=ip; location / { rewrite ^/a/(.*)$ /b/$1 break; } }",
        "server { limit_req zone=ip; location /a/ { rewrite ^ https://b.test permanent; } }",
        "limit_req_status 503; server { limit_req_status 429; limit_req zone=ip; }",
        "limit_req_zone $remote_addr zone=hour:1m rate=1r/m; server { limit_req zone=hour burst=60; }",
    ],
)
def test_what_is_the_same_is_not_told(http: str, tmp_path: Path) -> None:
    zones = ZONES.replace("limit_req_status 429;", "") if "_status" in http else ZONES
    found = imported(tmp_path, zones + http).unmatched
    assert [
        each
        for each in found
        if "nothing is counted" not in each.effect and "slash" not in each.reason
    ] == []


def test_a_stream_is_not_http(tmp_path: Path) -> None:
    path = tmp_path / "nginx.conf"
    stream = "stream { limit_conn_zone $remote_addr zone=s:1m; server { limit_conn s 5; } }"
    path.write_text(f"events {{ }} {stream} http {{ {ZONES} {USED} }}")
    from sluicegate.importers.nginx.reading import read_nginx

    found = [each.what for each in read_nginx(str(path)).unmatched if "TCP" in each.reason]
    assert found == ["limit_conn_zone $remote_addr zone=s:1m", "limit_conn s 5"]


@pytest.mark.parametrize(
    ("rate", "note"),
    [
        ("7r/m", "116, which is 0.6 % less than this"),
        ("1r/m", "16, which is 4.0 % less than this"),
        ("30r/m", None),
        ("7r/s", None),
    ],
)
def test_how_nginx_rounds_stands_at_the_rule(rate: str, note: str | None, tmp_path: Path) -> None:
    http = f"limit_req_zone $remote_addr zone=z:1m rate={rate}; server {{ limit_req zone=z; }}"
    (rule,) = imported(tmp_path, http).rules
    assert [text.endswith(f"{note}.") for text in rule.notes] == ([] if note is None else [True])


def test_what_a_client_chooses_is_no_key_as_it_is(tmp_path: Path) -> None:
    maps = "map $cookie_id $k { default $cookie_id; } map $cookie_id $a { default $remote_addr; }"
    zones = "limit_req_zone $k zone=k:1m rate=1r/s; limit_req_zone $a zone=a:1m rate=1r/s;"
    http = f"{maps} {zones} server {{ limit_req zone=k; limit_req zone=a; }}"
    document = imported(tmp_path, http)
    assert document.functions is not None
    made: dict[str, object] = {}
    exec(document.functions, made)
    scope = {"client": ("192.0.2.1", 1), "headers": [(b"cookie", b"id=secret")]}
    key = made["k"](scope)  # type: ignore[operator]
    assert len(key) == 32
    assert "secret" not in key
    # An address that is chosen by a cookie is an address.
    assert made["a"](scope) == "192.0.2.1"  # type: ignore[operator]
