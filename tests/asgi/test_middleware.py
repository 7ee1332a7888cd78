"""The middleware around a bare ASGI app."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from typing import Any

import http_sfv
import pytest

from asgi_calls import call, get, hello
from sluicegate import FixedWindow, ManualClock, SlidingWindowRateLimiter, TokenBucket
from sluicegate.asgi import RateLimitMiddleware, json_refusal, problem_refusal
from sluicegate.identity import Principal


@pytest.fixture
def limiter(clock: ManualClock) -> SlidingWindowRateLimiter:
    return SlidingWindowRateLimiter(2, 60, clock=clock)


def test_admits_refuses_and_keeps_its_promise(limiter: Any, clock: ManualClock) -> None:
    app = RateLimitMiddleware(hello, limiter=limiter)
    clock.advance(0.25)
    assert [get(app).status for _ in range(3)] == [200, 200, 429]
    clock.advance(7.5)
    refused = get(app)
    body = json.loads(refused.body)
    assert body == {"error": "Rate limit exceeded", "retry_after": 53}
    assert refused.headers["retry-after"] == "53"
    assert refused.headers["content-type"] == "application/json"
    assert int(refused.headers["content-length"]) == len(refused.body)
    clock.advance(52)
    assert get(app).status == 429
    clock.advance(1)
    assert get(app).status == 200


def test_retry_after_is_never_zero(clock: ManualClock) -> None:
    bucket = TokenBucket(capacity=1, refill_rate=1_000, clock=clock)
    app = RateLimitMiddleware(hello, limiter=bucket)
    get(app)
    refused = get(app)
    assert refused.headers["retry-after"] == "1"
    assert json.loads(refused.body)["retry_after"] == 1


def test_headers_of_both_sets_parse(limiter: Any, clock: ManualClock) -> None:
    clock.advance(1000)
    app = RateLimitMiddleware(hello, limiter=limiter, name='a "name"')
    answers = [get(app) for _ in range(3)]
    assert [answer.headers["x-ratelimit-limit"] for answer in answers] == ["2", "2", "2"]
    assert [answer.headers["x-ratelimit-remaining"] for answer in answers] == ["1", "0", "0"]
    assert [answer.headers["x-ratelimit-reset"] for answer in answers] == ["1060", "1060", "1060"]
    for answer, remaining in zip(answers, (1, 0, 0), strict=True):
        policy, quota = http_sfv.List(), http_sfv.List()
        policy.parse(answer.headers["ratelimit-policy"].encode())
        quota.parse(answer.headers["ratelimit"].encode())
        assert policy[0].value == quota[0].value == 'a "name"'
        assert dict(policy[0].params) == {"q": 2, "w": 60}
        assert dict(quota[0].params) == {"r": remaining, "t": 60}


def test_the_pair_as_the_draft_writes_it(clock: ManualClock) -> None:
    app = RateLimitMiddleware(
        hello, limiter=TokenBucket(capacity=100, refill_rate=5 / 3, clock=clock)
    )
    answer = get(app)
    assert answer.headers["ratelimit-policy"] == '"default";q=100;w=60'
    assert answer.headers["ratelimit"] == '"default";r=99;t=1'


@pytest.mark.parametrize(
    ("sets", "present", "absent"),
    [
        ("ietf", "ratelimit", "x-ratelimit-limit"),
        (("x-ratelimit",), "x-ratelimit-limit", "ratelimit"),
        ((), "content-type", "x-ratelimit-limit"),
    ],
)
def test_header_sets_can_be_turned_off(limiter: Any, sets: Any, present: str, absent: str) -> None:
    answer = get(RateLimitMiddleware(hello, limiter=limiter, headers=sets))
    assert present in answer.headers
    assert absent not in answer.headers


def test_headers_follow_a_new_quota(limiter: Any) -> None:
    app = RateLimitMiddleware(hello, limiter=limiter)
    get(app)
    limiter.set_quota(7, 30)
    answer = get(app)
    assert answer.headers["x-ratelimit-limit"] == "7"
    assert answer.headers["ratelimit-policy"] == '"default";q=7;w=30'


def test_problem_json(limiter: Any) -> None:
    app = RateLimitMiddleware(hello, limiter=limiter, refusal=problem_refusal, name="burst")
    get(app)
    get(app)
    refused = get(app)
    body = json.loads(refused.body)
    assert refused.headers["content-type"] == "application/problem+json"
    assert body["type"] == "https://iana.org/assignments/http-problem-types#quota-exceeded"
    assert body["status"] == refused.status == 429
    assert body["violated-policies"] == ["burst"]
    assert str(body["retry_after"]) == refused.headers["retry-after"] == "60"


def test_the_refusal_is_an_app_of_ones_own(limiter: Any) -> None:
    async def teapot(scope: Any, receive: Any, send: Any) -> None:
        refusal = scope["sluicegate.refusal"]
        headers = [(b"Retry-After", b"7"), (b"x-policy", refusal.policy.encode())]
        await send({"type": "http.response.start", "status": 418, "headers": headers})
        await send({"type": "http.response.body", "body": b"short and stout"})

    app = RateLimitMiddleware(hello, limiter=limiter, refusal=teapot)
    get(app)
    get(app)
    refused = get(app)
    assert (refused.status, refused.body) == (418, b"short and stout")
    assert refused.headers["retry-after"] == "7"
    assert [name.lower() for name, _ in refused.sent[0]["headers"]].count(b"retry-after") == 1
    assert refused.headers["x-ratelimit-remaining"] == "0"


@pytest.mark.parametrize("refusal", [json_refusal, problem_refusal])
def test_a_cost_above_the_limit_is_a_413_without_retry_after(limiter: Any, refusal: Any) -> None:
    app = RateLimitMiddleware(hello, limiter=limiter, cost=lambda scope: 3, refusal=refusal)
    answer = get(app)
    assert answer.status == 413
    assert "retry-after" not in answer.headers
    assert b"costs 3, more than the limit of 2" in answer.body
    assert limiter.statistics().refused == 0


def test_tiers_as_in_article_2(clock: ManualClock) -> None:
    app = RateLimitMiddleware(hello, tiers={"free": (1, 60), "premium": (3, 60)})
    assert [get(app).status for _ in range(2)] == [200, 429]
    # A header by itself buys nothing.
    assert get(app, headers=[("X-API-Key", "anything")]).status == 429
    vip = RateLimitMiddleware(
        hello, tiers={"free": (1, 60), "premium": (3, 60)}, tier=lambda scope: "premium"
    )
    answers = [get(vip) for _ in range(4)]
    assert [answer.status for answer in answers] == [200, 200, 200, 429]
    assert answers[0].headers["ratelimit-policy"] == '"premium";q=3;w=60'


@pytest.mark.parametrize(
    "algorithm",
    [
        "sliding_window",
        "segmented_window",
        "sliding_counter",
        "fixed_window",
        "token_bucket",
        TokenBucket,
    ],
)
def test_algorithms_by_name(algorithm: Any) -> None:
    app = RateLimitMiddleware(hello, tiers={"free": (2, 3600)}, algorithm=algorithm)
    assert [get(app).status for _ in range(3)] == [200, 200, 429]


def test_an_unknown_tier_is_the_default_one_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    app = RateLimitMiddleware(hello, tiers={"free": (1, 60)}, tier=lambda scope: "gold")
    with caplog.at_level(logging.WARNING, "sluicegate"):
        assert [get(app).status for _ in range(2)] == [200, 429]
    assert [record.getMessage() for record in caplog.records].count(
        "There is no tier 'gold': 'free' is used for it. The tiers are free."
    ) == 1


def test_sync_and_async_callables(clock: ManualClock) -> None:
    async def name(scope: Any) -> str:
        await asyncio.sleep(0)
        return dict(scope["headers"])[b"x-user"].decode()

    async def two(scope: Any) -> int:
        return 2

    app = RateLimitMiddleware(
        hello, limiter=SlidingWindowRateLimiter(2, 60, clock=clock), identify=name, cost=two
    )
    assert get(app, headers=[("x-user", "a")]).status == 200
    assert get(app, headers=[("x-user", "a")]).status == 429
    assert get(app, headers=[("x-user", "b")]).status == 200


@pytest.mark.parametrize("option", ["identify", "tier", "cost", "verify", "exempt"])
def test_exceptions_of_callables_are_the_callers(limiter: Any, option: str) -> None:
    def fail(argument: Any) -> Any:
        raise LookupError("the database is away")

    app = RateLimitMiddleware(hello, limiter=limiter, **{option: fail})
    with pytest.raises(LookupError, match="the database is away"):
        get(app, headers=[("x-api-key", "k")])
    assert limiter.statistics().admitted == 0


@pytest.mark.parametrize("cost", [-1, True, 1.5, "1", None])
def test_a_wrong_cost_is_an_error_not_a_refusal(limiter: Any, cost: Any) -> None:
    app = RateLimitMiddleware(hello, limiter=limiter, cost=lambda scope: cost)
    with pytest.raises(
        (ValueError, TypeError), match=r"cost must be .* the function cost= returned"
    ):
        get(app)


def test_identify_must_give_text_or_nothing(limiter: Any) -> None:
    app = RateLimitMiddleware(hello, limiter=limiter, identify=lambda scope: 7)
    with pytest.raises(TypeError, match="identify must return a str or None, got int"):
        get(app)
    app = RateLimitMiddleware(hello, limiter=limiter, identify=lambda scope: None)
    assert [get(app).status for _ in range(3)] == [200, 200, 429]
    assert get(app, peer="192.0.2.2").status == 200


def test_exempt_paths_and_predicates(limiter: Any) -> None:
    app = RateLimitMiddleware(hello, limiter=limiter, exempt=["/health", "/static/*"])
    for path in ["/health", "/static/a.css"] * 3:
        answer = get(app, path)
        assert answer.status == 200
        assert "ratelimit" not in answer.headers
    assert limiter.statistics().admitted == 0
    get(app, "/health/deep")
    assert limiter.statistics().admitted == 1

    async def internal(scope: Any) -> bool:
        return bool(scope["client"][0] == "192.0.2.9")

    app = RateLimitMiddleware(hello, limiter=limiter, exempt=internal)
    assert all(get(app, peer="192.0.2.9").status == 200 for _ in range(5))


def test_shadow_refuses_nobody_and_counts(limiter: Any) -> None:
    app = RateLimitMiddleware(hello, limiter=limiter, shadow=True)
    answers = [get(app) for _ in range(5)]
    assert [answer.status for answer in answers] == [200] * 5
    assert not any(name.startswith(("ratelimit", "x-ratelimit")) for name in answers[4].headers)
    assert (limiter.statistics().admitted, limiter.statistics().refused) == (2, 3)
    assert not answers[4].scope["sluicegate.decision"]


def test_ten_thousand_forged_addresses_are_one_client(limiter: Any) -> None:
    app = RateLimitMiddleware(hello, limiter=limiter)

    async def flood() -> int:
        passed = 0
        for n in range(10_000):
            forged = [("X-Forwarded-For", f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}")]
            passed += (await call(app, headers=forged)).status == 200
        return passed

    assert asyncio.run(flood()) == 2
    assert len(limiter) == 1


def test_trusted_proxies(limiter: Any) -> None:
    app = RateLimitMiddleware(hello, limiter=limiter, trusted_proxies=["192.0.2.0/24"])
    for n in range(5):
        assert get(app, headers=[("X-Forwarded-For", f"203.0.113.{n}")]).status == 200
    assert len(limiter) == 5


class Keys:
    """A database of API keys that counts its look-ups."""

    def __init__(self, sync: bool) -> None:
        self.sync = sync
        self.asked = 0

    def look_up(self, key: str) -> Principal | None:
        self.asked += 1
        return Principal("alice", "premium") if key == "right" else None

    async def look_up_slowly(self, key: str) -> Principal | None:
        found = self.look_up(key)
        for _ in range(random.randrange(5)):
            await asyncio.sleep(0)
        return found

    @property
    def verify(self) -> Any:
        return self.look_up if self.sync else self.look_up_slowly


@pytest.mark.parametrize("sync", [True, False])
@pytest.mark.parametrize("at_once", [True, False])
def test_random_api_keys_get_no_more_than_their_address(sync: bool, at_once: bool) -> None:
    keys = Keys(sync)
    app = RateLimitMiddleware(
        hello, tiers={"free": (10, 60), "premium": (50, 60)}, verify=keys.verify
    )

    async def flood() -> list[int]:
        calls = [call(app, headers=[("X-API-Key", f"random {n}")]) for n in range(1_000)]
        if at_once:
            return [answer.status for answer in await asyncio.gather(*calls)]
        return [(await one).status for one in calls]

    statuses = asyncio.run(flood())
    assert statuses.count(200) == 10
    assert statuses.count(429) == 990
    assert keys.asked <= 10
    # Another address is not touched by that, and a right key there has its own tier.
    right = [get(app, peer="192.0.2.2", headers=[("X-API-Key", "right")]) for _ in range(51)]
    assert [answer.status for answer in right] == [200] * 50 + [429]
    assert right[0].headers["ratelimit-policy"] == '"premium";q=50;w=60'
    # Its principal does not use up the address.
    assert get(app, peer="192.0.2.2").headers["x-ratelimit-remaining"] == "9"


@pytest.mark.parametrize("end", ["raise", "cancel"])
def test_a_look_up_that_fails_blocks_nobody(end: str) -> None:
    async def verify(key: str) -> None:
        if end == "raise":
            raise LookupError
        await asyncio.Event().wait()

    app = RateLimitMiddleware(hello, tiers={"free": (1, 60)}, verify=verify)

    async def main() -> None:
        task = asyncio.ensure_future(call(app, headers=[("x-api-key", "k")]))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert (await call(app)).status == 200

    asyncio.run(main())


class User:
    is_authenticated = True

    def __init__(self, name: str, tier: str | None = None) -> None:
        self.identity = name
        self.tier = tier


def test_a_user_that_an_authentication_layer_found(clock: ManualClock) -> None:
    app = RateLimitMiddleware(hello, tiers={"free": (1, 60), "gold": (2, 60)})
    assert [get(app, user=User("a")).status for _ in range(2)] == [200, 429]
    assert [get(app, user=User("b", "gold")).status for _ in range(3)] == [200, 200, 429]
    assert get(app).status == 200


@pytest.mark.parametrize("kind", ["lifespan", "something.new"])
def test_other_scopes_pass_through(limiter: Any, kind: str) -> None:
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope, receive, send))

    async def receive() -> Any: ...

    async def send(message: Any) -> None: ...

    scope = {"type": kind}
    asyncio.run(RateLimitMiddleware(app, limiter=limiter)(scope, receive, send))
    assert seen == [(scope, receive, send)]


def test_bodies_and_disconnects_are_the_apps(limiter: Any) -> None:
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for _ in range(3):
            seen.append(await receive())
        await hello(scope, receive, send)

    parts = [
        {"type": "http.request", "body": b"a", "more_body": True},
        {"type": "http.request", "body": b"b"},
    ]
    asyncio.run(call(RateLimitMiddleware(app, limiter=limiter), messages=parts))
    assert [message["type"] for message in seen] == [
        "http.request",
        "http.request",
        "http.disconnect",
    ]


def test_a_response_used_twice_does_not_collect_headers(limiter: Any) -> None:
    shared = [(b"content-type", b"text/plain")]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": shared})
        await send({"type": "http.response.body", "body": b""})

    limited = RateLimitMiddleware(app, limiter=limiter)
    get(limited)
    get(limited)
    assert shared == [(b"content-type", b"text/plain")]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, "a policy needs tiers=, limiter= or rules="),
        ({"tiers": {}}, "tiers must name at least one tier"),
        ({"tiers": [1]}, "tiers must be a dict"),
        ({"tiers": {"free": (0, 60)}}, r"tiers\['free'\]: limit must be an int from 1"),
        ({"tiers": {"free": (1, 0)}}, r"tiers\['free'\]: window_seconds must be"),
        ({"tiers": {"free": (1,)}}, r"tiers\['free'\] must be"),
        ({"tiers": {1: (1, 60)}}, "tiers must have str names"),
        ({"tiers": {"ü": (1, 60)}}, r"^tiers\['ü'\]: name must be printable ASCII"),
        ({"limiter": FixedWindow(1, 1), "name": ""}, "^limiter: name must be printable ASCII"),
        ({"limiter": FixedWindow(1, 1), "name": 5}, "^name must be a str, got 5"),
        ({"limiter": FixedWindow(1, 1), "name": ["a"]}, "^name must be a str, got \\['a'\\]"),
        ({"limiter": 7}, "limiter must have the verbs of a Limiter, got 7"),
        ({"limiter": FixedWindow}, "limiter must have the verbs of a Limiter, got <class"),
        ({"algorithm": "leaky"}, "algorithm must be one of 'sliding_window'"),
        ({"trusted_proxies": "*"}, r"trusted_proxies must not be '\*'"),
        ({"trusted_proxies": ["10.0.0.0/8", "*"]}, r"trusted_proxies must not be '\*'"),
        ({"trusted_proxies": ["proxy.local"]}, "trusted_proxies must hold IP networks"),
        ({"trusted_proxies": -1}, "trusted_proxies must be 0 to 32 hops, got -1"),
        ({"proxy_header": "a b"}, "^proxy_header must be the name of an HTTP header"),
        ({"ipv6_prefix": 8}, "ipv6_prefix must be 16 to 128 bits, got 8"),
        ({"no_address": 7}, "no_address must be a str or a callable"),
        ({"identify": "x-user"}, "identify must be callable, got 'x-user'"),
        ({"cost": 2}, "cost must be callable, got 2"),
        ({"verify": True}, "verify must be callable"),
        ({"refusal": None}, "refusal must be callable"),
        ({"headers": ["x-limit"]}, "headers must hold some of"),
        ({"exempt": ["health"]}, "exempt must hold paths that start with '/', got 'health'"),
        ({"messages": (0, 60)}, "messages: limit must be an int"),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], text: str) -> None:
    if options and "tiers" not in options and "limiter" not in options:
        options = {"tiers": {"free": (1, 60)}, **options}
    with pytest.raises((ValueError, TypeError), match=text):
        RateLimitMiddleware(hello, **options)


@pytest.mark.parametrize(
    ("hook", "option"),
    [("_get_tier", "tier="), ("_get_client_id", "identify="), ("dispatch", "refusal=")],
)
def test_the_articles_hooks_name_their_options(hook: str, option: str) -> None:
    with pytest.raises(TypeError, match=option):
        type("Mine", (RateLimitMiddleware,), {hook: lambda self, request: "x"})


def test_no_framework_is_imported() -> None:
    import subprocess
    import sys

    code = (
        "import sys, sluicegate.asgi\n"
        "assert not {'fastapi', 'starlette', 'asyncio'} & set(sys.modules), sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
