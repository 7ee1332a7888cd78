"""What a client costs in Redis, as the documents say it."""

from __future__ import annotations

import re
from pathlib import Path
from statistics import median

import pytest

import redis_binaries
from redis_programs import run
from redis_servers import Server
from sluicegate import redis as in_redis

DECISIONS = Path(__file__).parents[2] / "docs" / "decisions.md"
SERVERS = {"Valkey 8.1": (8, 1), "Redis 6.2": (6, 2)}


def documented() -> dict[tuple[str, str | None, str], int]:
    """Bytes by server, prefix and what is kept."""
    text = DECISIONS.read_text()
    (table,) = re.findall(r"<!-- measured: bytes a client in Redis -->\n(.*?)<!--", text, re.DOTALL)
    head, _, *rows = [[each.strip() for each in row[1:-1].split("|")] for row in table.splitlines()]
    found: dict[tuple[str, str | None, str], int] = {}
    for name, *numbers in rows:
        for column, number in enumerate(numbers):
            prefix = "api" if column % 2 else None
            server = head[1 + column - column % 2]
            found[server, prefix, name.replace("`", "")] = int(number.replace(",", ""))
    return found


def test_the_table_has_what_users_ask_for() -> None:
    table = documented()
    assert {server for server, _, _ in table} == set(SERVERS)
    assert len(table) == 20
    readme = (DECISIONS.parent.parent / "README.md").read_text()
    ours = [table[server, prefix, "TokenBucket"] for prefix in (None, "api") for server in SERVERS]
    said = re.search(r"takes (\d+) bytes .*? and (\d+) .*? (\d+) and (\d+);", readme, re.DOTALL)
    assert said
    assert [int(number) for number in said.groups()] == ours


@pytest.mark.parametrize("prefix", [None, "api"])
def test_a_client_takes_the_bytes_that_are_documented(
    prefix: str | None, redis_server: Server
) -> None:
    version = redis_binaries.version(redis_binaries.find_server())[:2]
    named = [name for name, known in SERVERS.items() if known == version]
    if not named:
        pytest.skip(f"what a client takes is documented of other servers than {version}")

    async def main() -> None:
        for (server, with_prefix, name), documented_bytes in documented().items():
            if (server, with_prefix) != (named[0], prefix):
                continue
            kind, _, requests = name.partition(", ")
            redis_server.command("FLUSHALL")
            quota = (100, 10) if kind == "TokenBucket" else (100, 60)
            make = getattr(in_redis, kind)
            limiter = make(redis_server.url, *quota, prefix=prefix, timeout=30, remember=False)
            for host in range(1, 10):
                for _ in range(int((requests or "1").split()[0])):
                    await limiter.check(f"203.0.113.{host}")
            keys = redis_server.command("KEYS", "*")
            assert len(keys) == 9
            # A bucket is four numbers; the text of the others has more digits at some times.
            most = 0 if kind == "TokenBucket" else 16
            # Valkey takes 16 bytes more for one key in some two hundred.
            took = median(redis_server.command("MEMORY", "USAGE", key) for key in keys)
            assert abs(took - documented_bytes) <= most, (name, took)

    run(main())
