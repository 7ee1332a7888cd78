"""A server at the other end of the world: connecting has as much time as it needs."""

from __future__ import annotations

import time
from collections.abc import Callable
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


Where = tuple[str, list[BlackHole]]


def plain(start: Start, _: Path) -> Where:
    proxy = far(start, start(Server).port)
    return proxy.url, [proxy]


def with_tls_and_a_password(start: Start, folder: Path) -> Where:
    certificates = Certificates(folder)
    server = start(Server, password=PASSWORD)
    encrypts = start(BlackHole, server.port, tls=certificates.server_context())
    proxy, file = far(start, encrypts.port), quote(str(certificates.ca_file), "")
    url = f"rediss://:{PASSWORD}@{HOST}:{proxy.port}/0?ssl_ca_certs={file}"
    return url, [proxy, encrypts]


def by_sentinel(start: Start, _: Path) -> Where:
    primary = start(Server)
    config = {f"sentinel monitor {SERVICE}": f"{HOST} {primary.port} 1"}
    proxy = far(start, start(Server, sentinel=True, config=config).port)
    return f"redis+sentinel://{HOST}:{proxy.port}/{SERVICE}", [proxy]


def by_a_node_of_a_cluster(start: Start, _: Path) -> Where:
    server = start(Server, config={"cluster-enabled": "yes"})
    server.command("CLUSTER", "ADDSLOTS", *range(16_384))
    until(lambda: b"cluster_state:ok" in server.command("CLUSTER", "INFO"), "cluster ok")
    proxy = far(start, server.port)
    return f"redis+cluster://{HOST}:{proxy.port}", [proxy]


@pytest.mark.parametrize(
    "where", [plain, with_tls_and_a_password, by_sentinel, by_a_node_of_a_cluster]
)
@pytest.mark.parametrize("timeout", [0.5, 20])
def test_it_connects_whatever_the_timeout_is(
    start: Start, where: Callable[[Start, Path], Where], timeout: float, tmp_path: Path
) -> None:
    url, proxies = where(start, tmp_path)

    async def main() -> None:
        async with FixedWindow(url, PLENTY, AGES, timeout=timeout) as limiter:
            first = await limiter.check("key")
            assert first.store == "redis" or timeout < 1
            print(f"answered by Redis after {await answered_by(limiter, within=30):.1f} s")

    run(main())
    # A proxy that ends before it has seen that its clients have gone complains.
    for proxy in proxies:
        until(lambda proxy=proxy: proxy.open == 0, "closed")
    time.sleep(0.5 if len(proxies) > 1 else 0)  # nor are handshakes counted


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

    run(main())
