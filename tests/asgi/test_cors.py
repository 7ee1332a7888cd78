"""Scripts of other origins: preflights, refusals they can read, and the order of middlewares."""

from __future__ import annotations

import http.client
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from asgi_calls import Answer, get, hello
from servers import serving
from sluicegate.asgi import RateLimitMiddleware, problem_refusal
from sluicegate.hooks import Details

APP = "https://app.example"
OTHER = "https://evil.example"
ASKS = [("Origin", APP), ("Access-Control-Request-Method", "GET")]
ORIGIN, EXPOSE = "access-control-allow-origin", "access-control-expose-headers"
LISTED: dict[str, Any] = {"allow_origins": [APP]}
OURS = [
    *("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"),
    *("ratelimit-policy", "ratelimit"),
]


async def root(request: Request) -> PlainTextResponse:
    return PlainTextResponse("fine")


def limited(app: Any = hello, **options: Any) -> Any:
    return RateLimitMiddleware(app, **{"tiers": {"free": (2, 60)}, **options})


def stack(order: str, theirs: dict[str, Any], **options: Any) -> Starlette:
    """An app with both middlewares; ``order`` says which is outside."""
    both = [
        Middleware(RateLimitMiddleware, **{"tiers": {"free": (1, 60)}, **options}),
        Middleware(CORSMiddleware, **theirs),
    ]
    return Starlette(routes=[Route("/", root)], middleware=both if order == "ours" else both[::-1])


def values(answer: Answer, name: str) -> list[str]:
    lines = answer.sent[0]["headers"]
    return [value.decode() for field, value in lines if field.decode().lower() == name]


def exposed(answer: Answer) -> list[str]:
    (line,) = values(answer, EXPOSE)
    return [name.strip().lower() for name in line.split(",")]


def refused(app: Any, origin: str = APP, status: int = 429) -> Answer:
    answers = [get(app, headers=[("Origin", origin)]) for _ in range(3)]
    assert answers[-1].status == status
    return answers[-1]


class Admissions:
    def __init__(self) -> None:
        self.told = 0

    def on_refused(self, details: Details) -> None: ...

    def on_admitted(self, details: Details) -> None:
        self.told += 1


def test_a_preflight_costs_nothing() -> None:
    hook = Admissions()
    app = limited(CORSMiddleware(hello, allow_origins=[APP]), hooks=[hook])
    methods = ["OPTIONS", "GET", "OPTIONS", "GET", "OPTIONS"]
    answers = [get(app, method=method, headers=ASKS) for method in methods]
    assert [answer.status for answer in answers] == [200] * 5
    assert "ratelimit" not in answers[0].headers
    assert get(app).status == 429
    assert hook.told == 2


@pytest.mark.parametrize(
    ("headers", "options"),
    [([], {}), (ASKS[:1], {}), (ASKS[1:], {}), (ASKS, {"exempt_preflight": False})],
)
def test_another_options_request_is_one(headers: Any, options: dict[str, Any]) -> None:
    app = limited(**options)
    statuses = [get(app, method="OPTIONS", headers=headers).status for _ in range(3)]
    assert statuses == [200, 200, 429]


def test_a_preflight_is_exempt_beside_other_paths() -> None:
    app = limited(exempt=["/health"])
    paths = ["/health", "/", "/health", "/", "/"]
    assert [get(app, path).status for path in paths] == [200, 200, 200, 200, 429]
    assert get(app, method="OPTIONS", headers=ASKS).status == 200


@pytest.mark.parametrize("cors", ["*", [APP], APP])
@pytest.mark.parametrize("order", ["ours", "theirs"])
def test_a_refusal_can_be_read_in_either_order(order: str, cors: Any) -> None:
    answer = refused(stack(order, LISTED, cors=cors))
    assert values(answer, ORIGIN) == ["*" if (order, cors) == ("ours", "*") else APP]
    assert {"retry-after", *OURS} <= set(exposed(answer))
    assert values(answer, "cache-control") == ["no-store"]
    assert len(values(answer, "retry-after")) == 1


def test_all_origins_are_allowed_without_credentials() -> None:
    answer = refused(limited(cors="*"), OTHER)
    assert values(answer, ORIGIN) == ["*"]
    assert "access-control-allow-credentials" not in answer.headers
    assert "vary" not in answer.headers


def test_listed_origins_are_told_apart_by_caches() -> None:
    answer = refused(limited(cors=[APP, "http://localhost:3000"]))
    assert values(answer, ORIGIN) == [APP]
    assert values(answer, "access-control-allow-credentials") == ["true"]
    assert values(answer, "vary") == ["Origin"]


@pytest.mark.parametrize("origin", [OTHER, "null", "https://app.example.evil.example"])
@pytest.mark.parametrize("order", ["ours", "theirs"])
def test_an_unlisted_origin_never_is(order: str, origin: str) -> None:
    answer = refused(stack(order, LISTED, cors=[APP]), origin)
    assert values(answer, ORIGIN) == []
    assert any("Origin" in value for value in values(answer, "vary"))


def test_without_the_option_their_middleware_outside_does_it() -> None:
    answer = refused(stack("theirs", LISTED))
    assert values(answer, ORIGIN) == [APP]
    assert exposed(answer)[0] == "retry-after"
    assert values(refused(stack("ours", LISTED)), ORIGIN) == []


def test_what_others_expose_stays() -> None:
    app = stack("ours", {**LISTED, "expose_headers": ["X-Total"]}, cors=[APP])
    answer = get(app, headers=[("Origin", APP)])
    assert exposed(answer) == ["x-total", *OURS]
    assert values(answer, ORIGIN) == [APP]


def test_limits_of_two_middlewares_are_exposed_once() -> None:
    app = limited(limited(tiers={"inner": (1, 60)}), cors=[APP])
    answer = refused(app)
    assert sorted(exposed(answer)) == sorted(["retry-after", *OURS])


@pytest.mark.parametrize("sets", [(), "ietf", "x-ratelimit"])
def test_only_what_is_sent_is_exposed(sets: Any) -> None:
    app = limited(headers=sets, tiers={"free": (1, 60)})
    admitted, answer = get(app, headers=[("Origin", APP)]), refused(app)
    names = [name for name in OURS if name in answer.headers]
    assert exposed(answer) == ["retry-after", *names]
    assert exposed(admitted) == names if names else EXPOSE not in admitted.headers


def test_a_request_of_no_script_is_told_nothing_of_it() -> None:
    app = limited(cors="*", tiers={"free": (1, 60)})
    for answer in (get(app), get(app)):
        assert not any(name.startswith("access-control") for name in answer.headers)


@pytest.mark.parametrize("options", [{"cost": lambda _: 5}, {"refusal": problem_refusal}])
def test_every_refusal_can_be_read_and_none_is_stored(options: dict[str, Any]) -> None:
    answer = refused(limited(cors=[APP], **options), status=413 if "cost" in options else 429)
    assert values(answer, ORIGIN) == [APP]
    assert values(answer, "cache-control") == ["no-store"]


def test_an_admitted_answer_is_the_apps_to_allow_and_to_store() -> None:
    answer = get(limited(cors=[APP]), headers=[("Origin", APP)])
    assert ORIGIN not in answer.headers
    assert "cache-control" not in answer.headers


def test_a_refusals_own_fields_stand() -> None:
    async def own(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"Cache-Control", b"max-age=1"), (b"Access-Control-Allow-Origin", b"x://y")]
        await send({"type": "http.response.start", "status": 429, "headers": headers})

    answer = refused(limited(cors="*", refusal=own))
    assert values(answer, "cache-control") == ["max-age=1"]
    assert values(answer, ORIGIN) == ["x://y"]


@pytest.mark.parametrize("wrong", [["*"], "https://app.example/", ["null"], "app.example"])
def test_a_wrong_origin_is_an_error_when_the_middleware_is_made(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"cors must be .* such as 'https://app.example"):
        limited(cors=wrong)


@pytest.mark.parametrize("option", ["cors", "exempt_preflight"])
def test_options_of_a_wrong_type(option: str) -> None:
    with pytest.raises(TypeError, match=option):
        limited(**{option: 7})


def test_a_browsers_requests_over_a_real_server() -> None:
    app = stack("ours", LISTED, cors=[APP], tiers={"free": (2, 60)})
    with serving(app) as address:
        connection = http.client.HTTPConnection(address, timeout=10)

        def request(method: str) -> tuple[int, list[tuple[str, str]]]:
            connection.request(method, "/", headers=dict(ASKS))
            response = connection.getresponse()
            response.read()
            return response.status, [(name.lower(), value) for name, value in response.getheaders()]

        answers = [request(method) for method in ["OPTIONS", "GET"] * 3]
        connection.close()
    assert [status for status, _ in answers] == [200, 200, 200, 200, 200, 429]
    told = answers[-1][1]
    assert [value for name, value in told if name == ORIGIN] == [APP]
    assert "retry-after" in dict(told)[EXPOSE].split(", ")
