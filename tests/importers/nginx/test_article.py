"""The configuration that is printed in the second article, with its mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from nginx_configs import differences, rules
from nginx_scenarios import mended
from nginx_search import applied_at, applied_by, blocks_of, same, server_of
from nginx_servers import configured, needs_nginx, refusal_of
from sluicegate.importers.nginx.parsing import parse
from sluicegate.importers.nginx.reading import read_nginx

PRINTED = Path(__file__).parents[1] / "configs" / "article.conf"


def test_its_policy() -> None:
    document = read_nginx(str(PRINTED))
    assert rules(document) == [
        "* 100 concurrent by address as conn_limit",
        "/api/premium/* no more",
        "/api/auth/* 10/second burst 6 by address as ip_limit, group ip_limit",
        "/api/auth/* no more",
        "/api/* 10/second burst 21 by address as ip_limit, group ip_limit",
        "/api/* 10000/second burst 1001 by all as global_limit api.example.com, delay 0.1",
    ]
    assert [[source.origin.line for source in rule.sources] for rule in document.rules] == [
        [26, 9], [43], [57, 58, 4], [57], [29, 30, 4], [29, 31, 6],
    ]  # fmt: skip
    # Its error page, which is the same for all.
    refusal = document.options[-1]
    assert refusal.values["refusal"] == {
        "status": 429,
        "text": '{"error": "Rate limit exceeded", "retry_after": 1}',
        "content_type": "application/json",
    }
    assert [source.origin.line for source in refusal.sources] == [64, 68]
    assert document.options[0].values == {"store": "shared:limits?size=30m"}
    assert document.functions is None


def test_its_mistakes_are_named_with_their_lines() -> None:
    told = {each.origin.line: each for each in read_nginx(str(PRINTED)).unmatched}
    assert sorted(told) == [2, 5, 26, 38, 39, 43, 51]
    zone = told[51]
    assert zone.what == "limit_req zone=$rate_limit_zone burst=50 nodelay"
    assert "`set`" in zone.reason
    assert "refuses the whole file" in zone.reason
    assert "is left out" in zone.effect
    assert "no limit_req uses the zone api_key_limit" in told[5].reason
    assert "no events block" in told[2].reason
    assert "same text for every request" in told[38].reason


@pytest.mark.parametrize("path", ["/api/x", "/api/premium/x", "/api/auth/x", "/x", "/"])
def test_a_request_has_its_limits(path: str) -> None:
    http = parse(str(PRINTED)).all("http")[0]
    server = server_of(http, "any.test")
    blocks = blocks_of(server, path)
    if path == "/api/premium/x":  # of which nginx would load nothing
        blocks = [server]
    wanted = applied_at(http, blocks)
    named = {
        (name.partition(" ")[0], *rest)
        for name, *rest in applied_by(read_nginx(str(PRINTED)), "any.test", path)
    }
    assert same(named, wanted)


@needs_nginx
def test_nginx_refuses_it_for_what_is_named(tmp_path: Path) -> None:
    text = (
        PRINTED.read_text().replace("api1:8000", "127.0.0.1:1").replace("api2:8000", "127.0.0.1:2")
    )
    path = tmp_path / "nginx.conf"
    path.write_text(text)
    assert 'no "events" section' in refusal_of(path)
    path.write_text(f"events {{ }}\n{text}")
    assert 'zero size shared memory zone "$rate_limit_zone"' in refusal_of(path)


@needs_nginx
def test_mended_it_is_right_and_nothing_of_its_limits_is_left_out(tmp_path: Path) -> None:
    http = mended().replace("APP", "127.0.0.1:1").replace("127.0.0.1:PORT", "127.0.0.1:8099")
    path = configured(tmp_path, http)
    assert refusal_of(path) == ""
    document = read_nginx(str(path))
    found = rules(document)
    assert "/api/premium/* 10/second burst 51 by without_key as without_key" in found
    assert "/api/premium/* 100/second burst 51 by with_key as with_key" in found
    assert [what for what in differences(document) if "zone=" in what] == []
