"""nginx's ``map`` and ``geo``: values that depend on another text."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_network, summarize_address_range

from sluicegate.identity.addresses import parse_address

__all__ = ["Geo", "Map", "networks_of", "regex_of"]

_NAMED_GROUP = re.compile(r"\(\?<([A-Za-z_]\w*)>")
_IGNORES_CASE = "~*"
#: What nginx looks up for a text that is no address.
_NO_ADDRESS = IPv4Address("255.255.255.255")

#: Gives what a text with variables stands for; of a regular expression's groups too.
Expand = Callable[[str, Mapping[str, str]], str]


class Map:
    """``map SOURCE $name { … }``: exact texts, else the first regular expression, else the default.

    Args:
        source: a text with variables.
        values: by text, without regard to case; ``~…`` and ``~*…`` are regular expressions, in
            their order. Values may have variables, and groups of the expression.
        default: for what is none of them.
        hostnames: whether ``*.example.com``, ``mail.*`` and ``.example.com`` (that host as well) are
            all such hosts.
    """

    def __init__(
        self, source: str, values: Mapping[str, str], *, default: str = "", hostnames: bool = False
    ) -> None:
        self.source = source
        self._default = default
        self._exact: dict[str, str] = {}
        self._regular: list[tuple[re.Pattern[str], str]] = []
        self._hosts: list[tuple[str, str]] | None = [] if hostnames else None
        for text, value in values.items():
            if text.startswith("~"):
                self._regular.append((regex_of(text), value))
            elif hostnames and (text.startswith((".", "*.")) or text.endswith(".*")):
                assert self._hosts is not None
                self._hosts.append((text.lower(), value))
            else:
                self._exact[text.lower().removeprefix("\\")] = value

    def value(self, source: str, expand: Expand) -> str:
        """What it gives for the ``source``'s text."""
        text = source.lower()
        if self._hosts is not None:
            text = text.removesuffix(".")
        value = self._exact.get(text)
        if value is None and self._hosts:
            value = _host_value(text, self._hosts)
        if value is not None:
            return expand(value, {})
        # Of an empty text nginx does not try them.
        for regex, value in self._regular if source else ():
            match = regex.search(source)
            if match:
                groups = {str(i): g or "" for i, g in enumerate((match[0], *match.groups()))}
                named = {name: g or "" for name, g in match.groupdict().items()}
                return expand(value, groups | named)
        return expand(self._default, {})


def _host_value(host: str, hosts: list[tuple[str, str]]) -> str | None:
    """That of the longest ending that fits, else of the longest beginning."""
    for fits in (_ends_with, _begins_with):
        found = [(len(part.strip("*")), value) for part, value in hosts if fits(host, part)]
        if found:
            return max(found, key=lambda each: each[0])[1]
    return None


def _ends_with(host: str, part: str) -> bool:
    if part.startswith("*."):
        return host.endswith(part[1:])
    return part.startswith(".") and (host.endswith(part) or host == part[1:])


def _begins_with(host: str, part: str) -> bool:
    return part.endswith(".*") and host.startswith(part[:-1])


def regex_of(text: str) -> re.Pattern[str]:
    """A map's ``~…`` or ``~*…`` as a regular expression of Python's.

    Raises ``ValueError`` where Python's have no such thing.
    """
    flags = re.IGNORECASE if text.startswith(_IGNORES_CASE) else 0
    source = text[2:] if flags else text[1:]
    try:
        return re.compile(_NAMED_GROUP.sub(r"(?P<\1>", source), flags)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{text!r} is no regular expression that Python has: {error}") from None


class Geo:
    """``geo $address $name { … }``: the value of the smallest network that has the address.

    Args:
        source: a text with variables, whose value is an address.
        networks: values by network, as ``10.0.0.0/8``, or by range, as ``10.0.0.1-10.0.0.9``.
        default: for what is in none of them.
    """

    def __init__(self, source: str, networks: Mapping[str, str], *, default: str = "") -> None:
        self.source = source
        self._default = default
        #: By version and length, the longest first: network → value.
        lengths: dict[tuple[int, int], dict[int, str]] = {}
        for text, value in networks.items():
            for network in networks_of(text):
                shift = network.max_prefixlen - network.prefixlen
                at = lengths.setdefault((network.version, shift), {})
                at[int(network.network_address) >> shift] = value
        self._lengths = sorted(lengths.items())

    def value(self, source: str) -> str:
        """What it gives for the ``source``'s text."""
        address = parse_address(source) or _NO_ADDRESS
        bits = int(address)
        for (version, shift), values in self._lengths:
            value = values.get(bits >> shift) if version == address.version else None
            if value is not None:
                return value
        return self._default


def networks_of(text: str) -> list[IPv4Network | IPv6Network]:
    """The networks of a ``geo``'s key. Raises ``ValueError`` if it is none."""
    first, dash, last = text.partition("-")
    if not dash:
        return [ip_network(text, strict=False)]
    begin, end = parse_address(first), parse_address(last)
    if begin is None or end is None or begin.version != end.version:
        raise ValueError(f"{text!r} is no range of addresses")
    return [*summarize_address_range(begin, end)]
