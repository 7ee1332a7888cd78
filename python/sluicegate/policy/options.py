"""The options that middleware and ``rate_limit`` share, spelt once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

# These are what typing.get_type_hints() looks for.
from sluicegate._connection.on_error import OnError
from sluicegate._core import ManualClock, Quota
from sluicegate._support.arguments import whole
from sluicegate._support.asgi_types import ASGIApp, Scope
from sluicegate._support.functions import check_callables
from sluicegate._support.prefixes import PREFIX, check_prefix, joined
from sluicegate.identity.client_address import ClientAddress
from sluicegate.identity.proxies import header_name
from sluicegate.identity.verified import TTL, VerifiedKeys
from sluicegate.observe.hooks import Hook
from sluicegate.policy.algorithms import Algorithm, limiter_for, limiter_in_redis, window_of
from sluicegate.policy.gates.keys import check_keys
from sluicegate.policy.quotas import GivenLimit
from sluicegate.refusals import json_refusal

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
else:
    CollectorRegistry = Any  # of a package that need not be there

__all__ = [
    "LimiterOptions",
    "Overflow",
    "PolicyOptions",
    "SharedOptions",
    "default",
]

T = TypeVar("T")

Overflow = Literal["share", "admit"]

_IN_REDIS = ("prefix", "timeout", "on_error", "workers", "remember")
_IN_MEMORY = ("max_keys", "overflow", "clock")
_OF_STORE = ("redis", *_IN_REDIS, *_IN_MEMORY)
_LEASE_SECONDS = 30.0


def default(value: T) -> T:
    """``value`` as an object of its own, so that the same one is told apart when a user gives it."""
    kind: Any = type(type(value).__name__, (type(value),), {})
    return cast("T", kind(value))


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class LimiterOptions:
    """How limits that are given as numbers are counted: the algorithm, the place, its options.

    ``None`` is a limiter's own default. Their values are checked by the limiters.

    Raises:
        ValueError, TypeError: a prefix out of its range, or an option of the other place.
    """

    algorithm: Algorithm | None = None
    redis: object = None
    prefix: str | None = None
    timeout: float | None = None
    on_error: OnError | None = None
    workers: int | None = None
    remember: bool | None = None
    max_keys: int | None = None
    overflow: Overflow | None = None
    clock: ManualClock | None = None

    def __post_init__(self) -> None:
        others = _IN_REDIS if self.redis is None else _IN_MEMORY
        for name in others:
            if getattr(self, name) is None:
                continue
            if self.redis is None:
                raise TypeError(f"{name}= is for limits in Redis: give redis= too, or leave it out")
            raise TypeError(f"{name}= is for limits in memory: it means nothing with redis=")
        if self.prefix is not None:
            check_prefix(self.prefix)

    def refuse_unused(self, because: str) -> None:
        """Raise ``TypeError`` if anything is given, since no limiter is made by it."""
        for name in self.of_store():
            raise TypeError(f"{name}= means nothing here: {because}")

    def is_given(self, *names: str) -> bool:
        """Whether the user has given one of these options."""
        return any(getattr(self, name) is not getattr(type(self), name) for name in names)

    def of_store(self) -> dict[str, Any]:
        """The options of the place that were given."""
        return self._given(_OF_STORE)

    def description(self) -> tuple[object, ...]:
        """What two limiters of one quota and algorithm may differ in."""
        return tuple(getattr(self, name) for name in _OF_STORE)

    def make_limiter(self, algorithm: Algorithm, quota: Quota, *names: str) -> Any:
        """A limiter of ``quota``.

        In Redis its keys begin with the prefix, the ``names``, the algorithm, the window (a bucket
        has none) and the unit, if it is not requests; but not with the amount, which may change
        without forgetting what was spent.
        """
        if self.redis is None:
            return limiter_for(algorithm, quota, **self._given(_IN_MEMORY))
        given = self._given(_IN_REDIS[1:])

        def prefix(algorithm: str) -> str:
            window = () if algorithm == "token_bucket" else (window_of(quota),)
            unit = () if quota.unit == "requests" else (quota.unit,)
            return joined(self._prefix, *names, algorithm, *window, *unit)

        return limiter_in_redis(self.redis, algorithm, quota, prefix, **given)

    def make_permits(self, concurrent: int | str | Quota) -> Any:
        """A limiter of so many permits."""
        from sluicegate.concurrency.memory import ConcurrencyLimiter

        permits = ConcurrencyLimiter(concurrent)
        if self.redis is None:
            return permits
        from sluicegate.concurrency import redis as in_redis

        given = self._given(("timeout", "on_error", "workers"))
        timeout = given.get("timeout")
        if isinstance(timeout, (int, float)) and timeout >= _LEASE_SECONDS:
            given["lease_seconds"] = 2 * timeout  # which has to be longer
        prefix = f"{self._prefix}:concurrency"
        return in_redis.ConcurrencyLimiter(self.redis, permits.limit, prefix=prefix, **given)

    @property
    def _prefix(self) -> str:
        return PREFIX if self.prefix is None else self.prefix

    def _given(self, names: tuple[str, ...]) -> dict[str, Any]:
        values = {name: getattr(self, name) for name in names}
        return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class SharedOptions(LimiterOptions):
    """What the middleware and ``rate_limit`` both take; :class:`Policy` says what it means."""

    identify: Callable[[Any], Any] | None = None
    cost: Callable[[Any], Any] | None = None
    keys: Mapping[str, Callable[[Any], Any]] | None = None
    trusted_proxies: Iterable[str] | int = default(())
    proxy_header: str = default("x-forwarded-for")
    ipv6_prefix: int = default(64)
    no_address: Callable[[Scope], str] | str | None = None
    headers: Iterable[str] | str = ("x-ratelimit", "ietf")
    closed_status: int = default(503)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_callables(identify=self.identify, cost=self.cost)
        if self.keys is not None:
            check_keys(self.keys)
        whole("closed_status", self.closed_status, 400, 599)
        header_name(self.proxy_header, "proxy_header")

    def has_own_address(self) -> bool:
        """Whether the options say anything of who the client is by its address."""
        return self.is_given("trusted_proxies", "proxy_header", "ipv6_prefix", "no_address")

    def client_address(self) -> ClientAddress:
        """Who the client is, by the options."""
        return ClientAddress(
            self.trusted_proxies,
            header=self.proxy_header,
            ipv6_prefix=self.ipv6_prefix,
            no_address=self.no_address,
        )


@dataclass(frozen=True, eq=False, repr=False)
class PolicyOptions(SharedOptions):
    """All that a policy is made of; :class:`Policy` says what it means."""

    tiers: Mapping[str, Any] | Callable[[str], GivenLimit | None] | None = None
    _: KW_ONLY
    limiter: Any = None
    tier: Callable[[Any], Any] | None = None
    default_tier: str | None = None
    tier_ttl: float = default(60.0)
    unknown_tier: Literal["default", "error"] = default("default")
    verify: Callable[[str], Any] | VerifiedKeys | None = None
    verify_ttl: float = TTL
    api_key_header: str = default("x-api-key")
    exempt: Iterable[str] | Callable[[Any], Any] = ()
    exempt_preflight: bool = True
    cors: Iterable[str] | str | None = None
    shadow: bool = False
    refusal: ASGIApp = json_refusal
    messages: Any = None
    concurrency: Any = None
    name: str = default("default")
    metrics: bool | CollectorRegistry = False
    hooks: Iterable[Hook] = ()
    endpoint: Callable[[Any], str] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for option in ("exempt_preflight", "shadow"):
            value = getattr(self, option)
            if not isinstance(value, bool):
                raise TypeError(f"{option} must be True or False, got {value!r}")
        check_callables(tier=self.tier)
        if not isinstance(self.name, str):
            raise TypeError(f"name must be a str, got {self.name!r}")
        if not (self.default_tier is None or isinstance(self.default_tier, str)):
            raise TypeError(f"default_tier must be a str or None, got {self.default_tier!r}")
        if self.unknown_tier not in ("default", "error"):
            raise ValueError(
                f"unknown_tier must be 'default' or 'error', got {self.unknown_tier!r}"
            )
        if not callable(self.refusal):
            raise TypeError(f"refusal must be callable, an ASGI app, got {self.refusal!r}")

    @property
    def has_plans(self) -> bool:
        """Whether the tiers are a function's, so that more may come and any may change."""
        return callable(self.tiers) and not isinstance(self.tiers, Mapping)
