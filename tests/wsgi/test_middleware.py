"""The middleware around a bare WSGI app: what it is told, and what it answers."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from starlette.responses import JSONResponse

from sluicegate import FixedWindow, Gate, ManualClock
from sluicegate.policy import Policy
from sluicegate.wsgi import Principal, RateLimitMiddleware, VerifiedKeys
from wsgi_calls import call, environ_of, get, hello, statuses


def test_it_admits_refuses_and_keeps_its_promise(clock: ManualClock) -> None:
    app = RateLimitMiddleware(hello, limiter=FixedWindow(2, 60, clock=clock))
    assert statuses(app, 3) == [200, 200, 429]
    clock.advance(7.5)
    refused = get(app)
    assert refused.json() == {"error": "Rate limit exceeded", "retry_after": 53}
    assert refused.headers["retry-after"] == "53"
    assert refused.headers["cache-control"] == "no-store"
    assert int(refused.headers["content-length"]) == len(refused.body)
    assert refused.environ["sluicegate.refusal"].retry_after == 53
    assert refused.environ["sluicegate.decision"].remaining == 0
    clock.advance(52)
    assert statuses(app, 1) == [429]
    clock.advance(1)
    assert statuses(app, 1) == [200]


def test_a_refusal_of_a_head_request_has_no_body() -> None:
    app = RateLimitMiddleware(hello, tiers={"free": "1/hour"})
    get(app)
    refused = get(app, method="HEAD")
    assert (refused.status, refused.body) == (429, b"")
    assert refused.headers["retry-after"]


def test_functions_get_the_environ() -> None:
    seen: list[Any] = []

    def note(answer: Any) -> Any:
        return lambda environ: seen.append(environ) or answer

    app = RateLimitMiddleware(
        hello,
        limiter=Gate("1/hour; 3/day", name="g"),
        identify=note("a"),
        cost=note(1),
        exempt=note(False),
        tier=note(None),
        endpoint=note("home"),
        hooks=[Hook()],
    )
    answer = get(app)
    assert len(seen) == 4  # an admission is nobody's business
    assert get(app).status == 429
    assert len(seen) == 4 + 5
    assert all(type(each) is dict and each["REQUEST_METHOD"] == "GET" for each in seen)
    assert seen[0] is answer.environ


class Hook:
    def on_refused(self, details: Any) -> None:
        assert details.endpoint == "home"


def test_whose_an_api_key_is_stands_in_the_environ() -> None:
    app = RateLimitMiddleware(hello, {"free": "1/hour"}, verify=lambda key: Principal("ann"))
    answer = get(app, headers=[("X-API-Key", "sk")])
    assert answer.environ["sluicegate.principal"] == Principal("ann")
    assert "sluicegate.principal" not in get(app).environ


def test_one_whom_the_server_has_named_is_known_and_a_header_names_nobody() -> None:
    app = RateLimitMiddleware(hello, {"free": "1/hour"})
    assert statuses(app, 2, REMOTE_USER="ann") == [200, 429]
    assert statuses(app, 1, REMOTE_USER="bob") == [200]
    assert statuses(app, 1, REMOTE_USER="") == [200]  # the address
    assert [get(app, headers=[("Remote-User", name)]).status for name in "xyz"] == [429] * 3


@pytest.mark.parametrize("peer", [None, ""])
def test_without_an_address_all_share_one_limit(peer: Any, caplog: Any) -> None:
    app = RateLimitMiddleware(hello, {"free": "1/hour"})
    assert statuses(app, 2, peer=peer) == [200, 429]
    assert "came without an IP address" in caplog.text
    trusting = RateLimitMiddleware(hello, {"free": "1/hour"}, trusted_proxies=["unix"])
    for address in ("203.0.113.1", "203.0.113.2"):
        headers = [("X-Forwarded-For", address)]
        assert statuses(trusting, 2, peer=peer, headers=headers) == [200, 429]


def test_ten_thousand_forged_addresses_are_one_client() -> None:
    app = RateLimitMiddleware(hello, {"free": "5/hour"})
    passed = 0
    for number in range(1_000):
        address = f"10.0.{number // 256}.{number % 256}"
        headers = [("X-Forwarded-For", address), ("Forwarded", f"for={address}")]
        passed += call(app, environ_of(headers=headers)).status == 200
    assert passed == 5


def test_lines_of_one_header_that_a_server_has_joined() -> None:
    app = RateLimitMiddleware(hello, {"free": "1/hour"}, trusted_proxies=["192.0.2.0/24"])
    two = [("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-For", "203.0.113.1, 192.0.2.9")]
    assert statuses(app, 2, headers=two) == [200, 429]
    assert statuses(app, 1, peer="203.0.113.1") == [429]
    assert statuses(app, 1, peer="6.6.6.6") == [200]


@pytest.mark.parametrize("option", ["api_key_header", "proxy_header"])
def test_a_header_with_an_underscore_cannot_be_told_from_another(option: str) -> None:
    options = {"verify": lambda key: key, "trusted_proxies": 1, option: "x_my_header"}
    with pytest.raises(ValueError, match=f"{option} must have no '_' in WSGI.*'x-my-header'"):
        RateLimitMiddleware(hello, {"free": "1/hour"}, **options)


def test_paths_are_text_below_the_root() -> None:
    app = RateLimitMiddleware(hello, {"free": "1/hour"}, exempt=["/é", "/files/*"])
    get(app)
    free = ["/é".encode().decode("latin-1"), "/files/a", "/files//a"]
    assert [get(app, path).status for path in free] == [200] * 3
    assert [get(app, path, SCRIPT_NAME="/app").status for path in free] == [200] * 3
    utf_8 = "é".encode().decode("latin-1")
    limited = [
        "/\xe9",
        "/\xff",
        f"//{utf_8}",
        f"/{utf_8}/",
        "/files/../a",
        "/filesa",
        "/app/files/a",
    ]
    assert [call(app, environ_of(path)).status for path in limited] == [429] * len(limited)
    assert get(app, "/a", SCRIPT_NAME="/files").status == 429
    assert call(app, environ_of("files/a")).status == 200  # as frameworks route it
    assert call(app, environ_of("")).status == 429


def test_a_bytes_path_that_is_text_already_harms_nobody() -> None:
    app = RateLimitMiddleware(hello, {"free": "2/hour"}, exempt=["/\u20ac"])
    assert call(app, environ_of("/\u20ac")).status == 200
    assert "sluicegate.decision" not in call(app, environ_of("/\u20ac")).environ


@pytest.mark.parametrize("shape", ["wsgi", "wsgi object", "asgi", "starlette", "partial"])
def test_a_refusal_of_ones_own_of_either_sort(shape: str) -> None:
    def teapot(environ: Any, start_response: Any) -> list[bytes]:
        refusal = environ["sluicegate.refusal"]
        start_response("418 I'm a Teapot", [("Retry-After", "7"), ("X-Policy", refusal.policy)])
        return [b"short and stout"]

    async def of_asgi(scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["body"] == b""
        headers = [
            (b"Retry-After", b"7"),
            (b"x-policy", scope["sluicegate.refusal"].policy.encode()),
        ]
        await send({"type": "http.response.start", "status": 418, "headers": headers})
        await send({"type": "http.response.body", "body": b"short and ", "more_body": True})
        await send({"type": "http.response.body", "body": b"stout"})

    class Teapot:
        def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
            return teapot(environ, start_response)

    refusals: dict[str, Any] = {
        "wsgi": teapot,
        "wsgi object": Teapot(),
        "asgi": of_asgi,
        "starlette": JSONResponse("no", 418, headers={"retry-after": "7", "x-policy": "free"}),
        "partial": lambda scope, receive, send: of_asgi(scope, receive, send),
    }
    app = RateLimitMiddleware(hello, {"free": "1/hour"}, refusal=refusals[shape])
    get(app)
    refused = call(app, environ_of())
    assert refused.status == 418
    assert refused.body == (b'"no"' if shape == "starlette" else b"short and stout")
    assert refused.headers["x-policy"] == "free"
    assert [value for name, value in refused.sent if name.lower() == "retry-after"] == ["7"]
    assert refused.headers["x-ratelimit-remaining"] == "0"


def test_a_status_that_http_does_not_know(clock: ManualClock) -> None:
    app = RateLimitMiddleware(
        hello,
        {"free": "1/hour"},
        redis="redis://127.0.0.1:1",
        on_error="closed",
        closed_status=555,
        timeout=0.01,
    )
    assert get(app).status == 555


def test_an_asgi_refusal_that_waits_is_an_error() -> None:
    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await Never()

    class Never:
        def __await__(self) -> Any:
            yield

    app = RateLimitMiddleware(hello, {"free": "1/hour"}, refusal=slow)
    get(app)
    with pytest.raises(RuntimeError, match="waited, where nobody runs an event loop"):
        call(app, environ_of())


async def is_async(_: Any) -> Any: ...


@pytest.mark.parametrize("option", ["identify", "tier", "cost", "exempt", "verify"])
def test_coroutine_functions_are_refused_when_it_is_made(option: str) -> None:
    limits: dict[str, Any] = {"tiers": {"free": "1/hour"}, option: is_async}
    expected = f"{option} must be a plain function here, got the coroutine function .*is_async"
    with pytest.raises(TypeError, match=expected):
        RateLimitMiddleware(hello, **limits)
    with pytest.raises(TypeError, match=expected):
        RateLimitMiddleware(hello, policy=Policy(**limits))


def test_also_those_behind_verified_keys_and_of_keys() -> None:
    with pytest.raises(TypeError, match="verify must be a plain function"):
        RateLimitMiddleware(hello, {"free": "1/hour"}, verify=VerifiedKeys(is_async))
    from sluicegate import Limit

    gate = Gate([Limit("1/hour", by="client"), Limit("1/hour", by="org")])
    with pytest.raises(TypeError, match=r"keys\['org'\] must be a plain function"):
        RateLimitMiddleware(hello, limiter=gate, keys={"org": is_async})


def test_a_plain_function_that_gives_a_coroutine_is_an_error() -> None:
    app = RateLimitMiddleware(hello, {"free": "1/hour"}, tier=lambda environ: is_async(environ))
    with pytest.raises(TypeError, match="must return its answer here, where nobody can await it"):
        call(app, environ_of())
    keys = RateLimitMiddleware(hello, {"free": "1/hour"}, verify=lambda key: is_async(key))
    with pytest.raises(
        TypeError, match="must be a coroutine function if what it returns is awaited"
    ):
        call(keys, environ_of(headers=[("x-api-key", "a")]))


class OnlyAwaited:
    limit, window_seconds = 1, 60.0

    async def check(self, key: str, cost: int = 1) -> Any: ...

    async def peek(self, key: str, cost: int = 1) -> Any: ...


def test_a_limiter_that_can_only_be_awaited_is_refused() -> None:
    expected = "OnlyAwaited.check is a coroutine function, which nobody can await in WSGI"
    with pytest.raises(TypeError, match=expected):
        RateLimitMiddleware(hello, limiter=OnlyAwaited())
    with pytest.raises(TypeError, match=expected):
        RateLimitMiddleware(hello, tiers={"free": OnlyAwaited()})


def test_one_of_ones_own_may_have_both() -> None:
    inner = FixedWindow(1, 3600)

    class Both(OnlyAwaited):
        check_sync = staticmethod(inner.check)
        peek_sync = staticmethod(inner.peek)

    class Plain:
        limit, window_seconds = 1, 3600.0
        check, peek = inner.check, inner.peek

    assert statuses(RateLimitMiddleware(hello, limiter=Both()), 2) == [200, 429]
    assert statuses(RateLimitMiddleware(hello, limiter=Plain()), 1, peer="8.8.8.8") == [200]


def test_a_subclass_that_decides_otherwise_is_asked_as_it_decides() -> None:
    class Never(FixedWindow):
        def check(self, key: str, cost: int = 1, **more: Any) -> Any:
            return super().check(key, cost + 5)

    app = RateLimitMiddleware(hello, limiter=Never(7, 3600))
    assert statuses(app, 2) == [200, 429]


@pytest.mark.parametrize(
    ("options", "kind", "text"),
    [
        ({"messages": "1/second", "tiers": {"a": "1/hour"}}, TypeError, "messages= means nothing"),
        ({"policy": Policy({"a": "1/hour"}), "shadow": True}, TypeError, "leave out shadow="),
        ({"policy": 3}, TypeError, "policy must be a Policy"),
        ({}, TypeError, "a policy needs tiers="),
        ({"tiers": {"a": "1/hour"}, "refusal": 3}, TypeError, "refusal must be callable"),
    ],
)
def test_wrong_options_are_named(options: Any, kind: Any, text: str) -> None:
    with pytest.raises(kind, match=text):
        RateLimitMiddleware(hello, **options)


def test_a_policy_of_asgis_may_limit_messages_there() -> None:
    policy = Policy({"free": "1/hour"}, messages="1/second")
    assert statuses(RateLimitMiddleware(hello, policy=policy), 2) == [200, 429]


@pytest.mark.parametrize("app", [None, is_async])
def test_an_app_that_is_none_of_wsgi(app: Any) -> None:
    with pytest.raises(TypeError, match="app must be a WSGI app, got"):
        RateLimitMiddleware(app, {"free": "1/hour"})


def test_exceptions_of_functions_are_the_callers() -> None:
    def fail(environ: Any) -> Any:
        raise LookupError("no")

    app = RateLimitMiddleware(hello, {"free": "1/hour"}, tier=fail)
    with pytest.raises(LookupError, match="no"):
        call(app, environ_of())


def test_no_framework_is_imported() -> None:
    program = (
        "import sys, sluicegate.wsgi\n"
        "sluicegate.wsgi.RateLimitMiddleware(lambda e, s: [], {'free': '1/hour'})\n"
        "known = {'flask', 'werkzeug', 'django', 'starlette', 'fastapi', 'redis'}\n"
        "print(sorted(known & sys.modules.keys()))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, text=True
    )
    assert run.stdout.strip() == "[]"
