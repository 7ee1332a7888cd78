"""A gate that is given to the middleware: by which keys it counts, and what is told of it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest

from asgi_calls import Answer, get, hello
from sluicegate import Gate, Limit, ManualClock
from sluicegate.asgi import RateLimitMiddleware
from sluicegate.policy import Policy

ME = "ip:192.0.2.1"


def org_of(scope: Any) -> str | None:
    return scope["query_string"].decode() or None


def ask(app: Any, org: str = "", **options: Any) -> Answer:
    return get(app, query_string=org.encode(), **options)


def app_of(gate: Any, **options: Any) -> RateLimitMiddleware:
    return RateLimitMiddleware(hello, limiter=gate, **options)


def orgs(**options: Any) -> Gate:
    limits = [Limit("5/second; 9/day", by="client"), Limit("7/minute", by="org")]
    return Gate(limits, **options)


@pytest.mark.parametrize("by", ["key", "client", "user"])
@pytest.mark.parametrize("options", [{}, {"cost": lambda _: 1}, {"keys": {}}])
def test_one_by_is_whom_the_request_is_from(by: str, options: Any, clock: ManualClock) -> None:
    gate = Gate(Limit("2/second; 3/minute", by=by), clock=clock)
    app = app_of(gate, **options)
    answers = [get(app) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert gate.peek(ME).limits[f"{by}/minute"].remaining == 1
    assert answers[1].headers["ratelimit"] == f'"{by}/second";r=0;t=1, "{by}/minute";r=1;t=60'
    assert (
        answers[1].headers["ratelimit-policy"] == f'"{by}/second";q=2;w=1, "{by}/minute";q=3;w=60'
    )


def test_other_keys_are_functions_of_the_request(clock: ManualClock) -> None:
    gate = orgs(clock=clock)
    app = app_of(gate, keys={"org": org_of})
    assert [ask(app, "acme").status for _ in range(5)] == [200] * 5
    assert [ask(app, "acme", peer="192.0.2.2").status for _ in range(3)] == [200, 200, 429]
    left = {
        name: each.remaining
        for name, each in gate.peek({"client": ME, "org": "acme"}).limits.items()
    }
    assert left == {"client/second": 0, "client/day": 4, "org/minute": 0}
    # What the organisation refuses, the client has not spent.
    other = gate.peek({"client": "ip:192.0.2.2", "org": "acme"})
    assert other.limits["client/day"].remaining == 7


def test_none_leaves_its_limits_out(clock: ManualClock) -> None:
    app = app_of(orgs(clock=clock), keys={"org": org_of})
    answer = ask(app)
    assert answer.headers["ratelimit"] == '"client/second";r=4;t=1, "client/day";r=8;t=86400'
    nobody = app_of(Gate([Limit("1/second", by="org")]), keys={"org": org_of})
    answers = [ask(nobody) for _ in range(3)]
    assert [answer.status for answer in answers] == [200] * 3
    assert not {"ratelimit", "x-ratelimit-limit"} & answers[0].headers.keys()
    assert answers[0].scope["sluicegate.decision"].name is None
    assert [ask(nobody, "acme").status for _ in range(2)] == [200, 429]


def test_they_may_be_coroutine_functions_whose_exceptions_are_the_apps() -> None:
    async def slow(scope: Any) -> str | None:
        if scope["query_string"] == b"bad":
            raise LookupError("no such organisation")
        return org_of(scope)

    gate = orgs()
    app = app_of(gate, keys=MappingProxyType({"org": slow}), concurrency=1)
    with pytest.raises(LookupError, match="no such organisation"):
        ask(app, "bad")
    assert ask(app, "acme").status == 200
    assert gate.peek({"client": ME, "org": "acme"}).limits["org/minute"].remaining == 6
    with pytest.raises(TypeError, match=r"keys\['org'\] must return a str or None, got int"):
        ask(app_of(gate, keys={"org": lambda _: 5}))


def test_the_identity_is_the_clients_key() -> None:
    gate = orgs()
    app = app_of(gate, keys={"org": org_of}, identify=lambda _: "ada")
    ask(app, "acme")
    assert gate.peek({"client": "ada", "org": None}).limits["client/day"].remaining == 8


def test_limits_that_only_watch_are_not_told(clock: ManualClock) -> None:
    limits = [Limit("5/second"), Limit("1/minute", name="tight", shadow=True)]
    gate = Gate(limits, clock=clock)
    for options in ({}, {"cost": lambda _: 1}):
        app = app_of(gate, **options)
        answers = [get(app) for _ in range(2)]
        assert [answer.status for answer in answers] == [200] * 2
        assert "tight" not in str(answers[1].headers)
        assert answers[1].headers["x-ratelimit-limit"] == "5"
    only = app_of(Gate(Limit("1/minute", shadow=True)))
    answers = [get(only) for _ in range(2)]
    assert [answer.status for answer in answers] == [200] * 2
    assert not {"ratelimit", "x-ratelimit-limit"} & answers[0].headers.keys()


def test_quotas_by_key_are_told_as_they_are(clock: ManualClock) -> None:
    plans = {ME: "3/second; 9/day", "ip:192.0.2.2": "8/second burst 4", "ip:192.0.2.3": "unlimited"}
    gate = Gate(
        [
            Limit("2/second; 5/day", name="user", quota_for=lambda key: plans.get(key)),
            Limit("1/second burst 8", name="burst", quota_for=lambda _: "2/second burst 9"),
        ],
        clock=clock,
    )
    app = app_of(gate)
    assert get(app).headers["ratelimit-policy"] == (
        '"user/second";q=3;w=1, "user/day";q=9;w=86400, "burst";q=9'
    )
    # Whose rate is another, so that nobody knows how long the whole takes.
    assert (
        get(app, peer="192.0.2.9").headers["ratelimit-policy"].startswith('"user/second";q=2;w=1')
    )
    assert get(app, peer="192.0.2.3").headers["ratelimit-policy"] == '"burst";q=9'
    with pytest.raises(ValueError, match="burst"):
        get(app, peer="192.0.2.2")


def test_a_cost_that_a_key_can_never_have_is_a_413() -> None:
    plans = {ME: "9/second"}
    gate = Gate(Limit("2/second", quota_for=lambda key: plans.get(key)))
    app = app_of(gate, cost=lambda _: 3)
    assert get(app).status == 200
    answer = get(app, peer="192.0.2.2")
    assert answer.status == 413
    assert answer.scope["sluicegate.refusal"].limit == 2
    assert answer.json() == {"error": "The request costs 3, more than the limit of 2"}


def test_limits_may_be_replaced_while_it_runs(clock: ManualClock) -> None:
    gate = Gate("5/second; 9/day", clock=clock)
    plain, other = app_of(gate), app_of(gate, cost=lambda _: 1)
    for app in (plain, other):
        gate.set_limits("5/second; 9/day")
        assert "key/day" in get(app).headers["ratelimit"]
        gate.set_limits("8/second; 3/hour")
        assert get(app).headers["ratelimit-policy"] == '"key/second";q=8;w=1, "key/hour";q=3;w=3600'


def test_a_later_refusal_gives_back_by_all_keys() -> None:
    gate, keys = orgs(), {"client": ME, "org": "acme"}
    inner = RateLimitMiddleware(hello, tiers={"inner": "1/hour"})
    app = app_of(gate, keys={"org": org_of})
    app.app = inner
    assert [ask(app, "acme").status for _ in range(4)] == [200, 429, 429, 429]
    left = [each.remaining for each in gate.peek(keys).limits.values()]
    assert left == [4, 8, 6]


class OwnGate(Gate):
    """Gives decisions by itself."""

    refunds: list[Any]

    def check(self, keys: Any, cost: Any = 1) -> Any:
        return super().check(keys, cost)

    def refund(self, keys: Any, decision: Any) -> None:
        self.refunds = [keys, decision]


def test_a_gate_is_given_back_to_by_the_decision_even_if_it_is_ones_own() -> None:
    gate = OwnGate("5/second")
    app = app_of(gate)
    app.app = RateLimitMiddleware(hello, tiers={"inner": "1/hour"})
    assert [get(app).status for _ in range(2)] == [200, 429]
    assert gate.refunds[0] == ME
    assert gate.refunds[1].name == "key/second"


def test_gates_as_tiers(clock: ManualClock) -> None:
    staff = orgs(clock=clock)
    app = RateLimitMiddleware(
        hello,
        tiers={"free": "1/minute", "staff": staff},
        tier=lambda scope: "staff" if scope["query_string"] else None,
        keys={"org": org_of},
        clock=clock,
    )
    assert [ask(app).status for _ in range(2)] == [200, 429]
    assert '"org/minute";q=7;w=60' in ask(app, "acme").headers["ratelimit-policy"]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, r"^limiter: a limit of the gate counts by 'org', .* keys=\{'org': .*'client'"),
        ({"keys": {"team": org_of}}, "^limiter: a limit of the gate counts by 'org'"),
        (
            {"keys": {"org": org_of, "team": org_of}},
            r"^keys must be of what .*'client', 'org', got 'team': .* by='team'\)$",
        ),
        ({"keys": {"org": org_of, "client": org_of}}, "^keys must not have 'client', .*identify="),
        ({"keys": {"org": "acme"}}, r"^keys\['org'\] must be callable, got 'acme'"),
        ({"keys": [org_of]}, "^keys must be a dict of .*{'org': org_of}, got "),
        ({"keys": {5: org_of}}, "^keys must have str names, got 5"),
        ({"keys": {"org": org_of}, "algorithm": "fixed_window"}, "^algorithm= means nothing"),
        ({"keys": {"org": org_of}, "max_keys": 5}, "^max_keys= means nothing here"),
    ],
)
def test_what_is_wrong_is_named_when_it_is_made(options: dict[str, Any], text: str) -> None:
    with pytest.raises((TypeError, ValueError), match=text):
        Policy(limiter=orgs(), **options)


@pytest.mark.parametrize(
    ("gate", "options", "text"),
    [
        ("9/minute", {"keys": {"org": org_of}}, "^keys must be of .*'key', got 'org'"),
        (
            "9/minute; 500 tokens/minute",
            {},
            r"^limiter: it counts tokens beside requests: give cost=",
        ),
    ],
)
def test_so_is_what_a_gate_of_one_key_lacks(gate: str, options: Any, text: str) -> None:
    with pytest.raises((TypeError, ValueError), match=text):
        Policy(limiter=Gate(gate), **options)


def test_messages_may_have_a_gate_of_one_key() -> None:
    assert Policy(tiers={"a": "9/day"}, messages=Gate("9/second; 99/day")).enforcer.messages
    with pytest.raises(ValueError, match=r"^messages: a limit of the gate counts by 'org'"):
        Policy(tiers={"a": "9/day"}, messages=orgs())


def test_keys_may_be_any_mapping() -> None:
    keys: Mapping[str, Any] = MappingProxyType({"org": org_of})
    assert ask(app_of(orgs(), keys=keys), "acme").status == 200
