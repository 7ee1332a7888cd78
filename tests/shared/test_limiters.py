"""The limiters in a zone, in one process and in several."""

from __future__ import annotations

import asyncio
import copy
import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import sluicegate
from forking import ended_well, forked
from running import run
from sluicegate import ManualClock, Quota, TokenBucketConfig, shared
from sluicegate.errors import StoreError
from sluicegate.types import AnyLimiter, SyncLimiter

KINDS = ["FixedWindow", "SegmentedWindow", "SlidingWindowCounter", "TokenBucket"]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Any:
    return getattr(shared, request.param)


def make(kind: Any, store: object, quota: Any = "5/minute", **options: Any) -> Any:
    options = {"clock": ManualClock(), "name": "api", **options}
    return kind(store, quota, **options)


def test_the_limit_is_the_limit_and_the_store_is_told(kind: Any, url: str) -> None:
    limiter = make(kind, url)
    decisions = [limiter.check("a") for _ in range(7)]
    assert [each.allowed for each in decisions] == [True] * 5 + [False] * 2
    assert {each.store for each in decisions} == {"shared"}
    assert [each.remaining for each in decisions] == [4, 3, 2, 1, 0, 0, 0]
    assert limiter.check("b").allowed
    counts = limiter.statistics()
    assert (counts.admitted, counts.refused) == (6, 2)
    assert len(limiter) == 2
    assert limiter


def test_retry_after_is_a_promise(kind: Any, url: str) -> None:
    clock = ManualClock(1_000)
    limiter = make(kind, url, clock=clock)
    limiter.check("a", 5)
    wait = limiter.check("a").retry_after
    assert 0 < wait <= 120
    clock.advance(wait - 0.000_002)
    assert not limiter.peek("a")
    clock.advance(0.000_004)  # a bucket in a zone may be a microsecond late
    assert limiter.check("a")


@pytest.mark.parametrize("name", ["FixedWindow", "SlidingWindowCounter", "TokenBucket"])
def test_it_decides_as_in_memory(name: str, url: str) -> None:
    """One trace of keys, costs and pauses; segments differ by the number of their parts."""

    @given(
        st.lists(
            st.tuples(
                st.sampled_from("abc"), st.integers(1, 5), st.sampled_from([0, 0.5, 7.25, 59.5, 60])
            ),
            max_size=40,
        )
    )
    def same(trace: list[tuple[str, int, float]]) -> None:
        clock = ManualClock(10_000)
        here = make(getattr(sluicegate, name), "5/minute", ..., clock=clock)
        there = make(getattr(shared, name), url, clock=clock)
        there.clear()
        for key, cost, pause in trace:
            clock.advance(pause)
            mine, ours = here.check(key, cost), there.check(key, cost)
            assert (mine.allowed, mine.remaining) == (ours.allowed, ours.remaining)
            assert mine.retry_after == pytest.approx(ours.retry_after, abs=2e-6)
            assert mine.reset_after == pytest.approx(ours.reset_after, abs=2e-6)

    def make(kind: Any, store: Any, quota: Any = "5/minute", *, clock: ManualClock) -> Any:
        if quota is ...:
            return kind(store, clock=clock)
        return kind(store, quota, name="api", clock=clock)

    same()


def test_the_verbs_of_memory_are_there(kind: Any, url: str) -> None:
    limiter = make(kind, url, **room(kind))
    receipt = limiter.check_sync("a", 3)
    assert limiter.peek_sync("a").remaining == 2
    limiter.refund("a", receipt)
    assert limiter.peek("a").remaining == 5
    limiter.check("a", 4)
    limiter.refund_sync("a", 1)
    assert limiter.peek("a").remaining == 2
    assert limiter.is_allowed("a")
    assert limiter.is_allowed_many(["a", "a", "b"]) == [True, False, True]
    assert [each.allowed for each in limiter.check_many_sync(["b", "c"], 4)] == [True, True]
    limiter.reset_sync("a")
    assert limiter.peek("a").remaining == 5
    limiter.clear()
    assert len(limiter) == 0
    assert limiter.ping_sync() == "shared"
    limiter.close()
    assert limiter.check("a")
    by_key = limiter.check("a", quota=Quota("9/minute"))
    # A bucket has spent time: what a token took under the other rate.
    assert by_key.remaining == (6 if kind is shared.TokenBucket else 7)
    any_limiter: AnyLimiter = limiter
    sync: SyncLimiter = limiter
    assert any_limiter.limit == sync.limit == 5
    assert isinstance(limiter, shared.Limiter)
    assert "in a zone name='api' limit=5 window_seconds=60.0" in repr(limiter)


def test_all_that_have_the_name_share_it_whatever_the_amount(kind: Any, url: str) -> None:
    first, second = (make(kind, url, each, **room(kind)) for each in ("5/minute", "9/minute"))
    first.check("a", 5)
    assert second.peek("a").remaining == 4 or kind is shared.TokenBucket
    assert make(kind, url, name="other").peek("a").remaining == 5
    assert make(kind, url, "5 tokens/minute").peek("a").remaining == 5
    if kind is not shared.TokenBucket:
        assert make(kind, url, "5/hour").peek("a").remaining == 5


def room(kind: Any) -> dict[str, Any]:
    return {"largest": 1_000} if kind is shared.SegmentedWindow else {}


def test_a_changed_quota_keeps_what_was_spent(kind: Any, url: str) -> None:
    limiter = make(kind, url, **room(kind))
    limiter.check("a", 5)
    limiter.set_quota("10/minute")
    assert limiter.limit == 10
    if kind is not shared.TokenBucket:
        assert limiter.peek("a").remaining == 5
        limiter.set_quota(3, 60)
        assert limiter.peek("a").remaining == 0
        with pytest.raises(ValueError, match="window"):
            limiter.set_quota(3, 61)


def test_a_copy_is_itself_and_a_pickle_is_made_anew(kind: Any, url: str) -> None:
    limiter = make(kind, url, clock=None, **room(kind))
    assert copy.copy(limiter) is copy.deepcopy(limiter) is limiter
    limiter.set_quota("7/minute")
    limiter.check("a", 6)
    again = pickle.loads(pickle.dumps(limiter))
    assert type(again) is kind
    assert again.limit == 7
    assert not again.peek("a", 2)
    with pytest.raises(TypeError, match="with a ManualClock cannot be pickled"):
        pickle.dumps(make(kind, url.replace("limits.zone", "tests.zone")))


def test_a_bucket_takes_what_a_bucket_takes(url: str) -> None:
    for quota in [(100, 10), (TokenBucketConfig(100, 10),), ("10/second burst 100",)]:
        bucket = shared.TokenBucket(url, *quota, name="b")
        assert (bucket.limit, bucket.config.refill_rate) == (100, 10)
    bucket = shared.TokenBucket(url, capacity=5, refill_rate=1, name="c")
    assert run(bucket.acquire(2, "k")).remaining == 3
    bucket.set_quota(capacity=9, refill_rate=1)
    assert bucket.limit == 9


def test_an_exact_log_is_refused_by_name(url: str) -> None:
    with pytest.raises(TypeError, match="take a SegmentedWindow"):
        shared.SlidingWindowRateLimiter(url, 5, 60, name="api")


@pytest.mark.parametrize(
    ("arguments", "options", "error", "told"),
    [
        ((5, 60), {"name": ""}, ValueError, "name must be 1 to 64 printable ASCII"),
        ((5, 60), {"name": "é"}, ValueError, "name must be 1 to 64 printable ASCII"),
        ((5, 60), {"name": 5}, TypeError, "name must be a str, got int 5"),
        ((5, 60), {"clock": 5}, TypeError, "clock must be a ManualClock or None"),
        ((5,), {}, TypeError, "window_seconds is missing"),
        ((0, 60), {}, ValueError, "limit must be an int from 1"),
        ((5, 0), {}, ValueError, "window_seconds must be"),
        (("5/day in UTC",), {}, ValueError, "zone|calendar"),
        (("5/minute burst 9",), {}, ValueError, "burst"),
    ],
)
@pytest.mark.parametrize("name", ["FixedWindow", "SegmentedWindow", "SlidingWindowCounter"])
def test_wrong_arguments_are_named(
    url: str, name: str, arguments: Any, options: Any, error: type[Exception], told: str
) -> None:
    options = {"name": "api", **options}
    with pytest.raises(error, match=told):
        getattr(shared, name)(url, *arguments, **options)


def test_a_name_is_required(url: str, kind: Any) -> None:
    with pytest.raises(TypeError, match="name"):
        kind(url, "5/minute")


def test_a_limit_above_the_layout_says_what_to_do(url: str) -> None:
    limiter = make(shared.SegmentedWindow, url, "100/minute")
    told = r"limit must be an int from 1 to 127, .*'fixed_window' .*\(largest=1_000; "
    with pytest.raises(ValueError, match=rf"^the limit 'api' of the zone: {told}"):
        make(shared.SegmentedWindow, url, "1000/minute")
    for call in (
        lambda: limiter.set_quota("1000/minute"),
        lambda: limiter.check("a", quota=Quota("1000/minute")),
    ):
        with pytest.raises(ValueError, match=f"^{told}"):
            call()
    assert limiter.check("a", quota=Quota("127/minute")).remaining == 126


def test_a_refund_by_receipt_is_of_the_keys_own_quota(url: str, kind: Any) -> None:
    clock, plan = ManualClock(1_000), Quota("4/minute burst 9" if is_bucket(kind) else "9/minute")
    limiter = make(kind, url, clock=clock, **room(kind))
    limiter.check("a", quota=plan)
    receipt = limiter.check("a", 6, quota=plan)
    assert receipt.remaining == 2
    limiter.refund("a", receipt, 4)
    assert limiter.peek("a", quota=plan).remaining == 6
    limiter.refund("a", receipt)
    assert limiter.peek("a", quota=plan).remaining == 8
    with pytest.raises(ValueError, match="given back"):
        limiter.refund("a", receipt)
    clock.advance(3_600)
    receipt = limiter.check("a", 9, quota=plan)
    clock.advance(3_600)
    limiter.check("a", 3, quota=plan)
    limiter.refund("a", receipt)
    assert limiter.peek("a", quota=plan).remaining == 6  # it was back already


def is_bucket(kind: Any) -> bool:
    return kind is shared.TokenBucket


def test_a_manual_clock_has_a_zone_of_its_own(url: str, tmp_path: Path, kind: Any) -> None:
    make(kind, url, clock=None)
    with pytest.raises(ValueError, match=rf"clock= must be left out in the zone {tmp_path}"):
        make(kind, url, name="other")
    make(kind, url, clock=None, name="other")
    of_tests = f"shared://{tmp_path}/tests.zone?size=1m"
    make(kind, of_tests)
    with pytest.raises(StoreError, match=r"tests\.zone cannot be used: a ManualClock counts in it"):
        make(kind, of_tests, clock=None)
    make(kind, of_tests, clock=ManualClock(77))


def test_what_is_no_zone_is_refused_and_left_alone(tmp_path: Path, kind: Any) -> None:
    other = tmp_path / "other"
    other.write_text("somebody's")
    with pytest.raises(StoreError, match="never overwritten"):
        make(kind, f"shared://{other}")
    assert other.read_text() == "somebody's"
    with pytest.raises(StoreError, match="missing"):
        make(kind, f"shared://{tmp_path}/missing/limits.zone")


def test_waiting_sleeps_in_the_loop_and_comes_in_order(url: str) -> None:
    limiter = shared.FixedWindow(url, 1, 0.2, name="short")

    async def main() -> None:
        order: list[int] = []

        async def one(number: int) -> None:
            assert await limiter.wait("a")
            order.append(number)

        ticks = 0
        tasks = [asyncio.create_task(one(number)) for number in range(3)]
        while not all(task.done() for task in tasks):
            await asyncio.sleep(0.005)
            ticks += 1
        assert order == [0, 1, 2]
        assert ticks > 10  # the loop ran meanwhile
        assert not await limiter.wait("a", timeout=0)

    run(main())
    assert limiter.wait_sync("a")


def test_threads_admit_exactly_the_limit(kind: Any, url: str) -> None:
    limiter = make(kind, url, "1000/hour")
    admitted: list[int] = []

    def work() -> None:
        admitted.append(sum(limiter.is_allowed("a") for _ in range(400)))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sum(admitted) == 1_000


PROCESS = """
import sys
from sluicegate import shared
limiter = getattr(shared, sys.argv[1])(sys.argv[2], "1000/hour", name="api")
sys.stdin.readline()
print(sum(limiter.is_allowed("a") for _ in range(400)))
"""


def test_processes_admit_exactly_the_limit(kind: Any, url: str) -> None:
    command = [sys.executable, "-c", PROCESS, kind.__name__, url]
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(command, **pipes) for _ in range(4)]
    for each in processes:
        each.stdin.write("go\n")
        each.stdin.flush()
    admitted = [int(each.communicate()[0]) for each in processes]
    assert sum(admitted) == 1_000
    assert all(each.returncode == 0 for each in processes)


def test_a_forked_child_counts_with_its_parent(kind: Any, url: str) -> None:
    limiter = make(kind, url, "10/hour", clock=None)
    assert limiter.check("a", 3)

    def child() -> None:
        assert limiter.peek("a").remaining == 7
        assert limiter.check("a", 4)
        assert make(kind, url, "10/hour", clock=None).peek("a").remaining == 3

    ended_well([forked(child)])
    assert limiter.peek("a").remaining == 3


def test_zones_of_one_file_are_one(url: str, tmp_path: Path, kind: Any) -> None:
    make(kind, url).check("a", 5)
    zone = shared.Zone(tmp_path / "limits.zone")
    assert not make(kind, zone).check("a")
    assert zone.size == 1 << 20
    assert os.stat(zone.path).st_mode & 0o777 == 0o600
    with pytest.raises((ValueError, StoreError), match="size"):
        shared.Zone(tmp_path / "limits.zone", size=2 << 20)


def ended(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_where_there_is_no_linux_one_line_says_so() -> None:
    code = "import sys; sys.platform = 'darwin'\nimport sluicegate.policy\nimport sluicegate.shared"
    done = ended(code)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: sluicegate.shared needs Linux: count in memory here")


def test_importing_the_package_brings_no_zone() -> None:
    done = ended("import sys, sluicegate; print('sluicegate._zone' in sys.modules)")
    assert done.stdout == "False\n"
