"""The middleware's metrics, the example app, and the dashboard."""

from __future__ import annotations

import asyncio
import importlib
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx2
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from asgi_calls import call, get, hello
from redis_servers import Server
from scrapes import NAMES, requests, scraped
from servers import serving
from sluicegate import FixedWindow, TokenBucket
from sluicegate.asgi import RateLimitMiddleware
from sluicegate.metrics import InstrumentedRateLimiter

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def test_the_middleware_counts_by_tier_and_endpoint(registry: CollectorRegistry) -> None:
    app = RateLimitMiddleware(
        hello,
        tiers={"free": (2, 3600), "rich": (9, 3600)},
        tier=lambda scope: "rich" if scope["path"] == "/gold" else None,
        cost=lambda scope: 3 if scope["path"] == "/dear" else 1,
        metrics=registry,
        endpoint=lambda scope: scope["path"],
    )
    paths = ["/tea", "/tea", "/tea", "/gold", "/dear"]
    assert [get(app, path).status for path in paths] == [200, 200, 429, 200, 413]
    samples = scraped(registry)
    assert requests(samples, "allowed") == {"/tea": 2}
    assert requests(samples, "rejected") == {"/tea": 1}
    assert requests(samples, "too_large") == {"/dear": 1}
    assert requests(samples, "allowed", "rich") == {"/gold": 1}
    assert samples["rate_limit_keys", "free"] == 1
    assert samples["rate_limit_check_seconds_count", "free"] == 1


def test_the_middleware_without_options_counts_what_statistics_count(
    registry: CollectorRegistry,
) -> None:
    limiter = TokenBucket(capacity=70, refill_rate=0.001)
    app = RateLimitMiddleware(hello, limiter=limiter, metrics=registry)

    async def run() -> None:
        for peer in range(200):
            await call(app, f"/{peer}", peer=f"192.0.2.{peer % 2}")

    asyncio.run(run())
    samples = scraped(registry)
    statistics = limiter.statistics()
    assert requests(samples, "allowed", "default") == {"": statistics.admitted} == {"": 140}
    assert requests(samples, "rejected", "default") == {"": statistics.refused} == {"": 60}
    assert samples["rate_limit_check_seconds_count", "default"] == 4
    text = generate_latest(registry).decode()
    assert "192.0.2" not in text
    assert "/1" not in text


def test_the_middleware_in_redis(redis_server: Server, registry: CollectorRegistry) -> None:
    app = RateLimitMiddleware(
        hello, tiers={"free": (2, 3600)}, redis=redis_server.url, metrics=registry
    )
    assert [get(app).status for _ in range(3)] == [200, 200, 429]
    samples = scraped(registry)
    assert requests(samples, "allowed") == {"": 2}
    assert samples["rate_limit_decisions_total", "rejected", "redis", "free"] == 1
    assert samples["rate_limit_check_seconds_count", "free"] == 3


def test_the_middleware_counts_a_websockets_messages(registry: CollectorRegistry) -> None:
    app = RateLimitMiddleware(chatting, tiers={"free": (9, 60)}, messages=(2, 60), metrics=registry)
    messages = [{"type": "websocket.receive", "text": "hi"}] * 3
    get(app, kind="websocket", messages=messages)
    samples = scraped(registry)
    assert requests(samples, "allowed") == {"": 1}
    assert requests(samples, "allowed", "messages") == {"": 2}
    assert requests(samples, "rejected", "messages") == {"": 1}


async def chatting(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "websocket.accept"})
    while (await receive())["type"] == "websocket.receive":
        pass


def test_the_middlewares_options_are_checked(registry: CollectorRegistry) -> None:
    make: Any = RateLimitMiddleware
    for metrics in ("yes", 1, None, object()):
        with pytest.raises(TypeError, match="metrics must be True, False or a CollectorRegistry"):
            make(hello, tiers={"free": (2, 60)}, metrics=metrics)

    async def name(scope: object) -> str:
        return ""

    for endpoint in ("/tea", name):
        with pytest.raises(TypeError, match="endpoint must be a plain function"):
            make(hello, tiers={"free": (2, 60)}, endpoint=endpoint)


@pytest.fixture(scope="module")
def scrape_of_the_example() -> str:
    """What its /metrics tells after some requests over HTTP."""
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(EXAMPLES)
        example = importlib.import_module("metrics_app")
    with serving(example.app) as host, httpx2.Client(base_url=f"http://{host}") as client:
        statuses = [client.get("/tea").status_code for _ in range(4)]
        statuses += [client.get(f"/reports/{name}").status_code for name in "aaa"]
        assert statuses == [200] * 5 + [429] * 2
        answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    return answer.text


def test_prometheus_can_read_the_example(scrape_of_the_example: str) -> None:
    parsed = text_string_to_metric_families(scrape_of_the_example)
    families = {family.name: family for family in parsed}
    assert families.keys() >= NAMES
    counts = {
        (sample.labels["tier"], sample.labels["endpoint"], sample.labels["result"]): sample.value
        for sample in families["rate_limit_requests"].samples
    }
    assert counts["free", "/tea", "allowed"] == 4
    assert counts["free", "/reports", "rejected"] == 2
    assert counts["printer", "/reports/{name}", "allowed"] == 1


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not on PATH")
def test_promtool_finds_no_fault(scrape_of_the_example: str) -> None:
    command = ["promtool", "check", "metrics"]
    told = subprocess.run(
        command,
        input=scrape_of_the_example,
        text=True,
        capture_output=True,
        timeout=60,
    )
    ours = [line for line in told.stderr.splitlines() if "rate_limit" in line]
    assert (told.returncode in (0, 3), ours) == (True, []), told.stderr


def test_the_dashboard_asks_for_metrics_that_exist(registry: CollectorRegistry) -> None:
    limiter = FixedWindow(1, 60)
    InstrumentedRateLimiter(limiter, "free", registry=registry).is_allowed("a")
    dashboard = json.loads((EXAMPLES / "grafana_dashboard.json").read_text())
    asked: set[str] = set()
    for panel in dashboard["panels"]:
        assert panel["title"]
        for target in panel["targets"]:
            assert target["expr"].count("(") == target["expr"].count(")")
            asked |= set(re.findall(r"rate_limit_\w+", target["expr"]))
    text = generate_latest(registry).decode()
    told = {line.split(" ")[2] for line in text.splitlines() if line.startswith("# TYPE")}
    assert {name.removesuffix("_bucket") for name in asked} == told
    places = [panel["gridPos"] for panel in dashboard["panels"]]
    cells = [(x, y["y"]) for y in places for x in range(y["x"], y["x"] + y["w"])]
    assert len(cells) == len(set(cells))
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(places)
