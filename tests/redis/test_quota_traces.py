"""A key whose quota changes is decided in Redis as in memory, whatever changes to what."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from quota_traces import STEPS, difference, traces
from redis_fixtures import Start
from redis_servers import Server
from script_traces import KINDS, source, timed

MUTANTS = [
    ("rest > 0 and whole + 1 or whole", "whole"),
    ("whole + 1, rest - token", "whole, rest - token"),
    ("(grains - part) / token, part)", "(grains - part) / token, 0)"),
    ("  grains, per_tick = token, rate", ""),
    ("token ~= grains or rate ~= per_tick", "token ~= grains"),
    ("token ~= grains or rate ~= per_tick", "rate ~= per_tick"),
    ("local missing = owed", "local missing = math.min(owed, capacity)"),
    ("or whole, 2^52)", "or whole, capacity)"),
    ("token, rate = nil, grains, per_tick", "token, rate = nil, token, rate"),
    ("token, rate = nil, grains, per_tick", "token, rate = missing, grains, per_tick"),
]


@pytest.fixture
def server(start: Start) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(start(Server).url) as client:
        yield client


def compare(server: redis.Redis, kind: str, count: int) -> None:
    digest = server.script_load(timed(source(kind)))
    for trace in traces(kind, seed=1, count=count):
        assert difference(server, digest, trace) is None
    print(f"{kind}: {count * STEPS} operations, no difference")


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_whose_quota_changes_is_decided_alike(server: redis.Redis, kind: str) -> None:
    compare(server, kind, 60)


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_a_hundred_thousand_of_them(server: redis.Redis, kind: str) -> None:
    compare(server, kind, 1_700)


@pytest.mark.parametrize(("old", "new"), MUTANTS)
def test_a_wrong_bucket_is_caught(server: redis.Redis, old: str, new: str) -> None:
    script = source("token_bucket")
    assert script.count(old) == 1
    digest = server.script_load(timed(script.replace(old, new)))
    assert any(difference(server, digest, trace) for trace in traces("token_bucket", 2, 1_000))
