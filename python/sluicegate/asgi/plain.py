"""Requests to a policy whose options ask no more of them than by which address they come."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from sluicegate._core import PlainRequests
from sluicegate.policy.exempt import path_of
from sluicegate.policy.request import Request

if TYPE_CHECKING:
    from sluicegate._core import Decision
    from sluicegate._support.asgi_types import Scope, Send
    from sluicegate.headers import Field
    from sluicegate.policy.enforcer import Enforcer
    from sluicegate.policy.enforcing.applied import Applied
    from sluicegate.policy.tiers.tier import Tier

__all__ = ["Plainly", "plainly"]

_MOST: Final = 1_024

#: Checks a request: where its answer goes, if it is admitted; else its key and what the check has
#: returned; ``None`` for one that has to be decided step by step.
Admit = Callable[["Scope", "Send"], Any]


class Plainly:
    """How an Enforcer checks plain requests.

    Attributes:
        admit: checks one.
        judge: makes known what came of one that was not admitted at once.
    """

    __slots__ = ("admit", "judge")

    def __init__(self, admit: Admit, judge: Callable[[Request, Scope, str, Any], None]) -> None:
        self.admit = admit
        self.judge = judge


def plainly(enforcer: Enforcer) -> Plainly | None:
    """How plain requests are checked; ``None`` where an option asks for more."""
    if enforcer.is_plain:
        return _by_tier(enforcer)
    return _by_rules(enforcer) if enforcer.has_plain_rules else None


def _by_tier(enforcer: Enforcer) -> Plainly:
    tier, paths = enforcer.default, enforcer.exempt_paths

    def judge(request: Request, _: Scope, key: str, decision: Any) -> None:
        request.judge(tier, key, 1, decision)

    admit = _admits(enforcer, tier, tier.check, None)
    if paths is None:
        return Plainly(admit, judge)

    def unless_exempt(scope: Scope, send: Send) -> Any:
        # A server's start has no path.
        return None if "path" not in scope or paths.match(scope) else admit(scope, send)

    return Plainly(unless_exempt, judge)


def _by_rules(enforcer: Enforcer) -> Plainly:
    """Requests that meet rules of one store, which count by the client or its address."""
    rules, paths = enforcer.rules, enforcer.exempt_paths
    assert rules is not None
    known: dict[Applied, Admit] = {}

    def applied(scope: Scope) -> Applied | None:
        """The limits of a request, if it is plain."""
        if scope["type"] != "http" or (paths is not None and paths.match(scope)):
            return None
        places = rules.matching(scope, path_of(scope))
        return rules.selection(places, enforcer.default_name, enforcer.default).plain

    def admit(scope: Scope, send: Send) -> Any:
        limits = applied(scope)
        if limits is None:
            return None
        admits = known.get(limits)
        if admits is None:
            if len(known) >= _MOST:
                known.clear()
            check, keys_of = limits.check_client, limits.keys_of_client
            admits = known[limits] = _admits(enforcer, limits, check, keys_of)
        return admits(scope, send)

    def judge(request: Request, scope: Scope, key: str, decision: Any) -> None:
        limits = applied(scope)
        assert limits is not None
        request.keys = limits.keys_of_client(key)
        request.judge(limits, key, 1, decision)

    return Plainly(admit, judge)


def _admits(
    enforcer: Enforcer,
    tier: Tier,
    check: Callable[[str], Any],
    keys_of: Callable[[str], Any] | None,
) -> Admit:
    """Checks the requests of one tier, or that meet the same rules."""

    def request(key: str, decision: Decision, headers: Iterable[Field]) -> Request:
        request = Request(enforcer, headers)
        if keys_of is not None:
            request.keys = keys_of(key)
        request.judge(tier, key, 1, decision)
        return request

    address, quota = enforcer.address, tier.headers if tier.tells else None
    return PlainRequests(check, address, address.known, quota, request).admit
