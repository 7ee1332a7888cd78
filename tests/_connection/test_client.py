"""Settings read from real clients of redis-py, none of which connects."""

from __future__ import annotations

import ssl
import sys
from pathlib import Path
from typing import Any

import pytest
import redis
import redis.asyncio
import redis.asyncio.sentinel
import redis.cluster
import redis.sentinel

from redis_settings import alone, many, told, unix
from sluicegate._connection.settings import Settings, settings_of

TLS = {"ssl": True, "ssl_check_hostname": True}  # redis-py 5 checks no name unless told to
PROVIDER = {"credential_provider": redis.UsernamePasswordCredentialProvider("u", "Hunter2")}
LIBRARIES = pytest.mark.parametrize("library", [redis.asyncio, redis], ids=["async", "sync"])
SENTINELS = pytest.mark.parametrize(
    "sentinel", [redis.asyncio.sentinel.Sentinel, redis.sentinel.Sentinel], ids=["async", "sync"]
)


@SENTINELS
@LIBRARIES
def test_parts_of_redis_py_are_no_clients(sentinel: Any, library: Any) -> None:
    for wrong in (sentinel([("a", 1)]), library.ConnectionPool(password="Hunter2"), library.Redis):
        with pytest.raises(TypeError, match="master_for") as caught:
            settings_of(wrong)
        assert "Hunter2" not in told(caught.value)


@LIBRARIES
@pytest.mark.parametrize(
    ("options", "settings"),
    [
        ({}, alone()),
        ({"host": "H", "port": "7000", "db": "2"}, alone("h", 7000, db=2)),
        (
            {"host": "::1", "username": "u", "password": "p"},
            alone("::1", username="u", password="p"),
        ),
        ({"username": "", "password": ""}, alone()),
        ({"client_name": "web", "protocol": 3}, alone(client_name="web")),
        (TLS, alone(tls=True)),
        ({**TLS, "ssl_cert_reqs": "optional"}, alone(tls=True)),
        ({**TLS, "ssl_cert_reqs": ssl.CERT_REQUIRED}, alone(tls=True)),
        ({**TLS, "ssl_cert_reqs": ssl.CERT_NONE}, alone(tls=True, tls_insecure=True)),
        ({**TLS, "ssl_cert_reqs": None}, alone(tls=True, tls_insecure=True)),
        (
            {"ssl": True, "ssl_cert_reqs": "none", "ssl_check_hostname": False},
            alone(tls=True, tls_insecure=True),
        ),
        ({**TLS, "ssl_ca_certs": Path("/ca")}, alone(tls=True, ca_file="/ca")),
        (
            {**TLS, "ssl_certfile": "/c", "ssl_keyfile": "/k"},
            alone(tls=True, cert_file="/c", key_file="/k"),
        ),
        ({"unix_socket_path": "/r", "db": 1, "password": "p"}, unix("/r", db=1, password="p")),
        ({"unix_socket_path": Path("/r")}, unix("/r")),
        (
            {"socket_timeout": 9, "socket_connect_timeout": 9, "max_connections": 3}
            | {"decode_responses": True, "health_check_interval": 7, "socket_keepalive": True},
            alone(),
        ),
    ],
)
def test_clients(library: Any, options: dict[str, Any], settings: Settings) -> None:
    assert settings_of(library.Redis(**options)) == settings


@LIBRARIES
@pytest.mark.parametrize(
    "url",
    [
        "redis://",
        "redis://h:7000/2",
        "redis://u:p%2F@h?db=3&client_name=x&protocol=3",
        "redis://:p@[::1]:7000",
        "redis://u@h",
        "redis://h?password=a+b&socket_timeout=3&health_check_interval=1",
        "rediss://h?ssl_cert_reqs=none",
        "rediss://h?ssl_ca_certs=/ca&ssl_certfile=/c&ssl_keyfile=/k",
        "unix:///run/r.sock?db=1",
        "unix://u:p@/run/r%20s.sock",
    ],
)
def test_a_url_and_the_client_made_of_it_agree(library: Any, url: str) -> None:
    assert settings_of(library.Redis.from_url(url)) == settings_of(url)
    pool = library.BlockingConnectionPool.from_url(url)
    assert settings_of(library.Redis(connection_pool=pool)) == settings_of(url)


@LIBRARIES
def test_a_client_of_a_class_of_ones_own(library: Any) -> None:
    class Mine(library.Redis):
        pass

    assert settings_of(Mine(host="h")) == alone("h")


@LIBRARIES
@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({**TLS, "ssl_ca_data": "Hunter2"}, "ssl_ca_data"),
        ({**TLS, "ssl_ca_path": "/dir"}, "ssl_ca_path"),
        ({**TLS, "ssl_password": "Hunter2"}, "ssl_password"),
        ({**TLS, "ssl_password": "none"}, "ssl_password"),
        ({**TLS, "ssl_keyfile": "/k"}, "ssl_certfile"),
        ({**TLS, "ssl_cert_reqs": "Hunter2"}, "ssl_cert_reqs"),
        ({**TLS, "ssl_check_hostname": False}, "ssl_check_hostname"),
        ({**TLS, "ssl_min_version": ssl.TLSVersion.TLSv1_3}, "ssl_min_version"),
        ({**TLS, "ssl_ciphers": "ECDHE"}, "ssl_ciphers"),
        (PROVIDER, "credential_provider"),
        ({"redis_connect_func": print}, "redis_connect_func"),
        ({"connection_class": "Custom"}, "connection_class .*Custom"),
        ({"password": b"Hunter2"}, "password"),
        ({"password": "Hunter2\udcff"}, "password"),
        ({"host": ""}, "host"),
        ({"port": 0}, "port"),
        ({"port": "Hunter2"}, "port"),
        ({"db": -1}, "db"),
        ({"db": "Hunter2"}, "db"),
        ({"client_name": "Hunter2 x"}, "client_name"),
        ({"unix_socket_path": ""}, "path"),
    ],
)
def test_what_cannot_be_honoured_is_named(library: Any, options: dict[str, Any], name: str) -> None:
    options = dict(options)
    if options.pop("ssl", False):
        options["connection_class"] = library.SSLConnection
    elif "connection_class" in options:
        options["connection_class"] = type("Custom", (library.Connection,), {})
    elif "unix_socket_path" in options:
        path = options.pop("unix_socket_path")
        options |= {"path": path, "connection_class": library.UnixDomainSocketConnection}
    client = library.Redis(connection_pool=library.ConnectionPool(**options))
    with pytest.raises(ValueError, match=f"^redis must .*{name}") as caught:
        settings_of(client)
    assert "Hunter2" not in told(caught.value)


@SENTINELS
def test_clients_of_sentinels(sentinel: Any) -> None:
    watched = sentinel(
        [("a", 26379), ("b", 7000)],
        sentinel_kwargs={"username": "su", "password": "sp"},
        socket_timeout=1,
        username="u",
        password="p",
        db=3,
    )
    url = "redis+sentinel://u:p@a,b:7000/main/3?sentinel_username=su&sentinel_password=sp"
    assert settings_of(watched.master_for("main")) == settings_of(url)
    with pytest.raises(ValueError, match=r"Sentinel\.master_for"):
        settings_of(watched.slave_for("main"))


@SENTINELS
def test_sentinels_over_tls(sentinel: Any) -> None:
    options = {**TLS, "ssl_ca_certs": "/ca"}
    client = sentinel([("a", 1)], sentinel_kwargs=options, **options).master_for("m")
    assert settings_of(client) == settings_of("rediss+sentinel://a:1/m?ssl_ca_certs=/ca")
    for watching, watched in (({}, options), (options, {}), ({**options, **TLS}, TLS)):
        client = sentinel([("a", 1)], sentinel_kwargs=watching, **watched).master_for("m")
        with pytest.raises(ValueError, match="same TLS settings for the sentinels"):
            settings_of(client)


@SENTINELS
@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"min_other_sentinels": 2}, "min_other_sentinels"),
        ({"force_master_ip": "10.0.0.1"}, "force_master_ip"),
        ({"sentinels": []}, "at least one sentinel"),
        ({"ssl_ca_data": "x", **TLS}, "ssl_ca_data"),
        ({"sentinel_kwargs": {"redis_connect_func": print}}, "redis_connect_func"),
    ],
)
def test_what_cannot_be_honoured_of_sentinels(
    sentinel: Any, options: dict[str, Any], name: str
) -> None:
    watched = sentinel(**{"sentinels": [("a", 1)], **options})
    if "force_master_ip" in options and not hasattr(watched, "_force_master_ip"):
        pytest.skip("SKIPPED: this redis-py has no force_master_ip")
    with pytest.raises(ValueError, match=f"^redis must .*{name}"):
        settings_of(watched.master_for("m"))


@pytest.fixture(params=[redis.asyncio, redis], ids=["async", "sync"])
def cluster(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """redis-py's RedisCluster, whose synchronous form would otherwise connect when made."""

    def none(manager: Any, *_: Any, **__: Any) -> None:
        pass

    monkeypatch.setattr(redis.cluster.NodesManager, "initialize", none)
    monkeypatch.setattr(redis.cluster.CommandsParser, "initialize", none)
    return request.param.RedisCluster


def cluster_nodes(cluster: Any, *nodes: tuple[str, int]) -> list[Any]:
    module: Any = sys.modules[cluster.__module__]
    return [module.ClusterNode(host, port) for host, port in nodes]


def test_clients_of_clusters(cluster: Any) -> None:
    client = cluster(host="h", port=7000, username="u", password="p", client_name="web")
    expected = many("cluster", ("h", 7000), username="u", password="p", client_name="web")
    assert settings_of(client) == expected
    client = cluster(startup_nodes=cluster_nodes(cluster, ("a", 6379), ("b", 7000)))
    assert settings_of(client) == settings_of("redis+cluster://a,b:7000")
    client = cluster(host="h", port=6379, **TLS, ssl_ca_certs="/ca")
    assert settings_of(client) == many("cluster", ("h", 6379), tls=True, ca_file="/ca")
    if hasattr(redis.cluster, "LoadBalancingStrategy"):
        strategy = redis.cluster.LoadBalancingStrategy.ROUND_ROBIN
        client = cluster(host="h", port=6379, load_balancing_strategy=strategy)
        assert settings_of(client) == many("cluster", ("h", 6379))


def test_clusters_by_url(cluster: Any) -> None:
    for url in ("redis://u:p@h:7000", "rediss://h:7000?ssl_cert_reqs=none"):
        client = cluster.from_url(url)
        assert settings_of(client) == settings_of(url.replace("://", "+cluster://"))


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"address_remap": lambda address: address}, "address_remap"),
        ({**TLS, "ssl_ca_data": "x"}, "ssl_ca_data"),
        ({**TLS, "ssl_certfile": "", "ssl_keyfile": "/k"}, "ssl_certfile"),
        (PROVIDER, "credential_provider"),
    ],
)
def test_what_cannot_be_honoured_of_clusters(
    cluster: Any, options: dict[str, Any], name: str
) -> None:
    with pytest.raises(ValueError, match=f"^redis must .*{name}") as caught:
        settings_of(cluster(host="h", port=6379, **options))
    assert "Hunter2" not in told(caught.value)
