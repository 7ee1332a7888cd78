"""A request as rules look at it: who asks, for what."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from sluicegate.policy.steps import Steps, checked_cost, checked_text

if TYPE_CHECKING:
    from sluicegate._support.asgi_types import Scope
    from sluicegate.identity.client import Client
    from sluicegate.policy.steps import Cost

__all__ = ["Subject"]

Function = Callable[[Any], Any]

_NOTHING: Final[Mapping[Any, Any]] = {}


class Subject:
    """One request.

    Attributes:
        view: what functions get of it.
        path: decoded, without the root path.
        tier: the name of the client's, if it has one.
        named: what functions of ``keys`` have said of it, by their names.
        costs: what functions have said that it costs, by their ids.
    """

    __slots__ = ("client", "costs", "named", "path", "scope", "tier", "view")

    def __init__(
        self, scope: Scope, view: Any, path: str, client: Client, tier: str | None
    ) -> None:
        self.scope = scope
        self.view = view
        self.path = path
        self.client = client
        self.tier = tier
        self.named: Mapping[str, str | None] = _NOTHING
        self.costs: Mapping[int, Cost] = _NOTHING

    def ask(self, named: Mapping[str, Function], costs: Iterable[Function]) -> Steps[None]:
        """Ask the functions of the limits that apply, each once."""
        found: dict[str, str | None] = {}
        for name, function in named.items():
            found[name] = checked_text(f"keys[{name!r}]", (yield function, (self.view,)))
        units: dict[int, Cost] = {}
        for function in costs:
            units[id(function)] = checked_cost((yield function, (self.view,)))
        self.named, self.costs = found, units

    @property
    def is_a_try(self) -> bool:
        """Whether an API key came that nobody has: a try is never free."""
        return self.client.source == "unknown_api_key"
