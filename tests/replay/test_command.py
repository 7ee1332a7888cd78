"""``sluicegate replay``: logs as servers write them, and outcomes against a slow count."""

from __future__ import annotations

import gzip
import random
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replays import SECOND, START, document, line, run, write
from sluicegate import ManualClock
from sluicegate.policy import algorithms
from sluicegate.replay import specs
from sluicegate.replay.engine import refused_at_once, replay, smallest_limit
from sluicegate.replay.logs.access_log import AccessLog, read
from sluicegate.replay.logs.keys import CLIENT, client_key, path_key


@pytest.mark.parametrize(
    "text",
    [
        line(),
        line().replace(' "-" "Mozilla/5.0 (\\"x\\")"', ""),  # the common format
        line(client="2001:db8::1"),
        line().replace(":10:05:00", ":10:05:60"),  # a leap second
        line(request="-"),
        line(request='GET /a\\"b HTTP/1.1'),
        line(request=""),
        line().replace("- - [", "- John Q. Public ["),
        line().replace("+0000", "-0730"),
        line().rstrip("\n"),
        line().replace("\n", "\r\n"),
        line().replace("Mozilla", "Moz\xefll\xe4"),
    ],
)
def test_lines_as_servers_write_them(tmp_path: Path, text: str) -> None:
    log = read(write(tmp_path, text), CLIENT)
    assert (len(log), log.malformed) == (1, 0)


def test_time_zones_are_read(tmp_path: Path) -> None:
    texts = line() + line(second=7200).replace("+0000", "+0200")
    assert read(write(tmp_path, texts), CLIENT).span == (START, START)


@pytest.mark.parametrize(
    "text",
    [
        "\n",
        "garbage\n",
        "\x00\xff\xfe" * 100 + "\n",
        line().replace("May", "Foo"),
        line().replace("17/May", "99/May"),
        line().replace("[", ""),
        line().replace('"GET', "GET"),
        "x" * 200_000 + "\n",
        line().replace("2015", "1066"),
        line().replace("2015", "9999"),
        line().replace(":10:05:00", ":24:05:00"),
        line().replace("+0000", "+9999"),
    ],
)
def test_malformed_lines_are_counted_and_never_fatal(tmp_path: Path, text: str) -> None:
    log = read(write(tmp_path, line() + text + line()), CLIENT)
    assert (len(log), log.malformed, log.first_malformed) == (2, 1, [2])


def test_the_virtual_host_before_the_client_is_passed_over(tmp_path: Path) -> None:
    texts = (
        f"example.com:443 {line()}www.example.com:80 {line('2001:db8::1')}{line('2001:db8::80')}"
    )
    assert read(write(tmp_path, texts), CLIENT).names == ["192.0.2.1", "2001:db8::/64"]


def test_lines_out_of_order_are_put_in_order_and_stay_stable(tmp_path: Path) -> None:
    seconds = [5, 3, 5, 0, 5]
    texts = "".join(line(f"192.0.2.{n}", second) for n, second in enumerate(seconds))
    log = read(write(tmp_path, texts), CLIENT)
    assert [log.names[key] for key in log.keys] == [f"192.0.2.{n}" for n in (3, 1, 0, 2, 4)]
    assert list(log.times) == sorted(log.times)
    assert log.out_of_order == 2


def test_gzip_is_told_by_its_bytes_and_damage_is_said(tmp_path: Path) -> None:
    noise = random.Random(1)
    text = "".join(
        line(f"10.0.{noise.randrange(256)}.{noise.randrange(256)}", n) for n in range(2_000)
    )
    packed = gzip.compress(text.encode())
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    whole.write_bytes(packed)
    cut.write_bytes(packed[: len(packed) // 2])
    assert len(read(str(whole), CLIENT)) == 2_000
    log = read(str(cut), CLIENT)
    assert 0 < len(log) < 2_000
    assert log.damage is not None
    assert "ends or breaks" in log.damage


def test_keys() -> None:
    assert client_key("2001:db8::1") == client_key("2001:db8::2") == "2001:db8::/64"
    assert client_key("::ffff:192.0.2.1") == "192.0.2.1"
    assert client_key("host.example") is None
    uuid = "0f8fad5b-d9cb-469f-a165-70867728950e"
    request = f"GET /users/17/files/{uuid}/v2?x=1/2 HTTP/1.1"
    assert path_key(request) == "/users/{n}/files/{uuid}/v2"
    assert path_key("GET /1/2/3 HTTP/1.1") == "/{n}/{n}/{n}"
    assert path_key("GET /v1/a2/20x HTTP/1.1") == "/v1/a2/20x"
    assert path_key("-") == "-"


@pytest.mark.parametrize(
    ("text", "limit", "window", "larger"),
    [
        ("sliding_window:100/minute", 100, 60.0, "sliding_window:7/minute"),
        ("fixed_window:5/day in UTC", 5, 86_400.0, "fixed_window:7/day in UTC"),
        ("segmented_window:10000/day", 10_000, 86_400.0, "segmented_window:7/day"),
        ("sliding_counter:5/2 hours", 5, 7200.0, "sliding_counter:7/2 hours"),
        ("sliding_window:5/0.5 seconds", 5, 0.5, "sliding_window:7/0.5 seconds"),
        ("sliding_window:5 tokens/second", 5, 1.0, "sliding_window:7 tokens/second"),
        ("token_bucket:10/second", 10, 1.0, "token_bucket:10/second burst 7"),
        ("token_bucket:30/minute burst 100", 100, 60.0, "token_bucket:30/minute burst 7"),
    ],
)
def test_specs(text: str, limit: int, window: float, larger: str) -> None:
    spec = specs.parse(text)
    assert (spec.limit, spec.window_seconds, str(spec)) == (limit, window, text)
    other = spec.with_limit(7)
    assert (other.limit, str(other), other) == (7, larger, specs.parse(larger))
    assert other.limiter(ManualClock(), 1).limit == 7
    with pytest.raises((ValueError, OverflowError)):
        spec.with_limit(spec.largest_limit + 2).limiter(ManualClock(), 1)
    assert spec.with_limit(spec.largest_limit).limiter(ManualClock(), 1)


def test_algorithms_go_by_the_names_that_they_have_elsewhere() -> None:
    assert specs._BY_NAME.keys() == algorithms._BY_NAME.keys()


traces = st.lists(st.tuples(st.integers(0, 200), st.sampled_from("abc")), min_size=1, max_size=60)


def log_of(trace: list[tuple[int, str]]) -> AccessLog:
    log = AccessLog()
    log.names = ["a", "b", "c"]
    for second, name in sorted(trace):
        log.times.append((START + second) * SECOND)
        log.keys.append(log.names.index(name))
    log.put_in_order()
    return log


def spread(trace: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """The trace in microseconds, each second's requests spread over it evenly."""
    counts = Counter(second for second, _ in trace)
    seen: Counter[int] = Counter()
    times = []
    for second, name in sorted(trace):
        times.append((second * SECOND + seen[second] * SECOND // counts[second], name))
        seen[second] += 1
    return times


def slowly(trace: list[tuple[int, str]], limit: int, window: int) -> list[bool]:
    """A sliding log by counting."""
    admitted: list[tuple[int, str]] = []
    allowed = []
    for time, name in trace:
        live = [t for t, other in admitted if other == name and t > time - window]
        allowed.append(len(live) < limit)
        if allowed[-1]:
            admitted.append((time, name))
    return allowed


close = st.lists(st.tuples(st.integers(0, 30), st.sampled_from("abc")), min_size=1, max_size=60)


@given(traces | close, st.integers(1, 5), st.integers(1, 60) | st.integers(1, 8))
def test_a_replay_is_the_slow_count(trace: list[tuple[int, str]], limit: int, window: int) -> None:
    spec = specs.parse(f"sliding_window:{limit}/{window}s")
    outcome = replay(log_of(trace), spec)
    even, span = spread(trace), window * SECOND
    expected = slowly(even, limit, span)
    assert list(outcome.allowed) == expected
    assert sum(row.refused for row in outcome.by_key) == outcome.refused
    admitted = [request for request, allowed in zip(even, expected, strict=True) if allowed]
    assert outcome.most_admitted == busiest(admitted, span) <= limit
    for row in outcome.by_key:
        assert row.most == busiest([request for request in even if request[1] == row.key], span)
    bins = outcome.over_time(7)
    assert sum(part.requests for part in bins) == len(trace)
    assert sum(part.refused for part in bins) == outcome.refused
    assert bins[0].start <= outcome.log.span[0]
    assert len(bins) <= 8
    at_once = slowly([(second * SECOND, name) for second, name in sorted(trace)], limit, span)
    assert refused_at_once(outcome.log, spec) == at_once.count(False)


def busiest(requests: list[tuple[int, str]], window: int) -> int:
    return max(
        sum(1 for t, other in requests if other == name and second - window < t <= second)
        for second, name in requests
    )


@given(
    traces,
    st.sampled_from(
        [
            "sliding_window:1/20s",
            "segmented_window:3/20s",
            "segmented_window:3/300s",
            "fixed_window:9/20s",
            "token_bucket:1/20s burst 1",
            "sliding_counter:3/20s",
            "sliding_window:99/s",
        ]
    ),
    st.sampled_from([0.0, 0.01, 0.1, 0.29, 0.5, 1.0]),
)
def test_the_limit_that_is_enough(trace: list[tuple[int, str]], text: str, share: float) -> None:
    log, spec = log_of(trace), specs.parse(text)
    best = smallest_limit(replay(log, spec), share)
    assert best.share <= share
    assert best.allowed == replay(log, best.spec).allowed
    shares = [replay(log, spec.with_limit(n)).share for n in range(1, best.spec.limit)]
    # For the counter only the next smaller limit is promised to refuse too many.
    promised = shares[-1:] if spec.kind == "sliding_counter" else shares
    assert all(smaller > share for smaller in promised)


def test_no_limit_may_be_enough(tmp_path: Path) -> None:
    # A bucket of such a rate may hold one token at the most.
    found = document(
        write(tmp_path, BURST), "-l", "token_bucket:1/900000000s burst 1", "--at-most", "10"
    )
    assert found["limits"][0]["enough"] is None
    done = run("replay", write(tmp_path, BURST), "-l", "token_bucket:1/900000000s burst 1")
    assert "none: not even token_bucket:1/250000 hours burst 1" in done.stdout.decode()


@given(traces)
def test_a_fixed_window_lets_bursts_through(trace: list[tuple[int, str]]) -> None:
    assert replay(log_of(trace), specs.parse("fixed_window:2/10s")).most_admitted <= 4


def test_a_calendars_windows_end_with_its_days() -> None:
    midnight = 30_300  # in India, that many seconds after the log begins
    log = log_of([(midnight - 1, "a")] * 3 + [(midnight, "a")] * 3)
    for text, refused in [
        ("fixed_window:2/day in Asia/Kolkata", 2),
        ("fixed_window:2/day in UTC", 4),
        ("fixed_window:2/day", 4),
    ]:
        outcome = replay(log, specs.parse(text))
        assert outcome.refused == refused, text
        enough = smallest_limit(outcome, 0.0).spec
        assert str(enough) == text.replace(":2/", ":3/" if refused == 2 else ":6/")


BURST = "".join(line("192.0.2.1", n // 10) for n in range(30)) + line("192.0.2.2", 9)


def test_tables(tmp_path: Path) -> None:
    path = write(tmp_path, "garbage\n" + BURST)
    done = run(
        "replay",
        path,
        "-l",
        "sliding_window:10/minute",
        "-l",
        "fixed_window:100/minute",
        NO_COLOR="1",
    )
    text = done.stdout.decode()
    assert done.returncode == 0
    assert "31 requests by 2 clients" in text
    assert "malformed lines, left out: 1 (line 1)" in text
    assert " ".join(text.split()).count("192.0.2.1 30 20 66.67% 30") == 1
    assert "sliding_window:30/minute" in text
    assert "\x1b[" not in text
    assert run("replay", path).stderr.decode().startswith("no --limit given")


def test_json(tmp_path: Path) -> None:
    found = document(write(tmp_path, BURST), "-l", "sliding_window:10/minute", "--at-most", "50")
    (limit,) = found["limits"]
    assert (found["requests"], found["keys"], found["first"]) == (31, 2, START)
    assert (limit["admitted"], limit["refused"], limit["keys_refused"]) == (11, 20, 1)
    assert limit["top_keys"] == [
        {
            "key": "192.0.2.1",
            "requests": 30,
            "refused": 20,
            "most_in_a_window": 30,
            "first_refusal": START + 1,
            "last_refusal": START + 2,
        }
    ]
    assert limit["most_in_a_window"] == 10
    assert limit["enough"] == {"limit": "sliding_window:15/minute", "refused": 15, "share": 15 / 31}


def test_names_from_the_log_are_text_and_nothing_else(tmp_path: Path) -> None:
    requests = ["GET /[/foo] HTTP/1.1", "GET /\x1b[31mred HTTP/1.1", "GET /:bug: HTTP/1.1"]
    path = write(tmp_path, "".join(line(request=request) * 2 for request in requests))
    for encoding in ("utf-8", "ascii"):
        done = run(
            *("replay", path, "--by", "path", "-l", "sliding_window:1/minute"),
            PYTHONIOENCODING=encoding,
        )
        assert done.returncode == 0, done.stderr
        for shown in (b"/[/foo] ", b"/\\x1b[31mred ", b"/:bug: "):
            assert shown in done.stdout
        assert b"\x1b" not in done.stdout


def test_paths_and_standard_input() -> None:
    text = "".join(line(request=f"GET /users/{n}?page={n} HTTP/1.1") for n in range(5))
    for data in (text.encode(), gzip.compress(text.encode())):
        found = document("-", "--by", "path", "-l", "sliding_window:2/minute", stdin=data)
        assert found["limits"][0]["top_keys"][0]["key"] == "/users/{n}"
        assert found["limits"][0]["refused"] == 3


@pytest.mark.parametrize(("name", "magic"), [("out.png", b"\x89PNG"), ("out.svg", b"<?xml")])
def test_plots(tmp_path: Path, name: str, magic: bytes) -> None:
    target = tmp_path / name
    done = run(
        "replay", write(tmp_path, BURST), "-l", "sliding_window:10/minute", "--plot", str(target)
    )
    assert done.returncode == 0, done.stderr
    assert target.read_bytes().startswith(magic)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            ["--limit", "sliding_window:0/minute"],
            "--limit sliding_window:0/minute: quota '0/minute': ",
        ),
        (["--limit", "sliding_window:1/year"], "quota '1/year': "),
        (["--limit", "sliding_window:1/day in UTC"], "only a FixedWindow has calendar windows"),
        (["--limit", "sliding_window:16777217/day"], "a SegmentedWindow holds more"),
        (["--limit", "sliding_window"], "--limit must be an algorithm and a quota, as sliding_"),
        (["--limit", "leaky:1/s"], "the algorithms are sliding_window, segmented_window, "),
        (["--limit", "token_bucket:5 concurrent"], "a TokenBucket needs a rate"),
        (["--limit", "sliding:100/1m"], "this is now 'sliding_window:100/1m'"),
        (["--limit", "fixed:5/60"], "this is now 'fixed_window:5/60 seconds'"),
        (["--limit", "counter:5/2h"], "this is now 'sliding_counter:5/2h'"),
        (["--limit", "bucket:20@1/1s"], "this is now 'token_bucket:1/1s burst 20'"),
        (["--by", "user"], "--by must be ip or path, got 'user'"),
        (["--at-most", "101"], "--at-most must be 0 to 100 percent, got 101.0"),
        (["--at-most", "nan"], "--at-most must be"),
        (["--top", "0"], "--top must be at least 1, got 0"),
        (["--plot", "x.bmp"], "--plot must end in .png or .svg, got 'x.bmp'"),
        (["--plot", "no/such/folder/x.png"], "--plot must lie in a folder that exists"),
        (["--wrong"], "--wrong"),
    ],
)
def test_wrong_arguments_are_one_line_and_exit_code_2(
    tmp_path: Path, arguments: list[str], text: str
) -> None:
    done = run("replay", write(tmp_path, BURST), *arguments)
    assert done.returncode == 2
    assert done.stdout == b""
    (only,) = done.stderr.decode().splitlines()
    assert only.startswith("sluicegate: ")
    assert text in only


@pytest.mark.parametrize("kind", ["missing", "folder", "empty", "garbage", "forbidden"])
def test_unreadable_logs_are_one_line_and_exit_code_2(tmp_path: Path, kind: str) -> None:
    path = tmp_path / kind
    if kind == "folder":
        path.mkdir()
    elif kind == "empty":
        path.touch()
    elif kind == "garbage":
        path.write_bytes(bytes(range(256)) * 100)
    elif kind == "forbidden":
        path.touch(mode=0)
    done = run("replay", str(path))
    errors = [
        text for text in done.stderr.decode().splitlines() if not text.startswith("no --limit")
    ]
    assert done.returncode == 2
    assert len(errors) == 1
    assert errors[0].startswith("sluicegate: FILE must")
    assert str(path) in errors[0]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_output_that_cannot_be_written_and_input_that_is_closed(tmp_path: Path) -> None:
    replay_it = f"{sys.executable} -m sluicegate replay --json"
    for command in (f"{replay_it} {write(tmp_path, BURST)} > /dev/full", f"{replay_it} - <&-"):
        done = subprocess.run(["sh", "-c", command], capture_output=True, timeout=60)
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1


def test_ctrl_c_ends_quietly(tmp_path: Path) -> None:
    arguments = [sys.executable, "-m", "sluicegate", "replay", "-"]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        assert b"no --limit" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
        assert process.stderr.read() == b""


def test_version_help_and_a_reader_that_leaves(tmp_path: Path) -> None:
    assert run("--version").stdout.startswith(b"sluicegate 0.")
    assert b"replay" in run("--help").stdout
    path = write(tmp_path, BURST)
    command = f"{sys.executable} -m sluicegate replay {path} -l sliding_window:1/minute | head -n 1"
    done = subprocess.run(["sh", "-c", command], capture_output=True, timeout=60)
    assert b"31 requests" in done.stdout
    assert b"Traceback" not in done.stderr


def test_a_missing_extra_is_named(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['typer'] = None\n"
        "from sluicegate.cli import main; main(['--version'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == 'sluicegate: typer is not installed: pip install "sluicegate[cli]"\n'
