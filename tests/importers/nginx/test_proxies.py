"""Who the client is: ``set_real_ip_from`` and its kin as an identity."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nginx_configs import ZONES, differences, imported

SERVER = "server { limit_req zone=ip; location / { proxy_pass http://app; } }"
RECURSIVE = "real_ip_header X-Forwarded-For; real_ip_recursive on;"

CASES: dict[str, tuple[str, dict[str, Any], list[str]]] = {
    "none": ("", {}, []),
    "several proxies": (
        f"set_real_ip_from 10.0.0.0/8; set_real_ip_from 192.0.2.1; set_real_ip_from unix:; {RECURSIVE}",
        {"trusted_proxies": ["10.0.0.0/8", "192.0.2.1/32", "unix"]},
        [],
    ),
    "a header with one address": (
        "set_real_ip_from 2001:db8::/32; real_ip_header CF-Connecting-IP;",
        {"trusted_proxies": ["2001:db8::/32"], "proxy_header": "cf-connecting-ip"},
        [],
    ),
    "the header that nginx takes by default": (
        "set_real_ip_from 10.0.0.1;",
        {"trusted_proxies": ["10.0.0.1/32"], "proxy_header": "x-real-ip"},
        [],
    ),
    "not recursive": (
        "set_real_ip_from 10.0.0.1; real_ip_header X-Forwarded-For;",
        {"trusted_proxies": ["10.0.0.1/32"]},
        ["set_real_ip_from 10.0.0.1"],
    ),
    "a name": (
        f"set_real_ip_from proxy.test; set_real_ip_from 10.0.0.1; {RECURSIVE}",
        {"trusted_proxies": ["10.0.0.1/32"]},
        ["set_real_ip_from proxy.test"],
    ),
    "the PROXY protocol": (
        "set_real_ip_from 10.0.0.1; real_ip_header proxy_protocol;",
        {},
        ["real_ip_header proxy_protocol"],
    ),
    "a header without a proxy": ("real_ip_header X-Forwarded-For;", {}, []),
}


@pytest.mark.parametrize("name", CASES)
def test_an_identity(name: str, tmp_path: Path) -> None:
    http, expected, different = CASES[name]
    document = imported(tmp_path, ZONES + http + SERVER)
    values = {key: value for entry in document.identity for key, value in entry.values.items()}
    # An IPv6 address is counted by itself, as nginx does.
    assert values == {**expected, "ipv6_prefix": 128}
    assert differences(document) == different


def test_servers_that_differ_are_told_of(tmp_path: Path) -> None:
    proxy = f"set_real_ip_from 10.0.0.1; {RECURSIVE}"
    same = f"server {{ server_name a.test; {proxy} limit_req zone=ip; }}"
    other = same.replace("10.0.0.1", "10.0.0.2").replace("a.test", "b.test")
    document = imported(tmp_path, ZONES + same + same.replace("a.test", "c.test") + other)
    assert document.identity[0].values["trusted_proxies"] == ["10.0.0.1/32"]
    assert differences(document) == ["set_real_ip_from 10.0.0.2"]


def test_a_function_of_keys_knows_the_proxies(tmp_path: Path) -> None:
    http = f"set_real_ip_from 10.0.0.0/8; {RECURSIVE} geo $o {{ 192.0.2.0/24 1; }}"
    http += 'map $o $k { 1 ""; default $remote_addr; } limit_req_zone $k zone=k:1m rate=1r/s;'
    document = imported(tmp_path, http + "server { limit_req zone=k; }")
    assert document.functions is not None
    made: dict[str, Any] = {}
    exec(document.functions, made)

    def key(peer: str, forwarded: str) -> str | None:
        headers = [(b"x-forwarded-for", forwarded.encode())]
        found: str | None = made["k"]({"client": (peer, 1), "headers": headers})
        return found

    assert key("10.0.0.1", "192.0.2.9") is None
    assert key("10.0.0.1", "192.0.2.9, 10.9.9.9") is None
    assert key("10.0.0.1", "198.51.100.1") == "198.51.100.1"
    assert key("203.0.113.7", "192.0.2.9") == "203.0.113.7"
