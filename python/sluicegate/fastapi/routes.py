"""Which route a request has been routed to, as a template: the same for every id in a path."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from starlette.routing import Host, Match, Mount

from sluicegate.policy.routes.keys import key_of_route

if TYPE_CHECKING:
    from sluicegate._support.asgi_types import Scope

__all__ = ["route_key", "route_template"]


def route_key(scope: Scope, name: str, client: str) -> str:
    """The key of a client at the limit ``name`` of the route, of which there may be several."""
    method = scope.get("method", "WEBSOCKET")
    return key_of_route(scope, method, route_template(scope), name, client)


def route_template(scope: Scope) -> str:
    """The whole template: root path, mounts, router prefixes, the route's own path, its function.

    The function tells apart what one path cannot, such as the two of ``GET`` and ``HEAD``.
    """
    endpoint = scope.get("endpoint")
    name = getattr(endpoint, "__qualname__", type(endpoint).__qualname__)
    return (
        f"{_mounted_at(scope)}{_own_template(scope)} {getattr(endpoint, '__module__', '')}.{name}"
    )


def _own_template(scope: Scope) -> str:
    route = scope.get("route")
    # FastAPI keeps an included route as it was written, and what its prefix makes of it apart.
    context = scope.get("fastapi", {}).get("effective_route_context")
    if context is not None:
        effective = getattr(context, "starlette_route", None)
        if route is getattr(context, "original_route", None) or route is effective:
            route = effective if getattr(effective, "path_format", None) else context
    for name in ("path_format", "path"):
        template = getattr(route, name, None)
        if isinstance(template, str):
            return template
    return ""  # not routed by Starlette's router


def _mounted_at(scope: Scope) -> str:
    root: str = scope.get("root_path", "")
    outer: str = scope.get("app_root_path", root)
    router = scope.get("router")
    if root == outer and router is getattr(scope.get("app"), "router", None):
        return root
    at: dict[str, Any] = {**scope, "root_path": outer, "path_params": {}, "fastapi": {}}
    template = outer + _walk(at, getattr(router, "routes", []))
    reached: str = at["root_path"]
    if reached == root:
        return template
    return template + _opaque(root.removeprefix(reached), scope)


def _walk(at: dict[str, Any], routes: Iterable[Any]) -> str:
    """Match the mounts and hosts again from the outermost router on; moves ``at`` along."""
    for route in _flat(routes):
        match, child = route.matches(at)
        if match is not Match.FULL:
            continue
        at.update(child)
        if isinstance(route, Mount):
            return route.path + _walk(at, route.routes)
        return f"//{route.host}" + _walk(at, route.routes) if isinstance(route, Host) else ""
    return ""


def _flat(routes: Iterable[Any]) -> Iterator[Any]:
    """The routes, with those of FastAPI's included routers in their places."""
    for route in routes:
        included = getattr(route, "effective_route_contexts", None)
        if included is None:
            yield route
        else:
            for context in included():
                yield getattr(context, "starlette_route", None) or context


def _opaque(path: str, scope: Scope) -> str:
    """A part of the root path whose mounts cannot be seen: how long it is, never a value in it."""
    return f"/*{path.count('/')}" if scope.get("path_params") else path
