"""Policies of files that several middlewares name: one for all that are made before a request comes."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from sluicegate._support import fork

__all__ = ["policy_at"]

P = TypeVar("P")

_making = fork.new_lock()
_made: WeakValueDictionary[object, Any] = WeakValueDictionary()


def policy_at(
    make: Callable[..., P], path: object, tiers: tuple[Any, ...], options: Mapping[str, Any]
) -> P:
    """The policy that ``make`` makes of the file at ``path`` and the ``options`` beside it.

    Some frameworks build a middleware anew for each route, all from the same arguments: they get
    the same policy, as long as that has not decided anything and the file is the same.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"policy must be a Policy, or the path of a file, got {path!r}")
    given = {**options, "tiers": tiers[0]} if tiers else dict(options)
    name = os.path.abspath(path), tuple(sorted((key, id(each)) for key, each in given.items()))
    with _making:
        known: Any = _made.get(name)
        if known is None or known.enforcer.owned.has_begun() or not known.source.is_in_force():
            known = make(path, **given)
            _made[name] = known
        made: P = known
        return made
