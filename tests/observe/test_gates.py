"""What observers are told of gates: which limit decided, and what each limit said."""

from __future__ import annotations

import gc
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from prometheus_client import CollectorRegistry

from asgi_calls import get, hello
from scrapes import Samples, requests, scraped
from sluicegate import Gate, Limit
from sluicegate.asgi import RateLimitMiddleware
from sluicegate.hooks import Details
from sluicegate.metrics import InstrumentedRateLimiter
from sluicegate.opentelemetry import OpenTelemetryHook
from sluicegate.testing import limits_off


class Everything:
    wants_key = True

    def __init__(self) -> None:
        self.told: list[Details] = []

    def on_refused(self, details: Details) -> None:
        self.told.append(details)

    on_admitted = on_refused


def said(samples: Samples, tier: str = "free") -> dict[tuple[str, str], float]:
    """What each limit said, by its name and the result."""
    name = "rate_limit_limit_decisions_total"
    return {
        (each[1], each[2]): value
        for each, value in samples.items()
        if (each[0], each[3:]) == (name, (tier,))
    }


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def test_a_gate_is_counted_as_a_limiter_is(registry: CollectorRegistry) -> None:
    listening = Everything()
    gate = Gate([Limit("2/hour", by="user"), Limit("9/day", by="org")])
    counted = InstrumentedRateLimiter(gate, "free", registry=registry, hooks=[listening])
    keys = {"user": "ada", "org": "acme"}
    assert [counted.is_allowed(keys, "/tea") for _ in range(3)] == [True, True, False]
    found = scraped(registry)
    assert requests(found, "allowed") == {"/tea": 2}
    assert requests(found, "rejected") == {"/tea": 1}
    assert said(found) == {
        ("user/hour", "allowed"): 2,
        ("user/hour", "rejected"): 1,
        ("org/day", "allowed"): 2,
    }
    assert found["rate_limit_keys", "free"] == 2
    told = [(each.limit_name, each.limit, each.refused_by, each.key) for each in listening.told]
    assert told == [
        ("user/hour", 2, (), "ada"),
        ("user/hour", 2, (), "ada"),
        ("user/hour", 2, ("user/hour",), "ada"),
    ]
    with limits_off():
        assert counted.is_allowed(keys)
    with pytest.raises(TypeError, match="endpoint must be a str, got int 5"):
        counted.is_allowed(keys, 5)  # type: ignore[arg-type]
    assert requests(scraped(registry), "allowed") == {"/tea": 2}


def test_one_check_in_64_is_timed(registry: CollectorRegistry) -> None:
    counted = InstrumentedRateLimiter(Gate("900/hour"), "free", registry=registry)
    for _ in range(129):
        counted.is_allowed("ada")
    assert scraped(registry)["rate_limit_check_seconds_count", "free"] == 3


def test_limits_that_only_watch_count_whom_they_would_have_refused(
    registry: CollectorRegistry,
) -> None:
    gate = Gate([Limit("5/hour"), Limit("1/day", name="tight", shadow=True)])
    app = RateLimitMiddleware(hello, limiter=gate, metrics=registry)
    assert [get(app).status for _ in range(6)] == [200] * 5 + [429]
    assert said(scraped(registry), "default") == {
        ("key/hour", "allowed"): 5,
        ("key/hour", "rejected"): 1,
        ("tight", "allowed"): 1,
        ("tight", "would_refuse"): 5,
    }


def test_tiers_of_several_windows(registry: CollectorRegistry) -> None:
    listening = Everything()
    app = RateLimitMiddleware(
        hello,
        tiers={"free": "2/hour; 9/day", "premium": "50/hour; 3/day"},
        tier=lambda scope: scope["query_string"].decode() or None,
        cost=lambda scope: 9 if scope["path"] == "/dear" else 1,
        metrics=registry,
        hooks=[listening],
    )
    assert [get(app).status for _ in range(3)] == [200, 200, 429]
    assert [get(app, query_string=b"premium").status for _ in range(2)] == [200, 429]
    assert get(app, "/dear").status == 413
    found = scraped(registry)
    assert requests(found, "allowed", "free") == {"": 2}
    assert requests(found, "rejected", "free") == {"": 1}
    assert requests(found, "too_large", "free") == {"": 1}
    assert requests(found, "rejected", "premium") == {"": 1}
    # One gate counts them all: under the first of its tiers.
    assert said(found) == {
        ("client/hour", "allowed"): 3,
        ("client/hour", "rejected"): 1,
        ("client/day", "allowed"): 3,
        ("client/day", "rejected"): 1,
    }
    told = [(each.limiter, each.allowed, each.limit_name, each.limit) for each in listening.told]
    assert told[2:] == [
        ("free", False, "client/hour", 2),
        ("premium", True, "client/day", 3),
        ("premium", False, "client/day", 3),
        ("free", False, "client/hour", 2),
    ]
    assert listening.told[-1].retry_after is None


def test_opentelemetry_tells_the_limit() -> None:
    reader = InMemoryMetricReader()
    hook = OpenTelemetryHook(MeterProvider([reader]).get_meter("test"))
    app = RateLimitMiddleware(hello, tiers={"free": "2/hour; 9/day"}, hooks=[hook])
    for _ in range(3):
        get(app)
    get(RateLimitMiddleware(hello, tiers={"single": "2/hour"}, hooks=[hook]))
    data: Any = reader.get_metrics_data()
    metrics = {each.name: each for each in data.resource_metrics[0].scope_metrics[0].metrics}
    points = {
        (
            each.attributes["tier"],
            each.attributes.get("limit"),
            each.attributes["result"],
        ): each.value
        for each in metrics["rate_limit.requests"].data.data_points
    }
    assert points == {
        ("free", "client/hour", "allowed"): 2,
        ("free", "client/hour", "rejected"): 1,
        ("single", None, "allowed"): 1,
    }
    used = metrics["rate_limit.used_ratio"].data.data_points
    assert {each.attributes.get("limit") for each in used} == {"client/hour", None}


def test_a_registry_tells_a_hundred_limits_apart(registry: CollectorRegistry) -> None:
    gate = Gate([Limit("9/hour", by=f"k{number}", optional=True) for number in range(105)])
    counted = InstrumentedRateLimiter(gate, "free", registry=registry)
    for number in range(105):
        counted.is_allowed({f"k{number}": "x"})
    found = said(scraped(registry))
    assert found["k0/hour", "allowed"] == 1
    assert found["other", "allowed"] == 5
    assert len(found) == 101


def test_what_a_gate_counted_outlives_it(registry: CollectorRegistry) -> None:
    for _ in range(2):
        gate = Gate("1/hour; 9/day")
        counted = InstrumentedRateLimiter(gate, "free", registry=registry)
        counted.is_allowed("ada")
        scraped(registry)
        del gate, counted
        gc.collect()
    found = scraped(registry)
    assert said(found) == {("key/hour", "allowed"): 2, ("key/day", "allowed"): 2}
    assert ("rate_limit_keys", "free") not in found


def test_messages_are_seen_as_well(registry: CollectorRegistry) -> None:
    import asyncio

    from asgi_calls import call

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        while (await receive())["type"] == "websocket.receive":
            pass

    listening = Everything()
    limited = RateLimitMiddleware(
        app,
        tiers={"free": "9/hour"},
        messages="1/hour; 9/day",
        metrics=registry,
        hooks=[listening],
    )
    messages = [{"type": "websocket.receive", "text": "hi"}] * 2
    asyncio.run(call(limited, kind="websocket", messages=messages))
    assert said(scraped(registry), "messages") == {
        ("client/hour", "allowed"): 1,
        ("client/hour", "rejected"): 1,
        ("client/day", "allowed"): 1,
    }
    assert [each.limit_name for each in listening.told] == [None, "client/hour", "client/hour"]
