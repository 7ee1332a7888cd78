"""Rules beside tiers and limiters: which limits a request meets, and what clients are told of them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from asgi_calls import Answer, call, get, hello, scope_of
from sluicegate import FixedWindow, Gate, Limit, ManualClock, Quota
from sluicegate._support.awaiting import at_once
from sluicegate.asgi import RateLimitMiddleware
from sluicegate.fastapi import Principal
from sluicegate.policy import Identity, Policy, Rule
from sluicegate.refusals import problem_refusal


def app_of(*rules: Rule, **options: Any) -> RateLimitMiddleware:
    return RateLimitMiddleware(hello, policy=Policy(rules=rules, **options))


def statuses(app: Any, times: int, path: str = "/", **options: Any) -> list[int]:
    return [get(app, path, **options).status for _ in range(times)]


def left(answer: Answer) -> dict[str, int]:
    items = [item.split(";") for item in answer.headers["ratelimit"].split(", ")]
    return {name.strip('"'): int(r.removeprefix("r=")) for name, r, *_ in items}


def test_all_that_match_decide_together(clock: ManualClock) -> None:
    app = app_of(Rule("/a/*", "3/hour", name="a"), Rule("*", "2/minute", name="all"), clock=clock)
    assert statuses(app, 3, "/a/1") == [200, 200, 429]
    clock.advance(60)
    assert left(get(app, "/a/1")) == {"a/hour": 0, "all/minute": 1}  # the refusal spent nothing
    assert statuses(app, 1, "/a/2") == [429]
    assert statuses(app, 2, "/b") == [200, 429]


def test_what_no_rule_matches_is_untouched(clock: ManualClock) -> None:
    app = app_of(Rule("/a", "1/minute"), clock=clock)
    answer = get(app, "/b")
    assert answer.headers == {"content-type": "text/plain"}
    assert not any(name.startswith("sluicegate.") for name in answer.scope)


def test_nobody_is_looked_up_for_what_no_rule_matches() -> None:
    asked: list[str] = []

    def verify(key: str) -> str:
        asked.append(key)
        return key

    app = app_of(Rule("/a", "1/minute"), verify=verify)
    get(app, "/b", headers=[("X-API-Key", "k")])
    assert asked == []
    get(app, "/a", headers=[("X-API-Key", "k")])
    assert asked == ["k"]


def test_the_tier_is_one_more_limit(clock: ManualClock) -> None:
    app = app_of(
        Rule("/a", "2/minute", name="a"),
        tiers={"free": "3/minute", "paid": "9/minute; 20/day", "all": "unlimited"},
        tier=lambda scope: scope["query_string"].decode() or None,
        clock=clock,
    )
    assert left(get(app, "/a")) == {"a/minute": 1, "free/minute": 2}
    assert left(get(app, "/b")) == {"free/minute": 1}
    # A plan that changes keeps what was spent of the window.
    assert left(get(app, "/b", query_string=b"paid")) == {"paid/minute": 6, "paid/day": 19}
    assert left(get(app, "/a", query_string=b"all")) == {"a/minute": 0}
    assert statuses(app, 1, "/a", query_string=b"paid") == [429]
    free = get(app, "/b", query_string=b"all")
    assert free.status == 200
    assert "ratelimit" not in free.headers


def test_tiers_of_a_function(clock: ManualClock) -> None:
    plans = {"default": "2/minute", "big": "9/minute; 10/day"}
    app = app_of(
        Rule("/a", "5/minute", name="a"),
        tiers=plans.get,
        tier=lambda scope: scope["query_string"].decode() or None,
        tier_ttl=0,
        clock=clock,
    )
    assert left(get(app, "/a")) == {"a/minute": 4, "default/minute": 1}
    assert left(get(app, "/a", query_string=b"big")) == {
        "a/minute": 3,
        "big/minute": 7,
        "big/day": 9,
    }
    plans["big"] = "3/minute; 10/day"
    assert left(get(app, "/b", query_string=b"big")) == {"big/minute": 0, "big/day": 8}
    assert statuses(app, 1, "/a", query_string=b"big") == [429]


def test_tiers_of_any_name_do_not_grow_what_is_kept() -> None:
    app = app_of(
        Rule("/a", "9/minute", tier="gold", name="gold"),
        Rule("*", "1000000/minute"),
        tier=lambda scope: scope["query_string"].decode(),
    )
    for number in range(50):
        get(app, "/a", query_string=b"%d" % number)
    assert left(get(app, "/a", query_string=b"gold"))["gold/minute"] == 8
    assert app._policy.enforcer.rules is not None
    assert len(app._policy.enforcer.rules._selections) == 2


def test_what_is_kept_is_bounded() -> None:
    app = app_of(*(Rule(f"/{{any}}/{n}", "9/minute", name=f"r{n}") for n in range(3)))
    rules = app._policy.enforcer.rules
    assert rules is not None
    for number in range(1_100):
        get(app, f"/{number}/1")
    assert len(rules._matching) == 1_024
    get(app, f"/{'x' * 200}/1")
    assert not any("xx" in path for _, _, path in rules._matching)


def test_a_rule_for_some_tiers_where_a_principal_names_them(clock: ManualClock) -> None:
    app = app_of(
        Rule("*", "1/minute", tier="free", name="free"),
        Rule("*", "3/minute", tier=["paid", "gold"], name="paid"),
        identity=Identity(verify=lambda key: Principal(key, tier=key)),
        default_tier="free",
        clock=clock,
    )
    assert statuses(app, 2, peer="192.0.2.9") == [200, 429]
    for key, admitted in [("free", 1), ("paid", 3), ("gold", 3)]:
        got = statuses(app, 4, headers=[("X-API-Key", key)])
        assert got == [200] * admitted + [429] * (4 - admitted)
    assert statuses(app, 4, headers=[("X-API-Key", "other")]) == [200] * 4


def test_a_handshake_is_a_get(clock: ManualClock) -> None:
    async def socket(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept", "headers": []})

    rules = [Rule("GET /live", "1/minute", name="live"), Rule("POST /live", "9/minute")]
    app = RateLimitMiddleware(socket, policy=Policy(rules=rules, clock=clock))

    def shake() -> list[dict[str, Any]]:
        scope = scope_of("/live", kind="websocket")
        del scope["method"]
        sent: list[dict[str, Any]] = []

        async def send(message: Any) -> None:
            sent.append(dict(message))

        at_once(app(scope, None, send))  # type: ignore[arg-type]
        return sent

    (accepted,), (closed,) = shake(), shake()
    assert (b"ratelimit", b'"live/minute";r=0;t=60') in accepted["headers"]
    assert (closed["type"], closed["code"]) == ("websocket.close", 1008)


def test_only_the_first_of_a_group_applies(clock: ManualClock) -> None:
    app = app_of(
        Rule("/a/b", "1/minute", group="g", name="narrow"),
        Rule("/a/*", "3/minute", group="g", name="wide"),
        Rule("/a/*", "9/minute", name="beside"),
        clock=clock,
    )
    assert left(get(app, "/a/b")) == {"narrow/minute": 0, "beside/minute": 8}
    assert left(get(app, "/a/c")) == {"wide/minute": 2, "beside/minute": 7}


def test_an_exempt_rule_ends_the_walk(clock: ManualClock) -> None:
    app = app_of(
        Rule("*", "9/minute", name="all"),
        Rule("GET /health", exempt=True),
        Rule("/health", "1/minute", name="late"),
        tiers={"free": "5/minute"},
        exempt=["/free"],
        clock=clock,
    )
    assert left(get(app, "/health")) == {"all/minute": 8}
    assert left(get(app, "/health", method="POST")) == {
        "all/minute": 7,
        "late/minute": 0,
        "free/minute": 4,
    }
    assert "ratelimit" not in get(app, "/free").headers  # by the option, whatever the rules say
    assert left(get(app, "/other")) == {"all/minute": 6, "free/minute": 3}


def test_where_nothing_is_left_an_exempt_request_is_untouched(clock: ManualClock) -> None:
    app = app_of(
        Rule("/health", exempt=True),
        tiers={"free": "1/minute"},
        concurrency=1,
        clock=clock,
    )
    answers = [get(app, "/health") for _ in range(3)]
    assert [answer.status for answer in answers] == [200] * 3
    assert not any(name.startswith("sluicegate.") for name in answers[0].scope)
    assert statuses(app, 2, "/") == [200, 429]


def test_a_limiter_that_was_given_is_asked_last_and_its_refusal_gives_back(
    clock: ManualClock,
) -> None:
    limiter = FixedWindow(2, 60, clock=clock)
    app = app_of(Rule("*", "9/minute", name="all"), limiter=limiter, clock=clock)
    answer = get(app)
    assert left(answer) == {"all/minute": 8, "default": 1}
    assert answer.headers["x-ratelimit-limit"] == "2"  # of the smallest share
    assert answer.scope["sluicegate.decision"].limit == 2
    assert statuses(app, 3) == [200, 429, 429]
    refused = get(app)
    assert refused.scope["sluicegate.refusal"].policy == "default"
    assert refused.headers["x-ratelimit-limit"] == "2"
    limiter.reset("ip:192.0.2.1")
    assert left(get(app)) == {"all/minute": 6, "default": 1}


def test_a_limiter_is_not_asked_once_a_rule_refuses(clock: ManualClock) -> None:
    limiter = FixedWindow(5, 60, clock=clock)
    app = app_of(Rule("*", "1/minute"), limiter=limiter, clock=clock)
    assert statuses(app, 3) == [200, 429, 429]
    assert limiter.peek("ip:192.0.2.1").remaining == 4


def test_a_gate_that_was_given_counts_by_its_own_keys(clock: ManualClock) -> None:
    gate = Gate([Limit("5/minute", by="client"), Limit("2/minute", by="org")], clock=clock)
    app = app_of(
        Rule("*", "9/minute", by="org", name="all"),
        limiter=gate,
        keys={"org": lambda scope: scope["query_string"].decode() or None},
        clock=clock,
    )
    assert statuses(app, 3, query_string=b"a") == [200, 200, 429]
    assert left(get(app)) == {"client/minute": 2}  # nobody's org: neither limit takes part


def test_a_tier_that_is_a_limiter_beside_others(clock: ManualClock) -> None:
    app = app_of(
        Rule("*", "9/minute", name="all"),
        tiers={"free": "3/minute", "own": FixedWindow(1, 60, clock=clock)},
        tier=lambda scope: scope["query_string"].decode() or None,
        clock=clock,
    )
    assert left(get(app)) == {"all/minute": 8, "free/minute": 2}
    assert left(get(app, query_string=b"own")) == {"all/minute": 7, "own": 0}
    assert statuses(app, 1, query_string=b"own") == [429]
    assert left(get(app)) == {"all/minute": 6, "free/minute": 1}


def test_more_than_one_decision_can_have(clock: ManualClock) -> None:
    """A gate decides for 32 limits at once: more are asked in turn, and give back."""
    rules = [Rule("*", "9/minute", name=f"r{number}") for number in range(40)]
    app = app_of(*rules, Rule("/last", "1/minute", name="last"), clock=clock)
    answer = get(app, "/last")
    assert left(answer) == {**{f"r{number}/minute": 8 for number in range(40)}, "last/minute": 0}
    assert statuses(app, 3, "/last") == [429] * 3
    assert set(left(get(app)).values()) == {7}


def test_each_rule_is_told_of_in_its_own_sets(clock: ManualClock) -> None:
    app = app_of(
        Rule("/a", "1/minute", name="silent", headers=()),
        Rule("/a", "9/minute", name="lists", headers="ietf"),
        Rule("/a", "5/minute", name="numbers", headers="x-ratelimit"),
        Rule("/b", "1/minute", name="only", headers=()),
        headers=("x-ratelimit", "ietf"),
        clock=clock,
    )
    answer = get(app, "/a")
    assert answer.headers["x-ratelimit-limit"] == "5"  # the strictest that is told so
    assert answer.headers["x-ratelimit-reset"] == "60"
    assert answer.headers["ratelimit-policy"] == '"lists/minute";q=9;w=60'
    assert answer.headers["ratelimit"] == '"lists/minute";r=8;t=60'
    refused = get(app, "/a")
    assert refused.status == 429
    assert refused.headers["retry-after"] == "60"
    assert refused.headers["x-ratelimit-remaining"] == "4"
    assert "x-ratelimit-limit" not in get(app, "/b").headers


async def teapot(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 418, "headers": []})
    await send({"type": "http.response.body", "body": b"short and stout"})


def test_the_rule_that_refuses_answers(clock: ManualClock) -> None:
    app = app_of(
        Rule("/a", "1/minute", name="a", refusal=teapot),
        Rule("/b", "1/minute", name="b", refusal="json"),
        Rule("*", "4/minute", name="all"),
        refusal=problem_refusal,
        clock=clock,
    )
    assert statuses(app, 2, "/a") == [200, 418]
    assert get(app, "/a").headers["retry-after"] == "60"
    assert get(app, "/b").status == 200
    assert get(app, "/b").json() == {"error": "Rate limit exceeded", "retry_after": 60}
    statuses(app, 2, "/c")
    problem = get(app, "/c").json()
    assert problem["violated-policies"] == ["all/minute"]
    # Both refuse: that with the longest wait answers.
    assert get(app, "/a").status == 418


def test_costs(clock: ManualClock) -> None:
    def size(scope: Any) -> Any:
        return int(scope["query_string"] or 1)

    app = app_of(
        Rule("/a", "9/minute", name="policy's"),
        Rule("/b", "9/minute", name="b"),
        Rule("/a", "9/minute", name="two", cost=2),
        Rule("/a", "100 tokens/minute; 9/minute", name="units", cost={"tokens": 30}),
        Rule("/a", "50/minute", name="own", cost=lambda scope: {"requests": 10 * size(scope)}),
        cost=size,
        clock=clock,
    )
    assert left(get(app, "/a", query_string=b"3")) == {
        "policy's/minute": 6,
        "two/minute": 7,
        "units/tokens/minute": 70,
        "units/minute": 8,
        "own/minute": 20,
    }
    free = get(app, "/a", query_string=b"0")  # what costs nothing takes no part
    assert left(free) == {"two/minute": 5, "units/tokens/minute": 40, "units/minute": 7}
    assert get(app, "/b", query_string=b"0").scope["sluicegate.decision"] is None
    large = get(app, "/a", query_string=b"6")
    assert large.status == 413
    assert large.json()["error"] == "The request costs 60, more than the limit of 50"
    assert left(get(app, "/a", query_string=b"1"))["two/minute"] == 3  # which spent nothing


def test_each_limit_has_its_own_cost_wherever_its_quota_stands(clock: ManualClock) -> None:
    """A gate takes costs in its own order: that of the tier whose windows came first."""
    app = app_of(
        Rule("/a", "9/minute", name="a", cost=4),
        tiers={"free": "50/second; 90 tokens/day", "paid": "900 tokens/day; 50/second; 70/hour"},
        tier=lambda scope: "paid",
        cost=lambda scope: {"requests": 2, "tokens": 30},
        clock=clock,
    )
    assert left(get(app, "/a")) == {
        "a/minute": 5,
        "paid/tokens/day": 870,
        "paid/second": 48,
        "paid/hour": 68,
    }


def test_a_function_is_asked_once_and_before_anything_is_spent(clock: ManualClock) -> None:
    asked: list[str] = []

    def org(scope: Any) -> str:
        asked.append("org")
        return "acme"

    async def cost(scope: Any) -> int:
        asked.append("cost")
        if scope["path"] == "/fails":
            raise LookupError("no cost")
        return 2

    app = app_of(
        Rule("*", "9/minute", by="org", name="a"),
        Rule("*", "9/minute", by=("org", "client"), name="b"),
        limiter=(limiter := FixedWindow(9, 60, clock=clock)),
        keys={"org": org},
        cost=cost,
        clock=clock,
    )
    assert left(get(app)) == {"a/minute": 7, "b/minute": 7, "default": 7}
    assert asked == ["org", "cost"]
    with pytest.raises(LookupError, match="no cost"):
        get(app, "/fails")
    assert left(get(app)) == {"a/minute": 5, "b/minute": 5, "default": 5}
    assert limiter.peek("ip:192.0.2.1").remaining == 5


def test_a_wrong_api_key_is_never_free(clock: ManualClock) -> None:
    app = app_of(
        Rule("*", "2/minute", cost=0, name="free"),
        verify=lambda key: None,
        clock=clock,
    )
    assert statuses(app, 3) == [200] * 3
    assert statuses(app, 3, headers=[("X-API-Key", "guess")]) == [200, 200, 429]


def test_an_address_may_try_so_many_keys_where_there_are_no_tiers(clock: ManualClock) -> None:
    tried: list[str] = []

    def verify(key: str) -> None:
        tried.append(key)

    app = app_of(Rule("*", "1000/minute"), verify=verify, clock=clock)
    for number in range(120):
        get(app, headers=[("X-API-Key", str(number))])
    assert len(tried) == 100


def test_in_shadow_nobody_is_refused_and_all_is_counted(clock: ManualClock) -> None:
    limiter = FixedWindow(2, 60, clock=clock)
    app = app_of(Rule("*", "9/minute", name="all"), limiter=limiter, shadow=True, clock=clock)
    answers = [get(app) for _ in range(4)]
    assert [answer.status for answer in answers] == [200] * 4
    assert not any("ratelimit" in answer.headers for answer in answers)
    # As it would be: what the limiter refuses gives back at the rule.
    (stores,) = [
        app._policy.enforcer.owned.latest(d) for d, _ in app._policy.enforcer.owned._latest
    ]
    assert stores.limiter.peek({"client": "ip:192.0.2.1"}).remaining == 7


def test_concurrency_counts_what_no_rule_matches_too(clock: ManualClock) -> None:
    async def main() -> list[int]:
        end = asyncio.Event()

        async def slow(scope: Any, receive: Any, send: Any) -> None:
            await end.wait()
            await hello(scope, receive, send)

        policy = Policy(rules=[Rule("/a", "1/minute")], concurrency=1, clock=clock)
        app = RateLimitMiddleware(slow, policy=policy)
        first = asyncio.create_task(call(app, "/b"))
        await asyncio.sleep(0)
        refused = await call(app, "/b")
        end.set()
        return [refused.status, (await first).status, (await call(app, "/b")).status]

    assert asyncio.run(main()) == [429, 200, 200]


def test_concurrency_takes_one_permit_however_many_stores_are_asked(clock: ManualClock) -> None:
    app = app_of(
        Rule("*", "9/minute", name="all"),
        limiter=FixedWindow(9, 60, clock=clock),
        concurrency=1,
        clock=clock,
    )
    assert statuses(app, 3) == [200] * 3


def test_the_middlewares_own_options_make_such_a_policy(clock: ManualClock) -> None:
    rules = [Rule("*", "3/minute")]
    options: dict[str, Any] = {"rules": rules, "identity": Identity(ipv6_prefix=48), "clock": clock}
    app, twin = (RateLimitMiddleware(hello, **options) for _ in range(2))
    assert statuses(app, 2, peer="2001:db8:1::1") == [200, 200]
    # Made of the same rules before the first request they count together, as in a framework that
    # makes a middleware for each route.
    assert statuses(twin, 2, peer="2001:db8:1:2::1") == [200, 429]
    later = RateLimitMiddleware(hello, **options)
    assert statuses(later, 1, peer="2001:db8:1::1") == [200]


def test_two_middlewares_of_one_policy_tell_of_its_limits_once(clock: ManualClock) -> None:
    policy = Policy(rules=[Rule("*", "9/minute", name="all")], clock=clock)
    app = RateLimitMiddleware(RateLimitMiddleware(hello, policy=policy), policy=policy)
    assert left(get(app)) == {"all/minute": 7}


QUOTA = Quota("5/minute")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "a policy needs tiers=, limiter= or rules=, got none of them"),
        ({"rules": Rule("*", QUOTA)}, "rules must hold Rules, as .* got Rule"),
        ({"rules": ["*"]}, "rules must hold Rules, .* got str '\\*' among them"),
        ({"rules": 5}, "rules must hold Rules, .* got int 5"),
        ({"rules": [Rule("*", QUOTA, by="org")]}, r"rules\[0\]: by='org' is given by nobody"),
        (
            {"rules": [Rule("*", QUOTA, tier="gold")], "tiers": {"free": "1/minute"}},
            r"rules\[0\]: tier must be of the policy's, 'free', got 'gold'",
        ),
        (
            {"rules": [Rule("*", QUOTA), Rule("*", QUOTA)]},
            "names must differ, got '\\*'",
        ),
        (
            {"rules": [Rule("*", QUOTA, name="client")]},
            r"rules\[0\]: name must not be 'client', as the limits of the tiers are called",
        ),
        (
            {"rules": [Rule("*", QUOTA, on_error="closed")]},
            r"rules\[0\]: on_error= is for limits in Redis",
        ),
        (
            {"rules": [Rule("*", "9 tokens/minute; 9/minute")]},
            r"rules\[0\]: cost must say how many tokens the request takes",
        ),
        (
            {"rules": [Rule("*", QUOTA)], "algorithm": lambda limit, window: None},
            r"rules\[0\]: quota '5/minute': rules are counted by an algorithm of sluicegate",
        ),
        (
            {"rules": [Rule("*", "9/minute burst 5")], "algorithm": "fixed_window"},
            r"rules\[0\]: quota '9/minute burst 5': only a token bucket has a burst",
        ),
        (
            {"rules": [Rule("*", QUOTA)], "keys": {"tier": len}},
            "keys must not have 'tier', which rules know as by='tier' already",
        ),
        (
            {"rules": [Rule("*", QUOTA)], "keys": {"org": len}},
            "keys must be of what the limits of a gate or rules count by",
        ),
        ({"rules": [Rule("*", QUOTA)], "default_tier": "x"}, "default_tier= means nothing"),
        ({"rules": [Rule("*", QUOTA)], "secret": "short"}, "secret must have at least 16"),
        ({"rules": [Rule("*", QUOTA)], "secret": 5}, "secret must be a str or bytes, got int"),
        ({"rules": [Rule("*", QUOTA)], "identity": {}}, "identity must be an Identity, got {}"),
        (
            {"rules": [Rule("*", QUOTA)], "identity": Identity(), "verify": len},
            "identity= has verify=: give it there",
        ),
        ({"rules": [Rule("*", QUOTA)], "tiers": {}, "limiter": 5}, "got both"),
    ],
)
def test_what_cannot_be(options: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        Policy(**options)
