"""The arguments of a rule, each checked by itself and then beside the others."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from sluicegate._core import Quota
from sluicegate._support.arguments import number, whole
from sluicegate._support.functions import check_plain
from sluicegate.gate.algorithms import check_algorithm
from sluicegate.gate.limit import checked_name, checked_quotas
from sluicegate.headers import header_sets
from sluicegate.policy.rules.names import LONGEST, is_seen
from sluicegate.policy.rules.pattern import pattern_of
from sluicegate.policy.rules.sources import sources_of
from sluicegate.policy.rules.together import DEFAULTS, Fault, faults_together
from sluicegate.policy.stores.place import place_of

__all__ = ["checked_arguments"]

_MOST: Final = 2**32 - 1


def checked_arguments(given: Mapping[str, Any]) -> tuple[dict[str, Any], list[Fault]]:
    """What was ``given`` as a rule keeps it, and all that is wrong with it: at most one fault a field."""
    checked: dict[str, Any] = {}
    faults: dict[str, Exception] = {}
    for field in _CHECKS:
        try:
            checked[field] = _CHECKS[field](given.get(field, DEFAULTS[field]))
        except (TypeError, ValueError) as error:  # noqa: PERF203
            faults[field] = error
    for field, fault in faults_together(checked, given):
        faults.setdefault(field, fault)
    return checked, [*faults.items()]


def _quota(quota: object) -> tuple[Quota, ...]:
    if quota is None:
        return ()
    return checked_quotas(quota, ", or write exempt=True instead of a quota")


def _tier(tier: object) -> tuple[str, ...]:
    if tier is None:
        return ()
    right = "the name of a tier, or several, as ['free', 'premium']"
    if isinstance(tier, str):
        tier = (tier,)
    if not isinstance(tier, Collection) or isinstance(tier, (bytes, dict)):
        raise TypeError(f"tier must be {right}, got {type(tier).__name__} {tier!r}")
    if not tier:
        raise ValueError(f"tier must be {right}, got none: for all tiers leave tier= out")
    for name in tier:
        if not isinstance(name, str):
            raise TypeError(f"tier must be {right}, got {type(name).__name__} {name!r}")
    return tuple(dict.fromkeys(tier))


def _cost(cost: Any) -> Any:
    if cost is None or callable(cost):
        return cost
    if not isinstance(cost, Mapping):
        if isinstance(cost, bool) or not isinstance(cost, int):
            raise TypeError(
                "cost must be an int, one by unit, as {'tokens': 900}, or a function of the "
                f"request, got {type(cost).__name__} {cost!r}"
            )
        return whole("cost", cost, 0, _MOST)
    if not cost:
        raise ValueError("cost must be by unit, as {'tokens': 900}, got none")
    for unit in cost:
        if not isinstance(unit, str):
            raise TypeError(f"cost must be by unit, as {{'tokens': 900}}, got {unit!r}")
    return {unit: whole(f"cost[{unit!r}]", units, 0, _MOST) for unit, units in cost.items()}


def _counts(counts: Any) -> Any:
    words = ("all", "failures", "successes")
    if isinstance(counts, str) or not callable(counts):
        return _one_of("counts", words, "a function of the status", counts)
    check_plain("counts", counts)
    return counts


def _one_of(field: str, words: tuple[str, ...], other: str, value: Any) -> Any:
    right = f"{field} must be {', '.join(map(repr, words))} or {other}, got"
    if not isinstance(value, str):
        raise TypeError(f"{right} {type(value).__name__} {value!r}")
    if value not in words:
        raise ValueError(f"{right} {value!r}")
    return value


def _on_error(on_error: Any) -> Any:
    words = ("closed", "raise", "local", "open")
    return None if on_error is None else _one_of("on_error", words, "None", on_error)


def _refusal(refusal: Any) -> Any:
    if refusal is None or (callable(refusal) and not isinstance(refusal, str)):
        return refusal
    return _one_of("refusal", ("json", "problem"), "an app that answers", refusal)


def _store(store: Any) -> Any:
    place_of(None, store)
    return store


def _delay(delay: Any) -> float | None:
    return None if delay is None else number("delay", delay, 0.000001, 3_600, "seconds")


def _name(name: object) -> str | None:
    if name is None:
        return None
    if isinstance(name, str) and not (1 <= len(name) <= LONGEST and is_seen(name)):
        raise ValueError(
            f"name must be 1 to {LONGEST} printable ASCII characters, such as 'login', got {name!r}"
        )
    return checked_name("name", name)


def _flag(field: str) -> Callable[[Any], bool]:
    def check(value: Any) -> bool:
        if not isinstance(value, bool):
            raise TypeError(f"{field} must be True or False, got {type(value).__name__} {value!r}")
        return value

    return check


_CHECKS: Final[dict[str, Callable[[Any], Any]]] = {
    "match": pattern_of,
    "quota": _quota,
    "by": sources_of,
    "tier": _tier,
    "cost": _cost,
    "counts": _counts,
    "group": lambda group: None if group is None else checked_name("group", group),
    "name": _name,
    "algorithm": check_algorithm,
    "shadow": _flag("shadow"),
    "on_error": _on_error,
    "store": _store,
    "delay": _delay,
    "undelayed": lambda units: whole("undelayed", units, 0, _MOST),
    "refusal": _refusal,
    "headers": lambda sets: None if sets is None else header_sets(sets),
    "exempt": _flag("exempt"),
    "lease_seconds": lambda given: number("lease_seconds", given, 0.1, 86_400, "seconds"),
}
