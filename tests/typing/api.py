"""What type checkers must accept, and what they must infer. Checked, never run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from typing_extensions import assert_type

from sluicegate import (
    ConcurrencyLimiter,
    Decision,
    FixedWindow,
    Gate,
    Limit,
    Limiter,
    ManualClock,
    Quota,
    RateLimitError,
    SegmentedWindow,
    SlidingWindowCounter,
    SlidingWindowRateLimiter,
    Statistics,
    TokenBucket,
    TokenBucketConfig,
    wsgi,
)
from sluicegate._support.asgi_types import ASGIApp
from sluicegate.asgi import FixedRefusal, problem_refusal
from sluicegate.asgi import RateLimitMiddleware as BareMiddleware
from sluicegate.concurrency import Permit
from sluicegate.fastapi import RateLimitMiddleware, rate_limit
from sluicegate.hooks import Details, Hook
from sluicegate.identity import ClientAddress, Principal, VerifiedKeys
from sluicegate.metrics import InstrumentedRateLimiter
from sluicegate.opentelemetry import OpenTelemetryHook
from sluicegate.policy import Policy
from sluicegate.redis import ClusterRateLimiter, RedisSlidingWindowRateLimiter
from sluicegate.redis import ConcurrencyLimiter as InRedis
from sluicegate.redis import FixedWindow as RedisFixedWindow
from sluicegate.redis import Gate as RedisGate
from sluicegate.redis import Permit as RemotePermit
from sluicegate.redis import TokenBucket as RedisBucket
from sluicegate.testing import limits_off

clock = ManualClock(10)
limiters: list[Limiter] = [
    FixedWindow(100, 60),
    SlidingWindowRateLimiter(),
    SlidingWindowRateLimiter(max_requests=100, window_seconds=0.5, overflow="admit"),
    SegmentedWindow(limit=100_000, window_seconds=86_400, overflow="admit", clock=clock),
    SlidingWindowCounter(limit=100, window_seconds=60, max_keys=10, clock=clock),
    TokenBucket(TokenBucketConfig(100, 10)),
    TokenBucket(capacity=100, refill_rate=0.5, initial_tokens=3),
    TokenBucket(100, 0.5),
    TokenBucket(100, 0.5, 3, max_keys=10),
]


async def verbs(limiter: Limiter, bucket: TokenBucket) -> None:
    assert_type(limiter.check("a"), Decision)
    assert_type(limiter.check(key="a", cost=2), Decision)
    assert_type(limiter.peek("a"), Decision)
    assert_type(limiter.is_allowed("a"), bool)
    assert_type(limiter.is_allowed_many(["a", "b"]), list[bool])
    assert_type(await limiter.wait("a", timeout=2), Decision)
    assert_type(limiter.wait_sync("a", timeout=None), Decision)
    assert_type(limiter.statistics(), Statistics)
    assert_type(await bucket.acquire(tokens=5), Decision)
    assert_type(await bucket.acquire("llm", 5), Decision)
    assert_type(await bucket.acquire(5, "llm"), Decision)
    allowed, info = await bucket.acquire(5)
    if allowed and info["remaining"]:
        limiter.refund("a", 2)
    limiter.reset("a")
    limiter.clear()


def values(decision: Decision, error: RateLimitError) -> Iterator[float]:
    yield from (decision.retry_after, decision.reset_after, decision.reset_at, error.retry_after)
    assert_type(decision.remaining, int)
    assert_type(decision.allowed, bool)


def articles(limiter: SlidingWindowRateLimiter) -> None:
    assert_type(limiter.is_allowed(client_id="a"), bool)
    assert_type(limiter.get_remaining(client_id="a"), int)
    assert_type(limiter.get_reset_time("a"), float)


def plan_of(name: str) -> Quota | None:
    return Quota(9, 60) if name == "default" else None


def wrong_plan_of(name: str) -> int:
    return len(name)


def web(app: FastAPI) -> None:
    app.add_middleware(RateLimitMiddleware, tiers={"free": (100, 60)})
    app.add_middleware(
        RateLimitMiddleware,
        limiter=FixedWindow(1, 1),
        trusted_proxies=["10.0.0.0/8"],
        verify=lambda key: Principal(key, "premium"),
        refusal=problem_refusal,
    )
    busy = FixedRefusal(503, "Busy", content_type="text/plain")
    assert_type(busy.text, str | None)
    BareMiddleware(app, tiers={"free": FixedWindow(1, 1)}, trusted_proxies=2, refusal=busy)
    keys = VerifiedKeys(lambda key: Principal(key), ttl=60)
    BareMiddleware(app, tiers={"free": (1, 1)}, verify=keys)
    tiers = {"free": "100/minute", "paid": Quota(9, 1, burst=20), "staff": "unlimited"}
    policy = Policy(tiers, messages="20/second", concurrency="5 concurrent", unknown_tier="error")
    BareMiddleware(app, policy=policy)
    plans: dict[str, str | Quota | tuple[int, float]] = {"free": (100, 60), "paid": "9/second"}
    Policy(tiers=plans.get, default_tier="free", tier_ttl=5)
    Policy(tiers=plan_of)
    Policy(tiers=wrong_plan_of)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    print(rate_limit("10/minute"), rate_limit(Quota("10/minute"), algorithm=None))
    keys.forget("a")
    info: dict[str, Any] = rate_limit(10, 60) or rate_limit(10, window_seconds=60)
    assert_type(ClientAddress(ipv6_prefix=56)({"type": "http"}), str)
    with limits_off():
        print(info)


def wsgi_app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    return []


@wsgi.rate_limit("10/second; 100/minute", scope="reports")
def view(number: int) -> str:
    return str(number)


def in_wsgi(policy: Policy) -> None:
    wsgi.RateLimitMiddleware(wsgi_app, tiers={"free": "100/minute"}, refusal=wsgi_app)
    wsgi.RateLimitMiddleware(wsgi.RateLimitMiddleware(wsgi_app, policy=policy), {"free": (1, 1)})
    assert_type(view(3), str)
    wsgi.rate_limit(policy=policy)(wsgi_app)
    view("3")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


class Refusals:
    def on_refused(self, details: Details) -> None:
        assert_type(details.retry_after, float | None)
        assert_type(details.limit_name, str | None)


hooks: list[Hook] = [Refusals(), OpenTelemetryHook(admissions=False)]
counted = InstrumentedRateLimiter(FixedWindow(100, 60), "free", hooks=hooks)
assert_type(counted.is_allowed("key", endpoint="/tea"), bool)
FastAPI().add_middleware(RateLimitMiddleware, tiers={"free": (1, 60)}, metrics=True, hooks=hooks)


gate = Gate([Limit("5/second", by="user"), Limit("9 tokens/minute", by="org")])
keys = {"user": "u1", "org": None}
assert_type(InstrumentedRateLimiter(gate, "free").is_allowed(keys, endpoint="/tea"), bool)
BareMiddleware(
    FastAPI(), limiter=gate, keys={"user": lambda scope: "u1", "org": lambda scope: None}
)
BareMiddleware(FastAPI(), {"free": "5/second; 9/day", "staff": gate}, cost=lambda _: {"tokens": 5})
FastAPI(dependencies=[rate_limit("10/second; 100/minute"), rate_limit(gate, name="chat")])
FastAPI(dependencies=[rate_limit(RedisGate("redis://", "5/second; 9/day"))])


async def counted_in_redis() -> None:
    several = InstrumentedRateLimiter(RedisGate("redis://", "5/second; 9/day"), "free")
    assert_type(await several.is_allowed("key"), bool)
    window = InstrumentedRateLimiter(RedisFixedWindow("redis://", 9, 60), "free")
    assert_type(await window.is_allowed("key", "/tea"), Decision)
    log = InstrumentedRateLimiter(RedisSlidingWindowRateLimiter("redis://"), "free")
    assert_type(await log.is_allowed("key"), bool)


async def in_redis() -> None:
    for bucket in (
        RedisBucket("redis://", 100, 0.5),
        RedisBucket("redis://", capacity=100, refill_rate=0.5, on_error="closed"),
        RedisBucket("redis://", TokenBucketConfig(100, 0.5)),
    ):
        assert_type(await bucket.acquire("llm", 5), Decision)
        assert_type(await bucket.acquire(5, key="llm"), Decision)
        assert_type(await bucket.acquire("llm", tokens=5), Decision)
        assert_type(await bucket.check("llm"), Decision)
        assert_type(await bucket.check_many(["llm"]), list[Decision])
        assert_type(bucket.config, TokenBucketConfig)
        await bucket.set_quota(100, 1)
    assert_type(RedisBucket("redis://", "10/second burst 20"), RedisBucket)
    for window in (
        RedisFixedWindow("redis://", "100/minute", prefix="p"),
        RedisFixedWindow("redis://", Quota("1000/day in UTC")),
        RedisFixedWindow("redis://", limit=9, window_seconds=60),
    ):
        assert_type(window, RedisFixedWindow)
        assert_type(await window.set_quota("100/minute"), None)
        assert_type(await window.set_quota(100, 60), None)
    log = RedisSlidingWindowRateLimiter("redis://", "100/minute")
    assert_type(await log.set_quota(Quota("9/minute")), None)
    assert_type(await log.set_quota(max_requests=9, window_seconds=60), None)
    assert_type(InRedis("redis://", "5 concurrent"), InRedis)
    async with ClusterRateLimiter(["redis://"]) as cluster:
        assert_type(await cluster.is_allowed("k", "100/minute"), Decision)
        assert_type(await cluster.is_allowed("k", 100, 60), Decision)
    RedisFixedWindow("redis://", 9)  # type: ignore[call-overload] # pyright: ignore[reportCallIssue, reportArgumentType]
    RedisFixedWindow("redis://", "9/s", 60)  # type: ignore[call-overload] # pyright: ignore[reportCallIssue, reportArgumentType]
    await window.set_quota(9)  # type: ignore[call-overload] # pyright: ignore[reportCallIssue, reportArgumentType]


async def permits(memory: ConcurrencyLimiter, remote: InRedis) -> None:
    assert_type(memory.try_acquire("k"), Permit | None)
    assert_type(await remote.try_acquire("k"), RemotePermit | None)
    with memory.permit("k", timeout=None) as blocking:
        assert_type(blocking, Permit)
    async with memory.permit("k") as here, remote.permit("k", timeout=1.5) as there:
        assert_type(here, Permit)
        assert_type(there, RemotePermit)
        await there.release()
    assert_type(memory.in_use("k"), int)
    assert_type(await remote.in_use("k"), int)


def from_a_file(app: ASGIApp) -> None:
    policy = Policy.from_file("limits.toml", reload_seconds=5, keys={"org": str})
    assert_type(policy, Policy)
    assert_type(policy.reload(), bool)
    assert_type(policy.statistics().loaded_at, float | None)
    BareMiddleware(app, policy="limits.toml", reload_seconds=5, metrics=True)
    BareMiddleware(app, policy=5)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    FastAPI().add_middleware(RateLimitMiddleware, policy=Path("limits.yaml"))
