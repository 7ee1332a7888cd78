"""What blocks a thread that has no event loop: scripts, and what the log says of it."""

from __future__ import annotations

import logging
from asyncio import _get_running_loop
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from sluicegate.errors import StoreError

if TYPE_CHECKING:
    from sluicegate._core import RedisScript, RedisScripts

__all__ = ["BlockingScripts", "Settled", "may_block", "must_not_wait"]

T = TypeVar("T")

_log = logging.getLogger("sluicegate")
_said = False


def may_block(verb: str) -> None:
    """Say once in the log, if an event loop runs here, that ``verb`` blocks it."""
    global _said
    if _get_running_loop() is not None and not _said:
        _said = True
        _log.warning(
            "%s blocks the event loop that runs in this thread, for as long as Redis needs or until "
            "the limiter's timeout: await %s there (said once)",
            verb,
            verb.removesuffix("_sync"),
        )


def must_not_wait(verb: str, instead: str) -> None:
    """Raise ``RuntimeError`` if an event loop runs here: it would stand still for too long."""
    if _get_running_loop() is not None:
        raise RuntimeError(f"{verb} would block the event loop that runs here: use {instead}")


class Settled(Generic[T]):
    """A future that has come to its end, for coroutines that thereby never wait."""

    __slots__ = ("_error", "_value")

    def __init__(self, value: T | None = None, error: StoreError | None = None) -> None:
        self._value, self._error = value, error

    def result(self) -> Any:
        if self._error is not None:
            raise self._error
        return self._value

    def exception(self) -> StoreError | None:
        return self._error

    def cancelled(self) -> bool:
        return False

    def add_done_callback(self, function: Callable[[Any], object]) -> None:
        function(self)

    def __await__(self) -> Any:
        return self.result()
        yield


class BlockingScripts:
    """As :class:`Scripts`, but each call blocks its thread, and is settled when it returns."""

    __slots__ = ("_core", "_timeout")

    def __init__(self, core: RedisScripts, timeout: float) -> None:
        self._core, self._timeout = core, timeout

    def run(
        self,
        script: RedisScript,
        key: str,
        arguments: list[str],
        timeout: float | None = None,
        by_text: bool = False,
    ) -> Any:
        seconds = self._timeout if timeout is None else timeout
        try:
            return Settled(self._core.ask(script, key, arguments, seconds, by_text))
        except StoreError as error:
            return Settled(error=error)

    def post(self, script: RedisScript, key: str, arguments: list[str]) -> None:
        self._core.post(script, key, arguments, self._timeout)

    def hello(self, timeout: float) -> Any:
        return Settled(self._core.ask_hello(timeout))  # no server, no further questions

    async def settled(self, _: object) -> None: ...

    def blocking(self) -> BlockingScripts:
        return self

    def close(self) -> None:
        self._core.close()
