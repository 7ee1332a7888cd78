"""Settings of a connection, from options under redis-py's names."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

__all__ = [
    "CONNECTION",
    "REPLACED",
    "TLS",
    "Nodes",
    "Settings",
    "Topology",
    "number",
    "settings_from",
    "text",
]

Topology = Literal["standalone", "cluster", "sentinel"]
Nodes = tuple[tuple[str, int], ...]

CONNECTION = frozenset({"db", "username", "password", "client_name", "protocol"})
TLS = frozenset(
    {"ssl_cert_reqs", "ssl_check_hostname", "ssl_ca_certs", "ssl_certfile", "ssl_keyfile"}
)
# What a deadline, a connection or an encoding of our own takes the place of.
REPLACED = frozenset(
    {
        *("socket_timeout", "socket_connect_timeout", "socket_keepalive", "socket_read_size"),
        *("socket_keepalive_options", "timeout", "health_check_interval", "max_connections"),
        *("retry", "retry_on_timeout", "retry_on_error", "legacy_responses"),
        *("encoding", "encoding_errors", "decode_responses"),
    }
)
_REFUSED = ("credential_provider", "redis_connect_func")

# All that redis-py reads as false.
_FALSE = frozenset({"", "0", "f", "false", "n", "no"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where Redis is and how to connect. Equal settings may share connections.

    ``nodes`` holds hosts and ports: of the server, of some of a cluster, or of the sentinels;
    none for a Unix socket. A ``username`` of ``None`` is Redis' default user. ``tls_insecure``:
    no certificate is verified. Passwords are not part of the ``repr``.
    """

    topology: Topology
    nodes: Nodes = ()
    unix_path: str | None = None
    db: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    tls_insecure: bool = False
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    service: str | None = None
    sentinel_username: str | None = None
    sentinel_password: str | None = field(default=None, repr=False)
    client_name: str | None = None


def settings_from(
    options: Mapping[str, object],
    topology: Topology,
    nodes: Nodes = (),
    *,
    unix_path: str | None = None,
    tls: bool = False,
    service: str | None = None,
) -> Settings:
    """Settings from redis-py's options; no message of an error quotes an option's value."""
    db = number("db", options.get("db") or 0, 0, 2**31 - 1)
    if topology == "cluster" and db:
        raise ValueError("redis must have db 0 in a cluster, which has no other")
    _check_protocol(options)
    insecure = _check_tls(options, tls)
    cert_file = _path(options, "ssl_certfile")
    return Settings(
        topology=topology,
        nodes=tuple(dict.fromkeys(nodes)),
        unix_path=unix_path,
        db=db,
        username=text("username", options.get("username")),
        password=text("password", options.get("password")),
        tls=tls,
        tls_insecure=insecure,
        ca_file=_path(options, "ssl_ca_certs"),
        cert_file=cert_file,
        # A certificate given alone has its key in the same file.
        key_file=_path(options, "ssl_keyfile") or cert_file,
        service=service,
        sentinel_username=text("sentinel_username", options.get("sentinel_username")),
        sentinel_password=text("sentinel_password", options.get("sentinel_password")),
        client_name=_client_name(options.get("client_name")),
    )


def text(name: str, value: object) -> str | None:
    """The value, or ``None`` if it is empty."""
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise ValueError(f"redis must have a str as {name}, got {type(value).__name__}")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError(f"redis must have text in UTF-8 as {name}, got something else")
    return value


def number(name: str, value: object, low: int, high: int) -> int:
    """A whole number in a range, given as an int or in ASCII digits."""
    if isinstance(value, str) and re.fullmatch("[0-9]{1,10}", value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"redis must have a number from {low} to {high} as {name}")
    return value


def _check_protocol(options: Mapping[str, object]) -> None:
    # Which of the two is spoken is no matter to the caller of a limiter.
    if options.get("protocol") is not None:
        number("protocol", options["protocol"], 2, 3)


def _check_tls(options: Mapping[str, object], tls: bool) -> bool:
    """Refuse what cannot be honoured; whether certificates are not verified."""
    for name, value in options.items():
        known = name not in _REFUSED and (not name.startswith("ssl_") or name in TLS)
        if value in (None, False, ""):
            continue
        if not known:
            raise ValueError(f"redis must not have {name}: it cannot be honoured")
        if not tls and name.startswith("ssl_"):
            raise ValueError(f"redis must use TLS, as rediss:// does, to have {name}")
    if options.get("ssl_keyfile") and not options.get("ssl_certfile"):
        raise ValueError("redis must have ssl_certfile to have ssl_keyfile")
    insecure = tls and _is_unverified(options.get("ssl_cert_reqs", "required"))
    if not insecure and str(options.get("ssl_check_hostname", True)).lower() in _FALSE:
        raise ValueError(
            "redis must not have ssl_check_hostname=False (the default of redis-py before 6), "
            "unless ssl_cert_reqs is 'none': set it to True"
        )
    return insecure


def _is_unverified(requirement: object) -> bool:
    # None is how redis-py spells "none". For a client, "optional" is the same as "required".
    if requirement is None or requirement == "none":
        return True
    if requirement in ("optional", "required"):
        return False
    if isinstance(requirement, int) and 0 <= requirement <= 2:  # ssl.VerifyMode
        return requirement == 0
    raise ValueError("redis must have 'none' or 'required' as ssl_cert_reqs")


def _path(options: Mapping[str, object], name: str) -> str | None:
    value = options.get(name)
    return text(name, os.fspath(value) if isinstance(value, os.PathLike) else value)


def _client_name(value: object) -> str | None:
    name = text("client_name", value)
    if name is not None and not re.fullmatch("[!-~]+", name):
        raise ValueError("redis must have printable ASCII without spaces as client_name")
    return name
