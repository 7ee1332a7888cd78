"""Random traces of the script of several limits, beside a limiter in memory for each of them."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import redis

from script_traces import MAKERS, YEAR_2027, source, timed, without_mark
from sluicegate import FixedWindow, ManualClock, TokenBucket
from sluicegate._core import RedisGate

#: By which word the script knows an algorithm.
WORDS = {
    "fixed_window": "f",
    "calendar": "d",
    "segmented_window": "s",
    "sliding_counter": "c",
    "sliding_log": "l",
    "token_bucket": "b",
    "permits": "p",
}
#: Those that count units at their tick, which a receipt has to know.
MARKED = ("segmented_window", "sliding_counter", "sliding_log")
DAY = 86_400 * 10**6
KEYS = "ab"
Edit = Callable[[str], str]

# As that of a single script, for the keys of all limits.
HARNESS = """
local real, now = redis, ARGV[#ARGV - 1] * 1000 + math.floor(ARGV[#ARGV] / 1000)
local redis, ttls = {error_reply = real.error_reply}, {}
for place, key in ipairs(KEYS) do
  ttls[place] = -2
  if now >= tonumber(real.call('GET', 'ends ' .. key) or math.huge) then
    real.call('DEL', 'ends ' .. key, key)
  end
end
function redis.call(command, ...)
  local words = {...}
  if command == 'SET' or command == 'PEXPIRE' then
    local ttl = words[#words]
    for place, key in ipairs(KEYS) do if key == words[1] then ttls[place] = ttl end end
    words[#words] = 10^13
    real.call('SET', 'ends ' .. words[1], string.format('%%.0f', now + ttl))
  end
  return real.call(command, unpack(words))
end
local body = function() %s end
return {body(), ttls}
"""


def gate_script(edit: Edit = lambda text: text) -> str:
    """The script, its time taken from two more arguments."""
    script = RedisGate.script()
    assert script.count("redis.call('TIME')") == 1
    changed = edit(script)
    return HARNESS % changed.replace("redis.call('TIME')", "{ARGV[#ARGV - 1], ARGV[#ARGV]}")


class Permits:
    """Leases by their ids: those that run out later than now are held."""

    def __init__(self, limit: int, lease: int) -> None:
        self.limit, self.lease = limit, lease
        self.held: dict[str, dict[str, int]] = {key: {} for key in KEYS}

    def ends(self, key: str, now: int) -> list[int]:
        return sorted(end for end in self.held[key].values() if end > now)

    def look(self, key: str, cost: int, now: int) -> tuple[bool, int, int, int]:
        ends = self.ends(key, now)
        left, reset = max(self.limit - len(ends), 0), ends[-1] - now if ends else 0
        fits = cost <= left
        return fits, left, 0 if fits else ends[len(ends) - self.limit + cost - 1] - now, reset

    def take(self, key: str, ids: list[str], now: int) -> None:
        self.held[key] |= dict.fromkeys(ids, now + self.lease)


@dataclass
class Limit:
    """One limit of a gate: what the script is sent for it, and what decides beside it."""

    kind: str
    limit: int
    window: int
    clock: ManualClock = field(repr=False)
    number: int
    role: str = "e"
    here: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        seconds = self.window / 1e6
        if self.kind == "permits":
            self.here = Permits(self.limit, self.window)
        elif self.kind == "token_bucket":
            rate = float(Fraction(self.limit * 10**6, self.window))
            self.here = TokenBucket(capacity=self.limit, refill_rate=rate, clock=self.clock)
        elif self.kind == "calendar":
            self.window = DAY
            self.here = FixedWindow(f"{self.limit}/day in UTC", clock=self.clock)
        else:
            self.here = MAKERS[self.kind](self.limit, seconds, clock=self.clock)

    @property
    def quota(self) -> tuple[int, ...]:
        """A bucket's window is a multiple of its limit, so that a token is that many ticks."""
        if self.kind == "token_bucket":
            return self.limit * self.window // self.limit, self.window // self.limit, 1
        return self.limit, self.window

    def name(self, key: str) -> str:
        return f"{self.number}:{self.kind}:{{gate}}:{key}"

    def words(self, cost: int, now: int, first_id: int) -> list[Any]:
        words = [WORDS[self.kind].encode(), self.role.encode(), cost, *self.quota]
        if self.kind == "calendar":
            day = now - now % DAY
            words += [day - DAY, day, day + DAY, day + 2 * DAY]
        return words + ([first_id] if self.kind == "permits" else [])

    def look(self, key: str, cost: int, now: int) -> tuple[bool, int, int, int]:
        """Whether it fits, what is left, the wait and the reset, without spending."""
        if self.kind == "permits":
            told: tuple[bool, int, int, int] = self.here.look(key, cost, now)
            return told
        return self._told(self.here.peek(key, cost))

    def spend(self, key: str, cost: int, now: int, ids: list[str]) -> tuple[bool, int, int, int]:
        if self.kind == "permits":
            self.here.take(key, ids, now)
            return True, *self.here.look(key, 0, now)[1:]
        return self._told(self.here.check(key, cost))

    @staticmethod
    def _told(decision: Any) -> tuple[bool, int, int, int]:
        waits = (round(part * 1e6) for part in (decision.retry_after, decision.reset_after))
        return decision.allowed, decision.remaining, *waits  # type: ignore[return-value]

    def read(self, reply: Any, cost: int) -> tuple[bool, int, int, int]:
        """A reply of the script's, as `look` tells."""
        if self.kind != "token_bucket":
            room, wait, reset = reply[:3]
            fits = room >= 0
            return fits, room if fits else -1 - room, 0 if fits else wait, reset
        capacity, token, tick = self.quota
        reply = reply[0] if isinstance(reply, list) else reply
        level = reply if reply >= 0 else reply + cost * token
        return (
            reply >= 0,
            max(level, 0) // token,
            -(min(reply, 0) // tick),
            -((level - capacity) // tick),
        )


Asked = list[tuple[Limit, int, list[str]]]


def packed(op: str, asked: Asked, now: int) -> list[Any]:
    """What the script is sent for these limits, with their costs and the ids of permits."""
    ids: list[str] = []
    words: list[Any] = []
    for limit, cost, held in asked:
        words += limit.words(cost, now, 4 + len(ids))
        ids += held if limit.kind == "permits" and op == "c" else []
    letters = "<" + "".join("c" if isinstance(word, bytes) else "d" for word in words)
    return [op, letters, struct.pack(letters, *words), *ids]


def told(reply: Any) -> Any:
    """What it tells of each limit: three numbers."""
    if not isinstance(reply, bytes):
        return reply
    numbers = [int(number) for (number,) in struct.iter_unpack("<d", reply)]
    return [numbers[place : place + 3] for place in range(0, len(numbers), 3)]


class Trace:
    """A gate of random limits, in Redis and beside it."""

    def __init__(self, client: redis.Redis, seed: int, edit: Edit = lambda text: text) -> None:
        self.chance = chance = random.Random(seed)
        self.client, self.script = client, gate_script(edit)
        self.now = chance.choice([YEAR_2027, YEAR_2027 + chance.randint(0, DAY)])
        self.clock = ManualClock(self.now / 1e6)
        kinds = chance.sample([*WORDS, *WORDS], chance.randint(2, 6))
        self.limits = [self.limit(kind, number) for number, kind in enumerate(kinds)]
        self.ids = 0
        client.flushall()

    def limit(self, kind: str, number: int) -> Limit:
        limit = self.chance.choice([1, 2, 3, 5, 8])
        window = limit * self.chance.choice([50, 625, 10**4])
        role = self.chance.choice("eeeesw")
        return Limit(kind, limit, window, self.clock, number, role)

    def asked(self) -> list[tuple[Limit, str, int]]:
        """Which limits take part, of which key and with which cost."""
        taking = [each for each in self.limits if self.chance.random() < 0.8] or self.limits[:1]
        self.chance.shuffle(taking)
        return [
            (limit, self.chance.choice(KEYS), self.chance.choice([1, 1, 1, 2, limit.limit]))
            for limit in taking
        ]

    def step(self) -> str | None:
        """One call, and where the two part."""
        chance = self.chance
        windows = [limit.window for limit in self.limits if limit.kind != "calendar"] or [1000]
        window = chance.choice(windows)
        gap = chance.choice(
            [
                0,
                0,
                0,
                1,
                window - 1,
                window,
                window + 1,
                window // 3,
                chance.randint(0, window),
                625,
            ]
        )
        if chance.random() < 0.02:
            gap = DAY - self.now % DAY - chance.choice([0, 1])
        self.now += gap
        self.clock.advance(gap / 1e6)
        op, asked = chance.choice("cccp"), self.asked()
        asked = [(limit, key, min(cost, limit.limit)) for limit, key, cost in asked]
        return self.call(op, asked)

    def call(self, op: str, asked: list[tuple[Limit, str, int]]) -> str | None:
        now, ids = self.now, [[self.new_id(limit) for _ in range(cost)] for limit, _, cost in asked]
        reply, ttls = self.sent(op, asked, ids)
        if isinstance(reply, Exception):
            return f"{op} {asked}: {reply}"
        looks = [limit.look(key, cost, now) for limit, key, cost in asked]
        refused = any(
            not look[0] and limit.role == "e"
            for look, (limit, _, _) in zip(looks, asked, strict=True)
        )
        for place, (limit, key, cost) in enumerate(asked):
            spends = op == "c" and not refused and looks[place][0] and limit.role != "w"
            if spends and limit.kind in MARKED and reply[place][1] != now:
                return f"{op} at {now}: {limit.kind} was spent from at {reply[place][1]}"
            told = limit.spend(key, cost, now, ids[place]) if spends else looks[place]
            said = limit.read(reply[place], cost)
            if said != told:
                return f"{op} at {now}: {limit.kind}, {place} of {asked}, says {said}, not {told}"
            if spends and not 0 <= ttls[place] - -(-told[3] // 1000) <= 1:
                return f"{op} at {now}: limit {place} of {asked} lives {ttls[place]} ms, not {told[3]} us"
        return None

    def sent(
        self, op: str, asked: list[tuple[Limit, str, int]], ids: list[list[str]]
    ) -> tuple[Any, list[int]]:
        names = [limit.name(key) for limit, key, _ in asked]
        parts = [(limit, cost, held) for (limit, _, cost), held in zip(asked, ids, strict=True)]
        words = packed(op, parts, self.now)
        try:
            reply, ttls = self.client.eval(
                self.script, len(names), *names, *words, *divmod(self.now, 10**6)
            )
        except redis.ResponseError as error:
            return error, []
        return told(reply), ttls

    def new_id(self, limit: Limit) -> str:
        self.ids += 1
        return f"permit{self.ids}:{limit.window}"

    def singles(self) -> str | None:
        """What the script of one limit says of each key, and whether that is what is kept here."""
        for limit in self.limits:
            if limit.kind in ("permits", "calendar"):
                continue
            for key in KEYS:
                words = ("p", 1, *limit.quota, *divmod(self.now, 10**6))
                reply = self.client.eval(timed(source(limit.kind)), 1, limit.name(key), *words)[0]
                said = limit.read(without_mark("p", 1, limit.quota, reply), 1)
                if said != limit.look(key, 1, self.now):
                    return (
                        f"{limit}, {key}: alone it says {said}, not {limit.look(key, 1, self.now)}"
                    )
        return None


def disagreement(
    client: redis.Redis, seed: int, steps: int, edit: Edit = lambda text: text
) -> str | None:
    """Where the script and the limiters in memory part on the trace of that seed, if they do."""
    trace = Trace(client, seed, edit)
    for number in range(steps):
        problem = trace.step()
        if problem:
            return f"seed {seed}, step {number}: {problem}"
    return trace.singles()
