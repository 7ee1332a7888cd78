"""Where limits are counted: threads, forks, a zone, and a real Redis with its outages."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

import asgi_calls
from forking import needs_fork, program_that_forks
from redis_faults import BlackHole
from redis_fixtures import Start
from redis_servers import Server
from scrapes import requests, scraped
from sluicegate import Limit
from sluicegate.asgi import RateLimitMiddleware as ASGIMiddleware
from sluicegate.concurrency import redis as permits_in_redis
from sluicegate.errors import StoreError
from sluicegate.policy import Policy
from sluicegate.redis import FixedWindow, Gate
from sluicegate.wsgi import RateLimitMiddleware
from threading_calls import in_threads
from wsgi_calls import call, environ_of, get, hello, statuses


def many(app: Any, threads: int = 8, each: int = 40, **options: Any) -> Counter[int]:
    """The statuses of so many requests by threads at once."""
    got: list[int] = []

    def ask() -> None:
        got.extend(call(app, environ_of(**options)).status for _ in range(each))

    in_threads([ask] * threads)
    return Counter(got)


TIERS = {"one": "100/hour", "several": "100/hour; 300/day"}


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("where", ["memory", "zone", "redis"])
def test_eight_threads_get_the_limit_and_not_one_more(
    where: str, tier: str, url: str, request: pytest.FixtureRequest
) -> None:
    options: dict[str, Any] = {} if where == "memory" else {"store": url}
    if where == "redis":
        server: Server = request.getfixturevalue("redis_server")
        options = {"store": server.url, "timeout": 10}
    app = RateLimitMiddleware(hello, TIERS, tier=lambda environ: tier, **options)
    assert many(app) == {200: 100, 429: 220}


@pytest.mark.parametrize("where", ["memory", "zone", "redis"])
def test_eight_threads_never_hold_more_permits_than_there_are(
    where: str, url: str, request: pytest.FixtureRequest
) -> None:
    store: Any = None if where == "memory" else url
    if where == "redis":
        store = request.getfixturevalue("redis_server").url
    inside: list[int] = []

    def app(environ: Any, start_response: Any) -> Any:
        inside.append(1)
        assert len(inside) <= 3
        start_response("200 OK", [])
        yield b""
        inside.pop()

    limited = RateLimitMiddleware(app, {"free": "unlimited"}, concurrency=3, store=store)
    assert many(limited, each=20)[200] >= 20
    assert statuses_of(limited, 3) == [200] * 3, "all have come back"


def statuses_of(app: Any, times: int) -> list[int]:
    return [call(app, environ_of()).status for _ in range(times)]


FORKS = """
sys.path[:0] = {path!r}
from sluicegate.wsgi import RateLimitMiddleware
from wsgi_calls import call, environ_of, hello

app = RateLimitMiddleware(
    hello, {{"free": "30/hour", "more": "40/hour; 90/day"}}, store={store!r}, concurrency=5,
    tier=lambda environ: environ.get("HTTP_X_TIER"), verify=lambda key: key,
)
def ask(tier):
    options = dict(headers=[("X-Tier", tier), ("X-API-Key", "k" + tier)])
    return [call(app, environ_of(**options)).status for _ in range(20)].count(200)

before = ask("free"), ask("more")
reads, writes = os.pipe()
def work():
    threads = [threading.Thread(target=lambda tier=tier: os.write(
        writes, b"%d %s;" % (ask(tier), tier.encode()))) for tier in ("free", "more")]
    for each in threads: each.start()
    for each in threads: each.join()
ended_well([forked(work) for _ in range(4)])
told = os.read(reads, 10_000).decode()
sums = {{tier: sum(int(each.split()[0]) for each in told.split(";") if each.endswith(tier))
        for tier in ("free", "more")}}
assert before == (20, 20), before
assert sums == {{"free": 10, "more": 20}}, told
"""


@needs_fork
@pytest.mark.parametrize("where", ["zone", "redis"])
def test_forked_children_go_on_with_what_was_spent(
    where: str, url: str, request: pytest.FixtureRequest
) -> None:
    store = url if where == "zone" else request.getfixturevalue("redis_server").url
    support = Path(__file__).parents[1] / "support"
    program_that_forks(FORKS.format(store=store, path=[str(support)]))


def test_gates_permits_and_limiters_of_redis_that_are_given(redis_server: Server) -> None:
    url = redis_server.url
    gate = Gate(url, [Limit("3/hour", by="client"), Limit("1 concurrent", by="client")])
    app = RateLimitMiddleware(hello, limiter=gate)
    held: Any = app(environ_of(), lambda *_: None)
    assert statuses(app, 1) == [429]
    held.close()
    assert statuses(app, 3) == [200, 200, 429]

    app = RateLimitMiddleware(
        RateLimitMiddleware(hello, limiter=FixedWindow(url, 1, 3600)),
        limiter=FixedWindow(url, "5/hour", name="outer"),
        concurrency=permits_in_redis.ConcurrencyLimiter(url, 1),
    )
    answers = [get(app) for _ in range(4)]
    assert [answer.status for answer in answers] == [200, 429, 429, 429]
    assert get(app, peer="192.0.2.8").status == 200
    assert FixedWindow(url, "5/hour", name="outer").peek_sync("ip:192.0.2.1").remaining == 4


def test_a_subclass_that_only_overrides_the_coroutine_is_refused(redis_server: Server) -> None:
    class Doubled(FixedWindow):
        async def check(self, key: str, cost: int = 1, **more: Any) -> Any:
            return await super().check(key, 2 * cost)

    with pytest.raises(TypeError, match=r"Doubled.check is a coroutine function"):
        RateLimitMiddleware(hello, limiter=Doubled(redis_server.url, 3, 60))


def test_an_api_key_is_not_told_to_redis(redis_server: Server) -> None:
    app = RateLimitMiddleware(
        hello, {"free": "5/hour"}, store=redis_server.url, verify=lambda key: key
    )
    assert statuses(app, 2, headers=[("x-api-key", "sk-very-secret")]) == [200, 200]
    names = b" ".join(redis_server.command("KEYS", "*"))
    assert b"key:" in names
    assert b"secret" not in names


@pytest.fixture
def outage(start: Start) -> BlackHole:
    """A way to a server, on which every answer is lost once it swallows."""
    return start(BlackHole, start(Server).port)


def limited(outage: BlackHole, on_error: Any, **options: Any) -> RateLimitMiddleware:
    return RateLimitMiddleware(
        hello, {"free": "2/hour"}, store=outage.url, timeout=0.5, on_error=on_error, **options
    )


def test_closed_is_a_503_with_retry_after_and_no_quota(outage: BlackHole) -> None:
    app = limited(outage, "closed", concurrency=5)
    assert get(app).headers["x-ratelimit-remaining"] == "1"
    outage.swallow()
    refused = get(app)
    assert refused.status == 503
    assert refused.headers["retry-after"] == "1"
    assert not any(name.startswith(("x-ratelimit", "ratelimit")) for name in refused.headers)
    outage.forward()


def test_permits_are_closed_too(outage: BlackHole) -> None:
    app = RateLimitMiddleware(
        hello,
        {"free": "unlimited"},
        concurrency=permits_in_redis.ConcurrencyLimiter(
            outage.url, 5, timeout=0.5, on_error="closed"
        ),
        closed_status=599,
    )
    assert statuses(app, 2) == [200, 200]
    outage.swallow()
    assert statuses(app, 1) == [599]
    outage.forward()


def test_local_open_and_raise(outage: BlackHole) -> None:
    apps = {name: limited(outage, name) for name in ("local", "open", "raise")}
    for app in apps.values():
        get(app)
    outage.swallow()
    assert statuses(apps["local"], 3, peer="192.0.2.8") == [200, 200, 429]
    assert statuses(apps["open"], 4, peer="192.0.2.8") == [200] * 4
    with pytest.raises(StoreError):
        call(apps["raise"], environ_of(peer="192.0.2.8"))
    outage.forward()


@pytest.mark.parametrize("where", ["memory", "zone", "redis"])
def test_metrics_are_counted_and_timed(
    where: str, url: str, request: pytest.FixtureRequest
) -> None:
    store: Any = None if where == "memory" else url
    if where == "redis":
        store = request.getfixturevalue("redis_server").url
    registry = CollectorRegistry()
    app = RateLimitMiddleware(
        hello,
        {"free": "2/hour"},
        store=store,
        metrics=registry,
        endpoint=lambda environ: environ["PATH_INFO"],
    )
    assert statuses(app, 5, "/a") == [200, 200, 429, 429, 429]
    samples = scraped(registry)
    assert requests(samples, "allowed") == {"/a": 2}
    assert requests(samples, "rejected") == {"/a": 3}
    timed = samples["rate_limit_check_seconds_count", "free"]
    assert timed == (5 if where == "redis" else 1)  # in memory and in a zone one in 64


def test_one_policys_limiters_are_counted_once_for_asgi_and_wsgi() -> None:
    registry = CollectorRegistry()
    policy = Policy({"free": "2/hour"}, metrics=registry)
    apps = [RateLimitMiddleware(hello, policy=policy) for _ in range(2)]
    in_asgi = ASGIMiddleware(asgi_calls.hello, policy=policy)
    assert [get(app).status for app in apps] == [200, 200]
    assert asgi_calls.get(in_asgi).status == 429
    samples = scraped(registry)
    assert requests(samples, "allowed") == {"": 2}
    assert requests(samples, "rejected") == {"": 1}
    assert samples["rate_limit_keys", "free"] == 1
