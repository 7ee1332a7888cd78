"""Functions that a file names, as ``"module:name"``."""

from __future__ import annotations

import re
import sys
from importlib import import_module
from typing import Any, Final

from sluicegate._support.arguments import printable
from sluicegate.policy.document.text.nodes import nearest, shown

__all__ = ["FunctionError", "function_of"]

_DOTTED: Final = r"[^\W\d]\w*(?:\.[^\W\d]\w*)*"
_WRITTEN: Final = re.compile(rf"({_DOTTED}):({_DOTTED})")


class FunctionError(ValueError):
    """There is no such function."""


def function_of(text: str) -> Any:
    """What ``"module:name"`` names; its module is imported. The name may be dotted.

    Raises :class:`FunctionError` with the reason.
    """
    written = _WRITTEN.fullmatch(text)
    if written is None:
        raise FunctionError(
            f"a function is written \"module:name\", such as 'myapp.limits:cost_of', got {shown(text)}"
        )
    module, names = written.groups()
    try:
        thing: Any = import_module(module)
    except (Exception, SystemExit) as error:  # a script that ends must not end who reads the file
        raise FunctionError(f"{module} cannot be imported: {_told(error)}") from error
    for name in names.split("."):
        thing = _of(thing, name, module, names)
    if not callable(thing):
        raise FunctionError(f"{text} must be callable, got {type(thing).__name__}")
    return thing


def _of(thing: object, name: str, module: str, names: str) -> Any:
    try:
        return getattr(thing, name)
    except AttributeError:
        raise FunctionError(f"{module} has no {names}{_advice(module, thing, name)}") from None
    except Exception as error:  # of what is made when it is asked for, as settings are
        raise FunctionError(f"{names} of {module} cannot be had: {_told(error)}") from error


def _told(error: BaseException) -> str:
    """What an error of somebody else's says, in one line."""
    return printable(f"{type(error).__name__}: {error}".partition("\n")[0])


def _advice(module: str, thing: object, name: str) -> str:
    spec = getattr(sys.modules.get(module), "__spec__", None)
    if getattr(spec, "_initializing", False):
        return ", or not yet: the policy is read while that module is being imported"
    return nearest(name, [each for each in dir(thing) if not each.startswith("__")])
