"""A scenario's traffic, sent to a server at exact times, and what it does beside the model."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

import pytest

from nginx_limits import NginxLimits, Outcome, Request
from nginx_scenarios import Scenario
from nginx_servers import configured
from nginx_traffic import HELD, early, is_certain, late, paired, planned, sent, unlike
from sluicegate.importers.nginx.parsing import parse


class Plan(NamedTuple):
    """A scenario in a folder, with what is to be sent and what is to become of it."""

    scenario: Scenario
    path: Path
    requests: list[Request]
    outcomes: list[Outcome]


def plan_of(
    scenario: Scenario, folder: Path, port: int, app: str, seed: int, groups: int = 40
) -> Plan:
    """The configuration is written for nginx to listen at the ``port``, before the ``app``."""
    http = scenario.http.replace("PORT", str(port)).replace("APP", app)
    path = configured(folder, http)
    tree = parse(str(path)).all("http")[0]
    requests, outcomes = planned(lambda: NginxLimits(tree), scenario, seed, groups)
    assert len(requests) > groups
    assert {"passed", "refused"} <= {outcome.kind for outcome in outcomes}
    return Plan(scenario, path, requests, outcomes)


def check_same(found: list[Outcome], outcomes: list[Outcome]) -> None:
    """All outcomes are the same; nginx's delays are whole milliseconds, cut off."""
    for one, other in zip(found, outcomes, strict=True):
        assert (one.kind == "refused") == (other.kind == "refused")
        assert abs(one.delay - other.delay) <= 1


def check_server(
    plan: Plan,
    serve: Callable[[], AbstractContextManager[None]],
    port: int,
    refused: int,
    tries: int = 6,
) -> None:
    """A server does what the model says: it refuses the same requests, and holds others as long.

    Tried again while the machine is busy: an answer that is late by chance is in time at another try.
    """
    was_certain, in_time = False, set[int]()
    for _ in range(tries):
        with serve():
            answers = sent(port, plan.requests)
        pairs = paired(plan.requests, answers, plan.outcomes, refused)
        if not is_certain(pairs, plan.scenario.margin):
            continue
        was_certain = True
        assert unlike(pairs, refused) == []
        lateness = late(pairs)
        assert max(early(pairs)) < HELD
        in_time |= {place for place, by in enumerate(lateness) if by < HELD}
        if len(in_time) == len(lateness):
            return
    what = "times for which requests are held" if was_certain else "outcomes"
    pytest.skip(f"the machine is too busy to be certain of the {what}")
