"""API keys: how often `verify` is called, and for whom."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from asgi_calls import Answer, call, get, hello
from key_calls import JUNK, TIERS, Database, all_at_once, policies, soon, with_key
from running import run
from sluicegate import ManualClock
from sluicegate.asgi import RateLimitMiddleware
from sluicegate.fastapi import VerifiedKeys
from sluicegate.identity import Principal


def raises(key: str) -> Any:
    raise LookupError("the database is away")


async def raises_later(key: str) -> Any:
    await asyncio.sleep(0)
    raise LookupError("the database is away")


async def says_yes_later(key: str) -> Any:
    await asyncio.sleep(0)
    return True


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize(
    ("verify", "error"),
    [
        (raises, LookupError),
        (raises_later, LookupError),
        (lambda key: True, TypeError),
        (says_yes_later, TypeError),
        (lambda key: False, TypeError),
        (lambda key: {"id": 7}, TypeError),
    ],
)
def test_a_verify_that_fails_is_called_no_more_often_than_the_limit(
    verify: Callable[[str], Any], error: type[Exception], at_once: bool
) -> None:
    asked = []

    def counted(key: str) -> Any:
        asked.append(key)
        return verify(key)

    app = RateLimitMiddleware(hello, tiers=TIERS, verify=counted)

    async def main() -> list[Any]:
        calls = [call(app, **with_key(key)) for key in JUNK]
        if at_once:
            return await asyncio.gather(*calls, return_exceptions=True)
        return [(await asyncio.gather(one, return_exceptions=True))[0] for one in calls]

    answers = run(main())
    errors = [answer for answer in answers if isinstance(answer, Exception)]
    assert len(asked) == len(errors) == 10
    assert {type(each) for each in errors} == {error}
    statuses = [answer.status for answer in answers if isinstance(answer, Answer)]
    assert (statuses.count(200), statuses.count(429)) == (10, 980)
    # Another address has look-ups of its own.
    with pytest.raises(error):
        get(app, peer="192.0.2.2", **with_key("junk"))


@pytest.mark.parametrize("answer", [True, False, 7, b"alice", ["alice"]])
def test_a_wrong_type_says_what_to_return(answer: Any) -> None:
    app = RateLimitMiddleware(hello, tiers=TIERS, verify=lambda key: answer)
    text = "a Principal or its id as a str, or None for an unknown key; got "
    with pytest.raises(TypeError, match=text + type(answer).__name__) as told:
        get(app, **with_key("sk-secret"))
    assert "secret" not in str(told.value)
    assert "alice" not in str(told.value)


def test_a_good_key_has_its_own_tier_whatever_a_neighbour_has_spent() -> None:
    database = Database()
    app = RateLimitMiddleware(hello, tiers=TIERS, verify=database.verify)

    async def main() -> None:
        assert [(await call(app)).status for _ in range(11)] == [200] * 10 + [429]
        answers = await all_at_once(app, ["good"] * 40)
        assert [answer.status for answer in answers] == [200] * 40
        assert policies(answers) == {'"premium"'}
        assert database.asked == ["good"]
        # It leaves nothing behind: all of the look-ups that may fail are still there.
        await all_at_once(app, JUNK)
        assert len(database.asked) == 11
        assert (await call(app)).status == 429

    run(main())


def test_many_good_keys_at_once_wait_for_each_others_look_ups() -> None:
    database = Database()
    app = RateLimitMiddleware(
        hello, tiers={"free": (3, 60), "premium": (99, 60)}, verify=database.verify
    )

    async def main() -> None:
        keys = [f"good {n % 40}" for n in range(80)]
        answers = await all_at_once(app, keys)
        assert policies(answers) == {'"premium"'}
        assert sorted(database.asked) == sorted(set(keys))
        assert database.most_under_way == 3

    run(main())


def test_good_keys_among_many_that_are_not() -> None:
    """Those that come while places are left are served; all others are answered at the end."""
    database = Database(open_now=False)
    app = RateLimitMiddleware(hello, tiers=TIERS, verify=database.verify)

    async def main() -> None:
        first = asyncio.create_task(all_at_once(app, [*JUNK[:8], "good 1", "good 2"]))
        await soon(lambda: len(database.asked) == 10)
        later = asyncio.create_task(all_at_once(app, ["good 3", "good 4", *JUNK[8:], "good 5"]))
        await asyncio.sleep(0)
        assert len(database.asked) == 10
        database.open.set()
        assert policies((await first)[-2:]) == {'"premium"'}
        answers = await later
        assert policies(answers[:2]) == {'"premium"'}
        assert policies(answers[-1:]) == {'"free"'}
        assert sum(key.startswith("junk") for key in database.asked) == 10

    run(main())


def test_middlewares_may_share_one_and_then_share_its_budget() -> None:
    database = Database()
    keys = VerifiedKeys(database.verify)
    apps = [RateLimitMiddleware(hello, tiers=TIERS, verify=keys) for _ in range(4)]

    async def main() -> None:
        for app in apps:
            await all_at_once(app, JUNK[:20])
        assert len(database.asked) == 10
        answers = [(await call(app, peer="192.0.2.2", **with_key("good"))) for app in apps]
        assert policies(answers) == {'"premium"'}
        assert len(database.asked) == 11

    run(main())


def test_shadow_mode_changes_nothing_but_the_refusal() -> None:
    """The same look-ups, principals and charges, for whatever order of requests."""
    requests = [None] * 12 + ["good"] * 3 + JUNK[:30] + ["good", "good 2", None]

    def outcome(shadow: bool) -> tuple[Any, ...]:
        asked: list[str] = []

        def verify(key: str) -> Principal | None:
            asked.append(key)
            return Principal("of " + key, "premium") if key.startswith("good") else None

        app = RateLimitMiddleware(hello, tiers=TIERS, verify=verify, shadow=shadow)
        seen = []
        for key in requests:
            answer = get(app, **({} if key is None else with_key(key)))
            decision = answer.scope["sluicegate.decision"]
            principal = answer.scope.get("sluicegate.principal")
            seen.append((principal, decision.allowed, decision.limit, decision.remaining))
        tiers = {tier.name: tier.limiter.statistics() for tier in app._policy.enforcer.tiers}
        counts = {name: (each.admitted, each.refused) for name, each in tiers.items()}
        return asked, seen, counts

    assert outcome(shadow=True) == outcome(shadow=False)


def test_a_window_later_there_are_look_ups_again(clock: ManualClock) -> None:
    database = Database()
    keys = VerifiedKeys(database.verify, clock=clock)
    app = RateLimitMiddleware(hello, tiers={"free": (3, 60)}, verify=keys)

    async def main() -> None:
        for seconds, asked in [(0, 3), (59, 3), (1, 6), (30, 6)]:
            clock.advance(seconds)
            await all_at_once(app, JUNK[:50])
            assert len(database.asked) == asked

    run(main())
