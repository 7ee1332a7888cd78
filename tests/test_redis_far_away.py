"""A server at the other end of the world: connecting has as much time as it needs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from polling import until
from redis_faults import BlackHole
from redis_load import AGES, PLENTY, answered_by, run
from redis_sentinels import SERVICE
from redis_servers import Server
from redis_tls import Certificates
from redis_wire import HOST
from sluicegate.redis import FixedWindow

if TYPE_CHECKING:
    from pathlib import Path

    from redis_fixtures import Start

ROUND_TRIP = 0.31
PASSWORD = "word"


def far(start: Start, port: int) -> BlackHole:
    proxy = start(BlackHole, port)
    proxy.delay(ROUND_TRIP)
    return proxy


def plain(start: Start, _: Path) -> str:
    return far(start, start(Server).port).url


def with_tls_and_a_password(start: Start, folder: Path) -> str:
    certificates = Certificates(folder)
    server = start(Server, password=PASSWORD)
    encrypts = start(BlackHole, server.port, tls=certificates.server_context())
    port, file = far(start, encrypts.port).port, quote(str(certificates.ca_file), "")
    return f"rediss://:{PASSWORD}@{HOST}:{port}/0?ssl_ca_certs={file}"


def by_sentinel(start: Start, _: Path) -> str:
    primary = start(Server)
    config = {f"sentinel monitor {SERVICE}": f"{HOST} {primary.port} 1"}
    sentinel = start(Server, sentinel=True, config=config)
    return f"redis+sentinel://{HOST}:{far(start, sentinel.port).port}/{SERVICE}"


def by_a_node_of_a_cluster(start: Start, _: Path) -> str:
    server = start(Server, config={"cluster-enabled": "yes"})
    server.command("CLUSTER", "ADDSLOTS", *range(16_384))
    until(lambda: b"cluster_state:ok" in server.command("CLUSTER", "INFO"), "cluster ok")
    return f"redis+cluster://{HOST}:{far(start, server.port).port}"


@pytest.mark.parametrize(
    "where", [plain, with_tls_and_a_password, by_sentinel, by_a_node_of_a_cluster]
)
@pytest.mark.parametrize("timeout", [0.5, 20])
def test_it_connects_whatever_the_timeout_is(
    start: Start, where: object, timeout: float, tmp_path: Path
) -> None:
    assert callable(where)
    url = where(start, tmp_path)

    async def main() -> None:
        async with FixedWindow(url, PLENTY, AGES, timeout=timeout) as limiter:
            first = await limiter.check("key")
            assert first.store == "redis" or timeout < 1
            print(f"answered by Redis after {await answered_by(limiter, within=30):.1f} s")

    run(main())


def test_a_limiter_in_a_hurry_does_not_end_the_connection(start: Start) -> None:
    proxy = far(start, start(Server).port)

    async def main() -> None:
        patient = FixedWindow(proxy.url, PLENTY, AGES, timeout=20, on_error="raise")
        hasty = FixedWindow(proxy.url, PLENTY, AGES, timeout=0.2)
        await patient.check("key")
        attempts = proxy.connections
        for _ in range(4):
            assert (await hasty.check("key")).store == "local"
            assert (await patient.check("key")).store == "redis"
        assert proxy.connections == attempts
        await asyncio.sleep(0)

    run(main())
