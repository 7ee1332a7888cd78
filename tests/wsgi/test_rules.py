"""Rules in WSGI: settled when the status is known, held, released when the answer is closed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from wsgiref.validate import validator

import pytest

from redis_servers import Server
from sluicegate import ManualClock
from sluicegate.policy import Policy, Rule
from sluicegate.wsgi import RateLimitMiddleware
from wsgi_calls import call, environ_of, get, hello, statuses


def answering(status: str) -> Any:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response(status, [("Content-Type", "text/plain")])
        return [b""]

    return app


def failures(**options: Any) -> Policy:
    return Policy(rules=[Rule("/", "5/minute", counts="failures", name="tries", **options)])


def test_what_succeeds_is_given_back_before_the_answer_begins() -> None:
    policy = failures()
    good, bad = answering("200 OK"), answering("401 Unauthorized")
    app = RateLimitMiddleware(good, policy=policy)
    assert statuses(app, 9) == [200] * 9
    app = RateLimitMiddleware(bad, policy=policy)
    assert statuses(app, 7) == [401] * 5 + [429] * 2
    assert statuses(RateLimitMiddleware(good, policy=policy), 1) == [429]


def failing(environ: Any, start_response: Any) -> list[bytes]:
    raise ValueError("no")


def failing_late(environ: Any, start_response: Any) -> Iterator[bytes]:
    raise ValueError("no")
    yield b""


def failing_after(environ: Any, start_response: Any) -> Iterator[bytes]:
    start_response("200 OK", [])
    raise ValueError("no")
    yield b""


@pytest.mark.parametrize(
    ("app", "charged"), [(failing, True), (failing_late, True), (failing_after, False)]
)
def test_an_app_that_raises_before_its_answer_begins_has_failed(app: Any, charged: bool) -> None:
    policy = failures()
    limited = RateLimitMiddleware(app, policy=policy)
    for _ in range(5):
        with pytest.raises(ValueError, match="no"):
            call(limited, environ_of())
    if charged:
        assert call(limited, environ_of()).status == 429
    else:
        with pytest.raises(ValueError, match="no"):
            call(limited, environ_of())


def test_successes_are_not_given_back_by_a_failure_that_follows() -> None:
    """The status that begins the answer counts, once."""
    import sys

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        try:
            raise ValueError
        except ValueError:
            start_response("500 Oops", [], sys.exc_info())
        return []

    policy = Policy(rules=[Rule("/", "2/minute", counts="successes")])
    limited = RateLimitMiddleware(app, policy=policy)
    assert [call(limited, environ_of()).status for _ in range(3)] == [500, 500, 429]


def test_fifty_wrong_passwords_at_once_reach_the_app_five_times() -> None:
    reached = threading.Semaphore(0)
    entered: list[int] = []
    go = threading.Event()

    def app(environ: Any, start_response: Any) -> list[bytes]:
        entered.append(1)
        reached.release()
        go.wait(10)
        start_response("401 Unauthorized", [])
        return []

    limited = RateLimitMiddleware(app, policy=failures(by="address"))
    with ThreadPoolExecutor(50) as pool:
        answers = [pool.submit(call, limited, environ_of()) for _ in range(50)]
        for _ in range(5):
            assert reached.acquire(timeout=10)
        go.set()
        got = sorted(each.result().status for each in answers)
    assert got == [401] * 5 + [429] * 45
    assert len(entered) == 5


def test_a_request_is_held_until_its_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    rule = Rule("/", "10/second", by="client", delay=0.25)
    app = RateLimitMiddleware(validator(hello), rules=[rule])
    answers = [get(app) for _ in range(4)]
    assert [answer.status for answer in answers] == [200, 200, 200, 429]
    assert len(slept) == 2
    assert 0.05 < slept[0] <= 0.1 < slept[1] <= 0.2
    assert [answer.environ.get("sluicegate.delay", None) for answer in answers][1:3] == slept


def test_under_a_clock_for_tests_nobody_sleeps(
    clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: pytest.fail("slept"))
    rule = Rule("/", "1/second", by="client", delay=3)
    app = RateLimitMiddleware(hello, rules=[rule], clock=clock)
    delays = [get(app).environ["sluicegate.delay"] for _ in range(4)]
    assert delays == [0.0, 1.0, 2.0, 3.0]
    assert statuses(app, 1) == [429]


def test_a_header_that_a_proxy_has_only_added_to_is_not_counted_by() -> None:
    rule = Rule("*", "2/hour", by="header:x-tenant")
    app = RateLimitMiddleware(hello, rules=[rule], trusted_proxies=["192.0.2.1"])

    def asked(*tenants: str) -> int:
        fields = [("x-forwarded-for", "198.51.100.7"), *(("x-tenant", name) for name in tenants)]
        return get(app, headers=fields).status

    assert [asked(f"mine{number}", "theirs") for number in range(3)] == [200, 200, 429]
    assert [asked("theirs") for _ in range(3)] == [200, 200, 429]


def test_permits_of_rules_come_back_at_the_end_of_the_answer() -> None:
    rules = [Rule("/", "1 concurrent", by="client"), Rule("/", "9/minute", by="all")]
    app = RateLimitMiddleware(hello, rules=rules)
    first: Any = app(environ_of(), lambda *_: None)
    assert statuses(app, 2) == [429, 429]
    assert statuses(app, 1, peer="192.0.2.8") == [200]
    first.close()
    assert statuses(app, 2) == [200, 200]


def test_permits_come_back_from_several_stores(url: str) -> None:
    rules = [Rule("/", "1 concurrent", store=url), Rule("/", "1 concurrent", by="all")]
    app = RateLimitMiddleware(hello, rules=rules, concurrency=5)
    for _ in range(3):
        body: Any = app(environ_of(), lambda *_: None)
        assert statuses(app, 1, peer="192.0.2.8") == [429]
        body.close()
    assert statuses(app, 1, peer="192.0.2.8") == [200]


@pytest.mark.parametrize("where", ["zone", "redis"])
def test_another_stores_refusal_gives_back_what_came_before(
    where: str, url: str, request: pytest.FixtureRequest
) -> None:
    server: Server | None = request.getfixturevalue("redis_server") if where == "redis" else None
    store = url if server is None else server.url
    rules = [Rule("*", "9/hour", name="mine"), Rule("/a", "2/hour", name="theirs", store=store)]
    app = RateLimitMiddleware(validator(hello), rules=rules)
    answers = [get(app, "/a") for _ in range(5)]
    assert [answer.status for answer in answers] == [200, 200, 429, 429, 429]
    assert '"theirs/hour"' in answers[-1].headers["ratelimit"]
    assert '"mine/hour"' in answers[0].headers["ratelimit"]
    assert answers[-1].environ["sluicegate.decision"].name == "theirs/hour"
    assert get(app, "/b").headers["x-ratelimit-remaining"] == "6"


def test_rules_in_redis_with_tiers_counts_and_permits(redis_server: Server) -> None:
    rules = [
        Rule("/", "3/hour", counts="failures", name="failed"),
        Rule("/", "1 concurrent", name="at once"),
        Rule("/slow", "5/hour", by="all"),
    ]
    options: dict[str, Any] = {"tiers": {"free": "20/hour; 30/day"}, "rules": rules}
    apps = [
        RateLimitMiddleware(answering(status), store=redis_server.url, **options)
        for status in ("200 OK", "403 Forbidden")
    ]
    good, bad = apps
    assert statuses(good, 6) == [200] * 6
    held: Any = good(environ_of(), lambda *_: None)
    assert statuses(bad, 1) == [429]
    held.close()
    assert statuses(bad, 5) == [403] * 3 + [429] * 2
    assert statuses(good, 1) == [429]
    assert get(good, "/other").headers["x-ratelimit-limit"] == "20"


def test_a_rule_that_only_watches_refuses_nobody_and_tells_hooks() -> None:
    told: list[Any] = []

    class Hook:
        def on_refused(self, details: Any) -> None: ...

        def on_would_refuse(self, details: Any) -> None:
            told.append(details)

    app = RateLimitMiddleware(hello, rules=[Rule("/", "1/hour", shadow=True)], hooks=[Hook()])
    assert statuses(app, 3) == [200] * 3
    assert [details.limit_name for details in told] == ["//hour"] * 2


def test_a_rules_own_refusal() -> None:
    def teapot(environ: Any, start_response: Any) -> list[bytes]:
        start_response("418 Teapot", [("Content-Type", "text/plain")])
        return [environ["sluicegate.refusal"].limit_name.encode()]

    rules = [
        Rule("/a", "1/hour", refusal=teapot, name="tea"),
        Rule("/b", "1/hour", refusal="problem"),
        Rule("*", "3/hour"),
    ]
    app = RateLimitMiddleware(validator(hello), rules=rules)
    assert statuses(app, 1, "/a") == [200]
    refused = get(app, "/a")
    assert (refused.status, refused.body) == (418, b"tea/hour")
    get(app, "/b")
    assert get(app, "/b").json()["violated-policies"] == ["/b/hour"]
    get(app)
    assert get(app).json() == {"error": "Rate limit exceeded", "retry_after": 3600}


@pytest.mark.parametrize("method", ["POST", "post", "Post"])
def test_a_method_is_read_as_frameworks_read_it(method: str) -> None:
    app = RateLimitMiddleware(hello, rules=[Rule("POST /login", "1/hour")])
    call(app, environ_of("/login", method="POST"))
    assert call(app, environ_of("/login", method=method)).status == 429
    assert call(app, environ_of("/login")).status == 200


def test_a_header_to_count_by_has_no_underscore() -> None:
    with pytest.raises(ValueError, match=r"rules\[0\]: by must have no '_'.*'header:x-org'"):
        RateLimitMiddleware(hello, rules=[Rule("*", "1/hour", by="header:x_org")])


async def priced(environ: Any) -> int:
    return 1


def test_coroutine_functions_of_rules_are_refused_when_it_is_made() -> None:
    rule = Rule("*", "1/hour", cost=priced)
    with pytest.raises(TypeError, match=r"rules\[0\]: cost must be a plain function here"):
        RateLimitMiddleware(hello, rules=[rule])
