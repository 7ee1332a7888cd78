"""The options that middleware and ``rate_limit`` share, spelt once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

# These are what typing.get_type_hints() looks for.
from sluicegate._support.arguments import whole
from sluicegate._support.asgi_types import ASGIApp, Scope, WSGIApp
from sluicegate._support.functions import check_callables
from sluicegate.identity.client_address import ClientAddress
from sluicegate.identity.proxies import header_name
from sluicegate.identity.verified import VerifiedKeys
from sluicegate.observe.hooks import Hook
from sluicegate.policy.gates.keys import check_keys
from sluicegate.policy.identity import Identity, default
from sluicegate.policy.quotas import GivenLimit
from sluicegate.policy.rules.rule import Rule
from sluicegate.policy.stores.options import LimiterOptions
from sluicegate.refusals import json_refusal

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
else:
    CollectorRegistry = Any  # of a package that need not be there

__all__ = [
    "PolicyOptions",
    "SharedOptions",
    "default",
]

_SHORTEST_SECRET = 16


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class SharedOptions(LimiterOptions):
    """What the middleware and ``rate_limit`` both take; :class:`Policy` says what it means."""

    identify: Callable[[Any], Any] | None = None
    cost: Callable[[Any], Any] | None = None
    keys: Mapping[str, Callable[[Any], Any]] | None = None
    trusted_proxies: Iterable[str] | int = Identity.trusted_proxies
    proxy_header: str = Identity.proxy_header
    ipv6_prefix: int = Identity.ipv6_prefix
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
    verify_ttl: float = Identity.verify_ttl
    api_key_header: str = Identity.api_key_header
    exempt: Iterable[str] | Callable[[Any], Any] = ()
    exempt_preflight: bool = True
    cors: Iterable[str] | str | None = None
    shadow: bool = False
    refusal: ASGIApp | WSGIApp = json_refusal
    messages: Any = None
    concurrency: Any = None
    name: str = default("default")
    metrics: bool | CollectorRegistry = False
    hooks: Iterable[Hook] = ()
    endpoint: Callable[[Any], str] | None = None
    rules: Sequence[Rule] = ()
    identity: Identity | None = None
    secret: str | bytes | None = None

    #: The object that ``rules`` was.
    rules_given: ClassVar[object] = ()

    def __post_init__(self) -> None:
        if self.identity is not None:
            if not isinstance(self.identity, Identity):
                raise TypeError(f"identity must be an Identity, got {self.identity!r}")
            self.identity.put_into(self)
        super().__post_init__()
        object.__setattr__(self, "rules_given", self.rules)
        object.__setattr__(self, "rules", _rules(self.rules))
        _check_secret(self.secret)
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
    def has_only_rules(self) -> bool:
        """Whether there are neither tiers nor a limiter: what no rule matches is not limited."""
        return self.tiers is None is self.limiter

    @property
    def has_plans(self) -> bool:
        """Whether the tiers are a function's, so that more may come and any may change."""
        return callable(self.tiers) and not isinstance(self.tiers, Mapping)


# Python 3.10's typing.get_type_hints() raises where it finds KW_ONLY.
del PolicyOptions.__annotations__["_"]


def _rules(rules: Any) -> tuple[Rule, ...]:
    right = "rules must hold Rules, as [Rule('POST /login', '5/minute')], got"
    if isinstance(rules, (str, Rule, Mapping)) or not isinstance(rules, Iterable):
        raise TypeError(f"{right} {type(rules).__name__} {rules!r}")
    given = tuple(rules)
    for each in given:
        if not isinstance(each, Rule):
            raise TypeError(f"{right} {type(each).__name__} {each!r} among them")
    return given


def _check_secret(secret: object) -> None:
    if secret is None:
        return
    if not isinstance(secret, (str, bytes)):
        raise TypeError(f"secret must be a str or bytes, got {type(secret).__name__}")
    if len(secret) < _SHORTEST_SECRET:
        raise ValueError(
            f"secret must have at least {_SHORTEST_SECRET} characters, such as one of "
            f"secrets.token_hex(32), got {len(secret)}"
        )
