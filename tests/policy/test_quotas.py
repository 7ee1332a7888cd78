"""Quotas in the web layer: tiers, messages, permits and endpoints, and by which algorithm."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from prometheus_client import CollectorRegistry

import sluicegate
from asgi_calls import get, hello
from scrapes import requests, scraped
from sluicegate import (
    FixedWindow,
    ManualClock,
    Quota,
    SegmentedWindow,
    SlidingWindowCounter,
    SlidingWindowRateLimiter,
    TokenBucket,
)
from sluicegate import redis as in_redis
from sluicegate.asgi import RateLimitMiddleware
from sluicegate.fastapi import rate_limit
from sluicegate.hooks import Details
from sluicegate.policy import Policy
from sluicegate.policy.algorithms import default_algorithm

NOWHERE = "redis://127.0.0.1:1"


def limiters(**options: Any) -> dict[str, Any]:
    return {tier.name: tier.limiter for tier in Policy(**options).enforcer.tiers}


def statuses(app: Any, times: int, **options: Any) -> list[int]:
    return [get(app, **options).status for _ in range(times)]


def route(*quota: Any, **options: Any) -> TestClient:
    app = FastAPI()

    @app.get("/")
    async def root(left: dict = rate_limit(*quota, **options)) -> Any:  # type: ignore[type-arg]
        return left["remaining"]

    return TestClient(app)


@pytest.mark.parametrize("quota", ["2/minute", Quota("2/minute"), Quota(2, 60), (2, 60), [2, 60.0]])
def test_one_quota_in_all_its_spellings(quota: Any, clock: ManualClock) -> None:
    app = RateLimitMiddleware(hello, tiers={"free": quota}, clock=clock)
    assert get(app).headers["ratelimit-policy"] == '"free";q=2;w=60'
    assert statuses(app, 2) == [200, 429]
    clock.advance(59.999999)
    assert statuses(app, 1) == [429]
    clock.advance(0.000001)
    assert statuses(app, 3) == [200, 200, 429]


def test_an_endpoints_quota() -> None:
    for quota in ("2/minute", Quota(2, 60)):
        client = route(quota)
        answers = [client.get("/") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert answers[0].headers["ratelimit-policy"] == '"route";q=2;w=60'


def test_messages_and_permits() -> None:
    policy = Policy(tiers={"a": "9/minute"}, messages="3/second", concurrency="5 concurrent")
    messages, permits = policy.enforcer.messages, policy.enforcer.permits
    assert messages is not None
    assert (messages.limiter.limit, messages.limiter.window_seconds) == (3, 1)
    assert permits.limit == 5
    remote = Policy(tiers={"a": "9/minute"}, concurrency=Quota(concurrent=5), redis=NOWHERE)
    assert isinstance(remote.enforcer.permits, in_redis.ConcurrencyLimiter)
    assert remote.enforcer.permits.limit == 5


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            {"tiers": {"free": "5/fortnight"}},
            r"^tiers\['free'\]: quota '5/fortnight': .*'5/day'",
        ),
        ({"tiers": {"free": "5 concurrent"}}, r"^tiers\['free'\]: .* concurrency='5 concurrent'"),
        ({"tiers": {"free": None}}, r"^tiers\['free'\] must be .*such as '100/minute', got None"),
        ({"tiers": "5/minute"}, r"^tiers must be a dict .*'100/minute'}, .*, got '5/minute'"),
        ({"messages": "5/s; 9/s"}, "^messages: there may be one quota for each window"),
        ({"messages": 5}, r"^messages must be \(limit, window_seconds\) or .*'100/minute', got 5"),
        ({"concurrency": "5/minute"}, "^concurrency: quota '5/minute': .*'5 concurrent'"),
        ({"concurrency": "unlimited"}, "^concurrency: quota 'unlimited': .*'5 concurrent'"),
        ({"concurrency": 2.5}, "^concurrency must be an int .*got 2.5.*'5 concurrent'"),
        ({"unknown_tier": "free"}, "^unknown_tier must be 'default' or 'error', got 'free'"),
        ({"tiers": None, "limiter": FixedWindow(1, 1), "unknown_tier": "error"}, "without tiers="),
        (
            {"tiers": {"a": "9/second burst 2"}, "algorithm": "fixed_window"},
            r"^tiers\['a'\]: quota '9/second burst 2': only .* algorithm= names 'fixed_window': leave",
        ),
        (
            {"tiers": {"a": "9/day in UTC"}, "algorithm": "token_bucket"},
            r"^tiers\['a'\]: quota '9/day in UTC': only .* algorithm= names 'token_bucket': leave",
        ),
        (
            {"tiers": {"a": "9/day in UTC"}, "algorithm": lambda *_: FixedWindow(1, 1)},
            r"^tiers\['a'\]: quota '9/day in UTC': only a fixed window",
        ),
    ],
)
def test_an_error_names_the_place_and_a_right_value(options: dict[str, Any], text: str) -> None:
    with pytest.raises((TypeError, ValueError), match=text):
        Policy(**{"tiers": {"free": "9/minute"}, **options})


@pytest.mark.parametrize(
    ("quota", "options", "text"),
    [
        ("5/s, 9/s", {}, "^rate_limit: there may be one quota for each window"),
        ("5/minute", {"window_seconds": 60}, "^limit must be an int beside a window.*'5/minute'$"),
        ("5/minute", {"window": 60}, "^limit must be an int beside a window.*'5/minute'$"),
        ("5 concurrent", {}, "^rate_limit: quota '5 concurrent': permits"),
        (None, {}, "^rate_limit: limit must be an int"),
    ],
)
def test_so_does_one_of_an_endpoint(quota: Any, options: dict[str, Any], text: str) -> None:
    with pytest.raises((TypeError, ValueError), match=text):
        rate_limit(quota, **options)


@pytest.mark.parametrize(
    ("quota", "beside", "name"),
    [
        ("1000/minute", (), "sliding_window"),
        ("1001/minute", (), "segmented_window"),
        ("10000/day", (), "segmented_window"),
        ("5/second", ("1001/day",), "segmented_window"),
        ("5/second", ("1000/day", "9000/second burst 9000", "5000/day in UTC"), "sliding_window"),
        ("9000/second burst 1", ("1/day",), "token_bucket"),
        ("9000/month in UTC", ("1/day",), "fixed_window"),
    ],
)
def test_the_algorithm_is_the_quotas(quota: str, beside: tuple[str, ...], name: str) -> None:
    assert default_algorithm(Quota(quota), map(Quota, beside)) == name


@pytest.mark.parametrize("place", [None, NOWHERE])
def test_tiers_of_windows_are_counted_as_the_largest_asks(place: str | None) -> None:
    kinds: Any = in_redis if place else sluicegate
    tiers = {"free": "5/second", "burst": "9/second burst 2000", "own": FixedWindow(9, 9)}
    few = limiters(tiers=tiers, redis=place)
    assert type(few["free"]) is kinds.SlidingWindowRateLimiter
    assert type(few["burst"]) is kinds.TokenBucket
    assert (few["burst"].limit, few["burst"].config.refill_rate) == (2000, 9)
    assert few["own"] is tiers["own"]
    many = limiters(tiers={**tiers, "premium": (10_000, 60)}, redis=place)
    assert type(many["free"]) is type(many["premium"]) is kinds.SegmentedWindow
    assert type(many["burst"]) is kinds.TokenBucket


def test_an_algorithm_that_is_named_counts_all() -> None:
    tiers = {"free": "5/second", "premium": "10000/minute"}
    for name, kind in {
        "sliding_window": SlidingWindowRateLimiter,
        "sliding_counter": SlidingWindowCounter,
        "fixed_window": FixedWindow,
        "segmented_window": SegmentedWindow,
        "token_bucket": TokenBucket,
    }.items():
        made = limiters(tiers=tiers, algorithm=name).values()
        assert [type(limiter) for limiter in made] == [kind, kind]
    burst = limiters(tiers={"a": "9/second burst 2"}, algorithm=TokenBucket)["a"]
    assert (burst.limit, burst.config.refill_rate) == (2, 9)


def test_messages_and_endpoints_choose_for_themselves() -> None:
    policy = Policy(tiers={"free": "10000/day"}, messages="5/second")
    assert policy.enforcer.messages is not None
    assert type(policy.enforcer.messages.limiter) is SlidingWindowRateLimiter
    assert type(policy.enforcer.default.limiter) is SegmentedWindow


def test_a_calendars_day(clock: ManualClock) -> None:
    clock.advance(11 * 86_400 - 3_601)  # a second to midnight in Berlin, an hour before that of UTC
    app = RateLimitMiddleware(hello, tiers={"free": "2/day in Europe/Berlin"}, clock=clock)
    assert statuses(app, 3) == [200, 200, 429]
    clock.advance(1)
    assert statuses(app, 3) == [200, 200, 429]
    clock.advance(86_399)
    assert statuses(app, 1) == [429]


def test_a_calendars_day_in_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its key has the period and the zone, as other windows of that length are another thing."""
    made: list[Any] = []

    class Recorded(FixedWindow):
        _ALGORITHM = "fixed_window"

        def __init__(self, *arguments: Any, **options: Any) -> None:
            made.append((arguments, options))

        def __new__(cls, *_: Any, **__: Any) -> Any:
            return super().__new__(cls, 1, 1)

    monkeypatch.setattr(in_redis.limiters, "FixedWindow", Recorded)
    quota = Quota("1000/day in America/New_York")
    Policy(tiers={"free": quota}, redis=NOWHERE)
    prefix = "sluicegate:tier:fixed_window:day_in_America/New_York"
    assert made == [((NOWHERE, quota), {"prefix": prefix})]


def test_unlimited_passes_and_tells_nothing() -> None:
    app = RateLimitMiddleware(hello, tiers={"free": "unlimited"})
    for _ in range(50):
        answer = get(app)
        assert answer.status == 200
        assert not {"ratelimit", "ratelimit-policy", "x-ratelimit-limit"} & set(answer.headers)
    assert answer.scope["sluicegate.decision"].allowed
    assert answer.scope["sluicegate.decision"].remaining == 4_294_967_295


def test_only_that_tier_is_unlimited() -> None:
    tiers = {"free": "1/minute", "enterprise": Quota("unlimited")}

    def tier(scope: Any) -> str:
        return str(scope["query_string"].decode())

    app = RateLimitMiddleware(hello, tiers=tiers, tier=tier, cost=lambda _: 2**33)
    assert statuses(app, 3, query_string=b"enterprise") == [200] * 3
    assert statuses(app, 1, query_string=b"free") == [413]
    app = RateLimitMiddleware(hello, tiers=tiers, tier=tier)
    assert statuses(app, 3, query_string=b"enterprise") == [200] * 3
    assert statuses(app, 2, query_string=b"free") == [200, 429]


def test_unlimited_holds_permits_and_is_seen() -> None:
    seen: list[tuple[str, bool, int]] = []

    class Hook:
        def on_refused(self, details: Details) -> None: ...

        def on_admitted(self, details: Details) -> None:
            seen.append((details.limiter, details.allowed, details.cost))

    registry = CollectorRegistry()
    policy = Policy(
        tiers={"enterprise": "unlimited"}, hooks=[Hook()], metrics=registry, concurrency=1
    )
    during: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        during.append(policy.enforcer.permits.in_use("ip:192.0.2.1"))
        await hello(scope, receive, send)

    assert statuses(RateLimitMiddleware(app, policy=policy), 3) == [200] * 3
    assert during == [1] * 3
    assert seen == [("enterprise", True, 1)] * 3
    assert requests(scraped(registry), "allowed", "enterprise") == {"": 3}


def test_an_unlimited_endpoint_and_one_within_an_unlimited_tier() -> None:
    client = route("unlimited")
    answers = [client.get("/") for _ in range(20)]
    assert {(answer.status_code, answer.json()) for answer in answers} == {(200, 4_294_967_295)}
    assert "x-ratelimit-limit" not in answers[0].headers
    app = FastAPI()
    app.add_middleware(RateLimitMiddleware, tiers={"free": "unlimited"})

    @app.get("/", dependencies=[rate_limit("1/minute")])
    async def root() -> None: ...

    answers = [TestClient(app).get("/") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]
    assert answers[0].headers["ratelimit-policy"] == '"route";q=1;w=60'


def test_an_unknown_tier_is_an_error_if_that_is_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    names = iter(["gold", "premium", None, "gold"])
    app = RateLimitMiddleware(
        hello,
        tiers={"free": "2/minute", "premium": "1/minute"},
        tier=lambda _: next(names),
        unknown_tier="error",
    )
    with caplog.at_level(logging.WARNING, "sluicegate"):
        for then in ([200, 200], []):
            with pytest.raises(
                LookupError, match=r"^there is no tier 'gold': .* 'free', 'premium'$"
            ):
                get(app)
            assert statuses(app, len(then)) == then
    assert not caplog.records
