"""How a limiter gets into another process, if it does: made anew there from its settings."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

    from typing_extensions import Self

    # The class whose constructor makes it, that constructor's arguments, and its options.
    Plan = tuple[type, tuple[Any, ...], dict[str, Any]]

__all__ = ["MadeAnew", "stays"]


def stays(thing: object, what: str = "counts") -> NoReturn:
    """Raise the ``TypeError`` of what lives in the memory of this process."""
    raise TypeError(
        f"a {type(thing).__name__} in memory cannot be pickled: its {what} are in this "
        "process. Share it between threads and coroutines as it is; and in each process make "
        "one of its own, by a function that returns it, or one in Redis"
    )


class MadeAnew:
    """What has its state in Redis: a copy is another one with the same settings.

    It is pickled for a process that multiprocessing starts, and for nothing else: its settings
    may hold a password, which caches and queues would keep.
    """

    __slots__ = ()

    def _plan(self) -> Plan:
        raise NotImplementedError

    def __copy__(self) -> Self:
        plan = self._plan()
        made: Self = _made(type(self), *plan, _added_attributes(self, plan[0]))
        return made

    def __deepcopy__(self, _: object) -> Self:
        return self.__copy__()

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        plan = self._plan()
        from multiprocessing.context import get_spawning_popen

        if get_spawning_popen() is None:
            raise TypeError(
                f"a {type(self).__name__} in Redis is pickled only for a process that "
                "multiprocessing starts (in args= of a Process, initargs= of a pool): anywhere "
                "else its password would be written down. Have the other side make its own, by "
                "a function that returns it"
            )
        return _made, (type(self), *plan, _added_attributes(self, plan[0]))


def _added_attributes(thing: object, base: type) -> dict[str, Any]:
    """What a derived class has put beside the slots of its base."""
    return {} if base.__dictoffset__ else dict(getattr(thing, "__dict__", {}))


def _made(
    kind: Any,
    base: Any,
    arguments: tuple[Any, ...],
    options: dict[str, Any],
    attributes: dict[str, Any],
) -> Any:
    # Not by the kind's own constructor: that of a derived class may take other arguments.
    thing = kind.__new__(kind)
    base.__init__(thing, *arguments, **options)
    for name, value in attributes.items():
        setattr(thing, name, value)
    return thing
