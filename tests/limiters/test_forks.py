"""A forked child: its locks are free, and its parent's waiters are not its own."""

from __future__ import annotations

from forking import needs_fork, program_that_forks

_FORKS = """
from sluicegate import FixedWindow, SlidingWindowCounter

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
for _ in range(10):
    ended_well([forked(use_all)], 10)  # it hangs if a lock was inherited

queued = FixedWindow(1, 1000)
queued.check("k")
threading.Thread(target=queued.wait_sync, args=("k",), daemon=True).start()
while queued.check("k").remaining or queued.peek("k").retry_after < 900:
    time.sleep(0.01)
def nobody_waits():
    queued.reset("k")
    assert queued.check("k")
ended_well([forked(nobody_waits)])
queued.reset("k")
"""


@needs_fork
def test_a_forked_child_inherits_no_lock_and_no_waiter() -> None:
    program_that_forks(_FORKS)


_COUNTED = """
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
for _ in range(20):
    ended_well([forked(use_all)], 10)
"""


@needs_fork
def test_a_forked_child_may_use_circuits_and_budgets() -> None:
    program_that_forks(_COUNTED)


_JOINS_ANEW = """
import signal
from sluicegate import FixedWindow

limiter, children = FixedWindow(1, 1000), []
limiter.check("k")
def fork_in_the_middle(*_):
    children.append(os.fork())
    threading.Timer(0.1, limiter.reset, ("k",)).start()
signal.signal(signal.SIGALRM, fork_in_the_middle)
signal.setitimer(signal.ITIMER_REAL, 0.1)
decision = limiter.wait_sync("k", timeout=None)
if children == [0]:
    # Its own limiter has admitted it, as the parent's has the parent.
    os._exit(0 if decision and not limiter.check("k") else 1)
assert decision and not limiter.check("k")
ended_well(children, 10)
"""


@needs_fork
def test_a_child_forked_by_a_signal_handler_in_a_wait_lines_up_anew() -> None:
    program_that_forks(_JOINS_ANEW)
