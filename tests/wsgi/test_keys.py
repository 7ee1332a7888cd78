"""API keys in threads: looked up once for all who come at once, and not for everybody."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

import asgi_calls
from polling import until
from sluicegate import ManualClock
from sluicegate.asgi import RateLimitMiddleware as ASGIMiddleware
from sluicegate.policy import Policy
from sluicegate.wsgi import Principal, RateLimitMiddleware, VerifiedKeys
from wsgi_calls import call, environ_of, hello

TIERS = {"free": "10/minute", "premium": "1000/minute"}


class Keys:
    """Knows those that begin with "good"; each look-up takes as long as the test wants."""

    def __init__(self, is_open: bool = True) -> None:
        self.asked: list[str] = []
        self.under_way = self.most = 0
        self.open = threading.Event()
        if is_open:
            self.open.set()
        self._lock = threading.Lock()

    def __call__(self, key: str) -> Principal | None:
        with self._lock:
            self.asked.append(key)
            self.under_way += 1
            self.most = max(self.most, self.under_way)
        assert self.open.wait(20)
        with self._lock:
            self.under_way -= 1
        if key == "broken":
            raise ConnectionError("the database has gone")
        if key == "ended":
            raise SystemExit
        return Principal(key, "premium") if key.startswith("good") else None


def asking(pool: ThreadPoolExecutor, app: Any, keys: list[str]) -> list[Future[Any]]:
    return [pool.submit(call, app, environ_of(headers=[("x-api-key", key)])) for key in keys]


def test_threads_that_want_to_know_the_same_wait_for_one_look_up() -> None:
    keys = Keys(is_open=False)
    app = RateLimitMiddleware(hello, TIERS, verify=keys)
    with ThreadPoolExecutor(20) as pool:
        answers = asking(pool, app, ["good"] * 20)
        until(lambda: keys.asked, "it is asked")
        keys.open.set()
        got = [each.result() for each in answers]
    assert keys.asked == ["good"]
    assert [answer.status for answer in got] == [200] * 20
    assert all('"premium"' in answer.headers["ratelimit"] for answer in got)
    assert got[0].environ["sluicegate.principal"] == Principal("good", "premium")


def test_an_exception_is_told_to_all_who_wait_and_remembered_by_nobody() -> None:
    keys = Keys(is_open=False)
    verified = VerifiedKeys(keys)
    app = RateLimitMiddleware(hello, TIERS, verify=verified)
    with ThreadPoolExecutor(5) as pool:
        answers = asking(pool, app, ["broken"] * 5)
        until(lambda: keys.asked, "it is asked")
        keys.open.set()
        for each in answers:
            with pytest.raises(ConnectionError, match="the database has gone"):
                each.result()
        before = len(keys.asked)
        (again,) = asking(pool, app, ["broken"])
        with pytest.raises(ConnectionError):
            again.result()
    assert len(keys.asked) == before + 1


def test_a_thread_that_is_made_to_end_leaves_the_look_up_to_another() -> None:
    keys = Keys(is_open=False)
    app = RateLimitMiddleware(hello, TIERS, verify=keys)
    with ThreadPoolExecutor(3) as pool:
        answers = asking(pool, app, ["ended"] * 3)
        until(lambda: keys.asked, "it is asked")
        keys.open.set()
        for each in answers:
            with pytest.raises(SystemExit):
                each.result()
    assert keys.asked == ["ended"] * 3


@pytest.mark.parametrize("threads", [1, 16])
def test_an_address_may_try_as_many_wrong_keys_as_the_default_tier_has_requests(
    threads: int,
) -> None:
    keys = Keys()
    app = RateLimitMiddleware(hello, TIERS, verify=keys)
    with ThreadPoolExecutor(threads) as pool:
        junk = asking(pool, app, [f"junk {number}" for number in range(200)])
        statuses = [each.result().status for each in junk]
        (right,) = asking(pool, app, ["good"])
        assert right.result().status == 429, "nobody looks any more, for this address"
    assert len(keys.asked) == 10
    assert statuses.count(200) == 10
    elsewhere = environ_of(peer="192.0.2.9", headers=[("x-api-key", "good")])
    assert call(app, elsewhere).status == 200


def test_slow_look_ups_of_wrong_keys_are_counted_while_they_last() -> None:
    keys = Keys(is_open=False)
    app = RateLimitMiddleware(hello, TIERS, verify=keys)
    with ThreadPoolExecutor(40) as pool:
        answers = asking(pool, app, [f"junk {number}" for number in range(40)])
        until(lambda: len(keys.asked) == 10, "as many as may fail are under way")
        keys.open.set()
        statuses = [each.result().status for each in answers]
    assert (len(keys.asked), keys.most) == (10, 10)
    assert sorted(statuses) == [200] * 10 + [429] * 30


def test_those_who_wait_for_the_budget_are_asked_for_when_others_were_right() -> None:
    keys = Keys(is_open=False)
    app = RateLimitMiddleware(hello, TIERS, verify=keys)
    with ThreadPoolExecutor(30) as pool:
        answers = asking(pool, app, [f"good {number}" for number in range(30)])
        until(lambda: len(keys.asked) == 10, "as many as may fail are under way")
        keys.open.set()
        statuses = [each.result().status for each in answers]
    assert statuses == [200] * 30
    assert len(keys.asked) == 30


def test_a_verified_key_is_remembered_for_a_while_and_forgotten_when_told(
    clock: ManualClock,
) -> None:
    keys = Keys()
    verified = VerifiedKeys(keys, ttl=30, clock=clock)
    app = RateLimitMiddleware(hello, TIERS, verify=verified)

    def ask() -> None:
        call(app, environ_of(headers=[("x-api-key", "good")]))

    ask()
    clock.advance(29)
    ask()
    assert len(keys.asked) == 1
    clock.advance(2)
    ask()
    verified.forget("good")
    ask()
    assert len(keys.asked) == 3


def test_asgi_and_wsgi_share_what_is_remembered_and_what_has_failed() -> None:
    keys = Keys()
    policy = Policy(TIERS, verify=keys)
    asgi = ASGIMiddleware(asgi_calls.hello, policy=policy)
    wsgi = RateLimitMiddleware(hello, policy=policy)
    headers = [("x-api-key", "good")]
    call(wsgi, environ_of(headers=headers))
    asgi_calls.get(asgi, headers=headers)
    assert keys.asked == ["good"]
    for number in range(20):
        wrong = [("x-api-key", f"junk {number}")]
        call(wsgi, environ_of(headers=wrong))
        asgi_calls.get(asgi, headers=wrong)
    assert len(keys.asked) == 1 + 10
