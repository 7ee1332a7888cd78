"""A server by its place on the ring: what it is called there, whatever the way to it."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import quote

from sluicegate._connection.options import Settings
from sluicegate._connection.settings import settings_of

__all__ = ["Node"]


class Node(NamedTuple):
    """A server by its place on the ring."""

    name: str
    url: str
    settings: Settings
    redis: object

    @classmethod
    def of(cls, redis: object) -> Node:
        settings = settings_of(redis)
        return cls(_name(settings), _url(settings), settings, redis)


def _name(settings: Settings) -> str:
    # In any order it is the same cluster, or the same sentinels.
    hosts = ",".join(sorted(f"{host}:{port}" for host, port in settings.nodes))
    service = f"/{settings.service}" if settings.service else ""
    return f"{hosts or settings.unix_path}{service}/{settings.db}"


def _url(settings: Settings) -> str:
    if settings.unix_path is not None:
        return f"unix://{quote(settings.unix_path)}?db={settings.db}"
    kind = "" if settings.topology == "standalone" else f"+{settings.topology}"
    scheme = ("rediss" if settings.tls else "redis") + kind
    hosts = ",".join(f"{_host(host)}:{port}" for host, port in settings.nodes)
    service = f"/{quote(settings.service, '')}" if settings.service else ""
    return f"{scheme}://{hosts}{service}/{settings.db}"


def _host(host: str) -> str:
    return f"[{quote(host, ':')}]" if ":" in host else host
