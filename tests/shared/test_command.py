"""``sluicegate zone``: what it shows, and what it says of what is no zone."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from sluicegate import ManualClock, shared


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "sluicegate", "zone", *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, check=False)


def test_limits_are_shown_by_name(url: str, tmp_path: Path) -> None:
    path = tmp_path / "limits.zone"
    api = shared.FixedWindow(url, "100/minute", name="api")
    for key in range(20):
        api.check(f"key {key}")
    shared.SegmentedWindow(url, "5/day", name="slow").check("a")
    shared.TokenBucket(url, "5/second burst 9", name="burst").check("a")
    permit = shared.ConcurrencyLimiter(url, 3, name="exports").try_acquire("a")
    before = path.read_bytes()
    done = command(path, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    limits = {limit["name"]: limit for limit in found["limits"]}
    assert list(limits) == ["api", "burst", "exports", "slow"]
    assert {limit["algorithm"] for limit in limits.values()} == {
        *("fixed_window", "segmented_window", "token_bucket", "permits")
    }
    assert (limits["api"]["window_seconds"], limits["api"]["live"]) == (60, 20)
    assert (limits["slow"]["window_seconds"], limits["slow"]["largest"]) == (86_400, 7)
    assert limits["burst"]["window_seconds"] is None
    assert limits["exports"]["live"] == 1
    assert found["used"] == 23
    assert found["size_bytes"] == 1 << 20
    assert 0 <= found["age_seconds"] < 600
    assert found["owner"] == pwd.getpwuid(os.geteuid()).pw_name
    assert (found["mode"], found["writable_by"]) == ("0600", "owner")
    assert found["is_of_this_boot"] is True
    shown = command(url)
    assert shown.returncode == 0, shown.stderr
    for text in ("limits.zone: 1.0 MB", "only its owner may write it", "fixed_window", "exports"):
        assert text in shown.stdout
    assert path.read_bytes() == before
    assert permit is not None


def test_idle_keys_are_told_from_live_ones(url: str, tmp_path: Path) -> None:
    shared.FixedWindow(url, 5, 0.001, name="short").check("a")
    shared.FixedWindow(url, 5, 1e9, name="long").check("a")
    found = json.loads(command(tmp_path / "limits.zone", "--json").stdout)
    keys = {limit["name"]: (limit["live"], limit["idle"]) for limit in found["limits"]}
    assert keys == {"short": (0, 1), "long": (1, 0)}
    assert found["is_manual"] is False


def test_a_zone_of_tests_says_so(url: str, tmp_path: Path) -> None:
    shared.FixedWindow(url, 5, 60, name="api", clock=ManualClock()).check("a")
    found = json.loads(command(tmp_path / "limits.zone", "--json").stdout)
    assert found["is_manual"] is True
    assert "a ManualClock counts in it" in command(url).stdout


def test_windows_leases_and_layouts_are_shown_as_one_writes_them(url: str) -> None:
    shared.SegmentedWindow(url, "5/second", name="a", largest=2_000)
    shared.SlidingWindowCounter(url, 5, 90, name="b")
    shared.FixedWindow(url, "5/2 days", name="c")
    shared.ConcurrencyLimiter(url, 3, name="d", lease_seconds=60)
    shared.TokenBucket(url, "5/second burst 9", name="e")
    shared.FixedWindow(url, 5, 0.25, name="f")
    rows = [line.split() for line in command(url).stdout.splitlines()]
    shown = {row[0]: " ".join(row[2:-3]) for row in rows if row and len(row[0]) == 1}
    assert shown == {
        "a": "second 2,047",
        "b": "90 seconds -",
        "c": "2 days -",
        "d": "lease: minute -",
        "e": "- -",
        "f": "0.25 seconds -",
    }


def test_an_empty_zone(tmp_path: Path) -> None:
    shared.Zone(tmp_path / "z", size=1 << 20)
    done = command(tmp_path / "z")
    assert "No limit has been declared in it." in done.stdout
    (tmp_path / "z").chmod(0o666)
    assert "EVERYBODY may write it" in command(tmp_path / "z").stdout


@pytest.mark.parametrize("what", ["missing", "text", "directory", "empty"])
def test_what_is_no_zone_is_one_line_and_code_2(tmp_path: Path, what: str) -> None:
    path = tmp_path / what
    if what == "directory":
        path.mkdir()
    elif what != "missing":
        path.write_text("somebody's" if what == "text" else "")
    done = command(path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("sluicegate: ")
    assert str(path) in done.stderr


def test_a_wrong_url_is_one_line_too() -> None:
    done = command("shared:a/b")
    assert done.returncode == 2
    assert "its path must be absolute" in done.stderr
