"""What metrics and hooks are told of rules."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from prometheus_client import CollectorRegistry

from asgi_calls import call, get, hello
from redis_servers import Server
from scrapes import scraped
from sluicegate import FixedWindow, ManualClock
from sluicegate.asgi import RateLimitMiddleware
from sluicegate.hooks import Details
from sluicegate.opentelemetry import OpenTelemetryHook
from sluicegate.policy import Policy, Rule
from sluicegate.policy.enforcer import Enforcer

pytest_plugins = ["redis_fixtures"]


class Listener:
    """Keeps all that it is told."""

    wants_key = True

    def __init__(self) -> None:
        self.refused: list[Details] = []
        self.admitted: list[Details] = []
        self.watched: list[Details] = []

    def on_refused(self, details: Details) -> None:
        self.refused.append(details)

    def on_admitted(self, details: Details) -> None:
        self.admitted.append(details)

    def on_would_refuse(self, details: Details) -> None:
        self.watched.append(details)


def app_of(*rules: Rule, **options: Any) -> RateLimitMiddleware:
    return RateLimitMiddleware(hello, policy=Policy(rules=rules, **options))


def test_hooks_see_the_name_of_the_limit(clock: ManualClock) -> None:
    listener = Listener()
    app = app_of(
        Rule("/login", "2/minute", by="address", cost=2),
        Rule("*", "9/minute", name="all"),
        tiers={"free": "9/hour"},
        endpoint=lambda scope: scope["path"],
        hooks=[listener],
        clock=clock,
    )
    get(app, "/login")
    get(app, "/login")
    (admitted,), (refused,) = listener.admitted, listener.refused
    assert (admitted.limiter, admitted.limit_name, admitted.cost) == (
        "free",
        "/login by address/minute",
        2,
    )
    assert refused.limit_name == "/login by address/minute"
    assert refused.refused_by == ("/login by address/minute",)
    assert (refused.cost, refused.endpoint, refused.key) == (2, "/login", "ip:192.0.2.1")
    assert not refused.shadow
    assert listener.watched == []


def test_a_rule_that_only_watches_tells_whom_it_would_have_refused(clock: ManualClock) -> None:
    listener, registry = Listener(), CollectorRegistry()
    app = app_of(
        Rule("*", "1/minute", name="new", shadow=True, cost=1),
        Rule("*", "3/minute", name="old"),
        hooks=[listener],
        metrics=registry,
        clock=clock,
    )
    answers = [get(app) for _ in range(4)]
    assert [answer.status for answer in answers] == [200, 200, 200, 429]
    assert "new" not in answers[0].headers["ratelimit"]
    assert [each.limit_name for each in listener.watched] == ["new/minute"] * 3
    watched = listener.watched[0]
    assert (watched.allowed, watched.limit, watched.remaining, watched.retry_after) == (
        *(False, 1, 0),
        60.0,
    )
    assert watched.shadow
    assert [each.limit_name for each in listener.refused] == ["old/minute"]
    assert [each.limit_name for each in listener.admitted] == ["old/minute"] * 3
    samples = scraped(registry)
    name = "rate_limit_limit_decisions_total"
    assert samples[name, "new/minute", "would_refuse", "default"] == 3
    assert samples[name, "new/minute", "allowed", "default"] == 1
    assert (name, "new/minute", "rejected", "default") not in samples
    assert samples[name, "old/minute", "rejected", "default"] == 1


def test_one_that_is_told_of_nothing_else_is_a_hook_too(clock: ManualClock) -> None:
    class Refusals:
        def __init__(self) -> None:
            self.told: list[Details] = []

        def on_refused(self, details: Details) -> None:
            self.told.append(details)

    hook = Refusals()
    app = app_of(Rule("*", "1/minute", shadow=True), hooks=[hook], clock=clock)
    assert [get(app).status for _ in range(3)] == [200] * 3
    assert hook.told == []


def test_a_request_counts_once_whichever_stores_it_has_met(url: str, clock: ManualClock) -> None:
    listener, registry = Listener(), CollectorRegistry()
    app = app_of(
        Rule("*", "9/minute", name="here"),
        Rule("*", "2/hour", name="zone", store=url),
        Rule("*", "1/hour", name="watches", store=url, shadow=True),
        limiter=FixedWindow(9, 60, clock=clock),
        hooks=[listener],
        metrics=registry,
        clock=clock,
    )
    assert [get(app).status for _ in range(4)] == [200, 200, 429, 429]
    samples = scraped(registry)
    assert samples["rate_limit_requests_total", "", "allowed", "default"] == 2
    assert samples["rate_limit_requests_total", "", "rejected", "default"] == 2
    assert samples["rate_limit_limit_decisions_total", "zone/hour", "rejected", "default"] == 2
    assert len(listener.admitted) == 2
    assert [each.limit_name for each in listener.refused] == ["zone/hour"] * 2
    assert [each.limit_name for each in listener.watched] == ["watches/hour"] * 3


def test_counts_go_on_where_rules_are_loaded_again(clock: ManualClock) -> None:
    registry = CollectorRegistry()

    def policy_of(limit: int) -> Policy:
        rules = [
            Rule("*", f"{limit}/minute", name="a"),
            Rule("*", "1/minute", name="w", shadow=True),
        ]
        return Policy(rules=rules, metrics=registry, clock=clock)

    policy = policy_of(9)
    app = RateLimitMiddleware(hello, policy=policy)
    name = "rate_limit_limit_decisions_total"
    for number in range(1, 4):
        get(app)
        if number == 2:
            scraped(registry)  # whether somebody has looked before or not
        object.__setattr__(
            policy, "enforcer", Enforcer(policy_of(9 + number), policy.enforcer.owned)
        )
    get(app)
    samples = scraped(registry)
    assert samples[name, "a/minute", "allowed", "default"] == 4
    assert samples[name, "w/minute", "would_refuse", "default"] == 3
    assert samples["rate_limit_requests_total", "", "allowed", "default"] == 4


def test_times_and_stores_of_rules_in_redis(redis_server: Server) -> None:
    registry = CollectorRegistry()
    app = app_of(
        Rule("*", "1/hour", name="a"),
        store=redis_server.url,
        timeout=30,
        metrics=registry,
    )

    async def main() -> list[int]:
        return [(await call(app)).status for _ in range(2)]

    assert asyncio.run(main()) == [200, 429]
    samples = scraped(registry)
    assert samples["rate_limit_check_seconds_count", "default"] == 2
    assert samples["rate_limit_decisions_total", "allowed", "redis", "default"] == 1


def test_opentelemetry_counts_what_would_be_refused(clock: ManualClock) -> None:
    reader = InMemoryMetricReader()
    meter = MeterProvider(metric_readers=[reader]).get_meter("test")
    app = app_of(
        Rule("*", "1/minute", name="new", shadow=True),
        hooks=[OpenTelemetryHook(meter)],
        clock=clock,
    )
    for _ in range(3):
        get(app)
    data: Any = reader.get_metrics_data()
    metrics = data.resource_metrics[0].scope_metrics[0].metrics
    (would,) = [each for each in metrics if each.name == "rate_limit.would_refuse"]
    (point,) = would.data.data_points
    assert point.value == 2
    assert dict(point.attributes) == {"tier": "default", "limit": "new/minute", "endpoint": ""}


def test_a_limits_name_is_a_label_of_which_there_are_a_hundred(clock: ManualClock) -> None:
    registry = CollectorRegistry()
    rules = [Rule(f"/{number}", "9/minute", name=f"r{number}") for number in range(120)]
    app = app_of(*rules, metrics=registry, clock=clock)
    for number in range(120):
        get(app, f"/{number}")
    samples = scraped(registry)
    assert samples["rate_limit_limit_decisions_total", "other", "allowed", "default"] == 20


def test_hooks_that_fail_harm_nobody(clock: ManualClock, caplog: Any) -> None:
    class Fails:
        def on_refused(self, details: Details) -> None: ...

        def on_would_refuse(self, details: Details) -> None:
            raise LookupError

    app = app_of(Rule("*", "1/minute", shadow=True), hooks=[Fails()], clock=clock)
    assert [get(app).status for _ in range(3)] == [200] * 3
    assert caplog.text.count("Fails.on_would_refuse failed") == 1


def test_what_a_hook_must_be() -> None:
    class Wrong:
        on_would_refuse = 5

        def on_refused(self, details: Details) -> None: ...

    with pytest.raises(TypeError, match="hooks must have a method"):
        Policy(rules=[Rule("*", "1/minute")], hooks=[Wrong()])
