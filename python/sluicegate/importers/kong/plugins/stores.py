"""Where a plugin counts: ``policy`` and ``strategy``, and the keys of Redis."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote

from sluicegate._connection.url import settings_of_url
from sluicegate.importers.document import Template
from sluicegate.importers.kong.entities import Plugin
from sluicegate.importers.kong.report import Report
from sluicegate.importers.kong.table import Table
from sluicegate.importers.origins import Source

__all__ = ["Store", "Stores"]

_VAULT = re.compile(r"\{vault://env/([A-Za-z0-9_-]+)\}")
_DECK = re.compile(r"\$\{\{\s*env\s+[\"']([A-Za-z_][A-Za-z0-9_]*)[\"']\s*\}\}")
#: What a policy takes from the environment, and what may be a port.
_NAMED = re.compile(r"\$\{\w+\}", re.ASCII)
_NAMED_PORT = re.compile(r":\$\{\w+\}(?=[,/]|$)", re.ASCII)
_TIMEOUT = 2000


@dataclass(frozen=True)
class Store:
    """A server, and what happens when it does not answer.

    Attributes:
        url: as a policy takes it, with names of the environment in the place of secrets.
        timeout: seconds.
        secrets: the names of the environment that hold them.
    """

    url: Template
    on_error: str
    timeout: float
    secrets: tuple[str, ...]
    source: Source


class Stores:
    """The stores of all plugins, whose secrets have names of their own."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._names: dict[tuple[str, str, str], str] = {}

    def store_of(self, plugin: Plugin, config: Table, *, is_plain: bool) -> Store | None:
        """Where a plugin counts; ``None``: on this host, by all of its processes together."""
        key = "policy" if is_plain else "strategy"
        given = config.text(key)
        if given == "cluster":
            self._report.differs(
                config.line_of(key),
                f"{plugin}: {key}: cluster",
                "Kong counts in its own database, for all of its nodes",
                'each host counts for itself; store = "redis://…" counts for all',
            )
        self._tell_of_syncing(plugin, config, given, is_plain=is_plain)
        if given != "redis" or (not is_plain and config.number("sync_rate") == -1):
            return None
        redis = config.table("redis") or config.without_prefix("redis_")
        return self._redis(plugin, redis, self._on_error(config, is_plain=is_plain), config)

    def _on_error(self, config: Table, *, is_plain: bool) -> str:
        if not is_plain:
            return "local"  # Kong falls back to counting in each node
        return "open" if config.flag("fault_tolerant", unless=True) else "closed"

    def _tell_of_syncing(
        self, plugin: Plugin, config: Table, given: str | None, *, is_plain: bool
    ) -> None:
        rate = config.number("sync_rate")
        what = f"{plugin}: sync_rate" + ("" if rate is None else f": {rate:g}")
        line = config.line_of("sync_rate")
        if rate is None:
            if given in ("redis", "cluster") and not is_plain:
                self._report.differs(
                    plugin.line,
                    what,
                    "Kong refuses the file: sync_rate is required unless the strategy is local",
                    "each request is counted at once, as with 0",
                )
        elif given not in ("redis", "cluster"):
            if rate > -1:
                self._report.differs(
                    line,
                    what,
                    "it means nothing where nodes count for themselves; Kong refuses it",
                    "none",
                )
        elif rate == -1 and not is_plain:
            self._report.differs(
                line,
                what,
                "Kong does not use the server then: each node counts for itself",
                "each host counts for itself",
            )
        elif rate > 0:
            self._report.differs(
                line,
                what,
                f"Kong's nodes tell each other what they have counted every {rate:g} seconds only; a "
                "policy counts each request in its store at once",
                "all processes together never admit more than the limit, which Kong's nodes do between "
                "two such times; each request waits for the server",
            )

    def _redis(self, plugin: Plugin, redis: Table, on_error: str, config: Table) -> Store | None:
        scheme = "rediss" if redis.flag("ssl", unless=False) else "redis"
        hosts, path = self._hosts(redis)
        if not hosts:
            self._report.wrong(plugin.line, f"{plugin.name} counts in Redis and names no host")
            return None
        if redis.texts("sentinel_addresses") or redis.tables("sentinel_nodes"):
            scheme += "+sentinel"
            path = f"{self._value(redis, 'sentinel_master') or 'mymaster'}/{path}"
        elif redis.texts("cluster_addresses") or redis.tables("cluster_nodes"):
            scheme, path = f"{scheme}+cluster", ""
        secrets: list[str] = []
        user = self._value(redis, "username") or ""
        at = ""
        if redis.text("password"):
            secrets.append(self._secret(redis, hosts, user))
            at = f"{user}:${{{secrets[0]}}}@"
        elif user:
            at = f"{user}@"
        self._tell_of_rest(plugin, redis)
        url = f"{scheme}://{at}{hosts}" + (f"/{path}" if path else "")
        line = config.line_of("redis" if "redis" in config else "redis_host")
        try:
            settings_of_url(_NAMED.sub("x", _NAMED_PORT.sub(":1", url)))
        except ValueError as error:
            self._report.wrong(line, f"{plugin.name}: {error}")
            return None
        source = self._report.source(line, f"Redis of the {plugin}")
        return Store(Template(url), on_error, self._timeout(redis), tuple(secrets), source)

    def _hosts(self, redis: Table) -> tuple[str, str]:
        """The servers, and the number of the database."""
        several = redis.texts("cluster_addresses") or redis.texts("sentinel_addresses")
        nodes = redis.tables("cluster_nodes") or redis.tables("sentinel_nodes")
        found = [quote(each.text, safe=":[]") for each in several]
        for node in nodes:
            name = self._value(node, "ip") or self._value(node, "host") or "127.0.0.1"
            found.append(f"{_bracketed(name)}:{self._value(node, 'port') or 6379}")
        if not found:
            host = self._value(redis, "host")
            if host is None:
                return "", ""
            found = [f"{_bracketed(host)}:{self._value(redis, 'port') or 6379}"]
        return ",".join(found), str(int(redis.number("database") or 0))

    def _value(self, table: Table, name: str) -> str | None:
        """A text as a URL has it; one from the environment as a policy's file says that."""
        text = table.text(name)
        if text is None:
            return None
        variable = _variable(text)
        return f"${{{variable}}}" if variable else quote(text, safe="")

    def _secret(self, redis: Table, hosts: str, user: str) -> str:
        """The name of the environment that is to hold the password, one for each that there is."""
        password = redis.text("password") or ""
        known = hosts, user, password
        if known not in self._names:
            count = sum(each.startswith("REDIS_PASSWORD") for each in self._names.values())
            free = "REDIS_PASSWORD" if not count else f"REDIS_PASSWORD_{count + 1}"
            self._names[known] = _variable(password) or free
        return self._names[known]

    def _timeout(self, redis: Table) -> float:
        given = [redis.number(name) for name in ("timeout", "connect_timeout", "read_timeout")]
        longest = max((each for each in given if each), default=_TIMEOUT)
        return min(max(longest, 1), 60_000) / 1000

    def _tell_of_rest(self, plugin: Plugin, redis: Table) -> None:
        for name in (
            "server_name",
            "cloud_authentication",
            "sentinel_username",
            "sentinel_password",
        ):
            if name in redis:
                self._report.differs(
                    redis.line_of(name),
                    f"{plugin}: {name} of Redis",
                    "it is not imported",
                    "the store's URL has to be completed by hand, if the server needs it",
                )
        if redis.flag("ssl", unless=False) and not redis.flag("ssl_verify", unless=False):
            self._report.differs(
                redis.line_of("ssl"),
                f"{plugin}: ssl of Redis without ssl_verify",
                "a policy checks the server's certificate",
                "a certificate that the system does not trust is refused",
            )


def _variable(text: str) -> str | None:
    """The variable of the environment to which a text refers, by decK or by Kong's vault."""
    found = _DECK.fullmatch(text)
    if found:
        return found[1]
    vault = _VAULT.fullmatch(text)
    return vault[1].upper().replace("-", "_") if vault else None


def _bracketed(host: str) -> str:
    return f"[{host.replace('%3A', ':')}]" if "%3A" in host else host
