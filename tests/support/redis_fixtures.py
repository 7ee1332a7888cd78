"""Fixtures that start real servers; a test is skipped, with the reason, where there are none."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pytest

from redis_binaries import find_oldest_server, find_server
from redis_clock import MissingError
from redis_sentinels import Sentinels
from redis_servers import Server
from redis_topologies import Cluster

T = TypeVar("T")


class Start(Protocol):
    """``start(Server, tls=True)``: enters it for the test's time and gives what it gives."""

    def __call__(
        self,
        what: Callable[..., contextlib.AbstractContextManager[T]],
        *arguments: Any,
        **options: Any,
    ) -> T: ...


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a Server, Cluster, Sentinels or BlackHole; all end with the test, the last first."""
    with contextlib.ExitStack() as owned:

        def enter(
            what: Callable[..., contextlib.AbstractContextManager[T]],
            *arguments: Any,
            **options: Any,
        ) -> T:
            try:
                return owned.enter_context(what(*arguments, **options))
            except MissingError as missing:
                pytest.skip(str(missing))

        yield enter


@pytest.fixture(params=[find_server, find_oldest_server], ids=["", "6.2"])
def server_program(request: pytest.FixtureRequest) -> Path:
    """The server's program; and once more, the oldest that is supported."""
    try:
        program: Path = request.param()
    except MissingError as missing:
        pytest.skip(str(missing))
    return program


@pytest.fixture
def redis_server(start: Start) -> Server:
    """A server of this test's own; it starts in some 30 ms."""
    return start(Server)


@pytest.fixture
def moved_server(start: Start) -> Server:
    """A server whose wall clock the test moves."""
    return start(Server, moved_clock=True)


@pytest.fixture
def redis_cluster(start: Start) -> Cluster:
    """A Cluster of six; it starts in some 2 s."""
    return start(Cluster)


@pytest.fixture
def redis_sentinels(start: Start) -> Sentinels:
    """A primary, a replica and three Sentinels; they start in some 2 s."""
    return start(Sentinels)
