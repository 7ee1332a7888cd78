"""Letting go of a response that will not be read, so that its connection is free again."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from inspect import isawaitable

__all__ = ["discard", "discard_async"]


def discard(response: object) -> None:
    """Close a response, as httpx, requests and urllib do it."""
    close = _method(response, "close")
    if close is not None:
        # The retry matters more than a connection that does not close well.
        with suppress(Exception):
            close()


async def discard_async(response: object) -> None:
    """Close a response, as httpx and aiohttp do it."""
    for name in ("aclose", "release", "close"):
        close = _method(response, name)
        if close is not None:
            with suppress(Exception):
                done = close()
                if isawaitable(done):
                    await done
            return


def _method(thing: object, name: str) -> Callable[[], object] | None:
    found = getattr(thing, name, None)
    return found if callable(found) else None
