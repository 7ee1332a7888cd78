"""Configurations of Kong and the policies that they become."""

from __future__ import annotations

from pathlib import Path

import pytest

import toml_parser
from kong_policies import differences, imported, rules
from sluicegate.importers.text import policy_text
from sluicegate.policy import Policy

SERVICES = """
_format_version: "3.0"
services:
  - name: api
    url: http://api:8000
    routes:
      - {name: users, paths: [/users], strip_path: false}
      - {name: orders, paths: [/orders], strip_path: false}
  - name: web
    url: http://web:8000
    routes:
      - {name: pages, paths: [/], strip_path: false}
consumer_groups:
  - name: gold
consumers:
  - {username: ada, groups: [{name: gold}]}
  - {username: bob}
"""
PLAIN = "{name: rate-limiting, config: {minute: 5, policy: local}"
SLIDING = "limit: [5], window_size: [60], strategy: local, disable_penalty: true"
ADVANCED = f"{{name: rate-limiting-advanced, config: {{{SLIDING}}}"

# Each: the plugins, the rules, and what is told of as different.
CASES = {
    "for everything": (f"{PLAIN}}}", ["* 5/minute by client, as global"], []),
    "of a service: its routes count together": (
        f"{PLAIN}, service: api}}",
        [
            "/orders/* 5/minute by client, as service api",
            "/users/* 5/minute by client, as service api",
        ],
        [],
    ),
    "of a route": (
        f"{PLAIN}, route: {{name: users}}}}",
        ["/users/* 5/minute by client, as route users"],
        [],
    ),
    "of a consumer": (
        f"{PLAIN}, consumer: ada}}",
        ["* 5/minute by client, tier ada, as consumer ada"],
        [(19, "plugins of consumers")],
    ),
    "of a consumer group": (
        f"{PLAIN}, consumer_group: gold}}",
        ["* 5/minute by client, tier gold, as consumer group gold"],
        [(19, "plugins of consumers")],
    ),
    "the more specific goes first, and ends where it limits all": (
        f"{PLAIN}}}\n  - {PLAIN.replace('5', '7')}, route: users}}",
        ["/users/* 7/minute by client, as route users", "* 5/minute by client, as global"],
        [],
    ),
    "a consumer's goes before a route's": (
        f"{PLAIN}, consumer: ada}}\n  - {PLAIN.replace('5', '7')}, route: users}}",
        [
            "/users/* 5/minute by client, tier ada, as consumer ada",
            "/users/* 7/minute by client, as route users",
            "* 5/minute by client, tier ada, as consumer ada",
        ],
        [(19, "plugins of consumers")],
    ),
    "some clients of a route, others of a later one": (
        f"{PLAIN}, consumer: ada, route: users}}\n  - {PLAIN}, service: web}}",
        [
            "/orders/* no more",
            "/users/* 5/minute by client, tier ada, as consumer ada, route users",
            "/users/* no more",
            "* 5/minute by client, as service web",
        ],
        [(19, "plugins of consumers")],
    ),
    "both plugins": (
        f"{PLAIN}}}\n  - {ADVANCED}, service: api}}",
        [
            "* 5/minute by client, as global",
            "/orders/* 5/minute by client, as service api, advanced",
            "/users/* 5/minute by client, as service api, advanced",
        ],
        [(20, "rate-limiting and rate-limiting-advanced for one request")],
    ),
    "all windows": (
        "{name: rate-limiting, config: {second: 1, minute: 2, hour: 3, day: 4, month: 5, year: 6, "
        "policy: local}}",
        ["* 1/second; 2/minute; 3/hour; 4/day; 5/month in UTC; 6/year in UTC by client, as global"],
        [(19, "plugin rate-limiting, global: month or year, on this host")],
    ),
    "several limits, in any seconds": (
        "{name: rate-limiting-advanced, config: {limit: [9, 2, 3, 4], window_size: [7200, 0.5, 90, 604800],"
        " strategy: local, disable_penalty: true}}",
        ["* 2/0.5 seconds; 3/90 seconds; 9/2 hours; 4/7 days by client, as global, advanced"],
        [],
    ),
    "fixed windows of the advanced plugin": (
        "{name: rate-limiting-advanced, config: {limit: [9], window_size: [60], window_type: fixed}}",
        ["* 9/minute by client, as global, advanced, algorithm fixed_window"],
        [],
    ),
    "what it refuses counts too": (
        "{name: rate-limiting-advanced, config: {limit: [9], window_size: [60]}}",
        ["* 9/minute by client, as global, advanced"],
        [
            (
                19,
                "plugin rate-limiting-advanced, global: disable_penalty: false, as it is unless given",
            )
        ],
    ),
    "by address": (
        "{name: rate-limiting, config: {minute: 5, limit_by: ip}}",
        ["* 5/minute by address, as global"],
        [],
    ),
    "by address, of two consumers: they count together": (
        "{name: rate-limiting, consumer: ada, config: {minute: 5, limit_by: ip}}\n"
        "  - {name: rate-limiting, consumer: bob, config: {minute: 7, limit_by: ip}}",
        [
            "* 5/minute by address, tier ada, as consumer ada",
            "* 7/minute by address, tier bob, as consumer ada",
        ],
        [(19, "plugins of consumers")],
    ),
    "by credential": (
        "{name: rate-limiting, config: {minute: 5, limit_by: credential}}",
        ["* 5/minute by client, as global"],
        [(19, "plugin rate-limiting, global: limit_by credential")],
    ),
    "by header": (
        "{name: rate-limiting, config: {minute: 5, limit_by: header, header_name: X-Org}}",
        ["* 5/minute by header:x-org, as global"],
        [(19, "plugin rate-limiting, global: limit_by header")],
    ),
    "by service": (
        "{name: rate-limiting, config: {minute: 5, limit_by: service}}",
        [
            "/orders/* 5/minute by all, as global, service api",
            "/users/* 5/minute by all, as global, service api",
            "* 5/minute by all, as global, service web",
        ],
        [],
    ),
    "by path": (
        "{name: rate-limiting, config: {minute: 5, limit_by: path, path: /users/me}}",
        [
            "/users/me 5/minute by all, as global, path /users/me",
            "* 5/minute by address, as global, other paths",
        ],
        [],
    ),
    "by consumer group": (
        "{name: rate-limiting-advanced, consumer_group: gold, config: {identifier: consumer-group, "
        f"{SLIDING}}}}}",
        ["* 5/minute by all, tier gold, as consumer group gold, advanced"],
        [(19, "plugins of consumers")],
    ),
    "one namespace counts together": (
        f"{{name: rate-limiting-advanced, config: {{namespace: n, {SLIDING}}}}}\n"
        f"  - {{name: rate-limiting-advanced, route: users, config: {{namespace: n, {SLIDING}}}}}",
        ["/users/* 5/minute by client, as n, advanced", "* 5/minute by client, as n, advanced"],
        [],
    ),
    "a group's limits instead of the plugin's": (
        "{name: rate-limiting-advanced, config: {enforce_consumer_groups: true, consumer_groups: [gold],"
        f" {SLIDING}}}}}\n  - {{name: rate-limiting-advanced, consumer_group: gold, config: {{limit: [50], "
        "window_size: [60]}}",
        [
            "* 50/minute by client, tier gold, as global, advanced",
            "* 5/minute by client, as global, advanced",
        ],
        [(19, "plugins of consumers")],
    ),
    "not enabled": (
        f"{PLAIN}}}\n  - {PLAIN.replace('5', '7')}, route: users, enabled: false}}",
        ["* 5/minute by client, as global"],
        [(20, "plugin rate-limiting, route users")],
    ),
    "hidden": (
        f"{PLAIN}}}\n  - {{name: rate-limiting, route: users, config: {{minute: 7, "
        "hide_client_headers: true}}",
        [
            "/users/* 7/minute by client, as route users, headers []",
            "* 5/minute by client, as global",
        ],
        [],
    ),
    "other answers": (
        f"{PLAIN}}}\n  - {{name: rate-limiting, route: users, config: {{minute: 7, error_code: 503}}}}\n"
        "  - {name: rate-limiting, route: orders, config: {minute: 8, error_message: 'Später, \"bitte\".'}}",
        [
            "/orders/* 8/minute by client, as route orders, refusal {'status': 429, 'text': "
            "'{\"message\":\"Später, \\\\\"bitte\\\\\".\"}', 'content_type': 'application/json; charset=utf-8'}",
            "/users/* 7/minute by client, as route users, refusal {'status': 503}",
            "* 5/minute by client, as global",
        ],
        [],
    ),
    "other plugins": (
        f"{PLAIN}}}\n  - {{name: request-size-limiting, config: {{allowed_payload_size: 8}}}}\n"
        "  - {name: prometheus}\n  - {name: key-auth}\n  - {name: ai-rate-limiting-advanced}",
        ["* 5/minute by client, as global"],
        [
            (20, "plugin request-size-limiting, global"),
            (22, "plugin key-auth, global"),
            (22, "plugin key-auth, global, without anonymous"),
            (23, "plugin ai-rate-limiting-advanced, global"),
        ],
    ),
    "what a policy does not say": (
        "{name: rate-limiting-advanced, protocols: [https], config: {error_code: 204, "
        "retry_after_jitter_max: 3, dictionary_name: mine, throttling: {enabled: true}, fence: 1, "
        f"{SLIDING}}}}}",
        ["* 5/minute by client, as global, advanced"],
        [
            (19, f"plugin rate-limiting-advanced, global: {what}")
            for what in (
                "fence",
                "retry_after_jitter_max: 3",
                "dictionary_name: mine",
                "throttling",
                "protocols https",
                "error_code: 204",
            )
        ],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_plugins_become_these_rules(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugins, expected, different = CASES[name]
    document = imported(tmp_path, f"{SERVICES}plugins:\n  - {plugins}\n")
    assert rules(document) == expected
    assert differences(document) == different
    # A policy can be made of it, which says of each rule where it comes from.
    text = policy_text(document)
    assert toml_parser.loads(text)["rules"] == [dict(rule.values) for rule in document.rules]
    for rule in document.rules:
        assert rule.sources
        for source in rule.sources:
            assert f"# {source.origin}: " in text
    path = tmp_path / "limits.toml"
    path.write_text(text.replace("shared:limits", f"shared://{tmp_path}/limits.zone"))
    monkeypatch.setenv("RATE_LIMIT_SECRET", "0123456789abcdef")
    assert len(Policy.from_file(path).rules) == len(expected)


def test_what_all_answer_is_said_once(tmp_path: Path) -> None:
    config = "{minute: 5, error_code: 503, error_message: Slow down}"
    plugins = f"{{name: rate-limiting, config: {config}}}\n  - {{name: rate-limiting, route: users, config: {config}}}"
    document = imported(tmp_path, f"{SERVICES}plugins:\n  - {plugins}\n")
    assert ["refusal" in rule.values for rule in document.rules] == [False, False]
    (refusal,) = [each for each in document.options if "refusal" in each.values]
    assert [(source.origin.line, source.text) for source in refusal.sources] == [
        (line, text)
        for line in (19, 20)
        for text in ("error_code: 503", "error_message: Slow down")
    ]
    assert refusal.values["refusal"] == {
        "status": 503,
        "text": '{"message":"Slow down"}',
        "content_type": "application/json; charset=utf-8",
    }
