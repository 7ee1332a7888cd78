"""Arguments of a rule that do not go together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from sluicegate._core import Quota
from sluicegate.gate.algorithms import algorithm_of
from sluicegate.policy.rules.holding import bucket_of, faults_of_delay
from sluicegate.policy.rules.names import limit_name

__all__ = ["DEFAULTS", "Fault", "faults_together"]

#: An argument, and what is wrong with it.
Fault = tuple[str, Exception]

#: What a rule has for what it is not given; nothing stands for the pattern.
DEFAULTS: Final[dict[str, Any]] = {
    "match": None,
    "quota": None,
    "by": "client",
    "tier": None,
    "cost": None,
    "counts": "all",
    "group": None,
    "name": None,
    "algorithm": None,
    "shadow": False,
    "on_error": None,
    "store": None,
    "delay": None,
    "undelayed": 0,
    "refusal": None,
    "headers": None,
    "exempt": False,
    "lease_seconds": 30,
}
_OF_EXEMPT: Final = ("match", "tier", "group", "name", "exempt")
_MOST: Final = 2**32 - 1


def faults_together(checked: Mapping[str, Any], given: Mapping[str, Any]) -> Iterator[Fault]:
    """What is wrong with arguments that are right each by itself.

    ``checked`` are those; what could not be read is not among them, and nothing is said of it.
    """
    if checked.get("exempt"):
        yield from _exempt_faults(given)
        return
    quotas = checked.get("quota")
    if "match" in checked and "by" in checked:
        yield from _parameter_faults(checked)
    if given.get("delay") is None and checked.get("undelayed"):
        yield "undelayed", ValueError("undelayed= means nothing without delay=: give that too")
    if quotas:
        yield from _limit_faults(quotas, checked)
    elif quotas is not None and "exempt" in checked:
        yield (
            "quota",
            ValueError(
                "quota must be given, as Rule('POST /login', '5/minute'), unless exempt=True"
            ),
        )


def _exempt_faults(given: Mapping[str, Any]) -> Iterator[Fault]:
    for field, unless in DEFAULTS.items():
        if field not in _OF_EXEMPT and given.get(field, unless) != unless:
            yield (
                field,
                ValueError(f"{field}= means nothing beside exempt=True: leave {field}= out"),
            )


def _limit_faults(quotas: tuple[Quota, ...], checked: Mapping[str, Any]) -> Iterator[Fault]:
    delay = checked.get("delay")
    if delay is not None:
        yield from faults_of_delay(
            quotas, delay, checked.get("undelayed", 0), checked.get("algorithm")
        )
    elif "algorithm" in checked:
        yield from _algorithm_faults(quotas, checked["algorithm"])
    yield from _quota_faults(quotas)
    rates = tuple(quota for quota in quotas if quota.concurrent is None)
    if rates:
        yield from _cost_faults(rates, checked.get("cost"), delay)
    yield from _permit_faults([quota.concurrent is not None for quota in quotas], checked)


def _permit_faults(are_permits: list[bool], checked: Mapping[str, Any]) -> Iterator[Fault]:
    if all(are_permits) and checked.get("counts", "all") != "all":
        yield (
            "counts",
            ValueError(
                "counts= means nothing for permits, which are held until the answer is sent: leave "
                "counts= out"
            ),
        )
    if all(are_permits) and checked.get("cost") is not None:
        yield (
            "cost",
            ValueError(
                "cost= means nothing for permits, of which a request holds one: leave cost= out"
            ),
        )
    usual = DEFAULTS["lease_seconds"]
    if not any(are_permits) and checked.get("lease_seconds", usual) != usual:
        yield (
            "lease_seconds",
            ValueError("lease_seconds= means nothing but for permits, such as '5 concurrent'"),
        )


def _parameter_faults(checked: Mapping[str, Any]) -> Iterator[Fault]:
    known = checked["match"].parameters.values()
    for source in checked["by"]:
        if source.kind == "path" and source.name not in known:
            has = ", ".join(f"{{{name}}}" for name in known) or "no parameter"
            yield (
                "by",
                ValueError(
                    f"by={str(source)!r} needs {{{source.name}}} in match, and "
                    f"{checked['match'].text!r} has {has}"
                ),
            )


def _algorithm_faults(quotas: tuple[Quota, ...], algorithm: str | None) -> Iterator[Fault]:
    for quota in quotas:
        try:
            # Permits have none, beside windows that may.
            algorithm_of(quota, None if quota.concurrent and len(quotas) > 1 else algorithm)
        except ValueError as error:  # noqa: PERF203
            yield "algorithm", error


def _quota_faults(quotas: tuple[Quota, ...]) -> Iterator[Fault]:
    names = [limit_name("", quota) for quota in quotas]
    for place, quota in enumerate(quotas):
        if names[place] in names[:place]:
            other = quotas[names.index(names[place])]
            yield (
                "quota",
                ValueError(
                    f"quota must have windows or units that differ, got '{other}' and '{quota}'"
                ),
            )


def _cost_faults(quotas: tuple[Quota, ...], cost: Any, delay: float | None) -> Iterator[Fault]:
    if cost is None or callable(cost):
        return
    units = list(dict.fromkeys(quota.unit for quota in quotas))
    if isinstance(cost, int):
        if len(units) > 1:
            right = dict.fromkeys(units, cost)
            yield (
                "cost",
                ValueError(f"cost must name units beside {_listed(units)}, as {right}, got {cost}"),
            )
            return
        cost = {units[0]: cost}
    for unit, amount in cost.items():
        if unit not in units:
            yield "cost", ValueError(f"cost must be of {_listed(units)}, got {unit!r}")
        for quota in quotas:
            most = _most_at_once(quota, delay)
            if quota.unit == unit and amount > most:
                yield (
                    "cost",
                    ValueError(
                        f"cost must be at most {most:,}, which is all that '{quota}' ever admits at "
                        f"once, got {amount}"
                    ),
                )


def _most_at_once(quota: Quota, delay: float | None) -> int:
    if delay is not None and quota.concurrent is None and quota.zone is None:
        quota = bucket_of(quota, delay)
    return quota.burst or quota.limit or _MOST


def _listed(units: list[str]) -> str:
    return f"a quota of {' and '.join(units)}"
