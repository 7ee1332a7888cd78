"""``rate_limit`` on views of Flask."""

from __future__ import annotations

from functools import wraps
from typing import Any

import flask
import pytest
from flask.views import MethodView
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from sluicegate import Gate, ManualClock
from sluicegate.policy import Policy
from sluicegate.wsgi import Principal, RateLimitMiddleware, problem_refusal, rate_limit
from wsgi_calls import get, statuses


def an_app(*limits: Any, **options: Any) -> flask.Flask:
    """An app whose ``/`` has these limits, the first one outermost; behind a middleware, if any."""
    app = flask.Flask(__name__)
    view: Any = lambda: flask.Response("fine", headers={"X-Own": "1"})  # noqa: E731
    for limit in reversed(limits):
        view = limit(view)
    app.add_url_rule("/", view_func=view, endpoint="root", methods=["GET", "POST"])
    if options:
        app.wsgi_app = RateLimitMiddleware(app.wsgi_app, **options)  # type: ignore[method-assign]
    return app


def test_a_view_is_limited_and_its_answer_tells() -> None:
    app = an_app(rate_limit("2/hour"))
    answers = [get(app) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert [answer.headers["x-ratelimit-remaining"] for answer in answers] == ["1", "0", "0"]
    assert answers[0].headers["x-own"] == "1"
    refused = answers[-1]
    assert refused.json()["error"] == "Rate limit exceeded"
    assert refused.headers["content-type"] == "application/json"
    assert int(refused.headers["retry-after"]) > 3_500
    assert refused.headers["cache-control"] == "no-store"
    assert refused.environ["sluicegate.refusal"].policy == "route"
    assert statuses(app, 1, peer="192.0.2.9") == [200]


def test_the_key_is_the_method_the_rule_and_the_client() -> None:
    app = flask.Flask(__name__)

    @app.route("/users/<int:number>", methods=["GET", "POST"])
    @app.route("/people/<int:number>")
    @rate_limit("2/hour")
    def user(number: int) -> str:
        return str(number)

    @app.route("/other")
    @rate_limit("2/hour")
    def other() -> str:
        return ""

    assert [get(app, f"/users/{number}").status for number in range(3)] == [200, 200, 429]
    assert get(app, "/users/9", method="HEAD").status == 429
    assert statuses(app, 3, "/users/1", method="POST") == [200, 200, 429]
    assert statuses(app, 3, "/people/1") == [200, 200, 429]
    assert statuses(app, 3, "/other") == [200, 200, 429]


def test_blueprints_keep_their_prefixes_and_mounts_have_none() -> None:
    app = flask.Flask(__name__)
    blueprint = flask.Blueprint("api", __name__)

    @blueprint.route("/tea")
    @rate_limit("1/hour")
    def tea() -> str:
        return ""

    for version in ("v1", "v2"):
        app.register_blueprint(blueprint, url_prefix=f"/{version}", name=version)
    for version in ("v1", "v2"):
        assert statuses(app, 2, f"/{version}/tea") == [200, 429]
    mounted = DispatcherMiddleware(flask.Flask("front"), {f"/{name}": app for name in "abc"})
    assert [get(mounted, f"/{name}/v1/tea").status for name in "abc"] == [429] * 3


def test_it_is_told_of_errors_too() -> None:
    app = flask.Flask(__name__)

    @app.route("/<what>")
    @rate_limit("9/hour")
    def fail(what: str) -> str:
        if what == "404":
            flask.abort(404)
        if what == "302":
            return flask.redirect("/")  # type: ignore[return-value]
        raise ValueError(what)

    assert get(app, "/404").headers["x-ratelimit-remaining"] == "8"
    assert get(app, "/500").headers["x-ratelimit-remaining"] == "7"
    assert "x-ratelimit-remaining" not in get(app, "/302").headers
    assert get(app, "/404").headers["x-ratelimit-remaining"] == "5"


def test_several_limits_of_a_view_decide_in_their_order_and_give_back() -> None:
    gate = Gate("9/hour")
    app = an_app(rate_limit(gate), rate_limit("5/hour", name="a"), rate_limit("1/hour", name="b"))
    answers = [get(app) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 429, 429]
    assert gate.peek("ip:192.0.2.1").remaining == 8
    told = answers[-1].headers["ratelimit"].split(", ")
    assert [each.split(";")[0] for each in told] == ['"key/hour"', '"a"', '"b"']
    names = [name.lower() for name, _ in answers[-1].sent]
    assert names.count("x-ratelimit-limit") == names.count("retry-after") == 1


def test_limits_of_one_name_count_apart() -> None:
    app = an_app(rate_limit("2/hour"), rate_limit("2/hour"))
    assert statuses(app, 3) == [200, 200, 429]


def test_error_handlers_see_the_refusal() -> None:
    app = an_app(rate_limit("1/hour"))

    @app.errorhandler(429)
    def sorry(error: HTTPException) -> Any:
        assert error.response is not None
        return {"sorry": error.response.get_json()["error"]}, 429

    get(app)
    refused = get(app)
    assert refused.json() == {"sorry": "Rate limit exceeded"}
    assert refused.headers["retry-after"]
    assert refused.headers["x-ratelimit-remaining"] == "0"


def test_what_is_around_the_view_keeps_no_refusal() -> None:
    kept: list[Any] = []

    def cached(view: Any) -> Any:
        @wraps(view)
        def cache() -> Any:
            kept.append(view())
            return kept[-1]

        return cache

    app = an_app(cached, rate_limit("1/hour"))
    assert statuses(app, 3) == [200, 429, 429]
    assert len(kept) == 1


def test_views_that_are_classes_and_functions_before_all_requests() -> None:
    class Tea(MethodView):
        decorators = [rate_limit("1/hour")]  # noqa: RUF012

        def get(self) -> str:
            return ""

        @rate_limit("2/hour")
        def post(self) -> str:
            return ""

    app = flask.Flask(__name__)
    app.add_url_rule("/tea", view_func=Tea.as_view("tea"))
    app.add_url_rule("/more", view_func=Tea.as_view("more"))
    assert statuses(app, 2, "/tea") == [200, 429]
    assert statuses(app, 2, "/tea", method="POST") == [200, 429]
    assert statuses(app, 1, "/more") == [200]

    guarded = an_app(lambda view: view)
    guarded.before_request(rate_limit("2/hour")(lambda: None))
    assert [get(guarded, path).status for path in ("/", "/no", "/no")] == [200, 404, 404]
    assert [get(guarded, path).status for path in ("/", "/", "/no")] == [200, 429, 429]


def test_a_helper_that_a_view_calls_may_be_limited() -> None:
    app = flask.Flask(__name__)

    @rate_limit("1/hour")
    def search(what: str) -> str:
        return what

    @app.route("/<what>")
    def view(what: str) -> str:
        return search(what) if what != "no" else what

    assert [get(app, path).status for path in ("/no", "/a", "/no", "/b")] == [200, 200, 200, 429]


def test_options_get_the_environ_and_the_decision_is_in_it() -> None:
    seen: list[Any] = []
    app = flask.Flask(__name__)

    @app.route("/")
    @rate_limit(
        "9/hour",
        identify=lambda environ: environ["HTTP_X_WHO"],
        cost=lambda environ: seen.append(environ) or 4,
        headers="ietf",
    )
    def root() -> dict[str, int]:
        assert seen[-1] is flask.request.environ
        return {"left": flask.request.environ["sluicegate.decision"].remaining}

    who = {"headers": [("X-Who", "ann")]}
    assert [get(app, **who).json().get("left") for _ in range(3)] == [5, 1, None]
    assert "x-ratelimit-limit" not in get(app, **who).headers


@pytest.mark.parametrize("source", ["key", "identify", "user", "proxy"])
def test_behind_a_middleware_customers_have_a_quota_each(source: str) -> None:
    options: dict[str, dict[str, Any]] = {
        "key": {"verify": Principal},
        "identify": {"identify": lambda environ: environ["HTTP_X_WHO"]},
        "user": {},
        "proxy": {"trusted_proxies": 1},
    }
    calls: dict[str, Any] = {
        "key": lambda name: {"headers": [("x-api-key", name)]},
        "identify": lambda name: {"headers": [("x-who", name)]},
        "user": lambda name: {"REMOTE_USER": name},
        "proxy": lambda name: {"headers": [("x-forwarded-for", f"203.0.113.{ord(name)}")]},
    }
    app = an_app(rate_limit("3/hour"), tiers={"free": "100/hour"}, **options[source])
    for name in "ab":
        assert statuses(app, 4, **calls[source](name)) == [200, 200, 200, 429]


def test_behind_a_middleware_it_has_its_store_shadow_refusal_and_observers(
    url: str, clock: ManualClock
) -> None:
    told: list[Any] = []

    class Hook:
        def on_refused(self, details: Any) -> None:
            told.append(details)

    options: dict[str, Any] = {
        "tiers": {"free": "9/hour"},
        "store": url,
        "refusal": problem_refusal,
        "hooks": [Hook()],
    }
    apps = [an_app(rate_limit("2/hour"), **options) for _ in range(2)]
    assert [statuses(app, 1) for app in apps] == [[200], [200]]
    refused = get(apps[0])
    assert refused.status == 429
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["violated-policies"] == ["route"]
    assert [details.limiter for details in told] == ["route"]
    answer = get(apps[1], peer="192.0.2.9")
    assert answer.headers["x-ratelimit-remaining"] == "1"
    assert '"free";r=8' in answer.headers["ratelimit"]
    assert '"route";r=1' in answer.headers["ratelimit"]
    watching = an_app(rate_limit("1/hour"), tiers={"free": "9/hour"}, shadow=True)
    assert statuses(watching, 3) == [200] * 3


def test_what_was_spent_before_is_given_back_when_it_refuses() -> None:
    policy = Policy({"free": "9/hour; 99/day"})
    app = an_app(rate_limit("1/hour"), policy=policy)
    assert statuses(app, 5) == [200, 429, 429, 429, 429]
    assert get(app, "/no").headers["x-ratelimit-remaining"] == "7"


def test_scopes_share_one_quota() -> None:
    app = flask.Flask(__name__)
    for number in range(2):
        view = rate_limit("2/hour", scope="reports-of-flask")(lambda: "")
        app.add_url_rule(f"/{number}", str(number), view, methods=["GET", "POST"])
    assert [get(app, f"/{number}").status for number in (0, 1, 0)] == [200, 200, 429]
    assert get(app, "/1", method="POST").status == 429


def test_a_script_can_read_a_refusal() -> None:
    origin = {"headers": [("Origin", "https://a.example")]}
    app = an_app(rate_limit("1/hour"), tiers={"free": "9/hour"}, cors="*")
    get(app, **origin)
    refused = get(app, **origin)
    assert refused.headers["access-control-allow-origin"] == "*"
    exposed = refused.headers["access-control-expose-headers"].split(", ")
    assert {"retry-after", "x-ratelimit-limit", "ratelimit"} <= {*exposed}


def test_a_store_that_nobody_reaches() -> None:
    options: dict[str, Any] = {"store": "redis://127.0.0.1:1", "timeout": 0.02}
    closed = an_app(rate_limit("1/hour", on_error="closed", closed_status=599, **options))
    refused = get(closed)
    assert (refused.status, refused.headers["retry-after"]) == (599, "1")
    assert "x-ratelimit-limit" not in refused.headers
    local = an_app(rate_limit("1/hour", **options))
    assert statuses(local, 2) == [200, 429]


def test_a_cost_that_can_never_be_admitted() -> None:
    refused = get(an_app(rate_limit("2/hour", cost=lambda environ: 3)))
    assert refused.status == 413
    assert "retry-after" not in refused.headers


def test_outside_of_a_request_there_is_nobody_to_limit() -> None:
    @rate_limit("1/hour")
    def view() -> None: ...

    with pytest.raises(TypeError, match=r"rate_limit finds no request in the call of .*view"):
        view()


async def later() -> None: ...


@pytest.mark.parametrize(
    ("view", "text"),
    [
        (later, "limits plain functions, got the coroutine function"),
        (MethodView, "limits functions, got the class MethodView"),
        ("tea", "limits functions, got 'tea'"),
    ],
)
def test_what_cannot_be_limited(view: Any, text: str) -> None:
    with pytest.raises(TypeError, match=text):
        rate_limit("1/hour")(view)


@pytest.mark.parametrize(
    ("arguments", "options", "kind", "text"),
    [
        (("a minute",), {}, ValueError, "rate_limit: quota .a minute.: this cannot be read"),
        ((), {}, TypeError, "limit"),
        (("1/hour",), {"cost": later}, TypeError, "cost must be a plain function here"),
        (("1/hour",), {"proxy_header": "x_real", "trusted_proxies": 1}, ValueError, "no '_'"),
        (("1/hour",), {"scope": ""}, TypeError, "scope must be a name"),
        (("1/hour",), {"refusal": 1}, TypeError, "refusal"),
    ],
)
def test_wrong_options_are_named(arguments: Any, options: Any, kind: Any, text: str) -> None:
    with pytest.raises(kind, match=text):
        rate_limit(*arguments, **options)
