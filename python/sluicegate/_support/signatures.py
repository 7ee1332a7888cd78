"""Functions that take the options of a dataclass, and show them as their own."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

if TYPE_CHECKING:
    from sluicegate._support.asgi_types import ASGIApp, WSGIApp

__all__ = ["takes", "takes_app_and", "takes_wsgi_app_and"]

P = ParamSpec("P")
R = TypeVar("R")


def takes(options: Callable[P, object]) -> Callable[[Callable[..., R]], Callable[P, R]]:
    """Marks a function of ``*args, **kwargs`` as taking what ``options`` takes."""

    def mark(function: Any) -> Any:
        function.__signature__ = inspect.signature(options).replace(return_annotation=Any)
        _speak_of(function, options)
        return function

    return mark


def takes_app_and(
    options: Callable[P, object],
) -> Callable[[Callable[..., None]], Callable[Concatenate[Any, ASGIApp, P], None]]:
    """The same for a method that takes an app first."""

    def mark(method: Any) -> Any:
        own = list(inspect.signature(method).parameters.values())[:2]
        more = inspect.signature(options).parameters.values()
        method.__signature__ = inspect.Signature([*own, *more])
        _speak_of(method, options)
        return method

    return mark


def takes_wsgi_app_and(
    options: Callable[P, object],
) -> Callable[[Callable[..., None]], Callable[Concatenate[Any, WSGIApp, P], None]]:
    """The same for an app of WSGI."""
    mark: Any = takes_app_and(options)
    return mark  # type: ignore[no-any-return]


def _speak_of(function: Any, options: Any) -> None:
    """Have Python's errors about arguments name what the user has called."""
    options.__init__.__qualname__ = function.__qualname__
