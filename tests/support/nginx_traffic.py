"""Requests from many addresses at planned times, and what became of each."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from typing import NamedTuple

from nginx_limits import NginxLimits, Outcome, Request
from nginx_scenarios import Scenario

#: How exact the time is for which a request is held.
HELD = 15


class Answer(NamedTuple):
    """What a client got.

    Attributes:
        sent: milliseconds from the beginning.
        took: milliseconds until the answer began.
    """

    status: int
    sent: float
    took: float
    headers: dict[str, str]


def planned(
    model: Callable[[], NginxLimits], scenario: Scenario, seed: int, groups: int
) -> tuple[list[Request], list[Outcome]]:
    """Traffic of which no outcome hangs on the scenario's margin: arrivals are moved until that is so."""
    source = random.Random(seed)
    requests: list[Request] = []
    now = 0
    for group in range(groups):
        drawn = scenario.make(source)
        for moved in range(0, 400, 13):
            tried = [each._replace(at=now + each.at + moved) for each in drawn]
            if (
                all(later.at >= now for later in tried)
                and _margin(model, [*requests, *tried]) >= scenario.margin
            ):
                requests += tried
                now = max(each.at for each in tried)
                break
        else:
            raise AssertionError(f"group {group} cannot be moved away from all boundaries")
    requests.sort(key=lambda request: request.at)
    return requests, model().run(requests)


def _margin(model: Callable[[], NginxLimits], requests: list[Request]) -> float:
    limits = model()
    limits.run(sorted(requests, key=lambda request: request.at))
    return limits.margin


def sent(port: int, requests: list[Request]) -> list[Answer]:
    """Send all at their times, each over a connection of its own from its client's address."""
    return asyncio.run(_all(port, requests))


async def _all(port: int, requests: list[Request]) -> list[Answer]:
    start = time.perf_counter() + 0.3
    return list(await asyncio.gather(*(_one(port, request, start) for request in requests)))


async def _one(port: int, request: Request, start: float) -> Answer:
    at = start + request.at / 1000
    await asyncio.sleep(max(at - time.perf_counter() - 0.15, 0))
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, local_addr=(request.address, 0)
    )
    try:
        headers = {"host": "localhost", "connection": "close", **dict(request.headers)}
        if request.hold:
            headers["x-hold"] = str(request.hold)
        lines = [f"GET {request.path} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items()), "", ""]
        await asyncio.sleep(max(at - time.perf_counter(), 0))
        begun = time.perf_counter()
        writer.write("\r\n".join(lines).encode())
        head = await reader.readuntil(b"\r\n\r\n")
        took = time.perf_counter() - begun
        await reader.read()
    finally:
        writer.close()
    status, *fields = head.decode().split("\r\n")
    pairs = (field.partition(": ") for field in fields if field)
    return Answer(
        int(status.split()[1]),
        (begun - start) * 1000,
        took * 1000,
        {name.lower(): value for name, _, value in pairs},
    )


def paired(
    requests: list[Request], answers: list[Answer], outcomes: list[Outcome], refused: int
) -> list[tuple[Request, Answer, Outcome]]:
    """Each request with its answer and outcome; of those that are alike in any order, as they came."""
    alike: dict[Request, tuple[list[Answer], list[Outcome]]] = {}
    for request, answer, outcome in zip(requests, answers, outcomes, strict=True):
        its = alike.setdefault(request, ([], []))
        its[0].append(answer)
        its[1].append(outcome)
    return [
        (request, answer, outcome)
        for request, (got, due) in alike.items()
        for answer, outcome in zip(
            sorted(got, key=lambda each: (each.status == refused, each.took)),
            sorted(due, key=lambda each: (each.kind == "refused", each.delay)),
            strict=True,
        )
    ]


def is_certain(pairs: list[tuple[Request, Answer, Outcome]], margin: int) -> bool:
    """Whether all came so near to their times that no outcome can be another."""
    return all(
        answer.sent - request.at + max(answer.took - outcome.delay - request.hold, 0) < margin
        for request, answer, outcome in pairs
    )


def unlike(pairs: list[tuple[Request, Answer, Outcome]], refused: int) -> list[str]:
    """All requests that were refused and should not have been, or the other way round."""
    return [
        f"{request}: {outcome}, and got {answer}"
        for request, answer, outcome in pairs
        if (answer.status == refused) != (outcome.kind == "refused")
    ]


def early(pairs: list[tuple[Request, Answer, Outcome]]) -> list[float]:
    """By how many milliseconds each answer came too early, those of admitted requests.

    A request that is late is held less, since its slot is that of the plan.
    """
    return [
        request.at + outcome.delay + request.hold - answer.sent - answer.took
        for request, answer, outcome in pairs
        if outcome.kind != "refused"
    ]


def late(pairs: list[tuple[Request, Answer, Outcome]]) -> list[float]:
    """By how many milliseconds each took too long."""
    return [
        answer.took - outcome.delay - request.hold
        for request, answer, outcome in pairs
        if outcome.kind != "refused"
    ]
