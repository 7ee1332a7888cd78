"""One request at all its limits, and which of them are around an app."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sluicegate.policy.request import REQUEST, Request
from sluicegate.wsgi.scope import as_bytes, origin_in

if TYPE_CHECKING:
    from sluicegate._support.asgi_types import Environ
    from sluicegate.headers import Field
    from sluicegate.policy.enforcer import Enforcer

__all__ = ["WSGIRequest", "request_in"]

_OURS = ("x-ratelimit", "ratelimit")


class WSGIRequest(Request):
    """A request that answers by ``start_response``.

    Attributes:
        has_begun: whether its answer has: then no limit that is asked is within it.
        awaits_status: whether the status of its answer is yet to settle what was spent.
    """

    has_begun: bool = False
    awaits_status: bool = False

    def __init__(self, enforcer: Enforcer | None, environ: Environ) -> None:
        super().__init__(enforcer, origin_in(environ))

    def whole_headers(self, status: int, own: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """An answer's ``own`` header fields and ours."""
        if self.refused is None and not self.headers:
            # Only ours are looked at, and nothing of its own is changed.
            alike = [_encoded(field) for field in own if field[0].lower().startswith(_OURS)]
            return [*own, *map(_decoded, self.fields(status, alike))]
        return [*map(_decoded, self.all_fields(status, map(_encoded, own)))]


def request_in(environ: Environ) -> Any:
    """The request at the nearest limit outwards whose answer has not begun; ``None`` without one.

    An environ may be passed on to another app, which is within none of the first one's limits.
    """
    request: Any = environ.get(REQUEST)
    while request is not None and request.has_begun:
        request = request.outer
    return request


def _encoded(field: tuple[str, str]) -> Field:
    name, value = field
    return as_bytes(name), as_bytes(value)


def _decoded(field: Field) -> tuple[str, str]:
    name, value = field
    return name.decode("latin-1"), value.decode("latin-1")
