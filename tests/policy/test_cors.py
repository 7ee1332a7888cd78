"""What is a preflight, who may read a refusal, and which fields of it."""

from __future__ import annotations

from typing import Any

import pytest

from asgi_calls import scope_of
from sluicegate.policy.cors import Cors, expose, is_preflight, origin_of

ASKS = [("Origin", "https://app.example"), ("Access-Control-Request-Method", "PUT")]
APP, OTHER = b"https://app.example", b"https://evil.example"
ORIGIN, CREDENTIALS = b"access-control-allow-origin", b"access-control-allow-credentials"
EXPOSE = b"access-control-expose-headers"


@pytest.mark.parametrize(
    ("scope", "is_one"),
    [
        (scope_of(method="OPTIONS", headers=ASKS), True),
        (scope_of(method="OPTIONS", headers=ASKS[:1]), False),
        (scope_of(method="OPTIONS", headers=ASKS[1:]), False),
        (scope_of(method="OPTIONS"), False),
        (scope_of(method="GET", headers=ASKS), False),
        ({"type": "websocket", "headers": []}, False),
    ],
)
def test_preflights(scope: dict[str, Any], is_one: bool) -> None:
    assert is_preflight(scope) is is_one


def test_the_origin() -> None:
    assert origin_of(scope_of(headers=ASKS)["headers"]) == APP
    assert origin_of(scope_of()["headers"]) is None
    two = [("origin", APP.decode()), ("origin", APP.decode())]
    assert origin_of(scope_of(headers=two)["headers"]) is None


def allowed(cors: Cors, origin: bytes | None, *own: tuple[bytes, bytes]) -> Any:
    fields = [*own]
    cors.allow(origin, fields)
    return fields[len(own) :]


def test_all_origins_without_credentials() -> None:
    for origin in (APP, OTHER, b"null"):
        assert allowed(Cors("*"), origin) == [(ORIGIN, b"*")]
    assert allowed(Cors("*"), None) == []


@pytest.mark.parametrize("listed", [["https://app.example"], "https://app.example"])
def test_listed_origins_and_never_another(listed: Any) -> None:
    cors = Cors(listed)
    vary = (b"vary", b"Origin")
    assert allowed(cors, APP) == [(ORIGIN, APP), (CREDENTIALS, b"true"), vary]
    for origin in (OTHER, b"null", b"https://app.example.evil", b"http://app.example", None):
        assert allowed(cors, origin) == [vary]
    assert allowed(Cors([]), APP) == [vary]


@pytest.mark.parametrize("vary", [b"Accept, origin", b"*"])
def test_what_varies_already_is_not_said_again(vary: bytes) -> None:
    assert allowed(Cors(["https://app.example"]), OTHER, (b"Vary", vary)) == []


def test_another_vary_stays_in_one_field() -> None:
    fields = [(b"Vary", b"accept-encoding"), (b"vary", b"cookie")]
    Cors(["https://app.example"]).allow(OTHER, fields)
    assert fields == [(b"vary", b"accept-encoding, cookie, Origin")]


def test_what_a_refusal_allows_itself_stands() -> None:
    own = (b"Access-Control-Allow-Origin", b"https://its.own")
    assert allowed(Cors("*"), APP, own) == []
    assert allowed(Cors(["https://app.example"]), APP, own) == [(b"vary", b"Origin")]


@pytest.mark.parametrize(
    ("own", "exposed"),
    [
        ([], b"retry-after, ratelimit"),
        ([(b"Access-Control-Expose-Headers", b"X-Total")], b"X-Total, retry-after, ratelimit"),
        ([(EXPOSE, b"X-A, RateLimit"), (EXPOSE, b"X-B")], b"X-A, RateLimit, X-B, retry-after"),
        ([(EXPOSE, b"*")], b"*, retry-after, ratelimit"),  # with credentials "*" is but a name
    ],
)
def test_exposing(own: list[tuple[bytes, bytes]], exposed: bytes) -> None:
    fields = [*own]
    expose(fields, [b"retry-after", b"ratelimit"])
    assert fields == [(EXPOSE, exposed)]
    expose(fields, [b"ratelimit"])
    assert fields == [(EXPOSE, exposed)]


@pytest.mark.parametrize(
    "origin",
    [
        "https://app.example",
        "http://localhost:3000",
        "http://[::1]:8080",
        "https://xn--bcher-kva.example",
        "capacitor://localhost",
        "chrome-extension://abcdefghijklmnop",
    ],
)
def test_right_origins(origin: str) -> None:
    assert allowed(Cors([origin]), origin.encode())[0] == (ORIGIN, origin.encode())


@pytest.mark.parametrize(
    ("origin", "right"),
    [
        ("https://app.example/", "https://app.example"),
        ("https://app.example/path?x#y", "https://app.example"),
        ("HTTPS://App.Example", "https://app.example"),
        ("https://app.example:443", "https://app.example"),
        ("http://app.example:80", "http://app.example"),
        ("https://user@app.example", "https://app.example"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("https://straße.example", "https://app.example.com"),  # not the host strasse.example
        ("app.example", "https://app.example"),
        ("localhost:3000", "https://localhost:3000"),
        *((wrong, "https://app.example.com") for wrong in ("*", "null", "", "https://", "/x")),
        *((wrong, "https://app.example.com") for wrong in ("https://*.example", "http://a:b")),
    ],
)
def test_a_wrong_origin_is_answered_with_a_right_one(origin: str, right: str) -> None:
    with pytest.raises(ValueError, match="cors must be") as raised:
        Cors([origin])
    assert f"such as {right!r}, got {origin!r}" in str(raised.value)


@pytest.mark.parametrize("wrong", [None, 7, True, [b"https://app.example"], [None]])
def test_what_is_no_origin(wrong: Any) -> None:
    with pytest.raises(TypeError, match="cors must"):
        Cors(wrong)
