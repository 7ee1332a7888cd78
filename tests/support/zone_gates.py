"""Processes that share a gate in a zone, for tests; run as a program with the arguments of a role."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from typing import IO

from sluicegate import Limit
from sluicegate.shared import Gate

USERS, ROUTES = 1_000, 8
PER_USER, PER_ROUTE, ORG = 5, 1_000, 3_000


def three(store: str, window: str = "week") -> Gate:
    """Of which the organisation's limit is the smallest sum."""
    return Gate(
        store,
        [
            Limit(f"{PER_USER}/{window}", by="user"),
            Limit(f"{PER_ROUTE}/{window}", by="route"),
            Limit(f"{ORG}/{window}", by="org", algorithm="fixed_window"),
        ],
        name="three",
    )


def spent(gate: Gate) -> tuple[int, int, int]:
    """What all users, all routes and the organisation have spent."""
    left = gate.peek({"user": None, "route": None, "org": "o"}).remaining
    users = (gate.peek({"user": str(user), "route": None, "org": None}) for user in range(USERS))
    routes = (gate.peek({"user": None, "route": str(at), "org": None}) for at in range(ROUTES))
    return (
        sum(PER_USER - each.remaining for each in users),
        sum(PER_ROUTE - each.remaining for each in routes),
        ORG - left,
    )


def hammer(store: str, seconds: str) -> None:
    """When told to, call until everything is spent, or so long; say how often it was admitted, refused
    and raced.
    """
    gate = three(store)
    print("ready", flush=True)
    sys.stdin.readline()
    end = time.monotonic() + float(seconds)
    admitted = refused = in_a_row = 0
    while in_a_row < 20_000 and time.monotonic() < end:
        for _ in range(200):
            keys = {
                "user": str(random.randrange(USERS)),
                "route": str(random.randrange(ROUTES)),
                "org": "o",
            }
            if gate.check(keys):
                admitted, in_a_row = admitted + 1, 0
            else:
                refused, in_a_row = refused + 1, in_a_row + 1
    print(json.dumps([admitted, refused, gate._lost_races()]), flush=True)


def hold(store: str) -> None:
    """Hold a permit, with other quota, until the process is killed."""
    with held(store).reserve({"model": "m"}, {"tokens": 400}):
        print("held", flush=True)
        time.sleep(600)


def held(store: str) -> Gate:
    """One at once, and tokens; a lease of a quarter of a second."""
    return Gate(
        store,
        [Limit("1 concurrent; 1000 tokens/day", by="model", lease_seconds=0.25)],
        name="held",
    )


def start(role: str, *arguments: object) -> subprocess.Popen[str]:
    """A process in that role; what it prints is in its ``stdout``."""
    command = [sys.executable, __file__, role, *map(str, arguments)]
    stdin = subprocess.PIPE if role == "hammer" else None
    return subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, text=True)


def go(*processes: subprocess.Popen[str]) -> None:
    """Have those that hammer begin together, once all are ready."""
    for each in processes:
        assert each.stdout is not None
        assert each.stdout.readline() == "ready\n"
    for each in processes:
        assert each.stdin is not None
        each.stdin.write("go\n")
        each.stdin.close()


def told(process: subprocess.Popen[str]) -> list[int]:
    """What a process has printed at its end: nothing if it was killed."""
    output: IO[str] | None = process.stdout
    assert output is not None
    with output:
        text = output.read()
    process.wait()
    return json.loads(text) if text else [0, 0, 0]


if __name__ == "__main__":
    {"hammer": hammer, "hold": hold}[sys.argv[1]](*sys.argv[2:])
