"""What was found by using zones in every wrong way, each with its smallest reproduction."""

from __future__ import annotations

import asyncio
import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from sluicegate import Limit, ManualClock, _core, shared
from sluicegate._zone import own_directory
from sluicegate._zone.store import path_of
from sluicegate.errors import StoreError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="zones need Linux")


def python(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-c", program, *arguments]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)


def test_an_interpreter_ends_silently_while_a_gate_lives(url: str) -> None:
    """As one in a module of an application does, which is not the main one."""
    program = (
        "import sys; from sluicegate import shared; "
        "sys.gate = shared.Gate(sys.argv[1], '5/minute'); sys.gate.check('a')"
    )
    done = python(program, url)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("prefix", [None, 5, b"shop"])
def test_a_gates_prefix_is_a_str(url: str, prefix: object) -> None:
    with pytest.raises(TypeError, match="prefix must be a str, such as 'shop', got"):
        shared.Gate(url, "5/minute", prefix=prefix)  # type: ignore[arg-type]


def command(*arguments: object, at: Path | None = None) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "sluicegate", "zone", *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, check=False, cwd=at)


def test_a_look_makes_no_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_directory, "_IN_MEMORY", str(tmp_path))
    path = path_of("shared:limits")
    assert path == f"{tmp_path}/sluicegate-{os.geteuid()}/limits"
    assert list(tmp_path.iterdir()) == []


def test_a_look_takes_a_relative_path(url: str, tmp_path: Path) -> None:
    shared.FixedWindow(url, "5/minute", name="api")
    done = command("limits.zone", at=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{tmp_path}/limits.zone: 1.0 MB")


def test_names_do_not_command_the_terminal(url: str) -> None:
    shared.Gate(url, "5/minute", prefix="\x1b[2J\n")
    done = command(url)
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    assert r"\x1b[2J\n/gate/key" in done.stdout


def test_a_closed_standard_output_is_one_line(url: str) -> None:
    shared.FixedWindow(url, "5/minute", name="api")
    words = ["sh", "-c", 'exec "$@" >&-', "sh", sys.executable, "-m", "sluicegate", "zone", url]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "sluicegate: standard output must be open, and is closed\n"


@pytest.mark.parametrize(
    "changes",
    [
        [((), {"limit": 7, "window_seconds": 60}), ((9, 60), {})],
        [((7,), {"window_seconds": 60}), (("9/minute",), {})],
        [(("7/minute",), {}), ((), {"limit": "9/minute"})],
    ],
)
def test_a_window_is_pickled_by_its_last_quota(url: str, changes: list[Any]) -> None:
    limiter = shared.FixedWindow(url, "5/minute", name="api")
    for quota, named in changes:
        limiter.set_quota(*quota, **named)
    assert pickle.loads(pickle.dumps(limiter)).limit == 9


@pytest.mark.parametrize(
    "changes",
    [
        [((7,), {"refill_rate": 2}), ((9, 2), {})],
        [((), {"capacity": 7, "refill_rate": 2}), (("5/second burst 9",), {})],
        [(("5/second burst 7",), {}), ((), {"config": "5/second burst 9"})],
    ],
)
def test_a_bucket_is_pickled_by_its_last_quota(url: str, changes: list[Any]) -> None:
    limiter = shared.TokenBucket(url, None, 1, capacity=5, name="api")
    for quota, named in changes:
        limiter.set_quota(*quota, **named)
    assert pickle.loads(pickle.dumps(limiter)).limit == 9


def test_tokens_come_back_by_the_rate_at_which_they_were_spent(url: str) -> None:
    limiter = shared.TokenBucket(url, "10/day", name="api", clock=ManualClock())
    limiter.check("a", cost=10)
    limiter.set_quota("1000/second")
    assert limiter.peek("a").retry_after > 86_000
    limiter.reset("a")
    assert limiter.peek("a").remaining == 1_000


def test_no_name_is_that_of_another_limit_with_its_unit(url: str) -> None:
    tokens = shared.FixedWindow(url, "2 tokens/minute", name="a")
    tokens.check("k", cost=2)
    assert shared.FixedWindow(url, "2/minute", name="a tokens").peek("k").remaining == 2
    limits = [Limit("2 tokens/minute", name="a"), Limit("2/minute", name="a tokens")]
    decision = shared.Gate(url, limits).check("k", {"tokens": 2})
    assert [left.remaining for left in decision.limits.values()] == [0, 1]


def test_a_key_is_not_held_up_by_one_whose_loop_is_closed(url: str) -> None:
    clock = ManualClock()
    limiter = shared.FixedWindow(url, "1/minute", name="api", clock=clock)
    limiter.check("k")
    loop = asyncio.new_event_loop()
    task: Any = loop.create_task(limiter.wait("k", timeout=600))
    task._log_destroy_pending = False  # that it is never done is what this is about
    loop.run_until_complete(asyncio.sleep(0))
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    clock.advance(60)
    assert limiter.peek("k").allowed
    assert limiter.wait_sync("k", timeout=0).allowed
    clock.advance(60)
    assert limiter.check("k").allowed
    del task


def test_no_zone_belongs_to_nobody(tmp_path: Path) -> None:
    most = "an int from 0 to 4,294,967,294"
    for owner in [2**32 - 1, 2**32, -1]:
        with pytest.raises(ValueError, match=f"owner must be {most}, got {owner}"):
            shared.Zone(f"{tmp_path}/limits.zone", owner=owner)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("count", [len, repr, lambda limiter: limiter.statistics()])
def test_other_threads_run_while_keys_are_counted(url: str, count: Any) -> None:
    limiter = _core_limiter(url)
    begin, ran = threading.Lock(), []
    begin.acquire()

    def other() -> None:
        with begin:
            ran.append(True)

    before = sys.getswitchinterval()
    thread = threading.Thread(target=other)
    thread.start()
    sys.setswitchinterval(1_000)  # whoever lets nobody in of its own accord is alone
    try:
        begin.release()
        for _ in range(10_000):
            if ran:
                break
            count(limiter)
        assert ran
    finally:
        sys.setswitchinterval(before)
        thread.join()


def _core_limiter(url: str) -> Any:
    """One whose `repr` counts its keys."""
    zone = shared.Zone(url.partition("://")[2].partition("?")[0])
    return _core.ZoneFixedWindow(zone, "api", "5/minute")


def test_the_largest_limit_is_not_below_the_limit(url: str) -> None:
    range_of_it = "largest must be an int from 100 to 4,294,967,295, got 5"
    with pytest.raises(ValueError, match=range_of_it):
        shared.SegmentedWindow(url, 100, 60, name="api", largest=5)
    limiter = shared.SegmentedWindow(url, 5, 60, name="api", largest=5)
    limiter.set_quota(7, 60)
    assert pickle.loads(pickle.dumps(limiter)).limit == 7


def test_a_path_in_a_message_is_one_line_and_no_command(tmp_path: Path) -> None:
    path = tmp_path / "a\nb\x1b[2J" / "limits.zone"
    with pytest.raises(StoreError) as refused:
        shared.Zone(str(path))
    assert str(refused.value).isprintable()
    assert r"a\nb\u{1b}[2J" in str(refused.value)
    path.parent.mkdir()
    assert repr(shared.Zone(str(path))).isprintable()


def test_a_zone_that_cannot_be_made_leaves_no_file(tmp_path: Path) -> None:
    program = (
        "import resource, sys; from sluicegate import shared; from sluicegate.errors import StoreError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))\n"
        "try: shared.Zone(sys.argv[1])\n"
        "except StoreError as error: print(error)"
    )
    path = tmp_path / "limits.zone"
    done = python(program, str(path))
    assert "no room for" in done.stdout, done
    assert not path.exists()
    path.touch()
    assert "no room for" in python(program, str(path)).stdout
    assert path.exists(), "it was there before"
