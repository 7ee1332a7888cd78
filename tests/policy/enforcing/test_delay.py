"""Rules that hold requests instead of refusing them, as nginx's limit_req does."""

from __future__ import annotations

import asyncio
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_calls import Answer, call, get, hello
from nginx_model import LimitReq
from redis_servers import Server
from sluicegate import ManualClock
from sluicegate._support.awaiting import at_once
from sluicegate.asgi import RateLimitMiddleware
from sluicegate.policy import Policy, Rule


def app_of(*rules: Rule, **options: Any) -> RateLimitMiddleware:
    return RateLimitMiddleware(hello, policy=Policy(rules=rules, **options))


def delays(app: Any, times: int, **options: Any) -> list[float | None]:
    """How long each of some requests would be held; ``None`` if it is refused."""
    return [held(get(app, **options)) for _ in range(times)]


def held(answer: Answer) -> float | None:
    if answer.status == 429:
        return None
    seconds: float = answer.scope["sluicegate.delay"]
    return round(seconds, 6)


def test_requests_are_held_until_their_slots(clock: ManualClock) -> None:
    app = app_of(Rule("*", "10/second", delay=0.5), clock=clock)
    assert delays(app, 8) == [0, 0.1, 0.2, 0.3, 0.4, 0.5, None, None]
    clock.advance(0.15)
    assert delays(app, 3) == [0.45, None, None]
    clock.advance(60)
    assert delays(app, 2) == [0, 0.1]
    assert delays(app, 1, peer="192.0.2.2") == [0]


def test_a_burst_of_its_own_may_be_less(clock: ManualClock) -> None:
    app = app_of(Rule("*", "10/second burst 3", delay=9), clock=clock)
    assert delays(app, 4) == [0, 0.1, 0.2, None]


def test_some_of_a_burst_are_not_held(clock: ManualClock) -> None:
    app = app_of(Rule("*", "10/second", delay=0.5, undelayed=3), clock=clock)
    assert delays(app, 7) == [0, 0, 0, 0, 0.1, 0.2, None]


def test_a_cost_waits_for_what_came_before_it(clock: ManualClock) -> None:
    """A request begins when all that was charged before is served, however much it costs itself."""
    app = app_of(Rule("*", "10/second", delay=1, cost=3), clock=clock)
    assert delays(app, 4) == [0, 0.3, 0.6, None]


def test_the_longest_wait_of_several(clock: ManualClock) -> None:
    app = app_of(
        Rule("*", "10/second", delay=1, name="slow"),
        Rule("*", "100/second", delay=1, by="all", name="fast"),
        Rule("*", "1/second", delay=1, shadow=True, name="watches"),
        Rule("/plain", "5/minute", name="plain"),
        clock=clock,
    )
    assert delays(app, 3) == [0, 0.1, 0.2]
    assert delays(app, 1, peer="192.0.2.2") == [0.03]
    assert "sluicegate.delay" in get(app, "/plain").scope


def test_where_no_rule_holds_requests_nothing_is_said_of_it(clock: ManualClock) -> None:
    app = app_of(
        Rule("/held", "10/second", delay=1),
        Rule("*", "9/minute", name="all"),
        clock=clock,
    )
    assert "sluicegate.delay" not in get(app, "/").scope
    assert get(app, "/held").scope["sluicegate.delay"] == 0


def test_in_shadow_nobody_is_held(clock: ManualClock) -> None:
    app = app_of(Rule("*", "10/second", delay=1), shadow=True, clock=clock)
    assert "sluicegate.delay" not in get(app).scope
    assert "sluicegate.delay" not in get(app).scope


def test_a_refusal_by_another_limit_takes_no_slot(clock: ManualClock) -> None:
    app = app_of(
        Rule("*", "10/second", delay=1, name="slots"),
        Rule("*", "2/minute", name="few"),
        clock=clock,
    )
    assert delays(app, 3) == [0, 0.1, None]
    stores = app._policy.enforcer.owned._latest[0][1]
    assert stores.limiter.peek({"client": "ip:192.0.2.1"}).limits["slots/second"].remaining == 9


@given(
    rate=st.sampled_from([1, 2, 4, 5, 8, 10, 20, 100]),
    burst=st.integers(1, 12),
    undelayed=st.integers(0, 12),
    gaps=st.lists(
        st.sampled_from([0, 0, 0, 1, 10, 49, 50, 100, 125, 250, 1_000, 4_000]), max_size=40
    ),
)
def test_beside_nginx(rate: int, burst: int, undelayed: int, gaps: list[int]) -> None:
    """Both ways: never a request more, never one less, and each is held as long."""
    clock = ManualClock()
    undelayed = min(undelayed, burst)
    rule = Rule("*", f"{rate}/second", delay=burst / rate, undelayed=undelayed)
    app = app_of(rule, clock=clock)
    nginx = LimitReq(Fraction(rate), burst, undelayed)
    now = Fraction(0)
    for milliseconds in gaps:
        clock.advance(milliseconds / 1_000)
        now += Fraction(milliseconds, 1_000)
        expected = nginx.request(now)
        answer = at_once(call(app))
        assert (expected is None) == (answer.status == 429)
        if expected is not None:
            assert answer.scope["sluicegate.delay"] == pytest.approx(float(expected), abs=2e-6)


def sleeps_of(monkeypatch: Any) -> list[float]:
    """What is slept; nobody sleeps in truth."""
    slept: list[float] = []

    async def pause(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("sluicegate.asgi.serving.pause", pause)
    return slept


def test_with_a_real_clock_it_sleeps(monkeypatch: Any) -> None:
    slept = sleeps_of(monkeypatch)
    app = app_of(Rule("*", "1/second", delay=9))
    answers = [get(app) for _ in range(3)]
    assert [answer.status for answer in answers] == [200] * 3
    assert answers[0].scope["sluicegate.delay"] == 0
    assert slept == [answer.scope["sluicegate.delay"] for answer in answers[1:]]
    assert slept == [pytest.approx(1, abs=0.5), pytest.approx(2, abs=0.5)]


def check_in_store(monkeypatch: Any, **options: Any) -> None:
    slept = sleeps_of(monkeypatch)
    app = app_of(Rule("*", "1/minute", delay=180, by="all"), **options)

    async def main() -> list[Answer]:
        return [await call(app) for _ in range(5)]

    answers = asyncio.run(main())
    assert [answer.status for answer in answers] == [*(200,) * 4, 429]
    assert slept == [pytest.approx(wait, abs=30) for wait in (60, 120, 180)]


def test_in_redis(redis_server: Server, monkeypatch: Any) -> None:
    check_in_store(monkeypatch, store=redis_server.url, timeout=30)


def test_in_a_zone(url: str, monkeypatch: Any) -> None:
    check_in_store(monkeypatch, store=url)


def test_in_a_zone_beside_a_clock_for_tests(url: str, clock: ManualClock) -> None:
    app = app_of(Rule("*", "10/second", delay=0.2), store=url, clock=clock)
    assert delays(app, 4) == [0, 0.1, 0.2, None]


def test_a_server_that_is_gone_holds_nobody(start: Any) -> None:
    server = start(Server)
    server.kill()
    rules = [Rule("*", "1/minute", delay=180, on_error="open")]
    app = app_of(*rules, store=server.url)

    async def main() -> list[float]:
        return [(await call(app)).scope["sluicegate.delay"] for _ in range(3)]

    assert asyncio.run(main()) == [0, 0, 0]


def test_a_client_that_goes_while_it_is_held_has_spent_its_slot(monkeypatch: Any) -> None:
    """As in nginx: those behind it were told their slots, which do not move."""
    app = app_of(Rule("*", "1/minute", delay=600), Rule("*", "1 concurrent", name="one"))

    async def main() -> None:
        assert (await call(app)).status == 200
        task = asyncio.create_task(call(app))
        await asyncio.sleep(0.01)
        assert (await call(app)).status == 429  # it has its permit while it is held
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        sleeps_of(monkeypatch)
        answer = await call(app)  # which has come back
        assert answer.scope["sluicegate.delay"] == pytest.approx(120, abs=30)

    asyncio.run(main())
