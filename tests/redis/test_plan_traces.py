"""Receipts of keys whose quota changes: Redis, memory and a slow model agree."""

from __future__ import annotations

import pytest

from plan_traces import KINDS, disagreement
from redis_servers import Server

pytest_plugins = ["redis_fixtures"]

STEPS = 60


@pytest.mark.parametrize("kind", KINDS)
def test_redis_memory_and_a_model_agree(kind: str, moved_server: Server) -> None:
    for seed in range(20):
        assert disagreement(kind, moved_server, seed, STEPS) is None


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_they_agree_for_long(kind: str, moved_server: Server) -> None:
    """More than 100,000 steps in all."""
    for seed in range(1000, 1400):
        assert disagreement(kind, moved_server, seed, STEPS) is None
    print(f"{kind}: {400 * STEPS} steps, no difference")
