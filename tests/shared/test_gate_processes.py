"""A gate in a zone among processes: exactly the smallest limit, killed or not; holders that die."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from pathlib import Path

import pytest

from zone_gates import ORG, PER_ROUTE, PER_USER, ROUTES, USERS, go, held, spent, start, three, told

PROCESSES = 4


@pytest.fixture
def store(tmp_path: Path) -> str:
    return f"shared://{tmp_path}/limits.zone?size=1m"


@pytest.mark.parametrize("rounds", [2, pytest.param(20, marks=pytest.mark.long)])
def test_four_processes_admit_exactly_the_smallest(store: str, rounds: int) -> None:
    gate = three(store)
    for _ in range(rounds):
        gate.clear()
        running = [start("hammer", store, 30) for _ in range(PROCESSES)]
        go(*running)
        counts = [told(each) for each in running]
        admitted = sum(each[0] for each in counts)
        assert (admitted, spent(gate)) == (ORG, (ORG,) * 3), counts


def kill_and_see(store: str, kills: int) -> None:
    """Windows are begun anew and processes killed at random moments; prints what was seen."""
    gate = three(store)
    seen = {"kills": 0, "windows": 0, "apart": 0}
    while seen["kills"] < kills:
        gate.clear()
        killed = 0
        running = [start("hammer", store, 30) for _ in range(PROCESSES)]
        go(*running)
        for victim in running[1:]:  # while there is something left to spend, mostly
            time.sleep(random.uniform(0, 0.03))
            killed += victim.poll() is None
            victim.send_signal(signal.SIGKILL)
        for each in running:
            told(each)
        assert killed, "all had ended before anybody was killed"
        users, routes, org = spent(gate)
        assert org == ORG, (
            "all is spent: whoever looks finds that it is refused by the organisation"
        )
        assert users <= USERS * PER_USER
        assert routes <= ROUTES * PER_ROUTE
        assert max(users, routes, org) - min(users, routes, org) <= killed
        seen["kills"] += killed
        seen["windows"] += 1
        seen["apart"] += max(users, routes, org) - min(users, routes, org)
    print(f"gate in a zone: {seen}")


def test_kills_leave_at_most_one_decision_each(store: str) -> None:
    kill_and_see(store, 6)


@pytest.mark.long
def test_200_kills_leave_at_most_one_decision_each(store: str) -> None:
    kill_and_see(store, 200)


def test_a_killed_holders_permit_lapses_with_its_lease(store: str) -> None:
    gate = held(store)
    holder = start("hold", store)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    for _ in range(4):  # the lease is renewed by then
        time.sleep(0.1)
        refused = gate.peek({"model": "m"}, {"tokens": 1})
        assert refused.refused_by == ("model/concurrent",)
        assert 0 < refused.retry_after <= 0.25 * 1.25
    holder.kill()
    told_nothing = holder.stdout.read()
    holder.stdout.close()
    holder.wait()
    assert told_nothing == ""
    with gate.reserve({"model": "m"}, {"tokens": 600}, timeout=5) as reservation:
        left = reservation.decision.limits["model/tokens/day"].remaining
    assert left == 0, "what it had reserved stays spent"


def test_a_forked_child_shares_the_gate_and_holds_none_of_its_permits(store: str) -> None:
    gate = held(store)
    with gate.reserve({"model": "m"}, {"tokens": 100}) as reservation:
        child = os.fork()
        if not child:
            code = 1
            try:
                refused = gate.peek({"model": "m"}, {"tokens": 1}).refused_by
                reservation.__exit__(None, None, None)  # it is the parent's
                again = gate.peek({"model": "m"}, {"tokens": 1}).refused_by
                code = 0 if refused == again == ("model/concurrent",) else 2
            finally:
                os._exit(code)
        assert os.waitpid(child, 0)[1] == 0
        assert not gate.peek({"model": "m"}, {"tokens": 1})
    assert gate.peek({"model": "m"}, {"tokens": 1})


def _spend(store: str, times: int) -> None:
    gate = three(store)
    for user in range(times):
        assert gate.check({"user": str(user), "route": "0", "org": "o"})


def test_another_process_and_a_later_one_find_what_was_spent(store: str) -> None:
    gate = three(store)
    context = multiprocessing.get_context("spawn")
    for _ in range(2):
        process = context.Process(target=_spend, args=(store, 10))
        process.start()
        process.join()
        assert process.exitcode == 0
    assert spent(gate) == (20, 20, 20)
