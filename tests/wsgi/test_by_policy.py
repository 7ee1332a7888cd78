"""``rate_limit(policy=...)``: a policy's rules at views that no middleware limits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import flask
import pytest
from django.http import Http404, HttpResponse
from django.urls import path

from django_site import site
from sluicegate import ManualClock
from sluicegate.policy import Policy, Rule
from sluicegate.wsgi import RateLimitMiddleware, problem_refusal, rate_limit
from wsgi_calls import call, environ_of, get


def in_flask(*limits: Any) -> Any:
    app = flask.Flask(__name__)

    def view(status: str) -> Any:
        if status == "raise":
            raise LookupError
        if status >= "400":
            flask.abort(int(status))
        return "", int(status)

    app.add_url_rule("/login/<status>", "login", limited(view, limits), methods=["GET", "POST"])
    app.add_url_rule("/open", "open", lambda: "")
    return app


def in_django(*limits: Any) -> Any:
    def view(request: Any, status: str) -> HttpResponse:
        if status == "raise":
            raise LookupError
        if status == "404":
            raise Http404
        return HttpResponse(status=int(status))

    patterns = [
        path("login/<status>", limited(view, limits)),
        path("open", lambda _: HttpResponse()),
    ]
    return site(*patterns)


def plainly(*limits: Any) -> Any:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        status = environ["PATH_INFO"].rpartition("/")[2]
        if status == "raise":
            raise LookupError
        start_response(f"{status} So", [("Content-Type", "text/plain")])
        return []

    guarded = limited(app, limits)

    def routed(environ: Any, start_response: Any) -> Any:
        if environ["PATH_INFO"] == "/open":
            start_response("200 OK", [("Content-Type", "text/plain")])
            return []
        return guarded(environ, start_response)

    return routed


def limited(view: Any, limits: tuple[Any, ...]) -> Any:
    for limit in reversed(limits):
        view = limit(view)
    return view


@pytest.fixture(params=[in_flask, in_django, plainly])
def made(request: pytest.FixtureRequest) -> Callable[..., Any]:
    return request.param  # type: ignore[no-any-return]


def asked(app: Any, *statuses: str) -> list[int]:
    return [call(app, environ_of(f"/login/{each}", method="POST")).status for each in statuses]


def test_a_view_is_limited_as_by_a_middleware(made: Any, clock: ManualClock) -> None:
    policy = Policy(
        {"free": "9/minute"},
        rules=[Rule("POST /login/{status}", "2/minute", name="login"), Rule("/other", "1/minute")],
        refusal=problem_refusal,
        clock=clock,
    )
    app = made(rate_limit(policy=policy), rate_limit(policy=policy))  # charged once, not twice
    assert [call(app, environ_of("/open")).status for _ in range(12)] == [200] * 12
    first = call(app, environ_of("/login/201", method="POST"))
    assert first.headers["ratelimit"] == '"login/minute";r=1;t=60, "free/minute";r=8;t=60'
    assert first.environ["sluicegate.decision"].remaining == 1
    assert asked(app, "201") == [201]
    refused = call(app, environ_of("/login/201", method="POST"))
    assert (refused.status, refused.headers["retry-after"]) == (429, "60")
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["violated-policies"] == ["login/minute"]
    left = call(app, environ_of("/login/201")).headers["ratelimit"]
    assert left == '"free/minute";r=6;t=60'


def test_it_is_settled_by_what_the_view_answers(made: Any, clock: ManualClock) -> None:
    rule = Rule("/login/*", "3/minute", name="login", counts="failures")
    app = made(rate_limit(policy=Policy(rules=[rule], clock=clock)))
    assert asked(app, *["201"] * 9) == [201] * 9
    assert asked(app, "404", "404", "404", "404") == [404, 404, 404, 429]
    clock.advance(60)
    got = []
    for _ in range(4):
        try:
            got += asked(app, "raise")
        except LookupError:
            got.append(500)
    assert got == [500, 500, 500, 429]


def test_a_generator_that_fails_late_has_failed(clock: ManualClock) -> None:
    rule = Rule("/", "1/minute", counts="failures")

    @rate_limit(policy=Policy(rules=[rule], clock=clock))
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        raise LookupError
        yield b""

    with pytest.raises(LookupError):
        call(app, environ_of())
    assert call(app, environ_of()).status == 429


def test_it_is_held(made: Any, clock: ManualClock) -> None:
    policy = Policy(rules=[Rule("*", "1/second", delay=5)], clock=clock)
    app = made(rate_limit(policy=policy))
    answers = [call(app, environ_of("/login/200")) for _ in range(3)]
    assert [answer.environ["sluicegate.delay"] for answer in answers] == [0, 1, 2]


def test_a_middleware_of_the_policy_has_limited_it_already(made: Any, clock: ManualClock) -> None:
    policy = Policy(rules=[Rule("*", "5/minute", name="all")], clock=clock)
    app = RateLimitMiddleware(made(rate_limit(policy=policy)), policy=policy)
    answers = [get(app, "/login/200") for _ in range(2)]
    assert [answer.headers["x-ratelimit-remaining"] for answer in answers] == ["4", "3"]


def test_behind_another_middleware_it_gives_back(made: Any, clock: ManualClock) -> None:
    outer = Policy(rules=[Rule("*", "9/minute", name="outer")], clock=clock)
    inner = Policy(rules=[Rule("*", "1/minute", name="inner")], clock=clock)
    app = RateLimitMiddleware(made(rate_limit(policy=inner)), policy=outer)
    answers = [get(app, "/login/200") for _ in range(4)]
    assert [answer.status for answer in answers] == [200, 429, 429, 429]
    assert get(app, "/open").headers["ratelimit"] == '"outer/minute";r=7;t=60'


def test_in_shadow_it_refuses_nobody(made: Any, clock: ManualClock) -> None:
    policy = Policy(rules=[Rule("*", "1/minute")], shadow=True, clock=clock)
    assert asked(made(rate_limit(policy=policy)), *["200"] * 3) == [200] * 3


def test_one_who_has_logged_in_to_django_is_whom_it_limits(clock: ManualClock) -> None:
    policy = Policy({"free": "1/minute"}, clock=clock)
    app = in_django(rate_limit(policy=policy))
    for name in ("ann", "bob"):
        headers = [("X-Login", name)]
        got = [call(app, environ_of("/login/200", headers=headers)).status for _ in range(2)]
        assert got == [200, 429]


async def later(_: Any) -> Any: ...


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        (Policy({"a": "1/minute"}, messages="1/second"), "messages= means nothing at an endpoint"),
        (Policy({"a": "1/minute"}, concurrency=5), "concurrency= gives permits, and only the"),
        (Policy({"a": "1/minute"}, tier=later), "tier must be a plain function here"),
        ("limits", "policy must be a Policy, got 'limits'"),
    ],
)
def test_a_policy_that_cannot_be_enforced(policy: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        rate_limit(policy=policy)


def test_it_stands_for_all_other_options() -> None:
    policy = Policy(rules=[Rule("*", "1/minute")])
    with pytest.raises(TypeError, match="leave out limit="):
        rate_limit("1/minute", policy=policy)
    with pytest.raises(TypeError, match="missing limit, a quota such as"):
        rate_limit()
