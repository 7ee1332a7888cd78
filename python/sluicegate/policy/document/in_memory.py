"""A file's policy in memory, to be tried by itself: no store is reached, and nobody is asked who calls."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from sluicegate.policy.enforcer import Enforcer
from sluicegate.policy.options import PolicyOptions
from sluicegate.policy.owned import Owned
from sluicegate.policy.rules.rule import Rule

if TYPE_CHECKING:
    from sluicegate._core import ManualClock

__all__ = ["TIER", "enforcer_in_memory", "scope_of"]

#: Where a request that is tried has the name of its client's tier.
TIER: Final = "sluicegate.trial.tier"

_FORWARDED: Final = "x-forwarded-for"

#: What belongs to a store, to those who are asked who calls, and to those who are told.
_LEFT_OUT: Final = (
    *("store", "redis", "prefix", "timeout", "on_error", "workers", "remember"),
    *("verify", "verify_ttl", "api_key_header", "identify", "identity", "no_address"),
    *("metrics", "hooks", "endpoint", "messages", "concurrency", "cors", "clock"),
)


def enforcer_in_memory(
    options: Mapping[str, Any],
    *,
    clock: ManualClock | None = None,
    keys: Mapping[str, str] = {},
    permits: bool = True,
) -> Enforcer:
    """What decides by these options of a policy, for threads, with all that is counted in memory.

    ``keys`` are what requests are counted by instead of what functions say. Without ``permits`` rules of
    ``n concurrent`` are left out.

    Raises:
        ValueError: one of the ``keys`` is not of the policy.
    """
    own: dict[str, Any] = {name: value for name, value in options.items() if name not in _LEFT_OUT}
    known: Mapping[str, Any] = own.get("keys") or {}
    for name in keys:
        if name not in known:
            names = ", ".join(known) or "there are none"
            raise ValueError(f"--key must be of the keys of the policy, {names}, got {name!r}")
    if known:
        own["keys"] = {
            name: _constant(keys.get(name), function) for name, function in known.items()
        }
    own["rules"] = [
        rule for each in own.get("rules", ()) if (rule := _in_memory(each, permits)) is not None
    ]
    own["tier"] = _tier
    own["trusted_proxies"], own["proxy_header"] = (
        1,
        _FORWARDED,
    )  # by which scope_of gives the address
    policy = PolicyOptions(**own, clock=clock)
    return Enforcer(policy, Owned(policy), blocking=True)


def _in_memory(rule: Rule, permits: bool) -> Rule | None:
    quotas = [quota for quota in rule.quotas if permits or quota.concurrent is None]
    if not quotas and not rule.exempt:
        return None
    changed: dict[str, Any] = {"store": None, "on_error": None}
    if len(quotas) < len(rule.quotas):
        changed["quota"] = "; ".join(map(str, quotas))
    return rule.but(**changed)


def _constant(value: str | None, function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    if value is None:
        return function
    return lambda _: value


def _tier(scope: Mapping[str, Any]) -> str | None:
    name: str | None = scope.get(TIER)
    return name


def scope_of(
    method: str,
    path: str,
    address: str,
    *,
    host: str = "",
    headers: Iterable[tuple[str, str]] = (),
    principal: str | None = None,
    tier: str | None = None,
) -> dict[str, Any]:
    """A request as such an enforcer takes it. What its headers say counts, as if a proxy had sent them."""
    given = [(_FORWARDED, address), ("host", host), *headers]
    scope: dict[str, Any] = {
        "type": "http",
        "method": method,
        "path": path,
        "root_path": "",
        "client": ("127.0.0.1", 0),
        "headers": [(_bytes(name.lower()), _bytes(value)) for name, value in given],
        TIER: tier,
    }
    if principal is not None:
        scope["user"] = _User(principal)
    return scope


def _bytes(text: str) -> bytes:
    """As the command line, or a log, had it."""
    return text.encode("utf-8", "surrogateescape")


class _User:
    is_authenticated = True

    def __init__(self, identity: str) -> None:
        self.identity = identity
