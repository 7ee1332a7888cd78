"""The script of several limits decides as limiters in memory do: all of them spend, or none."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from gate_scripts import disagreement
from redis_servers import Server

pytest_plugins = ["redis_fixtures"]

TRACES, STEPS = 150, 60


@pytest.fixture
def client(redis_server: Server) -> Iterator[redis.Redis]:
    with redis.Redis(port=redis_server.port) as client:
        yield client


def test_it_decides_as_limiters_in_memory(client: redis.Redis) -> None:
    for seed in range(TRACES):
        assert disagreement(client, seed, STEPS) is None
