"""The configuration that article 2 prints."""

from __future__ import annotations

from pathlib import Path

from kong_model import Request
from kong_policies import Imported, differences, rules
from sluicegate.importers.kong.reading import read_kong

PRINTED = Path(__file__).with_name("article2.yml")


def test_its_rules() -> None:
    document = read_kong(str(PRINTED))
    assert rules(document) == [
        "* 100/minute by client, tier free-tier, as consumer free-tier, store shared:limits?size=12m",
        "* 10000/minute by client, tier premium-tier, as consumer premium-tier",
        "* 100000/minute by client, tier enterprise-tier, as consumer enterprise-tier",
        "* 1000/minute by client, as global",
        "/api/users/* 100/second; 5000/minute by client, as service user-service, advanced, "
        "store redis://redis:6379/1, on_error local",
    ]
    options = {key: value for entry in document.options for key, value in entry.values.items()}
    assert options == {
        "store": "redis://redis:6379/0",
        "on_error": "open",
        "timeout": 2.0,
        "exempt_preflight": False,
    }


def test_its_mistakes_are_named() -> None:
    plugin = "plugin rate-limiting-advanced, service user-service"
    assert differences(read_kong(str(PRINTED))) == [
        # No mistakes: refused requests, and those that both plugins limit, are counted otherwise.
        (26, f"{plugin}: disable_penalty: false, as it is unless given"),
        (26, "rate-limiting and rate-limiting-advanced for one request"),
        (30, f"{plugin}: sync_rate: 10"),
        (31, f"{plugin}: strategy: sliding"),
        (32, f"{plugin}: limits"),
        (46, "plugins of consumers"),
    ]


def test_it_limits(tmp_path: Path) -> None:
    policy = Imported(tmp_path, read_kong(str(PRINTED)), 1_700_000_040)
    free = Request("/about", consumer="free-tier")
    assert sum(policy.admits(*[free] * 101)) == 100
    # All who use one consumer's key are that consumer.
    assert policy.admits(free._replace(address="192.0.2.9")) == [False]
    assert sum(policy.admits(*[free._replace(consumer="premium-tier")] * 101)) == 101
    # 1,000 a minute by address, of which /api/users has 100 in a second.
    users = Request("/api/users/7")
    assert sum(policy.admits(*[users] * 101)) == 100
    assert sum(policy.admits(*[users._replace(path="/about")] * 1000)) == 900
    policy.clock.advance(60)
    assert policy.admits(users, users._replace(path="/about")) == [True, True]
