"""Where Kong counts, and the stores that are made of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kong_policies import differences, imported
from sluicegate.importers.text import policy_text

# Each: a plugin's configuration beside its limit, the policy's options, and what is told of as different.
STORES: dict[str, tuple[dict[str, Any], dict[str, Any], list[str]]] = {
    "on this host": ({"policy": "local"}, {"store": "shared:limits?size=12m"}, []),
    "in Kong's database": (
        {"policy": "cluster"},
        {"store": "shared:limits?size=12m"},
        ["policy: cluster"],
    ),
    "in Redis": (
        {"policy": "redis", "redis": {"host": "r.test", "port": 7000, "database": 3, "timeout": 500}},
        {"store": "redis://r.test:7000/3", "on_error": "open", "timeout": 0.5},
        [],
    ),
    "by the older keys": (
        {"policy": "redis", "redis_host": "r.test", "redis_database": 1, "fault_tolerant": False},
        {"store": "redis://r.test:6379/1", "on_error": "closed", "timeout": 2.0, "closed_status": 500},
        [],
    ),
    "with a password and TLS": (
        {
            "policy": "redis",
            "redis": {
                "host": "r.test", "username": "us er", "password": "hunter2!", "ssl": True,
                "ssl_verify": True,
            },
        },
        {"store": "rediss://us%20er:${REDIS_PASSWORD}@r.test:6379/0", "on_error": "open", "timeout": 2.0},
        [],
    ),
    "with a password of the environment": (
        {
            "policy": "redis",
            "redis": {"host": "{vault://env/redis-host}", "password": '${{ env "DECK_REDIS" }}'},
        },
        {"store": "redis://:${DECK_REDIS}@${REDIS_HOST}:6379/0", "on_error": "open", "timeout": 2.0},
        [],
    ),
    "without a check of the certificate": (
        {"policy": "redis", "redis": {"host": "::1", "ssl": True, "server_name": "x"}},
        {"store": "rediss://[::1]:6379/0", "on_error": "open", "timeout": 2.0},
        ["ssl of Redis without ssl_verify", "server_name of Redis"],
    ),
    "counted later": (
        {"policy": "redis", "redis": {"host": "r.test"}, "sync_rate": 5},
        {"store": "redis://r.test:6379/0", "on_error": "open", "timeout": 2.0},
        ["sync_rate: 5"],
    ),
    "a month on this host": (
        {"policy": "local", "month": 9},
        {},
        ["month or year, on this host"],
    ),
}  # fmt: skip
ADVANCED: dict[str, tuple[dict[str, Any], dict[str, Any], list[str]]] = {
    "a cluster": (
        {
            "strategy": "redis", "sync_rate": 0,
            "redis": {"cluster_nodes": [{"ip": "a.test"}, {"ip": "b.test", "port": 1}]},
        },
        {"store": "redis+cluster://a.test:6379,b.test:1", "on_error": "local", "timeout": 2.0},
        [],
    ),
    "sentinels": (
        {
            "strategy": "redis", "sync_rate": 0,
            "redis": {"sentinel_addresses": ["a.test:1", "b.test:2"], "sentinel_master": "main"},
        },
        {"store": "redis+sentinel://a.test:1,b.test:2/main/0", "on_error": "local", "timeout": 2.0},
        [],
    ),
    "without sync_rate": (
        {"strategy": "redis", "redis": {"host": "r.test"}},
        {"store": "redis://r.test:6379/0", "on_error": "local", "timeout": 2.0},
        ["sync_rate"],
    ),
    "never told": (
        {"strategy": "redis", "sync_rate": -1, "redis": {"host": "r.test"}},
        {"store": "shared:limits?size=12m"},
        ["sync_rate: -1"],
    ),
    "told for nothing": (
        {"strategy": "local", "sync_rate": 3},
        {"store": "shared:limits?size=12m"},
        ["sync_rate: 3"],
    ),
}  # fmt: skip


def _check(
    tmp_path: Path, plugin: dict[str, Any], options: dict[str, Any], different: list[str]
) -> None:
    document = imported(tmp_path, {"plugins": [plugin]})
    found = {key: value for entry in document.options for key, value in entry.values.items()}
    assert found.pop("exempt_preflight") is False
    assert found == options
    told = [what for _, what in differences(document)]
    begins = f"plugin {plugin['name']}, global: "
    assert told == [begins + what for what in different]
    assert "hunter2" not in policy_text(document)


@pytest.mark.parametrize("name", STORES)
def test_stores_of_the_plugin(name: str, tmp_path: Path) -> None:
    config, options, different = STORES[name]
    plugin = {"name": "rate-limiting", "config": {"minute": 5, **config}}
    _check(tmp_path, plugin, options, different)


@pytest.mark.parametrize("name", ADVANCED)
def test_stores_of_the_advanced_plugin(name: str, tmp_path: Path) -> None:
    config, options, different = ADVANCED[name]
    limit = {"limit": [5], "window_size": [60], "disable_penalty": True}
    _check(
        tmp_path,
        {"name": "rate-limiting-advanced", "config": {**limit, **config}},
        options,
        different,
    )


def test_each_password_has_a_name(tmp_path: Path) -> None:
    services = [{"name": name, "url": "http://app"} for name in ("a", "b", "c")]
    hosts = {"a": ("r.test", "hunter1!"), "b": ("s.test", "hunter2!"), "c": ("r.test", "hunter1!")}
    plugins = [
        {
            "name": "rate-limiting",
            "service": name,
            "config": {"minute": 5, "policy": "redis", "redis": {"host": host, "password": secret}},
        }
        for name, (host, secret) in hosts.items()
    ]
    routes = [{"name": name, "service": name, "paths": [f"/{name}"]} for name in hosts]
    document = imported(tmp_path, {"services": services, "routes": routes, "plugins": plugins})
    first, second = (
        "redis://:${REDIS_PASSWORD}@r.test:6379/0",
        "redis://:${REDIS_PASSWORD_2}@s.test:6379/0",
    )
    assert document.options[0].values["store"] == first
    assert [rule.values.get("store") for rule in document.rules] == [None, second, None]
    text = policy_text(document)
    assert "hunter" not in text
    assert "# ${REDIS_PASSWORD_2} is to hold the password" in text
