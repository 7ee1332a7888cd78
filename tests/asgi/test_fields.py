"""The quota's fields where several limits, and the app itself, have something to say."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import http_sfv
import pytest

from asgi_calls import Answer, get, hello
from sluicegate.asgi import RateLimitMiddleware

X = ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"]
SILENT: list[dict[str, Any]] = [{"shadow": True}, {"headers": ()}]


def limited(app: Any = hello, limit: int = 100, **options: Any) -> RateLimitMiddleware:
    return RateLimitMiddleware(app, **{"tiers": {"free": (limit, 60)}, **options})


def answering(status: int = 200, headers: Iterable[tuple[str, str]] = ()) -> Any:
    fields = [(name.encode(), value.encode()) for name, value in headers]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": status, "headers": fields})
        await send({"type": "http.response.body", "body": b""})

    return app


def values(answer: Answer, name: str) -> list[str]:
    """Each line of a field."""
    lines = answer.sent[0]["headers"]
    return [value.decode() for field, value in lines if field.decode().lower() == name]


def names(answer: Answer, field: str = "ratelimit") -> list[str]:
    """The names in a list of the IETF's, each of which is there once."""
    parsed = http_sfv.List()
    parsed.parse(", ".join(values(answer, field)).encode())
    found = [item.value for item in parsed]
    assert len(set(found)) == len(found)
    return found


def test_an_apps_own_numbers_stand_alone() -> None:
    own = {"X-RateLimit-Limit": "5000", "X-RateLimit-Remaining": "4999", "X-RateLimit-Reset": "7"}
    answer = get(limited(limited(answering(headers=own.items()), 3)))
    for name, value in own.items():
        assert values(answer, name.lower()) == [value]
    assert names(answer) == names(answer, "ratelimit-policy") == ["free-2", "free"]


def test_an_apps_own_lists_go_on() -> None:
    own = {"RateLimit-Policy": '"free";q=5000;w=3600', "RateLimit": '"free";r=4999;t=7'}
    answer = get(limited(answering(headers=own.items())))
    assert names(answer) == names(answer, "ratelimit-policy") == ["free", "free-2"]
    assert values(answer, "x-ratelimit-limit") == ["100"]


@pytest.mark.parametrize("status", [301, 302, 303, 304, 307, 308])
def test_a_redirection_tells_of_no_quota(status: int) -> None:
    app = limited(limited(answering(status, [("location", "/there")])))
    assert [name for name, _ in get(app).sent[0]["headers"]] == [b"location"]


def test_a_refusal_that_redirects_is_followed_at_once() -> None:
    refusal = answering(303, [("location", "/slow-down")])
    app = limited(limit=1, refusal=refusal)
    get(app)
    answer = get(app)
    assert answer.status == 303
    assert not {"retry-after", "ratelimit", *X} & answer.headers.keys()


@pytest.mark.parametrize("silent", SILENT)
def test_a_silent_limit_further_in_or_out_leaves_the_others(silent: dict[str, Any]) -> None:
    inner = limited(limited(limit=9, **silent), 50)
    outer = limited(limited(limit=50), 9, **silent)
    for app in (inner, outer):
        answer = get(app)
        assert values(answer, "x-ratelimit-limit") == ["50"]
        assert names(answer) == ["free"]


def test_the_smallest_share_left_speaks_wherever_it_is() -> None:
    for outer, inner in ((10, 100), (100, 10)):
        answer = get(limited(limited(limit=inner), outer))
        assert [values(answer, name)[:2] for name in X[:2]] == [["10"], ["9"]]
        assert names(answer) == names(answer, "ratelimit-policy") == ["free-2", "free"]
        assert len(values(answer, "ratelimit")) == 1


def test_a_refusal_further_in_speaks_and_all_are_told() -> None:
    app = limited(limited(limit=2), 2)
    refused = [get(app) for _ in range(3)][-1]
    assert refused.status == 429
    app = limited(limited(limit=1), 10, tiers={"outer": (2, 60)})
    refused = [get(app) for _ in range(2)][-1]
    assert refused.status == 429
    assert [values(refused, name) for name in X[:2]] == [["1"], ["0"]]
    assert names(refused) == names(refused, "ratelimit-policy") == ["free", "outer"]
    assert len(values(refused, "retry-after")) == 1


def test_a_problem_names_the_policy_as_the_lists_do() -> None:
    from sluicegate.asgi import problem_refusal

    app = limited(limited(limit=1, refusal=problem_refusal))
    refused = [get(app) for _ in range(2)][-1]
    assert b'"violated-policies":["free-2"]' in refused.body
    assert names(refused) == ["free-2", "free"]


def test_a_message_that_is_sent_twice_collects_nothing() -> None:
    start = {"type": "http.response.start", "status": 200, "headers": []}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(start)

    answers = [get(limited(app)) for _ in range(2)]
    assert start["headers"] == []
    assert values(answers[1], "x-ratelimit-limit") == ["100"]
