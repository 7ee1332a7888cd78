"""Replies that nobody needs to await."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from sluicegate.errors import StoreError

__all__ = ["done"]


def done(
    loop: asyncio.AbstractEventLoop,
    reply: Awaitable[Any],
    then: Callable[[Any], None],
    otherwise: Callable[[StoreError], None],
) -> asyncio.Future[None]:
    """Done when the reply is there, or is not to come; to cancel it does not cancel the call."""
    ended: asyncio.Future[None] = loop.create_future()
    settle = partial(_settle, ended, then, otherwise)
    asyncio.ensure_future(reply).add_done_callback(settle)
    return ended


def _settle(
    ended: asyncio.Future[None],
    then: Callable[[Any], None],
    otherwise: Callable[[StoreError], None],
    reply: asyncio.Future[Any],
) -> None:
    # An error is the log's business alone: a lease that is neither renewed nor released runs out.
    answer = None if reply.cancelled() or reply.exception() is not None else reply.result()
    if isinstance(answer, StoreError):
        otherwise(answer)
    elif answer is not None:
        then(answer)
    if not ended.done():
        ended.set_result(None)
