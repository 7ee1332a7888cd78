"""Tiers by a function of the name: plans from a database, and new ones while the app runs."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from asgi_calls import Answer, get, hello
from scrapes import requests, scraped
from sluicegate import FixedWindow, ManualClock, Quota, SegmentedWindow, SlidingWindowRateLimiter
from sluicegate.asgi import RateLimitMiddleware
from sluicegate.identity import Principal
from sluicegate.policy import Policy
from sluicegate.policy.tiers import plans

NOWHERE = "redis://127.0.0.1:1"


class Database:
    """Plans that may change, and who has asked for which."""

    def __init__(self, **rows: Any) -> None:
        self.rows = {"default": "5/minute", **rows}
        self.asked: list[str] = []

    def plan_of(self, name: str) -> Any:
        self.asked.append(name)
        answer = self.rows.get(name)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def database() -> Database:
    return Database(free="5/minute", premium="50/minute")


def tier(scope: Any) -> str | None:
    return scope["query_string"].decode() or None


def app_of(database: Database, **options: Any) -> RateLimitMiddleware:
    return RateLimitMiddleware(hello, tiers=database.plan_of, tier=tier, **options)


def ask(app: Any, name: str = "", **options: Any) -> Answer:
    return get(app, query_string=name.encode(), **options)


def left(app: Any, name: str = "") -> int | None:
    answer = ask(app, name)
    return int(answer.headers["x-ratelimit-remaining"]) if answer.status == 200 else None


def test_who_changes_plan_keeps_what_was_spent(database: Database) -> None:
    app = app_of(database)
    assert [left(app, "free") for _ in range(6)] == [4, 3, 2, 1, 0, None]
    assert [left(app, "premium") for _ in range(2)] == [44, 43]
    assert left(app, "free") is None
    assert ask(app, "premium").headers["ratelimit-policy"] == '"premium";q=50;w=60'


def test_it_is_asked_when_a_tier_is_first_seen_and_anew_after_a_while(
    database: Database, clock: ManualClock
) -> None:
    app = app_of(database, clock=clock)
    assert database.asked == ["default"]
    for name in ["premium", "free", "premium", "", ""]:
        assert left(app, name) is not None
    assert database.asked == ["default", "premium", "free"]
    clock.advance(59.999)
    database.rows["premium"] = "70/minute"
    assert ask(app, "premium").headers["x-ratelimit-limit"] == "50"
    clock.advance(0.001)
    assert ask(app, "premium").headers["x-ratelimit-limit"] == "70"
    assert ask(app, "premium").headers["x-ratelimit-limit"] == "70"
    assert database.asked[3:] == ["premium"]


def test_how_long_an_answer_holds_may_be_chosen(database: Database, clock: ManualClock) -> None:
    app = app_of(database, clock=clock, tier_ttl=5)
    clock.advance(4.9)
    ask(app)
    assert database.asked == ["default"]
    clock.advance(0.1)
    ask(app)
    assert database.asked == ["default"] * 2
    always = app_of(database, tier_ttl=0)
    for _ in range(3):
        ask(always, "free")
    assert database.asked[3:] == ["free"] * 3


def test_a_changed_plan_keeps_what_was_spent_too(database: Database) -> None:
    app = app_of(database, tier_ttl=0)
    assert [left(app, "free") for _ in range(3)] == [4, 3, 2]
    database.rows["free"] = "9/minute"
    assert left(app, "free") == 5
    database.rows["free"] = "2/minute"
    assert left(app, "free") is None
    database.rows["free"] = Quota(5, 60)
    assert left(app, "free") == 0


def test_a_plan_of_tomorrow_and_one_that_goes(
    database: Database, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    app = app_of(database, clock=clock)
    with caplog.at_level(logging.WARNING, "sluicegate"):
        for _ in range(2):
            assert ask(app, "gold").headers["ratelimit-policy"] == '"default";q=5;w=60'
    (said,) = caplog.messages
    assert said == "There is no tier 'gold': 'default' is used for it."
    assert database.asked.count("gold") == 1
    database.rows["gold"] = (500, 60)
    clock.advance(60)
    assert ask(app, "gold").headers["ratelimit-policy"] == '"gold";q=500;w=60'
    del database.rows["gold"]
    clock.advance(60)
    assert ask(app, "gold").headers["ratelimit-policy"] == '"default";q=5;w=60'


def test_an_unknown_tier_may_be_an_error(database: Database) -> None:
    app = app_of(database, unknown_tier="error")
    with pytest.raises(LookupError, match=r"^there is no tier 'gold': tiers= knows none"):
        ask(app, "gold")
    assert ask(app, "premium").status == 200


def test_an_error_of_the_function_is_the_apps_and_is_not_kept(
    database: Database, clock: ManualClock
) -> None:
    app = app_of(database, clock=clock)
    assert left(app, "premium") == 49
    clock.advance(60)
    database.rows["premium"] = ConnectionError("the database is gone")
    for _ in range(2):
        with pytest.raises(ConnectionError, match="the database is gone"):
            ask(app, "premium")
    database.rows["premium"] = "50/minute"
    assert ask(app, "premium").status == 200


def test_an_exempt_request_asks_nobody(database: Database, clock: ManualClock) -> None:
    app = app_of(database, clock=clock, exempt=["/health"])
    clock.advance(60)
    database.rows["default"] = ConnectionError("the database is gone")
    assert get(app, "/health").status == 200
    with pytest.raises(ConnectionError):
        get(app)


async def coroutine(_: str) -> str:
    return "5/minute"


@pytest.mark.parametrize(
    ("answer", "kind", "text"),
    [
        ("5/fortnight", ValueError, r"^tiers\('x'\): quota '5/fortnight'"),
        ("5 concurrent", ValueError, r"^tiers\('x'\): quota '5 concurrent': permits"),
        (5, TypeError, r"^tiers\('x'\) must be .* such as '100/minute', got 5"),
        ((0, 60), ValueError, r"^tiers\('x'\): limit must be"),
        (FixedWindow, TypeError, r"^tiers\('x'\) must have the verbs of a Limiter"),
        (coroutine, TypeError, r"^tiers\('x'\) must return a quota, got <cor.* cannot be awaited"),
    ],
)
def test_a_bad_answer_is_an_error_that_names_it(
    answer: Any, kind: type[Exception], text: str
) -> None:
    def plan_of(name: str) -> Any:
        return "5/minute" if name == "default" else answer(name) if answer is coroutine else answer

    app = RateLimitMiddleware(hello, tiers=plan_of, tier=tier)
    for _ in range(2):
        with pytest.raises(kind, match=text):
            ask(app, "x")
    with pytest.raises(kind, match=text.replace("'x'", "'a'")):
        Policy(tiers=lambda name: plan_of("x"), default_tier="a")


def test_a_name_that_no_field_can_hold_is_refused(database: Database) -> None:
    database.rows["\u00fc"] = "5/minute"
    with pytest.raises(ValueError, match=r"^tiers\(.*\): name must be printable ASCII"):
        ask(app_of(database), "\u00fc")
    with pytest.raises(ValueError, match=r"^tiers\(.*\): name must be printable ASCII"):
        app_of(database, default_tier="\u00fc")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"tiers": coroutine}, "^tiers must be a plain function, got <function coroutine.*tiers=p"),
        (
            {"tiers": {}.get},
            r"^tiers\('default'\) returned None: .* default_tier= gives it another",
        ),
        ({"tiers": {"a": "1/s"}.get, "default_tier": "b"}, r"^tiers\('b'\) returned None"),
        ({"tiers": {"default": "1/s"}.get, "tier_ttl": -1}, "^tier_ttl must be"),
        ({"tiers": {"default": "1/s"}.get, "name": "default"}, "^name= means nothing beside tiers"),
        ({"tiers": {"default": "1/s"}.get, "max_keys": 0}, "max_keys must be"),
        ({"tiers": 5}, "^tiers must be a dict .* or a function of the name, got 5"),
    ],
)
def test_what_is_wrong_is_named_when_it_is_made(options: Any, text: str) -> None:
    with pytest.raises((TypeError, ValueError), match=text):
        Policy(**options)


def test_the_default_tier_may_have_any_name(database: Database) -> None:
    app = app_of(database, default_tier="free")
    assert database.asked == ["free"]
    assert ask(app).headers["ratelimit-policy"] == '"free";q=5;w=60'


def test_a_default_tier_that_goes_holds(
    database: Database, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    app = app_of(database, clock=clock)
    del database.rows["default"]
    clock.advance(60)
    assert [left(app) for _ in range(6)] == [4, 3, 2, 1, 0, None]
    assert caplog.messages == ["tiers('default') is None by now: the last answer holds."]
    database.rows["default"] = "9/minute"
    clock.advance(59.9)
    assert left(app) is None
    clock.advance(0.1)
    assert ask(app).headers["x-ratelimit-limit"] == "9"


def test_limiters_and_no_limit_at_all(database: Database) -> None:
    own = FixedWindow(2, 600)
    database.rows.update(own=own, enterprise="unlimited")
    app = app_of(database, tier_ttl=0)
    assert [left(app, "own") for _ in range(3)] == [1, 0, None]
    assert own.peek("ip:192.0.2.1").remaining == 0
    answer = ask(app, "enterprise")
    assert answer.status == 200
    assert "x-ratelimit-limit" not in answer.headers


def test_windows_are_counted_in_a_way_that_holds_any_plan(database: Database) -> None:
    def kind(**options: Any) -> Any:
        return type(Policy(tiers=database.plan_of, **options).enforcer.default.limiter)

    assert kind() is SegmentedWindow
    assert kind(algorithm="sliding_window") is SlidingWindowRateLimiter
    database.rows.update(huge=(4_000_000_000, 60))
    assert left(app_of(database), "huge") == 3_999_999_999


def test_names_are_kept_up_to_a_number(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "_MOST_NAMES", 3)
    database.rows.update({f"p{number}": "50/minute" for number in range(9)})
    app = app_of(database)
    for number in range(9):
        ask(app, f"p{number}")
    made: Any = app._policy.enforcer.tiers
    assert list(made._known) == ["p6", "p7", "p8"]
    for number in range(9):
        ask(app, f"stranger{number}")
    assert list(made._unknown) == ["stranger6", "stranger7", "stranger8"]
    assert set(made._known) == {"p7", "p8", "default"}  # which strangers do not push out
    assert left(app, "p0") == 50 - 9 - 1  # what was spent is the limiter's to keep


def test_limiters_are_made_up_to_a_number(
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    clock: ManualClock,
) -> None:
    monkeypatch.setattr(plans, "_MOST_LIMITERS", 3)
    windows = {f"w{number}": f"50/{number} hours" for number in range(1, 5)}
    database.rows.update(windows)
    app = app_of(database, clock=clock)
    told = [ask(app, name).headers["ratelimit-policy"] for name in windows]
    assert told == [
        '"w1";q=50;w=3600',
        '"w2";q=50;w=7200',
        '"default";q=5;w=60',
        '"default";q=5;w=60',
    ]
    (said,) = caplog.messages
    assert "3 limiters, one for each window and unit" in said
    assert "'w3' needs one more: 'default' is used" in said
    database.rows["default"] = "7/minute"
    clock.advance(60)
    ask(app)
    assert ask(app, "w4").headers["ratelimit-policy"] == '"default";q=7;w=60'


def test_metrics_tell_a_hundred_apart(database: Database) -> None:
    registry = CollectorRegistry()
    database.rows.update({f"p{number}": "500/minute" for number in range(150)})
    app = app_of(database, metrics=registry)
    for number in range(150):
        ask(app, f"p{number}")
    found = scraped(registry)
    assert requests(found, "allowed", "p0") == {"": 1}
    assert requests(found, "allowed", "p149") == {}
    assert requests(found, "allowed", "other") == {"": 51}
    assert sum(value for name, value in found.items() if name[0] == "rate_limit_keys") == 1


def test_an_api_keys_tier_and_how_many_wrong_ones_may_be_tried(database: Database) -> None:
    looked: list[str] = []

    def verify(key: str) -> Principal | None:
        looked.append(key)
        return Principal("ada", "premium") if key == "right" else None

    app = RateLimitMiddleware(hello, tiers=database.plan_of, verify=verify)
    answer = get(app, headers=[("x-api-key", "right")])
    assert answer.headers["ratelimit-policy"] == '"premium";q=50;w=60'
    statuses = [get(app, headers=[("x-api-key", f"{n}")]).status for n in range(8)]
    assert statuses == [200] * 5 + [429] * 3
    assert len(looked) == 6


def test_an_api_keys_tier_does_not_ask_for_the_default_one(
    database: Database, clock: ManualClock
) -> None:
    app = RateLimitMiddleware(
        hello, tiers=database.plan_of, verify=lambda _: Principal("ada", "premium"), clock=clock
    )
    clock.advance(60)
    database.rows["default"] = ConnectionError("the database is gone")
    assert get(app, headers=[("x-api-key", "right")]).status == 200


def test_middlewares_of_one_function_count_together(database: Database) -> None:
    first, second = (app_of(database) for _ in range(2))
    assert [left(app, "free") for app in (first, second)] == [4, 3]
    database.rows.update(daily="9/day", larger="99/day")  # of a limiter that is made later
    assert [left(first, "daily"), left(second, "larger"), left(first, "larger")] == [8, 97, 96]


def test_middlewares_of_one_dicts_method_count_together_and_of_equal_dicts_do_not() -> None:
    def spent(*plans: dict[str, str]) -> list[int | None]:
        made = [RateLimitMiddleware(hello, tiers=each.get, default_tier="a") for each in plans]
        return [left(app) for app in made]

    one, other = {"a": "5/minute"}, {"a": "5/minute"}
    assert spent(one, one, other) == [4, 3, 4]
    assert spent(one) == [4]


def test_keys_of_principals_may_go_to_a_server_by_a_tier_to_come(database: Database) -> None:
    assert Policy(tiers=database.plan_of).enforcer.hides_keys
    assert not Policy(tiers=dict(database.rows)).enforcer.hides_keys


def test_it_shows_no_secret(database: Database) -> None:
    policy = Policy(tiers=database.plan_of, redis="redis://:secret@localhost")
    assert repr(policy) == "<Policy of tiers by a function>"
    assert not policy.enforcer.is_plain  # any plan may be another in a minute
    assert Policy(tiers=database.plan_of, redis=NOWHERE).enforcer.needs_asyncio
