"""``FixedRefusal``: one status and text for all who are refused."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest

from asgi_calls import get
from sluicegate import FixedWindow, ManualClock
from sluicegate.asgi import FixedRefusal, RateLimitMiddleware


async def hello(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


def refused(refusal: FixedRefusal, **options: Any) -> Any:
    limiter = FixedWindow(1, 60, clock=ManualClock())
    app = RateLimitMiddleware(hello, limiter=limiter, refusal=refusal, **options)
    get(app)
    return get(app)


def test_a_status_and_a_text() -> None:
    answer = refused(FixedRefusal(503, "<p>Später</p>", "text/html; charset=utf-8"))
    assert (answer.status, answer.body.decode()) == (503, "<p>Später</p>")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-length"] == "14"
    assert answer.headers["retry-after"] == "60"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-ratelimit-remaining"] == "0"


def test_a_status_alone_has_the_usual_json() -> None:
    answer = refused(FixedRefusal(503))
    assert answer.status == 503
    assert json.loads(answer.body) == {"error": "Rate limit exceeded", "retry_after": 60}


@pytest.mark.parametrize("status", [204, 205, 304])
def test_a_status_without_a_body(status: int) -> None:
    answer = refused(FixedRefusal(status))
    assert (answer.status, answer.body) == (status, b"")
    assert not {"content-type", "content-length"} & answer.headers.keys()


def test_a_cost_above_the_limit_stays_a_413() -> None:
    answer = refused(FixedRefusal(503, "Busy"), cost=lambda scope: 2)
    assert answer.status == 413
    assert "costs 2" in json.loads(answer.body)["error"]


@pytest.mark.parametrize(
    ("arguments", "error", "reason"),
    [
        ({"status": 199}, ValueError, "status must be a whole number from 200 to 599, such as 503, got 199"),
        ({"status": 600}, ValueError, "status must be a whole number from 200 to 599, such as 503, got 600"),
        ({"status": True}, TypeError, "status must be a whole number"),
        ({"status": "503"}, TypeError, "status must be a whole number"),
        ({"text": b"Busy"}, TypeError, "text must be a text or None, got b'Busy'"),
        ({"status": 204, "text": "Busy"}, ValueError, "text must be empty, since an answer of 204 has none"),
        ({"content_type": "html"}, ValueError, "content_type must be one such as 'text/html; charset=utf-8'"),
        ({"content_type": "a/b\r\nx: y"}, ValueError, "content_type must be one such as"),
        ({"content_type": None}, ValueError, "content_type must be one such as"),
    ],
)  # fmt: skip
def test_wrong_arguments(arguments: dict[str, Any], error: type[Exception], reason: str) -> None:
    with pytest.raises(error) as caught:
        FixedRefusal(**arguments)
    assert str(caught.value).startswith(reason)


def test_it_is_a_value() -> None:
    one = FixedRefusal(503, "Busy", "text/plain")
    assert one == FixedRefusal(503, "Busy", "text/plain") == pickle.loads(pickle.dumps(one))
    assert one != FixedRefusal(503, "Busy")
    assert len({one, FixedRefusal(503, "Busy", "text/plain")}) == 1
    assert eval(repr(one)) == one
