"""The hot methods take their arguments in every way that a method does."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable
from enum import IntEnum
from typing import Any

import pytest

from sluicegate import Decision, FixedWindow, Limiter, SlidingWindowRateLimiter, TokenBucket
from sluicegate.testing import limits_off


class Price(IntEnum):
    """An int that is not exactly one."""

    THREE = 3


def article(limit: int) -> Limiter:
    return SlidingWindowRateLimiter(limit, 60)


def window(limit: int) -> Limiter:
    return FixedWindow(limit, 3600)


CASES = [
    pytest.param(window, "is_allowed", "key", id="is_allowed"),
    pytest.param(window, "check", "key", id="check"),
    pytest.param(article, "is_allowed", "client_id", id="the article's is_allowed"),
    pytest.param(article, "check", "key", id="the log's check"),
]
NAMED_COST = "".join(["co", "st"])  # a str of its own, not the one that calls in code use


@pytest.mark.parametrize(("make", "verb", "key"), CASES)
def test_all_ways_to_call_spend_the_same(
    make: Callable[[int], Limiter], verb: str, key: str
) -> None:
    calls: list[Callable[[Any], Any]] = [
        lambda method: method("k", 3),
        lambda method: method("k", cost=3),
        lambda method: method(**{key: "k", "cost": 3}),
        lambda method: method(cost=3, **{key: "k"}),
        lambda method: method("k", **{NAMED_COST: 3}),
        lambda method: method("k", Price.THREE),
        lambda method: [method("k"), method(**{key: "k"}), method("k", 1)],
        lambda method: type(method.__self__).__dict__.get(verb, getattr(Limiter, verb))(
            method.__self__, "k", 3
        ),
    ]
    for call in calls:
        limiter = make(100)
        assert call(getattr(limiter, verb))
        assert limiter.peek("k").remaining == 97
        assert limiter.peek("other").remaining == 100


@pytest.mark.parametrize(("make", "verb", "key"), CASES)
def test_what_is_wrong_is_told_and_nothing_spent(
    make: Callable[[int], Limiter], verb: str, key: str
) -> None:
    limiter = make(5)
    method: Any = getattr(limiter, verb)
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        method()
    with pytest.raises(TypeError, match="positional arguments"):
        method("k", 1, 2)
    with pytest.raises(TypeError, match="unexpected keyword argument 'price'"):
        method("k", price=1)
    with pytest.raises(TypeError, match=f"multiple values for argument '{key}'"):
        method("k", **{key: "k"})
    with pytest.raises(TypeError, match="multiple values for argument 'cost'"):
        method("k", 1, cost=1)
    for bad in (b"k", 1, None, ["k"]):
        with pytest.raises(TypeError, match="key must be a str, got"):
            method(bad)
    for bad in (True, 1.0, "1", None):
        with pytest.raises(TypeError, match="cost must be an int, got"):
            method("k", bad)
    for bad in (0, -1, 6, 2**32, 2**64, -(2**64)):
        with pytest.raises(ValueError, match=f"cost .*{bad}".replace("-", "[-]")):
            method("k", bad)
    assert limiter.peek("k").remaining == 5
    assert limiter.statistics().admitted == limiter.statistics().refused == 0


def test_answers_are_what_they_were() -> None:
    limiter = SlidingWindowRateLimiter(1, 60)
    assert limiter.is_allowed("k") is True
    assert limiter.is_allowed("k") is False
    assert isinstance(limiter.check("k"), Decision)
    assert limiter.is_allowed("\ud800") is True  # a key without UTF-8
    assert limiter.is_allowed("\ud800") is False
    with limits_off():
        assert limiter.is_allowed("k") is True
        assert limiter.check("k").allowed


def test_subclasses_may_override_them() -> None:
    class Doubled(TokenBucket):
        def is_allowed(self, key: str, cost: int = 1) -> bool:
            return super().is_allowed(key, 2 * cost)

    bucket = Doubled(capacity=10, refill_rate=0.001)
    assert bucket.is_allowed("k", cost=4)
    assert bucket.peek("k").remaining == 2
    assert bucket.check("k", 2)


def test_they_belong_to_their_class() -> None:
    method: Any = Limiter.is_allowed
    with pytest.raises(TypeError, match="Limiter"):
        method("no limiter", "k")
    articles: Any = SlidingWindowRateLimiter.is_allowed
    with pytest.raises(TypeError, match="SlidingWindowRateLimiter"):
        articles(FixedWindow(1, 1), "k")


def test_help_and_editors_see_their_signatures() -> None:
    assert str(inspect.signature(Limiter.check)) == "(self, /, key, cost=1, *, quota=None)"
    assert str(inspect.signature(Limiter.is_allowed)) == "(self, /, key, cost=1, *, quota=None)"
    article = inspect.signature(SlidingWindowRateLimiter.is_allowed)
    assert str(article) == "(self, /, client_id, cost=1, *, quota=None)"
    assert Limiter.check.__qualname__ == "Limiter.check"


def test_a_lock_that_is_held_is_waited_for_without_the_interpreter() -> None:
    limiter = FixedWindow(1_000_000, 3600)
    batch = ["k"] * 200_000
    thread = threading.Thread(target=limiter.is_allowed_many, args=(batch,))
    thread.start()
    mine = 0
    while thread.is_alive():
        mine += limiter.is_allowed("k") + limiter.check("k").allowed
    thread.join()
    assert limiter.statistics().admitted == len(batch) + mine
