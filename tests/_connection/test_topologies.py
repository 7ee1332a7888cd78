"""A server by TCP, Unix socket and TLS, with users and databases, by URL and by client."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
import redis.asyncio
import trustme

from redis_faults import BlackHole
from redis_load import AGES, LIMITERS, run
from redis_servers import Server
from redis_tls import Certificates
from sluicegate.redis import FixedWindow, StoreError

if TYPE_CHECKING:
    from redis_fixtures import Start

SECRET = 'p@ss:w/rd? "1"'


async def used(url: object) -> None:
    """Every algorithm admits three of four and gives one back, and the server decides all."""
    for name, make in LIMITERS.items():
        async with make(url, 3, AGES, prefix=name, on_error="raise") as limiter:
            decisions = await limiter.check_many(["key"] * 4)
            assert sum(map(bool, decisions)) == 3
            await limiter.refund("key")
            assert (await limiter.peek("key")).remaining == 1
            assert (await limiter.check("key")).store == "redis"
            await limiter.ping()


def refusal(url: object) -> str:
    """What the error of a limiter says that must not get through; and that ping says the same."""

    async def main() -> str:
        async with FixedWindow(url, 3, AGES, timeout=1, on_error="raise") as limiter:
            with pytest.raises(StoreError) as checked:
                await limiter.check("key")
            with pytest.raises(StoreError) as pinged:
                await limiter.ping()
            print(checked.value)
            return f"{checked.value} {pinged.value}"

    said = run(main())
    # The closed limiter may try once more; a proxy that ends in a handshake complains.
    time.sleep(0.5 if "rediss" in str(url) else 0)
    return said


def test_tcp_and_a_unix_socket(start: Start) -> None:
    server = start(Server, unixsocket=True)
    run(used(server.url))
    tcp = server.command("DBSIZE")
    server.command("FLUSHALL")
    run(used(server.unix_url))
    assert tcp == server.command("DBSIZE") == len(LIMITERS)
    # They are different places, and one state.
    one, other = FixedWindow(server.url, 3, AGES), FixedWindow(server.unix_url, 3, AGES)

    async def both() -> list[int]:
        return [(await limiter.check("both")).remaining for limiter in (one, other)]

    assert run(both()) == [2, 1]
    assert "No such file" in refusal(f"unix://{server.folder}/none")


def test_a_database_by_its_number(redis_server: Server) -> None:
    place = redis_server.url.removesuffix("/0")
    for url in (f"{place}/3", f"{place}?db=3"):
        redis_server.command("FLUSHALL")
        run(used(url))
        keyspace = redis_server.command("INFO", "keyspace").decode().split()
        assert [row.split(":")[0] for row in keyspace[2:]] == ["db3"]
    assert "out of range" in refusal(f"{place}/9999")


def test_users_and_passwords(start: Start) -> None:
    server = start(Server, user="alice", password=SECRET)
    alone = start(Server, password=SECRET)
    run(used(server.url))
    run(used(alone.url))
    address = f"127.0.0.1:{server.port}"
    wrong = "Hunter2-" + SECRET
    for login in (
        f"alice:{quote(wrong, '')}@",
        f":{quote(wrong, '')}@",
        f"bob:{quote(SECRET, '')}@",
    ):
        said = refusal(f"redis://{login}{address}")
        assert not {wrong, quote(wrong, ""), SECRET, quote(SECRET, ""), "Hunter2"} & set(
            said.split()
        )
        assert "Hunter2" not in said
        assert SECRET not in said
        assert "assword" in said
    assert "NOAUTH" in refusal(f"redis://{address}") or "uthentication" in refusal(
        f"redis://{address}"
    )


def test_a_user_that_may_do_nothing_is_told_of(redis_server: Server) -> None:
    redis_server.command("ACL", "SETUSER", "idle", "on", ">word", "~*", "+ping")
    url = f"redis://idle:word@127.0.0.1:{redis_server.port}"
    assert "permission" in refusal(url).lower()


def test_tls_by_the_authority_that_is_named(start: Start, tmp_path: Path) -> None:
    server = start(Server, tls=True)
    other = Certificates(tmp_path)
    run(used(f"{server.url}?ssl_ca_certs={quote(str(server.certificates.ca_file), '')}"))
    server.command("FLUSHALL")
    run(used(f"{server.url}?ssl_cert_reqs=none"))
    for url in (server.url, f"{server.url}?ssl_ca_certs={quote(str(other.ca_file), '')}"):
        assert "certificate" in refusal(url)
    refusal(server.url.replace("rediss", "redis"))


def test_tls_with_the_certificate_of_another_name(start: Start, tmp_path: Path) -> None:
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("another.example").configure_cert(context)
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    proxy = start(BlackHole, start(Server).port, tls=context)
    assert "certificate" in refusal(f"{proxy.url}?ssl_ca_certs={quote(str(file), '')}")
    run(used(f"{proxy.url}?ssl_cert_reqs=none"))


def test_an_authority_that_is_no_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"ssl_ca_certs .*none\.pem.* cannot be read"):
        FixedWindow(f"rediss://localhost?ssl_ca_certs={tmp_path}/none.pem", 3, AGES)


def test_an_authority_without_a_certificate_is_named(tmp_path: Path) -> None:
    file = tmp_path / "garbage.pem"
    file.write_text("no certificate")
    with pytest.raises(ValueError, match=file.name):
        FixedWindow(f"rediss://localhost?ssl_ca_certs={file}", 3, AGES)


CLIENTS: dict[str, Callable[[Server], redis.asyncio.Redis]] = {
    "tcp": lambda server: redis.asyncio.Redis(
        port=server.port, host="127.0.0.1", username="alice", password=SECRET, db=2
    ),
    "url": lambda server: redis.asyncio.Redis.from_url(
        f"{server.url}?ssl_ca_certs={server.certificates.ca_file}", decode_responses=True
    ),
    "unix": lambda server: redis.asyncio.Redis(
        unix_socket_path=str(server.unix_path), username="alice", password=SECRET
    ),
    "tls": lambda server: redis.asyncio.Redis(
        host="127.0.0.1",
        port=server.tls_port,
        username="alice",
        password=SECRET,
        ssl=True,
        ssl_check_hostname=True,
        ssl_ca_certs=str(server.certificates.ca_file),
    ),
}


@pytest.mark.parametrize("kind", CLIENTS)
def test_a_client_of_redis_py_instead_of_a_url(start: Start, kind: str) -> None:
    server = start(Server, unixsocket=True, tls=True, user="alice", password=SECRET)

    async def main() -> None:
        async with CLIENTS[kind](server) as client:
            await used(client)
            # Its own connections are its owner's, as they were.
            assert await client.ping()
            assert await client.dbsize() == len(LIMITERS)

    run(main())
