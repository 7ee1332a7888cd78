"""nginx's variables of a request, for the keys of imported policies."""

from sluicegate.importers.variables.variables import Variables

__all__ = ["Variables"]
