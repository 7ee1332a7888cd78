"""What an app-wide limit does not see: the apps that are mounted in its app."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from starlette.routing import Host, Mount
from starlette.staticfiles import StaticFiles

if TYPE_CHECKING:
    from sluicegate._support.asgi_types import Scope

__all__ = ["warn_of_mounts"]

_log = logging.getLogger("sluicegate")


def warn_of_mounts(scope: Scope, is_limit: Callable[[Any], bool]) -> None:
    """Say so if limits are among the dependencies of the outermost app, and apps mounted in it."""
    router = scope.get("router")
    if not any(is_limit(each.dependency) for each in getattr(router, "dependencies", ())):
        return
    mounted = [
        route.path if isinstance(route, Mount) else route.host
        for route in getattr(router, "routes", ())
        if isinstance(route, (Mount, Host)) and not isinstance(route.app, StaticFiles)
    ]
    if mounted:
        _log.warning(
            "rate_limit in FastAPI(dependencies=[...]) does not limit the apps that are mounted "
            "there: %s. FastAPI runs an app's dependencies for its own routes only. Use "
            "RateLimitMiddleware, which sees all requests, or give the limit to each mounted "
            "app as well.",
            ", ".join(map(repr, mounted)),
        )
