"""What a request of a log is for, as far as a policy tells it apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

from sluicegate.replay.logs.keys import path_key

if TYPE_CHECKING:
    from sluicegate.policy.enforcer import Enforcer

__all__ = ["Target", "Targets"]

_MOST = 100_000


class Target(NamedTuple):
    """A kind of request: one of its paths, and how a report names them all."""

    method: str
    path: str
    host: str
    status: int
    name: str


class Targets:
    """Makes targets: requests whose paths differ in a number only are of one, if they match the same rules.

    A log may have any number of paths, so that not each is kept. Where a rule counts by a part of the
    path, each is.
    """

    def __init__(self, enforcer: Enforcer) -> None:
        rules = enforcer.policy.rules
        self._rules = enforcer.rules
        self._exempt = enforcer.exempt_paths
        self._folds = not any(source.kind == "path" for rule in rules for source in rule.sources)
        self._needs_host = any(rule.pattern.host is not None for rule in rules)
        self._needs_status = any(rule.counts != "all" for rule in rules)
        self._paths: dict[object, str] = {}

    def __call__(self, request: bytes, host: bytes, status: bytes) -> Target:
        text = request.decode("utf-8", "backslashreplace")
        method, _, rest = text.partition(" ")
        written = rest.partition(" ")[0].partition("?")[0]
        path, name = _decoded(written), path_key(text)
        where = host.decode("latin-1") if self._needs_host else ""
        code = int(status) if self._needs_status and status.isdigit() else 200
        if self._folds and name != written:
            path = self._first_of(method, where, path, name)
        return Target(method.upper(), path, where, code, f"{method.upper()} {name}")

    def _first_of(self, method: str, host: str, path: str, name: str) -> str:
        """The first path that was seen of those that nothing tells apart from this one."""
        scope = {
            "path": path,
            "method": method,
            "headers": [(b"host", host.encode("latin-1"))],
        }
        places = self._rules.matching(scope, path) if self._rules is not None else ()
        is_exempt = self._exempt is not None and self._exempt.match(scope)
        if len(self._paths) >= _MOST:
            self._paths.clear()
        return self._paths.setdefault((method, host, name, places, is_exempt), path)


def _decoded(path: str) -> str:
    """As a server hands it on. A request for a whole URL, as to a proxy, is for its path."""
    if not path.startswith("/"):
        _, found, rest = path.partition("://")
        path = "/" + rest.partition("/")[2] if found else "/" + path
    return unquote(path)
