"""WSGI and ASGI answer alike: one Enforcer decides, in either shell."""

from __future__ import annotations

from typing import Any
from wsgiref.validate import validator

import pytest

import asgi_calls
import wsgi_calls
from sluicegate import FixedWindow, Gate, Limit, ManualClock
from sluicegate.asgi import RateLimitMiddleware as ASGIMiddleware
from sluicegate.policy import Policy, Rule
from sluicegate.refusals import FixedRefusal, json_refusal, problem_refusal
from sluicegate.wsgi import Principal, RateLimitMiddleware

OURS = ("x-ratelimit", "ratelimit", "retry-after", "cache-control", "access-control", "vary")
KEY = {"x-api-key": "good"}


def header(scope: Any, name: str) -> str | None:
    """A header's value, of a scope or an environ."""
    if "REQUEST_METHOD" in scope:
        value: str | None = scope.get("HTTP_" + name.upper().replace("-", "_"))
        return value
    found = dict(scope["headers"]).get(name.encode())
    return None if found is None else found.decode("latin-1")


def path(scope: Any) -> str:
    return str(scope["PATH_INFO"] if "REQUEST_METHOD" in scope else scope["path"])


class User:
    is_authenticated = True
    identity = "ann"


POLICIES: dict[str, Any] = {
    "a limiter": lambda clock: {"limiter": FixedWindow(2, 60, clock=clock), "name": "n"},
    "tiers": lambda clock: {
        "tiers": {"free": "2/minute", "pro": "5/minute; 3/second", "all": "unlimited"},
        "tier": lambda scope: header(scope, "x-tier"),
        "clock": clock,
    },
    "plans": lambda clock: {
        "tiers": {"default": "1/minute", "pro": "2/minute; 100/day"}.get,
        "tier": lambda scope: header(scope, "x-tier"),
        "clock": clock,
    },
    "costs": lambda clock: {
        "tiers": {"free": "5/minute"},
        "cost": lambda scope: int(header(scope, "x-cost") or 1),
        "clock": clock,
    },
    "keys": lambda clock: {
        "tiers": {"free": "1/minute", "pro": "3/minute"},
        "verify": lambda key: Principal(key, "pro") if key == "good" else None,
        "clock": clock,
    },
    "proxies": lambda clock: {
        "tiers": {"free": "1/minute"},
        "trusted_proxies": ["192.0.2.0/24"],
        "clock": clock,
    },
    "a single address": lambda clock: {
        "tiers": {"free": "1/minute"},
        "trusted_proxies": 1,
        "proxy_header": "cf-connecting-ip",
        "clock": clock,
    },
    "identify": lambda clock: {
        "tiers": {"free": "1/minute"},
        "identify": lambda scope: header(scope, "x-who"),
        "clock": clock,
    },
    "exempt": lambda clock: {
        "tiers": {"free": "1/minute"},
        "exempt": ["/health", "/static/*"],
        "clock": clock,
    },
    "exempt by a function": lambda clock: {
        "tiers": {"free": "1/minute"},
        "exempt": lambda scope: path(scope) == "/health",
        "clock": clock,
    },
    "cors": lambda clock: {"tiers": {"free": "1/minute"}, "cors": "*", "clock": clock},
    "some origins": lambda clock: {
        "tiers": {"free": "1/minute"},
        "cors": ["https://a.example"],
        "exempt_preflight": False,
        "clock": clock,
    },
    "shadow": lambda clock: {"tiers": {"free": "1/minute"}, "shadow": True, "clock": clock},
    "silent": lambda clock: {"tiers": {"free": "1/minute"}, "headers": (), "clock": clock},
    "a gate": lambda clock: {
        "limiter": Gate(
            [Limit("3/minute", by="client"), Limit("4/minute", by="org", optional=True)],
            clock=clock,
        ),
        "keys": {"org": lambda scope: header(scope, "x-org")},
    },
    "rules": lambda clock: {
        "tiers": {"free": "5/minute", "pro": "9/minute"},
        "tier": lambda scope: header(scope, "x-tier"),
        "rules": [
            Rule("GET /health", exempt=True),
            Rule("GET /static/*", "2/minute", by="all", group="a", refusal="problem"),
            Rule("*", "3/minute", by=("address", "org"), group="a", name="orgs"),
            Rule("/", "4/minute", by="header:x-who", tier="pro", headers=["x-ratelimit"]),
            Rule("POST *", "1/minute", shadow=True),
            Rule("/", "2/minute", by="address", counts="failures", name="failed"),
            Rule("/", "30 tokens/minute", cost=lambda scope: {"tokens": 10}, by="tier"),
        ],
        "keys": {"org": lambda scope: header(scope, "x-org") or "none"},
        "trusted_proxies": ["192.0.2.0/24"],
        "clock": clock,
    },
    "rules alone": lambda clock: {
        "rules": [
            Rule("/static/{file}", "2/minute", by="path:file", counts="successes"),
            Rule("HEAD|GET //127.0.0.1/health", "1/minute", by="client"),
            Rule("/", "1 concurrent", by="client"),
            Rule("/", "60/minute", by="client", delay=1.5, name="held"),
        ],
        "exempt": lambda scope: header(scope, "x-tier") == "gold",
        "clock": clock,
    },
    "other answers": lambda clock: {
        "rules": [
            Rule("/", "2/minute", by="client", refusal=FixedRefusal(503, "Später.", "text/plain")),
            Rule("/health", "1/minute", by="client", refusal=FixedRefusal(204)),
        ],
        "tiers": {"free": "5/minute"},
        "refusal": FixedRefusal(503),
        "clock": clock,
    },
    "closed": lambda clock: {
        "tiers": {"free": "1/minute"},
        "redis": "redis://127.0.0.1:1/0",
        "on_error": "closed",
        "timeout": 0.05,
        "closed_status": 599,
    },
}
REQUESTS: list[tuple[str, str, dict[str, str], dict[str, Any]]] = [
    ("GET", "/", {}, {}),
    ("GET", "/", {}, {"peer": "192.0.2.7"}),
    ("GET", "/", {}, {"peer": None}),
    ("HEAD", "/health", {}, {}),
    ("POST", "/static/../x", {}, {}),
    ("GET", "/static/x", {"x-tier": "pro", "origin": "https://a.example"}, {}),
    ("GET", "/", {"x-tier": "pro", "x-cost": "3"}, {}),
    ("GET", "/", {"x-tier": "all", "x-cost": "0", "x-org": "acme"}, {}),
    ("GET", "/", {"x-tier": "gold", "x-cost": "9"}, {}),
    ("GET", "/", {"x-api-key": "good", "x-status": "401"}, {}),
    ("POST", "/static/x", {"x-status": "500"}, {}),
    ("GET", "/", {"x-api-key": "bad", "x-status": "404"}, {}),
    ("GET", "/health", {"host": "127.0.0.1:8000"}, {}),
    ("GET", "/", {"x-api-key": "worse"}, {"peer": "192.0.2.7"}),
    ("GET", "/", {"x-forwarded-for": "203.0.113.9, 192.0.2.4", "x-who": "ip:1"}, {}),
    ("GET", "/", {"x-forwarded-for": "203.0.113.9, 192.0.2.4"}, {"peer": "8.8.8.8"}),
    ("GET", "/", {"cf-connecting-ip": "203.0.113.77", "x-org": "acme"}, {}),
    ("GET", "/", {"origin": "https://b.example", "x-org": "acme", "x-who": "ü"}, {}),
    ("GET", "/", {"origin": "https://a.example"}, {"user": "ann"}),
    (
        "OPTIONS",
        "/",
        {"origin": "https://a.example", "access-control-request-method": "GET"},
        {},
    ),
]


@pytest.mark.parametrize("refusal", [json_refusal, problem_refusal])
@pytest.mark.parametrize("of", POLICIES)
def test_both_answer_alike(of: str, refusal: Any) -> None:
    clocks = ManualClock(), ManualClock()
    of_asgi, of_wsgi = (Policy(**{"refusal": refusal, **POLICIES[of](clock)}) for clock in clocks)
    asgi = ASGIMiddleware(answered_as_asked, policy=of_asgi)
    wsgi = RateLimitMiddleware(validator(answered_as_asked_in_wsgi), policy=of_wsgi)
    seen = set()
    for number, (method, where, headers, more) in enumerate(REQUESTS * 3):
        fields = [*headers.items()]
        user = {"user": User()} if "user" in more else {}
        login = {"REMOTE_USER": "ann"} if "user" in more else {}
        peer = more.get("peer", "192.0.2.1")
        one = asgi_calls.get(asgi, where, method=method, headers=fields, peer=peer, **user)
        other = wsgi_calls.get(wsgi, where, method=method, headers=fields, peer=peer, **login)
        assert ours(one.headers) == ours(other.headers), (number, method, where, headers)
        assert one.status == other.status, (number, method, where, headers)
        if method != "HEAD":
            assert one.body == other.body
        same = ("sluicegate.decision", "sluicegate.principal", "sluicegate.delay")
        for name in same:
            assert told(one.scope.get(name)) == told(other.environ.get(name))
        seen.add(one.status)
        for clock in clocks:
            clock.advance(0.7)
    assert seen > {200} or of in ("shadow",), "nothing is refused"


async def answered_as_asked(scope: Any, receive: Any, send: Any) -> None:
    status = int(header(scope, "x-status") or 200)
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


def answered_as_asked_in_wsgi(environ: Any, start_response: Any) -> list[bytes]:
    start_response(f"{header(environ, 'x-status') or 200} So", [("Content-Type", "text/plain")])
    return [b"hello"]


def ours(headers: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.startswith(OURS)}


def told(given: Any) -> Any:
    if isinstance(given, (Principal, float)):
        return given
    return None if given is None else (given.allowed, given.remaining, given.store)


def test_one_policy_counts_for_both_together() -> None:
    policy = Policy(
        tiers={"free": "4/hour", "several": "2/hour; 3/day"},
        tier=lambda scope: header(scope, "x-tier"),
        concurrency=3,
    )
    asgi = ASGIMiddleware(asgi_calls.hello, policy=policy)
    wsgi = RateLimitMiddleware(wsgi_calls.hello, policy=policy)
    both = [asgi_calls.get, asgi, wsgi_calls.get, wsgi] * 3
    got = [call(app).status for call, app in zip(both[::2], both[1::2], strict=True)]
    assert got == [200, 200, 200, 200, 429, 429]
    options = {"headers": [("x-tier", "several")], "peer": "192.0.2.9"}
    assert asgi_calls.get(asgi, **options).status == 200
    assert wsgi_calls.get(wsgi, **options).status == 200
    assert wsgi_calls.get(wsgi, **options).status == 429
    assert asgi_calls.get(asgi, **options).status == 429


def test_middlewares_of_one_tiers_object_count_together() -> None:
    tiers = {"free": "2/hour"}
    asgi = ASGIMiddleware(asgi_calls.hello, tiers)
    wsgi = RateLimitMiddleware(wsgi_calls.hello, tiers)
    other = RateLimitMiddleware(wsgi_calls.hello, tiers=dict(tiers))
    assert asgi_calls.get(asgi).status == wsgi_calls.get(wsgi).status == 200
    assert asgi_calls.get(asgi).status == wsgi_calls.get(wsgi).status == 429
    assert wsgi_calls.get(other).status == 200
