"""By which keys rules count, and what of a request is believed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from asgi_calls import get, hello
from sluicegate import ManualClock
from sluicegate.asgi import RateLimitMiddleware
from sluicegate.fastapi import Principal
from sluicegate.policy import Identity, Policy, Rule

PROXY = "10.0.0.9"
SECRET = "a secret of sixteen characters"


class User:
    is_authenticated = True
    id = "ann"


def app_of(by: str | Iterable[str], match: str = "*", **options: Any) -> RateLimitMiddleware:
    policy = Policy(rules=[Rule(match, "1/minute", by=by)], clock=ManualClock(), **options)
    return RateLimitMiddleware(hello, policy=policy)


def admitted(app: Any, *requests: dict[str, Any]) -> list[bool]:
    """Of requests in a row: the first of each key is admitted, and no other."""
    return [get(app, **request).status == 200 for request in requests]


def test_client_is_the_principal_or_else_the_address() -> None:
    app = app_of("client", verify=lambda key: None if key == "bad" else Principal(key))
    key = {"headers": [("X-API-Key", "k")]}
    other = {"headers": [("X-API-Key", "k")], "peer": "192.0.2.2"}
    bad = {"headers": [("X-API-Key", "bad")]}
    assert admitted(app, {}, {}, key, other, {"user": User()}, bad) == [
        *(True, False),
        *(True, False),
        True,
        False,
    ]


def test_address_is_that_of_a_principal_as_well() -> None:
    app = app_of("address", verify=Principal)
    key = {"headers": [("X-API-Key", "k")]}
    assert admitted(app, key, {}, {"user": User()}, {"peer": "192.0.2.2"}) == [
        *(True, False, False),
        True,
    ]


def test_a_limit_by_principal_leaves_out_who_is_nobody() -> None:
    app = app_of("principal", verify=lambda key: None if key == "bad" else Principal(key))
    key = {"headers": [("X-API-Key", "k")]}
    bad = {"headers": [("X-API-Key", "bad")]}
    user = {"user": User(), "peer": "192.0.2.8"}
    assert admitted(app, {}, {}, bad, bad, key, key, user, {"user": User()}) == [
        *(True,) * 4,
        *(True, False),
        *(True, False),
    ]
    assert "ratelimit" not in get(app).headers


def test_a_principal_beside_a_key_of_the_programs_own() -> None:
    app = app_of("principal", identify=lambda scope: "mine")
    assert admitted(app, {}, {}, {"user": User()}, {"user": User()}) == [True, True, True, False]


def test_by_tier_and_by_all() -> None:
    app = app_of(
        "tier", tiers={"a": "9/hour", "b": "9/hour"}, tier=lambda s: s["query_string"].decode()
    )
    a, b = {"query_string": b"a"}, {"query_string": b"b", "peer": "192.0.2.2"}
    assert admitted(app, a, {**a, "peer": "192.0.2.5"}, b, b) == [True, False, True, False]
    app = app_of("all")
    assert admitted(app, {}, {"peer": "192.0.2.2"}) == [True, False]


def test_by_tier_where_nobody_has_one() -> None:
    assert admitted(app_of("tier"), {}, {}) == [True, True]
    assert admitted(app_of("tier", default_tier="x"), {}, {"peer": "::1"}) == [True, False]


def test_a_header_counts_if_a_trusted_proxy_sent_it_once() -> None:
    app = app_of("header:X-Org", trusted_proxies=[PROXY])

    def org(*values: str, peer: str = PROXY) -> dict[str, Any]:
        forwarded = ("X-Forwarded-For", "192.0.2.7")
        return {"peer": peer, "headers": [forwarded, *(("x-org", value) for value in values)]}

    assert admitted(app, org("a"), org("b"), org("a")) == [True, True, False]
    # Not of a client, who could name any; not twice, as of one that a proxy has only added to.
    assert admitted(app, org("c", peer="192.0.2.1"), org("d", peer="192.0.2.1")) == [True, False]
    assert admitted(app, org("a", "e"), org(), org("f", "g")) == [True, False, False]
    # It is no address, whatever it says.
    assert admitted(app, org("ip:192.0.2.1")) == [True]


@pytest.mark.parametrize("proxies", [1, ["unix"], [PROXY]])
def test_which_peer_is_a_trusted_proxy(proxies: Any) -> None:
    app = app_of("header:x-org", trusted_proxies=proxies)
    peer = None if proxies == ["unix"] else PROXY
    org = {"headers": [("X-Org", "a"), ("X-Forwarded-For", "192.0.2.7")], "peer": peer}
    other = {"headers": [("X-Org", "b"), ("X-Forwarded-For", "192.0.2.7")], "peer": peer}
    assert admitted(app, org, other, org) == [True, True, False]


def test_without_proxies_no_header_counts() -> None:
    app = app_of("header:x-org")
    assert admitted(app, {"headers": [("X-Org", "a")]}, {"headers": [("X-Org", "b")]}) == [
        True,
        False,
    ]


def key_of(policy: Policy, scope: dict[str, Any]) -> str | None:
    """The key by which the policy's only rule counts a request."""
    enforcer = policy.enforcer
    assert enforcer.rules is not None
    (tier,) = enforcer.rules.selection((0,), None, enforcer.default).tiers
    from sluicegate.policy.enforcing.applied import Applied
    from sluicegate.policy.enforcing.subject import Subject

    assert isinstance(tier, Applied)
    client = enforcer.clients.default(scope)
    (key,) = tier.keys_of(Subject(scope, scope, scope["path"], client, None)).values()
    return key


def test_a_headers_value_is_hashed_with_the_secret() -> None:
    scope = {"path": "/", "client": (PROXY, 1), "headers": [(b"x-org", b"acme")]}

    def key(secret: str | bytes | None) -> str | None:
        rules = [Rule("*", "1/minute", by="header:x-org")]
        return key_of(Policy(rules=rules, trusted_proxies=[PROXY], secret=secret), scope)

    assert key(SECRET) == key(SECRET.encode())
    keys = {key(SECRET), key(SECRET + "!"), key(SECRET * 9), key(None), key(None)}
    assert len(keys) == 5
    assert all(each is not None and "acme" not in each for each in keys)


def test_a_shared_store_needs_the_secret(url: str) -> None:
    rules = [Rule("*", "1/minute"), Rule("/a", "1/minute", by=("client", "header:X-Org"))]
    with pytest.raises(ValueError, match=r"rules\[1\]: by='header:x-org' needs secret=") as raised:
        Policy(rules=rules, store=url)
    assert "secrets.token_hex(32)" in str(raised.value)
    Policy(rules=rules, store=url, secret=SECRET)
    # By the store of the rule, not of the policy.
    with pytest.raises(ValueError, match="needs secret="):
        Policy(rules=[Rule("/a", "1/minute", by="header:X-Org", store=url)])


def test_a_path_parameter_is_of_its_own_rule() -> None:
    rules = [
        Rule("/{a}/{b}", "2/minute", by="path:a", name="first"),
        Rule("/t/{a}", "1/minute", by="path:a", name="second"),
    ]
    app = RateLimitMiddleware(hello, policy=Policy(rules=rules, clock=ManualClock()))
    paths = ["/t/1", "/t/1/", "//t//2", "/t/3", "/u/1"]
    assert [get(app, path).status for path in paths] == [200, 429, 200, 429, 200]


def test_a_key_that_is_none_leaves_its_limits_out() -> None:
    async def org(scope: Any) -> str | None:
        return scope["query_string"].decode() or None

    app = app_of(("org", "address"), keys={"org": org})
    a = {"query_string": b"a"}
    assert admitted(app, {}, {}, a, a, {**a, "peer": "192.0.2.2"}) == [
        *(True, True),
        *(True, False),
        True,
    ]


def test_a_key_must_be_a_text() -> None:
    app = app_of("org", keys={"org": lambda scope: 5})
    with pytest.raises(TypeError, match=r"keys\['org'\] must return a str or None, got int"):
        get(app)


texts = st.text(alphabet="a:1\udc80", max_size=4)


@example(first=("a:", ""), second=("a", ":"))
@example(first=("a", "b"), second=("ab", ""))
@example(first=("1:a", ""), second=("", "1:a"))
@given(first=st.tuples(texts, texts), second=st.tuples(texts, texts))
def test_no_two_combinations_are_one_key(first: tuple[str, str], second: tuple[str, str]) -> None:
    app = app_of(
        ("one", "two"), keys={"one": lambda s: s["pair"][0], "two": lambda s: s["pair"][1]}
    )
    assert admitted(app, {"pair": first}, {"pair": second}) == [True, first != second]


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize(("one", "other"), [(("a", "b"), "a+b"), ("ü", "x" * 70)])
def test_names_of_what_is_counted_by_may_look_alike(one: Any, other: Any, first: bool) -> None:
    """A gate tells keys apart by a name of what they are: those of two things must not be one."""
    keys = {name: lambda scope: "same" for name in one} | {
        other: lambda scope: scope["query_string"].decode()
    }
    rules = [Rule("*", "1/minute", by=one, name="one"), Rule("*", "9/minute", by=other, name="two")]
    policy = Policy(rules=rules if first else rules[::-1], keys=keys, clock=ManualClock())
    app = RateLimitMiddleware(hello, policy=policy)
    assert admitted(app, {"query_string": b"x"}, {"query_string": b"y"}) == [True, False]
    left = get(app, query_string=b"x").scope["sluicegate.decision"].limits["two/minute"].remaining
    assert left == 8


def test_an_identity_stands_for_its_options() -> None:
    identity = Identity(
        trusted_proxies=iter([PROXY]),
        proxy_header="x-real-ip",
        verify=lambda key: key,
        api_key_header="x-key",
    )
    app = app_of("client", identity=identity)
    real = {"peer": PROXY, "headers": [("X-Real-IP", "192.0.2.7")]}
    other = {"peer": PROXY, "headers": [("X-Real-IP", "192.0.2.8")]}
    key = {"peer": PROXY, "headers": [("X-Real-IP", "192.0.2.7"), ("X-Key", "k")]}
    assert admitted(app, real, real, other, key, key) == [True, False, True, True, False]
    again = app_of("address", identity=identity)  # which may be used twice
    assert admitted(again, real, other, real) == [True, True, False]
    assert repr(identity) == ("<Identity by trusted_proxies, proxy_header, verify, api_key_header>")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"trusted_proxies": ["nowhere"]}, "trusted_proxies must hold IP networks"),
        ({"proxy_header": "a b"}, "proxy_header must be the name of an HTTP header"),
        ({"api_key_header": ""}, "api_key_header must be the name of an HTTP header"),
        ({"ipv6_prefix": 5}, "ipv6_prefix must be 16 to 128"),
        ({"verify": 5}, "verify must be callable"),
        ({"identify": 5}, "identify must be callable"),
        ({"verify_ttl": -1}, "verify_ttl must be a number of seconds"),
        ({"no_address": 5}, "no_address must be a str or a callable"),
    ],
)
def test_an_identity_is_checked_when_it_is_made(options: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        Identity(**options)
