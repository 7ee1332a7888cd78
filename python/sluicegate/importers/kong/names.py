"""What rules are called: those that count together have one name."""

from __future__ import annotations

from hashlib import blake2b

from sluicegate.importers.kong.cells import Applied
from sluicegate.importers.kong.defaults import Defaults
from sluicegate.importers.kong.plugins.settings import ADVANCED, PLAIN

__all__ = ["Names"]

_LONGEST = 46
_DIGITS = 8


class Names:
    """Names by what is counted together.

    Kong's ``rate-limiting`` keys its counters by the plugin's route and service and by the identifier
    (``get_local_key`` in ``kong/plugins/rate-limiting/policies/init.lua``), so that plugins of several
    consumers that count by address count together. ``rate-limiting-advanced`` has a namespace.
    """

    def __init__(self, defaults: Defaults) -> None:
        self._defaults = defaults
        self._names: dict[tuple[object, ...], str] = {}

    def add(self, applied: Applied) -> None:
        """Give what is counted so a name, if it has none."""
        known = self._counted(applied)
        if known in self._names:
            return
        setting = applied.setting
        parts = [str(setting.plugin.scope)]
        if applied.kind == ADVANCED:
            parts = [setting.namespace or parts[0], "advanced"]
        if applied.within:
            parts.append(applied.within)
        elif setting.identifier.path is not None:
            parts.append("other paths")
        self._names[known] = self._free(", ".join(parts))

    def name_of(self, applied: Applied) -> str:
        """The name that it was given."""
        return self._names[self._counted(applied)]

    def _free(self, name: str) -> str:
        name, taken = fitted(name), {*self._names.values()}
        found, number = name, 2
        while found in taken:
            found = fitted(f"{name} {number}")
            number += 1
        return found

    def _counted(self, applied: Applied) -> tuple[object, ...]:
        setting = applied.setting
        scope = setting.plugin.scope
        place = self._defaults.place_of(setting)
        same = (applied.kind, setting.algorithm, applied.by, applied.within, place)
        if applied.kind == ADVANCED and setting.namespace is not None:
            return (*same, setting.namespace)
        if (
            applied.kind == PLAIN
            and "client" not in applied.by
            and setting.identifier.words != ("consumer-group",)
        ):
            return (*same, scope.route, scope.service)
        return (*same, scope)


def fitted(name: str) -> str:
    """The name as a policy can have it: printable ASCII, and not too long."""
    seen = "".join(c for c in name if c.isascii() and c.isprintable()).strip()
    if seen == name and len(name) <= _LONGEST:
        return name
    digest = blake2b(name.encode("utf-8", "surrogatepass"), digest_size=_DIGITS // 2).hexdigest()
    return f"{seen[: _LONGEST - _DIGITS - 1]}~{digest}"
