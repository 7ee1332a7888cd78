"""``rate_limit`` on plain WSGI apps."""

from __future__ import annotations

from typing import Any

import pytest

from sluicegate import Gate, Limit
from sluicegate.wsgi import RateLimitMiddleware, rate_limit
from wsgi_calls import get, hello, statuses


def test_an_app_is_limited_by_method_and_client() -> None:
    app = rate_limit("2/hour")(hello)
    answers = [get(app) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert [answer.headers["x-ratelimit-remaining"] for answer in answers] == ["1", "0", "0"]
    assert answers[-1].json()["error"] == "Rate limit exceeded"
    assert answers[-1].headers["retry-after"]
    assert get(app, "/elsewhere", method="HEAD").status == 429
    assert get(app, method="POST").status == 200


def test_a_method_and_an_object_that_are_apps() -> None:
    class Site:
        @rate_limit("1/hour")
        def __call__(self, environ: Any, start_response: Any) -> Any:
            return hello(environ, start_response)

        @rate_limit("2/hour")
        def admin(self, environ: Any, start_response: Any) -> Any:
            return hello(environ, start_response)

    site = Site()
    assert statuses(site, 2) == [200, 429]
    assert statuses(site.admin, 3) == [200, 200, 429]

    class Plain:
        def __call__(self, environ: Any, start_response: Any) -> Any:
            return hello(environ, start_response)

    assert statuses(rate_limit("1/hour")(Plain()), 2) == [200, 429]


def test_two_apps_that_one_limit_is_given_to_count_apart() -> None:
    limit = rate_limit("1/hour")

    def other(environ: Any, start_response: Any) -> Any:
        return hello(environ, start_response)

    assert statuses(limit(hello), 2) == [200, 429]
    assert statuses(limit(other), 2) == [200, 429]


def test_several_and_behind_a_middleware() -> None:
    inner = rate_limit("5/hour", name="a")(rate_limit("1/hour", name="b")(hello))
    app = RateLimitMiddleware(inner, {"free": "9/hour"})
    answers = [get(app) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 429, 429]
    told = answers[-1].headers["ratelimit"].split(", ")
    assert [each.split(";")[0] for each in told] == ['"a"', '"b"', '"free"']
    assert get(app, method="POST").headers["x-ratelimit-remaining"] == "0"
    names = [name.lower() for name, _ in answers[-1].sent]
    assert len(names) == len(set(names))


def test_a_gate_counts_as_the_middleware_does_that_has_it() -> None:
    gate = Gate([Limit("3/hour", by="client"), Limit("2/hour", by="org", optional=True)])
    orgs = {"org": lambda environ: environ.get("HTTP_X_ORG")}
    app = rate_limit(gate, keys=orgs)(hello)
    acme = {"headers": [("X-Org", "acme")]}
    assert statuses(app, 3, **acme) == [200, 200, 429]
    assert statuses(app, 2) == [200, 429]
    assert statuses(RateLimitMiddleware(hello, limiter=gate, keys=orgs), 1) == [429]


def test_a_gate_with_permits_needs_a_middleware() -> None:
    with pytest.raises(TypeError, match="only the middleware knows when"):
        rate_limit(Gate("2 concurrent; 3/hour"))
