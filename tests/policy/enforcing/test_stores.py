"""Rules in several stores: each store's limits decide together, and a later store gives back."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from asgi_calls import Answer, call, hello
from redis_servers import Server
from sluicegate import ManualClock
from sluicegate.asgi import RateLimitMiddleware
from sluicegate.errors import StoreError
from sluicegate.policy import Policy, Rule
from sluicegate.policy.enforcing.stores import RuleStores
from sluicegate.policy.owned import Owned

pytest_plugins = ["redis_fixtures"]

ME = "ip:192.0.2.1"
KEYS = {"client": ME, "all": "all"}


def app_of(*rules: Rule, **options: Any) -> RateLimitMiddleware:
    return RateLimitMiddleware(hello, policy=Policy(rules=rules, **options))


def ask(app: Any, *paths: str, **options: Any) -> list[Answer]:
    async def main() -> list[Answer]:
        return [await call(app, path, **options) for path in paths]

    return asyncio.run(main())


def statuses(app: Any, *paths: str, **options: Any) -> list[int]:
    return [answer.status for answer in ask(app, *paths, **options)]


def left(app: RateLimitMiddleware) -> dict[str, int]:
    """What is left of this client's in all stores of the policy."""
    found: dict[str, int] = {}
    for _, kept in app._policy.enforcer.owned._latest:
        if kept.limiter is not None:
            bys = {part.limit.by for part in kept.limiter.parts}
            limits = kept.limiter.peek_sync({by: KEYS[by] for by in bys}).limits
            found |= {name: each.remaining for name, each in limits.items()}
    return found


def test_a_refusal_in_redis_gives_back_in_memory_and_a_zone(
    redis_server: Server, url: str, clock: ManualClock
) -> None:
    app = app_of(
        Rule("*", "9/minute", name="here"),
        Rule("*", "9/hour", name="zone", store=url),
        Rule("/a", "1/hour", name="redis", store=redis_server.url),
        clock=clock,
    )
    assert statuses(app, "/a", "/a", "/a", "/b") == [200, 429, 429, 200]
    assert left(app) == {"here/minute": 7, "zone/hour": 7, "redis/hour": 0}


def test_one_in_memory_asks_no_server(redis_server: Server, clock: ManualClock) -> None:
    """The policy's own store comes first, wherever the rule stands."""
    app = app_of(
        Rule("*", "9/hour", name="redis", store=redis_server.url),
        Rule("*", "1/minute", name="here"),
        clock=clock,
    )
    assert statuses(app, "/", "/", "/") == [200, 429, 429]
    assert left(app) == {"redis/hour": 8, "here/minute": 0}


def test_what_is_given_back_is_what_was_spent(redis_server: Server, clock: ManualClock) -> None:
    """By receipt: units and costs of each limit, whatever is spent meanwhile."""
    app = app_of(
        Rule("*", "9/minute; 90/day", name="own", cost=2),
        Rule("*", "9/minute", name="failures", counts="failures"),
        Rule("/full", "1/hour", name="full", by="all", store=redis_server.url),
        tiers={"free": "99/minute"},
        clock=clock,
    )
    assert statuses(app, "/full") == [200]
    before = left(app)
    assert before["own/day"] == 88
    assert statuses(app, *["/full"] * 5) == [429] * 5
    assert left(app) == before


def test_fields_tell_of_all_stores(url: str, clock: ManualClock) -> None:
    app = app_of(
        Rule("*", "9/minute", name="here"),
        Rule("*", "3/hour", name="zone", store=url),
        clock=clock,
    )
    (first, *_, refused) = ask(app, *["/"] * 4)
    assert first.headers["ratelimit"] == '"here/minute";r=8;t=60, "zone/hour";r=2;t=4115'
    assert first.headers["x-ratelimit-limit"] == "3"  # of the smallest share
    assert first.scope["sluicegate.decision"].name == "zone/hour"
    assert refused.status == 429
    assert refused.headers["x-ratelimit-limit"] == "3"
    assert refused.headers["ratelimit"] == '"here/minute";r=5;t=60, "zone/hour";r=0;t=4115'
    assert refused.scope["sluicegate.refusal"].limit_name == "zone/hour"


def test_limits_with_rules_in_one_store_are_one_decision(url: str, clock: ManualClock) -> None:
    app = app_of(
        Rule("*", "9/minute", name="a", store=url),
        Rule("*", "1/hour", name="b", store=url),
        store=url,
        clock=clock,
    )
    answers = ask(app, "/", "/")
    assert list(answers[0].scope["sluicegate.decision"].limits) == ["a/minute", "b/hour"]
    assert left(app) == {"a/minute": 8, "b/hour": 0}


def test_permits_in_two_stores_come_back(url: str) -> None:
    async def main() -> None:
        end = asyncio.Event()
        inside: list[int] = []

        async def slow(scope: Any, receive: Any, send: Any) -> None:
            inside.append(1)
            await end.wait()
            await hello(scope, receive, send)

        policy = Policy(
            rules=[
                Rule("*", "3 concurrent", name="here"),
                Rule("*", "2 concurrent; 9/hour", name="zone", store=url),
            ]
        )
        app = RateLimitMiddleware(slow, policy=policy)
        tasks = [asyncio.create_task(call(app)) for _ in range(2)]
        while len(inside) < 2:
            await asyncio.sleep(0.001)
        refused = await call(app)
        assert refused.status == 429
        assert left(app) == {"here/concurrent": 1, "zone/concurrent": 0, "zone/hour": 7}
        end.set()
        assert [(await task).status for task in tasks] == [200, 200]
        assert left(app) == {"here/concurrent": 3, "zone/concurrent": 2, "zone/hour": 7}

    asyncio.run(main())


def test_the_strictest_on_error_of_those_that_apply() -> None:
    url = "redis://localhost:1/0"
    rules = [
        Rule("*", "1/minute", name="own"),
        Rule("*", "1/minute", name="open", on_error="open"),
        Rule("*", "1/minute", name="raise", on_error="raise"),
        Rule("*", "1/minute", name="closed", on_error="closed"),
    ]
    policy = Policy(rules=rules, store=url)
    stores = RuleStores(policy, rules, Owned(policy))
    own, is_open, raises, closed = rules
    assert stores.on_error(0, [own]) == "local"
    assert stores.on_error(0, [is_open]) == "open"
    assert stores.on_error(0, [is_open], with_own=True) == "local"  # the tier's
    assert stores.on_error(0, [is_open, own]) == "local"
    assert stores.on_error(0, [own, raises]) == "raise"
    assert stores.on_error(0, [own, closed, raises]) == "closed"
    assert stores.on_error(0, [], with_own=True) == "local"
    assert len(stores.stores[0].gates) == 4
    assert len({gate.name for gate in stores.stores[0].gates}) == 1


def test_when_the_server_is_gone(start: Any) -> None:
    server = start(Server)
    server.kill()
    app = app_of(
        Rule("/login", "1/minute", name="login", on_error="closed"),
        Rule("/open", "1/minute", name="open", on_error="open"),
        Rule("/raise", "1/minute", name="raise", on_error="raise"),
        Rule("/local", "1/minute", name="local"),
        store=server.url,
    )
    assert statuses(app, "/login", "/login") == [503, 503]
    assert statuses(app, "/open", "/open") == [200, 200]
    assert statuses(app, "/local", "/local") == [200, 429]
    with pytest.raises(StoreError):
        statuses(app, "/raise")
    refused = ask(app, "/login")[0]
    assert refused.headers["retry-after"] == "1"
    assert "ratelimit" not in refused.headers


def test_a_store_that_raises_gives_back_what_came_before(start: Any, clock: ManualClock) -> None:
    server = start(Server)
    server.kill()
    app = app_of(
        Rule("*", "9/minute", name="here"),
        Rule("*", "9/minute", name="there", store=server.url, on_error="raise"),
        clock=clock,
    )
    for _ in range(3):
        with pytest.raises(StoreError):
            statuses(app, "/")
    here = app._policy.enforcer.owned._latest[0][1].limiter
    assert here.peek({"client": ME}).remaining == 9


def test_each_on_error_counts_with_the_others(redis_server: Server) -> None:
    app = app_of(
        Rule("*", "3/hour", name="all"),
        Rule("/login", "9/hour", name="login", on_error="closed"),
        store=redis_server.url,
        timeout=30,
    )
    assert statuses(app, "/", "/login", "/", "/login") == [200, 200, 200, 429]


def test_of_the_policys_options_a_store_has_those_of_its_kind(
    redis_server: Server, url: str, clock: ManualClock
) -> None:
    app = app_of(
        Rule("*", "9/minute", name="here", store=url),
        store=redis_server.url,
        prefix="shop",
        timeout=30,
        on_error="closed",
    )
    assert statuses(app, "/") == [200]
    of_its_own = url.replace("limits.zone", "manual.zone")
    memory = app_of(
        Rule("*", "2/minute", name="zone", store=of_its_own),
        clock=clock,
        max_keys=5,
        algorithm="fixed_window",
    )
    assert statuses(memory, "/", "/", "/") == [200, 200, 429]
    clock.advance(60)
    assert statuses(memory, "/") == [200]


def test_a_zone_that_cannot_count_a_rule(url: str) -> None:
    with pytest.raises(ValueError, match=r"rules\[1\]: .*an exact log does not fit a zone"):
        Policy(
            rules=[
                Rule("*", "9/minute"),
                Rule("/a", "9/minute", algorithm="sliding_window", store=url),
            ]
        )
    with pytest.raises(ValueError, match=r"rules\[0\]: quota '5000/minute': in a zone"):
        Policy(rules=[Rule("/a", "5000/minute")], store=url)


def test_permits_of_rules_in_redis(redis_server: Server) -> None:
    async def main() -> None:
        inside, end = asyncio.Event(), asyncio.Event()

        async def slow(scope: Any, receive: Any, send: Any) -> None:
            inside.set()
            await end.wait()
            await hello(scope, receive, send)

        rules = [Rule("*", "1 concurrent; 9/hour", name="one")]
        policy = Policy(rules=rules, store=redis_server.url, timeout=30)
        app = RateLimitMiddleware(slow, policy=policy)
        task = asyncio.create_task(call(app))
        await inside.wait()
        assert (await call(app)).status == 429
        end.set()
        assert (await task).status == 200
        decision = await policy.enforcer.owned._latest[0][1].limiter.peek({"client": ME})
        left = {name: each.remaining for name, each in decision.limits.items()}
        assert left == {"one/concurrent": 1, "one/hour": 8}

    asyncio.run(main())


@pytest.mark.long
def test_in_a_cluster_all_limits_of_a_request_are_on_one_node(redis_cluster: Any) -> None:
    rules = [
        Rule("*", "5/hour", by="address", name="a", counts="failures"),
        Rule("/x", "2/hour", by="all", name="x"),
        Rule("*", "3 concurrent", name="c"),
    ]
    app = app_of(*rules, tiers={"free": "9/hour"}, store=redis_cluster.url, timeout=30)
    answers = ask(app, "/x", "/x", "/x", "/y")
    assert [answer.status for answer in answers] == [200, 200, 429, 200]
    assert answers[3].headers["ratelimit"].startswith('"a/hour";r=4')
    assert answers[3].headers["ratelimit"].endswith('"free/hour";r=6;t=3600')
