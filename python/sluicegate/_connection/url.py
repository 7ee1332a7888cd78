"""Where Redis is, from a URL.

No piece of the URL is ever quoted in an error, nor left in one that was raised on the way:
where a password has an unescaped ``/``, ``?`` or ``:``, any piece may be a part of it.
"""

from __future__ import annotations

import re
from ipaddress import IPv6Address
from typing import NamedTuple
from urllib.parse import unquote, unquote_plus

from sluicegate._connection.options import (
    CONNECTION,
    REPLACED,
    TLS,
    Nodes,
    Settings,
    Topology,
    number,
    settings_from,
    text,
)

__all__ = ["ACCEPTED", "SCHEMES", "is_url", "settings_of_url"]

ACCEPTED = (
    "redis://[user[:password]@]host[:port][/db], rediss:// (TLS), unix:///path[?db=1], "
    "redis+cluster://host:port,host:port or redis+sentinel://host:port,host:port/service[/db]"
)
_ESCAPE = "; in a name or a password, percent-encode all but letters and digits"
_SENTINEL = frozenset({"sentinel_username", "sentinel_password"})
_OPTIONS = CONNECTION | TLS | _SENTINEL
_UNHONOURED = frozenset(
    {
        *("credential_provider", "ssl_ca_data", "ssl_ca_path", "ssl_ciphers", "ssl_password"),
        *("ssl_min_version", "ssl_include_verify_flags", "ssl_exclude_verify_flags"),
        *("ssl_validate_ocsp", "ssl_validate_ocsp_stapled", "ssl_ocsp_context"),
        "ssl_ocsp_expected_cert",
    }
)


class _Scheme(NamedTuple):
    topology: Topology
    tls: bool
    unix: bool = False


def _schemes() -> dict[str, _Scheme]:
    found = {"unix": _Scheme("standalone", False, True)}
    for name, tls in (("redis", False), ("rediss", True), ("valkey", False), ("valkeys", True)):
        found[name] = _Scheme("standalone", tls)
        found[name + "+cluster"] = _Scheme("cluster", tls)
        found[name + "+sentinel"] = _Scheme("sentinel", tls)
        if not tls:
            found[name + "+unix"] = found["unix"]
    return found


SCHEMES = _schemes()


def is_url(text: str) -> bool:
    """Whether it begins as a URL of a server does."""
    name, separator, _ = text.partition("://")
    return bool(separator) and name.lower() in SCHEMES


def settings_of_url(url: str) -> Settings:
    """Settings from a URL.

    Raises:
        ValueError: it is malformed, or has an option that is not known or cannot be honoured.
    """
    name, separator, rest = url.partition("://")
    scheme = SCHEMES.get(name.lower()) if separator else None
    if scheme is None:
        raise _refused("its scheme is not known")
    if not rest.isprintable() or " " in rest or "#" in rest:
        raise _refused("it has a space, a '#' or a character that cannot be printed" + _ESCAPE)
    rest, _, query = rest.partition("?")
    authority, slash, path = rest.partition("/")
    userinfo, _, hosts = authority.rpartition("@")
    if scheme.topology != "standalone" and "@" in userinfo:
        raise _refused("it has more than one '@': name the user once, before all hosts" + _ESCAPE)
    options = _options(query, scheme) | _user(userinfo)
    if scheme.unix:
        if hosts or not path:
            raise _refused("its socket has no absolute path, such as unix:///run/redis.sock")
        return settings_from(options, "standalone", unix_path=_decoded("path", slash + path))
    nodes = _nodes(hosts, scheme)
    service = None
    if scheme.topology == "sentinel":
        service, _, path = path.partition("/")
        service = _decoded("service", service)
        if service is None:
            raise _refused("it names no service, such as redis+sentinel://host:26379/mymaster")
    if path and not re.fullmatch("[0-9]{1,10}", path):
        raise _refused("its path is no db: a number from 0" + _ESCAPE)
    return settings_from(
        {"db": path, **options}, scheme.topology, nodes, tls=scheme.tls, service=service
    )


def _refused(problem: str) -> ValueError:
    return ValueError(f"redis must be a URL such as {ACCEPTED}: {problem}")


def _decoded(name: str, value: str) -> str | None:
    return text(name, unquote(value, errors="surrogateescape"))


def _user(userinfo: str) -> dict[str, object]:
    name, _, password = userinfo.partition(":")
    found = {"username": _decoded("username", name), "password": _decoded("password", password)}
    return {name: value for name, value in found.items() if value is not None}


def _options(query: str, scheme: _Scheme) -> dict[str, object]:
    """The options of the query. As with redis-py a ``+`` is a space, an empty one none."""
    found: dict[str, object] = {}
    for position, pair in enumerate(query.split("&") if query else (), 1):
        name, _, value = pair.partition("=")
        if name in REPLACED:
            continue
        if name in _UNHONOURED:
            raise _refused(f"its option {name} cannot be honoured")
        if name not in _OPTIONS or (name in _SENTINEL and scheme.topology != "sentinel"):
            names = ", ".join(sorted(_OPTIONS - _SENTINEL))
            raise _refused(
                f"option {position} of its query is none of {names}, nor sentinel_username or "
                f"sentinel_password with sentinels" + _ESCAPE
            )
        if name in found:
            raise _refused(f"its query has {name} twice")
        if value:
            found[name] = text(name, unquote_plus(value, errors="surrogateescape"))
    return found


def _nodes(hosts: str, scheme: _Scheme) -> Nodes:
    elements = hosts.split(",")
    if scheme.topology == "standalone":
        if len(elements) > 1:
            raise _refused("it has several hosts, which need redis+cluster or redis+sentinel")
        if not hosts or hosts.startswith(":"):
            elements = ["localhost" + hosts]
    default = 26379 if scheme.topology == "sentinel" else 6379
    return tuple(_node(element, default) for element in elements)


def _node(element: str, default_port: int) -> tuple[str, int]:
    if element.startswith("["):
        host, closed, rest = element[1:].partition("]")
        host, good = unquote(host), bool(closed) and rest[:1] in ("", ":")
        good, port = good and _is_ipv6(host), rest[1:]
    else:
        host, _, port = element.partition(":")
        host = unquote(host)
        good = bool(re.fullmatch(r"[\w.-]+", host))
    if not good or ":" in port:
        raise _refused("it has a host that is no name or address; IPv6 needs brackets" + _ESCAPE)
    if port and not (re.fullmatch("[0-9]{1,10}", port) and 1 <= int(port) <= 65535):
        raise _refused("it has a port that is not a number from 1 to 65535" + _ESCAPE)
    return host.lower(), number("port", port or default_port, 1, 65535)


def _is_ipv6(host: str) -> bool:
    try:
        IPv6Address(host)
    except ValueError:
        return False
    return True
