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

# As functools.wraps does it, which `import sluicegate` is too light to bring with it; and what
# `inspect` looks at to tell coroutine functions.
_COPIED = ("__module__", "__name__", "__qualname__", "__doc__", "__annotations__")
# From Python 3.12 on a function can say that it gives coroutines.
_CAN_BE_MARKED: bool = tuple(sys.version_info) >= (3, 12)
_OF_A_FUNCTION = ("__code__", "__defaults__", "__kwdefaults__")


def to_be_awaited(function: F) -> F:
    """A coroutine function whose coroutines refuse ``bool()``.

    ``if limiter.check(key):`` without ``await`` would otherwise admit everybody.
    """
    if not _CAN_BE_MARKED:
        return _Verb(function)  # type: ignore[return-value]

    def begin(*args: Any, **kwargs: Any) -> Any:
        return Pending(function(*args, **kwargs))

    _dress(begin, function, _COPIED)
    mark = getattr(sys.modules.get("inspect"), "markcoroutinefunction", None)
    if mark is not None:
        mark(begin)
    return begin  # type: ignore[return-value]


class _Verb:
    """A function by all that ``inspect`` asks, also whether it is a coroutine function.

    Before Python 3.12 no function can be marked as one, and who asks, as Litestar does of a
    background task, would drop the coroutine.
    """

    def __init__(self, function: Any) -> None:
        _dress(self, function, _COPIED + _OF_A_FUNCTION)

    def __get__(self, instance: object, owner: object = None) -> Any:
        return self if instance is None else _BoundMethod(self, instance)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return Pending(self.__wrapped__(*args, **kwargs))  # type: ignore[attr-defined]


def _dress(dressed: Any, function: Any, names: tuple[str, ...]) -> None:
    for name in names:
        setattr(dressed, name, getattr(function, name))
    dressed.__wrapped__ = function
    # What asyncio asks for, if it has been imported by whoever asks.
    coroutines = sys.modules.get("asyncio.coroutines")
    dressed._is_coroutine = getattr(coroutines, "_is_coroutine", True)  # noqa: SLF001


# In `types`, which need not have been imported.
_BoundMethod: Any = type(_Verb.__new__(_Verb).__call__)
