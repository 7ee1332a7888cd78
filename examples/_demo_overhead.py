"""What the middleware adds to a request, without the network's noise."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from statistics import median
from typing import Any

from _demo_server import make_api
from _demo_story import Contestant, make_limiter
from fastapi import FastAPI


@dataclass(frozen=True)
class Overhead:
    """Microseconds of a request to the bare app, and what each contestant adds to it."""

    bare: float
    added: list[float]


def _scope() -> dict[str, Any]:
    """What uvicorn passes for a small request."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 50000),
        "scheme": "http",
        "method": "GET",
        "root_path": "",
        "path": "/quote",
        "raw_path": b"/quote",
        "query_string": b"",
        "headers": [(b"host", b"demo"), (b"user-agent", b"demo/1"), (b"accept", b"*/*")],
        "state": {},
    }


async def _receive() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _send(message: MutableMapping[str, Any]) -> None:
    if message.get("status", 200) != 200:
        raise RuntimeError(f"the request was answered with {message['status']}, not with 200")


async def _one_round(api: FastAPI, requests: int) -> float:
    """Microseconds a request."""
    scopes = [_scope() for _ in range(requests)]
    start = time.perf_counter_ns()
    for scope in scopes:
        await api(scope, _receive, _send)
    return (time.perf_counter_ns() - start) / requests / 1e3


async def _compare(
    limited: list[FastAPI], rounds: int, requests: int, stopped: Callable[[], bool]
) -> Overhead:
    bare = make_api()
    alone: list[float] = []
    added: list[list[float]] = [[] for _ in limited]
    for warm in (bare, *limited):
        await _one_round(warm, requests)
    for _ in range(rounds):
        for api, differences in zip(limited, added, strict=True):
            alone.append(await _one_round(bare, requests))
            differences.append(await _one_round(api, requests) - alone[-1])
        if stopped():
            break
    return Overhead(median(alone), [median(differences) for differences in added])


def measure(
    contestants: list[Contestant], rounds: int, requests: int, stopped: Callable[[], bool]
) -> Overhead:
    """What the middleware adds to an admitted request, all headers included.

    The same app is called in this process with and without it, in turns; medians. Ends
    after the round in which ``stopped`` becomes true.
    """
    # A refusal is cheaper than the route it saves, so only admitted requests are
    # compared: with a quota that the measuring cannot use up.
    plenty = (rounds + 1) * requests + 1
    limited = [make_api(make_limiter(each.path, plenty, 3600.0)) for each in contestants]
    gc.disable()  # a collection would land on one side of a comparison
    try:
        return asyncio.run(_compare(limited, rounds, requests, stopped))
    finally:
        gc.enable()
