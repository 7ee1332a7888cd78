"""Another Enforcer in the place of one, while requests are under way: what was counted stays."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Sequence
from typing import Any
from weakref import ref

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from asgi_calls import call, get, hello
from redis_servers import Server
from sluicegate import ManualClock
from sluicegate.asgi import RateLimitMiddleware
from sluicegate.fastapi import rate_limit
from sluicegate.policy import Policy, Rule
from sluicegate.policy.enforcer import Enforcer

pytest_plugins = ["redis_fixtures"]


def replace(policy: Policy, other: Policy) -> None:
    """As a file does that is loaded again."""
    object.__setattr__(policy, "enforcer", Enforcer(other, policy.enforcer.owned))


def left(app: Any, path: str = "/", **options: Any) -> dict[str, int]:
    async def main() -> str:
        answer = await call(app, path, **options)
        return answer.headers.get("ratelimit", str(answer.status))

    items = [item.split(";") for item in asyncio.run(main()).split(", ")]
    return {name.strip('"'): int(r.removeprefix("r=")) for name, r, *_ in items}


def check_kept(**options: Any) -> None:
    """Changed amounts, new and other rules, and those that go and come again."""

    def policy_of(*rules: Rule, tiers: Any = None) -> Policy:
        return Policy(tiers, rules=rules, **options)

    policy = policy_of(
        Rule("*", "9/hour", name="a"),
        Rule("*", "5/hour", name="b", by="address"),
        tiers={"free": "100/hour; 900/day"},
    )
    app = RateLimitMiddleware(hello, policy=policy)
    assert left(app) == {"a/hour": 8, "b/hour": 4, "free/hour": 99, "free/day": 899}
    new = policy_of(
        Rule("*", "7/hour", name="c"),
        Rule("/x", "9/hour", name="x"),
        Rule("*", "20/hour", name="a", on_error=options.get("on_error")),
        Rule("*", "5/hour", name="b", by="address"),
        tiers={"all": "50/hour; 70/day"},
    )
    replace(policy, new)
    assert left(app) == {
        "c/hour": 6,
        "a/hour": 18,
        "b/hour": 3,
        "all/hour": 48,
        "all/day": 68,
    }
    replace(policy, policy_of(Rule("*", "9/hour", name="b", by="address")))
    assert left(app) == {"b/hour": 6}
    replace(policy, new)
    assert left(app)["b/hour"] == 1


def test_in_memory(clock: ManualClock) -> None:
    check_kept(clock=clock)


def test_in_a_zone(url: str) -> None:
    check_kept(store=url)


@pytest.mark.parametrize("on_error", [None, "closed"])
def test_in_redis(redis_server: Server, on_error: Any) -> None:
    check_kept(store=redis_server.url, timeout=30, on_error=on_error)


def test_counts_stay_where_other_things_are_counted_by_than_before(redis_server: Server) -> None:
    """Of keys of one kind only, a Cluster's nodes are chosen by them: no key is another one then."""
    url = redis_server.url
    only_clients = Policy(rules=[Rule("*", "9/hour", name="a")], store=url, timeout=30)
    app = RateLimitMiddleware(hello, policy=only_clients)
    assert left(app) == {"a/hour": 8}
    rules = [Rule("*", "9/hour", name="a"), Rule("*", "9/hour", name="b", by="all")]
    replace(only_clients, Policy(rules=rules, store=url, timeout=30))
    assert left(app) == {"a/hour": 7, "b/hour": 8}


def test_a_request_under_way_ends_by_the_rules_that_it_began_with(clock: ManualClock) -> None:
    async def main() -> None:
        inside, end = asyncio.Event(), asyncio.Event()

        async def slow(scope: Any, receive: Any, send: Any) -> None:
            inside.set()
            await end.wait()
            await hello(scope, receive, send)

        def policy_of(*rules: Rule) -> Policy:
            return Policy(rules=rules, clock=clock)

        first = [
            Rule("*", "9/hour", name="failures", counts="failures"),
            Rule("*", "9/hour", name="gone", counts="failures"),
            Rule("*", "2 concurrent", name="one"),
        ]
        policy = policy_of(*first)
        app = RateLimitMiddleware(slow, policy=policy)
        task = asyncio.create_task(call(app))
        await inside.wait()
        replace(policy, policy_of(Rule("/x", "1/hour", name="new"), first[0], first[2]))
        gate = policy.enforcer.owned._latest[0][1].limiter
        keys = {"client": "ip:192.0.2.1"}

        def now() -> dict[str, int]:
            return {name: each.remaining for name, each in gate.peek(keys).limits.items()}

        assert now() == {"new/hour": 1, "failures/hour": 8, "one/concurrent": 1}
        end.set()
        answer = await task
        assert answer.status == 200
        assert '"gone/hour";r=8' in answer.headers["ratelimit"]
        assert now() == {"new/hour": 1, "failures/hour": 9, "one/concurrent": 2}

    asyncio.run(main())


def test_plain_requests_follow_too(clock: ManualClock) -> None:
    policy = Policy({"free": "5/minute"}, clock=clock)
    app = RateLimitMiddleware(hello, policy=policy)
    assert left(app) == {"free": 4}
    assert policy.enforcer.is_plain
    replace(policy, Policy({"free": "9/minute"}, clock=clock))
    assert left(app) == {"free": 7}
    replace(
        policy, Policy({"free": "9/minute"}, rules=[Rule("*", "5/minute", name="a")], clock=clock)
    )
    assert left(app)["a/minute"] == 4
    replace(policy, Policy({"free": "9/minute"}, clock=clock))
    assert left(app) == {"free": 6}


def test_an_endpoints_limit_keeps_its_counts(clock: ManualClock) -> None:
    policy = Policy(rules=[Rule("*", "9/minute", name="all")], clock=clock)
    app = FastAPI()
    app.add_middleware(RateLimitMiddleware, policy=policy)

    @app.get("/", dependencies=[rate_limit("3/minute")])
    async def root() -> None: ...

    client = TestClient(app, client=("192.0.2.1", 1))
    statuses = [client.get("/").status_code for _ in range(2)]
    replace(policy, Policy(rules=[Rule("*", "8/minute", name="all")], clock=clock))
    statuses += [client.get("/").status_code for _ in range(2)]
    assert statuses == [200, 200, 200, 429]


def test_one_that_cannot_be_made_changes_nothing(clock: ManualClock) -> None:
    policy = Policy(rules=[Rule("*", "9/minute", name="a")], clock=clock)
    app = RateLimitMiddleware(hello, policy=policy)
    assert left(app) == {"a/minute": 8}
    for wrong in (
        {"rules": [Rule("*", "9/minute", name="b")], "messages": "oh"},
        {"rules": [Rule("*", "9/minute", name="b")], "tiers": lambda name: None},
    ):
        with pytest.raises((TypeError, ValueError)):
            Enforcer(_Unchecked(clock, wrong), policy.enforcer.owned)  # type: ignore[arg-type]
    replace(policy, Policy(rules=[Rule("*", "9/minute", name="a")], clock=clock))
    assert left(app) == {"a/minute": 7}


class _Unchecked:
    """Options whose Enforcer fails half way."""

    def __init__(self, clock: ManualClock, options: dict[str, Any]) -> None:
        self._policy = Policy(rules=[Rule("*", "9/minute", name="b")], clock=clock)
        self._options = options

    def __getattr__(self, name: str) -> Any:
        if name in self._options:
            return self._options[name]
        if name == "has_plans":
            return callable(self._options.get("tiers"))
        if name == "has_only_rules":
            return "tiers" not in self._options
        return getattr(self._policy, name)


def test_what_was_replaced_goes_away(clock: ManualClock) -> None:
    def policy_of(limit: int) -> Policy:
        return Policy(rules=[Rule("*", f"{limit}/minute", name="a")], clock=clock)

    policy = policy_of(9)
    app = RateLimitMiddleware(hello, policy=policy)
    get(app)
    before = ref(policy.enforcer)
    for limit in range(10, 20):
        replace(policy, policy_of(limit))
        get(app)
    gc.collect()
    assert before() is None
    owned = policy.enforcer.owned
    assert len(owned._latest) == 1


def test_many_reloads_under_load_lose_nothing(clock: ManualClock) -> None:
    """Each of 200 requests is counted, whichever rules it has met."""

    async def main() -> None:
        def policy_of(number: int) -> Policy:
            extra = [Rule("/never", "1/minute", name=f"n{number}")] * (number % 2)
            return Policy(
                rules=[
                    *extra,
                    Rule("*", f"{1_000 + number}/day", name="a", algorithm="fixed_window"),
                ],
                clock=clock,
            )

        async def slow(scope: Any, receive: Any, send: Any) -> None:
            await asyncio.sleep(0)
            await hello(scope, receive, send)

        policy = policy_of(0)
        app = RateLimitMiddleware(slow, policy=policy)
        under_way: list[Any] = []
        for number in range(1, 101):
            under_way += [asyncio.create_task(call(app)) for _ in range(2)]
            await asyncio.sleep(0)
            replace(policy, policy_of(number))
        statuses: Sequence[int] = [answer.status for answer in await asyncio.gather(*under_way)]
        assert statuses == [200] * 200
        answer = await call(app)
        assert answer.scope["sluicegate.decision"].remaining == 1_100 - 201

    asyncio.run(main())
