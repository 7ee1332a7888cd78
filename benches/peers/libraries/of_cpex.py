from __future__ import annotations

from collections.abc import Sequence
from time import time
from typing import Any

from benches.peers.library import Algorithm, Call, Contestant, Library
from benches.peers.settings import FIRST_KEYS
from cpex_rate_limiter.rate_limiter_rust import RateLimiterEngine

UNITS = {1: "s", 60: "m", 3600: "h"}
TOOL = "search"


def rate(limit: int, window: int) -> str:
    return f"{limit}/{UNITS[window]}"


def contestant(name: str, algorithm: Algorithm) -> Contestant:
    """The engine itself, as its plugin calls it: the plugin's hooks are coroutines around it."""

    def engine(**limits: Any) -> Any:
        return RateLimiterEngine({**limits, "algorithm": name}).check

    def one(limit: int, window: int) -> Call:
        check = engine(by_user=rate(limit, window))
        return lambda key: check(key, None, TOOL, int(time()), False, None)

    def full(limit: int, window: int) -> Call:
        check = engine(by_user=rate(limit, window))
        return lambda key: check(key, None, TOOL, int(time()), True, None)

    def each_its_own(limits: Sequence[tuple[int, int]]) -> Call:
        user, tenant, tool = (rate(*each) for each in limits)
        check = engine(by_user=user, by_tenant=tenant, by_tool={TOOL: tool})
        return lambda key: check(key, "acme", TOOL, int(time()), False, None)

    return Contestant(
        name,
        algorithm,
        one,
        admitted=lambda answer: answer[0],
        full=full,
        # With a million it would take half an hour: each new key looks at more of the others.
        first_keys=min(FIRST_KEYS, 50_000),
        each_its_own=each_its_own,
    )


LIBRARY = Library(
    "cpex-rate-limiter",
    [
        contestant("sliding_window", "log"),
        contestant("token_bucket", "bucket"),
        contestant("fixed_window", "fixed"),
    ],
    distribution="cpex-rate-limiter",
)
