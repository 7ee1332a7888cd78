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
