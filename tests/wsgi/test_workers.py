"""The examples under gunicorn with four workers and a zone: the limit is the limit."""

from __future__ import annotations

import http.client
import socket
from pathlib import Path

import pytest

from worker_servers import Served, served_by

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
ALICE = {"X-API-Key": "example-key-of-alice"}


@pytest.mark.parametrize("app", ["flask_app:app", "django_app:application"])
def test_four_workers_admit_exactly_the_limits(app: str, url: str, tmp_path: Path) -> None:
    options = {"WSGI_APP": app, "LIMITS_STORE": url}
    with served_by("gunicorn sync", url, tmp_path / "quota", **options) as served:
        reports = {"path": "/reports", "method": "POST"}
        assert served.ask(60, **reports) == {200: 20, 429: 40}
        assert served.ask(150, "/prices") == {200: 80, 429: 70}  # what is refused is given back
        assert served.ask(20, "/health") == {200: 20}
        assert served.ask(110, "/prices", **ALICE) == {200: 110}
        assert served.ask(30, **reports, **ALICE) == {200: 20, 429: 10}
        tries = {"path": "/login", "method": "POST", **FORM, **ALICE}
        right = {**tries, "body": "password=correct+horse+battery+staple"}
        assert served.ask(20, at_once=4, **right) == {200: 20}
        assert served.ask(40, **tries, body="password=wrong") == {401: 5, 429: 35}
        assert served.ask(9, **right) == {429: 9}
        for first_line in (b"POST //login", b"POST /%6cogin/", b"POST /login?a"):
            assert status_of(served, first_line) == 429, first_line


def status_of(served: Served, first_line: bytes) -> int:
    """What is answered to a request as no client library would send it."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=10) as connection:
        connection.sendall(
            first_line
            + b" HTTP/1.1\r\nX-API-Key: example-key-of-alice\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )
        response = http.client.HTTPResponse(connection)
        response.begin()
        return response.status
