"""The script of several limits decides as limiters in memory do: all of them spend, or none."""

from __future__ import annotations

import random
import re
import struct
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis

from gate_debts import DEBTORS, Debtor
from gate_scripts import DAY, WORDS, Limit, disagreement, gate_script, packed, told
from redis_servers import Server
from script_traces import SCRIPTS, YEAR_2027, source
from sluicegate import ManualClock
from sluicegate._core import RedisGate

pytest_plugins = ["redis_fixtures"]

TRACES, STEPS = 150, 60
#: Each spends or looks otherwise than it should.
MUTANTS = {
    "spends although another refuses": ("and not refused and", "and"),
    "spends what does not fit": ("and room >= 0 and role", "and role"),
    "spends in a peek": ("op == 'c' and not refused", "not refused"),
    "one that only watches spends": ("and role ~= 'w' and", "and"),
    "a shadow refuses": ("if role == 'e' and room < 0", "if room < 0"),
    "nobody refuses": ("then refused = true end", "then refused = false end"),
    "only the first may refuse": ("then refused = true end", "then refused = index == 1 end"),
    "the time is of the second": ("time[1] * 1000000 + time[2]", "time[1] * 1000000"),
    "a key of another limit": ("key = KEYS[index]", "key = KEYS[index] and KEYS[1]"),
    "no receipts of windows": ("wait = mark or wait", "wait = 0"),
    "permits are held without their ids": ("ARGV[at + 2] - 2", "ARGV[at + 2] - 3"),
}


@pytest.fixture
def client(redis_server: Server) -> Iterator[redis.Redis]:
    with redis.Redis(port=redis_server.port) as client:
        yield client


def test_it_decides_as_limiters_in_memory(client: redis.Redis) -> None:
    for seed in range(TRACES):
        assert disagreement(client, seed, STEPS) is None


def spends_at_once(script: str) -> str:
    """Each limit is spent from before the next one is looked at."""
    asks = r"(local halted, told = ask\([^\n]*\)\n +if halted then return halted end\n)"
    moved, count = re.subn(
        asks + r"(.*?)(?=elseif kind|  else\n    return)", r"\2\1", script, flags=re.DOTALL
    )
    assert count == len(WORDS)
    return moved


@pytest.mark.parametrize("what", [*MUTANTS, "spends before the last look"])
def test_a_wrong_script_is_caught(client: redis.Redis, what: str) -> None:
    edit: Callable[[str], str] = spends_at_once
    if what in MUTANTS:
        old, new = MUTANTS[what]
        assert RedisGate.script().count(old) >= 1
        edit = lambda script: script.replace(old, new)  # noqa: E731
    assert any(disagreement(client, seed, STEPS, edit) for seed in range(40))


def test_it_reads_the_time_once_and_no_fragment_hides_a_name_of_its() -> None:
    script = RedisGate.script()
    assert script.count("redis.call('TIME')") == script.count("TIME") == 1
    head = (SCRIPTS / "gate/head.lua").read_text()
    names = set(
        re.findall(r"\w+", " ".join(re.findall(r"^ *local ([\w, ]+) =", head, re.MULTILINE)))
    )
    may_use = "op time clock key cost at oldest mark ARGV"
    names -= set(may_use.split())
    assert {"word", "index", "refused", "sent", "most"} <= names | {"word", "index"}
    names |= {"ask", "index", "word", "halted", "told"}
    for file in SCRIPTS.glob("fragments/*.lua"):
        code = re.sub("--.*", "", file.read_text())
        mine = re.findall(r"\blocal (?:function )?([\w, ]+)", code) + re.findall(
            r"for ([\w, ]+) (?:=|in)", code
        )
        assert not names & set(re.findall(r"\w+", " ".join(mine))), file


def limits(clock: ManualClock, *kinds: str) -> list[Limit]:
    return [Limit(kind, 5, 5 * 10**6, clock, number) for number, kind in enumerate(kinds)]


def run(
    client: redis.Redis, op: str, asked: list[tuple[Limit, int]], now: int, key: str = "a"
) -> Any:
    names = [limit.name(key) for limit, _ in asked]
    parts = []
    for number, (limit, cost) in enumerate(asked):
        held = cost if limit.kind == "permits" else 0
        parts.append((limit, cost, [f"id{number}.{each}:{limit.window}" for each in range(held)]))
    words = packed(op, parts, now)
    reply = client.eval(gate_script(), len(names), *names, *words, *divmod(now, 10**6))[0]
    if isinstance(reply, Exception):
        raise reply
    return told(reply)


@pytest.mark.parametrize("last", WORDS)
def test_a_wrong_type_in_the_last_key_changes_nothing(client: redis.Redis, last: str) -> None:
    *first, wrong = limits(ManualClock(YEAR_2027 / 1e6), *WORDS, last)
    wrong.number = 99
    assert run(client, "c", [(limit, 2) for limit in first], YEAR_2027)
    for command in (("SADD", "1"), ("HSET", "a", "1"), ("SET", "abc"), ("RPUSH", "x", "1", "1")):
        client.delete(wrong.name("a"))
        client.execute_command(command[0], wrong.name("a"), *command[1:])
        before = {name: client.dump(name) for name in client.scan_iter()}
        for op in "cpa":
            asked = [
                (limit, 1) for limit in (*first, wrong) if (op, limit.kind) != ("a", "permits")
            ]
            if wrong not in [limit for limit, _ in asked]:
                continue
            with pytest.raises(redis.ResponseError):
                run(client, op, asked, YEAR_2027 + 1)
            assert {name: client.dump(name) for name in client.scan_iter()} == before, command


def test_a_refusal_leaves_the_others_as_they_were(client: redis.Redis) -> None:
    *others, last = limits(ManualClock(YEAR_2027 / 1e6), *WORDS, "sliding_log")
    run(client, "c", [(limit, 2) for limit in others], YEAR_2027)
    run(client, "c", [(last, 5)], YEAR_2027)
    before = {name: client.dump(name) for name in client.scan_iter()}
    later = YEAR_2027 + 10**6  # no key is forgotten yet
    for order in ([*others, last], [last, *others]):
        replies = run(client, "c", [(limit, 1) for limit in order], later)
        assert replies[order.index(last)][:2] == [-1, 4 * 10**6]
        assert {name: client.dump(name) for name in client.scan_iter()} == before


def test_the_state_is_that_of_the_script_of_one(client: redis.Redis) -> None:
    kinds = [kind for kind in WORDS if kind not in ("calendar", "permits")]
    all_limits = limits(ManualClock(YEAR_2027 / 1e6), *kinds)
    run(client, "c", [(limit, 2) for limit in all_limits], YEAR_2027)
    run(client, "c", [(limit, 1) for limit in all_limits], YEAR_2027 + 10**6)
    together = [client.dump(limit.name("a")) for limit in all_limits]
    client.flushall()
    for limit in all_limits:
        script = source(limit.kind).replace("redis.call('TIME')", "{ARGV[#ARGV - 1], ARGV[#ARGV]}")
        for cost, now in ((2, YEAR_2027), (1, YEAR_2027 + 10**6)):
            client.eval(script, 1, limit.name("a"), "c", cost, *limit.quota, *divmod(now, 10**6))
    assert [client.dump(limit.name("a")) for limit in all_limits] == together


@pytest.mark.parametrize("kind", WORDS)
def test_a_refusal_puts_right_what_a_clock_that_was_ahead_has_left(
    client: redis.Redis, kind: str
) -> None:
    (limit,) = limits(ManualClock(YEAR_2027 / 1e6), kind)
    ahead = YEAR_2027 + 3 * DAY
    for _ in range(2):
        run(client, "c", [(limit, 5)], ahead)
    waits = []
    for step in range(4):  # by then, whatever was believed is over
        reply = run(client, "c", [(limit, 5)], YEAR_2027 + step * 5 * 10**6)
        waits.append(limit.read(reply[0], 5)[0])
    assert True in waits[:2]


@pytest.mark.parametrize("kind", DEBTORS)
def test_what_is_spent_anyway_is_a_debt_of_one_quota_at_most(
    client: redis.Redis, kind: str
) -> None:
    chance, owed = random.Random(8), 0
    for _ in range(25):
        client.flushall()
        now, most = YEAR_2027 + chance.randint(0, DAY), chance.choice([1, 4, 9])
        limit = Limit(kind, most, 36_000, ManualClock(now / 1e6), 0)
        model = Debtor(limit)
        for call in range(40):
            one, whole = 36_000 // most, 36_000
            now += chance.choice([0, 0, 1, one, 600, whole, chance.randint(0, whole)])
            cost = chance.choice([1, 1, most, 3 * most, 2**32 - 1])
            if chance.random() < 0.5:
                (reply,) = run(client, "a", [(limit, cost)], now)
                assert reply[0] == model.spend_anyway(now, call, cost)
                owed += model.used(now) > most
            else:
                cost = min(cost, most)
                (reply,) = run(client, "c", [(limit, cost)], now)
                assert limit.read(reply, cost)[0] == model.check(now, call, cost)
            (reply,) = run(client, "p", [(limit, 1)], now)
            assert limit.read(reply, 1)[1] == max(most - model.used(now), 0)
    assert owed > 100


def test_what_no_limit_is_called_is_an_error(client: redis.Redis) -> None:
    words = struct.pack("<ccddd", b"x", b"e", 1, 5, 1000)
    with pytest.raises(redis.ResponseError, match="no such kind"):
        client.eval(RedisGate.script(), 1, "a", "c", "<ccddd", words)
