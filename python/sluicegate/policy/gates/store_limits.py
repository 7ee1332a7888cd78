"""The limits of a policy in one store, by name: all are in one gate, and more may come."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from sluicegate._support import fork
from sluicegate.policy.gates.making import CLIENT, new_gate

if TYPE_CHECKING:
    from sluicegate._connection.on_error import OnError
    from sluicegate._core import GateQuotas, Quota
    from sluicegate.gate import Limit
    from sluicegate.policy.stores.options import LimiterOptions

__all__ = ["StoreLimits", "by_the_caller", "is_of_tier"]


class StoreLimits:
    """Limits by name, in a gate: more may come, and those that are there keep their places.

    What happens when a server does not answer is a matter of the whole gate. So there is one for
    each ``on_error`` that is wanted, with the same limits under the same names: they count together.

    Args:
        options: where the limits are counted.
        names: what the gate is called.
        limits: those that there are from the beginning, by name.
        on_errors: which may be asked for, the store's own first; one, ``None``, unless in Redis.
        before: the limits whose place these take. In memory what those of the same name, algorithm,
            window and unit have counted stays; elsewhere it does so by their names.
    """

    __slots__ = ("__weakref__", "_gates", "_limits", "_lock", "_names", "_on_errors", "options")

    def __init__(
        self,
        options: LimiterOptions,
        names: tuple[str, ...],
        limits: Mapping[str, Limit] | None = None,
        on_errors: Iterable[OnError | None] = (None,),
        before: StoreLimits | None = None,
    ) -> None:
        self.options = options
        self._names = names
        self._on_errors = tuple(on_errors)
        self._lock = fork.new_lock()
        self._limits: dict[str, Limit] = {}
        self._gates: dict[OnError | None, Any] = {}
        limits = dict(limits or {})
        if before is not None and options.place == "memory":
            # The tiers, which come later, are as they were.
            limits |= before.of_tiers()
            if limits and before.limiter is not None:
                gate = before.limiter._successor(list(limits.values()))  # noqa: SLF001
                self._gates, self._limits = {self._on_errors[0]: gate}, limits
                return
        if limits:
            self._put(limits)

    def _put(self, limits: dict[str, Limit]) -> None:
        """Have these limits, those that there are among them first and in their order."""
        for gate in self._gates.values():
            gate.set_limits(limits.values())
        if not self._gates:
            self._gates = {
                on_error: new_gate(limits.values(), self.options, *self._names, on_error=on_error)
                for on_error in self._on_errors
            }
        self._limits = limits

    def __len__(self) -> int:
        return len(self._limits)

    def __iter__(self) -> Iterator[str]:
        return iter(self._limits)

    def __contains__(self, name: object) -> bool:
        return name in self._limits

    @property
    def limiter(self) -> Any:
        """The store's own gate; ``None`` before the first limit."""
        return next(iter(self._gates.values()), None)

    @property
    def gates(self) -> Collection[Any]:
        """One for each ``on_error``."""
        return self._gates.values()

    def gate(self, on_error: OnError | None) -> Any:
        """The gate that does this when its server does not answer."""
        return self._gates[on_error]

    def of_tiers(self) -> dict[str, Limit]:
        """The limits of the tiers' windows, by name."""
        return {name: limit for name, limit in self._limits.items() if is_of_tier(name)}

    def add(self, limits: Mapping[str, Limit]) -> None:
        """Have these as well, behind the others, unless there is one of the name.

        Raises what the gate raises, with nothing changed.
        """
        with self._lock:
            new = {name: limits[name] for name in limits if name not in self._limits}
            if new:
                self._put({**self._limits, **new})

    def quotas(self, gate: Any, named: Mapping[str, Quota]) -> GateQuotas:
        """The quotas of some limits as a gate of these takes them; the others take no part."""
        by: GateQuotas = gate._quotas([named.get(limit) for limit in self._limits])  # noqa: SLF001
        return by


def is_of_tier(name: str) -> bool:
    """Whether a limit of that name is the tiers'."""
    return name.startswith(f"{CLIENT}/")


def by_the_caller(_: str) -> None:
    """What the limits ask for a key's quota: each call names the quotas, and nobody asks for others."""
