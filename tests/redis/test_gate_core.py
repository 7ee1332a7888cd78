"""What a gate in Redis asks, and what it answers: one request, all or nothing, with or without a server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from gate_cores import Gate, allowed, left, limiter
from redis_servers import Server
from redis_topologies import Cluster
from sluicegate import Quota
from sluicegate._core import RedisGate
from sluicegate.errors import StoreError

pytest_plugins = ["redis_fixtures"]

ALL = ("log 5/hour", "bucket 5/hour", "segments 5/hour", "fixed 5/hour", "counter 5/hour")
Make = Callable[..., Gate]


@pytest.fixture
def gate(redis_server: Server) -> Iterator[Make]:
    made: list[Gate] = []

    def make(*texts: str, **options: Any) -> Gate:
        made.append(Gate(redis_server.url, *texts, **options))
        return made[-1]

    yield make
    for each in made:
        each.close()


def commands(server: Server) -> dict[str, int]:
    """How often the server ran each command."""
    lines = server.command("INFO", "commandstats").decode().split()
    pairs = (line.removeprefix("cmdstat_").split(":calls=") for line in lines if "calls=" in line)
    return {name: int(rest.split(",")[0]) for name, rest in pairs}


def test_all_spend_or_none(gate: Make) -> None:
    chat = gate(*ALL, "log 3/hour")
    for number in range(3):
        told = chat.ask("check", "ada", *[1] * 6)
        assert allowed(told) == [True] * 6
        assert left(told) == [4 - number] * 5 + [2 - number]
    told = chat.ask("check", "ada", *[1] * 6)
    assert allowed(told) == [True] * 5 + [False]
    assert left(told) == [2] * 5 + [0]
    assert 3590 < told[5].retry_after <= 3600
    assert {told[place].retry_after for place in range(5)} == {0.0}
    assert left(chat.ask("peek", "ada", *[1] * 6)) == [2] * 5 + [0]
    assert left(chat.ask("check", "ada", *[2] * 5)) == [0] * 5
    assert left(chat.ask("peek", "bob", *[1] * 6)) == [5] * 5 + [3]
    assert chat.core.statistics() == (4, 1, 0, 0, 0, 0)
    assert [each.statistics()[:2] for each in chat.limiters] == [(4, 0)] * 5 + [(3, 1)]


def test_a_call_is_one_command(gate: Make, redis_server: Server) -> None:
    chat = gate(*ALL)
    chat.ask("check", "ada", *[1] * 5)
    before = commands(redis_server)
    for _ in range(10):
        chat.ask("check", "ada", *[1] * 5)
        asyncio.run(chat.awaited("peek", "ada"))
    after = commands(redis_server)
    assert after["evalsha"] - before["evalsha"] == 20
    assert after.get("eval", 0) == before.get("eval", 0)


def test_it_shares_its_state_with_single_limiters(gate: Make, redis_server: Server) -> None:
    chat = gate(*ALL)
    singles = [limiter(redis_server.url, text, f"t:{place}") for place, text in enumerate(ALL)]
    chat.ask("check", "ada", *[2] * 5)
    assert [each.ask("check", "ada", 1).remaining for each in singles] == [2] * 5
    assert left(chat.ask("peek", "ada", *[1] * 5)) == [2] * 5
    singles[3].ask("reset", "ada", 1)
    assert left(chat.ask("peek", "ada", *[1] * 5)) == [2, 2, 2, 5, 2]


def test_a_server_that_forgot_the_script_is_told_it(gate: Make, redis_server: Server) -> None:
    chat = gate(*ALL)
    for number in range(4):
        redis_server.command("SCRIPT", "FLUSH")
        assert left(chat.ask("check", "ada", *[1] * 5)) == [4 - number] * 5


def test_each_part_comes_back_by_its_receipt(gate: Make) -> None:
    chat = gate(*ALL)
    first = chat.ask("check", "ada", *[2] * 5)
    chat.ask("check", "ada", *[1] * 5)
    for place, each in enumerate(chat.limiters):
        each.ask_refund("ada", first[place], 1)
    assert left(chat.ask("peek", "ada", *[1] * 5)) == [3] * 5
    for place, each in enumerate(chat.limiters):
        each.ask_refund("ada", first[place], None)
        with pytest.raises(ValueError, match="given back before"):
            each.ask_refund("ada", first[place], None)
    assert left(chat.ask("peek", "ada", *[1] * 5)) == [4] * 5
    chat.ask("check", "ada", *[4] * 5)
    refused = chat.ask("check", "ada", 1, 1, None, None, None)
    with pytest.raises(ValueError, match="refused"):
        chat.limiters[0].ask_refund("ada", refused[0], None)


def test_what_another_refused_is_no_receipt(gate: Make) -> None:
    chat = gate("log 5/hour", "log 1/hour")
    chat.ask("check", "ada", None, 1)
    told = chat.ask("check", "ada", 1, 1)
    assert allowed(told) == [True, False]
    with pytest.raises(ValueError, match="decision must be"):
        chat.limiters[0].ask_refund("ada", told[0], None)


def test_a_shadow_refuses_nobody(gate: Make) -> None:
    chat = gate("log 5/hour", "shadow log 2/hour")
    told = [chat.ask("check", "ada", 1, 1) for _ in range(3)]
    assert [allowed(each) for each in told] == [[True, True], [True, True], [True, False]]
    more = chat.ask("check", "bob", 4, 4)  # more than it could ever admit
    assert (allowed(more), left(more)) == ([True, False], [1, 2])
    assert left(chat.ask("peek", "bob", 1, 1)) == [1, 2], "it has spent nothing"
    assert chat.core.would_have_refused() == [0, 2]
    with pytest.raises(ValueError, match="cost"):
        chat.ask("check", "eve", 6, 1)


def test_a_quota_of_the_call_decides_it(gate: Make) -> None:
    chat = gate("log 2/hour", "bucket 9/hour")
    plan = {0: Quota("4/hour")}
    assert left(chat.ask("check", "ada", 3, 1, quotas=plan)) == [1, 8]
    assert allowed(chat.ask("check", "ada", 1, 1)) == [False, True]
    assert left(chat.ask("check", "ada", 1, 1, quotas=plan)) == [0, 7]
    with pytest.raises(ValueError, match="cost"):
        chat.ask("check", "ada", 5, 1, quotas=plan)


def test_what_was_used_is_spent_whatever_is_left(gate: Make) -> None:
    chat = gate(*ALL)
    chat.ask("check", "ada", *[4] * 5)
    chat.ask("anyway", "ada", *[3] * 5)
    assert allowed(chat.ask("peek", "ada", *[1] * 5)) == [False] * 5
    chat.ask("anyway", "ada", *[1000] * 5)
    told = chat.ask("peek", "ada", *[1] * 5)
    assert left(told) == [0] * 5
    assert 6 * 720 - 5 < told[1].retry_after <= 6 * 720, "one whole bucket is owed, and one token"


def test_a_reset_is_one_command(gate: Make, redis_server: Server) -> None:
    chat = gate(*ALL)
    spent = chat.ask("check", "ada", *[4] * 5)
    chat.ask("reset", "ada", 1, 1, 1, 1, None)
    assert left(chat.ask("peek", "ada", *[1] * 5)) == [5, 5, 5, 5, 1]
    assert commands(redis_server)["unlink"] == 1
    chat.limiters[2].ask_refund("ada", spent[2], None)  # which is forgotten
    assert left(chat.ask("peek", "ada", None, None, 1)) == [5]


def test_a_refusal_is_remembered_by_its_limit(gate: Make, redis_server: Server) -> None:
    chat = gate("log 1/hour", "fixed 9/hour", remember=True)
    chat.ask("check", "ada", 1, 1)
    assert allowed(chat.ask("check", "ada", 1, 1)) == [False, True]
    before = commands(redis_server)["evalsha"]
    told = chat.ask("check", "ada", 1, 1)
    assert list(told) == [0], "nothing is known of the other"
    assert (told[0].allowed, told[0].store) == (False, "remembered")
    assert commands(redis_server)["evalsha"] == before
    assert allowed(chat.ask("check", "ada", None, 1)) == [True]
    assert allowed(chat.ask("check", "bob", 1, 1)) == [True, True]
    assert chat.core.statistics() == (3, 2, 0, 0, 0, 1)
    assert chat.limiters[0].statistics() == (2, 2, 0, 0, 0, 1)


def test_permits_are_taken_with_the_others(gate: Make) -> None:
    chat = gate("log 5/hour", "permits 2")
    for number in range(1, 3):
        assert allowed(chat.ask("check", "ada", 1, 1, numbers={1: number})) == [True, True]
    told = chat.ask("check", "ada", 1, 1, numbers={1: 3})
    assert (allowed(told), left(told)) == ([True, False], [3, 0])
    assert 29 < told[1].retry_after <= 30
    permits = chat.limiters[1]
    assert [permits.holds("ada", number) for number in (1, 2, 3)] == [True, True, False]
    assert not permits.leave("ada", 1), "the server is to be told"
    permits.ask("refund", "ada", 1, 1)
    assert allowed(chat.ask("check", "ada", 1, 1, numbers={1: 4})) == [True, True]
    chat.ask("check", "ada", 2, None)
    told = chat.ask("check", "bob", None, 1, numbers={1: 5})
    assert allowed(told) == [True]
    permits.leave("ada", 2)
    permits.ask("refund", "ada", 1, 2)
    assert allowed(chat.ask("check", "ada", 1, 1, numbers={1: 6})) == [False, True]
    assert not permits.holds("ada", 6)
    assert left(chat.ask("peek", "ada", None, 1)) == [1]


@pytest.mark.parametrize("on_error", ["local", "open", "closed", "raise"])
def test_without_a_server_one_policy_decides_for_all(
    gate: Make, redis_server: Server, on_error: str
) -> None:
    chat = gate("log 5/hour", "fixed 3/hour", "permits 9", on_error=on_error, workers=1)
    chat.ask("check", "ada", 1, 1, 1, numbers={2: 1})
    redis_server.kill()
    if on_error == "raise":
        with pytest.raises(StoreError):
            chat.ask("check", "ada", 1, 1, 1, numbers={2: 2})
        assert chat.core.statistics()[0] == 1
        assert not chat.limiters[2].holds("ada", 2)
        return
    told = [chat.ask("check", "ada", 1, 1, 1, numbers={2: number}) for number in range(2, 6)]
    assert {decision.store for each in told for decision in each.values()} == {on_error}
    fits = [allowed(each) for each in told]
    expected = {
        "open": [[True] * 3] * 4,
        "closed": [[False] * 3] * 4,
        "local": [[True] * 3] * 2 + [[True, False, True]] * 2,
    }
    assert fits == expected[on_error]
    held = [chat.limiters[2].holds("ada", number) for number in range(2, 6)]
    assert held == [all(each) for each in fits], "a permit that nobody gets is not held"
    if on_error == "local":
        assert left(told[-1])[:2] == [2, 0], "what was admitted by the server counts"
        chat.limiters[0].ask_refund("ada", told[0][0], None)
        assert left(chat.ask("peek", "ada", 1, 1)) == [3, 0]
    admitted = sum(map(all, fits))
    assert chat.core.statistics()[:3] == (1 + admitted, 4 - admitted, 4 + (on_error == "local"))


def test_one_share_of_each_limit_is_decided_here(gate: Make, redis_server: Server) -> None:
    chat = gate("log 8/hour", "bucket 4/hour", on_error="local", workers=4)
    redis_server.kill()
    fits = [allowed(chat.ask("check", "ada", 1, 1)) for _ in range(3)]
    assert fits == [[True, True], [True, False], [True, False]]
    assert left(chat.ask("peek", "ada", 1, 1)) == [1, 0]
    more = {0: Quota("40/hour")}
    assert allowed(chat.ask("check", "bob", 9, 1, quotas=more)) == [True, True]


def test_a_calendars_bounds_are_put_right(moved_server: Server) -> None:
    moved_server.set_time(1_900_000_000)
    chat = Gate(moved_server.url, "fixed 3/day in UTC", "log 5/hour", "fixed 3/month in UTC")
    for number in range(2):
        told = chat.ask("check", "ada", 1, 1, 1)
        assert left(told) == [2 - number, 4 - number, 2 - number]
        assert told[0].reset_after == 86_400 - 1_900_000_000 % 86_400
        moved_server.advance(0.000_001)
        moved_server.advance(-0.000_001)
    moved_server.advance(86_400)
    assert left(chat.ask("check", "ada", 1, 1, 1)) == [2, 4, 0]
    assert chat.ask("check", "ada", 1, None, None)[0].allowed
    assert left(chat.ask("peek", "ada", 1, None, None)) == [1]
    chat.ask("anyway", "ada", 2, None, None)
    assert left(chat.ask("peek", "ada", 1, None, None)) == [0]
    chat.close()


def test_many_at_once_admit_exactly_the_limit(gate: Make) -> None:
    chat = gate("log 100/hour", "bucket 70/hour", "fixed 50/hour")

    async def tasks() -> int:
        told = await asyncio.gather(*(chat.awaited("check", "ada") for _ in range(100)))
        return sum(map(all, map(allowed, told)))

    with ThreadPoolExecutor(8) as threads:
        asked = [threads.submit(chat.ask, "check", "ada", 1, 1, 1) for _ in range(100)]
        admitted = asyncio.run(tasks()) + sum(all(allowed(each.result())) for each in asked)
    assert admitted == 50
    assert left(chat.ask("peek", "ada", 1, 1, 1)) == [50, 20, 0]


def test_in_a_cluster_all_keys_have_the_gates_tag(redis_cluster: Cluster) -> None:
    for tag in ("chat", "other", ""):
        options: dict[str, Any] = {"timeout": 2.0, "tag": tag}
        chat = Gate(redis_cluster.url, *ALL, **options)
        keys = ["ada", "{x}y", "", "x" * 300]
        for key in keys:
            for number in range(5):
                assert left(chat.ask("check", key, *[1] * 5)) == [4 - number] * 5
            assert allowed(chat.ask("check", key, *[1] * 5)) == [False] * 5
        chat.ask("reset", "ada", *[1] * 5)
        assert left(chat.ask("peek", "ada", *[1] * 5)) == [5] * 5
        chat.ask("check", "ada", *[2] * 5)
        single = limiter(redis_cluster.url, ALL[0], "t:0", timeout=2.0)
        shared = single.ask("peek", "ada", 1).remaining == 3
        assert shared == (not tag), "one whose keys decide on their nodes shares its state"
        chat.close()


def test_limits_that_could_not_decide_together(redis_server: Server) -> None:
    url = redis_server.url
    parts = [
        (f"limit {place}", "key", Quota("5/hour"), "sliding_log", False, False, None)
        for place in (0, 1)
    ]
    one, same = limiter(url, "log 5/hour", "p"), limiter(url, "log 5/hour", "p")
    with pytest.raises(ValueError, match="prefix of its own"):
        RedisGate(parts, [], [one, same])
    other = limiter(url, "log 5/hour", "q", on_error="open")
    with pytest.raises(ValueError, match="one timeout and one on_error"):
        RedisGate(parts, [], [one, other])
    with pytest.raises(ValueError, match="at least one"):
        RedisGate([], [], [])
    chat = Gate(url, "log 5/hour")
    with pytest.raises(ValueError, match="one of the gate's 1"):
        chat.core.ask_plain("check", [(1, "ada", 1, None, None)])
    with pytest.raises(ValueError, match="asked once"):
        chat.core.ask_plain("check", [(0, "ada", 1, None, None)] * 2)


def test_a_server_that_hangs_is_waited_for_within_the_deadline(
    gate: Make, redis_server: Server
) -> None:
    chat = gate("log 5/hour", "fixed 3/hour", on_error="local", timeout=0.05)
    chat.ask("check", "ada", 1, 1)
    redis_server.stop()
    begun = time.monotonic()
    assert allowed(chat.ask("check", "ada", 1, 1)) == [True, True]
    assert time.monotonic() - begun < 5
    redis_server.cont()
    assert chat.core.statistics()[2:5] == (1, 1, 1)
