"""Who the client is, whatever is forged."""

from __future__ import annotations

import logging
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.identity import ClientAddress, Principal, principal_of
from sluicegate.identity.addresses import parse_address


def scope(peer: Any, *values: str | bytes, header: str = "x-forwarded-for") -> dict[str, Any]:
    lines = [value.encode("latin-1") if isinstance(value, str) else value for value in values]
    client = (peer, 1) if isinstance(peer, str) else peer
    return {
        "type": "http",
        "client": client,
        "headers": [(header.encode(), line) for line in lines],
    }


@pytest.mark.parametrize(
    ("peer", "values", "client"),
    [
        ("10.0.0.1", ["6.6.6.6, 203.0.113.9"], "203.0.113.9"),
        ("203.0.113.9", ["1.1.1.1"], "203.0.113.9"),
        ("10.0.0.1", ["10.9.9.9, 10.0.0.2"], "10.9.9.9"),
        ("10.0.0.1", ["garbage"], "10.0.0.1"),
        ("10.0.0.1", ["6.6.6.6, "], "10.0.0.1"),
        ("10.0.0.1", ["6.6.6.6,,10.0.0.3"], "10.0.0.3"),
        ("10.0.0.1", ["6.6.6.6, unknown, 10.0.0.3"], "10.0.0.3"),
        ("10.0.0.1", ["6.6.6.6, [2001:db8::1]:443"], "2001:db8::/64"),
        ("10.0.0.1", ["2001:db8::1"], "2001:db8::/64"),
        ("10.0.0.1", ["203.0.113.9:8080"], "203.0.113.9"),
        ("10.0.0.1", ["fe80::1%eth0"], "fe80::1%eth0"),
        ("10.0.0.1", ["6.6.6.6, fe80::1%a b"], "10.0.0.1"),
        ("10.0.0.1", ["2001:db8::1%eth0"], "2001:db8::/64"),
        # What carries the address of a trusted proxy is not that proxy.
        ("10.0.0.1", ["6.6.6.6, 64:ff9b::a00:1"], "10.0.0.1"),
        ("64:ff9b::a00:1", ["6.6.6.6"], "10.0.0.1"),
        ("2002:a00:1::1", ["6.6.6.6"], "10.0.0.1"),
        ("2001:0:1::f5ff:fffe", ["6.6.6.6"], "10.0.0.1"),
        ("::a00:1", ["6.6.6.6"], "::/64"),
        ("::ffff:0:a00:1", ["6.6.6.6"], "10.0.0.1"),
        ("2001:db8::5efe:a00:1", ["6.6.6.6"], "2001:db8::/64"),
        ("::ffff:10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("::ffff:a00:1", ["203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["::ffff:203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["::ffff:cb00:7109"], "203.0.113.9"),
        ("10.0.0.1", ["::ffff:10.0.0.7"], "10.0.0.7"),
        ("10.0.0.1", ["6.6.6.6", "203.0.113.9, 10.0.0.2"], "203.0.113.9"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["\xff\xfe"], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.9:x"], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.9%eth0"], "10.0.0.1"),
        ("10.0.0.1", ["[203.0.113.9]"], "10.0.0.1"),
        ("10.0.0.1", ["[2001:db8::1"], "10.0.0.1"),
        ("10.0.0.1", ["010.1.1.1"], "10.0.0.1"),
    ],
)
def test_forwarded_for(peer: str, values: list[str], client: str) -> None:
    assert ClientAddress(["10.0.0.0/8"])(scope(peer, *values)) == "ip:" + client


@pytest.mark.parametrize(
    ("value", "client"),
    [
        ('for="[2001:db8::1]:47011";proto=https, for=10.0.0.2', "2001:db8::/64"),
        ("for=203.0.113.9", "203.0.113.9"),
        ("For=203.0.113.9;By=10.0.0.1", "203.0.113.9"),
        ('proto=https;for="203.0.113.9:80"', "203.0.113.9"),
        ("for=_hidden", "10.0.0.1"),
        ("for=unknown, for=10.0.0.2", "10.0.0.2"),
        ("proto=https", "10.0.0.1"),
        ("for=1.1.1.1;for=2.2.2.2", "10.0.0.1"),
        # An attacker's open quote does not swallow what the proxy adds.
        ('for="6.6.6.6, for=203.0.113.9', "203.0.113.9"),
        ('for="a, b";x="\\"", for=203.0.113.9', "203.0.113.9"),
        ('for="6.6.6.6\\", for=203.0.113.9', "203.0.113.9"),
    ],
)
def test_forwarded(value: str, client: str) -> None:
    find = ClientAddress(["10.0.0.0/8"], header="Forwarded")
    assert find(scope("10.0.0.1", value, header="forwarded")) == "ip:" + client


def test_a_header_with_one_address() -> None:
    find = ClientAddress("10.0.0.0/8", header="CF-Connecting-IP")
    name = "cf-connecting-ip"
    assert find(scope("10.0.0.1", "203.0.113.9", header=name)) == "ip:203.0.113.9"
    assert find(scope("10.0.0.1", "203.0.113.9, 1.1.1.1", header=name)) == "ip:10.0.0.1"
    assert find(scope("10.0.0.1", "203.0.113.9", "1.1.1.1", header=name)) == "ip:10.0.0.1"
    assert find(scope("198.51.100.1", "203.0.113.9", header=name)) == "ip:198.51.100.1"


@pytest.mark.parametrize(
    ("hops", "value", "client"),
    [
        (0, "1.1.1.1", "192.0.2.1"),
        (1, "6.6.6.6, 1.1.1.1", "1.1.1.1"),
        (2, "6.6.6.6, 1.1.1.1, 172.16.0.1", "1.1.1.1"),
        (3, "1.1.1.1, 172.16.0.1", "1.1.1.1"),
        (2, "1.1.1.1, garbage", "192.0.2.1"),
        (3, "1.1.1.1, garbage, 172.16.0.1", "172.16.0.1"),
    ],
)
def test_a_number_of_hops(hops: int, value: str, client: str) -> None:
    assert ClientAddress(hops)(scope("192.0.2.1", value)) == "ip:" + client


def test_a_proxy_over_a_unix_socket() -> None:
    for trusted in (1, ["unix"], ["unix", "10.0.0.0/8"]):
        assert ClientAddress(trusted)(scope(None, "203.0.113.9")) == "ip:203.0.113.9"
    assert ClientAddress(["10.0.0.0/8"])(scope(None, "203.0.113.9")) == "ip:unknown"


def test_mapped_networks_are_ipv4_networks() -> None:
    assert ClientAddress(["::ffff:10.0.0.0/104"])(scope("10.0.0.1", "1.1.1.1")) == "ip:1.1.1.1"


def test_only_the_rightmost_elements_are_looked_at() -> None:
    find = ClientAddress(["10.0.0.0/8"])
    many = ", ".join(["6.6.6.6"] + ["10.0.0.2"] * 31)
    assert find(scope("10.0.0.1", many)) == "ip:6.6.6.6"
    assert find(scope("10.0.0.1", many + ", 10.0.0.2")) == "ip:10.0.0.2"
    long = "6.6.6.6," + " " * 4_080 + "10.0.0.2"
    assert find(scope("10.0.0.1", "x" * 10_000 + long)) == "ip:10.0.0.2"


def test_addresses_are_apart_and_networks_together() -> None:
    find = ClientAddress()
    same = ["1.2.3.4", "::ffff:1.2.3.4", "::ffff:102:304"]
    assert {find(scope(peer)) for peer in same} == {"ip:1.2.3.4"}
    assert find(scope("1.2.3.5")) == "ip:1.2.3.5"
    assert find(scope("2001:db8::1")) == find(scope("2001:db8::2")) == "ip:2001:db8::/64"
    assert find(scope("2001:db8:0:1::1")) == "ip:2001:db8:0:1::/64"
    assert ClientAddress(ipv6_prefix=48)(scope("2001:db8:0:1::1")) == "ip:2001:db8::/48"
    assert ClientAddress(ipv6_prefix=56)(scope("2001:db8:0:1::1")) == "ip:2001:db8::/56"


def one_in(network: str, ipv4: str, place: int) -> str:
    """An address of ``network`` that holds ``ipv4`` from this bit on, as RFC 6052 writes it."""
    bits = f"{int(ip_network(network).network_address):0128b}"
    for_it = f"{int(ip_address(ipv4)):032b}"
    # The byte from bit 64 on is left out.
    left = for_it[: max(0, 64 - place)] if place < 64 else ""
    right = for_it[len(left) :]
    start = 72 if place < 64 else place
    whole = bits[:place] + left if left else bits[:start]
    whole = whole.ljust(start, "0") + right
    return str(IPv6Address(int(whole.ljust(128, "0"), 2)))


MADE_OF_IPV4 = {
    "mapped": lambda ipv4: f"::ffff:{ipv4}",
    "NAT64": lambda ipv4: f"64:ff9b::{ipv4}",
    "translated": lambda ipv4: f"::ffff:0:{ipv4}",
    "6to4": lambda ipv4: str(IPv6Address((0x2002 << 112) | int(ip_address(ipv4)) << 80 | 7)),
    "Teredo": lambda ipv4: str(
        IPv6Address((0x20010000 << 96) | (9 << 64) | (int(ip_address(ipv4)) ^ 0xFFFFFFFF))
    ),
}


@pytest.mark.parametrize("form", MADE_OF_IPV4)
def test_an_address_that_is_made_of_an_ipv4_address_is_that_client(form: str) -> None:
    make: Any = MADE_OF_IPV4[form]
    for prefix in (16, 64, 128):
        find = ClientAddress(ipv6_prefix=prefix)
        assert find(scope(make("8.8.8.8"))) == find(scope("8.8.8.8")) == "ip:8.8.8.8"
        assert find(scope(make("9.9.9.9"))) == "ip:9.9.9.9"
    # Only a mapped one is believed to be a proxy with that address.
    trusting = ClientAddress(["8.8.8.8"])
    expected = "ip:6.6.6.6" if form == "mapped" else "ip:8.8.8.8"
    assert trusting(scope(make("8.8.8.8"), "6.6.6.6")) == expected


@pytest.mark.parametrize("place", [48, 56, 64, 96])
def test_clients_of_a_translator_of_ones_own_are_apart(place: int) -> None:
    peers = [one_in("64:ff9b:1::/48", ipv4, place) for ipv4 in ("8.8.8.8", "8.8.8.9", "9.8.8.8")]
    find = ClientAddress()
    assert [find(scope(peer)) for peer in peers] == [f"ip:{peer}" for peer in peers]
    assert len(set(peers)) == 3


def test_forms_that_a_host_chooses_are_networks() -> None:
    find = ClientAddress()
    for form in ("2001:db8:0:5::5efe:{}", "2001:db8:0:5:200:5efe:{}"):  # ISATAP
        assert find(scope(form.format("8.8.8.8"))) == "ip:2001:db8:0:5::/64"
    assert find(scope("::8.8.8.8")) == find(scope("::9.9.9.9")) == "ip:::/64"  # compatible


@pytest.mark.parametrize("prefix", [16, 64, 128])
def test_what_belongs_to_one_host_or_link_is_whole(prefix: int) -> None:
    find = ClientAddress(ipv6_prefix=prefix)
    peers = ["::", "::1", "fe80::1", "fe80::2", "fe80::1%eth0", "fe80::1%eth1", "fe80::1%3"]
    peers += ["127.0.0.1", "0.0.0.0", "169.254.0.1"]
    assert [find(scope(peer)) for peer in peers] == [f"ip:{peer}" for peer in peers]


NO_ADDRESS: list[Any] = [
    None,
    ("testclient", 50_000),
    ("", 0),
    ("/run/app.sock", None),
    [],
    ("unix", 0),
    (None, 1),
    (b"1", 1),
]


@pytest.mark.parametrize("peer", NO_ADDRESS)
def test_no_address_shares_one_key_and_says_so_once(
    peer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    find = ClientAddress()
    with caplog.at_level(logging.WARNING, "sluicegate"):
        assert [find(scope(peer)) for _ in range(3)] == ["ip:unknown"] * 3
        assert find({"type": "http"}) == "ip:unknown"
    assert len(caplog.records) == 1
    assert "no_address=" in caplog.text


def test_no_address_can_be_decided() -> None:
    assert ClientAddress(no_address="local")(scope(None)) == "local"
    assert ClientAddress(no_address=lambda scope: scope["type"])(scope(None)) == "http"


def test_an_ignored_header_is_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    find = ClientAddress()
    with caplog.at_level(logging.WARNING, "sluicegate"):
        for _ in range(3):
            assert find(scope("1.2.3.4", "6.6.6.6")) == "ip:1.2.3.4"
    assert len(caplog.records) == 1
    assert "trusted_proxies=" in caplog.text
    assert "6.6.6.6" not in caplog.text


REWRITTEN = "the server seems to have taken it from there"


@pytest.mark.parametrize("proxies", [(), ["10.0.0.0/8"]])
@pytest.mark.parametrize(
    ("peer", "value", "header"),
    [
        ("6.6.6.6", "6.6.6.6", "x-forwarded-for"),
        ("6.6.6.6", "6.6.6.6, 203.0.113.9", "x-forwarded-for"),
        ("6.6.6.6", "1.1.1.1 , 6.6.6.6:443,10.0.0.1", "x-forwarded-for"),
        ("2001:db8::1", "[2001:DB8:0::1]:443", "x-forwarded-for"),
        ("somebody", "somebody, 10.0.0.1", "x-forwarded-for"),
        ("6.6.6.6", 'for="6.6.6.6:80";proto=https', "forwarded"),
        ("6.6.6.6", "::ffff:6.6.6.6", "x-real-ip"),
    ],
)
def test_a_peer_that_the_server_took_from_a_header_is_told_of_once(
    peer: str, value: str, header: str, proxies: Any, caplog: pytest.LogCaptureFixture
) -> None:
    find = ClientAddress(proxies)
    with caplog.at_level(logging.WARNING, "sluicegate"):
        for _ in range(3):
            find(scope(peer, value, header=header))
    told = [text for text in caplog.messages if REWRITTEN in text]
    assert len(told) == 1
    assert "--no-proxy-headers" in told[0]
    assert "trusted_proxies=" in told[0]
    assert peer not in told[0]
    assert not any("which is ignored" in text for text in caplog.messages)


@pytest.mark.parametrize(
    ("proxies", "peer", "value"),
    [
        # A second proxy on the same host is no sign of it.
        (["127.0.0.1"], "127.0.0.1", "203.0.113.9, 127.0.0.1"),
        (2, "127.0.0.1", "203.0.113.9, 127.0.0.1"),
        (["10.0.0.0/8"], "203.0.113.9", "6.6.6.6"),
        (["10.0.0.0/8"], "10.0.0.1", "6.6.6.6"),
        ((), "203.0.113.9", "6.6.6.6, 03.0.113.9, 203.0.113.99, unknown"),
    ],
)
def test_other_peers_are_not_told_of(
    proxies: Any, peer: str, value: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "sluicegate"):
        ClientAddress(proxies)(scope(peer, value))
    assert REWRITTEN not in caplog.text


def test_both_are_told_of(caplog: pytest.LogCaptureFixture) -> None:
    find = ClientAddress()
    with caplog.at_level(logging.WARNING, "sluicegate"):
        for peer in ["203.0.113.9", "6.6.6.6"] * 3:
            find(scope(peer, "6.6.6.6"))
    assert ["which is ignored" in text for text in caplog.messages] == [True, False]
    assert [REWRITTEN in text for text in caplog.messages] == [False, True]


@pytest.mark.parametrize(
    "proxies",
    [
        "*",
        ["*"],
        "0.0.0.0/0",
        ["10.0.0.0/8", "::/0"],
        "::ffff:0:0/96",
        "0/0",
        ["0.0.0.0/1", "128.0.0.0/1"],
        "2000::/3",
        "64:ff9b::/96",
        "64:ff9b::/95",
        "::ffff:0:0:0/96",
        "2002::/16",
        "2001::/32",
    ],
)
def test_everybody_cannot_be_trusted(proxies: Any) -> None:
    with pytest.raises(ValueError, match="trusted_proxies must"):
        ClientAddress(proxies)


def test_a_proxy_on_a_link_is_named_without_its_zone() -> None:
    with pytest.raises(
        ValueError, match=r"trusted_proxies must .* without a zone, such as 'fe80::1'"
    ):
        ClientAddress(["fe80::1%eth0"])
    find = ClientAddress(["fe80::1"])
    assert find(scope("fe80::1%eth0", "203.0.113.9")) == "ip:203.0.113.9"
    assert find(scope("fe80::2%eth0", "203.0.113.9")) == "ip:fe80::2%eth0"


@pytest.mark.parametrize("proxies", [True, -1, 33, 1.5, None, ["nginx"], [7], b"10.0.0.0/8"])
def test_wrong_proxies_are_named(proxies: Any) -> None:
    with pytest.raises((ValueError, TypeError), match="trusted_proxies must"):
        ClientAddress(proxies)


@given(st.lists(st.binary(max_size=60), max_size=4))
def test_an_untrusted_peer_is_the_client_whatever_it_sends(lines: list[bytes]) -> None:
    for header in ("x-forwarded-for", "forwarded", "x-real-ip"):
        find = ClientAddress(["10.0.0.0/8"], header=header)
        assert find(scope("203.0.113.9", *lines, header=header)) == "ip:203.0.113.9"


elements = st.sampled_from(
    [
        "10.0.0.2",
        "10.9.9.9",
        "1.2.3.4",
        " 5.6.7.8 ",
        "::ffff:10.0.0.3",
        "2001:db8::1",
        "x",
        "",
        "unknown",
    ]
)


@given(st.lists(elements, max_size=8))
def test_the_walk_is_the_obvious_one(values: list[str]) -> None:
    trusted = ip_network("10.0.0.0/8")
    last = ip_address("10.0.0.1")
    for value in reversed(values):
        try:
            address: Any = ip_address(value.strip())
        except ValueError:
            break
        last = getattr(address, "ipv4_mapped", None) or address
        if last not in trusted:
            break
    expected = "ip:2001:db8::/64" if last.version == 6 else f"ip:{last}"
    headers = [",".join(values)] if values else []
    assert ClientAddress(["10.0.0.0/8"])(scope("10.0.0.1", *headers)) == expected


@given(st.text(max_size=60))
def test_parsing_never_raises(text: str) -> None:
    parse_address(text)


@given(st.ip_addresses())
def test_every_address_reads_back(address: Any) -> None:
    expected = getattr(address, "ipv4_mapped", None) or address
    assert parse_address(str(address)) == expected
    if address.version == 6:
        assert parse_address(f"[{address}]:443") == expected


class User:
    def __init__(self, **attributes: Any) -> None:
        self.__dict__ |= {"is_authenticated": True, **attributes}


class Starlettes:
    """As Starlette's BaseUser, whose identity raises until it is overridden."""

    is_authenticated = True
    display_name = "alice"

    @property
    def identity(self) -> str:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({}, None),
        ({"user": None}, None),
        ({"user": User(identity="a", is_authenticated=False)}, None),
        ({"user": User(identity="a")}, Principal("a")),
        ({"user": User(id=7)}, Principal("7")),
        ({"user": Starlettes()}, Principal("alice")),
        ({"user": User(identity="a", tier="gold")}, Principal("a", "gold")),
        ({"user": User(identity="a"), "auth": User(tier="gold")}, Principal("a", "gold")),
        ({"user": User(identity="a"), "state": {"tier": "gold"}}, Principal("a", "gold")),
        ({"user": User(identity="a", tier=7)}, Principal("a")),
        ({"user": User()}, None),
        ({"user": "a string"}, None),
        ({"user": User(identity=object())}, None),
        ({"user": User(identity=object(), id="a")}, Principal("a")),
        ({"headers": [(b"x-user", b"a")], "state": {"tier": "gold"}}, None),
    ],
)
def test_a_principal_comes_from_an_authentication_layer(
    parts: dict[str, Any], expected: Any
) -> None:
    assert principal_of({"type": "http", **parts}) == expected


def test_a_principal_is_a_value_that_shows_no_secret() -> None:
    principal = Principal("sk-secret", "gold")
    assert "sk-secret" not in repr(principal)
    assert hash(principal) == hash(Principal("sk-secret", "gold"))
    with pytest.raises(AttributeError):
        principal.tier = "platinum"
    with pytest.raises(TypeError, match="id must be a str, got int"):
        Principal(7)  # type: ignore[arg-type]
