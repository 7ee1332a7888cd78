"""The refusals in an app's OpenAPI document: at every endpoint that a limit covers."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from functools import wraps
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from fastapi import FastAPI

from sluicegate.asgi import middleware
from sluicegate.fastapi.limited import limit_of
from sluicegate.fastapi.routes import all_routes
from sluicegate.headers import HEADER_SETS, header_sets
from sluicegate.policy.enforcing.covering import covered
from sluicegate.refusals import FixedRefusal, json_refusal, problem_refusal

if TYPE_CHECKING:
    from sluicegate.policy.options import PolicyOptions

__all__ = ["describe_limits"]

_log = logging.getLogger("sluicegate")

_RETRY_AFTER: Final = {
    "description": "Whole seconds to wait before the next try.",
    "schema": {"type": "integer", "minimum": 1},
}
_FIELDS: Final = {
    "x-ratelimit": {
        "X-RateLimit-Limit": ("The quota of the limit that decides.", "integer"),
        "X-RateLimit-Remaining": ("What is left of it.", "integer"),
        "X-RateLimit-Reset": ("When all of it is back, in Unix seconds.", "integer"),
    },
    "ietf": {
        "RateLimit-Policy": (
            "All limits of the request, each with its quota and window.",
            "string",
        ),
        "RateLimit": ("What is left of each, and the seconds until more is.", "string"),
    },
}
_SECONDS: Final = {"type": "integer", "description": "Whole seconds to wait."}
_BODY: Final = {
    "type": "object",
    "properties": {"error": {"type": "string"}, "retry_after": _SECONDS},
    "required": ["error"],
}
_PROBLEM: Final = {
    "type": "object",
    "description": "A problem of RFC 9457.",
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "violated-policies": {"type": "array", "items": {"type": "string"}},
        "retry_after": _SECONDS,
    },
}
_USUAL: Final = 429
_STATUSES: Final = frozenset(map(int, HTTPStatus))
_DETAIL: Final = {"type": "object", "properties": {"detail": _BODY}, "required": ["detail"]}


def describe_limits(app: FastAPI) -> None:
    """Have the OpenAPI document of ``app`` show the 429 of every endpoint that a limit covers.

    It does so by itself, as soon as :mod:`sluicegate.fastapi` is imported, unless ``app.openapi`` was
    replaced by a function of your own: call this after that.
    """
    if not isinstance(app, FastAPI):
        raise TypeError(f"app must be a FastAPI app, got {type(app).__name__} {app!r}")
    own = app.__dict__.get("openapi")
    if own is None or getattr(own, "describes_limits", False):
        return

    @wraps(own)
    def openapi() -> dict[str, Any]:
        return _described(app, own())

    openapi.describes_limits = True  # type: ignore[attr-defined]
    app.openapi = openapi  # type: ignore[method-assign]


def describe_all() -> None:
    """Have every FastAPI app's document show what its limits answer.

    A dependency is not told which app or route it belongs to, and FastAPI asks none what it may
    answer: the document is the only place where both are known.
    """
    original = FastAPI.openapi
    if getattr(original, "describes_limits", False):
        return

    @wraps(original)
    def openapi(self: FastAPI) -> dict[str, Any]:
        return _described(self, original(self))

    openapi.describes_limits = True  # type: ignore[attr-defined]
    FastAPI.openapi = openapi  # type: ignore[method-assign]


def _described(app: FastAPI, document: dict[str, Any]) -> dict[str, Any]:
    try:
        _describe(app, document)
    except Exception:  # a document without our refusals is better than none
        _log.exception("The limits of an app could not be shown in its OpenAPI document.")
    return document


def _describe(app: FastAPI, document: dict[str, Any]) -> None:
    around, limited = list(_policies(app)), dict(_limited(app))
    for path, item in document.get("paths", {}).items():
        for method, operation in item.items():
            if not isinstance(operation, dict) or "responses" not in operation:
                continue  # what all of a path have in common, such as its parameters
            key = method.upper(), path
            before = next((each for policy in around if (each := covered(policy, *key))), None)
            if before is not None:
                for status, answers in _by_status(before.answers).items():
                    refusal = _refusal(before.header_sets, _bodies(answers), status)
                    operation["responses"].setdefault(str(status), refusal)
            elif key in limited:
                refusal = _refusal(limited[key], {"application/json": _DETAIL})
                operation["responses"].setdefault("429", refusal)


def _policies(app: FastAPI) -> Iterator[PolicyOptions]:
    """Those of the middlewares that were added to an app."""
    around: Any = app.middleware_stack
    while around is not None:
        if isinstance(around, middleware.RateLimitMiddleware):
            yield around.policy
        around = getattr(around, "app", None)
    if app.middleware_stack is None:  # it does not run, as where the document is written to a file
        for kind, args, kwargs in app.user_middleware:
            if isinstance(kind, type) and issubclass(kind, middleware.RateLimitMiddleware):
                yield kind(app, *args, **kwargs).policy


def _limited(app: FastAPI) -> Iterator[tuple[tuple[str, str], Any]]:
    """The endpoints that have a limit of their own, and which fields it sends."""
    for route in all_routes(app.routes):
        limits = list(_limits_in(getattr(route, "dependant", None)))
        for method in getattr(route, "methods", None) or ():
            if limits:
                yield (method, route.path_format), limits[0].header_sets


def _limits_in(dependant: Any) -> Iterator[Any]:
    for each in getattr(dependant, "dependencies", ()):
        found = limit_of(each.call)
        if found is not None:
            yield found
        yield from _limits_in(each)


def _by_status(answers: Iterable[Any]) -> dict[int, list[Any]]:
    """The answers by the statuses that they have."""
    found: dict[int, list[Any]] = {}
    for answer in answers:
        status = answer.status if isinstance(answer, FixedRefusal) else _USUAL
        found.setdefault(status, []).append(answer)
    return found


def _bodies(answers: Iterable[Any]) -> dict[str, Any]:
    """The kinds of bodies that refusals may have; none for those of the user's own."""
    bodies: dict[str, Any] = {}
    for answer in answers:
        if answer is json_refusal:
            bodies["application/json"] = _BODY
        elif answer is problem_refusal:
            bodies["application/problem+json"] = _PROBLEM
        elif isinstance(answer, FixedRefusal) and answer.text is None:
            bodies["application/json"] = _BODY
        elif isinstance(answer, FixedRefusal) and answer.text:
            bodies[answer.content_type.partition(";")[0]] = {"type": "string"}
    return bodies


def _refusal(sets: Any, bodies: dict[str, Any], status: int = _USUAL) -> dict[str, Any]:
    headers: dict[str, Any] = {"Retry-After": _RETRY_AFTER}
    chosen = header_sets(sets)
    for fields in (_FIELDS[each] for each in HEADER_SETS if each in chosen):
        for name, (description, kind) in fields.items():
            headers[name] = {"description": description, "schema": {"type": kind}}
    described: dict[str, Any] = {
        "description": HTTPStatus(status).phrase if status in _STATUSES else "Refused",
        "headers": headers,
    }
    if bodies:
        described["content"] = {kind: {"schema": schema} for kind, schema in bodies.items()}
    return described
