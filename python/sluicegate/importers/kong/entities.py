"""Services, routes, consumers, their groups and plugins, wherever in the file they stand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from sluicegate.importers.kong.known import Known, Named
from sluicegate.importers.kong.report import Report
from sluicegate.importers.kong.table import Table
from sluicegate.policy.document.text.nodes import Entry, Node

__all__ = ["Consumer", "Entities", "Group", "Plugin", "Route", "Scope", "Service", "entities_of"]


@dataclass(frozen=True, eq=False)
class Service:
    """Where requests are sent."""

    name: str
    table: Table


@dataclass(frozen=True, eq=False)
class Route:
    """Which requests are sent there; some routes have no service."""

    name: str
    table: Table
    service: Service | None = None


@dataclass(frozen=True, eq=False)
class Group:
    """A group of consumers."""

    name: str
    table: Table


@dataclass(frozen=True, eq=False)
class Consumer:
    """Somebody who authenticates. Its groups are added once all are known."""

    name: str
    table: Table
    groups: list[Group] = field(default_factory=list[Group])


@dataclass(frozen=True)
class Scope:
    """What a plugin is configured for; nothing: for everything."""

    consumer: Consumer | None = None
    group: Group | None = None
    route: Route | None = None
    service: Service | None = None

    def __str__(self) -> str:
        parts = {
            "consumer": self.consumer,
            "consumer group": self.group,
            "route": self.route,
            "service": self.service,
        }
        named = [f"{word} {part.name}" for word, part in parts.items() if part is not None]
        return ", ".join(named) or "global"


@dataclass(frozen=True, eq=False)
class Plugin:
    """A plugin's configuration for a scope."""

    name: str
    table: Table
    scope: Scope
    config: Table | None
    is_enabled: bool

    @property
    def line(self) -> int:
        return self.table.line

    def __str__(self) -> str:
        return f"plugin {self.name}, {self.scope}"


@dataclass
class Entities:
    """All of them, in the order of the file."""

    services: list[Service]
    routes: list[Route]
    consumers: list[Consumer]
    groups: list[Group]
    plugins: list[Plugin]


def entities_of(root: Table, report: Report) -> Entities:
    """What is in the file. References to what is not there are problems."""
    return _Reader(root, report).read()


class _Reader:
    def __init__(self, root: Table, report: Report) -> None:
        self._root = root
        self._report = report
        self._services = Known[Service]("service", ("name",))
        self._routes = Known[Route]("route", ("name",))
        self._consumers = Known[Consumer]("consumer", ("username", "custom_id"))
        self._groups = Known[Group]("consumer group", ("name",))
        self._nested: list[tuple[Table, Scope]] = []
        self._shared = {
            name: config
            for table in [root.table("_plugin_configs")]
            if table is not None
            for name in table
            if (config := table.table(name)) is not None
        }

    def read(self) -> Entities:
        root, report = self._root, self._report
        for table in root.tables("services"):
            service = Service(self._services.name_of(table), table)
            self._services.add(service, report)
            self._nest(table, Scope(service=service))
            for inner in table.tables("routes"):
                self._route(inner, service)
        for table in root.tables("routes"):
            self._route(table, self._services.find(table, "service", report))
        for table in root.tables("consumer_groups"):
            group = self._groups.add(Group(self._groups.name_of(table), table), report)
            self._nest(table, Scope(group=group))
        for table in root.tables("consumers"):
            consumer = Consumer(self._consumers.name_of(table), table)
            self._nest(table, Scope(consumer=self._consumers.add(consumer, report)))
        self._memberships()
        tables = [*self._nested, *((table, Scope()) for table in root.tables("plugins"))]
        tables += [(table, Scope()) for table in root.tables("consumer_group_plugins")]
        plugins = [self._plugin(table, scope) for table, scope in tables]
        plugins.sort(key=lambda plugin: plugin.line)
        return Entities(
            self._services.all, self._routes.all, self._consumers.all, self._groups.all, plugins
        )

    def _route(self, table: Table, service: Service | None) -> None:
        route = Route(self._routes.name_of(table), table, service)
        self._nest(table, Scope(route=self._routes.add(route, self._report)))

    def _nest(self, table: Table, scope: Scope) -> None:
        self._nested += [(plugin, scope) for plugin in table.tables("plugins")]

    def _memberships(self) -> None:
        """Who is in which group: said by the consumer, by the group, or in a list of its own."""
        for consumer in self._consumers.all:
            consumer.groups.extend(self._named(consumer.table, "groups", self._groups))
        for group in self._groups.all:
            for member in self._named(group.table, "consumers", self._consumers):
                member.groups.append(group)
        for table in self._root.tables("consumer_group_consumers"):
            found = self._consumers.find(table, "consumer", self._report)
            joined = self._groups.find(table, "consumer_group", self._report)
            if found is not None and joined is not None:
                found.groups.append(joined)

    def _named(self, table: Table, key: str, known: Known[Named]) -> Iterator[Named]:
        """The entities that a list names."""
        node = table.node(key)
        if node is None:
            return
        for each in node.value if isinstance(node.value, list) else [node]:
            single = Table(Node(each.line, {key: Entry(each.line, each)}), self._report)
            found = known.find(single, key, self._report)
            if found is not None:
                yield found

    def _plugin(self, table: Table, scope: Scope) -> Plugin:
        given = Scope(
            self._consumers.find(table, "consumer", self._report),
            self._groups.find(table, "consumer_group", self._report),
            self._routes.find(table, "route", self._report),
            self._services.find(table, "service", self._report),
        )
        for part in ("consumer", "group", "route", "service"):
            if getattr(given, part) is not None:
                scope = replace(scope, **{part: getattr(given, part)})
        name = table.text("name")
        if name is None:
            self._report.wrong(table.line, "a plugin needs a name")
        return Plugin(
            name or "", table, scope, self._config(table), table.flag("enabled", unless=True)
        )

    def _config(self, table: Table) -> Table | None:
        shared = table.text("_config")
        if shared is None:
            return table.table("config")
        if shared not in self._shared:
            self._report.wrong(table.line_of("_config"), f"_plugin_configs has no {shared!r}")
            return None
        return self._shared[shared].merged(table.table("config"))
