"""``sluicegate replay`` of several limits that decide together, against a slow count of all of them."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replays import SECOND, START, document, line, run, write
from sluicegate.replay import specs
from sluicegate.replay.engine import refused_at_once, replay, smallest_limit
from sluicegate.replay.logs.access_log import AccessLog
from sluicegate.replay.outcome import Outcome
from sluicegate.replay.specs import Refusal, Several

Limits = list[tuple[int, int]]
Trace = list[tuple[int, str]]

traces = st.lists(st.tuples(st.integers(0, 90), st.sampled_from("abc")), min_size=1, max_size=60)
windows = st.sampled_from([(2, 9), (9, 2), (1, 7, 30), (30, 7, 1)])


def log_of(trace: Trace) -> AccessLog:
    log = AccessLog()
    log.names = ["a", "b", "c"]
    for second, name in sorted(trace):
        log.times.append((START + second) * 1_000_000)
        log.keys.append(log.names.index(name))
    log.put_in_order()
    return log


def several(limits: Limits) -> Several:
    found = specs.parse("; ".join(f"{limit}/{window} seconds" for limit, window in limits))
    assert isinstance(found, Several)
    return found


def slowly(log: AccessLog, limits: Limits) -> list[Refusal | None]:
    """Sliding logs by counting: who refuses each request, and who waits longest; all or nothing."""
    admitted: list[tuple[int, int]] = []
    found: list[Refusal | None] = []
    for time, key in zip(log.times, log.keys, strict=True):
        waits: dict[int, int] = {}
        for place, (limit, window) in enumerate(limits):
            span = window * SECOND
            live = [t for t, other in admitted if other == key and t > time - span]
            if len(live) >= limit:
                waits[place] = live[-limit] + span - time
        if waits:
            longest = max(waits, key=lambda place: (waits[place], -place))
            found.append(Refusal(sum(1 << place for place in waits), longest))
        else:
            admitted.append((time, key))
            found.append(None)
    return found


@given(traces, windows, st.lists(st.integers(1, 6), min_size=3, max_size=3))
def test_a_replay_is_the_slow_count(
    trace: Trace, spans: tuple[int, ...], amounts: list[int]
) -> None:
    limits = list(zip(amounts, spans, strict=False))
    log = log_of(trace)
    outcome = replay(log, several(limits))
    expected = slowly(log, limits)
    assert [bool(allowed) for allowed in outcome.allowed] == [each is None for each in expected]
    refused = [each for each in expected if each is not None]
    assert [by.bits for _, _, by in outcome.refusals()] == [each.bits for each in refused]
    agrees_with(outcome, log, limits, expected)
    at_once = log_of(trace)
    at_once.times = log.at_once()
    found = slowly(at_once, limits)
    assert refused_at_once(log, several(limits)) == sum(each is not None for each in found)


def agrees_with(
    outcome: Outcome, log: AccessLog, limits: Limits, expected: list[Refusal | None]
) -> None:
    requests = list(zip(log.times, log.keys, expected, strict=True))
    for place, (part, (limit, window)) in enumerate(zip(outcome.parts, limits, strict=True)):
        own = [(t, key) for t, key, by in requests if by and by.bits >> place & 1]
        assert part.refused == len(own)
        assert part.keys == len({key for _, key in own})
        assert part.first == (own[0][0] // SECOND if own else None)
        assert part.last == (own[-1][0] // SECOND if own else None)
        passed = [(t, key) for t, key, by in requests if by is None]
        assert part.most == busiest(passed, window * SECOND) <= limit
        by_key = Counter(log.names[key] for _, key in own)
        assert {row.key: row.by[place] for row in outcome.by_key if row.by[place]} == by_key
    bins = outcome.over_time(7)
    for place in range(len(limits)):
        told = sum(by.longest == place for _, _, by in outcome.refusals())
        assert sum(part.by[place] for part in bins) == told
    assert all(part.refused == sum(part.by) for part in bins)
    assert sum(part.refused for part in bins) == outcome.refused


def busiest(requests: list[tuple[int, int]], window: int) -> int:
    return max(
        sum(1 for t, other in requests if other == key and time - window < t <= time)
        for time, key in requests
    )


@given(traces, windows)
def test_whoever_waits_longest_is_told(trace: Trace, spans: tuple[int, ...]) -> None:
    limits = [(2, span) for span in spans]
    log = log_of(trace)
    expected = [each for each in slowly(log, limits) if each is not None]
    outcome = replay(log, several(limits))
    assert [by.longest for _, _, by in outcome.refusals()] == [each.longest for each in expected]


@given(traces, st.sampled_from([0.0, 0.05, 0.2, 1.0]))
def test_limits_that_are_enough_together(trace: Trace, share: float) -> None:
    log = log_of(trace)
    best = smallest_limit(replay(log, several([(1, 3), (2, 40)])), share)
    assert best.share <= share
    assert best.allowed == replay(log, best.spec).allowed
    assert [part.window_seconds for part in best.spec.parts] == [3, 40]
    # Each is no larger than what would refuse nobody at all.
    for part in best.spec.parts:
        alone = smallest_limit(replay(log, part), 0.0).spec
        assert isinstance(alone, specs.Spec)
        assert part.limit <= alone.limit


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("5/second; 1000/day", ["sliding_window:5/second", "sliding_window:1000/day"]),
        ("5/s,10000/day", ["sliding_window:5/second", "segmented_window:10000/day"]),
        ("fixed_window:5/s | 9/day", ["fixed_window:5/second", "fixed_window:9/day"]),
        (
            "5/s; fixed_window:9/day in UTC; token_bucket:10/s burst 20",
            [
                "sliding_window:5/second",
                "fixed_window:9/day in UTC",
                "token_bucket:10/second burst 20",
            ],
        ),
        (
            "sliding_counter:5/minute; segmented_window:5/hour",
            ["sliding_counter:5/minute", "segmented_window:5/hour"],
        ),
        (
            "fixed_window:5/s; sliding_window:5/s",
            ["fixed_window:5/second", "sliding_window:5/second"],
        ),
    ],
)
def test_specs(text: str, parts: list[str]) -> None:
    spec = specs.parse(text)
    assert [str(part) for part in spec.parts] == parts
    assert str(spec) == "; ".join(parts)
    assert specs.parse(str(spec)) == spec
    log = log_of([(second, "a") for second in range(20)])
    assert 1 <= replay(log, spec).admitted <= 20


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("100/minute", "sliding_window"),
        ("10000/day", "segmented_window"),
        ("10/second burst 20", "token_bucket"),
        ("9/day in UTC", "fixed_window"),
    ],
)
def test_a_quota_without_an_algorithm_chooses_as_a_gate_does(text: str, kind: str) -> None:
    assert str(specs.parse(text)) == f"{kind}:{text}"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("5/second; 5/second", "the same limit stands there twice"),
        ("5/second;", "--limit must be an algorithm and a quota"),
        ("5/second; sliding_window", "--limit must be an algorithm and a quota"),
        ("5/second; leaky:9/day", "the algorithms are sliding_window, "),
        ("5/second; 5 concurrent", "quota '5 concurrent': "),
        ("unlimited", "quota 'unlimited': "),
        ("5/second; 0/day", "quota '0/day': "),
        ("5/second; sliding:9/1m", "this is now 'sliding_window:9/1m'"),
        ("sliding_window:5/second; 9/day in UTC", "only a FixedWindow has calendar windows"),
        ("; ".join(f"{n}/{n} seconds" for n in range(1, 34)), "at most 32"),
    ],
)
def test_wrong_limits_are_one_line(tmp_path: Path, text: str, why: str) -> None:
    done = run("replay", write(tmp_path, line()), "--limit", text)
    assert (done.returncode, done.stdout) == (2, b"")
    (only,) = done.stderr.decode().splitlines()
    assert only.startswith("sluicegate: --limit ")
    assert why in only


# Ten requests a second for three seconds: five a second pass, until the twelve of the minute are spent.
BURST = "".join(line("192.0.2.1", n // 10) for n in range(30)) + line("192.0.2.2", 9)
LIMIT = "sliding_window:5/second; sliding_window:12/minute"


def test_json_says_which_limit_refused(tmp_path: Path) -> None:
    found = document(write(tmp_path, BURST), "-l", LIMIT, "-l", "sliding_window:5/second")
    both, alone = found["limits"]
    assert (both["limit"], both["admitted"], both["refused"]) == (LIMIT, 13, 18)
    assert both["most_in_a_window"] is None
    second, minute = both["parts"]
    assert (second["limit"], minute["limit"]) == tuple(LIMIT.split("; "))
    assert (minute["refused"], minute["first_refusal"]) == (8, START + 2)
    assert (minute["most_in_a_window"], second["most_in_a_window"]) == (12, 5)
    assert second["refused"] >= 10
    assert both["top_keys"] == [
        {
            "key": "192.0.2.1",
            "requests": 30,
            "refused": 18,
            "most_in_a_window": None,
            "first_refusal": START,
            "last_refusal": START + 2,
            "refused_by": {LIMIT.split("; ")[0]: second["refused"], LIMIT.split("; ")[1]: 8},
        }
    ]
    assert both["enough"]["limit"] == "sliding_window:10/second; sliding_window:30/minute"
    assert [part["refused"] for part in alone["parts"]] == [alone["refused"]] == [15]
    assert alone["parts"][0]["most_in_a_window"] == alone["most_in_a_window"]
    assert "refused_by" not in alone["top_keys"][0]


def test_tables_say_which_limit_refused(tmp_path: Path) -> None:
    done = run("replay", write(tmp_path, BURST), "-l", LIMIT, NO_COLOR="1", COLUMNS="120")
    assert (done.returncode, done.stderr) == (0, b"")
    text = " ".join(done.stdout.decode().split())
    assert "a request that more than one refuses counts for each" in text
    assert "sliding_window:12/minute 8 25.81% 1 12 " in text


def test_a_limit_that_can_never_refuse_is_told_of_once(tmp_path: Path) -> None:
    done = run("replay", write(tmp_path, BURST), "-l", "10/second; 5/day")
    (only,) = done.stderr.decode().splitlines()
    assert "can never refuse" in only


@pytest.mark.parametrize(("name", "magic"), [("out.png", b"\x89PNG"), ("out.svg", b"<?xml")])
def test_plots(tmp_path: Path, name: str, magic: bytes) -> None:
    target = tmp_path / name
    done = run("replay", write(tmp_path, BURST), "-l", LIMIT, "--plot", str(target))
    assert done.returncode == 0, done.stderr
    assert target.read_bytes().startswith(magic)
    if name.endswith("svg"):
        assert "by sliding_window:12/minute" in target.read_text()


def test_units_of_a_log_are_requests_of_each_kind() -> None:
    spec = specs.parse("sliding_window:3 tokens/second; 5/minute")
    outcome = replay(log_of([(0, "a")] * 4), spec)
    assert (outcome.admitted, math.isclose(outcome.share, 0.25)) == (3, True)
