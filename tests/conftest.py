"""Fixtures for all tests, and how hard Hypothesis works."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from sluicegate import ManualClock

pytest_plugins = ["redis_fixtures", "zones"]

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # So does a shell start what it leaves in the background, and programs started here inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("ci", max_examples=60, deadline=None, derandomize=True)
settings.register_profile(
    "long", max_examples=2_000, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture
def clock() -> ManualClock:
    """A clock at Unix 0 that the test moves."""
    return ManualClock()


@pytest.fixture
def quiet_log() -> Iterator[None]:
    """Nothing is logged: random limits are such that no user would write."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)
