"""What ``rate_limit`` takes: limits of its own, or a policy."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, fields
from typing import Final

from sluicegate._core import Quota
from sluicegate.policy.options import default
from sluicegate.policy.policy import Policy
from sluicegate.policy.routes.options import RouteOptions
from sluicegate.types import AnyGate

__all__ = ["EndpointOptions"]


_NOT_GIVEN: Final = default("")


@dataclass(frozen=True, eq=False, repr=False)
class EndpointOptions(RouteOptions):
    """The options of one ``rate_limit``, of which ``policy`` replaces all others."""

    limit: int | str | Quota | AnyGate = _NOT_GIVEN
    _: KW_ONLY
    policy: Policy | None = None

    def __post_init__(self) -> None:
        if self.policy is None:
            if not self.is_given("limit"):
                raise TypeError(
                    "rate_limit() missing limit, a quota such as '10/minute', or else policy="
                )
            super().__post_init__()
            return
        if not isinstance(self.policy, Policy):
            raise TypeError(f"policy must be a Policy, got {self.policy!r}")
        for field in fields(self):
            if field.name != "policy" and self.is_given(field.name):
                raise TypeError(f"policy= stands for all other options: leave out {field.name}=")


# Python 3.10's typing.get_type_hints() raises where it finds KW_ONLY.
del EndpointOptions.__annotations__["_"]
