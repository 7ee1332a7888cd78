"""A limit of a gate: how much, by which key, and how it is counted."""

from __future__ import annotations

from sluicegate._core import Quota
from sluicegate._support.arguments import number
from sluicegate.gate.algorithms import algorithm_of, check_algorithm

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    QuotaFor = Callable[[str], "Quota | str | None"]

__all__ = ["Limit", "checked_name", "checked_quotas"]

_RIGHT = "a quota or its text, as '5/second; 10000/day'"


class Limit:
    """One limit of a :class:`~sluicegate.Gate`, or several with one key: a quota for each key.

    ``Limit("5/second; 10000/day", by="user")``. Immutable. What it counts is kept by the gate: the same
    ``Limit`` may be in several, which count apart, and once in each.

    Args:
        quota: a :class:`~sluicegate.Quota`, its text, or several in one text, whose windows (or units)
            differ. ``"5 concurrent"`` are permits, which only ``reserve`` takes.
        by: what is counted by, a name of your own: the key of it is given with each call.
        algorithm: ``"sliding_window"`` (the exact log), ``"segmented_window"``, ``"fixed_window"``,
            ``"sliding_counter"`` or ``"token_bucket"``. ``None`` chooses what is never over the limit in
            any window: a token bucket where the quota has a burst, a fixed window where it has a time
            zone, the exact log up to 1,000 units, segments above.
        name: what it is called in decisions, statistics, metrics and fields, in place of ``by``. Of
            several parts each has its window behind it, as ``"user/second"``; without a name one part
            has that as well.
        quota_for: a plain function of the key, which is asked at each call: returns the quotas that
            this key has, of the same windows and units (``"50/second; 1000000/day"``); or ``None`` for
            the declared ones. A part that its answer lacks does not apply. What a key has spent stays spent
            when its quota changes.
        shadow: watch only: it refuses nobody, and counts whom it would have refused.
        optional: a call may leave its key out; else ``None`` says that it has none.
        lease_seconds: of permits in Redis: how long they outlive a holder that is not heard of, 0.1
            to 86,400 seconds.

    Raises:
        ValueError, TypeError: an argument out of its range; the message names it.
    """

    __slots__ = (
        "algorithm",
        "by",
        "lease_seconds",
        "name",
        "optional",
        "quota_for",
        "quotas",
        "shadow",
    )

    if TYPE_CHECKING:
        quotas: tuple[Quota, ...]
        by: str
        algorithm: str | None
        name: str | None
        quota_for: QuotaFor | None
        shadow: bool
        optional: bool
        lease_seconds: float

    def __init__(
        self,
        quota: Quota | str,
        *,
        by: str = "key",
        algorithm: str | None = None,
        name: str | None = None,
        quota_for: QuotaFor | None = None,
        shadow: bool = False,
        optional: bool = False,
        lease_seconds: float = 30,
    ) -> None:
        checked: dict[str, Any] = {
            "quotas": checked_quotas(quota),
            "by": checked_name("by", by),
            "algorithm": check_algorithm(algorithm),
            "name": None if name is None else checked_name("name", name),
            "quota_for": quota_for,
            "shadow": _flag("shadow", shadow),
            "optional": _flag("optional", optional),
            "lease_seconds": number("lease_seconds", lease_seconds, 0.1, 86_400, "seconds"),
        }
        if quota_for is not None and not callable(quota_for):
            raise TypeError(f"quota_for must be a function of the key, or None, got {quota_for!r}")
        for each in checked["quotas"]:
            algorithm_of(each, algorithm)
        for field, value in checked.items():
            object.__setattr__(self, field, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a Limit cannot be changed: make another one, got {name}={value!r}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a Limit cannot be changed: make another one, got del {name}")

    def __repr__(self) -> str:
        given = [repr("; ".join(map(str, self.quotas)))]
        unless = {"by": "key", "lease_seconds": 30}
        for field in (
            "by",
            "algorithm",
            "name",
            "quota_for",
            "shadow",
            "optional",
            "lease_seconds",
        ):
            value = getattr(self, field)
            if value != unless.get(field) and value is not None and value is not False:
                given.append(f"{field}={value!r}")
        return f"Limit({', '.join(given)})"

    def __copy__(self) -> Limit:
        return self

    def __deepcopy__(self, memo: object) -> Limit:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        text = "; ".join(map(str, self.quotas))
        fields = {name: getattr(self, name) for name in self.__slots__ if name != "quotas"}
        return _made, (text, fields)


def _made(text: str, fields: dict[str, Any]) -> Limit:
    return Limit(text, **fields)


def checked_quotas(quota: object, instead: str = "") -> tuple[Quota, ...]:
    """One or several; ``instead`` says what may be written besides where there is no limit."""
    if isinstance(quota, Quota):
        quotas: tuple[Quota, ...] = (quota,)
    elif isinstance(quota, str):
        quotas = Quota.parse_all(quota)
    else:
        raise TypeError(f"quota must be {_RIGHT}, got {type(quota).__name__} {quota!r}")
    for each in quotas:
        if each.limit is None and each.concurrent is None:
            raise ValueError(
                f"quota must be {_RIGHT}, got '{each}': leave out a limit that there is not{instead}"
            )
    return quotas


def checked_name(argument: str, value: object) -> str:
    """A name that shows as it is in messages, metrics and header fields."""
    if not isinstance(value, str):
        raise TypeError(f"{argument} must be a str, got {type(value).__name__} {value!r}")
    if not (1 <= len(value) <= 64 and value.isascii() and value.isprintable()):
        raise ValueError(
            f"{argument} must be 1 to 64 printable ASCII characters, such as 'user', got {value!r}"
        )
    return value


def _flag(argument: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{argument} must be True or False, got {value!r}")
    return value
