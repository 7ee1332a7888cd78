"""Tiers: a name, a limiter, and the headers that describe it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, cast

from sluicegate.headers import QuotaHeaders
from sluicegate.limiters import Limiter
from sluicegate.policy.options import LimiterOptions, PolicyOptions
from sluicegate.policy.owned import Owned
from sluicegate.types import AnyLimiter

__all__ = ["Tier", "Tiers", "check_limiter", "is_elsewhere", "is_pair", "make_limiter"]

_log = logging.getLogger("sluicegate")


def check_limiter(argument: str, limiter: Any) -> None:
    """Raise a ``TypeError`` that names ``argument`` unless it has the verbs of a limiter."""
    verbs = all(callable(getattr(limiter, verb, None)) for verb in ("check", "peek"))
    is_one = verbs and hasattr(limiter, "limit") and hasattr(limiter, "window_seconds")
    if not is_one or isinstance(limiter, type):
        raise TypeError(f"{argument} must have the verbs of a Limiter, got {limiter!r}")


def is_elsewhere(limiter: object) -> bool:
    """Whether a limiter's state is on another machine, where keys are nobody's business."""
    return hasattr(limiter, "aclose")


def _takes_receipts(limiter: AnyLimiter) -> bool:
    """Whether its decisions are receipts: ours in this process, unless a subclass decides itself."""
    kind = type(limiter)
    return issubclass(kind, Limiter) and (kind.check, kind.refund) == (
        Limiter.check,
        Limiter.refund,
    )


class Tier:
    """A limiter by name, and how it is asked.

    Attributes:
        refund: gives back what a check has spent; ``None`` if the limiter cannot.
        takes_receipts: whether it is told that by the decision, or by how much it was.
        tells: whether clients are told of its quota.
        closed_status: the status of refusals that nobody decided.
    """

    __slots__ = (
        "check",
        "closed_status",
        "headers",
        "limiter",
        "name",
        "refund",
        "takes_receipts",
        "tells",
    )

    def __init__(
        self,
        name: str,
        limiter: AnyLimiter,
        sets: Iterable[str] | str,
        closed_status: int,
        *,
        shadow: bool = False,
    ) -> None:
        self.name = name
        self.limiter = limiter
        self.check: Callable[..., Any] = limiter.check
        self.refund: Callable[..., Any] | None = getattr(limiter, "refund", None)
        self.takes_receipts = _takes_receipts(limiter)
        self.headers = QuotaHeaders(limiter, name, sets)
        self.tells = bool(self.headers.sets) and not shadow
        self.closed_status = closed_status


class Tiers:
    """All tiers of a policy, with limiters that are ``owned``'s. The first one is the default."""

    def __init__(self, policy: PolicyOptions, owned: Owned) -> None:
        quotas = {policy.name: policy.limiter} if policy.tiers is None else policy.tiers
        if not isinstance(quotas, Mapping):
            raise TypeError(
                f"tiers must be a dict of name to (limit, window_seconds), got {quotas!r}"
            )
        if not quotas:
            raise ValueError("tiers must name at least one tier, got {}")
        self._tiers: dict[str, Tier] = {}
        for name, quota in quotas.items():
            if not isinstance(name, str):
                raise TypeError(f"tiers must have str names, got {name!r}")
            limiter = make_limiter(f"tiers[{name!r}]", quota, policy, "tier", name, owned)
            self._tiers[name] = Tier(
                name, limiter, policy.headers, policy.closed_status, shadow=policy.shadow
            )
        self.default = next(iter(self._tiers.values()))
        self._warned = policy.tiers is None

    def __iter__(self) -> Iterator[Tier]:
        return iter(self._tiers.values())

    def get(self, name: str | None) -> Tier:
        """The tier of that name; the default one for ``None`` and, with a warning, for others."""
        if name is None:
            return self.default
        tier = self._tiers.get(name)
        if tier is None:
            if not self._warned:
                self._warned = True
                _log.warning(
                    "There is no tier %r: %r is used for it. The tiers are %s.",
                    name,
                    self.default.name,
                    ", ".join(self._tiers),
                )
            return self.default
        return tier


def is_pair(quota: Any) -> bool:
    """Whether it looks like ``(limit, window_seconds)``."""
    return isinstance(quota, (tuple, list)) and len(cast("list[Any]", quota)) == 2


def make_limiter(
    argument: str,
    quota: Any,
    options: LimiterOptions,
    kind: str,
    name: str,
    owned: Owned | None = None,
) -> AnyLimiter:
    """The limiter that ``quota`` is, or one of that limit and window: ``owned``'s, or new."""
    if is_pair(quota):
        limit, window_seconds = cast("tuple[Any, Any]", quota)
        try:
            limiter: AnyLimiter = options.make_limiter(limit, window_seconds, kind, name)
        except (TypeError, ValueError) as error:
            # The exact log's class calls it otherwise than a tier or a route does.
            message = str(error).replace("max_requests", "limit")
            raise type(error)(f"{argument}: {message}") from error
        check_limiter(f"{argument}: what algorithm makes", limiter)
        if owned is not None:
            described = kind, name, limit, window_seconds, options.description()
            limiter = owned.first(described, limiter)
        return limiter
    if not hasattr(quota, "check"):
        raise TypeError(f"{argument} must be (limit, window_seconds) or a limiter, got {quota!r}")
    check_limiter(argument, quota)
    return cast("AnyLimiter", quota)
