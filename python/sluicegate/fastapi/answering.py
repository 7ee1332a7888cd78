"""An endpoint's answer, where no middleware is before its limit."""

from __future__ import annotations

from types import CellType
from typing import TYPE_CHECKING, Any

from sluicegate._core import Answer
from sluicegate.policy.request import Request

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection

    from sluicegate.policy.tiers.tier import Tier

__all__ = ["cell_of_send", "request_of"]


def request_of(connection: HTTPConnection, tier: Tier) -> Request:
    """The request at its first limit, whose answer gets the fields if Starlette can be made to.

    A dependency sees neither what the endpoint returns nor where that is sent, and one with
    ``yield`` neither, at half as much again for each request. But Starlette sends an answer by
    a closure that it makes for the request, so that what this calls is replaced: nothing that
    is documented stands there.
    """
    request = Request(None, connection.scope["headers"])
    request.leave(tier, "", 0)
    cell = cell_of_send(connection)
    request.is_answered = cell is not None
    if cell is not None:
        cell.cell_contents = Answer(request, None, None, request.headers, cell.cell_contents).send
    return request


def cell_of_send(connection: Any) -> CellType | None:
    """What holds the ``send`` of an endpoint's answer, if Starlette has made it so."""
    sender: Any = getattr(connection, "_send", None)
    if getattr(sender, "__module__", "") != "starlette._exception_handler":
        return None
    names: tuple[str, ...] = sender.__code__.co_freevars
    return sender.__closure__[names.index("send")] if "send" in names else None
