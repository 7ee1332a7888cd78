"""Hooks: who is told what, that nobody else pays for it, and that they cannot do harm."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import subprocess
import sys
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from prometheus_client import CollectorRegistry

from asgi_calls import get, hello
from redis_servers import Server
from sluicegate import FixedWindow, ManualClock
from sluicegate.asgi import RateLimitMiddleware
from sluicegate.hooks import Details, Hook
from sluicegate.metrics import InstrumentedRateLimiter
from sluicegate.opentelemetry import OpenTelemetryHook
from sluicegate.redis import FixedWindow as RedisFixedWindow


class Refusals:
    """Hears of refusals only."""

    def __init__(self) -> None:
        self.told: list[Details] = []

    def on_refused(self, details: Details) -> None:
        self.told.append(details)


class Everything(Refusals):
    """Hears of admissions, and of keys, too."""

    wants_key = True

    def on_admitted(self, details: Details) -> None:
        self.told.append(details)


class Broken:
    def __init__(self) -> None:
        self.calls = 0

    def on_refused(self, details: Details) -> None:
        self.calls += 1
        raise ZeroDivisionError("no such thing")

    on_admitted = on_refused


def instrumented(limiter: Any, *hooks: Hook) -> Any:
    return InstrumentedRateLimiter(limiter, "free", registry=CollectorRegistry(), hooks=hooks)


def test_a_refusal_is_told_in_full(clock: ManualClock) -> None:
    refusals, everything = Refusals(), Everything()
    limited = instrumented(FixedWindow(1, 60, clock=clock), refusals, everything)
    clock.advance(15)
    assert [limited.is_allowed("ann", "/tea") for _ in range(2)] == [True, False]
    refused = Details("free", False, 1, 1, 0, 45.0, "/tea", "memory")
    assert refusals.told == [refused]
    admitted = Details("free", True, 1, 1, 0, 0.0, "/tea", "memory", "ann")
    assert everything.told == [admitted, dataclasses.replace(refused, key="ann")]
    with pytest.raises(dataclasses.FrozenInstanceError):
        refused.cost = 2  # type: ignore[misc]


def test_the_decision_that_is_told_is_the_one_that_was_made(clock: ManualClock) -> None:
    class Unseen(FixedWindow):
        def peek(self, key: str, cost: int = 1) -> Any:
            raise AssertionError("somebody else may have spent since")

    everything = Everything()
    limited = instrumented(Unseen(3, 60, clock=clock), everything)
    clock.advance(15)
    assert [limited.is_allowed("ann") for _ in range(4)] == [True, True, True, False]
    told = [(details.remaining, details.retry_after) for details in everything.told]
    assert told == [(2, 0.0), (1, 0.0), (0, 0.0), (0, 45.0)]


def test_a_hook_that_raises_is_logged_once_and_harms_nobody(
    clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    broken, after = Broken(), Refusals()
    limited = instrumented(FixedWindow(1, 60, clock=clock), broken, after)
    assert [limited.is_allowed("ann", "/tea") for _ in range(4)] == [True, False, False, False]
    assert (broken.calls, len(after.told)) == (4, 3)
    errors = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    again = " failed; it will not be logged again."
    assert errors == [f"Broken.on_admitted{again}", f"Broken.on_refused{again}"]
    assert "ann" not in caplog.text


def test_cancellation_is_no_failure(clock: ManualClock) -> None:
    class Cancelled:
        def on_refused(self, details: Details) -> None:
            raise asyncio.CancelledError

    limited = instrumented(FixedWindow(1, 60, clock=clock), Cancelled())
    assert limited.is_allowed("ann")
    with pytest.raises(asyncio.CancelledError):
        limited.is_allowed("ann")


def test_in_redis_hooks_are_told_who_decided(redis_server: Server) -> None:
    everything = Everything()
    limiter = RedisFixedWindow(redis_server.url, 1, 3600)
    limited = instrumented(limiter, everything)

    async def run() -> None:
        async with limiter:
            for _ in range(3):
                await limited.is_allowed("ann", "/tea")

    asyncio.run(run())
    told = [(details.allowed, details.store, details.key) for details in everything.told]
    assert told == [(True, "redis", "ann"), (False, "redis", "ann"), (False, "remembered", "ann")]
    assert everything.told[1].retry_after > 0


def test_the_middleware_tells_hooks_without_metrics() -> None:
    refusals, everything = Refusals(), Everything()
    app = RateLimitMiddleware(
        hello,
        tiers={"free": (3, 3600)},
        cost=lambda scope: int(scope["path"][1:]),
        endpoint=lambda scope: "number",
        hooks=[refusals, everything],
    )
    assert [get(app, path).status for path in ("/2", "/2", "/4")] == [200, 429, 413]
    admitted, refused, too_large = everything.told
    key = admitted.key
    assert key is not None
    assert "192.0.2.1" in key
    assert admitted == Details("free", True, 2, 3, 1, 0.0, "number", "memory", key)
    assert 0 < (refused.retry_after or 0) <= 3600
    assert refused == Details("free", False, 2, 3, 1, refused.retry_after, "number", "memory", key)
    assert too_large == Details("free", False, 4, 3, 0, None, "number", None, key)
    assert refusals.told == [dataclasses.replace(each, key=None) for each in (refused, too_large)]


def test_the_middleware_names_no_endpoint_of_an_admission_nobody_hears_of() -> None:
    named: list[str] = []

    def name(scope: Any) -> str:
        named.append(scope["path"])
        return "number"

    options: dict[str, Any] = {"tiers": {"free": (1, 3600)}, "endpoint": name}
    app = RateLimitMiddleware(hello, hooks=[Refusals()], **options)
    assert [get(app, path).status for path in ("/1", "/2")] == [200, 429]
    assert named == ["/2"]
    app = RateLimitMiddleware(hello, hooks=[Everything()], **options)
    assert get(app, "/3").status == 200
    assert named == ["/2", "/3"]


def test_in_shadow_mode_hooks_are_told_what_would_have_been_refused() -> None:
    refusals = Refusals()
    app = RateLimitMiddleware(hello, tiers={"free": (1, 3600)}, shadow=True, hooks=[refusals])
    assert [get(app).status for _ in range(3)] == [200] * 3
    assert [details.limiter for details in refusals.told] == ["free"] * 2


def test_a_broken_hook_does_not_break_a_request(caplog: pytest.LogCaptureFixture) -> None:
    app = RateLimitMiddleware(hello, tiers={"free": (1, 3600)}, hooks=[Broken()])
    assert [get(app).status for _ in range(3)] == [200, 429, 429]
    assert caplog.text.count("ZeroDivisionError: no such thing") == 2


def test_hooks_are_checked() -> None:
    class Coroutines:
        async def on_refused(self, details: Details) -> None: ...

    class Admissions:
        def on_admitted(self, details: Details) -> None: ...

    class Functions:
        @staticmethod
        def on_refused(details: Details) -> None: ...

    class Keys(Refusals):
        wants_key = "yes"

    make: Any = RateLimitMiddleware
    wrong: list[tuple[Any, str]] = [
        (7, "hooks must be an iterable of hooks, got 7"),
        (Refusals(), "hooks must be an iterable of hooks"),
        ([7], "hooks must have a method on_refused, got 7"),
        ([Admissions()], "hooks must have a method on_refused"),
        ([Coroutines()], "Coroutines.on_refused is a coroutine function"),
        ([Refusals], "Refusals'> is a class: call it"),
        ([Keys()], "wants_key must be True or False, got 'yes'"),
    ]
    for hooks, message in wrong:
        with pytest.raises(TypeError, match=message):
            make(hello, tiers={"free": (1, 60)}, hooks=hooks)
    make(hello, tiers={"free": (1, 60)}, hooks=[Functions])
    with pytest.raises(TypeError, match="meter must be a Meter or None, got 7"):
        OpenTelemetryHook(7)  # type: ignore[arg-type]
    assert isinstance(Refusals(), Hook)
    assert not isinstance(Admissions(), Hook)


def exported(reader: InMemoryMetricReader) -> dict[str, dict[tuple[Any, ...], Any]]:
    """Each instrument's points, by their attributes."""
    data: Any = reader.get_metrics_data()
    return {
        metric.name: {
            tuple(sorted(point.attributes.items())): getattr(point, "value", None) or point
            for point in metric.data.data_points
        }
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }


@pytest.mark.parametrize("admissions", [True, False])
def test_opentelemetry_counts_the_same(admissions: bool) -> None:
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    hook = OpenTelemetryHook(provider.get_meter("test"), admissions=admissions)
    app = RateLimitMiddleware(
        hello,
        tiers={"free": (2, 3600)},
        cost=lambda scope: 3 if scope["path"] == "/dear" else 1,
        hooks=[hook],
    )
    assert [get(app, path).status for path in ("/", "/", "/", "/dear")] == [200, 200, 429, 413]
    points = exported(reader)
    same = (("endpoint", ""),)
    memory = (("store", "memory"), ("tier", "free"))
    expected = {
        (*same, ("result", "rejected"), *memory): 1,
        (*same, ("result", "too_large"), ("tier", "free")): 1,
    }
    if admissions:
        expected[(*same, ("result", "allowed"), *memory)] = 2
    assert points["rate_limit.requests"] == expected
    used = points["rate_limit.used_ratio"][(("tier", "free"),)]
    assert (used.count, used.sum) == ((3, 2.5) if admissions else (1, 1))
    provider.shutdown()


def test_opentelemetry_tells_a_refusal_that_nobody_decided_from_the_clients() -> None:
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    hook = OpenTelemetryHook(provider.get_meter("test"))
    for store in ("closed", "redis"):
        hook.on_refused(Details("free", False, 1, 5, 0, 1.0, "", store))
    points = exported(reader)
    results = {dict(name)["store"]: dict(name)["result"] for name in points["rate_limit.requests"]}
    assert results == {"closed": "unavailable", "redis": "rejected"}
    assert [point.count for point in points["rate_limit.used_ratio"].values()] == [1]
    provider.shutdown()


def test_opentelemetrys_attributes_stay_few() -> None:
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    hook = OpenTelemetryHook(provider.get_meter("test"))
    limited = instrumented(FixedWindow(1, 3600), hook)
    for client in range(1_000):
        assert limited.is_allowed(f"client-{client}", f"/{client}")
    names = {dict(attributes)["endpoint"] for attributes in exported(reader)["rate_limit.requests"]}
    assert len(names) == 101
    assert "client-" not in str(exported(reader))
    provider.shutdown()
    make: Any = OpenTelemetryHook
    with pytest.raises(TypeError, match="admissions must be True or False, got 1"):
        make(admissions=1)
    assert isinstance(OpenTelemetryHook(), Hook)


def test_nothing_else_needs_the_two_packages() -> None:
    program = """
import sys
sys.modules["prometheus_client"] = sys.modules["opentelemetry"] = None
import sluicegate.hooks
from sluicegate.asgi import RateLimitMiddleware
RateLimitMiddleware(print, tiers={"free": (1, 60)})
try:
    RateLimitMiddleware(print, tiers={"free": (1, 60)}, metrics=True)
except ImportError as error:
    print(error)
"""
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    message = "metrics= needs prometheus_client: install sluicegate[metrics]\n"
    assert (result.stdout, result.stderr) == (message, "")
