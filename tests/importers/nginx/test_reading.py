"""Configurations and the policies that they become."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import toml_parser
from imported_servers import written
from nginx_configs import ZONES, differences, imported, rules
from sluicegate.importers.nginx.reading import read_nginx
from sluicegate.importers.text import policy_text
from sluicegate.policy import Policy

# Each: what stands in the http block behind ZONES, the rules, and what is told of as different.
CASES = {
    "statuses, and pages whose text is known": (
        """limit_req zone=ip; server {
            error_page 429 @busy; location @busy { return 429 Busy; }
            location /a/ { limit_req_status 503; }
            location /b/ { error_page 429 /page.html; }
            location / { limit_req_dry_run on; }
            location /c/ { error_page 429 =200 @busy; } }""",
        [
            "/a/* 10/second burst 1 by address as ip, group ip, refusal {'status': 503}",
            "/b/* 10/second burst 1 by address as ip, group ip",
            "/c/* 10/second burst 1 by address as ip, group ip, "
            "refusal {'status': 200, 'text': 'Busy', 'content_type': 'text/plain'}",
            "* 10/second burst 1 by address as ip dry, group ip, shadow True",
        ],
        ["limit_req zone=ip", "location /a/", "error_page 429 /page.html"],
    ),
    "a burst at once": (
        "server { location / { limit_req zone=ip burst=20 nodelay; } }",
        ["* 10/second burst 21 by address as ip"],
        [],
    ),
    "a burst that is held": (
        "server { location / { limit_req zone=ip burst=20; } }",
        ["* 10/second burst 21 by address as ip, delay 2.0"],
        [],
    ),
    "a burst that is held from the ninth on": (
        "server { location / { limit_req zone=ip burst=20 delay=8; } }",
        ["* 10/second burst 21 by address as ip, delay 2.0, undelayed 8"],
        [],
    ),
    "a delay as long as the burst": (
        "server { location / { limit_req zone=ip burst=20 delay=20; } }",
        ["* 10/second burst 21 by address as ip"],
        [],
    ),
    "no burst": (
        "server { location / { limit_req zone=ip; } }",
        ["* 10/second burst 1 by address as ip"],
        [],
    ),
    "a rate by the minute": (
        "server { location / { limit_req zone=slow burst=5; } }",
        ["* 30/minute burst 6 by address as slow, delay 10.0"],
        [],
    ),
    "a delay that no float is": (
        "limit_req_zone $remote_addr zone=third:1m rate=3r/s;"
        "server { location / { limit_req zone=third burst=5; } }",
        ["* 3/second burst 6 by address as third, delay 1.666667"],
        [],
    ),
    "several at once": (
        "server { location / { limit_req zone=ip burst=5 nodelay; limit_req zone=slow; } }",
        ["* 10/second burst 6 by address as ip", "* 30/minute burst 1 by address as slow"],
        [],
    ),
    "connections": (
        "server { limit_conn conn 5; location / { proxy_pass http://app; } }",
        ["* 5 concurrent by address as conn"],
        [],
    ),
    "a dry run": (
        "limit_req_dry_run on; limit_conn_dry_run on; server { limit_req zone=ip; limit_conn conn 5; }",
        [
            "* 10/second burst 1 by address as ip, shadow True",
            "* 5 concurrent by address as conn, shadow True",
        ],
        ["limit_conn conn 5"],
    ),
    "a dry run at one place": (
        "limit_req_dry_run on; server { limit_req zone=ip; location /a/ { limit_req_dry_run off; } }",
        [
            "/a/* 10/second burst 1 by address as ip, group ip",
            "* 10/second burst 1 by address as ip dry, group ip, shadow True",
        ],
        ["limit_req zone=ip", "location /a/"],
    ),
    "a location inherits": (
        "limit_req zone=ip; server { location / { } location /a/ { } location = /b { } }",
        ["* 10/second burst 1 by address as ip"],
        [],
    ),
    "a server's limits take the place of those outside": (
        "limit_req zone=ip; server { server_name a.test; limit_req zone=slow; }"
        "server { server_name b.test; }",
        [
            "//b.test/* 10/second burst 1 by address as ip",
            "//b.test/* no more",
            "* 30/minute burst 1 by address as slow",
        ],
        [],
    ),
    "a location's too, but limit_conn is apart": (
        "server { limit_req zone=ip; limit_conn conn 5; location /a/ { limit_req zone=slow; }"
        " location /b/ { limit_conn conn 9; } }",
        [
            "/a/* 30/minute burst 1 by address as slow",
            "/b/* 9 concurrent by address as conn, group conn",
            "* 5 concurrent by address as conn, group conn",
            "/a/* no more",
            "* 10/second burst 1 by address as ip",
        ],
        ["limit_conn conn 5", "limit_conn conn 9", "location /a/"],
    ),
    "nested locations": (
        "server { location /a/ { limit_req zone=ip; location /a/b/ { limit_req zone=slow; }"
        " location /a/c/ { } } }",
        [
            "/a/b/* 30/minute burst 1 by address as slow",
            "/a/b/* no more",
            "/a/* 10/second burst 1 by address as ip",
        ],
        ["location /a/b/"],
    ),
    "the longest prefix, wherever it stands": (
        "server { location / { limit_req zone=ip; } location /a/b/ { limit_req zone=ip burst=2; }"
        " location /a/ { limit_req zone=ip burst=1 nodelay; } }",
        [
            "/a/b/* 10/second burst 3 by address as ip, group ip, delay 0.2",
            "/a/* 10/second burst 2 by address as ip, group ip",
            "* 10/second burst 1 by address as ip, group ip",
        ],
        ["location /a/b/"],
    ),
    "the exact one first, and one without limits": (
        "server { location / { limit_req zone=ip; } location = /health { proxy_pass http://app; } }",
        ["/health no more", "* 10/second burst 1 by address as ip"],
        ["location = /health"],
    ),
    "an answer before limits": (
        "server { limit_req zone=ip; location / { } location = /ping { return 204; } }",
        ["/ping no more", "* 10/second burst 1 by address as ip"],
        ["location = /ping"],
    ),
    "a regular expression before a prefix, unless that says ^~": (
        "server { location / { } location /a/ { limit_req zone=ip burst=1 nodelay; }"
        " location ^~ /b/ { limit_req zone=ip burst=2 nodelay; }"
        " location ~ ^/(a|b)/(x|y)/ { limit_req zone=ip burst=3 nodelay; } }",
        [
            "/a/x/* 10/second burst 4 by address as ip, group ip",
            "/a/y/* 10/second burst 4 by address as ip, group ip",
            "/a/* 10/second burst 2 by address as ip, group ip",
            "/b/* 10/second burst 3 by address as ip, group ip",
        ],
        ["location /a/"],
    ),
    "the first regular expression": (
        "server { location ~ ^/users/[^/]+/posts$ { limit_req zone=ip burst=1 nodelay; }"
        " location ~ ^/users/ { limit_req zone=ip; } }",
        [
            "/users/{part2}/posts 10/second burst 2 by address as ip, group ip",
            "/users/* 10/second burst 1 by address as ip, group ip",
        ],
        [],
    ),
    "a regular expression that no pattern says": (
        "server { location / { limit_req zone=ip; } location ~ \\.php$ { limit_req zone=slow; } }",
        ["* 10/second burst 1 by address as ip"],
        ["location ~ \\.php$"],
    ),
    "one that changes nothing": (
        "server { limit_req zone=ip; location / { } location ~ \\.php$ { fastcgi_pass app; } }",
        ["* 10/second burst 1 by address as ip"],
        [],
    ),
    "a prefix without a slash": (
        "server { location /api { limit_req zone=ip; } location / { } }",
        ["/api/* 10/second burst 1 by address as ip"],
        ["location /api"],
    ),
    "a regular expression outside is tried behind nested prefixes": (
        "server { location /a/ { limit_req zone=ip; location /a/b/ { limit_req zone=ip burst=1 nodelay; } }"
        " location ~ ^/a/b/c/ { limit_req zone=ip burst=2 nodelay; } }",
        [
            "/a/b/c/* 10/second burst 3 by address as ip, group ip",
            "/a/b/* 10/second burst 2 by address as ip, group ip",
            "/a/* 10/second burst 1 by address as ip, group ip",
        ],
        ["location /a/b/"],
    ),
    "a nested regular expression is tried before": (
        "server { location /a/ { location ~ ^/a/[bc]/d/ { limit_req zone=ip; } }"
        " location ~ ^/a/c/ { limit_req zone=ip burst=1 nodelay; } }",
        [
            "/a/b/d/* 10/second burst 1 by address as ip, group ip",
            "/a/c/d/* 10/second burst 1 by address as ip, group ip",
            "/a/c/* 10/second burst 2 by address as ip, group ip",
        ],
        [],
    ),
    "a host between others": (
        "server { server_name a.b.test; limit_req zone=ip; }"
        "server { server_name *.b.test; limit_req zone=ip burst=1 nodelay; }"
        "server { listen 80 default_server; limit_req zone=ip; }",
        [
            "//a.b.test/* 10/second burst 1 by address as ip, group ip",
            "//*.b.test/* 10/second burst 2 by address as ip, group ip",
            "* 10/second burst 1 by address as ip, group ip",
        ],
        [],
    ),
    "hosts": (
        "server { server_name a.test .b.test; limit_req zone=ip; location / { proxy_pass http://x; } }"
        "server { server_name *.c.b.test; limit_req zone=slow; location / { proxy_pass http://x; } }"
        "server { listen 80 default_server; location / { proxy_pass http://x; } }",
        [
            "//*.c.b.test/* 30/minute burst 1 by address as slow",
            "//a.test/* 10/second burst 1 by address as ip, group ip",
            "//b.test/* 10/second burst 1 by address as ip, group ip",
            "//*.c.b.test/* no more",
            "//*.b.test/* 10/second burst 1 by address as ip, group ip",
        ],
        [],
    ),
    "the server that has no app is passed over": (
        "server { listen 80; server_name a.test; location / { return 301 https://a.test; } }"
        "server { listen 443 ssl; server_name a.test; limit_req zone=ip;"
        " location / { proxy_pass http://x; } }",
        ["* 10/second burst 1 by address as ip"],
        [],
    ),
    "a name of its own for each server": (
        "limit_req_zone $server_name zone=all:1m rate=100r/s; limit_req zone=all burst=9 nodelay;"
        "server { server_name a.test; } server { server_name b.test; }",
        [
            "//b.test/* 100/second burst 10 by all as all b.test, group all",
            "* 100/second burst 10 by all as all a.test, group all",
        ],
        [],
    ),
    "no name: the key is empty": (
        "limit_req_zone $server_name zone=all:1m rate=100r/s;"
        "server { limit_req zone=all; limit_req zone=ip; }",
        ["* 10/second burst 1 by address as ip"],
        ["limit_req zone=all"],
    ),
    "keys of several variables": (
        "limit_req_zone $binary_remote_addr$http_x_api_key zone=both:1m rate=1r/s;"
        "limit_req_zone all-$server_name zone=all:1m rate=2r/s;"
        "limit_req_zone ${remote_addr}:$server_name zone=each:1m rate=3r/s;"
        "server { server_name a.test; limit_req zone=both; limit_req zone=all; limit_req zone=each; }",
        [
            "* 1/second burst 1 by address+header:x-api-key as both",
            "* 2/second burst 1 by all as all a.test",
            "* 3/second burst 1 by address as each a.test",
        ],
        ["limit_req_zone $binary_remote_addr$http_x_api_key zone=both:1m rate=1r/s"],
    ),
    "a key that a function makes": (
        "limit_req_zone $arg_token zone=token:1m rate=1r/s; server { limit_req zone=token; }",
        ["* 1/second burst 1 by arg_token as token"],
        [],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_configuration_becomes_these_rules(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    http, expected, different = CASES[name]
    document = imported(tmp_path, ZONES + http)
    assert rules(document) == expected
    assert differences(document) == different
    # It can be read, and says of each rule where it comes from.
    text = policy_text(document)
    assert toml_parser.loads(text).get("rules") == [dict(rule.values) for rule in document.rules]
    unwrapped = text.replace("\n# ", " ")  # a long path leaves no room behind it
    for rule in document.rules:
        for source in rule.sources:
            assert f"{source.origin}: " in unwrapped
    # A policy is made of it.
    sys.modules.pop(document.module, None)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("RATE_LIMIT_SECRET", "of this test, and of no other")
    policy = Policy.from_file(written(document, tmp_path))
    assert len(policy.rules) == len(expected)


def test_the_documentation_shows_what_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    page = (Path(__file__).parents[3] / "docs" / "import.md").read_text()
    configuration = page.split("```nginx\n")[1].split("```")[0]
    shown = page.split("```toml\n")[1].split("```")[0]
    # Its lines are the page's.
    Path("nginx.conf").write_text(f"events {{ }} http {{ {configuration} }}")
    found = policy_text(read_nginx("nginx.conf")).splitlines()
    for line in filter(None, shown.splitlines()):
        assert line in found
    assert toml_parser.loads(shown) == toml_parser.loads("\n".join(found))
