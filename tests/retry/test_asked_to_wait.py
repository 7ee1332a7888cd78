"""Which answers and exceptions ask for a retry, and how long they ask to wait."""

from __future__ import annotations

import email.message
import time
import urllib.error
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest

from sluicegate import RateLimitError
from sluicegate.retry.asked_to_wait import asked_to_wait, status_of

NOW = 784_111_777.0  # Sun, 06 Nov 1994 08:49:37 GMT


class FalseResponse:
    """As requests has it: false when it is an error."""

    def __init__(self, status: int, headers: dict[str, str]) -> None:
        self.status_code, self.headers = status, headers

    def __bool__(self) -> bool:
        return False


class ResponseError(Exception):
    """As requests.HTTPError and openai.APIStatusError: an exception with its response."""

    def __init__(self, response: object) -> None:
        super().__init__("refused")
        self.response = response


class StatusError(Exception):
    """As aiohttp.ClientResponseError: status and headers of its own."""

    def __init__(self, status: int, headers: Any) -> None:
        super().__init__("refused")
        self.status, self.headers = status, headers


class MoodyError(Exception):
    """As httpx.RequestError.request: a property that raises."""

    @property
    def response(self) -> object:
        raise RuntimeError("not set")


def httpx_error(status: int, headers: dict[str, str]) -> Exception:
    request = httpx2.Request("GET", "http://test/")
    response = httpx2.Response(status, headers=headers, request=request)
    with pytest.raises(httpx2.HTTPStatusError) as raised:
        response.raise_for_status()
    return raised.value


def urllib_error(status: int, headers: dict[str, str]) -> Exception:
    message = email.message.Message()
    for name, value in headers.items():
        message[name] = value
    return urllib.error.HTTPError("http://test/", status, "refused", message, None)


FIELDS = {"Retry-After": "7"}
SHAPES = [
    httpx2.Response(429, headers=FIELDS),
    httpx_error(429, FIELDS),
    urllib_error(429, FIELDS),
    FalseResponse(429, FIELDS),
    ResponseError(FalseResponse(429, FIELDS)),
    StatusError(429, FIELDS),
    SimpleNamespace(status=429, headers={"RETRY-AFTER": "7"}),
    SimpleNamespace(status_code=HTTPStatus.TOO_MANY_REQUESTS, headers=FIELDS),
]


@pytest.mark.parametrize("outcome", SHAPES, ids=lambda outcome: type(outcome).__name__)
def test_every_clients_answers_are_understood(outcome: object) -> None:
    assert status_of(outcome) == 429
    assert asked_to_wait(outcome, NOW) == 7.0


@pytest.mark.parametrize(
    "outcome",
    [
        None,
        429,
        {"status": 429, "headers": {}},
        SimpleNamespace(status=429),
        SimpleNamespace(status="429", headers={}),
        SimpleNamespace(status=True, headers={}),
        ValueError("no status"),
        MoodyError(),
        ResponseError(None),
    ],
    ids=repr,
)
def test_what_is_no_http_answer_has_no_status(outcome: object) -> None:
    assert status_of(outcome) is None
    assert asked_to_wait(outcome, NOW) == 0.0


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        ({}, 0.0),
        ({"retry-after": "120"}, 120.0),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "-1"}, 0.0),
        ({"retry-after": "nan"}, 0.0),
        ({"retry-after": "inf"}, 0.0),
        ({"retry-after": "1e999"}, 0.0),
        ({"retry-after": ""}, 0.0),
        ({"retry-after": "soon"}, 0.0),
        ({"retry-after": "5, 6"}, 0.0),
        ({"retry-after": "99 Foo 99999 99:99:99 GMT"}, 0.0),
        ({"retry-after": "Sun, 06 Nov 1994 08:50:07 GMT"}, 30.0),
        ({"retry-after": "Sunday, 06-Nov-94 08:50:07 GMT"}, 30.0),
        ({"retry-after": "Sun Nov  6 08:50:07 1994"}, 30.0),
        ({"retry-after": "Sun, 06 Nov 1994 08:49:00 GMT"}, 0.0),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25),
        ({"retry-after-ms": "x", "retry-after": "1"}, 1.0),
    ],
)
def test_the_fields_values(fields: dict[str, str], seconds: float) -> None:
    assert asked_to_wait(FalseResponse(429, fields), NOW) == seconds


def test_a_date_is_read_by_the_servers_own_clock() -> None:
    fields = {
        "Date": "Sun, 06 Nov 1994 08:49:37 GMT",
        "Retry-After": "Sun, 06 Nov 1994 08:49:47 GMT",
    }
    for our_clock_is_off in (-3_600, 0, 3_600):
        assert asked_to_wait(FalseResponse(429, fields), NOW + our_clock_is_off) == 10.0
    fields["Date"] = "today"
    assert asked_to_wait(FalseResponse(429, fields), NOW) == 10.0


def test_our_own_refusal_says_when() -> None:
    assert asked_to_wait(RateLimitError(retry_after=2.5), NOW) == 2.5
    assert asked_to_wait(RateLimitError(), NOW) == 0.0
    assert status_of(RateLimitError(retry_after=2.5)) is None


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="no time zones to set here")
def test_a_date_without_a_zone_is_in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("TZ", "EST5")
        time.tzset()
        waits = [
            asked_to_wait(FalseResponse(429, {"retry-after": date}), NOW)
            for date in ("Sun Nov  6 08:50:07 1994", "Sun, 06 Nov 1994 08:50:07 -0000")
        ]
    time.tzset()
    assert waits == [30.0, 30.0]
