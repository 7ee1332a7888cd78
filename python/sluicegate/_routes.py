"""Which route a request has been routed to, as a template: the same for every id in a path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.routing import Match, Mount

if TYPE_CHECKING:
    from sluicegate._asgi_types import Scope

__all__ = ["route_template"]


def route_template(scope: Scope) -> str:
    """The whole template: root path, mounts, router prefixes and the route's own path."""
    return _mounted_at(scope) + _own_template(scope)


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
    # Not routed by Starlette's router: every endpoint is a template of its own.
    endpoint = scope.get("endpoint")
    return f"<{getattr(endpoint, '__module__', '')}.{getattr(endpoint, '__qualname__', '')}>"


def _mounted_at(scope: Scope) -> str:
    root: str = scope.get("root_path", "")
    outer: str = scope.get("app_root_path", root)
    if root == outer:
        return root
    template = _walk(scope, outer, root)
    return _with_values_replaced(scope, root) if template is None else template


def _walk(scope: Scope, outer: str, root: str) -> str | None:
    """Match the mounts again from the outermost router on; ``None`` if they cannot be followed."""
    at: dict[str, Any] = {**scope, "root_path": outer, "path_params": {}}
    routes: list[Any] = getattr(scope.get("router"), "routes", [])
    template = outer
    while len(at["root_path"]) < len(root):
        for route in routes:
            match, child = route.matches(at)
            if match is Match.FULL:
                break
        else:
            return None
        if not isinstance(route, Mount):
            return None
        at.update(child)
        template += route.path
        routes = list(route.routes or [])
    return template if at["root_path"] == root else None


def _with_values_replaced(scope: Scope, root: str) -> str:
    names = {str(value): name for name, value in scope.get("path_params", {}).items()}
    parts = [f"{{{names[part]}}}" if part in names else part for part in root.split("/")]
    return "/".join(parts)
