"""The options that say which proxies are believed, checked."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network
from typing import Any

__all__ = ["header_name", "ipv6_prefix_bits", "trusted"]

# All of IPv4, directly and as translators and tunnels show it, and all of IPv6 that is routed.
_EVERYBODY: tuple[Any, ...] = tuple(
    map(
        ip_network,
        ("0.0.0.0/0", "64:ff9b::/96", "::ffff:0:0:0/96", "2001::/32", "2002::/16", "2000::/3"),
    )
)
_ANYBODY = (
    "trusted_proxies must not be {!r}: anybody could then claim any address; "
    "name the networks of your proxies, such as '10.0.0.0/8', or their number"
)


def trusted(
    proxies: Iterable[str] | int,
) -> tuple[int, tuple[IPv4Network | IPv6Network, ...], bool]:
    """The number of hops, the networks, and whether a peer without an address is trusted."""
    if isinstance(proxies, bool) or not isinstance(proxies, (int, str, Iterable)):
        kind = type(proxies).__name__
        raise TypeError(f"trusted_proxies must be networks or a number of hops, got {kind}")
    if isinstance(proxies, int):
        if not 0 <= proxies <= 32:
            raise ValueError(f"trusted_proxies must be 0 to 32 hops, got {proxies}")
        return proxies, (), False
    names = [proxies] if isinstance(proxies, str) else list(proxies)
    networks = tuple(_network(name) for name in names if name != "unix")
    for everybody in _EVERYBODY:
        same: list[Any] = [each for each in networks if each.version == everybody.version]
        if any(everybody.subnet_of(network) for network in collapse_addresses(same)):
            raise ValueError(_ANYBODY.format(" and ".join(names)))
    return 0, networks, "unix" in names


def _network(name: object) -> IPv4Network | IPv6Network:
    if not isinstance(name, str):
        raise TypeError(f"trusted_proxies must hold str, got {type(name).__name__} {name!r}")
    if name.strip() == "*":
        raise ValueError(_ANYBODY.format(name))
    if "%" in name:
        # The system may show the same zone by another name, and a network has none.
        raise ValueError(
            "trusted_proxies must hold addresses without a zone, such as "
            f"{name.strip().partition('%')[0]!r}, which is then trusted on every link; got {name!r}"
        )
    try:
        network = ip_network(name.strip(), strict=False)
    except ValueError as error:
        raise ValueError(
            f"trusted_proxies must hold IP networks such as '10.0.0.0/8', or 'unix', got {name!r}"
        ) from error
    if isinstance(network, IPv6Network) and network.prefixlen >= 96:
        mapped = network.network_address.ipv4_mapped
        if mapped is not None:
            return _network(f"{mapped}/{network.prefixlen - 96}")
    return network


def header_name(name: str, argument: str = "header") -> str:
    """A header's name in lower case."""
    if not isinstance(name, str) or not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
        raise ValueError(f"{argument} must be the name of an HTTP header, got {name!r}")
    return name.lower()


def ipv6_prefix_bits(bits: int) -> int:
    """By how many bits IPv6 clients are told apart."""
    if isinstance(bits, bool) or not isinstance(bits, int):
        raise TypeError(f"ipv6_prefix must be an int, got {type(bits).__name__} {bits!r}")
    if not 16 <= bits <= 128:
        raise ValueError(f"ipv6_prefix must be 16 to 128 bits, got {bits}")
    return bits
