"""``error_code`` and ``error_message``: what Kong answers requests that a plugin refuses."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from sluicegate.importers.document import Value
from sluicegate.importers.kong.entities import Plugin
from sluicegate.importers.kong.report import Report
from sluicegate.importers.kong.table import Table
from sluicegate.importers.origins import Source
from sluicegate.refusals import FixedRefusal

__all__ = ["Refused", "refused_of"]

_MESSAGE = "API rate limit exceeded"
_USUAL = 429
_NOTE = "Kong's answer has the request's id, too, and is HTML, XML or plain text for clients that ask for it."


@dataclass(frozen=True)
class Refused:
    """A status, a message, or both, in the place of the policy's own.

    Attributes:
        sources: what says so.
    """

    status: int = _USUAL
    message: str | None = None
    sources: tuple[Source, ...] = field(default=(), compare=False)

    @property
    def value(self) -> dict[str, Value]:
        """As the ``refusal`` of a policy's file."""
        found: dict[str, Value] = {"status": self.status}
        if self.message is not None:
            text = json.dumps({"message": self.message}, ensure_ascii=False, separators=(",", ":"))
            found |= {"text": text, "content_type": "application/json; charset=utf-8"}
        return found

    @property
    def notes(self) -> tuple[str, ...]:
        return () if self.message is None else (_NOTE,)


def refused_of(plugin: Plugin, config: Table, report: Report) -> Refused | None:
    """What a plugin says of refusals; ``None`` if that is Kong's usual answer."""
    code, message = config.number("error_code"), config.text("error_message")
    status = _USUAL if code is None else _status(plugin, config, code, report)
    sources = tuple(
        report.source(config.line_of(name), f"{name}: {config.text(name)}")
        for name in ("error_code", "error_message")
        if name in config
    )
    found = Refused(status, None if message in (None, _MESSAGE) else message, sources)
    return None if found == Refused() else found


def _status(plugin: Plugin, config: Table, code: float, report: Report) -> int:
    try:
        return FixedRefusal(int(code), "a text").status
    except ValueError:
        report.differs(
            config.line_of("error_code"),
            f"{plugin}: error_code: {code:g}",
            "a refusal has a status from 200 to 599 whose answers have a body",
            f"refusals have status {_USUAL}",
        )
        return _USUAL
