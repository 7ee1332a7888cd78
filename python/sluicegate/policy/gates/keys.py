"""The keys of a request, by what the limits of a gate count by."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final

from sluicegate.policy.steps import Steps, checked_text

__all__ = ["OWN", "GateKeys", "check_keys", "refuse_unused_keys"]

#: What stands for whom the request is from.
OWN: Final = ("client", "key")


class GateKeys:
    """Which keys the limits of one gate get.

    Args:
        bys: what they count by.
        functions: gives keys of the request, by what they are called.

    Raises:
        ValueError: nobody can give one of the keys; the message names it.
    """

    __slots__ = ("_bys", "_functions")

    def __init__(
        self, place: str, bys: Collection[str], functions: Mapping[str, Callable[[Any], Any]]
    ) -> None:
        self._functions = {by: functions[by] for by in bys if by in functions}
        unknown = [by for by in bys if by not in self._functions and by not in OWN]
        # A gate that counts by one thing only counts the client, whatever it calls it.
        if unknown and (self._functions or len(bys) > 1):
            by = unknown[0]
            raise ValueError(
                f"{place}: a limit of the gate counts by {by!r}, which is not known: give "
                f"keys={{{by!r}: a function of the request}}, or count by 'client', whom the request "
                "is from"
            )
        self._bys = () if len(bys) == 1 and not self._functions else tuple(bys)

    @property
    def is_client(self) -> bool:
        """Whether it is only whom the request is from."""
        return not self._bys

    def of(self, client: str, view: Any) -> Steps[str | dict[str, str | None]]:
        """The keys of a request, as its gate takes them."""
        if not self._bys:
            return client
        keys: dict[str, str | None] = {}
        for by in self._bys:
            function = self._functions.get(by)
            if function is None:
                keys[by] = client
            else:
                keys[by] = checked_text(f"keys[{by!r}]", (yield function, (view,)))
        return keys


def refuse_unused_keys(
    keys: Mapping[str, Callable[[Any], Any]], bys: Iterable[Collection[str]]
) -> None:
    """Raise ``ValueError`` for a key that none of some gates counts by; ``bys`` are what each does."""
    known = [by for each in bys for by in each]
    for by in keys:
        if by not in known:
            names = ", ".join(map(repr, known)) or "there is no gate"
            raise ValueError(
                f"keys must be of what the limits of a gate or rules count by, {names}, got {by!r}: "
                f"leave it out, or give a gate with Limit(..., by={by!r}) or a Rule(..., by={by!r})"
            )


def check_keys(keys: Any) -> None:
    """Raise ``TypeError`` or ``ValueError`` unless it holds functions by name."""
    if not isinstance(keys, Mapping):
        raise TypeError(
            "keys must be a dict of what limits count by to functions of the request, such as "
            f"{{'org': org_of}}, got {keys!r}"
        )
    for by, function in keys.items():
        if not isinstance(by, str):
            raise TypeError(f"keys must have str names, got {by!r}")
        if by in OWN:
            raise ValueError(
                f"keys must not have {by!r}, which is whom the request is from: that is said by "
                "identify="
            )
        if not callable(function):
            raise TypeError(f"keys[{by!r}] must be callable, got {function!r}")
