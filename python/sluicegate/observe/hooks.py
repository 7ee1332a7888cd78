"""Hooks: what a program is told of refusals, and, if it asks, of admissions."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from sluicegate._support.functions import is_async

if TYPE_CHECKING:
    from sluicegate._core import Decision
    from sluicegate.refusals import Refusal

__all__ = ["Details", "Hook"]

_log = logging.getLogger("sluicegate")


@dataclass(frozen=True)
class Details:
    """What a hook is told of one decision."""

    limiter: str
    """The tier's or the limiter's name."""
    allowed: bool
    """Whether the call was admitted."""
    cost: int
    """Units that the call costs."""
    limit: int
    """The quota's limit, or the bucket's capacity."""
    remaining: int
    """Units that the client has left."""
    retry_after: float | None
    """Seconds until this cost would be admitted; 0.0 when allowed; ``None`` if it exceeds the
    limit, so that no wait will help."""
    endpoint: str
    """What was called, as the program names it; ``""`` when it does not say."""
    store: str | None
    """``Decision.store``; ``None`` if nobody was asked, as when the cost exceeds the limit. A
    refusal by ``"closed"`` is no fault of the client's: the server did not decide."""
    key: str | None = None
    """Who called; ``None`` unless the hook's ``wants_key`` is true."""
    limit_name: str | None = None
    """Of a gate, or a tier of several windows, the name of the limit that decided, whose ``limit`` and
    so on these are; ``None`` where there is but one, or none took part."""
    refused_by: tuple[str, ...] = ()
    """Of those, the names of all limits that refuse."""
    shadow: bool = False
    """Whether these are of a rule's limit that only watches: it would have refused."""


@runtime_checkable
class Hook(Protocol):
    """A listener. Any object with ``on_refused`` is one.

    It may also have ``on_admitted(details)``: then it is called for every admission, too;
    without it, an admission costs nothing more. ``on_would_refuse(details)`` is called for each limit
    of a rule with ``shadow=True`` that would have refused; what became of the call is told apart from
    it. With an attribute ``wants_key = True`` it
    gets the client's key in the details; take care where you write that. Hooks are plain
    functions, called in the thread or event loop that decides, so they must be quick. One
    that raises harms nobody: its first exception is logged, later ones are dropped.
    """

    def on_refused(self, details: Details) -> None:
        """Called after each refusal."""


class _Listener:
    """One method of one hook, which may fail."""

    __slots__ = ("_failed", "_function", "_name", "_wants_key")

    def __init__(self, function: Callable[[Details], object], name: str, wants_key: bool) -> None:
        self._function = function
        self._name = name
        self._wants_key = wants_key
        self._failed = False

    def __call__(self, details: Details, key: str) -> None:
        try:
            self._function(replace(details, key=key) if self._wants_key else details)
        except Exception:
            if not self._failed:
                self._failed = True
                _log.exception("%s failed; it will not be logged again.", self._name)


class Hooks:
    """The hooks of one limiter or middleware.

    ``refused``, ``admitted`` and ``watched`` are empty when nobody listens.
    """

    __slots__ = ("admitted", "refused", "watched")

    def __init__(self, hooks: Iterable[object]) -> None:
        if isinstance(hooks, Hook) or not isinstance(hooks, Iterable):
            raise TypeError(f"hooks must be an iterable of hooks, got {hooks!r}")
        given = list(hooks)
        self.refused = [call for hook in given for call in _listeners(hook, "on_refused")]
        self.admitted = [call for hook in given for call in _listeners(hook, "on_admitted")]
        self.watched = [call for hook in given for call in _listeners(hook, "on_would_refuse")]

    def __bool__(self) -> bool:
        return bool(self.refused or self.admitted)

    def tell(self, name: str, decision: Decision, cost: int, endpoint: str, key: str) -> None:
        """Tell those who listen of a decision."""
        allowed = decision.allowed
        calls = self.admitted if allowed else self.refused
        if calls:
            limit, remaining, store = decision.limit, decision.remaining, decision.store
            retry_after = decision.retry_after
            details = Details(
                name,
                allowed,
                cost,
                limit,
                remaining,
                retry_after,
                endpoint,
                store,
                limit_name=getattr(decision, "name", None),
                refused_by=getattr(decision, "refused_by", ()),
            )
            for call in calls:
                call(details, key)

    def tell_watched(
        self, name: str, limit_name: str, decision: Decision, cost: int, endpoint: str, key: str
    ) -> None:
        """Tell of a limit that only watches, and would have refused."""
        details = Details(
            name,
            False,
            cost,
            decision.limit,
            decision.remaining,
            decision.retry_after,
            endpoint,
            decision.store,
            limit_name=limit_name,
            refused_by=(limit_name,),
            shadow=True,
        )
        for call in self.watched:
            call(details, key)

    def tell_undecided(self, name: str, refusal: Refusal, endpoint: str, key: str) -> None:
        """Tell of a refusal for which the limiter was not asked."""
        limit, cost, retry_after = refusal.limit, refusal.cost, refusal.retry_after
        store = "closed" if refusal.unavailable else None
        names = () if refusal.limit_name is None else (refusal.limit_name,)
        details = Details(
            name,
            False,
            cost,
            limit,
            0,
            retry_after,
            endpoint,
            store,
            limit_name=refusal.limit_name,
            refused_by=names,
        )
        for call in self.refused:
            call(details, key)


def _listeners(hook: object, method: str) -> list[_Listener]:
    function = getattr(hook, method, None)
    if function is None and method != "on_refused":
        return []
    name = f"{type(hook).__name__}.{method}"
    if not callable(function):
        raise TypeError(f"hooks must have a method on_refused, got {hook!r}")
    if isinstance(hook, type) and inspect.isfunction(inspect.getattr_static(hook, method)):
        raise TypeError(f"hooks must be objects, but {hook!r} is a class: call it")
    if is_async(function):
        raise TypeError(f"hooks must have plain functions, but {name} is a coroutine function")
    wants_key = getattr(hook, "wants_key", False)
    if not isinstance(wants_key, bool):
        raise TypeError(f"hooks: wants_key must be True or False, got {wants_key!r}")
    return [_Listener(function, name, wants_key)]
