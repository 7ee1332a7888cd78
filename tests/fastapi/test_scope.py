"""``rate_limit(..., scope=...)``: one quota of a client for several endpoints."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import FastAPI

from asgi_calls import get
from sluicegate import Gate
from sluicegate.fastapi import RateLimitMiddleware, rate_limit


def an_app(*limits: Any, **options: Any) -> FastAPI:
    """Endpoints ``/0``, ``/1`` and so on, each with its limit."""
    app = FastAPI()
    if options:
        app.add_middleware(RateLimitMiddleware, **options)
    for number, limit in enumerate(limits):

        @app.get(f"/{number}", dependencies=[limit])
        @app.post(f"/{number}", dependencies=[limit])
        async def root() -> None: ...

    return app


def statuses(app: Any, *paths: str, **options: Any) -> list[int]:
    return [get(app, path, **options).status for path in paths]


def test_endpoints_of_one_scope_share_one_quota() -> None:
    app = an_app(*(rate_limit("3/hour", scope="reports") for _ in range(2)), rate_limit("3/hour"))
    assert statuses(app, "/0", "/1", "/0", "/1", "/0") == [200, 200, 200, 429, 429]
    assert statuses(app, "/2", "/2") == [200, 200]
    assert statuses(app, "/0", peer="192.0.2.9") == [200]
    assert statuses(app, "/0", method="POST") == [429]


def test_other_scopes_names_and_quotas_count_apart() -> None:
    others: list[dict[str, Any]] = [{"scope": "b"}, {"scope": "a", "name": "n"}, {"scope": "a/x"}]
    app = an_app(
        rate_limit("1/hour", scope="a"),
        *(rate_limit("1/hour", **each) for each in others),
        rate_limit("2/hour", scope="a"),
    )
    assert statuses(app, "/0", "/1", "/2", "/3", "/4") == [200] * 5
    assert statuses(app, "/0", "/1", "/2", "/3") == [429] * 4


@pytest.mark.parametrize("own", [True, False])
def test_in_a_store_as_well(url: str, own: bool) -> None:
    mine: dict[str, Any] = {"store": url}
    given, options = (mine, {}) if own else ({}, {"tiers": {"free": "100/hour"}, **mine})
    app = an_app(*(rate_limit("2/hour", scope="reports", **given) for _ in range(2)), **options)
    assert statuses(app, "/0", "/1", "/0", "/1") == [200, 200, 429, 429]


def test_a_gate_counts_for_all_endpoints_already() -> None:
    with pytest.raises(TypeError, match="scope= means nothing here: a gate counts for all"):
        rate_limit(Gate("3/hour"), scope="reports")


@pytest.mark.parametrize("scope", ["", 3])
def test_a_scope_is_a_name(scope: Any) -> None:
    with pytest.raises(TypeError, match=f"scope must be a name, such as 'reports'.*got {scope!r}"):
        rate_limit("3/hour", scope=scope)
