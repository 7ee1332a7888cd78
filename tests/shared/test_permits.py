"""Permits in a zone: of several holders, processes and leases."""

from __future__ import annotations

import asyncio
import pickle
import subprocess
import sys
import threading
from typing import Any

import pytest

from forking import ended_well, forked
from polling import until
from running import run
from sluicegate import ManualClock, RateLimitError
from sluicegate._zone import renewing
from sluicegate.shared import ConcurrencyLimiter


def make(url: str, limit: Any = 2, **options: Any) -> ConcurrencyLimiter:
    return ConcurrencyLimiter(url, limit, **{"name": "exports", **options})


def test_no_more_than_the_limit_are_held(url: str) -> None:
    limiter = make(url)
    with limiter.permit("a") as first, limiter.permit("a"):
        assert first.held
        assert limiter.in_use("a") == limiter.in_use_sync("a") == 2
        assert limiter.try_acquire("a") is limiter.try_acquire_sync("a") is None
        with pytest.raises(RateLimitError, match="All 2 permits are in use") as caught:
            limiter.permit("a").__enter__()
        assert 0 < caught.value.retry_after <= 37.5
        assert limiter.try_acquire("b")
    assert limiter.in_use("a") == 0
    assert not first.held
    assert limiter.ping_sync() == "shared"
    limiter.close()


def test_a_quota_and_its_text_are_a_number_of_permits(url: str) -> None:
    assert make(url, "5 concurrent").limit == 5
    assert make(url, 65_535).limit == 65_535
    assert "name='exports' limit=7" in repr(make(url, 7))
    assert make(url, lease_seconds=5).lease_seconds == 5


def test_limiters_of_one_name_share_their_permits(url: str) -> None:
    with make(url, 1).permit("a"):
        assert make(url, 1).try_acquire("a") is None
        assert make(url, 2).try_acquire("a")
        assert make(url, 1, name="other").try_acquire("a")


def test_in_a_coroutine(url: str) -> None:
    async def main() -> None:
        limiter = make(url, 1)
        async with limiter.permit("a") as permit:
            assert permit.held
            with pytest.raises(RateLimitError):
                async with limiter.permit("a", timeout=0.01):
                    pass
            waiting = asyncio.create_task(limiter.permit("a", timeout=None).__aenter__())
            await asyncio.sleep(0.02)
            assert not waiting.done()
        permit = await waiting
        assert permit.held
        assert permit.release() is None
        with pytest.raises(RuntimeError, match="would block the event loop"):
            limiter.permit("a", timeout=1).__enter__()
        with limiter.permit("a"):  # which does not wait
            pass

    run(main())


def test_those_who_wait_in_a_loop_come_in_order(url: str) -> None:
    async def main() -> None:
        limiter, order = make(url, 1), []

        async def one(number: int) -> None:
            async with limiter.permit("a", timeout=10):
                order.append(number)
                await asyncio.sleep(0)

        await asyncio.gather(*map(one, range(5)))
        assert order == list(range(5))

    run(main())


def test_threads_wait_for_each_other(url: str) -> None:
    limiter, inside, most = make(url, 2), [], []

    def work() -> None:
        for _ in range(10):
            with limiter.permit("a", timeout=30):
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert max(most) <= 2
    assert limiter.in_use("a") == 0


def test_a_permit_lapses_with_its_lease_unless_it_is_renewed(url: str) -> None:
    clock = ManualClock(1_000)
    limiter = make(url, 1, lease_seconds=8, clock=clock)
    permit = limiter.try_acquire("a")
    assert permit is not None
    for _ in range(10):
        clock.advance(3)
        assert limiter.renew() == pytest.approx(8 / 3, abs=1e-3)
        assert permit.held
    clock.advance(7.9)
    assert limiter.try_acquire("a") is None
    clock.advance(2.2)  # a quarter of the lease more, at the most
    other = limiter.try_acquire("a")
    assert other is not None
    assert not permit.held
    permit.release()
    assert limiter.in_use("a") == 1
    other.release()
    assert limiter.in_use("a") == 0
    assert limiter.renew() is None


def test_what_is_held_is_renewed_by_itself(url: str) -> None:
    limiter = make(url, 1, lease_seconds=0.3)
    seen: list[float | None] = []

    class Counted(ConcurrencyLimiter):
        def renew(self) -> float | None:
            seen.append(super().renew())
            return seen[-1]

    limiter = Counted(url, 1, name="exports", lease_seconds=0.3)
    with limiter.permit("a") as permit:
        until(lambda: len(seen) > 6, "it is renewed again and again")  # longer than two leases
        assert permit.held
        assert limiter.try_acquire("a") is None
    until(lambda: seen[-1] is None, "nothing is left to renew")
    until(lambda: renewing._renewer._thread is None, "the thread has ended")


HOLDER = """
import sys
from sluicegate.shared import ConcurrencyLimiter
limiter = ConcurrencyLimiter(sys.argv[1], 1, name="exports", lease_seconds=0.4)
permit = limiter.try_acquire("a")
print(permit is not None, flush=True)
sys.stdin.readline()
"""


def test_a_killed_holders_permit_is_free_after_its_lease(url: str) -> None:
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, url], **pipes)
    assert holder.stdout.readline() == "True\n"
    limiter = make(url, 1, lease_seconds=0.4)
    assert limiter.try_acquire("a") is None
    holder.kill()
    holder.communicate()
    with limiter.permit("a", timeout=20) as permit:
        assert permit.held


def test_a_forked_child_holds_nothing_and_gives_nothing_back(url: str) -> None:
    limiter = make(url, 1)
    with limiter.permit("a") as permit:

        def child() -> None:
            assert not permit.held
            permit.release()
            assert limiter.try_acquire("a") is None
            with limiter.permit("b") as own:
                assert own.held

        ended_well([forked(child)])
        assert permit.held
        assert limiter.in_use("a") == 1
    assert limiter.in_use("a") == 0


def test_a_dropped_permit_is_given_back(url: str) -> None:
    limiter = make(url, 1)
    permit = limiter.try_acquire("a")
    assert permit is not None
    del permit
    assert limiter.in_use("a") == 0


def test_a_pickle_is_made_anew(url: str) -> None:
    limiter = make(url, 1, lease_seconds=5)
    again = pickle.loads(pickle.dumps(limiter))
    assert again.lease_seconds == 5
    with limiter.permit("a"):
        assert again.try_acquire("a") is None
    with pytest.raises(TypeError, match="ManualClock"):
        pickle.dumps(make(url.replace("limits.zone", "tests.zone"), clock=ManualClock()))


@pytest.mark.parametrize(
    ("arguments", "error", "told"),
    [
        ({"limit": 0}, ValueError, "limit must be an int from 1"),
        ({"limit": 65_536}, ValueError, "limit must be an int from 1 to 65,?535"),
        ({"limit": "5/minute"}, ValueError, "concurrent"),
        ({"lease_seconds": 0}, ValueError, "lease_seconds must be a number of seconds from 0.001"),
        ({"lease_seconds": "5"}, TypeError, "lease_seconds must be"),
        ({"name": ""}, ValueError, "name must be 1 to 64"),
        ({"clock": 5}, TypeError, "clock must be a ManualClock"),
    ],
)
def test_wrong_arguments_are_named(
    url: str, arguments: Any, error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        make(url, **arguments)
    with pytest.raises(TypeError, match="key must be a str"):
        make(url).permit(5)  # type: ignore[arg-type]
