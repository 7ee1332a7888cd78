"""Tiers: a name, a limiter, and the headers that describe it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from sluicegate.headers import QuotaHeaders
from sluicegate.policy.limiter_options import LimiterOptions
from sluicegate.policy.owned import Owned

__all__ = ["Tier", "Tiers", "check_limiter", "is_pair", "made"]

_log = logging.getLogger("sluicegate")


def check_limiter(argument: str, limiter: Any) -> None:
    """Raise a ``TypeError`` that names ``argument`` unless it has the verbs of a limiter."""
    verbs = all(callable(getattr(limiter, verb, None)) for verb in ("check", "peek"))
    is_one = verbs and hasattr(limiter, "limit") and hasattr(limiter, "window_seconds")
    if not is_one or isinstance(limiter, type):
        raise TypeError(f"{argument} must have the verbs of a Limiter, got {limiter!r}")


class Tier:
    """A limiter by name."""

    __slots__ = ("check", "headers", "limiter", "name")

    def __init__(self, name: str, limiter: Any, sets: Iterable[str] | str) -> None:
        self.name = name
        self.limiter = limiter
        self.check = limiter.check
        self.headers = QuotaHeaders(limiter, name, sets)


class Tiers:
    """All tiers. The first one is the default.

    Args:
        tiers: name → ``(limit, window_seconds)``, or name → limiter; not empty.
        options: how those are counted that are given as a pair.
        sets: the header sets.
        owned: whose limiters those are.
        warns: whether an unknown tier's name is worth a warning, the first time.
    """

    def __init__(
        self,
        tiers: Mapping[str, Any],
        options: LimiterOptions,
        sets: Iterable[str] | str,
        owned: Owned,
        *,
        warns: bool = True,
    ) -> None:
        if not isinstance(tiers, Mapping):
            raise TypeError(
                f"tiers must be a dict of name to (limit, window_seconds), got {tiers!r}"
            )
        if not tiers:
            raise ValueError("tiers must name at least one tier, got {}")
        self._tiers = {
            name: Tier(name, _tiers_limiter(name, quota, options, owned), sets)
            for name, quota in tiers.items()
        }
        self.default = next(iter(self._tiers.values()))
        self._warned = not warns

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


def made(
    argument: str,
    quota: Any,
    options: LimiterOptions,
    kind: str,
    name: str,
    owned: Owned | None = None,
) -> Any:
    """The limiter that ``quota`` is, or one of that limit and window: ``owned``'s, or new."""
    if is_pair(quota):
        limit, window_seconds = cast("tuple[Any, Any]", quota)
        try:
            limiter = options.limiter(limit, window_seconds, kind, name)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{argument}: {error}") from error
        check_limiter(f"{argument}: what algorithm makes", limiter)
        if owned is None:
            return limiter
        return owned.first((kind, name, limit, window_seconds, options), limiter)
    if not hasattr(quota, "check"):
        raise TypeError(f"{argument} must be (limit, window_seconds) or a limiter, got {quota!r}")
    check_limiter(argument, quota)
    return quota


def _tiers_limiter(name: object, quota: Any, options: LimiterOptions, owned: Owned) -> Any:
    if not isinstance(name, str):
        raise TypeError(f"tiers must have str names, got {name!r}")
    return made(f"tiers[{name!r}]", quota, options, "tier", name, owned)
