"""All keys are forgotten: the verb of limiters and gates in Redis for that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from sluicegate._connection.blocking import must_not_wait
from sluicegate._connection.bridge import running_loop, then
from sluicegate._support.pending import to_be_awaited

if TYPE_CHECKING:
    from sluicegate._connection.places import Places
    from sluicegate._core import Decision, GateDecision, RedisGate, RedisLimiter

__all__ = ["Clearing"]


class _Kept(Protocol):
    """Where keys are kept, and who waits for them."""

    @property
    def _core(self) -> RedisLimiter | RedisGate: ...
    @property
    def _places(self) -> Places[Decision] | Places[GateDecision]: ...


class Clearing:
    """The verb ``clear``, for coroutines and for threads."""

    __slots__ = ()

    @to_be_awaited
    async def clear(self: _Kept) -> None:
        """Forget every key, for all processes: the whole quota of each is back. Statistics stay.

        It walks through all keys of the server, or of every primary of a Cluster, whoever's they are: some
        500 in one round trip, between which others are served; a million take about a second, and several if
        all of them are to be forgotten. Each step ends within ``timeout``. Nothing is atomic: what is spent
        meanwhile may stay, and so may a key that moves from one primary to another. Those who wait here ask
        again; other processes see it within one second, as a ``refund``.

        Needs the right to run ``SCAN`` and ``UNLINK`` or ``DEL``.

        Raises :class:`~sluicegate.errors.StoreError` that names the command, whatever ``on_error`` is, when a
        step fails: some keys are forgotten then, and to call it again is safe. ``ValueError`` for
        ``prefix=""``, as keys' names do not tell then whose they are.
        """
        running_loop()
        await then(self._core.clear(), self._places.look_again)

    def clear_sync(self: _Kept) -> None:
        """``clear`` that blocks its thread; Ctrl-C ends it.

        Raises the same, and ``RuntimeError`` where an event loop runs: that would stand still.
        """
        must_not_wait("clear_sync", "`await clear()`")
        self._core.ask_clear()
        self._places.look_again()
