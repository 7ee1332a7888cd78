"""API keys: look-ups that are shared, cancelled, and cut off by the end of a loop or a fork."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import random
import threading
from collections.abc import Awaitable
from typing import Any

import pytest
import trio
import trio.testing

from asgi_calls import Answer, call, get, hello
from forking import ended_well, forked, needs_fork
from key_calls import JUNK, TIERS, Database, all_at_once, policies, soon, with_key
from running import run
from sluicegate.asgi import RateLimitMiddleware
from sluicegate.fastapi import VerifiedKeys
from sluicegate.identity import Principal


@pytest.mark.parametrize("end", ["found", "unknown", "error"])
def test_a_caller_that_is_cancelled_takes_nothing_from_the_others(end: str) -> None:
    gate, asked = asyncio.Event(), []

    async def verify(key: str) -> Any:
        asked.append(key)
        await gate.wait()
        if end == "error":
            raise LookupError
        return Principal("alice", "premium") if end == "found" else None

    app = RateLimitMiddleware(hello, tiers=TIERS, verify=verify)

    async def main() -> None:
        tasks = [asyncio.create_task(call(app, **with_key("k"))) for _ in range(5)]
        await soon(lambda: asked)
        for task in (tasks[0], tasks[3]):
            task.cancel()
        await asyncio.wait([tasks[0], tasks[3]])
        gate.set()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        assert [isinstance(each, asyncio.CancelledError) for each in answers] == [
            True,
            False,
            False,
            True,
            False,
        ]
        left: list[Any] = [answers[1], answers[2], answers[4]]
        assert asked == ["k"]
        if end == "error":
            assert {type(each) for each in left} == {LookupError}
        else:
            assert policies(left) == {'"premium"' if end == "found" else '"free"'}

    run(main())


def test_the_last_caller_that_is_cancelled_ends_the_look_up_and_the_address_pays() -> None:
    database = Database(open_now=False)
    app = RateLimitMiddleware(hello, tiers={"free": (2, 60)}, verify=database.verify)

    async def main() -> None:
        for number in range(2):
            tasks = [asyncio.create_task(call(app, **with_key(f"junk {number}"))) for _ in "ab"]
            await soon(lambda: len(database.asked) == number + 1)  # noqa: B023
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            await soon(lambda: database.cancelled == number + 1)  # noqa: B023
        # So nobody makes look-ups for nothing by hanging up.
        assert (await call(app, **with_key("junk 3"))).status == 200
        assert len(database.asked) == 2

    run(main())


def test_a_request_that_comes_while_a_look_up_is_being_cancelled_has_one_of_its_own() -> None:
    asked: list[str] = []
    cleaned_up = asyncio.Event()

    async def verify(key: str) -> Principal:
        asked.append(key)
        if len(asked) == 1:
            try:
                await asyncio.Event().wait()
            finally:
                await cleaned_up.wait()  # as when a connection is given back
        return Principal(key, "premium")

    app = RateLimitMiddleware(hello, tiers={"free": (2, 60), "premium": (9, 60)}, verify=verify)

    async def main() -> None:
        first = asyncio.create_task(call(app, **with_key("good")))
        await soon(lambda: asked)
        first.cancel()
        await asyncio.wait([first])
        for _ in range(5):
            await asyncio.sleep(0)
        assert policies([await call(app, **with_key("good"))]) == {'"premium"'}
        assert asked == ["good", "good"]
        cleaned_up.set()
        for _ in range(5):
            await asyncio.sleep(0)
        # Only the one that failed to find anything is charged, and it forgets nothing.
        assert policies([await call(app, **with_key("good"))]) == {'"premium"'}
        assert asked == ["good", "good"]

    run(main())


def test_a_look_up_runs_in_a_copy_of_the_first_requests_context() -> None:
    request: contextvars.ContextVar[str] = contextvars.ContextVar("request", default="none")
    seen = []

    async def verify(key: str) -> str:
        seen.append(request.get())
        request.set("verify's own")
        await asyncio.sleep(0)
        return key

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(request.get())
        await hello(scope, receive, send)

    limited = RateLimitMiddleware(app, tiers=TIERS, verify=verify)

    async def one(name: str) -> None:
        request.set(name)
        await call(limited, **with_key("k"))

    async def main() -> None:
        await asyncio.gather(one("first"), one("second"))

    run(main())
    assert seen[0] == "first"
    assert sorted(seen[1:]) == ["first", "second"]


def test_event_loops_in_threads_share_the_budget_and_not_their_look_ups() -> None:
    lock, asked, answers = threading.Lock(), [], []
    begin = threading.Barrier(4)

    async def verify(key: str) -> str | None:
        with lock:
            asked.append(key)
        for _ in range(random.randrange(4)):
            await asyncio.sleep(0)
        return key if key.startswith("good") else None

    app = RateLimitMiddleware(hello, tiers=TIERS, verify=verify)

    async def requests(number: int) -> None:
        keys = [f"junk {number} {n}" for n in range(100)]
        answers.extend(await all_at_once(app, keys))
        others = [call(app, peer="192.0.2.2", **with_key(f"good {n}")) for n in range(20)]
        answers.extend(await asyncio.gather(*others))

    def one(number: int) -> None:
        begin.wait(30)
        run(requests(number))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(answers) == 480
    assert sum(key.startswith("junk") for key in asked) <= 10


@pytest.mark.parametrize("known", [True, False])
def test_a_loop_that_was_closed_holds_no_place(known: bool) -> None:
    database = Database(open_now=False)
    tiers = {"free": (1, 60), "premium": (9, 60)}
    app = RateLimitMiddleware(hello, tiers=tiers, verify=database.verify)

    async def serve(key: str) -> None:
        database.open = asyncio.Event()
        database.open.set()
        assert policies([await call(app, **with_key(key))]) == {'"premium"'}

    with contextlib.closing(asyncio.new_event_loop()) as other:
        if known:
            other.run_until_complete(serve("good"))
            database.open.clear()
        loop = asyncio.new_event_loop()
        task = loop.create_task(call(app, **with_key("good 2")))
        loop.run_until_complete(soon(lambda: "good 2" in database.asked))
        loop.close()
        other.run_until_complete(serve("good 3"))
    assert not task.done()


@needs_fork
def test_a_child_waits_for_no_look_up_of_its_parent() -> None:
    database = Database(open_now=False)
    app = RateLimitMiddleware(
        hello, tiers={"free": (1, 60), "premium": (9, 60)}, verify=database.verify
    )

    async def in_child() -> None:
        database.open = asyncio.Event()
        database.open.set()
        answer = await asyncio.wait_for(call(app, **with_key("good")), 20)
        assert policies([answer]) == {'"premium"'}

    async def main() -> None:
        task = asyncio.create_task(call(app, **with_key("good")))
        await soon(lambda: database.asked)
        child = forked(lambda: asyncio.run(in_child()))
        await asyncio.to_thread(ended_well, [child])
        database.open.set()
        assert policies([await task]) == {'"premium"'}

    run(main())


def test_under_trio_too() -> None:
    request: contextvars.ContextVar[str] = contextvars.ContextVar("request", default="none")
    asked, cancelled = [], []
    gate = trio.Event()
    statuses: list[str] = []

    async def verify(key: str) -> Principal | None:
        asked.append(key)
        assert request.get() == key
        try:
            await gate.wait()
        except trio.Cancelled:
            cancelled.append(key)
            raise
        if key == "error":
            raise LookupError
        return Principal(key, "premium") if key.startswith("good") else None

    app = RateLimitMiddleware(hello, tiers=TIERS, verify=verify)

    async def one(key: str, scope: trio.CancelScope | None = None) -> None:
        request.set(key)
        with scope or trio.CancelScope():
            answer = await call(app, **with_key(key))
            statuses.append(key + answer.headers["ratelimit-policy"])

    async def fails() -> None:
        request.set("error")
        with pytest.raises(LookupError):
            await call(app, peer="192.0.2.2", **with_key("error"))

    async def main() -> None:
        first = trio.CancelScope()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(one, "good", first)
            for key in ["good"] * 40 + [f"good {n}" for n in range(20)]:
                nursery.start_soon(one, key)
            for _ in range(2):
                nursery.start_soon(fails)
            await trio.testing.wait_all_tasks_blocked()
            assert len(asked) == 11
            first.cancel()
            await trio.testing.wait_all_tasks_blocked()
            assert cancelled == []
            gate.set()
        assert len(statuses) == 60
        assert all('"premium"' in status for status in statuses)
        assert asked.count("good") == asked.count("error") == 1
        alone = trio.CancelScope()
        async with trio.open_nursery() as nursery:
            alone.cancel()
            nursery.start_soon(one, "unwanted", alone)
        async with trio.open_nursery() as nursery:
            for key in JUNK[:50]:
                nursery.start_soon(one, key)
        assert sum(not key.startswith(("good", "error")) for key in asked) == 10

    trio.run(main)


class Model:
    """Checks, at each step, what must hold of the look-ups of one address."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.failed = 0
        self.open: list[tuple[str, asyncio.Future[str]]] = []

    async def verify(self, key: str) -> Principal | None:
        ends: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        entry = (key, ends)
        assert key not in [other for other, _ in self.open], "one look-up of a key at a time"
        self.open.append(entry)
        assert self.failed + len(self.open) <= self.limit
        try:
            end = await ends
        except asyncio.CancelledError:
            self.failed += 1
            raise
        finally:
            self.open.remove(entry)
        if end == "found":
            return Principal(key, "premium")
        self.failed += 1
        if end == "error":
            raise LookupError
        return None


@pytest.mark.parametrize("seed", range(60))
def test_any_order_of_requests_ends_and_cancellations(seed: int) -> None:
    luck = random.Random(seed)
    limit = luck.choice([1, 2, 5])
    model = Model(limit)
    keys = VerifiedKeys(model.verify, ttl=1e6)
    tiers = {"free": (limit, 1e6), "premium": (10_000, 1e6)}
    app = RateLimitMiddleware(hello, tiers=tiers, verify=keys)

    async def main() -> None:
        tasks: list[asyncio.Task[Answer]] = []
        for _ in range(200):
            match luck.randrange(8):
                case 0 | 1 | 2:
                    key = f"key {luck.randrange(30)}"
                    tasks.append(asyncio.create_task(call(app, **with_key(key))))
                case 3 if tasks:
                    luck.choice(tasks).cancel()
                case 4 | 5 if model.open:
                    _, ends = luck.choice(model.open)
                    if not ends.done():
                        ends.set_result(luck.choice(["found"] * 8 + ["unknown", "error"]))
                case _:
                    for _ in range(luck.randrange(6)):
                        await asyncio.sleep(0)
        for _ in range(10_000):
            if all(task.done() for task in tasks):
                break
            for _, ends in model.open:
                if not ends.done():
                    ends.set_result("found")
            await asyncio.sleep(0)
        assert all(task.done() for task in tasks), "a request waits for ever"
        for _ in range(3):
            await asyncio.sleep(0)
        (here,) = keys._loops.values()
        assert not here.look_ups
        assert not here.queues._queues
        (failed,) = keys._failures._limiters.values()
        assert failed.peek("ip:192.0.2.1").remaining == limit - model.failed
        await asyncio.gather(*tasks, return_exceptions=True)

    run(main())


def test_an_awaitable_of_any_kind_will_do() -> None:
    class Later:
        def __await__(self) -> Any:
            yield from asyncio.sleep(0).__await__()
            return "alice"

    def future(key: str) -> Awaitable[str]:
        made: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        made.set_result("alice")
        return made

    for verify in (lambda key: Later(), future):
        app = RateLimitMiddleware(hello, tiers=TIERS, verify=verify)
        assert get(app, **with_key("k")).scope["sluicegate.principal"] == Principal("alice")
