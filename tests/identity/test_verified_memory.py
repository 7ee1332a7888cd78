"""API keys: what is remembered of what `verify` said."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from asgi_calls import call, get, hello
from key_calls import JUNK, TIERS, Database, all_at_once, policies, soon, with_key
from running import run
from sluicegate import ManualClock
from sluicegate.asgi import RateLimitMiddleware
from sluicegate.fastapi import RateLimitMiddleware as FrameworkMiddleware
from sluicegate.fastapi import VerifiedKeys
from sluicegate.identity import Principal


def test_a_verified_key_is_remembered_for_a_while(clock: ManualClock) -> None:
    asked: list[str] = []

    def verify(key: str) -> str:
        asked.append(key)
        return key

    keys = VerifiedKeys(verify, clock=clock)
    app = RateLimitMiddleware(hello, tiers={"free": (1000, 60)}, verify=keys)
    for seconds, times in [(0, 1), (29.9, 1), (0.1, 2), (29.9, 2), (0.1, 3)]:
        clock.advance(seconds)
        assert get(app, **with_key("a")).status == 200
        assert len(asked) == times
    keys.forget("b")
    keys.forget("a")
    get(app, **with_key("a"))
    get(app, **with_key("a"))
    assert len(asked) == 4
    keys.clear()
    get(app, **with_key("a"))
    assert len(asked) == 5


@pytest.mark.parametrize("verify_ttl", [0, 30, 0.5])
def test_verify_ttl_is_an_option(verify_ttl: float) -> None:
    database = Database()
    app = RateLimitMiddleware(hello, tiers=TIERS, verify=database.verify, verify_ttl=verify_ttl)

    async def main() -> None:
        for _ in range(3):
            await call(app, **with_key("good"))

    run(main())
    assert len(database.asked) == (3 if verify_ttl == 0 else 1)


@pytest.mark.parametrize("ttl", [0, 30])
def test_a_key_that_was_good_needs_no_look_up_that_may_fail(ttl: float, clock: ManualClock) -> None:
    database = Database()
    keys = VerifiedKeys(database.verify, ttl=ttl, clock=clock)
    app = RateLimitMiddleware(hello, tiers=TIERS, verify=keys)

    async def main() -> None:
        await call(app, **with_key("good"))
        clock.advance(31)
        await all_at_once(app, JUNK)
        assert len(database.asked) == 11
        assert policies([await call(app, **with_key("good"))]) == {'"premium"'}
        assert policies([await call(app, **with_key("good too"))]) == {'"free"'}
        assert database.asked[11:] == ["good"]

    run(main())


def test_a_key_that_was_good_and_is_not_any_more_has_one_look_up(clock: ManualClock) -> None:
    asked: list[str] = []
    works = [True]

    def verify(key: str) -> str | None:
        asked.append(key)
        if not works[0]:
            raise LookupError
        return key

    app = RateLimitMiddleware(
        hello, tiers={"free": (1, 60)}, verify=VerifiedKeys(verify, ttl=0, clock=clock)
    )
    for key in ("a", "b"):
        get(app, **with_key(key))
    works[0] = False
    for key in ("a", "b"):
        with pytest.raises(LookupError):
            get(app, **with_key(key))
    for key in ("a", "b", "a", "b"):
        get(app, **with_key(key))
    assert asked == ["a", "b", "a", "b"]


def test_what_is_forgotten_while_it_is_looked_up_is_not_remembered() -> None:
    database = Database(open_now=False)
    keys = VerifiedKeys(database.verify)
    app = RateLimitMiddleware(hello, tiers=TIERS, verify=keys)

    async def main() -> None:
        first = asyncio.create_task(call(app, **with_key("good")))
        await soon(lambda: database.asked)
        keys.forget("good")
        # What began before the key was revoked is no answer to who comes after.
        second = asyncio.create_task(call(app, **with_key("good")))
        await soon(lambda: len(database.asked) == 2)
        keys.forget("good")
        database.open.set()
        await asyncio.gather(first, second)
        await call(app, **with_key("good"))
        assert len(database.asked) == 3
        await call(app, **with_key("good"))
        assert len(database.asked) == 3

    run(main())


def test_the_memory_is_bounded_and_holds_no_key() -> None:
    asked: list[str] = []

    def verify(key: str) -> Principal:
        asked.append(key)
        return Principal("somebody", "premium")

    keys = VerifiedKeys(verify, max_keys=3)
    app = RateLimitMiddleware(hello, tiers=TIERS, verify=keys)
    for number in (0, 1, 2, 0, 3, 1, 0):
        get(app, **with_key(f"sk-secret-{number}"))
    # The oldest went first: 0 for 3; 0 again for 1, which was still there, is looked up.
    assert [key[-1] for key in asked] == ["0", "1", "2", "3", "0"]
    held = keys._remembered._known
    assert len(held) == 3
    assert b"secret" not in b"".join(held)
    other = VerifiedKeys(verify)
    assert other._remembered.hashed("a") != keys._remembered.hashed("a")


def test_users_get_at_what_they_pass() -> None:
    revoked: set[str] = set()
    keys = VerifiedKeys(lambda key: None if key in revoked else key)
    app = FastAPI()
    app.add_middleware(FrameworkMiddleware, tiers=TIERS, verify=keys)

    @app.get("/whoami")
    async def whoami() -> None: ...

    @app.post("/revoke")
    async def revoke() -> None:
        revoked.add("k")
        keys.forget("k")

    with TestClient(app, headers={"x-api-key": "k"}) as client:
        told = [client.get("/whoami").headers["x-ratelimit-remaining"] for _ in range(2)]
        client.post("/revoke", headers={"x-api-key": "another"})
        told.append(client.get("/whoami").headers["x-ratelimit-remaining"])
    assert told == ["9", "8", "9"]


@pytest.mark.parametrize(
    ("options", "kind", "text"),
    [
        ({"verify": True}, TypeError, "verify must be callable, got True"),
        ({"verify": str, "verify_ttl": -1}, ValueError, "verify_ttl must be a number of seconds"),
        ({"verify": str, "verify_ttl": "30"}, TypeError, "verify_ttl must be an int or a float"),
        ({"verify": str, "verify_ttl": float("nan")}, ValueError, "verify_ttl must be a number"),
        ({"verify": VerifiedKeys(str), "verify_ttl": 5}, TypeError, "has no effect with Verified"),
        ({"verify_ttl": 5}, TypeError, "verify_ttl has no effect without verify"),
    ],
)
def test_wrong_options_are_named(options: Any, kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=text):
        RateLimitMiddleware(hello, tiers=TIERS, **options)


@pytest.mark.parametrize(
    ("arguments", "options", "text"),
    [
        ((7,), {}, "verify must be callable, got 7"),
        ((VerifiedKeys(str),), {}, "verify must be callable, got <sluicegate"),
        ((str,), {"ttl": -1}, "ttl must be a number of seconds from 0"),
        ((str,), {"max_keys": 0}, "max_keys must be an int from 1"),
        ((str,), {"clock": 7}, "clock must be a ManualClock"),
    ],
)
def test_wrong_arguments_are_named(arguments: Any, options: Any, text: str) -> None:
    with pytest.raises((ValueError, TypeError), match=text):
        VerifiedKeys(*arguments, **options)


def test_a_key_to_forget_is_a_str_and_not_told() -> None:
    with pytest.raises(TypeError, match=r"key must be a str, got bytes\Z"):
        VerifiedKeys(str).forget(b"sk-secret")  # type: ignore[arg-type]
