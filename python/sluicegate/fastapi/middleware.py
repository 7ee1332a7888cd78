"""The middleware whose callables get a ``Request``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluicegate.asgi import middleware
from sluicegate.fastapi.views import view

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection

    from sluicegate._support.asgi_types import Scope

__all__ = ["RateLimitMiddleware"]


class RateLimitMiddleware(middleware.RateLimitMiddleware):
    __doc__ = middleware.RateLimitMiddleware.__doc__

    def _view(self, scope: Scope) -> HTTPConnection:
        return view(scope)
