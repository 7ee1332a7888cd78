"""Gates of a policy: made of quotas, or given."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from sluicegate._core import Quota
from sluicegate._support.prefixes import PREFIX, joined
from sluicegate.gate import Gate, Limit
from sluicegate.policy.algorithms import name_of
from sluicegate.policy.gates.keys import GateKeys
from sluicegate.policy.gates.tier import GateTier, unit_of
from sluicegate.policy.options import SharedOptions
from sluicegate.policy.quotas import REQUESTS
from sluicegate.policy.stores.options import LimiterOptions

if TYPE_CHECKING:
    from sluicegate._connection.on_error import OnError
    from sluicegate.policy.tiers.tier import Tier

__all__ = [
    "CLIENT",
    "by_limit",
    "bys_of",
    "check_units",
    "limit_name",
    "limit_of",
    "new_gate",
    "own_gate",
    "tier_of_gate",
]

#: What the limits count by that a policy makes.
CLIENT = "client"
#: Limits in one decision.
_MOST = 32


def new_gate(
    limits: Collection[Limit],
    options: LimiterOptions,
    *names: str,
    on_error: OnError | None = None,
) -> Any:
    """A gate, known by the ``names`` where processes share it.

    ``on_error`` takes the place of the option.
    """
    where: Any = options.where
    given = options.of_place()
    if on_error is not None:
        given["on_error"] = on_error
    name = joined(*names)
    if options.place == "memory":
        return Gate(limits, name=name, **given)
    if options.place == "zone":
        from sluicegate.shared import Gate as ZoneGate

        in_zone: dict[str, Any] = {"prefix": PREFIX, **given}
        return ZoneGate(where, limits, name=name, **in_zone)
    from sluicegate.redis.gate import Gate as RedisGate

    in_redis: dict[str, Any] = {"prefix": PREFIX, **given}
    # Keys of several kinds cannot be spread over the nodes of a Cluster by one of them.
    tag_by = CLIENT if all(limit.by == CLIENT for limit in limits) else None
    return RedisGate(where, limits, name=name, tag_by=tag_by, **in_redis)


def limit_name(quota: Quota, options: LimiterOptions) -> str:
    """What the limit is called that counts a quota: by its unit and its window, not its amount.

    A bucket beside windows is another limit.
    """
    words = [] if quota.unit == REQUESTS else [quota.unit]
    window = str(quota).partition("/")[2].partition(" burst ")[0]
    is_apart = quota.burst is not None and options.algorithm is None
    return "/".join([CLIENT, *words, f"{window} burst" if is_apart else window])


def by_limit(place: str, quotas: Iterable[Quota], options: LimiterOptions) -> dict[str, Quota]:
    """Quotas by the names of the limits that count them.

    Raises ``ValueError`` for two of one window, and for more than a decision can have.
    """
    named: dict[str, Quota] = {}
    for quota in quotas:
        name = limit_name(quota, options)
        if name in named:
            raise ValueError(
                f"{place}: there may be one quota for each window and unit, got '{named[name]}' and "
                f"'{quota}': leave one out"
            )
        named[name] = quota
    if len(named) > _MOST:
        raise ValueError(f"{place}: there may be {_MOST} quotas at most, got {len(named)}")
    return named


def limit_of(
    place: str,
    quota: Quota,
    options: LimiterOptions,
    beside: Iterable[Quota] = (),
    quota_for: Callable[[str], None] | None = None,
) -> Limit:
    """The limit that counts a quota, by the algorithm that it and those ``beside`` it ask for."""
    algorithm = options.algorithm
    try:
        name = options.default_algorithm(quota, beside) if algorithm is None else name_of(algorithm)
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from error
    if name is None:
        raise ValueError(
            f"{place}: quota '{quota}': several windows are counted by an algorithm of sluicegate, and "
            f"algorithm= is {algorithm!r}: leave it out, or give its name, such as 'sliding_window'"
        )
    # A zone lays a limit out by its quota: it has to have room for the others'.
    largest = max((quota, *beside), key=_amount) if options.place == "zone" else quota
    try:
        return Limit(
            largest if name == "segmented_window" else quota,
            by=CLIENT,
            name=limit_name(quota, options),
            algorithm=name,
            quota_for=quota_for,
        )
    except (TypeError, ValueError) as error:
        raise type(error)(f"{place}: {error}") from error


def _amount(quota: Quota) -> int:
    return quota.limit or 0


def own_gate(place: str, quotas: Iterable[Quota], options: LimiterOptions, *names: str) -> Any:
    """A gate of several quotas of a client."""
    limits = [
        limit_of(place, quota, options) for quota in by_limit(place, quotas, options).values()
    ]
    try:
        return new_gate(limits, options, *names)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{place}: {error}") from error


def check_units(place: str, tier: Tier, options: SharedOptions) -> None:
    """Raise ``ValueError`` where requests have to say what they cost, and no option does."""
    if options.cost is None and not isinstance(tier.one, int):
        units = [unit for unit in tier.one if unit != REQUESTS]
        raise ValueError(
            f"{place}: it counts {', '.join(units)} beside {REQUESTS}: give cost=, a function of the "
            f"request that returns a mapping, such as {{{units[0]!r}: 100}}"
        )


def tier_of_gate(
    place: str,
    name: str,
    gate: Any,
    options: SharedOptions,
    *,
    is_own: bool,
    sets: Iterable[str] | str,
    closed_status: int,
    shadow: bool,
    may_hold: bool,
    blocks: bool,
) -> GateTier:
    """The tier of a gate: its own, whose limits are told of by the tier's name; or one that was given."""
    keys = None if is_own else GateKeys(place, bys_of(gate), options.keys or {})
    quotas = {part.name: part.quota for part in gate.parts}
    if not may_hold and "concurrent" in map(unit_of, quotas.values()):
        raise TypeError(
            f"{place}: the gate has permits ('{_permits(gate)}'), and only the middleware knows when "
            "they come back: give it limiter=gate, or concurrency= so many"
        )

    def names() -> Iterator[tuple[str, str, Quota]]:
        for part in gate.parts:
            yield part.name, name + part.name[len(CLIENT) :] if is_own else part.name, part.quota

    tier = GateTier(
        name,
        gate,
        sets,
        closed_status,
        names=names,
        quotas=quotas,
        keys=None if keys is None or keys.is_client else keys,
        shadow=shadow,
        blocks=blocks,
    )
    check_units(place, tier, options)
    return tier


def bys_of(gate: Any) -> list[str]:
    """What the limits of a gate count by."""
    return list(dict.fromkeys(part.limit.by for part in gate.parts))


def _permits(gate: Any) -> Quota:
    found: Quota = next(part.quota for part in gate.parts if part.quota.concurrent is not None)
    return found
