"""An app-wide limit does not see mounted apps, and says so."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.staticfiles import StaticFiles

from sluicegate.fastapi import rate_limit


def an_app(*mounted: tuple[str, Any], **options: Any) -> FastAPI:
    app = FastAPI(**options)
    for path, below in mounted:
        app.mount(path, below)

    @app.get("/")
    async def root() -> None: ...

    return app


def told(app: FastAPI, caplog: pytest.LogCaptureFixture) -> list[str]:
    client = TestClient(app)
    with caplog.at_level(logging.WARNING, "sluicegate"):
        for path in ("/", "/sub/", "/", "/sub/"):
            client.get(path)
    return [record.getMessage() for record in caplog.records if record.name == "sluicegate"]


def test_it_says_so_once_with_the_advice(caplog: pytest.LogCaptureFixture) -> None:
    app = an_app(("/sub", an_app()), ("/more", an_app()), dependencies=[rate_limit(2, 600)])
    client = TestClient(app)
    assert [client.get("/sub/").status_code for _ in range(4)] == [200] * 4
    (message,) = [text for text in told(app, caplog) if "mounted" in text]
    assert "'/sub', '/more'" in message
    assert "RateLimitMiddleware" in message


def test_a_limit_of_the_mounted_app_says_so_too(caplog: pytest.LogCaptureFixture) -> None:
    below = an_app(dependencies=[rate_limit(2, 600)])
    app = an_app(("/sub", below), dependencies=[rate_limit(9, 600)])
    with caplog.at_level(logging.WARNING, "sluicegate"):
        assert TestClient(app).get("/sub/").status_code == 200
    assert "does not limit the apps that are mounted" in caplog.text


@pytest.mark.parametrize("kind", ["no limit", "files", "no mount"])
def test_it_is_silent_where_nothing_is_missed(
    kind: str, caplog: pytest.LogCaptureFixture, tmp_path: Any
) -> None:
    limits = {} if kind == "no limit" else {"dependencies": [rate_limit(9, 600)]}
    below = StaticFiles(directory=tmp_path) if kind == "files" else an_app()
    app = an_app(*(() if kind == "no mount" else (("/sub", below),)), **limits)
    app.get("/more", dependencies=[rate_limit(9, 600)])(lambda: None)
    assert not [text for text in told(app, caplog) if "mounted" in text]
