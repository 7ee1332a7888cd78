"""The shapes of limiters, for annotations: what the middleware and adapters are written to."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from sluicegate._core import Decision, GateDecision

__all__ = ["AnyGate", "AnyLimiter", "AnyPermits", "SyncLimiter"]


class AnyLimiter(Protocol):
    """Whatever decides: in this process, in Redis, or a limiter of your own.

    One that can also ``refund(key, cost)`` gets back what was spent on a request that a later
    limit refused. (Ours are handed the decision itself, as a receipt.)
    """

    @property
    def limit(self) -> int:
        """Units of a key in a window."""
        ...

    @property
    def window_seconds(self) -> float:
        """The window's length in seconds."""
        ...

    def check(self, key: str, cost: int = 1, /) -> Decision | Awaitable[Decision]:
        """Decide now, and spend ``cost`` units of ``key`` if they are admitted."""
        ...

    def peek(self, key: str, cost: int = 1, /) -> Decision | Awaitable[Decision]:
        """What ``check`` would say now, with nothing spent."""
        ...


class AnyGate(Protocol):
    """Several limits and one decision: a :class:`~sluicegate.Gate`, in this process or in Redis."""

    @property
    def parts(self) -> tuple[Any, ...]:
        """Its limits: each has a ``name``, a ``quota`` and the ``limit``."""
        ...

    def check(
        self, keys: str | Mapping[str, str | None], cost: int | Mapping[str, int] = 1, /
    ) -> GateDecision | Awaitable[GateDecision]:
        """Decide now, and spend from all limits if none refuses."""
        ...

    def peek(
        self, keys: str | Mapping[str, str | None], cost: int | Mapping[str, int] = 1, /
    ) -> GateDecision | Awaitable[GateDecision]:
        """What ``check`` would say now, with nothing spent."""
        ...

    def refund(self, keys: str | Mapping[str, str | None], decision: GateDecision, /) -> Any:
        """Give back what ``decision`` has spent."""
        ...


class SyncLimiter(Protocol):
    """Whatever decides by calls that return a Decision: in this process, or in Redis by blocking.

    Every limiter of this package is one.
    """

    @property
    def limit(self) -> int:
        """Units of a key in a window."""
        ...

    @property
    def window_seconds(self) -> float:
        """The window's length in seconds."""
        ...

    def check_sync(self, key: str, cost: int = 1, /) -> Decision:
        """Decide now, and spend ``cost`` units of ``key`` if they are admitted."""
        ...

    def check_many_sync(self, keys: Iterable[str], cost: int = 1, /) -> list[Decision]:
        """``check_sync`` for each key, in their order."""
        ...

    def peek_sync(self, key: str, cost: int = 1, /) -> Decision:
        """What ``check_sync`` would say now, with nothing spent."""
        ...

    def wait_sync(self, key: str, cost: int = 1, timeout: float | None = None, /) -> Decision:
        """Block until admitted; refuse at once if that would take over ``timeout`` seconds."""
        ...

    def refund_sync(self, key: str, cost: int = 1, /) -> None:
        """Give ``cost`` units of ``key`` back."""
        ...

    def reset_sync(self, key: str, /) -> None:
        """Forget ``key``: its whole quota is back."""
        ...

    def ping_sync(self, timeout: float = 1.0, /) -> str:
        """The server's name and version, or ``"memory"``."""
        ...

    def close(self) -> None:
        """Let go of connections; a later call opens them again."""
        ...


class AnyPermits(Protocol):
    """Whatever gives permits: at most ``limit`` of a key at once."""

    @property
    def limit(self) -> int:
        """How many permits a key has."""
        ...

    def try_acquire(self, key: str, /) -> Any:
        """A permit, which has ``release``; or ``None``. Either may have to be awaited."""
        ...
