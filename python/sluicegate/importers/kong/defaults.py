"""Where rules count, and what they need not say since the policy does."""

from __future__ import annotations

from dataclasses import dataclass

from sluicegate.importers.kong.plugins.refusals import Refused
from sluicegate.importers.kong.plugins.settings import Setting
from sluicegate.importers.kong.plugins.stores import Store

__all__ = ["Defaults", "defaults_of"]

#: As Kong's own memory for counters.
_SIZE = "12m"


@dataclass(frozen=True)
class Defaults:
    """What the policy says for its rules.

    Attributes:
        zone: where those count that count on this host.
        store: the policy's server, if there is any.
        place: its store: that server, else the zone; ``None`` is the memory of each process, for
            calendar windows, which a zone does not have.
        hides: whether clients are told nothing by any rule.
        refused: what all of them answer, if that is not usual.
    """

    zone: str
    store: Store | None
    place: str | None
    hides: bool
    refused: Refused | None

    @property
    def on_error(self) -> str | None:
        return None if self.store is None else self.store.on_error

    def place_of(self, setting: Setting) -> str | None:
        """The store that a setting is counted in."""
        if setting.store is not None:
            return setting.store.url
        return self.place if setting.is_calendar else self.zone


def defaults_of(settings: list[Setting], name: str) -> Defaults:
    """What the policy says for its rules; ``name`` is that of its zone.

    Its store is the first server, if there is any: options of servers mean nothing beside a zone.
    """
    zone = f"shared:{name}?size={_SIZE}"
    store = next((setting.store for setting in settings if setting.store is not None), None)
    hides = all(setting.is_hidden for setting in settings)
    answers = {setting.refused for setting in settings}
    refused = answers.pop() if len(answers) == 1 else None
    if store is not None:
        return Defaults(zone, store, store.url, hides, refused)
    is_in_memory = any(setting.is_calendar for setting in settings)
    return Defaults(zone, None, None if is_in_memory else zone, hides, refused)
