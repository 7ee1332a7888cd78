"""What an imported policy says for all of its rules: where they count, and what clients are told."""

from __future__ import annotations

from collections.abc import Iterator

from sluicegate.importers.document import Entry, Template
from sluicegate.importers.kong.defaults import Defaults
from sluicegate.importers.kong.entities import Entities
from sluicegate.importers.kong.others import answers_preflight
from sluicegate.importers.kong.plugins.settings import Setting
from sluicegate.importers.kong.plugins.stores import Store

__all__ = ["options_of"]

_SECRET = "RATE_LIMIT_SECRET"


def options_of(entities: Entities, settings: list[Setting], defaults: Defaults) -> Iterator[Entry]:
    """The keys at the top of the file."""
    yield from _stores(settings, defaults)
    if any(setting.identifier.header for setting in settings):
        note = "What headers hold is hashed with this: 16 characters or more, the same for all workers."
        yield Entry({"secret": Template(f"${{{_SECRET}}}")}, (), (note,))
    if defaults.hides:
        yield Entry({"headers": []}, (), ("hide_client_headers: true",))
    if defaults.refused is not None:
        sources = dict.fromkeys(
            source
            for setting in settings
            if setting.refused is not None
            for source in setting.refused.sources
        )
        yield Entry({"refusal": defaults.refused.value}, tuple(sources), defaults.refused.notes)
    if answers_preflight(entities) is None:
        note = "Kong counts a browser's OPTIONS as well."
        yield Entry({"exempt_preflight": False}, (), (note,))


def _stores(settings: list[Setting], defaults: Defaults) -> Iterator[Entry]:
    servers: dict[str, Store] = {}
    for setting in settings:
        if setting.store is not None:
            servers.setdefault(setting.store.url, setting.store)
    zone = "All workers of this host count together{}, as those of one Kong node do."
    if defaults.store is None:
        if defaults.place is None:
            return
        redis = 'Redis counts for several hosts: store = "redis://…".'
        yield Entry({"store": defaults.zone}, (), (f"{zone.format('')} {redis}",))
        return
    notes = [
        f"${{{secret}}} is to hold the password, with all but letters and digits percent-encoded."
        for store in servers.values()
        for secret in store.secrets
    ]
    if any(defaults.place_of(setting) == defaults.zone for setting in settings):
        notes.append(zone.format(f" where a rule says {defaults.zone}"))
    yield Entry(
        {"store": defaults.store.url}, (defaults.store.source,), tuple(dict.fromkeys(notes))
    )
    note = "What happens when Redis does not answer: {}"
    yield Entry(
        {"on_error": defaults.store.on_error},
        (),
        (note.format(_ON_ERROR[defaults.store.on_error]),),
    )
    timeout = max(store.timeout for store in servers.values())
    note = "Seconds for which Redis may take; Kong's own default is 2."
    yield Entry({"timeout": timeout}, (), (note,))
    if any(setting.store and setting.store.on_error == "closed" for setting in settings):
        note = "Kong answers 500 when its store does not and fault_tolerant is false."
        yield Entry({"closed_status": 500}, (), (note,))


_ON_ERROR = {
    "open": "requests pass, as with fault_tolerant: true.",
    "closed": "they are refused, as with fault_tolerant: false.",
    "local": "each process counts for itself, as each of Kong's nodes does for this plugin.",
}
