"""Plans of several windows by a function of their names: those to come as well."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from asgi_calls import get, hello
from sluicegate import ManualClock
from sluicegate.asgi import RateLimitMiddleware
from sluicegate.policy import Policy
from sluicegate.policy.tiers import plans


def tier(scope: Any) -> str | None:
    return scope["query_string"].decode() or None


def app_of(rows: dict[str, Any], **options: Any) -> RateLimitMiddleware:
    return RateLimitMiddleware(
        hello, tiers=rows.get, tier=tier, **{"default_tier": "free", **options}
    )


def left(app: Any, name: str = "") -> dict[str, int] | int:
    """What is left of each limit, or the status of a refusal."""
    answer = get(app, query_string=name.encode())
    if answer.status != 200:
        return answer.status
    items = [item.split(";") for item in answer.headers["ratelimit"].split(", ")]
    return {name.strip('"'): int(r.removeprefix("r=")) for name, r, _ in items}


def test_a_window_that_nobody_knew_yet_joins_the_others(clock: ManualClock) -> None:
    rows = {"free": "5/second; 20/day"}
    app = app_of(rows, clock=clock)
    assert left(app) == {"free/second": 4, "free/day": 19}
    rows["premium"] = "50/second; 3/hour"
    assert left(app, "premium") == {"premium/second": 48, "premium/hour": 2}
    rows["single"] = "4/hour"
    assert left(app, "single") == {"single/hour": 2}
    assert left(app) == {"free/second": 2, "free/day": 18}  # whose quotas were made before
    rows["all"] = "9/second; 9/hour; 9/day; 9/week"
    assert left(app, "all") == {"all/second": 5, "all/hour": 6, "all/day": 6, "all/week": 8}


def test_a_changed_plan_keeps_what_was_spent(clock: ManualClock) -> None:
    rows = {"free": "5/second; 20/day"}
    app = app_of(rows, clock=clock, tier_ttl=0)
    assert left(app) == {"free/second": 4, "free/day": 19}
    rows["free"] = "9/second; 2/day"
    assert left(app) == {"free/second": 7, "free/day": 0}
    rows["free"] = "9/second"
    assert left(app) == {"free/second": 6}
    rows["free"] = "9/second; 3/day"
    assert left(app) == {"free/second": 5, "free/day": 0}


def test_any_plan_fits_the_way_in_which_windows_are_counted() -> None:
    rows = {"free": "5/second; 20/day"}
    policy = Policy(tiers=rows.get, default_tier="free")
    gate: Any = policy.enforcer.default.limiter
    assert {part.algorithm for part in gate.parts} == {"segmented_window"}
    rows["huge"] = "4000000000/second; 4000000000/day"
    assert policy.enforcer.tiers.get("huge").check("me", 3_999_999_999)


def test_beside_a_default_plan_of_one_window_a_gate_counts_those_of_several(
    clock: ManualClock,
) -> None:
    rows = {"free": "5/minute"}
    app = app_of(rows, clock=clock)
    assert left(app) == {"free": 4}
    rows.update(premium="50/minute; 90/day", gold="60/minute; 99/day", more="7/minute")
    assert left(app, "premium") == {"premium/minute": 49, "premium/day": 89}
    assert left(app, "gold") == {"gold/minute": 58, "gold/day": 97}
    assert left(app, "more") == {"more": 5}


def test_limits_are_made_up_to_a_number(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(plans, "_MOST_LIMITERS", 3)
    rows = {"free": "5/second; 20/day", "three": "9/second; 9/hour", "four": "9/hour; 9/week"}
    app = app_of(rows)
    assert left(app, "three") == {"three/second": 8, "three/hour": 8}
    with caplog.at_level(logging.ERROR, "sluicegate"):
        assert left(app, "four") == {"free/second": 3, "free/day": 19}
    assert "3 limiters" in caplog.text
    assert "'four'" in caplog.text


def test_a_bad_plan_is_an_error_that_names_it() -> None:
    rows: dict[str, Any] = {"free": "5/second; 20/day"}
    app = app_of(rows)
    for bad, text in {
        "5/second; 9/second": r"tiers\('bad'\): there may be one quota for each window",
        "5/second; 9 concurrent": r"tiers\('bad'\): quota '9 concurrent'",
        "5/second; 9/fortnight": r"tiers\('bad'\): quota '9/fortnight'",
        "5/second; 9 tokens/minute": r"tiers\('bad'\): it counts tokens beside requests",
    }.items():
        rows["bad"] = bad
        with pytest.raises(ValueError, match=text):
            left(app, "bad")
    assert left(app) == {"free/second": 4, "free/day": 19}


def test_middlewares_of_one_function_count_together() -> None:
    rows = {"free": "5/second; 20/day"}
    get_plan = rows.get
    first, second = (
        RateLimitMiddleware(hello, tiers=get_plan, default_tier="free", tier=tier) for _ in range(2)
    )
    assert left(first) == {"free/second": 4, "free/day": 19}
    rows["premium"] = "50/second; 3/hour"
    assert left(second, "premium") == {"premium/second": 48, "premium/hour": 2}
    assert left(first, "premium") == {"premium/second": 47, "premium/hour": 1}


def test_plans_that_come_at_once_in_many_threads_are_all_counted(clock: ManualClock) -> None:
    """Each adds a window while others decide: nothing that was spent is lost."""
    rows = {"free": "100000/hour; 200000/day"}
    rows |= {
        f"p{number}": f"100000/hour; 9/{number} minutes; 200000/day" for number in range(2, 26)
    }
    policy = Policy(tiers=rows.get, default_tier="free", clock=clock)
    tiers = policy.enforcer.tiers
    names = list(rows)

    def ask(start: int) -> int:
        return sum(bool(tiers.get(names[(start + n) % len(names)]).check("me")) for n in range(400))

    with ThreadPoolExecutor(8) as pool:
        admitted = sum(pool.map(ask, range(0, 24, 3)))
    # 24 plans have nine for each window of their own; the first one has no such.
    assert admitted == 24 * 9 + sum(
        (start + n) % 25 == 0 for start in range(0, 24, 3) for n in range(400)
    )
    left = tiers.get("free").check("me")
    assert left.limits["client/day"].remaining == 200_000 - admitted - 1
