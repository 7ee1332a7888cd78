"""The scripts that redeem receipts give back what memory does, and a wrong one is found out."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest
import redis

from receipt_scripts import LIMITERS, QUOTAS, Scripts, strays, unchanged
from redis_servers import Server
from script_traces import KEY, YEAR_2027

pytest_plugins = ["redis_fixtures"]

TRACES = 60
MUTANTS = [
    ("fixed_window", "spent_at == ends - window + since", "spent_at >= ends - window"),
    ("fixed_window", "since = now - ends + window", "since = 0"),
    ("fixed_window", "is_counted and -refunded or 0", "-refunded"),
    ("sliding_log", "first(-1, spent_at - 1,", "first(-1, spent_at,"),
    ("sliding_log", "number(2 * pair - 1) == spent_at", "true"),
    ("sliding_log", "behind[place] - gone", "behind[place]"),
    ("sliding_log", "gone == units and 3 or 1", "1"),
    ("sliding_log", "math.min(refunded, units), redis", "units, redis"),
    ("segmented_window", "last_tick(time) == its", "time >= spent_at"),
    ("segmented_window", "math.min(refunded, units) or 0", "units or 0"),
    ("segmented_window", "changed or gone > 0", "changed"),
    ("segmented_window", "its >= head - back * size", "its > head"),
    ("sliding_counter", "spent_at >= ends - window and", "spent_at > ends - window and"),
    ("sliding_counter", "ends - 2 * window", "ends - window"),
    ("sliding_counter", "current - refunded", "current - 1"),
    ("sliding_counter", "current + previous < were", "current + previous > were"),
    ("token_bucket", "was_missing - (returned - had_returned) -", "was_missing -"),
    ("token_bucket", "(clock - spent_at) * rate", "0"),
    ("token_bucket", "math.min(refunded * grains, still)", "refunded * grains"),
    ("token_bucket", "returned + owed - missing, 2^53", "returned, 2^53"),
    ("token_bucket", "if returned > 0 then", "if returned > 0 and reset > 0 then"),
]


@pytest.fixture
def client(redis_server: Server) -> Iterator[redis.Redis]:
    with redis.Redis(port=redis_server.port) as client:
        yield client


@pytest.mark.parametrize("kind", QUOTAS)
def test_they_give_back_what_memory_does(client: redis.Redis, kind: str) -> None:
    for seed in range(TRACES):
        assert strays(client, kind, seed) is None


@pytest.mark.parametrize(("kind", "old", "new"), MUTANTS)
def test_a_wrong_script_is_caught(client: redis.Redis, kind: str, old: str, new: str) -> None:
    core = LIMITERS[kind]("redis://127.0.0.1:1", 1, 1)._core
    assert old in core.script + str(core.receipt_script)
    traces = (
        strays(client, kind, seed, lambda text: text.replace(old, new)) for seed in range(400)
    )
    assert any(traces)


@pytest.mark.parametrize("kind", QUOTAS)
def test_what_is_no_state_stays_as_it_was(client: redis.Redis, kind: str) -> None:
    scripts = Scripts(client, kind, unchanged)
    for words in (("SADD", "1"), ("RPUSH", "x", "1", "1"), ("SET", "abc"), ("SET", "1 2 x")):
        client.flushall()
        client.execute_command(words[0], KEY, *words[1:])
        before = client.dump(KEY)
        with pytest.raises(redis.ResponseError):
            scripts.redeem((YEAR_2027, 1, 0), 1, YEAR_2027)
        assert client.dump(KEY) == before


def test_a_bucket_remembers_for_as_long_as_a_receipt_counts(client: redis.Redis) -> None:
    scripts = Scripts(client, "token_bucket", unchanged)
    second = 10**6  # a bucket of 7 that fills in one
    quota = (7 * second, second, 7)
    lives = []
    for op, cost in (("c", 7), ("r", 7), ("c", 1), ("c", 1)):
        words = (op, cost, *quota, *divmod(YEAR_2027, 10**6))
        lives.append(client.eval(scripts.check_text, 1, KEY, *words)[1])
    assert lives == [1001] * 4
    kept = client.get(KEY)
    assert kept is not None
    assert struct.unpack("<6d", kept) == (
        *(2 * second, YEAR_2027, second, 7),
        *(7 * second, YEAR_2027 + second),
    )
