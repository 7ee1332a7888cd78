"""Limits that count by the status: charged when a request comes, put right when it is answered."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from asgi_calls import call, get
from redis_servers import Server
from sluicegate import ManualClock
from sluicegate.asgi import RateLimitMiddleware
from sluicegate.policy import Policy, Rule

LOGIN = Rule("POST /login", "5/minute", by="address", counts="failures", name="login")


async def login(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the status of the query, once the scope's gate is open."""
    scope.get("inside", []).append(1)
    if "gate" in scope:
        await scope["gate"].wait()
    status = int(scope["query_string"])
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body"})


def app_of(*rules: Rule, **options: Any) -> RateLimitMiddleware:
    return RateLimitMiddleware(login, policy=Policy(rules=rules, **options))


def post(app: Any, status: int, **options: Any) -> int:
    return get(app, "/login", method="POST", query_string=b"%d" % status, **options).status


def at_once(app: Any, status: int, times: int) -> tuple[list[int], int]:
    """Requests that are all under way before one of them is answered: their statuses, and how many
    came to the app.
    """

    async def main() -> tuple[list[int], int]:
        inside: list[int] = []
        opened = asyncio.Event()

        async def one() -> int:
            options: dict[str, Any] = {"inside": inside, "gate": opened}
            query = b"%d" % status
            answer = await call(app, "/login", method="POST", query_string=query, **options)
            return answer.status

        tasks = [asyncio.create_task(one()) for _ in range(times)]
        refused = times - 5
        while sum(task.done() for task in tasks) < refused:
            await asyncio.sleep(0.001)
        opened.set()
        return await asyncio.gather(*tasks), len(inside)

    return asyncio.run(main())


def check_logins(app: Any) -> None:
    """A storm of wrong passwords, at a limit of five; and right ones, which spend nothing that stays."""
    for _ in range(20):
        assert post(app, 200) == 200
    statuses, inside = at_once(app, 401, 50)
    assert inside == 5
    assert sorted(statuses) == [401] * 5 + [429] * 45
    assert post(app, 200) == 429
    assert post(app, 200, peer="192.0.2.2") == 200


def test_wrong_passwords_in_memory(clock: ManualClock) -> None:
    check_logins(app_of(LOGIN, clock=clock))


def test_wrong_passwords_in_a_zone(url: str, clock: ManualClock) -> None:
    check_logins(app_of(LOGIN, store=url, clock=clock))


def test_wrong_passwords_in_redis(redis_server: Server) -> None:
    check_logins(app_of(LOGIN, store=redis_server.url, timeout=30))


def test_right_passwords_at_once_are_bounded_too(clock: ManualClock) -> None:
    app = app_of(LOGIN, clock=clock)
    statuses, inside = at_once(app, 200, 50)
    assert (sorted(statuses), inside) == ([200] * 5 + [429] * 45, 5)
    assert [post(app, 401) for _ in range(6)] == [401] * 5 + [429]


@pytest.mark.parametrize(
    ("counts", "stays"),
    [
        ("all", 6),
        ("failures", 3),
        ("successes", 3),
        (lambda status: status // 100, 1 + 2 + 3 + 4 + 4 + 5),
    ],
)
def test_which_statuses_stay_spent(counts: Any, stays: int, clock: ManualClock) -> None:
    app = app_of(Rule("/login", "100/minute", name="a", counts=counts), clock=clock)
    for status in (101, 200, 302, 400, 404, 500):
        assert post(app, status) == status
    assert left_of(app) == {"a/minute": 100 - stays}


def left_of(app: RateLimitMiddleware) -> dict[str, int]:
    gate = app._policy.enforcer.owned._latest[0][1].limiter
    limits = gate.peek({"client": "ip:192.0.2.1"}).limits
    return {name: each.remaining for name, each in limits.items()}


def test_each_limit_is_put_right_by_its_own_rule(clock: ManualClock) -> None:
    app = app_of(
        Rule("*", "9/minute; 99/hour", name="failures", counts="failures"),
        Rule("*", "9/minute", name="successes", counts="successes"),
        Rule("*", "9/minute", name="cost", counts="successes", cost=3),
        Rule("*", "9/minute", name="all"),
        tiers={"free": "9/minute"},
        clock=clock,
    )
    post(app, 200)
    assert left_of(app) == {
        "failures/minute": 9,
        "failures/hour": 99,
        "successes/minute": 8,
        "cost/minute": 6,
        "all/minute": 8,
        "client/minute": 8,
    }
    post(app, 500)
    assert left_of(app) == {
        "failures/minute": 8,
        "failures/hour": 98,
        "successes/minute": 8,
        "cost/minute": 6,
        "all/minute": 7,
        "client/minute": 7,
    }


def test_the_real_cost_may_be_more_than_was_charged(clock: ManualClock) -> None:
    app = app_of(Rule("*", "9/minute", name="a", counts=lambda status: 11), clock=clock)
    assert [post(app, 200), post(app, 200)] == [200, 429]
    clock.advance(60)
    assert post(app, 200) == 200


def test_a_function_of_the_status_that_fails(clock: ManualClock, caplog: Any) -> None:
    def fails(status: int) -> int:
        raise LookupError(status)

    app = app_of(Rule("*", "2/minute", counts=fails), clock=clock)
    assert [post(app, 200) for _ in range(3)] == [200, 200, 429]
    assert "counts= failed for the status 200" in caplog.text


@pytest.mark.parametrize("units", [-1, 1.5, None, "1", True])
def test_units_that_are_none(units: Any, clock: ManualClock, caplog: Any) -> None:
    """What a function says that is no number of units changes nothing, and the log tells why."""
    app = app_of(Rule("*", "2/minute", name="a", counts=lambda status: units), clock=clock)
    assert [post(app, 200) for _ in range(3)] == [200, 200, 429]
    assert "counts= failed" in caplog.text


def test_an_app_that_raises_has_failed(clock: ManualClock) -> None:
    async def fails(scope: Any, receive: Any, send: Any) -> None:
        raise LookupError("oh")

    policy = Policy(
        rules=[
            Rule("*", "9/minute", name="failures", counts="failures"),
            Rule("*", "9/minute", name="successes", counts="successes"),
        ],
        clock=clock,
    )
    app = RateLimitMiddleware(fails, policy=policy)
    with pytest.raises(LookupError, match="oh"):
        get(app)
    assert left_of(app) == {"failures/minute": 8, "successes/minute": 9}


def test_one_that_raises_once_it_has_answered_is_settled_once(clock: ManualClock) -> None:
    async def fails(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise LookupError("oh")

    seen: list[int] = []

    def counts(status: int) -> int:
        seen.append(status)
        return 0

    policy = Policy(rules=[Rule("*", "9/minute", name="a", counts=counts)], clock=clock)
    app = RateLimitMiddleware(fails, policy=policy)
    with pytest.raises(LookupError, match="oh"):
        get(app)
    assert left_of(app) == {"a/minute": 9}
    assert seen == [200]


@pytest.mark.parametrize("counts", ["failures", "successes"])
def test_of_one_that_is_cancelled_or_never_answers_all_stays_spent(
    counts: Any, clock: ManualClock
) -> None:
    """Its client has gone: whether its password was right, nobody knows."""

    async def forever(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.Event().wait()

    async def leaves(scope: Any, receive: Any, send: Any) -> None:
        await receive()

    policy = Policy(rules=[Rule("*", "9/minute", name="a", counts=counts)], clock=clock)
    app = RateLimitMiddleware(forever, policy=policy)

    async def main() -> None:
        task = asyncio.create_task(call(app))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(IndexError):  # of nothing that was sent
            await call(RateLimitMiddleware(leaves, policy=policy))

    asyncio.run(main())
    assert left_of(app) == {"a/minute": 7}


def test_it_is_settled_before_the_answer_is_passed_on(clock: ManualClock) -> None:
    app = app_of(Rule("*", "1/minute", name="a", counts="failures"), clock=clock)
    seen: list[int] = []

    async def main() -> None:
        scope: dict[str, Any] = {
            "type": "http",
            "method": "GET",
            "path": "/",
            "headers": [],
            "client": ("192.0.2.1", 1),
            "query_string": b"200",
        }

        async def send(message: Any) -> None:
            seen.append(left_of(app)["a/minute"])

        await app(scope, None, send)  # type: ignore[arg-type]

    asyncio.run(main())
    assert seen == [1, 1]


def test_what_an_endpoint_refused_is_given_back_and_not_settled(clock: ManualClock) -> None:
    """A 429 is a failure, but the request has spent nothing."""
    inner = Policy(rules=[Rule("*", "1/minute", name="inner")], clock=clock)
    outer = Policy(rules=[Rule("*", "9/minute", name="outer", counts="failures")], clock=clock)
    app = RateLimitMiddleware(RateLimitMiddleware(login, policy=inner), policy=outer)
    assert [post(app, 401) for _ in range(4)] == [401, 429, 429, 429]
    assert left_of(app) == {"outer/minute": 8}


WEBSOCKETS = [
    (["websocket.accept"], 101),
    (["websocket.close"], 403),
    ([("websocket.http.response.start", 401)], 401),
]


@pytest.mark.parametrize(("messages", "status"), WEBSOCKETS)
def test_a_websocket_that_is_accepted_has_the_status_101(
    messages: Any, status: int, clock: ManualClock
) -> None:
    async def socket(scope: Any, receive: Any, send: Any) -> None:
        for message in messages:
            kind, answered = message if isinstance(message, tuple) else (message, None)
            await send({"type": kind, "headers": [], **({"status": answered} if answered else {})})

    seen: list[int] = []

    def counts(status: int) -> int:
        seen.append(status)
        return 0

    policy = Policy(rules=[Rule("GET /", "9/minute", name="a", counts=counts)], clock=clock)
    app = RateLimitMiddleware(socket, policy=policy)
    get(app, kind="websocket")
    assert seen == [status]
    assert left_of(app) == {"a/minute": 9}
