"""A limited path by any other spelling: whatever reaches its handler under Starlette was limited."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from asgi_calls import get
from sluicegate.asgi import RateLimitMiddleware
from sluicegate.policy import Policy, Rule


def rules(quota: str) -> list[Rule]:
    return [
        Rule("/health/*", exempt=True),
        Rule("POST /login", quota, name="login"),
        Rule("GET /users/{id}/reset", quota, by="path:id", name="reset"),
        Rule("/api/login", quota, name="api"),
        Rule("/files/*", quota, name="files"),
        Rule("POST /sub/login", quota, name="sub"),
    ]


#: As a client sends them.
TARGETS = [
    "/login",
    "/login/",
    "//login",
    "///login//",
    "/%6Cogin",
    "/%6cog%69n",
    "/%2Flogin",
    "%2Flogin",
    "/login%2F",
    "/./login",
    "/login/.",
    "/x/../login",
    "/x/%2e%2e/login",
    "/../login",
    "/health/../login",
    "/health/..%2flogin",
    "/health/%2E%2E%2flogin",
    "/login%00",
    "/login%0A",
    "/login%0a%0a",
    "/login%20",
    "/%20login",
    "/login%3Fx=1",
    "/login;x=1",
    "/login%23",
    "/LOGIN",
    "/Login",
    "/lo%C2%ADgin",
    "/%EF%BC%8Flogin",
    "/log\u0131n",
    "/l%FFogin",
    "/app/login",
    "/app//login",
    "/app/../login",
    "/app/app/login",
    "/app%2Flogin",
    "/apple/login",
    "/appl/ogin",
    "/api/login",
    "/api//login",
    "/api/./login",
    "/api/%6Cogin",
    "/api%2flogin",
    "/api/../login",
    "/api/login/",
    "/api/login%0A",
    "/users/1/reset",
    "/users/1/reset%0A",
    "/users/1%2F../reset",
    "/users//1/reset",
    "/users/%31/reset/",
    "/users/../users/1/reset",
    "/files/a",
    "/files//a",
    "/files/../files/a",
    "/files/%2e%2e/a",
    "/health/../files/a",
    "/files",
    "/files/",
    "/sub/login",
    "/sub//login",
    "/sub/login%0A",
    "/sub/../sub/login",
]
METHODS = ["GET", "POST", "HEAD", "post", "Get"]
ROOTS = ["", "/app"]


def app_of(*middleware: Middleware, inner: Any = ()) -> tuple[Starlette, list[Any]]:
    """Handlers note each request that reaches them."""
    reached: list[Any] = []

    async def handler(request: Any) -> PlainTextResponse:
        reached.append(request.scope)
        return PlainTextResponse("secret")

    routes = [
        Route("/login", handler, methods=["POST"]),
        Route("/users/{id}/reset", handler),
        Route("/files/{path:path}", handler, methods=["GET", "POST"]),
        Mount("/api", routes=[Route("/login", handler, methods=["GET", "POST"])]),
        Mount(
            "/sub",
            app=Starlette(
                routes=[Route("/login", handler, methods=["POST"])],
                middleware=inner,
            ),
        ),
        Route("/health/{rest:path}", lambda request: PlainTextResponse("ok")),
    ]
    return Starlette(routes=routes, middleware=middleware), reached


def targets(root: str) -> list[str]:
    """Those that are below the root path, as proxies pass them on, and those that are not."""
    return TARGETS if not root else [*TARGETS, *(root + target for target in TARGETS)]


def ask(app: Any, root: str, method: str, target: str) -> int:
    path = unquote(target)
    more: dict[str, Any] = {"method": method, "root_path": root, "raw_path": target.encode()}
    try:
        return get(app, path, **more).status
    except AssertionError:  # of Starlette's redirection, where a path is no text
        return 0


@pytest.mark.parametrize("root", ROOTS)
def test_whatever_reaches_a_handler_was_limited(root: str) -> None:
    policy = Policy(rules=rules("1000/hour"))
    app, reached = app_of(Middleware(RateLimitMiddleware, policy=policy))
    for method in METHODS:
        for target in targets(root):
            before = len(reached)
            ask(app, root, method, target)
            for scope in reached[before:]:
                decision = scope.get("sluicegate.decision")
                assert decision is not None, (root, method, target)
                assert decision.limits, (root, method, target)
    # All handlers are among them.
    names = {name for scope in reached for name in scope["sluicegate.decision"].limits}
    assert names == {f"{name}/hour" for name in ("login", "reset", "api", "files", "sub")}


@pytest.mark.parametrize("root", ROOTS)
def test_no_spelling_gets_a_second_quota(root: str) -> None:
    """Each handler is reached once at most, however many spellings there are."""
    policy = Policy(rules=[rule for rule in rules("1/hour") if rule.name != "reset"])
    app, reached = app_of(Middleware(RateLimitMiddleware, policy=policy))
    for method in METHODS:
        for target in targets(root):
            if "/users" not in target:
                ask(app, root, method, target)
    counts: dict[str, int] = {}
    for scope in reached:
        for name in scope["sluicegate.decision"].limits:
            counts[name] = counts.get(name, 0) + 1
    assert set(counts.values()) == {1}


def test_within_a_mounted_app_paths_are_below_the_mount() -> None:
    policy = Policy(rules=[Rule("POST /login", "1/hour", name="login")])
    app, reached = app_of(inner=[Middleware(RateLimitMiddleware, policy=policy)])
    for root in ROOTS:
        for method in METHODS:
            for target in TARGETS:
                before = len(reached)
                ask(app, root, method, f"/sub{target}")
                assert all("sluicegate.decision" in scope for scope in reached[before:])
    inside = [scope for scope in reached if scope["root_path"].endswith("/sub")]
    assert len(inside) == 1


def test_how_many() -> None:
    assert len(TARGETS) >= 35
