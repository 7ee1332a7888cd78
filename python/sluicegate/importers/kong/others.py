"""What stands beside the plugins that are imported, as far as it limits or tells who clients are."""

from __future__ import annotations

from sluicegate.importers.kong.cells import Cell
from sluicegate.importers.kong.entities import Entities, Plugin
from sluicegate.importers.kong.plugins.settings import KINDS, Setting
from sluicegate.importers.kong.report import Report

__all__ = ["LIMITING", "answers_preflight", "tell_of_others", "tell_of_strays", "tell_of_ties"]

#: Plugins that refuse requests for how many or how large they are, and what each does.
LIMITING = {
    "ai-rate-limiting-advanced": "the tokens and the cost of models' answers",
    "graphql-rate-limiting-advanced": "the cost of GraphQL queries",
    "request-size-limiting": "the size of request bodies",
    "response-ratelimiting": "what the app's answers count, by a header of theirs",
    "service-protection": "all requests of a service together",
    "websocket-size-limit": "the size of WebSocket messages",
}
_AUTHENTICATING = (
    "basic-auth", "header-cert-auth", "hmac-auth", "jwt", "jwt-signer", "key-auth", "key-auth-enc",
    "ldap-auth", "ldap-auth-advanced", "mtls-auth", "oauth2", "oauth2-introspection",
    "openid-connect", "saml", "session", "vault-auth",
)  # fmt: skip


def tell_of_others(entities: Entities, settings: list[Setting], report: Report) -> None:
    """Tell of other plugins that limit, of those that are off, and of who clients are."""
    for plugin in entities.plugins:
        if plugin.name in KINDS and not plugin.is_enabled:
            report.differs(plugin.line, str(plugin), "it is not enabled", "it limits nothing")
        if plugin.name in LIMITING and plugin.is_enabled:
            report.differs(
                plugin.line,
                str(plugin),
                f"it limits {LIMITING[plugin.name]}, which no rule of the policy does",
                "the policy does not limit them",
            )
        if plugin.name in KINDS and "partials" in plugin.table:
            report.differs(
                plugin.table.line_of("partials"),
                f"{plugin}: partials",
                "they are not read",
                "what they say, such as where Redis is, has to be written by hand",
            )
    for service in entities.services:
        if not service.table.flag("enabled", unless=True):
            report.differs(
                service.table.line_of("enabled"),
                f"service {service.name}",
                "it is not enabled: Kong sends it no requests",
                "its routes are left out",
            )
    _tell_of_clients(entities, settings, report)


def _tell_of_clients(entities: Entities, settings: list[Setting], report: Report) -> None:
    words = {word for setting in settings for word in setting.identifier.words}
    if words - {"consumer-group"}:
        report.differs(
            None,
            "clients' addresses",
            "which proxies Kong believes (trusted_ips, real_ip_header) stands in kong.conf",
            "without trusted_proxies in [identity] the address is that of whoever connects: behind "
            "Kong or a balancer all clients without a name count as one",
        )
    named = [
        each
        for each in settings
        if each.plugin.scope.consumer or each.plugin.scope.group or each.member_of
    ]
    first = next((p for p in entities.plugins if p.name in _AUTHENTICATING and p.is_enabled), None)
    if first is None:
        if named:
            report.differs(
                named[0].plugin.line,
                "plugins of consumers",
                "no plugin authenticates anybody, so Kong never knows a consumer, and none of these "
                "ever applies there",
                "here they do, to those whom verify= names",
            )
        return
    if named or words & {"consumer", "credential"}:
        report.differs(
            first.line,
            str(first),
            "credentials are not imported",
            "verify=, given in code, says whose a key is: Principal(username, tier=...); "
            "api_key_header= says where it is sent",
        )
    if first.config is None or "anonymous" not in first.config:
        report.differs(
            first.line,
            f"{first}, without anonymous",
            "Kong answers 401 before it counts",
            "the policy counts requests without credentials by their address, and lets them pass",
        )


def answers_preflight(entities: Entities) -> Plugin | None:
    """The plugin that answers browsers' preflights everywhere, before anything is counted."""
    for plugin in entities.plugins:
        if plugin.name == "cors" and plugin.is_enabled and str(plugin.scope) == "global":
            config = plugin.config
            if config is None or not config.flag("preflight_continue", unless=False):
                return plugin
    return None


def tell_of_strays(cells: list[Cell], report: Report) -> None:
    """Tell of requests that match no route."""
    if cells[-1].applied:
        report.differs(
            None,
            "requests that no route matches",
            "Kong answers 404 before it counts them",
            "the policy limits them as plugins do that are for no service and no route",
        )


def tell_of_ties(cells: list[Cell], report: Report) -> None:
    """Tell of routes that the router does not put in an order, where that makes a difference."""
    for place, cell in enumerate(cells):
        if cell.way is None:
            continue
        for later in cells[place + 1 :]:
            if later.way is None or later.way.priority != cell.way.priority:
                break
            if later.way.route is cell.way.route or later.applied == cell.applied:
                continue
            if cell.requests.meets(later.requests):
                report.differs(
                    later.way.line,
                    f"{later.way.text}, and {cell.way.text} of line {cell.way.line}",
                    "Kong's router does not say which of two routes of one priority it tries first "
                    "(traditional: the older one)",
                    "requests that match both are limited as those of the one that stands first",
                )
