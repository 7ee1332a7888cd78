"""``rate_limit`` on views of Django."""

from __future__ import annotations

from typing import Any
from wsgiref.validate import validator

import pytest
from django.conf.urls.i18n import i18n_patterns
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import include, path, re_path
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from django_site import fine, site
from sluicegate import Gate
from sluicegate.wsgi import Principal, RateLimitMiddleware, problem_refusal, rate_limit
from wsgi_calls import call, environ_of, get, statuses


def a_site(*limits: Any, **options: Any) -> Any:
    """A site whose ``/`` has these limits, the first one outermost; behind a middleware, if any."""
    view: Any = fine
    for limit in reversed(limits):
        view = limit(view)
    app = site(path("", view))
    return RateLimitMiddleware(app, **options) if options else app


def test_a_view_is_limited_and_its_answer_tells() -> None:
    app = a_site(rate_limit("2/hour"))
    answers = [get(app) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert [answer.headers["x-ratelimit-remaining"] for answer in answers] == ["1", "0", "0"]
    assert answers[0].headers["x-own"] == "1"
    refused = answers[-1]
    assert refused.json()["error"] == "Rate limit exceeded"
    assert refused.headers["content-type"] == "application/json"
    assert int(refused.headers["retry-after"]) > 3_500
    assert refused.environ["sluicegate.decision"].remaining == 0
    assert statuses(app, 1, peer="192.0.2.9") == [200]


def test_the_key_is_the_method_the_route_and_the_client() -> None:
    limit = rate_limit("2/hour")
    users = [path("<int:number>/", limit(fine)), re_path(r"^x(?P<what>\w)$", limit(fine))]
    app = site(path("v1/users/", include(users)), path("v2/users/", include(users)))
    for version in ("v1", "v2"):
        assert [get(app, f"/{version}/users/{number}/").status for number in range(3)] == [
            200,
            200,
            429,
        ]
        assert [get(app, f"/{version}/users/x{what}").status for what in "abc"] == [200, 200, 429]
    assert get(app, "/v1/users/9/", method="HEAD").status == 429
    assert statuses(app, 3, "/v1/users/1/", method="PUT") == [200, 200, 429]
    assert statuses(app, 1, "/v1/users/9/", SCRIPT_NAME="/mounted") == [429]


def test_methods_that_a_client_invents_count_together() -> None:
    app = a_site(rate_limit("2/hour"))
    got = [call(app, environ_of(method=f"X{number}")).status for number in range(4)]
    assert got == [200, 200, 429, 429]
    assert [call(app, environ_of(method=method)).status for method in ("get", "Get", "GET")] == [
        200,
        200,
        429,
    ]


def test_a_page_in_every_language_is_one_view() -> None:
    app = site(*i18n_patterns(path("tea/", rate_limit("2/hour")(fine))), path("en/tea/", fine))
    paths = ("/en/tea/", "/de/tea/", "/en/tea/", "/de/tea/")
    assert [get(app, path).status for path in paths] == [200, 200, 429, 429]


def test_views_that_are_classes() -> None:
    @method_decorator(rate_limit("1/hour"), name="dispatch")
    class Tea(View):
        def get(self, request: HttpRequest) -> HttpResponse:
            return HttpResponse("tea")

    class Coffee(View):
        @rate_limit("1/hour")
        def get(self, request: HttpRequest) -> HttpResponse:
            return HttpResponse("coffee")

        def post(self, request: HttpRequest) -> HttpResponse:
            return HttpResponse("coffee")

    app = site(path("tea", Tea.as_view()), path("coffee", Coffee.as_view()))
    assert statuses(app, 2, "/tea") == [200, 429]
    assert statuses(app, 2, "/coffee") == [200, 429]
    assert statuses(app, 2, "/coffee", method="POST") == [200, 200]


def test_other_decorators_keep_what_they_have_marked() -> None:
    view = rate_limit("1/hour")(csrf_exempt(fine))
    assert view.csrf_exempt
    app = site(path("", require_POST(rate_limit("1/hour")(fine))))
    assert statuses(app, 2, method="POST") == [200, 429]
    assert statuses(app, 1) == [405]


def test_what_wraps_a_request_has_its_environ_too() -> None:
    """As the REST framework's does."""

    class Wrapped:
        def __init__(self, request: HttpRequest) -> None:
            self._request = request

        def __getattr__(self, name: str) -> Any:
            return getattr(self._request, name)

    limited = rate_limit("1/hour")(fine)
    app = site(path("", lambda request: limited(Wrapped(request))))
    assert statuses(app, 2) == [200, 429]
    by_name = rate_limit("1/hour")(fine)
    app = site(path("", lambda request: by_name(request=request)))
    assert statuses(app, 2) == [200, 429]


def test_streams_and_what_is_no_answer() -> None:
    def stream(request: HttpRequest) -> Any:
        return StreamingHttpResponse([b"a", b"b"])

    def fail(request: HttpRequest) -> Any:
        raise Http404

    app = site(path("stream", rate_limit("2/hour")(stream)), path("no", rate_limit("1/hour")(fail)))
    answer = get(app, "/stream")
    assert (answer.body, answer.headers["x-ratelimit-remaining"]) == (b"ab", "1")
    assert statuses(app, 2, "/no") == [404, 429]


def test_several_limits_of_a_view_decide_in_their_order_and_give_back() -> None:
    gate = Gate("9/hour")
    app = a_site(rate_limit(gate), rate_limit("5/hour", name="a"), rate_limit("1/hour", name="b"))
    answers = [get(app) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 429, 429]
    assert gate.peek("ip:192.0.2.1").remaining == 8
    told = answers[-1].headers["ratelimit"].split(", ")
    assert [each.split(";")[0] for each in told] == ['"key/hour"', '"a"', '"b"']


def test_one_who_logs_in_behind_the_middleware_is_known_to_the_view() -> None:
    app = a_site(rate_limit("2/hour"), tiers={"free": "99/hour"})
    for name in ("ann", "bob"):
        assert statuses(app, 3, headers=[("X-Login", name)]) == [200, 200, 429]
    assert statuses(app, 3) == [200, 200, 429]


def test_options_get_the_environ() -> None:
    seen: list[Any] = []
    app = a_site(rate_limit("9/hour", identify=lambda environ: seen.append(environ) or "me"))
    answer = get(app)
    assert seen == [answer.environ]


def test_behind_a_middleware_it_has_its_identity_store_and_refusal(url: str) -> None:
    options: dict[str, Any] = {
        "tiers": {"free": "9/hour"},
        "store": url,
        "refusal": problem_refusal,
        "verify": Principal,
        "cors": "*",
    }
    apps = [a_site(rate_limit("2/hour"), **options) for _ in range(2)]
    ann = {"headers": [("x-api-key", "ann"), ("Origin", "https://a.example")]}
    assert [statuses(validator(app), 1, **ann) for app in apps] == [[200], [200]]
    refused = get(apps[0], **ann)
    assert refused.status == 429
    assert refused.json()["violated-policies"] == ["route"]
    assert refused.headers["access-control-allow-origin"] == "*"
    assert refused.headers["cache-control"] == "no-store"
    bob = get(apps[1], headers=[("x-api-key", "bob")])
    assert '"free";r=8' in bob.headers["ratelimit"]
    assert bob.headers["x-ratelimit-remaining"] == "1"


def test_what_was_spent_before_is_given_back_when_it_refuses() -> None:
    app = a_site(rate_limit("1/hour"), tiers={"free": "9/hour"})
    assert statuses(app, 5) == [200, 429, 429, 429, 429]
    assert get(app, "/no").headers["x-ratelimit-remaining"] == "7"


@pytest.mark.parametrize("scope", ["reports-of-django"])
def test_scopes_share_one_quota(scope: str) -> None:
    views = [rate_limit("2/hour", scope=scope)(fine) for _ in range(2)]
    app = site(path("a", views[0]), path("b", views[1]))
    assert [get(app, f"/{name}").status for name in "aba"] == [200, 200, 429]
    assert get(app, "/b", method="POST").status == 429
