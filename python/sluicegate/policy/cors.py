"""What a script of another origin may ask, and read of an answer."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from sluicegate._support.asgi_types import Scope
    from sluicegate.headers import Field

__all__ = ["Cors", "expose", "is_preflight", "origin_of"]

_ALLOW_ORIGIN: Final = b"access-control-allow-origin"
_EXPOSE: Final = b"access-control-expose-headers"
# Scripts may read this one of ours anyway.
_READABLE: Final = b"cache-control"
_OF_PREFLIGHTS: Final = frozenset((b"origin", b"access-control-request-method"))

# As browsers write an origin: in lower case, without a path.
_ORIGIN: Final = re.compile(
    r"[a-z][a-z0-9+.-]*://(?:[a-z0-9_.~%-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?"
)
# Python writes hosts that have one of these as IDNA 2003 does, browsers as IDNA 2008: the host
# that was meant is another.
_OTHERWISE: Final = frozenset("\u00df\u03c2\u200c\u200d")
_OWN_PORTS: Final = {"http": 80, "https": 443}


def is_preflight(scope: Scope) -> bool:
    """Whether a browser asks in it if a script may send its request, and sends none yet."""
    if scope.get("method") != "OPTIONS":
        return False
    return _OF_PREFLIGHTS.issubset(name for name, _ in scope["headers"])


def origin_of(headers: Iterable[Field]) -> bytes | None:
    """Where the script is from for which a browser has sent the request.

    No browser sends two origins, so that neither is believed.
    """
    origins = [value for name, value in headers if name == b"origin"]
    return origins[0] if len(origins) == 1 else None


def expose(fields: list[Field], names: Iterable[bytes]) -> None:
    """Let scripts read the fields ``names`` too, beside those that ``fields`` exposes."""
    exposed = [value for name, value in fields if name.lower() == _EXPOSE]
    known = {name.strip().lower() for value in exposed for name in value.split(b",")}
    known.add(_READABLE)
    new = [name for name in names if name not in known]
    if new:
        fields[:] = [field for field in fields if field[0].lower() != _EXPOSE]
        fields.append((_EXPOSE, b", ".join(exposed + new)))


class Cors:
    """The origins whose scripts may read a refusal.

    Args:
        origins: ``"*"`` for all, without credentials; or some, as browsers write them.

    Raises:
        ValueError, TypeError: not an origin; the message shows a right one.
    """

    __slots__ = ("_origins",)

    def __init__(self, origins: Iterable[str] | str) -> None:
        self._origins: frozenset[bytes] | None = None
        if origins != "*":
            if not isinstance(origins, Iterable):
                raise TypeError(f"cors must be '*' or hold origins, got {origins!r}")
            listed = [origins] if isinstance(origins, str) else [*origins]
            self._origins = frozenset(map(_origin, listed))

    def allow(self, origin: bytes | None, fields: list[Field]) -> None:
        """Let a script of ``origin`` read the refusal that has ``fields``, if it may.

        What the refusal says of its readers itself stands.
        """
        names = {name.lower() for name, _ in fields}
        if self._origins is None:
            if origin is not None and _ALLOW_ORIGIN not in names:
                fields.append((_ALLOW_ORIGIN, b"*"))
            return
        if origin in self._origins and _ALLOW_ORIGIN not in names:
            fields.append((_ALLOW_ORIGIN, origin))
            fields.append((b"access-control-allow-credentials", b"true"))
        # For a cache, whichever origin asked first.
        varies = [value for name, value in fields if name.lower() == b"vary"]
        if not {b"origin", b"*"} & {by.strip().lower() for by in b",".join(varies).split(b",")}:
            fields[:] = [field for field in fields if field[0].lower() != b"vary"]
            fields.append((b"vary", b", ".join([*varies, b"Origin"])))


def _origin(origin: object) -> bytes:
    if not isinstance(origin, str):
        raise TypeError(f"cors must hold origins as str, got {origin!r}")
    right = _as_browsers_write(origin)
    if not right or right != origin:
        raise ValueError(
            "cors must be '*' alone or hold origins as browsers write them, such as "
            f"{right or 'https://app.example.com'!r}, got {origin!r}"
        )
    return origin.encode("ascii")


def _as_browsers_write(origin: str) -> str:
    """The origin that is meant; empty if none is to be seen."""
    if "://" not in origin:
        # A host without its scheme; not "null", which any sandboxed page may claim to be.
        return "" if origin == "null" else _as_browsers_write(f"https://{origin}")
    try:
        parts = urlsplit(origin)
        host, port = parts.hostname or "", parts.port
        if not _OTHERWISE.isdisjoint(host):
            return ""
        if not host.isascii():
            host = host.encode("idna").decode("ascii")
    except ValueError:
        return ""
    if ":" in host:
        host = f"[{host}]"
    if port is not None and port != _OWN_PORTS.get(parts.scheme):
        host = f"{host}:{port}"
    right = f"{parts.scheme}://{host}"
    return right if _ORIGIN.fullmatch(right) else ""
