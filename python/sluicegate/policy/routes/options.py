"""What ``rate_limit`` takes."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

from sluicegate._core import Quota
from sluicegate._support.arguments import number
from sluicegate.gate.is_gate import is_gate
from sluicegate.policy.gates.keys import refuse_unused_keys
from sluicegate.policy.gates.making import bys_of
from sluicegate.policy.making import declared
from sluicegate.policy.options import SharedOptions, default
from sluicegate.policy.quotas import GivenLimit
from sluicegate.types import AnyGate

__all__ = ["RouteOptions"]


@dataclass(frozen=True, eq=False, repr=False)
class RouteOptions(SharedOptions):
    """The options of one ``rate_limit``."""

    limit: int | str | Quota | AnyGate
    window_seconds: float = default(60)
    _: KW_ONLY
    window: float | None = None
    name: str = "route"
    scope: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.has_gate:
            self.refuse_unused("the gate is made already")
            if self.algorithm is not None:
                raise TypeError("algorithm= means nothing here: the gate is made already")
            if self.scope is not None:
                raise TypeError(
                    "scope= means nothing here: a gate counts for all endpoints that have it"
                )
        if not (self.scope is None or (isinstance(self.scope, str) and self.scope)):
            raise TypeError(
                f"scope must be a name, such as 'reports', that endpoints share, got {self.scope!r}"
            )
        if self.keys is not None:
            refuse_unused_keys(self.keys, [bys_of(self.limit)] if self.has_gate else [])

    @property
    def has_gate(self) -> bool:
        """Whether the limits are a gate that was given."""
        return is_gate(self.limit)

    def scope_description(self) -> tuple[object, ...]:
        """What endpoints have in common that share one quota."""
        return self.scope, self.name, declared("rate_limit", self.quota()), self.algorithm

    def quota(self) -> GivenLimit:
        """The quota, or the gate; or the limit and the window, which was given under either name."""
        if not isinstance(self.limit, int) and (
            self.has_gate or isinstance(self.limit, (str, Quota))
        ):
            if self.is_given("window_seconds", "window"):
                raise TypeError(
                    "limit must be an int beside a window, or a quota such as '10/minute' without "
                    f"one, got {self.limit!r}"
                )
            return self.limit
        limit: Any = self.limit  # whatever else it is
        if self.window is None:
            return limit, self.window_seconds
        if self.is_given("window_seconds"):
            raise TypeError(
                "window_seconds and window are the same: pass one, got "
                f"{self.window_seconds!r} and {self.window!r}"
            )
        return limit, number("window", self.window, 1e-6, 1e9, "seconds")


# Python 3.10's typing.get_type_hints() raises where it finds KW_ONLY.
del RouteOptions.__annotations__["_"]
