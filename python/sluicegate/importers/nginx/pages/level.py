"""``error_page``: what a level answers instead of an error, where its text is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from sluicegate.importers.nginx.pages.answer import Answer
from sluicegate.importers.nginx.parsing import Directive

__all__ = ["NO_STATUSES", "Pages"]

_PLAIN = "text/plain"
#: What nginx knows where no ``types`` block is in effect.
_TYPES = {"html": "text/html", "gif": "image/gif", "jpg": "image/jpeg"}
_WITHOUT_BODY = (204, 205, 304)
_REDIRECTS = (301, 302, 303, 307, 308)
#: nginx closes the connection without an answer, or answers with another status (400).
NO_STATUSES = (408, 444, 494, 495, 496, 497, 499)
#: Beside ``return``, what changes nothing of an answer that a policy sends.
_NEEDLESS = frozenset(
    ("return", "internal", "default_type", "types", "access_log", "log_not_found", "add_header")
)


@dataclass(frozen=True)
class Pages:
    """The error pages that are in effect at a level.

    Attributes:
        directives: all ``error_page`` of the level, else of the one around it.
        default_type, types: how the type of an answer is found.
        targets: the server's locations that a page may name, by their names.
    """

    directives: tuple[Directive, ...] = ()
    default_type: str = _PLAIN
    types: Mapping[str, str] = field(default_factory=lambda: _TYPES)
    targets: Mapping[str, tuple[Directive, Pages]] = field(
        default_factory=dict[str, "tuple[Directive, Pages]"]
    )

    def within(self, level: Directive) -> Pages:
        """Those at a ``level`` in this one: of its own it has none of the outer ones."""
        own = level.all("error_page")
        default_type = level.last("default_type")
        types = {
            extension: entry.name
            for block in level.all("types")
            for entry in block.block or ()
            for extension in entry.args
        }
        found = Pages(
            tuple(own) if own else self.directives,
            self.default_type if default_type is None else default_type.args[0],
            types or self.types,
            self.targets,
        )
        if level.name != "server":
            return found
        targets = {
            name: (location, found.within(location))
            for location in level.all("location")
            if (name := _name(location)) is not None
        }
        return replace(found, targets=targets)

    def page(self, status: int) -> Directive | None:
        """The ``error_page`` for a status: the first that names it."""
        codes = (each for each in self.directives if str(status) in each.args[:-1])
        return None if status in NO_STATUSES else next(codes, None)

    def answer(self, status: int) -> Answer | None:
        """What a request that is refused with the ``status`` gets, if a page says so and it is known."""
        page = self.page(status)
        target = None if page is None else self.targets.get(page.args[-1])
        if page is None or target is None:
            return None
        location, pages = target
        returned = _returned(location)
        if returned is None:
            return None
        code, text = int(returned.args[0]), returned.args[1]
        shown = next((arg for arg in page.args[:-1] if arg.startswith("=")), f"={status}")
        status = int(shown[1:] or code)
        found = Answer(status, text, pages.type_of(page.args[-1]), (page, returned))
        if status in _WITHOUT_BODY:
            found = replace(found, text=None, content_type=None)
        return found if found.can_be_said else None

    def type_of(self, name: str) -> str:
        """The type of an answer at a location of this name."""
        extension = "" if name.startswith("@") else PurePosixPath(name).suffix[1:].lower()
        return self.types.get(extension, self.default_type)


def _name(location: Directive) -> str | None:
    """How a page may name it: as ``@name``, or by a path that is no other's."""
    text = "".join(location.args)
    if text.startswith("@"):
        return text
    return text[1:] if text.startswith("=") else None


def _returned(location: Directive) -> Directive | None:
    """The ``return`` that is all of a location, with a status and a text that are always the same."""
    own = location.block or ()
    found = next((each for each in own if each.name == "return"), None)
    if found is None or len(found.args) != 2 or any(each.name not in _NEEDLESS for each in own):
        return None
    code, text = found.args
    if not (code.isascii() and code.isdigit()) or int(code) in _REDIRECTS or "$" in text:
        return None
    return found if 200 <= int(code) <= 599 and int(code) not in NO_STATUSES else None
