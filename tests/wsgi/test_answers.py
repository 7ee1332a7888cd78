"""What is between an app and its server: ``start_response``, the body, and the end of it."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from typing import Any
from wsgiref.util import FileWrapper
from wsgiref.validate import validator

import pytest

from sluicegate import ConcurrencyLimiter, FixedWindow, Gate, Limit
from sluicegate.policy import Policy
from sluicegate.wsgi import RateLimitMiddleware
from wsgi_calls import call, environ_of, get, hello, statuses

OK = "200 OK"
PLAIN = [("Content-Type", "text/plain")]


def limited(app: Any, quota: str = "5/hour", **options: Any) -> RateLimitMiddleware:
    return RateLimitMiddleware(app, {"free": quota}, **options)


def test_the_write_of_the_server_is_handed_on() -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        write = start_response(OK, PLAIN)
        write(b"hel")
        write(b"lo")
        return [b"!"]

    assert get(limited(validator(app))).body == b"hello!"


def test_an_answer_that_begins_late_has_its_fields_once() -> None:
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response(OK, PLAIN)
        yield b"hello"

    answer = get(limited(app))
    assert answer.headers["x-ratelimit-remaining"] == "4"
    assert answer.body == b"hello"


def test_an_error_replaces_an_answer_that_has_begun() -> None:
    seen: list[Any] = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response(OK, PLAIN)
        try:
            raise ValueError("late")
        except ValueError:
            start_response("500 Oops", [*PLAIN, ("X-RateLimit-Limit", "9")], sys.exc_info())
        return [b"sorry"]

    def server(environ: Any, start_response: Any) -> Any:
        def noting(status: str, headers: Any, exc_info: Any = None) -> Any:
            seen.append((status, dict(headers), exc_info and exc_info[0]))
            return start_response(status, headers, exc_info)

        return limited(app)(environ, noting)

    answer = get(server)
    (first, fields, no), (second, own, error) = seen
    assert (first, no, second, error) == (OK, None, "500 Oops", ValueError)
    assert fields["x-ratelimit-limit"] == "5"
    assert own["X-RateLimit-Limit"] == "9"
    assert "x-ratelimit-limit" not in own, "the app's own stands"
    assert own["ratelimit"] == fields["ratelimit"]
    assert answer.status == 500


def test_the_exception_of_a_server_that_has_sent_already_is_raised() -> None:
    def app(environ: Any, start_response: Any) -> Any:
        start_response(OK, PLAIN)
        try:
            raise ValueError("late")
        except ValueError:
            start_response("500 Oops", PLAIN, sys.exc_info())

    def start_response(status: str, headers: Any, exc_info: Any = None) -> None:
        if exc_info:
            raise exc_info[1].with_traceback(exc_info[2])

    with pytest.raises(ValueError, match="late"):
        limited(app)(environ_of(), start_response)


def test_fields_of_one_name_stay_several() -> None:
    own = [("Set-Cookie", "a=1"), ("Set-Cookie", "b=ü"), ("Vary", "Cookie"), *PLAIN]

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response(OK, own)
        return []

    before = [*own]
    for headers in ([], [("Origin", "https://a.example")]):
        answer = get(limited(app, cors="*"), headers=headers)
        assert answer.sent[:4] == own
        assert all(type(name) is type(value) is str for name, value in answer.sent)
    assert own == before, "the app's list is the app's"
    assert "x-ratelimit-limit" in answer.headers["access-control-expose-headers"]


@pytest.mark.parametrize("status", ["301 Moved", "304 Not Modified"])
def test_a_redirection_tells_of_no_quota(status: str) -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response(status, [])
        return []

    assert call(limited(app), environ_of()).sent == []


class Body:
    """Counts what is done to it."""

    def __init__(self, parts: list[bytes], fails: bool = False) -> None:
        self.parts, self.fails = parts, fails
        self.closed = self.begun = 0

    def __iter__(self) -> Iterator[bytes]:
        self.begun += 1
        yield from self.parts
        if self.fails:
            raise OSError("gone")

    def close(self) -> None:
        self.closed += 1
        if self.fails:
            raise OSError("not closed")


def returning(body: Any) -> Any:
    def app(environ: Any, start_response: Any) -> Any:
        start_response(OK, PLAIN)
        return body

    return app


@pytest.mark.parametrize("body", [[b"a"], (b"a",), Body([b"a"]), FileWrapper(io.BytesIO(b"a"))])
def test_with_nothing_to_release_the_body_is_the_apps_own(body: Any) -> None:
    """So a server sends a file as it knows how to."""
    given = limited(returning(body))(environ_of(), lambda *_: None)
    assert given is body
    free = limited(returning(body), concurrency=1, exempt=["/"])
    assert free(environ_of(), lambda *_: None) is body


def nothing(*_: Any) -> None: ...


def holding(of: str, app: Any) -> tuple[RateLimitMiddleware, Any]:
    """A middleware with one permit for each client, and how many are in use."""
    if of == "concurrency":
        permits = ConcurrencyLimiter(1)
        in_use: Any = permits.in_use
        return limited(app, "100/hour", concurrency=permits), lambda: in_use("ip:192.0.2.1")
    gate = Gate([Limit("1 concurrent", by="client"), Limit("100/hour", by="client")])
    peeked = lambda: int(not gate.peek("ip:192.0.2.1"))  # noqa: E731
    return RateLimitMiddleware(app, limiter=gate), peeked


@pytest.fixture(params=["concurrency", "a gate"])
def of(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_permit_is_held_until_the_server_closes_the_answer(of: str) -> None:
    inner = Body([b"a", b"b"])
    app, in_use = holding(of, returning(inner))
    body = app(environ_of(), nothing)
    assert in_use() == 1
    assert call(app, environ_of()).status == 429
    assert list(body) == [b"a", b"b"]
    assert (in_use(), inner.closed) == (1, 0)
    body.close()  # type: ignore[attr-defined]
    assert (in_use(), inner.closed) == (0, 1)
    body.close()  # type: ignore[attr-defined]
    assert statuses(app, 3) == [200] * 3


def test_also_when_the_server_never_looks_at_it(of: str) -> None:
    inner = Body([b"a"])
    app, in_use = holding(of, returning(inner))
    body: Any = app(environ_of(), nothing)
    body.close()
    assert (in_use(), inner.begun, inner.closed) == (0, 0, 1)


def test_also_when_the_body_and_its_end_fail(of: str) -> None:
    app, in_use = holding(of, returning(Body([b"a"], fails=True)))
    with pytest.raises(OSError, match="not closed"):
        call(app, environ_of())
    assert in_use() == 0


def test_also_when_the_app_fails(of: str) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        raise SystemExit

    middleware, in_use = holding(of, app)
    with pytest.raises(SystemExit):
        call(middleware, environ_of())
    assert in_use() == 0


def test_a_generator_holds_it_until_its_end(of: str) -> None:
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response(OK, PLAIN)
        yield str(in_use()).encode()

    middleware, in_use = holding(of, app)
    assert get(middleware).body == b"1"
    assert in_use() == 0


def test_a_body_of_known_length_stays_one(of: str) -> None:
    app, _ = holding(of, hello)
    body: Any = app(environ_of(), nothing)
    assert len(body) == 1
    body.close()
    lazy, _ = holding(of, returning(Body([b"a"])))
    assert not hasattr(lazy(environ_of(), nothing), "__len__")


def test_a_refused_request_holds_nothing(of: str) -> None:
    app, in_use = holding(of, returning([]))
    first: Any = app(environ_of(), nothing)
    refused = app(environ_of(), nothing)
    assert not hasattr(refused, "close")
    assert in_use() == 1
    first.close()
    assert in_use() == 0


def test_a_later_refusal_gives_back_what_an_earlier_limit_has_spent() -> None:
    outer, inner = FixedWindow(10, 3600), FixedWindow(1, 3600)
    gate = Gate("10/hour")
    app = RateLimitMiddleware(
        RateLimitMiddleware(RateLimitMiddleware(hello, limiter=inner, name="in"), limiter=gate),
        limiter=outer,
        name="out",
    )
    answers = [get(app) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 429, 429]
    assert outer.peek("ip:192.0.2.1").remaining == 9
    assert gate.peek("ip:192.0.2.1").remaining == 9
    told = answers[-1].headers["ratelimit"]
    assert [each.split(";")[0] for each in told.split(", ")] == ['"key/hour"', '"in"', '"out"']
    assert answers[-1].environ["sluicegate.refusal"].policy == "in"


def lazily(app: Any) -> Any:
    """A middleware that calls its app when the server asks for the body."""

    def call_later(environ: Any, start_response: Any) -> Iterator[bytes]:
        yield from app(environ, start_response)

    return call_later


@pytest.mark.parametrize("between", [lambda app: app, lazily])
def test_one_further_in_is_told_of_once_however_late_it_is_asked(between: Any) -> None:
    inner = RateLimitMiddleware(hello, {"in": "1/hour"})
    app = RateLimitMiddleware(between(inner), {"out": "5/hour"})
    answers = [get(app) for _ in range(2)]
    assert [answer.status for answer in answers] == [200, 429]
    for answer in answers:
        names = [name for name, _ in answer.sent]
        assert names.count("ratelimit") == names.count("x-ratelimit-limit") == 1
        assert '"in";' in answer.headers["ratelimit"]
        assert '"out";' in answer.headers["ratelimit"]
        assert answer.headers["x-ratelimit-limit"] == "1"
    assert get(app, peer="192.0.2.2").headers["x-ratelimit-remaining"] == "0"


def test_an_environ_that_is_handed_to_a_second_app_is_a_new_request() -> None:
    def missing(environ: Any, start_response: Any) -> list[bytes]:
        start_response("404 Not Found", PLAIN)
        return [b""]

    def failing(environ: Any, start_response: Any) -> list[bytes]:
        raise ValueError("no")

    spent = FixedWindow(5, 3600)
    first = RateLimitMiddleware(missing, limiter=spent, name="first")
    second = RateLimitMiddleware(hello, {"second": "1/hour"})

    def cascade(environ: Any, start_response: Any) -> Any:
        begun: list[str] = []
        first(environ, lambda status, headers: begun.append(status))
        assert begun == ["404 Not Found"]
        with pytest.raises(ValueError, match="no"):
            RateLimitMiddleware(failing, limiter=spent)(environ, start_response)
        return second(environ, start_response)

    answers = [get(cascade) for _ in range(2)]
    assert [answer.status for answer in answers] == [200, 429]
    assert answers[1].headers["ratelimit"].startswith('"second"')
    assert "first" not in answers[1].headers["ratelimit"]
    assert spent.peek("ip:192.0.2.1").remaining == 1, "nothing of it is given back"


def test_the_outermost_limit_is_still_around_a_second_app() -> None:
    inner = [RateLimitMiddleware(hello, {f"in{number}": "9/hour"}) for number in range(2)]

    def cascade(environ: Any, start_response: Any) -> Any:
        inner[0](environ, nothing)
        return inner[1](environ, start_response)

    told = get(RateLimitMiddleware(cascade, {"out": "9/hour"})).headers["ratelimit"]
    assert {each.split(";")[0] for each in told.split(", ")} >= {'"in1"', '"out"'}


def test_one_policy_twice_in_a_row_counts_twice() -> None:
    policy = Policy({"free": "4/hour"})
    app = RateLimitMiddleware(RateLimitMiddleware(hello, policy=policy), policy=policy)
    assert statuses(app, 3) == [200, 200, 429]
