"""Tiers in a zone of which one is above what is counted without a name: room is made for the largest."""

from __future__ import annotations

from typing import Any

import pytest

from asgi_calls import get, hello
from sluicegate import Limit, ManualClock
from sluicegate.asgi import RateLimitMiddleware
from sluicegate.shared import Gate

SMALL, LARGE = "100/minute", "5000/minute"
NAMED = ["segmented_window", "sliding_counter", "fixed_window", "token_bucket"]


def app_of(url: str, tiers: Any, tier: str, **options: Any) -> RateLimitMiddleware:
    return RateLimitMiddleware(hello, tiers=tiers, tier=lambda _: tier, store=url, **options)


def left(app: RateLimitMiddleware) -> int:
    return int(get(app).headers["x-ratelimit-remaining"])


@pytest.mark.parametrize("algorithm", NAMED)
@pytest.mark.parametrize("with_a_day", [False, True])
def test_every_tier_is_counted_whichever_comes_first(
    url: str, algorithm: str, with_a_day: bool
) -> None:
    small, large = SMALL, LARGE
    if with_a_day:
        small, large = f"{SMALL}; 1000/day", f"{LARGE}; 100000/day"
    tiers = {"free": small, "pro": large}
    reversed_tiers = {"pro": large, "free": small}
    clock = ManualClock(7_000)
    for number, order in enumerate((tiers, reversed_tiers)):
        apps = [
            app_of(url, order, tier, algorithm=algorithm, prefix=f"app{number}", clock=clock)
            for tier in order
        ]
        answers = [left(app) for app in apps]
        if algorithm != "token_bucket":
            # The second spends what the first has left: they are one client's.
            assert answers == ([99, 4_998] if number == 0 else [4_999, 98])


@pytest.mark.parametrize("order", [("free", "pro"), ("pro", "free")])
def test_the_order_of_processes_does_not_matter(url: str, order: tuple[str, ...]) -> None:
    """Whoever is first in the zone lays it out for the largest tier, also where that is not its own."""
    tiers = {"free": f"{SMALL}; 1000/day", "pro": f"{LARGE}; 100000/day"}
    of = {name: tiers[name] for name in order}
    options: dict[str, Any] = {"algorithm": "segmented_window", "clock": ManualClock(7_000)}
    assert left(app_of(url, of, "free", **options)) == 99
    other = dict(reversed(of.items()))
    assert left(app_of(url, other, "pro", **options)) == 4_998


@pytest.mark.parametrize("order", [("free", "pro"), ("pro", "free")])
def test_without_a_name_it_says_which_tier_needs_one(url: str, order: tuple[str, ...]) -> None:
    tiers = {"free": SMALL, "pro": LARGE}
    told = (
        r"'5000/minute'?: in a zone, limits above 1,023 need an algorithm that is named: "
        r"algorithm='fixed_window', 'sliding_counter', or 'segmented_window', whose 5 parts here give a "
        r"unit back up to 12 s late"
    )
    with pytest.raises(ValueError, match=told):
        app_of(url, {name: tiers[name] for name in order}, "free")


def test_a_plan_beyond_the_room_says_what_to_do(url: str) -> None:
    plans = {"default": "100/minute; 1000/day"}
    tier = ["default"]
    app = RateLimitMiddleware(
        hello, tiers=plans.get, tier=lambda _: tier[0], store=url, algorithm="segmented_window"
    )
    assert get(app).status == 200
    plans["pro"], tier[0] = "5000/minute; 100000/day", "pro"
    told = r"tiers\('pro'\): limit must be an int from 1 to 1,023, .*'fixed_window' or 'sliding_counter'"
    with pytest.raises(ValueError, match=told):
        get(app)


def test_a_gates_own_quota_makes_the_room_for_those_by_key(url: str) -> None:
    def of(quota: str, name: str) -> Gate:
        plans = {"free": SMALL, "pro": LARGE}
        limit = Limit(quota, by="user", algorithm="segmented_window", quota_for=plans.get)
        return Gate(url, [limit], name=name)

    assert of(LARGE, "roomy").check({"user": "free"}).remaining == 99
    assert of(LARGE, "roomy").check({"user": "pro"}).remaining == 4_999
    narrow = of(SMALL, "narrow")
    assert narrow.check({"user": "free"}).remaining == 99
    told = r"limit must be an int from 1 to 1,023, .*in a Gate or a policy the largest quota that is declared"
    with pytest.raises(ValueError, match=told):
        narrow.check({"user": "pro"})
    with pytest.raises(ValueError, match=rf"the limit 'sluicegate/narrow/user/minute' .*{told}"):
        narrow.set_limits([Limit(LARGE, by="user", algorithm="segmented_window")])
    assert narrow.check({"user": "free"}).remaining == 98  # nothing has changed
