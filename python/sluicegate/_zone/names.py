"""What a limit is called in a zone beside its own name: which units it counts."""

from __future__ import annotations

__all__ = ["with_unit"]


def with_unit(name: str, unit: str) -> str:
    """A name does not tell what is counted, and tokens are not counted with requests.

    No name is like another with its unit: names are ASCII, and the dot between them is not.
    """
    return name if unit == "requests" else f"{name} · {unit}"
