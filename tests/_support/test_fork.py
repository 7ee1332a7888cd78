"""One hook around a fork: locks are free in the child, and nobody waits for a stranger's."""

from __future__ import annotations

import gc
import threading

import pytest

from forking import needs_fork, program_that_forks
from sluicegate._support import fork
from sluicegate.breaker import CircuitBreaker, CircuitConfig, CircuitState
from sluicegate.observe.tier_metrics import Histogram
from sluicegate.retry import RetryBudget

_LOCKS = """
import time
from sluicegate._support import fork

lock, other = fork.new_lock(), fork.new_lock()
state = []
def step():
    with lock:
        state.append("begun")
        time.sleep(0.2)
        state.append("done")
thread = threading.Thread(target=step)
thread.start()
while not state:
    time.sleep(0.001)
def whole():
    # A lock that a thread held: it was waited for.
    assert state == ["begun", "done"], state
    assert lock.acquire(timeout=0) and other.acquire(timeout=0)
ended_well([forked(whole)])
thread.join()

# A thread that has one and waits for the other, as the fork waits for it: nobody waits for ever.
stop = threading.Event()
def for_ever():
    with lock:
        state.append("held")
        stop.wait(60)
thread = threading.Thread(target=for_ever, daemon=True)
thread.start()
while state[-1] != "held":
    time.sleep(0.001)
def free():
    assert lock.acquire(timeout=0) and other.acquire(timeout=0)
ended_well([forked(free)])
stop.set()
thread.join()
assert lock.acquire(timeout=0) and other.acquire(timeout=0)
"""

_CALLS = """
from sluicegate._support import fork

class Keeper:
    def __init__(self, name):
        self.name = name
        fork.call_in_child(self.begin)
    def begin(self):
        calls.append(self.name)
calls = []
def plain():
    calls.append("plain")
fork.call_in_child(plain)
kept, gone = Keeper("kept"), Keeper("gone")
del gone
def called():
    assert calls == ["plain", "kept"], calls
ended_well([forked(called)])
assert calls == []
"""

_RAISING = """
import sys
from sluicegate._support import fork

calls, told = [], []
def raising(error):
    def raises():
        calls.append(error)
        raise error
    return raises
first, second = ValueError("first"), KeyboardInterrupt("second")
fork.call_in_child(raising(first))
fork.call_in_child(raising(second))
fork.call_in_child(lambda: calls.append("last"))
sys.unraisablehook = lambda report: told.append(report.exc_value)
def all_called():
    assert calls == [first, second, "last"], calls
    assert told == [first], told
ended_well([forked(all_called)])
"""

# A signal that came in the middle of a fork is answered by the first function in Python after it.
_LATE_SIGNAL = """
import _thread, logging, signal
from functools import partial

class Late(Exception):
    pass
def raises(*_):
    raise Late
signal.signal(signal.SIGUSR1, raises)
os.register_at_fork(after_in_parent=partial(_thread.interrupt_main, signal.SIGUSR1))

from sluicegate._support import fork
lock = fork.new_lock()
def free():
    assert lock.acquire(timeout=0)
for _ in range(3):
    ended_well([forked(free)])
taken = []
thread = threading.Thread(target=lambda: taken.append(lock.acquire(timeout=5)))
thread.start()
thread.join()
assert taken == [True]
"""

# The handler of one that comes while a fork waits for a lock forks, too.
_FORKING_SIGNAL = """
import signal
from sluicegate._support import fork

first, lock = fork.new_lock(), fork.new_lock()
stop, held = threading.Event(), threading.Event()
def hold():
    with lock:
        held.set()
        stop.wait(60)
holder = threading.Thread(target=hold, daemon=True)
holder.start()
held.wait()
def free():
    assert first.acquire(timeout=0) and lock.acquire(timeout=0)
signal.signal(signal.SIGALRM, lambda *_: ended_well([forked(free)]))
signal.setitimer(signal.ITIMER_REAL, 0.2)
ended_well([forked(free)])
stop.set()
holder.join()
taken = []
thread = threading.Thread(target=lambda: taken.append(first.acquire(timeout=5)))
thread.start()
thread.join()
assert taken == [True]
"""


@needs_fork
def test_a_child_finds_every_lock_free_and_no_step_half_done() -> None:
    program_that_forks(_LOCKS)


@needs_fork
def test_what_a_child_must_do_anew_is_done_once_while_its_object_lives() -> None:
    program_that_forks(_CALLS)


@needs_fork
def test_one_that_raises_in_a_child_keeps_nobody_from_being_called() -> None:
    program_that_forks(_RAISING)


@needs_fork
@pytest.mark.parametrize("code", [_LATE_SIGNAL, _FORKING_SIGNAL])
def test_signals_in_the_middle_of_a_fork_leave_no_lock_taken(code: str) -> None:
    program_that_forks(code)


def test_a_lock_goes_with_its_object() -> None:
    gc.collect()
    before = len(fork._locks)
    budgets = [RetryBudget() for _ in range(10)]
    assert len(fork._locks) == before + 10
    del budgets
    gc.collect()
    assert len(fork._locks) == before


def test_no_object_waits_for_the_lock_of_another() -> None:
    histogram, breaker = Histogram((1.0,)), CircuitBreaker(config=CircuitConfig())
    done: list[object] = []

    def use() -> None:
        done.append(breaker.execute_sync("service", lambda: 1))
        done.append(breaker.state_sync("service"))
        done.append(RetryBudget().try_retry())

    with histogram._lock:
        thread = threading.Thread(target=use)
        thread.start()
        thread.join(10)
    assert done == [1, CircuitState.CLOSED, True]
