"""One quota for several endpoints: those that name the same scope."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from sluicegate._support import fork

if TYPE_CHECKING:
    from sluicegate.policy.routes.options import RouteOptions

__all__ = ["limiter_of_scope"]

_lock = fork.new_lock()
# In memory. Each lives as long as an endpoint that has it.
_limiters: WeakValueDictionary[object, Any] = WeakValueDictionary()


def limiter_of_scope(options: RouteOptions, made: Any) -> Any:
    """The limiter of the scope that the options name: ``made``, if they are the first to do so."""
    if options.place != "memory":
        return made  # by its name there it is the same already
    described = options.scope_description(), options.description()
    with _lock:
        return _limiters.setdefault(described, made)
