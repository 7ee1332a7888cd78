"""Texts with variables, such as ``$binary_remote_addr:${host}``."""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["Part", "parts_of", "variables_in"]

_VARIABLE = re.compile(r"\$(?:\{([A-Za-z0-9_]+)\}|([A-Za-z0-9_]+))", re.ASCII)


class Part(NamedTuple):
    """A piece of a text: as it stands, or a variable's name."""

    text: str
    is_variable: bool


def parts_of(text: str) -> list[Part]:
    """The pieces of ``text``, none of which is empty.

    Raises ``ValueError`` for a ``$`` that no name follows.
    """
    found: list[Part] = []
    end = 0
    for match in _VARIABLE.finditer(text):
        found.append(Part(text[end : match.start()], False))
        found.append(Part(match[1] or match[2], True))
        end = match.end()
    found.append(Part(text[end:], False))
    for part in found:
        if not part.is_variable and "$" in part.text:
            raise ValueError(f"{text!r} has a '$' without the name of a variable")
    return [part for part in found if part.text]


def variables_in(text: str) -> list[str]:
    """The names of the variables in ``text``; those of a regular expression's groups are digits."""
    return [part.text for part in parts_of(text) if part.is_variable]
