"""What a ``store`` argument stands for, where it is a zone."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeGuard

from sluicegate._zone.url import SCHEME, place_of

if TYPE_CHECKING:
    from sluicegate._core import Zone

__all__ = ["is_zone", "path_of", "zone_of"]


def is_zone(store: object) -> TypeGuard[str | Zone]:
    """Whether it is a zone, or the URL of one."""
    return _is_url(store) if isinstance(store, str) else _is_open(store)


def path_of(store: str) -> str:
    """The path of a zone's file to look at, or of its URL: makes nothing. A path may be relative."""
    if _is_url(store):
        return place_of(store, make=False).path
    return os.path.join(os.getcwd(), store) if store else store


def zone_of(store: object) -> Zone:
    """The zone that ``store`` is, or that its URL names: opened, and made if it is not there.

    Zones of one file are one in a process.

    Raises ``ValueError`` or ``TypeError`` for what is neither, and
    :class:`~sluicegate.errors.StoreError` when the file or the machine does not allow it.
    """
    if _is_open(store):
        return store
    if not isinstance(store, str):
        raise TypeError(
            "store must be a URL such as 'shared:///run/app/limits.zone?size=10m', or a Zone, got "
            f"{store!r}"
        )
    from sluicegate._core import Zone

    path, size, mode, owner = place_of(store)
    return Zone(path, size=size, mode=mode, owner=owner)


def _is_url(text: str) -> bool:
    return text[: len(SCHEME)].lower() == SCHEME


def _is_open(store: object) -> TypeGuard[Zone]:
    from sluicegate import _core

    kind = getattr(_core, "Zone", None)  # there are none on other systems
    return kind is not None and isinstance(store, kind)
