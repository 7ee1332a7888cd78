"""Tiers of several windows: one decision, all or nothing, and one account of each window for all tiers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_calls import Answer, call, get, hello
from sluicegate import FixedWindow, ManualClock, Quota
from sluicegate.asgi import RateLimitMiddleware, problem_refusal
from sluicegate.policy import Policy, Rule

PLANS = {
    "free": "5/second; 20/day",
    "premium": "50/second; 1000/day",
    "enterprise": "unlimited",
}


def tier(scope: Any) -> str | None:
    return scope["query_string"].decode() or None


def app_of(tiers: Any = PLANS, **options: Any) -> RateLimitMiddleware:
    return RateLimitMiddleware(hello, tiers=tiers, tier=tier, **options)


def ask(app: Any, name: str = "", **options: Any) -> Answer:
    return get(app, query_string=name.encode(), **options)


def statuses(app: Any, times: int, name: str = "", **options: Any) -> list[int]:
    return [ask(app, name, **options).status for _ in range(times)]


def left(app: Any, name: str = "") -> dict[str, int] | int:
    """What is left of each limit, or the status of a refusal."""
    answer = ask(app, name)
    if answer.status != 200:
        return answer.status
    items = [item.split(";") for item in answer.headers["ratelimit"].split(", ")]
    return {name.strip('"'): int(r.removeprefix("r=")) for name, r, _ in items}


def test_a_refusal_by_one_window_spends_nothing_of_the_others(clock: ManualClock) -> None:
    app = app_of(clock=clock)
    assert statuses(app, 9) == [200] * 5 + [429] * 4
    clock.advance(1)
    assert left(app) == {"free/second": 4, "free/day": 14}
    for _ in range(3):
        clock.advance(1)
        statuses(app, 5)
    assert ask(app).headers["retry-after"] == "86396"  # the day's is the longer wait
    assert statuses(app, 1, peer="192.0.2.7") == [200]  # another client


def test_a_client_who_changes_plan_keeps_what_was_spent_of_each_window(clock: ManualClock) -> None:
    app = app_of(clock=clock)
    assert statuses(app, 6) == [200] * 5 + [429]
    assert left(app, "premium") == {"premium/second": 44, "premium/day": 994}
    assert statuses(app, 1) == [429]
    clock.advance(1)
    assert left(app) == {"free/second": 4, "free/day": 13}
    assert statuses(app, 14, "premium") == [200] * 14
    clock.advance(1)
    assert statuses(app, 1) == [429]
    assert statuses(app, 1, "enterprise") == [200]


def test_a_window_that_a_plan_lacks_neither_applies_nor_counts(clock: ManualClock) -> None:
    app = app_of({"a": "2/second; 3/hour", "b": "5/second", "c": "9/hour; 9/day"}, clock=clock)
    assert [left(app, "a") for _ in range(3)] == [
        {"a/second": 1, "a/hour": 2},
        {"a/second": 0, "a/hour": 1},
        429,
    ]
    assert left(app, "b") == {"b/second": 2}
    assert left(app, "c") == {"c/hour": 6, "c/day": 8}
    clock.advance(1)
    assert statuses(app, 2, "a") == [429, 429]  # three in this hour
    assert left(app, "b") == {"b/second": 4}


@pytest.mark.parametrize("first", [0, 1, 2])
@given(
    calls=st.lists(
        st.tuples(
            st.sampled_from(["free", "premium", "staff", "single"]),
            st.sampled_from(["ada", "bob"]),
            st.integers(1, 4),
            st.sampled_from([0, 0.25, 1, 7, 60, 61]),
        ),
        max_size=50,
    )
)
def test_all_tiers_spend_one_account_of_each_window(
    first: int, calls: list[tuple[str, str, int, float]]
) -> None:
    """Against a list of what each client has spent of each window, under whichever tier."""
    quotas = {
        "free": {1: 4, 60: 9},
        "premium": {1: 6, 60: 20, 3600: 30},
        "staff": {60: 15, 7: 9},
        "single": {1: 5},
    }
    names = [*quotas][first:] + [*quotas][:first]
    windows = {1: "second", 7: "7 seconds", 60: "minute", 3600: "hour"}
    clock = ManualClock()
    policy = Policy(
        tiers={
            name: "; ".join(f"{limit}/{windows[window]}" for window, limit in quotas[name].items())
            for name in names
        },
        clock=clock,
    )
    spent: list[tuple[float, str, int]] = []
    for name, client, cost, wait in calls:
        clock.advance(wait)
        now, own = clock.time(), quotas[name]

        def live(window: int) -> int:
            own = [(then, w) for then, c, w in spent if c == client]  # noqa: B023
            return sum(w == window and now - then < w for then, w in own)  # noqa: B023

        decision = policy.enforcer.tiers.get(name).check(client, cost)
        fits = {window: live(window) + cost <= limit for window, limit in own.items()}
        assert bool(decision) == all(fits.values())
        refused = [f"client/{windows[window]}" for window, fit in fits.items() if not fit]
        assert sorted(decision.refused_by) == sorted(refused)
        if decision:
            spent += [(now, client, window) for window in own for _ in range(cost)]
        for window, limit in own.items():
            told = decision.limits[f"client/{windows[window]}"]
            assert (told.limit, told.remaining) == (limit, max(limit - live(window), 0))
        assert len(decision.limits) == len(own)


def test_the_algorithm_of_a_window_is_what_its_largest_quota_asks_for() -> None:
    policy = Policy(
        tiers={
            "free": "5/second; 1000/day; 3/hour",
            "premium": "50/second; 1000000/day; 10/second burst 40",
            "pro": "200/second burst 9",
        }
    )
    gate: Any = policy.enforcer.default.limiter
    assert {part.name: part.algorithm for part in gate.parts} == {
        "client/second": "sliding_log",
        "client/day": "segmented_window",
        "client/hour": "sliding_log",
        "client/second burst": "token_bucket",
    }


def test_an_algorithm_that_is_named_counts_every_window(clock: ManualClock) -> None:
    for algorithm in ("fixed_window", "token_bucket", FixedWindow):
        app = app_of({"a": "2/second; 3/hour", "b": "1/second"}, algorithm=algorithm, clock=clock)
        assert statuses(app, 3, "a") == [200, 200, 429]
        assert statuses(app, 1, "b") == [429]


def test_windows_that_no_other_tier_combines_are_counted_as_before() -> None:
    own = FixedWindow(9, 9)
    tiers = Policy(
        tiers={
            "free": "5/second; 20/day",
            "weekly": "9/week",
            "more weekly": "99/week",
            "daily": "9/day",
            "burst": "9/day burst 3",
            "own": own,
            "tokens": "500 tokens/day",
        }
    ).enforcer.tiers
    limiters = {tier.name: tier.limiter for tier in tiers}
    assert limiters["daily"] is limiters["free"]
    assert limiters["weekly"] is limiters["more weekly"] is not limiters["free"]
    assert limiters["own"] is own
    assert len({id(limiter) for limiter in limiters.values()}) == 5


def test_each_tier_is_told_its_own_quotas(clock: ManualClock) -> None:
    tiers = {
        "free": "5/second; 20/day",
        "bursts": "10/second burst 40; 9/day in UTC; 40000 tokens/minute",
    }
    app = app_of(tiers, clock=clock, cost=lambda _: {"tokens": 100})
    answer = ask(app)
    assert answer.headers["ratelimit-policy"] == '"free/second";q=5;w=1, "free/day";q=20;w=86400'
    assert answer.headers["ratelimit"] == '"free/second";r=4;t=1, "free/day";r=19;t=86400'
    answer = ask(app, "bursts")
    assert answer.headers["ratelimit-policy"] == (
        '"bursts/second burst";q=40;w=4, "bursts/day in UTC";q=9;w=86400, '
        '"bursts/tokens/minute";q=40000;w=60'
    )
    assert answer.headers["x-ratelimit-limit"] == "9"


def test_numbers_are_those_of_the_limit_that_decides(clock: ManualClock) -> None:
    app = app_of(clock=clock)
    told = [ask(app).headers for _ in range(6)]
    assert [(each["x-ratelimit-limit"], each["x-ratelimit-remaining"]) for each in told] == [
        *[("5", str(4 - number)) for number in range(5)],
        ("5", "0"),
    ]
    assert told[5]["ratelimit"] == '"free/second";r=0;t=1, "free/day";r=15;t=86400'
    clock.advance(1)
    statuses(app, 5)
    clock.advance(1)
    statuses(app, 5)
    clock.advance(1)
    answer = ask(app)  # a fifth of the day's is left, and four of this second's five
    assert [answer.headers[f"x-ratelimit-{name}"] for name in ("limit", "remaining")] == ["20", "4"]
    statuses(app, 4)
    clock.advance(1)
    answer = ask(app)
    assert answer.status == 429
    assert (answer.headers["x-ratelimit-limit"], answer.headers["retry-after"]) == ("20", "86396")
    assert answer.headers["x-ratelimit-remaining"] == "0"


@pytest.mark.parametrize(
    ("sets", "names"),
    [
        ("ietf", {"ratelimit", "ratelimit-policy"}),
        ("x-ratelimit", {"x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"}),
        ((), set()),
    ],
)
def test_the_sets_are_chosen_as_ever(sets: Any, names: set[str]) -> None:
    for options in ({}, {"cost": lambda _: 1}):
        answer = ask(app_of(headers=sets, **options))
        assert {name for name in answer.headers if "ratelimit" in name} == names


def test_a_refusal_names_the_limits(clock: ManualClock) -> None:
    app = app_of({"free": "2/second; 2/minute; 9/day"}, refusal=problem_refusal, clock=clock)
    statuses(app, 2)
    answer = ask(app)
    refusal = answer.scope["sluicegate.refusal"]
    assert (refusal.policy, refusal.limit_name, refusal.told_as) == (
        "free",
        "client/minute",
        "free/minute",
    )
    assert refusal.violated == ("free/second", "free/minute")
    assert (refusal.limit, refusal.retry_after) == (2, 60)
    assert b'"violated-policies":["free/second","free/minute"]' in answer.body


def test_names_that_are_taken_get_a_number_in_both_places() -> None:
    inner = RateLimitMiddleware(hello, tiers={"free": "1/second; 9/day"}, refusal=problem_refusal)
    app = RateLimitMiddleware(inner, tiers={"free": "50/second; 99/day"})
    get(app)
    answer = get(app)
    assert answer.status == 429
    names = [item.partition(";")[0] for item in answer.headers["ratelimit"].split(", ")]
    assert names == ['"free/second-2"', '"free/day-2"', '"free/second"', '"free/day"']
    assert b'"violated-policies":["free/second-2"]' in answer.body
    assert answer.headers["x-ratelimit-limit"] == "1"


def test_a_cost_that_a_window_can_never_admit_is_a_413() -> None:
    costs = iter([6, 21, 2**40, 5])
    app = app_of(cost=lambda _: next(costs))
    first = ask(app)
    assert first.status == 413
    refusal = first.scope["sluicegate.refusal"]
    assert (refusal.limit_name, refusal.limit, refusal.cost) == ("client/second", 5, 6)
    assert not {"retry-after", "ratelimit"} & first.headers.keys()
    assert [ask(app).status for _ in range(3)] == [413, 413, 200]


def test_a_cost_by_units(clock: ManualClock) -> None:
    costs: list[Any] = []
    app = app_of(
        {"free": "5/second; 1000 tokens/minute", "small": "2/second"},
        cost=lambda _: costs.pop(),
        clock=clock,
    )

    def asked(cost: Any, name: str = "") -> Any:
        costs.append(cost)
        return left(app, name)

    assert asked({"tokens": 900}) == {"free/second": 4, "free/tokens/minute": 100}
    assert asked({"tokens": 101}) == 429
    assert asked({"tokens": 1001}) == 413
    assert asked({"tokens": 0}) == {"free/second": 3}
    assert asked({"requests": 0, "tokens": 10}) == {"free/tokens/minute": 90}
    assert asked({"requests": 3, "tokens": 1}) == {"free/second": 0, "free/tokens/minute": 89}
    assert asked({"tokens": 10}, "small") == 429  # three are spent
    clock.advance(1)
    assert asked({"tokens": 10}, "small") == {"small/second": 1}
    assert asked(1, "small") == {"small/second": 0}
    costs.append({"requests": 0, "tokens": 0})
    answer = ask(app)
    assert answer.status == 200
    assert "ratelimit" not in answer.headers
    for bad, error in [
        (1, ValueError),
        ({}, TypeError),
        ({"tokens": -1}, ValueError),
        ({"tokens": "9"}, TypeError),
        ({"tokens": True}, TypeError),
        ({1: 1}, TypeError),
    ]:
        costs.append(bad)
        with pytest.raises(error, match="cost"):
            ask(app)


def test_one_window_takes_a_cost_by_units_as_well() -> None:
    costs: list[Any] = [{"tokens": 900}, {"tokens": 101}, {"tokens": 0}]
    app = app_of({"free": "1000 tokens/minute", "plain": "2/minute"}, cost=lambda _: costs.pop(0))
    assert statuses(app, 3) == [200, 429, 200]
    costs += [{"tokens": 900}] * 3
    assert statuses(app, 3, "plain") == [200, 200, 429]
    costs += [{"requests": 1}]
    with pytest.raises(ValueError, match=r"cost must say how many tokens .*'tokens': 100"):
        ask(app)


def test_a_later_refusal_gives_back_what_each_window_has_spent(clock: ManualClock) -> None:
    inner = RateLimitMiddleware(hello, tiers={"inner": "1/second; 2/hour"}, clock=clock)
    app = RateLimitMiddleware(inner, tiers={"outer": "5/second; 9/day"}, clock=clock)
    assert [get(app).status for _ in range(4)] == [200, 429, 429, 429]
    clock.advance(1)
    answer = get(app)
    assert answer.headers["ratelimit"] == (
        '"inner/second";r=0;t=1, "inner/hour";r=0;t=3600, "outer/second";r=4;t=1, '
        '"outer/day";r=7;t=86400'
    )


def test_shadow_refuses_nobody_and_says_nothing() -> None:
    policy = Policy(tiers={"free": "1/second; 9/day"}, shadow=True)
    app = RateLimitMiddleware(hello, policy=policy)
    answers = [get(app) for _ in range(3)]
    assert [answer.status for answer in answers] == [200] * 3
    assert "ratelimit" not in answers[0].headers
    counted = policy.enforcer.default.limiter.statistics()  # type: ignore[attr-defined]
    assert (counted.admitted, counted.refused) == (1, 2)


def test_messages_of_several_windows(clock: ManualClock) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        while (await receive())["type"] == "websocket.receive":
            pass

    limited = RateLimitMiddleware(
        app, tiers={"free": "9/minute"}, messages="9/second; 2/hour", clock=clock
    )
    messages = [{"type": "websocket.receive", "text": "hi"}] * 3
    answer = asyncio.run(call(limited, kind="websocket", messages=messages))
    assert [each["type"] for each in answer.sent] == ["websocket.accept", "websocket.close"]


def test_api_keys_that_are_wrong_are_looked_up_as_often_as_the_strictest_quota_says() -> None:
    looked: list[str] = []

    def verify(key: str) -> None:
        looked.append(key)

    app = RateLimitMiddleware(hello, tiers={"free": "50/second; 3/day"}, verify=verify)
    for number in range(9):
        get(app, headers=[("x-api-key", str(number))])
    assert len(looked) == 3


def test_middlewares_of_one_dict_count_together() -> None:
    tiers = {"free": "3/second; 9/day", "premium": "5/second; 99/day"}
    first, second = (app_of(tiers, default_tier=name) for name in tiers)
    assert left(first, "free") == {"free/second": 2, "free/day": 8}
    assert left(second, "free") == {"free/second": 1, "free/day": 7}
    assert left(second, "premium") == {"premium/second": 2, "premium/day": 96}


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            {"tiers": {"a": "5/second; 9/1 second"}},
            r"^tiers\['a'\]: there may be one quota for each window .*'5/second' and '9/second'",
        ),
        (
            {"tiers": {"a": "9/minute; 5 concurrent"}},
            r"^tiers\['a'\]: quota '5 concurrent': .*concurrency='5 concurrent'",
        ),
        ({"tiers": {"a": "9/minute; unlimited"}}, r"^tiers\['a'\]: 'unlimited' stands alone"),
        ({"tiers": {"a": "9/minute; 5/fortnight"}}, r"^tiers\['a'\]: quota '5/fortnight': "),
        ({"tiers": {"a": "9/minute;"}}, r"^tiers\['a'\]: quota .*a part of it is empty"),
        (
            {"tiers": {"a": "; ".join(f"{n}/{n} seconds" for n in range(1, 34))}},
            r"^tiers\['a'\]: there may be 32 quotas at most, got 33",
        ),
        (
            {"tiers": {"a": "9/minute; 5/second"}, "algorithm": lambda *_: FixedWindow(1, 1)},
            r"^tiers\['a'\]: quota '9/minute': several windows .*such as 'sliding_window'$",
        ),
        (
            {"tiers": {"a": "9/minute; 5/second burst 9"}, "algorithm": "fixed_window"},
            r"^tiers\['a'\]: quota '5/second burst 9': only a token bucket has a burst",
        ),
        (
            {"tiers": {"a": "9/minute; 500 tokens/minute"}},
            r"^tiers\['a'\]: it counts tokens beside requests: give cost=.*\{'tokens': 100\}$",
        ),
        ({"tiers": {"é": "9/minute; 5/second"}}, r"^tiers\['é'\]: name must be printable ASCII"),
        ({"tiers": {"a": "9/m; 5/s"}, "keys": {"org": str}}, "^keys must be of .* got 'org'"),
    ],
)
def test_what_is_wrong_is_named_when_it_is_made(options: dict[str, Any], text: str) -> None:
    with pytest.raises((TypeError, ValueError), match=text):
        Policy(**options)


def test_quota_objects_are_as_good_as_their_text() -> None:
    app = app_of({"free": (Quota("2/second"), Quota("3/day"))})
    assert left(app) == {"free/second": 1, "free/day": 2}


def test_a_quota_that_can_never_refuse_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        app_of({"free": "871/second; 77/day", "premium": "50/second; 1000/day"})
        Policy(rules=[Rule("/a", "872/second; 78/day"), Rule("/b", "5/second; 1000/day")])
    assert [record.getMessage() for record in caplog.records] == [
        "tiers['free']: '871/second' can never refuse: '77/day' allows less, for longer",
        "rules[0]: '872/second' can never refuse: '78/day' allows less, for longer",
    ]
