"""Tiers: a name, a limiter, and the headers that describe it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, cast

from sluicegate._core import Quota
from sluicegate.headers import QuotaHeaders
from sluicegate.limiters import Limiter
from sluicegate.policy.algorithms import default_algorithm
from sluicegate.policy.options import LimiterOptions, PolicyOptions
from sluicegate.policy.owned import Owned
from sluicegate.policy.quotas import UNLIMITED, is_quota, quota_of
from sluicegate.types import AnyLimiter

__all__ = ["Tier", "Tiers", "check_limiter", "is_elsewhere", "make_limiter"]

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
    """Whether its decisions are receipts: ours are, unless a subclass decides itself."""
    kind: Any = type(limiter)
    base: Any = Limiter
    if is_elsewhere(limiter):
        from sluicegate.redis.limiter import AsyncLimiter

        base = AsyncLimiter
    return issubclass(kind, base) and (kind.check, kind.refund) == (base.check, base.refund)


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
        self.tells = bool(self.headers.sets) and not shadow and limiter is not UNLIMITED
        self.closed_status = closed_status


class Tiers:
    """All tiers of a policy, with limiters that are ``owned``'s. The first one is the default."""

    def __init__(self, policy: PolicyOptions, owned: Owned) -> None:
        given = {policy.name: policy.limiter} if policy.tiers is None else policy.tiers
        if not isinstance(given, Mapping):
            raise TypeError(
                "tiers must be a dict of name to quota, such as {'free': '100/minute'}, got "
                f"{given!r}"
            )
        if not given:
            raise ValueError("tiers must name at least one tier, got {}")
        for name in given:
            if not isinstance(name, str):
                raise TypeError(f"tiers must have str names, got {name!r}")
        quotas = {name: _declared(f"tiers[{name!r}]", each) for name, each in given.items()}
        beside = [quota for quota in quotas.values() if isinstance(quota, Quota)]
        self._tiers: dict[str, Tier] = {}
        for name, quota in quotas.items():
            limiter = make_limiter(f"tiers[{name!r}]", quota, policy, "tier", name, owned, beside)
            self._tiers[name] = Tier(
                name, limiter, policy.headers, policy.closed_status, shadow=policy.shadow
            )
        self.default = next(iter(self._tiers.values()))
        self._raises = policy.unknown_tier == "error"
        self._warned = policy.tiers is None

    def __iter__(self) -> Iterator[Tier]:
        return iter(self._tiers.values())

    def get(self, name: str | None) -> Tier:
        """The tier of that name, the default one for ``None``.

        For a name that is unknown the default one too, with a warning; or a ``LookupError``.
        """
        if name is None:
            return self.default
        tier = self._tiers.get(name)
        if tier is not None:
            return tier
        if self._raises:
            names = ", ".join(map(repr, self._tiers))
            raise LookupError(f"there is no tier {name!r}: the tiers are {names}")
        if not self._warned:
            self._warned = True
            _log.warning(
                "There is no tier %r: %r is used for it. The tiers are %s.",
                name,
                self.default.name,
                ", ".join(self._tiers),
            )
        return self.default


def _declared(place: str, given: Any) -> Any:
    """The quota that is given, or the limiter."""
    return quota_of(place, given) if is_quota(given) else given


def make_limiter(
    place: str,
    given: Any,
    options: LimiterOptions,
    kind: str,
    name: str,
    owned: Owned | None = None,
    beside: Iterable[Quota] = (),
) -> AnyLimiter:
    """The limiter that is ``given``, or one of that quota: ``owned``'s, or new.

    The quotas ``beside`` it have a say in the algorithm, if the options name none.
    """
    if not is_quota(given):
        if not hasattr(given, "check"):
            raise TypeError(
                f"{place} must be (limit, window_seconds) or a limiter, or a quota such as "
                f"'100/minute', got {given!r}"
            )
        check_limiter(place, given)
        return cast("AnyLimiter", given)
    quota = quota_of(place, given)
    if quota.concurrent is not None:
        raise ValueError(
            f"{place}: quota '{quota}': permits are given by concurrency='{quota}' of the "
            "middleware: here write a rate, such as '100/minute'"
        )
    if quota.limit is None:
        return UNLIMITED
    algorithm = options.algorithm
    if algorithm is None:
        algorithm = default_algorithm(quota, beside)
    try:
        limiter: AnyLimiter = options.make_limiter(algorithm, quota, kind, name)
    except (TypeError, ValueError) as error:
        # The exact log's class calls it otherwise than a tier or a route does.
        raise type(error)(f"{place}: {str(error).replace('max_requests', 'limit')}") from error
    check_limiter(f"{place}: what algorithm makes", limiter)
    if owned is not None:
        described = kind, name, quota, algorithm, options.description()
        limiter = owned.first(described, limiter)
    return limiter
