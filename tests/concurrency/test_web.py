"""The middleware's permits: held for as long as a request goes on, and given back whatever happens."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from fastapi import BackgroundTasks, FastAPI
from fastapi.responses import StreamingResponse
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from asgi_calls import Answer, call, get, hello
from polling import until
from redis_servers import Server
from servers import serving
from sluicegate import ConcurrencyLimiter, SlidingWindowRateLimiter
from sluicegate import redis as in_redis
from sluicegate.asgi import RateLimitMiddleware as BareMiddleware
from sluicegate.asgi import problem_refusal
from sluicegate.concurrency import Permit
from sluicegate.fastapi import RateLimitMiddleware

KEY = "ip:192.0.2.1"
LOCAL = "ip:127.0.0.1"


class Slow:
    """An app that goes on until it is told to end; counts those inside."""

    def __init__(self) -> None:
        self.end = asyncio.Event()
        self.inside = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.inside += 1
        try:
            await self.end.wait()
            await hello(scope, receive, send)
        finally:
            self.inside -= 1


async def started(app: Any, slow: Slow, count: int, **options: Any) -> list[asyncio.Task[Answer]]:
    tasks = [asyncio.create_task(call(app, **options)) for _ in range(count)]
    while slow.inside < count:
        await asyncio.sleep(0.001)
    return tasks


def test_one_too_many_is_refused_and_spends_nothing() -> None:
    async def main() -> None:
        slow, limiter, permits = Slow(), SlidingWindowRateLimiter(10, 60), ConcurrencyLimiter(2)
        app = BareMiddleware(slow, limiter=limiter, concurrency=permits)
        tasks = await started(app, slow, 2)
        refused = await call(app)
        assert refused.status == 429
        assert refused.headers["retry-after"] == "1"
        assert refused.body == b'{"error":"Rate limit exceeded","retry_after":1}'
        assert refused.scope["sluicegate.refusal"].policy == "concurrency"
        assert refused.scope["sluicegate.refusal"].limit == 2
        assert limiter.peek(KEY).remaining == 8
        assert permits.in_use(KEY) == slow.inside == 2
        others = await started(app, slow, 0, peer="192.0.2.2")
        slow.end.set()
        for answer in await asyncio.gather(*tasks, *others):
            assert answer.status == 200
        assert len(permits) == 0
        assert (await call(app)).headers["x-ratelimit-remaining"] == "7"

    asyncio.run(main())


def test_a_number_makes_a_limiter_of_so_many_permits_for_each_client() -> None:
    async def main() -> None:
        slow = Slow()
        app = BareMiddleware(slow, tiers={"free": (10, 60)}, concurrency=1, refusal=problem_refusal)
        tasks = await started(app, slow, 1)
        refused = await call(app)
        assert refused.status == 429
        assert b'"violated-policies":["concurrency"]' in refused.body
        other = asyncio.create_task(call(app, peer="192.0.2.2"))
        while slow.inside < 2:
            await asyncio.sleep(0.001)
        slow.end.set()
        assert [answer.status for answer in await asyncio.gather(*tasks, other)] == [200, 200]

    asyncio.run(main())


def test_a_permit_is_taken_by_the_key_that_pays() -> None:
    permits = ConcurrencyLimiter(1)
    keys: list[list[str]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        keys.append([key for key in (KEY, "key:alice", "somebody") if permits.in_use(key)])
        await hello(scope, receive, send)

    limited = BareMiddleware(
        app,
        limiter=SlidingWindowRateLimiter(10, 60),
        concurrency=permits,
        verify=lambda key: "alice" if key == "right" else None,
    )
    for headers in ([], [("x-api-key", "right")], [("x-api-key", "wrong")]):
        assert get(limited, headers=headers).status == 200
    named = BareMiddleware(
        app,
        limiter=SlidingWindowRateLimiter(10, 60),
        concurrency=permits,
        identify=lambda scope: "somebody",
    )
    assert get(named).status == 200
    assert keys == [[KEY], ["key:alice"], [KEY], ["somebody"]]
    assert len(permits) == 0


def test_a_request_that_costs_too_much_or_has_no_quota_holds_nothing_after() -> None:
    permits = ConcurrencyLimiter(1)
    costs = iter([99, 5, 5])
    app = BareMiddleware(
        hello,
        limiter=SlidingWindowRateLimiter(5, 60),
        concurrency=permits,
        cost=lambda scope: next(costs),
    )
    assert [get(app).status for _ in range(3)] == [413, 200, 429]
    assert len(permits) == 0


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_an_exception_or_a_cancelled_request_frees_it(kind: str) -> None:
    async def fails(scope: Any, receive: Any, send: Any) -> None:
        assert permits.in_use(KEY) == 1
        raise ZeroDivisionError

    async def main() -> None:
        app = BareMiddleware(fails, tiers={"free": (10, 60)}, concurrency=permits)
        with pytest.raises(ZeroDivisionError):
            await call(app, kind=kind)
        slow = Slow()
        app = BareMiddleware(slow, tiers={"free": (10, 60)}, concurrency=permits)
        (task,) = await started(app, slow, 1, kind=kind)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    permits = ConcurrencyLimiter(1)
    asyncio.run(main())
    assert len(permits) == 0


def test_it_is_released_not_left_to_garbage_collection() -> None:
    class Keeping(ConcurrencyLimiter):
        """Keeps every permit that it gave."""

        def try_acquire(self, key: str) -> Permit | None:
            permit = super().try_acquire(key)
            kept.append(permit)
            return permit

    kept: list[Permit | None] = []
    permits = Keeping(1)
    app = BareMiddleware(hello, tiers={"free": (2, 60)}, concurrency=permits)
    assert [get(app).status for _ in range(3)] == [200, 200, 429]
    assert [permit is not None and permit.held for permit in kept] == [False] * 3
    assert None not in kept


def test_what_is_exempt_or_in_shadow_takes_no_permit_beyond_the_limit() -> None:
    async def main() -> None:
        slow, permits = Slow(), ConcurrencyLimiter(1)
        limiter = SlidingWindowRateLimiter(10, 60)
        told: list[Any] = []

        class Told:
            def on_refused(self, details: Any) -> None:
                told.append(details.limiter)

        app = BareMiddleware(
            slow,
            limiter=limiter,
            concurrency=permits,
            shadow=True,
            exempt=["/health"],
            hooks=[Told()],
        )
        tasks = await started(app, slow, 3)
        tasks += [asyncio.create_task(call(app, "/health"))]
        while slow.inside < 4:
            await asyncio.sleep(0.001)
        assert permits.in_use(KEY) == 1
        # As without shadow: who would have been refused has spent nothing, and is told of.
        assert len(told) == 2
        assert limiter.peek(KEY).remaining == 9
        slow.end.set()
        answers = await asyncio.gather(*tasks)
        assert [answer.status for answer in answers] == [200] * 4
        assert len(permits) == 0

    asyncio.run(main())


@pytest.mark.parametrize(
    ("concurrency", "kind", "text"),
    [
        (0, ValueError, "concurrency: limit must be an int from 1"),
        (True, TypeError, "concurrency: limit must be an int, got bool"),
        (1.5, TypeError, "concurrency must be an int or a ConcurrencyLimiter, got 1.5"),
        (SlidingWindowRateLimiter(1, 1), TypeError, "concurrency must be an int or a Conc"),
        (ConcurrencyLimiter, TypeError, "concurrency must be an int or a Conc"),
    ],
)
def test_wrong_options_are_named(concurrency: Any, kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=text):
        BareMiddleware(hello, tiers={"free": (1, 1)}, concurrency=concurrency)


def an_app(permits: Any, ending: threading.Event, **options: Any) -> FastAPI:
    app = FastAPI()
    options = {"tiers": {"free": (50, 600)}, "concurrency": permits, **options}
    app.add_middleware(RateLimitMiddleware, **options)

    async def ended() -> None:
        while not ending.is_set():
            await asyncio.sleep(0.005)

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            yield b"begin "
            await ended()
            yield b"end"

        return StreamingResponse(parts())

    @app.get("/later")
    async def later(background: BackgroundTasks) -> str:
        background.add_task(ended)
        return "fine"

    @app.get("/")
    async def root() -> str:
        return "fine"

    return app


def test_a_streamed_response_holds_it_until_its_end() -> None:
    permits, ending = ConcurrencyLimiter(1), threading.Event()
    with (
        serving(an_app(permits, ending)) as address,
        httpx2.Client(base_url=f"http://{address}", timeout=20) as client,
    ):
        with client.stream("GET", "/stream") as response:
            parts = response.iter_raw()
            assert next(parts) == b"begin "
            refused = client.get("/")
            assert refused.status_code == 429
            assert int(refused.headers["retry-after"]) >= 1
            assert response.headers["x-ratelimit-remaining"] == "49"
            ending.set()
            assert b"".join(parts) == b"end"
        until(lambda: len(permits) == 0, "no permit is held")
        assert client.get("/").headers["x-ratelimit-remaining"] == "48"


def test_background_tasks_hold_it() -> None:
    permits, ending = ConcurrencyLimiter(1), threading.Event()
    with (
        serving(an_app(permits, ending)) as address,
        httpx2.Client(base_url=f"http://{address}", timeout=20) as client,
    ):
        assert client.get("/later").status_code == 200
        assert permits.in_use(LOCAL) == 1
        assert client.get("/").status_code == 429
        ending.set()
        until(lambda: len(permits) == 0, "no permit is held")


def streaming(address: str) -> socket.socket:
    """A connection on which an answer has begun to come."""
    host, port = address.split(":")
    client = socket.create_connection((host, int(port)), 20)
    client.sendall(b"GET /stream HTTP/1.1\r\nhost: here\r\n\r\n")
    received = b""
    while b"begin " not in received:
        received += client.recv(4096)
    assert b" 200 " in received
    return client


def test_a_dropped_connection_frees_it() -> None:
    permits, never = ConcurrencyLimiter(2), threading.Event()
    with serving(an_app(permits, never)) as address:
        for _ in range(3):
            clients = [streaming(address), streaming(address)]
            assert permits.in_use(LOCAL) == 2
            for client in clients:
                client.close()
            until(lambda: len(permits) == 0, "no permit is held")
        never.set()


def test_a_dropped_connection_frees_it_in_redis(redis_server: Server) -> None:
    permits, never = in_redis.ConcurrencyLimiter(redis_server.url, 2, timeout=5), threading.Event()
    with serving(an_app(permits, never)) as address:
        clients = [streaming(address), streaming(address)]
        assert httpx2.get(f"http://{address}/").status_code == 429
        assert redis_server.command("ZCARD", f"sluicegate:permits:2:{{{LOCAL}}}") == 2
        for client in clients:
            client.close()
        until(lambda: redis_server.command("DBSIZE") == 0, "its key is gone")
        assert httpx2.get(f"http://{address}/").headers["x-ratelimit-remaining"] == "47"
        never.set()


def test_a_number_is_counted_in_redis_with_the_rest(redis_server: Server) -> None:
    never = threading.Event()
    app = an_app(1, never, redis=redis_server.url)
    with serving(app) as address, serving(an_app(1, never, redis=redis_server.url)) as other:
        client = streaming(address)
        assert httpx2.get(f"http://{other}/").status_code == 429
        names = redis_server.command("KEYS", "sluicegate:concurrency:*")
        assert names == [f"sluicegate:concurrency:{{{LOCAL}}}".encode()]
        client.close()
        until(lambda: redis_server.command("EXISTS", names[0]) == 0, "its key is gone")
        assert httpx2.get(f"http://{other}/").status_code == 200
        never.set()


def test_a_dead_server_does_not_take_the_site_down() -> None:
    with Server() as server:
        url = server.url
    app = BareMiddleware(hello, tiers={"free": (5, 60)}, redis=url, concurrency=1)

    async def main() -> list[int]:
        return [(await call(app)).status for _ in range(3)]

    assert asyncio.run(main()) == [200, 200, 200]


def test_a_websocket_holds_it_until_it_is_closed() -> None:
    permits = ConcurrencyLimiter(1)

    async def echo(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            await send({"type": "websocket.send", "text": "echo"})

    app = BareMiddleware(echo, tiers={"free": (50, 600)}, concurrency=permits)
    with serving(app) as address:
        with connect(f"ws://{address}/") as open_one:
            open_one.send("x")
            assert open_one.recv() == "echo"
            with pytest.raises(InvalidStatus) as refused:
                connect(f"ws://{address}/")
            assert refused.value.response.status_code == 429
            assert refused.value.response.headers["Retry-After"] == "1"
        until(lambda: len(permits) == 0, "no permit is held")
        with connect(f"ws://{address}/"):
            assert permits.in_use(LOCAL) == 1
