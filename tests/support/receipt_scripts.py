"""Scripts that give and redeem receipts, run by their text beside a limiter in memory."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import redis

from script_traces import KEY, LIMITERS, MAKERS, YEAR_2027, timed, without_mark
from sluicegate import ManualClock, TokenBucket

WINDOW, LIMIT = 1_003, 7
#: The arguments of each script: of a bucket 7 tokens, one in 1,003 / 7 ticks.
QUOTAS = dict.fromkeys(MAKERS, (LIMIT, WINDOW)) | {"token_bucket": (LIMIT * WINDOW, WINDOW, LIMIT)}

Edit = Callable[[str], str]


@dataclass
class Scripts:
    """The two scripts of a kind, by whose replies a caller knows what it was told."""

    client: redis.Redis
    kind: str
    edit: Edit

    def __post_init__(self) -> None:
        core = LIMITERS[self.kind]("redis://127.0.0.1:1", 1, 1)._core
        assert core.receipt_script is not None
        self.check_text = timed(self.edit(core.script))
        self.receipt_text = timed(self.edit(core.receipt_script))
        self.quota = QUOTAS[self.kind]

    def room(self, op: str, cost: int, now: int) -> tuple[bool, int, tuple[int, ...]]:
        """Whether it fits, what is left, and a receipt's words."""
        reply = self.client.eval(
            self.check_text, 1, KEY, op, cost, *self.quota, *divmod(now, 10**6)
        )[0]
        if isinstance(reply, Exception):
            raise reply
        told = without_mark(op, cost, self.quota, reply)
        if self.kind != "token_bucket":
            room, wait = told[0], reply[1]
            return room >= 0, max(room, -1 - room), (wait, 0, 0)
        level = told if told >= 0 else told + cost * WINDOW
        sums = reply[32:] if isinstance(reply, bytes) else b""
        returned = int(struct.unpack("<dd", sums)[0]) if sums else 0
        return told >= 0, level // WINDOW, (now, LIMIT * WINDOW - level, returned)

    def redeem(self, receipt: tuple[int, ...], units: int, now: int) -> None:
        words = ("r", units, *receipt, *self.quota, *divmod(now, 10**6))
        reply = self.client.eval(self.receipt_text, 1, KEY, *words)[0]
        if isinstance(reply, Exception):
            raise reply


def unchanged(script: str) -> str:
    return script


def strays(client: redis.Redis, kind: str, seed: int, edit: Edit = unchanged) -> str | None:
    """Where the scripts and a limiter in memory part on the trace of that seed, if they do."""
    chance, now = random.Random(seed), YEAR_2027 + 10**6 * seed
    client.flushall()
    clock = ManualClock(now / 1e6)
    scripts = Scripts(client, kind, edit)
    memory: Any = (
        TokenBucket(capacity=LIMIT, refill_rate=LIMIT / WINDOW * 1e6, clock=clock)
        if kind == "token_bucket"
        else MAKERS[kind](LIMIT, WINDOW / 1e6, clock=clock)
    )
    held: list[list[Any]] = []
    for step in range(50):
        gap = chance.choice([0, 0, 1, 17, 142, 144, WINDOW - 1, WINDOW, chance.randint(0, WINDOW)])
        now, cost, what = now + gap, chance.choice([1, 1, 2, LIMIT]), chance.random()
        clock.advance(gap / 1e6)
        try:
            if what < 0.5:
                fits, left, receipt = scripts.room("c", cost, now)
                decision = memory.check(KEY, cost)
                if (fits, left) != (bool(decision), decision.remaining):
                    return f"step {step}: {fits, left} is not {decision}"
                if fits:
                    held.append([receipt, decision, cost])
            elif what < 0.9 and held:
                one = held[chance.choice([-1, chance.randrange(len(held))])]
                units = min(chance.randint(1, LIMIT), one[2])
                if units:
                    scripts.redeem(one[0], units, now)
                    memory.refund(KEY, one[1], units)
                    one[2] -= units
            elif what < 0.95:
                scripts.room("r", cost, now)
                memory.refund(KEY, cost)
            fits, left, _ = scripts.room("p", 1, now)
        except redis.ResponseError as error:
            return f"step {step}: {error}"
        if left != memory.peek(KEY).remaining:
            return f"step {step}: {left} is not {memory.peek(KEY)}"
    return None
