"""A gate's calls for threads without an event loop, and how it is closed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluicegate._connection.blocking import may_block
from sluicegate._connection.rights import ping
from sluicegate._support.awaiting import at_once

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Self

    from sluicegate._connection.places import Places
    from sluicegate._connection.scripts import Scripts
    from sluicegate._core import GateDecision, RedisGate, RedisLimiter

    Keys = str | Mapping[str, str | None]
    Cost = int | Mapping[str, int]

__all__ = ["BlockingGate"]


class BlockingGate:
    """Each blocks its thread, and lets others run meanwhile; any number of threads may call them."""

    __slots__ = ()

    if TYPE_CHECKING:

        @property
        def _core(self) -> RedisGate: ...

        _scripts: Scripts

        @property
        def _limiters(self) -> dict[str, RedisLimiter]: ...

        _places: Places[GateDecision]

        def _commands(self) -> set[str]: ...

    def check_sync(self, keys: Keys, cost: Cost = 1) -> GateDecision:
        """``check`` that blocks its thread; raises the same."""
        may_block("check_sync")
        return self._core.ask("check", keys, cost)

    def peek_sync(self, keys: Keys, cost: Cost = 1) -> GateDecision:
        """``peek`` that blocks its thread."""
        may_block("peek_sync")
        return self._core.ask("peek", keys, cost)

    def refund_sync(self, keys: Keys, decision: GateDecision) -> None:
        """``refund`` that blocks its thread; raises the same."""
        may_block("refund_sync")
        self._core.ask_refund(keys, decision)
        self._places.look_again()

    def reset_sync(self, keys: Keys) -> None:
        """``reset`` that blocks its thread."""
        may_block("reset_sync")
        self._core.ask_reset(keys)
        self._places.look_again()

    def ping_sync(self, timeout: float = 1.0) -> str:
        """``ping`` that blocks its thread."""
        may_block("ping_sync")
        return at_once(ping(self._scripts.blocking(), self._commands(), timeout))

    def close(self) -> None:
        """Close the connection, unless others use it. A later call opens it again.

        Permits that are held stay so.
        """
        for limiter in self._limiters.values():
            limiter.close()
        self._scripts.close()

    async def aclose(self) -> None:
        """:meth:`close`, as a coroutine."""
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
