"""A forked child: its locks are free, and its parent's waiters are not its own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

_FORKS = """
import os, sys, threading, time
from sluicegate import FixedWindow, SlidingWindowCounter

def forked(work):
    child = os.fork()
    if child == 0:
        work()
        os._exit(0)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status == 0
        time.sleep(0.01)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return False

busy, keys = SlidingWindowCounter(100, 60), [str(i) for i in range(200_000)]
def work_on():
    while True:
        busy.is_allowed_many(keys)
threading.Thread(target=work_on, daemon=True).start()
time.sleep(0.1)
def use_all():
    for i in range(300):
        busy.check(str(i))
    SlidingWindowCounter(1, 1).check("new")
assert all([forked(use_all) for _ in range(10)]), "a lock was inherited"

queued = FixedWindow(1, 1000)
queued.check("k")
threading.Thread(target=queued.wait_sync, args=("k",), daemon=True).start()
while queued.check("k").remaining or queued.peek("k").retry_after < 900:
    time.sleep(0.01)
def nobody_waits():
    queued.reset("k")
    assert queued.check("k")
assert forked(nobody_waits)
queued.reset("k")
print("fine", flush=True)
os._exit(0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_inherits_no_lock_and_no_waiter() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _FORKS], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout == "fine\n", done.stderr


_COUNTED = """
import os, sys, threading, time
from sluicegate.breaker import CircuitBreaker, CircuitConfig
from sluicegate.retry import RetryBudget

sys.setswitchinterval(1e-6)
breaker = CircuitBreaker(config=CircuitConfig(rate_limit=None))
budget = RetryBudget()
def use_all():
    breaker.execute_sync("s", int)
    budget.count_call()
    budget.try_retry()
def work_on():
    while True:
        use_all()
for _ in range(4):
    threading.Thread(target=work_on, daemon=True).start()
for attempt in range(20):
    child = os.fork()
    if child == 0:
        use_all()
        os._exit(0)
    deadline = time.monotonic() + 10
    while not (ended := os.waitpid(child, os.WNOHANG))[0]:
        if time.monotonic() > deadline:
            os.kill(child, 9)
        time.sleep(0.001)
    assert ended[1] == 0, f"child {attempt} hung or failed: {ended[1]}"
print("fine", flush=True)
os._exit(0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_may_use_circuits_and_budgets() -> None:
    command = [sys.executable, "-c", _COUNTED]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout == "fine\n", done.stderr
