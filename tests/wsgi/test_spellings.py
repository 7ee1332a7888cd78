"""Other spellings of a limited path, under Flask and under Django: what reaches a view was limited."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import unquote_to_bytes

import flask
import pytest
from django.http import HttpResponse
from django.urls import path, re_path

from django_site import site
from sluicegate.policy import Rule
from sluicegate.wsgi import RateLimitMiddleware
from wsgi_calls import call, environ_of

#: As they stand in a request's first line, with the method; and what a server adds.
SPELLINGS: list[tuple[str, dict[str, Any]]] = [
    ("POST /login", {}),
    ("post /login", {}),
    ("Post /login/", {}),
    ("POST //login", {}),
    ("POST ///login", {}),
    ("POST //login//", {}),
    ("POST /login/", {}),
    ("POST /login//", {}),
    ("POST /%6cogin", {}),
    ("POST /%6C%6F%67%69%6E", {}),
    ("POST %2Flogin", {}),
    ("POST /%2Flogin", {}),
    ("POST /login%2F", {}),
    ("POST /login%2f%2f", {}),
    ("POST login", {}),
    ("POST /./login", {}),
    ("POST /x/../login", {}),
    ("POST /login/.", {}),
    ("POST /login/..", {}),
    ("POST /login/../login", {}),
    ("POST /LOGIN", {}),
    ("POST /login%20", {}),
    ("POST /login%00", {}),
    ("POST /login%0A", {}),
    ("POST /login%0D%0A", {}),
    ("POST /login;a=b", {}),
    ("POST /login%3Fa=b", {}),
    ("POST /login?a=/static/x", {}),
    ("POST /login#a", {}),
    ("POST /login%23a", {}),
    ("POST /%5Clogin", {}),
    ("POST /login%5C", {}),
    ("POST /lo%C3%A9gin", {}),
    ("POST /%EF%BC%8Flogin", {}),
    ("POST /login%FF", {}),
    ("POST /%C0%AFlogin", {}),
    ("POST /static/../login", {}),
    ("POST /static//../login", {}),
    ("POST /static/%2e%2e/login", {}),
    ("POST /login", {"SCRIPT_NAME": "/app"}),
    ("POST //login/", {"SCRIPT_NAME": "/app/"}),
    ("POST login", {"SCRIPT_NAME": "/app"}),
    ("POST /login", {"SCRIPT_NAME": "/static"}),
    ("POST /login", {"SCRIPT_NAME": "/login"}),
    ("POST ", {"SCRIPT_NAME": "/login"}),
    ("POST /login", {"SCRIPT_NAME": "\xff"}),
    ("POST /users/ann", {}),
    ("POST /users/ann/", {}),
    ("POST /users//ann", {}),
    ("POST //users///ann//", {}),
    ("POST /users/a%2Fb", {}),
    ("POST /users/..", {}),
    ("POST /users/.", {}),
    ("POST /users/%2e%2e/login", {}),
    ("POST /users/%FF", {}),
    ("POST /users/%E2%82%AC", {}),
    ("POST /users/%20", {}),
    ("POST /users/ann;x", {}),
    ("HEAD /users/ann", {}),
    ("POST /files/", {}),
    ("POST /files", {}),
    ("POST /files//", {}),
    ("POST /files/../static/x", {}),
    ("POST //files/%FF/%2F/x", {}),
]
RULES = [
    Rule("/static/*", exempt=True),
    Rule("POST|GET /login", "1/hour", by="all", name="logins"),
    Rule("/users/{id}", "1/hour", by="all", name="users"),
    Rule("/files/*", "1/hour", by="all", name="files"),
]
#: Paths by which the quotas are spent before.
SPENDING = ("/login", "/users/x", "/files/x")


def in_flask(reached: Callable[[], None]) -> Any:
    app = flask.Flask(__name__, static_folder=None)

    def view(**_: Any) -> str:
        reached()
        return ""

    options: dict[str, Any] = {"methods": ["GET", "POST"], "strict_slashes": False}
    app.add_url_rule("/login", "login", view, **options)
    app.add_url_rule("/users/<name>", "user", view, **options)
    app.add_url_rule("/files/<path:rest>", "file", view, **options)
    app.add_url_rule("/files/", "files", view, **options)
    return app


def in_django(reached: Callable[[], None]) -> Any:
    def view(request: Any, *_: Any, **__: Any) -> HttpResponse:
        reached()
        return HttpResponse()

    return site(
        path("login", view),
        path("login/", view),
        re_path("^/*login/*$", view),
        re_path("^/*users/+(?P<name>[^/]+)/*$", view),
        re_path("^/*files(/.*)?$", view),
    )


def ask(app: Any, path: str, options: dict[str, Any]) -> None:
    with suppress(UnicodeDecodeError):  # of Django, for where it is mounted
        call(app, environ_of(path, **options))


@pytest.mark.parametrize("framework", [in_flask, in_django])
def test_whatever_reaches_a_view_was_limited(framework: Any) -> None:
    views: list[str] = []
    of_views: list[str] = []
    for spelling, more in SPELLINGS:
        method, _, target = spelling.partition(" ")
        where, _, query = target.partition("?")
        options: dict[str, Any] = {**more, "method": method, "QUERY_STRING": query}
        sent = unquote_to_bytes(where).decode("latin-1")
        app = framework(lambda spelling=spelling: of_views.append(spelling))
        ask(app, sent, options)  # would it reach one?
        app = framework(lambda spelling=spelling: views.append(spelling))
        limited = RateLimitMiddleware(app, rules=RULES, exempt=["/static/*"])
        for spent in SPENDING:
            call(limited, environ_of(spent, method="POST"))
        assert len(views) == len(SPENDING)
        ask(limited, sent, options)
        assert len(views) == len(SPENDING), spelling
        views.clear()
    assert len(SPELLINGS) >= 35
    assert len(set(of_views)) >= 20, "too few of them reach a view at all"
