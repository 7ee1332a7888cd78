"""What the verbs that take time return: a coroutine that refuses to be used as a bool."""

from __future__ import annotations

import sys

from sluicegate._core import Pending

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any, TypeVar

    F = TypeVar("F", bound=Callable[..., Coroutine[Any, Any, Any]])

__all__ = ["to_be_awaited"]

# As functools.wraps does it, which `import sluicegate` is too light to bring with it.
_COPIED = ("__module__", "__name__", "__qualname__", "__doc__", "__annotations__")


def to_be_awaited(function: F) -> F:
    """A coroutine function whose coroutines refuse ``bool()``.

    ``if limiter.check(key):`` without ``await`` would otherwise admit everybody.
    """

    def begin(*args: Any, **kwargs: Any) -> Any:
        return Pending(function(*args, **kwargs))

    for name in _COPIED:
        setattr(begin, name, getattr(function, name))
    begin.__wrapped__ = function  # type: ignore[attr-defined]
    _mark(begin)
    return begin  # type: ignore[return-value]


def _mark(function: Any) -> None:
    """Have ``iscoroutinefunction`` say yes; who asks has imported what answers."""
    coroutines = sys.modules.get("asyncio.coroutines")
    function._is_coroutine = getattr(coroutines, "_is_coroutine", True)
    mark = getattr(sys.modules.get("inspect"), "markcoroutinefunction", None)
    if mark is not None:  # from Python 3.12 on
        mark(function)
