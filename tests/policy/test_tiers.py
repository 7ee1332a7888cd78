"""Tiers of one window are quotas of one limiter: who changes plan keeps what was spent."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from asgi_calls import Answer, get, hello
from scrapes import requests, scraped
from sluicegate import FixedWindow, ManualClock, Quota, SlidingWindowRateLimiter, TokenBucket
from sluicegate.asgi import RateLimitMiddleware
from sluicegate.fastapi import RateLimitMiddleware as FastAPIMiddleware
from sluicegate.fastapi import rate_limit
from sluicegate.policy import Policy

PLANS = {"free": "5/minute", "premium": "50/minute"}
ALGORITHMS = [
    "sliding_window",
    "segmented_window",
    "sliding_counter",
    "fixed_window",
    "token_bucket",
]


def tier(scope: Any) -> str | None:
    return scope["query_string"].decode() or None


def app_of(tiers: Any, **options: Any) -> RateLimitMiddleware:
    return RateLimitMiddleware(hello, tiers=tiers, tier=tier, **options)


def ask(app: Any, name: str = "", **options: Any) -> Answer:
    return get(app, query_string=name.encode(), **options)


def left(app: Any, name: str = "") -> int | None:
    """What is left after a request, or ``None`` when it is refused."""
    answer = ask(app, name)
    return int(answer.headers["x-ratelimit-remaining"]) if answer.status == 200 else None


def limiters(**options: Any) -> dict[str, Any]:
    return {tier.name: tier.limiter for tier in Policy(**options).enforcer.tiers}


@pytest.mark.parametrize("algorithm", [None, *ALGORITHMS])
@pytest.mark.parametrize("plans", [PLANS, dict(reversed(PLANS.items()))])
def test_a_client_who_changes_plan_keeps_what_was_spent(
    algorithm: str | None, plans: dict[str, str], clock: ManualClock
) -> None:
    clock.advance(6_000_000)
    app = app_of(plans, algorithm=algorithm, clock=clock)
    assert [left(app, "free") for _ in range(6)] == [4, 3, 2, 1, 0, None]
    assert [left(app, "premium") for _ in range(2)] == [44, 43]
    assert left(app, "free") is None
    assert left(app, "premium") == 42
    assert ask(app, "free", peer="192.0.2.7").status == 200  # another client


def test_a_burst_keeps_what_is_missing_whatever_the_rate(clock: ManualClock) -> None:
    tiers = {"free": "1/second burst 5", "premium": "600/minute burst 50"}
    app = app_of(tiers, clock=clock)
    assert [left(app, "free") for _ in range(6)] == [4, 3, 2, 1, 0, None]
    assert left(app, "premium") == 44
    clock.advance(0.4)  # four tokens at that rate
    assert left(app, "premium") == 47
    assert left(app, "free") == 1
    one, other = limiters(tiers=tiers).values()
    assert one is other


@given(
    calls=st.lists(
        st.tuples(
            st.sampled_from(["free", "premium", "staff"]),
            st.sampled_from(["ada", "bob"]),
            st.integers(1, 4),
            st.sampled_from([0, 0.5, 7, 30, 60]),
        ),
        max_size=40,
    )
)
def test_all_of_a_window_spend_one_account(calls: list[tuple[str, str, int, float]]) -> None:
    """Against a list of what each client has spent: any tier counts all of it."""
    quotas, clock = {"free": 5, "premium": 9, "staff": 30}, ManualClock()
    views: list[Any] = []
    policy = Policy(
        tiers={name: (limit, 60) for name, limit in quotas.items()},
        clock=clock,
    )
    tiers = policy.enforcer.tiers
    spent: list[tuple[float, str]] = []
    for name, client, cost, wait in calls:
        clock.advance(wait)
        now = clock.time()
        live = sum(who == client and now - then < 60 for then, who in spent)
        decision = tiers.get(name).check(client, cost)
        views.append(decision)
        assert bool(decision) == (live + cost <= quotas[name])
        assert decision.limit == quotas[name]
        if decision:
            spent += [(now, client)] * cost
            live += cost
        assert decision.remaining == max(quotas[name] - live, 0)


def test_what_shares_a_limiter() -> None:
    own = SlidingWindowRateLimiter(9, 60)
    made = limiters(
        tiers={
            "free": "5/minute",
            "premium": (50, 60.0),
            "tokens": "500 tokens/minute",
            "more tokens": "900 tokens/60 seconds",
            "hourly": "50/hour",
            "burst": "5/second burst 9",
            "larger burst": "7/hour burst 20",
            "daily": "9/day in UTC",
            "more daily": "19/day in UTC",
            "elsewhere": "9/day in Europe/Berlin",
            "own": own,
            "enterprise": "unlimited",
        }
    )
    groups: dict[int, list[str]] = {}
    for name, limiter in made.items():
        groups.setdefault(id(limiter), []).append(name)
    assert list(groups.values()) == [
        ["free", "premium"],
        ["tokens", "more tokens"],
        ["hourly"],
        ["burst", "larger burst"],
        ["daily", "more daily"],
        ["elsewhere"],
        ["own"],
        ["enterprise"],
    ]
    assert made["own"] is own
    assert made["free"].limit == 5


def test_another_window_begins_afresh() -> None:
    app = app_of({"free": "1/minute", "premium": "5/hour"})
    assert [left(app, "free") for _ in range(2)] == [0, None]
    assert left(app, "premium") == 4


def test_kinds_of_requests_count_apart_as_limiters() -> None:
    together = app_of({"read": "9/minute", "write": "2/minute"})
    apart = app_of({"read": FixedWindow("9/minute"), "write": FixedWindow("2/minute")})
    for app, writes in ((together, [None, None]), (apart, [1, 0])):
        assert [left(app, "read") for _ in range(3)] == [8, 7, 6]
        assert [left(app, "write") for _ in range(2)] == writes


def test_an_algorithm_of_ones_own_counts_each_tier_by_itself() -> None:
    class Mine(FixedWindow):
        pass

    for algorithm in (Mine, partial(FixedWindow, max_keys=9), lambda *quota: FixedWindow(*quota)):
        app = app_of({"free": (2, 600), "premium": (2, 600)}, algorithm=algorithm)
        for name in ("free", "premium"):
            assert [left(app, name) for _ in range(3)] == [1, 0, None]


def test_each_is_told_its_own_quota() -> None:
    app = app_of({**PLANS, "burst": "5/second burst 9", "larger": "1/minute burst 20"})
    for name, policy, limit in [
        ("free", "q=5;w=60", "5"),
        ("premium", "q=50;w=60", "50"),
        ("burst", "q=9;w=2", "9"),
        ("larger", "q=20;w=1200", "20"),
    ]:
        answer = ask(app, name)
        assert answer.headers["ratelimit-policy"] == f'"{name}";{policy}'
        assert answer.headers["x-ratelimit-limit"] == limit


def test_a_cost_fits_the_tier_and_not_the_limiters_own_quota() -> None:
    app = app_of(PLANS, cost=lambda _: 6)
    assert ask(app, "free").status == 413
    assert left(app, "premium") == 44


@pytest.mark.parametrize("first", ["free", "premium"])
def test_a_later_refusal_gives_back_to_the_limiter_that_is_shared(first: str) -> None:
    app = FastAPI()
    tiers = dict(sorted(PLANS.items(), key=lambda item: item[0] != first))
    app.add_middleware(
        FastAPIMiddleware,
        tiers=tiers,
        tier=lambda request: request.query_params["tier"],
        cost=lambda request: int(request.query_params.get("cost", 1)),
    )

    @app.get("/", dependencies=[rate_limit(1, 60)])
    async def root() -> None: ...

    @app.get("/other")
    async def other() -> None: ...

    client = TestClient(app, client=("192.0.2.1", 4000))
    answers = [client.get("/?tier=premium&cost=7").status_code for _ in range(3)]
    assert answers == [200, 429, 429]
    left_of = client.get("/other?tier=premium").headers["x-ratelimit-remaining"]
    assert left_of == str(50 - 7 - 1)


def test_the_default_tier_may_be_any_of_them() -> None:
    app = app_of(PLANS, default_tier="premium")
    assert ask(app).headers["ratelimit-policy"] == '"premium";q=50;w=60'
    policy = Policy(tiers=PLANS, default_tier="premium")
    assert policy.enforcer.is_plain
    default = policy.enforcer.default
    assert default.check == default.limiter.check  # the quickest way
    assert [each.name for each in policy.enforcer.tiers] == ["free", "premium"]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"default_tier": "gold"}, "^default_tier must be one of tiers, 'free', 'premium', got 'g"),
        ({"default_tier": 5}, "^default_tier must be a str or None, got 5"),
        ({"tier_ttl": 5}, "^tier_ttl= means nothing unless tiers= is a function: give"),
        ({"tiers": {**PLANS, "x": "9/day in UTC"}, "algorithm": "fixed_window"}, None),
        (
            {"tiers": {**PLANS, "x": "7/minute burst 5"}, "algorithm": "fixed_window"},
            r"^tiers\['x'\]: quota '7/minute burst 5': only a token bucket has a burst",
        ),
        (
            {"tiers": {**PLANS, "x": (20_000_000, 60)}, "algorithm": "sliding_window"},
            r"^tiers\['x'\]: .*16,?777,?216",
        ),
    ],
)
def test_what_is_wrong_is_named_when_it_is_made(options: Any, text: str | None) -> None:
    if text is None:
        assert Policy(**{"tiers": PLANS, **options})
        return
    with pytest.raises((TypeError, ValueError), match=text):
        Policy(**{"tiers": PLANS, **options})


def test_a_default_tier_beside_a_limiter_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^default_tier= means nothing without tiers="):
        Policy(limiter=FixedWindow(1, 1), default_tier="a")


def test_metrics_are_by_tier_and_keys_are_counted_once() -> None:
    registry = CollectorRegistry()
    app = app_of(PLANS, metrics=registry)
    for name in ("free", "premium", "premium"):
        ask(app, name)
    found = scraped(registry)
    assert requests(found, "allowed", "free") == {"": 1}
    assert requests(found, "allowed", "premium") == {"": 2}
    held = {key: value for key, value in found.items() if "rate_limit_keys" in str(key)}
    assert sum(held.values()) == 1


def test_middlewares_of_one_dict_share_all_of_it() -> None:
    tiers = dict(PLANS)
    first, second = app_of(tiers), app_of(tiers)
    assert [left(app, "free") for app in (first, second)] == [4, 3]
    assert [left(app, "premium") for app in (first, second)] == [47, 46]


def test_middlewares_of_one_dict_share_it_whichever_tier_is_their_default() -> None:
    first, second = (app_of(PLANS, default_tier=name) for name in PLANS)
    assert [left(app, "free") for app in (first, second)] == [4, 3]
    assert left(second) == 47
    assert left(app_of(PLANS), "free") == 4  # one for another app, as in tests


@pytest.mark.parametrize("tiers", [PLANS, PLANS.get])
def test_the_client_of_a_tier_that_is_an_error_gets_a_500_and_is_not_charged(tiers: Any) -> None:
    app = FastAPI()
    names = {"tier": lambda request: request.query_params["tier"], "default_tier": "free"}
    app.add_middleware(FastAPIMiddleware, tiers=tiers, unknown_tier="error", **names)  # type: ignore[arg-type]

    @app.websocket("/")
    async def socket(_: Any) -> None: ...

    @app.get("/")
    async def root() -> None: ...

    client = TestClient(app, client=("192.0.2.1", 4000), raise_server_exceptions=False)
    assert client.get("/?tier=gold").status_code == 500
    with (
        pytest.raises(LookupError, match="there is no tier 'gold'"),
        client.websocket_connect("/?tier=gold"),
    ):
        pass
    assert client.get("/?tier=free").headers["x-ratelimit-remaining"] == "4"


def test_a_quota_object_is_as_good_as_its_text() -> None:
    made = limiters(tiers={"a": "10/minute", "b": Quota(10, 60), "c": TokenBucket(1, 1)})
    assert made["a"] is made["b"]
