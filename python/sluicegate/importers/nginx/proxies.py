"""``set_real_ip_from`` and its kin: who the client is behind a proxy."""

from __future__ import annotations

from ipaddress import ip_network

from sluicegate.importers.document import Entry, Value
from sluicegate.importers.nginx.parsing import Directive
from sluicegate.importers.nginx.report import Report

__all__ = ["identity_of"]

_NAMES = ("set_real_ip_from", "real_ip_header", "real_ip_recursive")


def identity_of(http: Directive, report: Report) -> list[Entry]:
    """The policy's identity: that of the http block, else of the first block that says any."""
    saying = [block for block in (http, *http.walk()) if any(map(block.all, _NAMES))]
    found: list[Entry] = []
    header = _header(http, saying, report)
    if saying and header is not None:
        found = _entries(http, saying[0], header, report)
    for other in saying[1:]:
        own = next(inner for name in _NAMES for inner in other.all(name))
        if [str(d) for name in _NAMES for d in other.all(name)] != [
            str(d) for name in _NAMES for d in saying[0].all(name)
        ]:
            report.differs(
                own,
                "a policy has one identity for all requests: that of "
                f"{saying[0].name} at {saying[0].origin}",
                "clients behind these proxies are told apart as [identity] says",
            )
    prefix: dict[str, Value] = {"ipv6_prefix": 128}
    note = "nginx counts each IPv6 address; one client has many: 64 counts its network"
    return [*found, Entry(prefix, (), (note,))]


def _header(http: Directive, saying: list[Directive], report: Report) -> str | None:
    """The header field that names the client; ``None`` if none can be read."""
    for block in (*saying[:1], http):
        directive = block.last("real_ip_header")
        if directive is not None:
            name = directive.args[0].lower()
            if name != "proxy_protocol":
                return name
            report.differs(
                directive,
                "the PROXY protocol is the server's affair, not the app's",
                "unless the server in front of the app reads it, all clients of the proxy are one",
            )
            return None
    return "x-real-ip"


def _entries(http: Directive, block: Directive, header: str, report: Report) -> list[Entry]:
    from_block = block.all("set_real_ip_from") or http.all("set_real_ip_from")
    proxies: list[Value] = []
    for directive in from_block:
        text = directive.args[0]
        try:
            proxies.append("unix" if text == "unix:" else str(ip_network(text, strict=False)))
        except ValueError:
            report.differs(
                directive,
                "a proxy is named by its address or network, not by a name",
                "this proxy is taken for a client: name its address in trusted_proxies",
            )
    if not proxies:
        return []
    values: dict[str, Value] = {"trusted_proxies": proxies}
    if header != "x-forwarded-for":
        values["proxy_header"] = header
    recursive = block.last("real_ip_recursive") or http.last("real_ip_recursive")
    is_recursive = recursive is not None and recursive.args[0].lower() == "on"
    if header == "x-forwarded-for" and not is_recursive:
        report.differs(
            recursive or from_block[-1],
            "without real_ip_recursive nginx takes the last address of X-Forwarded-For; a policy "
            "goes on past trusted proxies to the first address that is none",
            "different only where one trusted proxy is behind another: there the client is found",
        )
    shown = [*from_block, *block.all("real_ip_header")]
    return [Entry(values, tuple(directive.source for directive in shown))]
