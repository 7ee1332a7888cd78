"""What functions of a policy's ``keys`` are given: a scope, a ``Request``, or a WSGI environ."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from sluicegate.importers.variables import Variables

SCOPE: dict[str, Any] = {
    "type": "http",
    "method": "POST",
    "scheme": "https",
    "path": "/a/é",
    "query_string": b"token=x",
    "client": ("192.0.2.1", 4),
    "headers": [(b"host", b"A.test:80"), (b"cookie", b"id=7"), (b"content-type", b"text/plain")],
}
ENVIRON: dict[str, Any] = {
    "REQUEST_METHOD": "POST",
    "wsgi.url_scheme": "https",
    "SCRIPT_NAME": "/a",
    "PATH_INFO": "/\xc3\xa9",
    "QUERY_STRING": "token=x",
    "REMOTE_ADDR": "192.0.2.1",
    "HTTP_HOST": "A.test:80",
    "HTTP_COOKIE": "id=7",
    "CONTENT_TYPE": "text/plain",
}
VALUES = {
    "$request_method": "POST",
    "$scheme": "https",
    "$uri": "/a/é",
    "$args": "token=x",
    "$arg_token": "x",
    "$remote_addr": "192.0.2.1",
    "$host": "a.test",
    "$cookie_id": "7",
    "$content_type": "text/plain",
    "$http_none": "",
    "$server_name": "s",
    "a$arg_none": "a",
}


@pytest.mark.parametrize("request_", [SCOPE, SimpleNamespace(scope=SCOPE), ENVIRON])
def test_each_has_the_same_values(request_: Any) -> None:
    variables = Variables()
    for text, value in VALUES.items():
        assert variables.value(text, request_, server_name="s") == value, text


def test_what_is_not_there_is_empty() -> None:
    key = Variables().key("$arg_token$http_x$remote_user$host")
    assert key({"headers": []}) is None
    assert key({"REQUEST_METHOD": "GET"}) is None
    # A handshake of a WebSocket has no method.
    assert Variables().value("$request_method-$scheme", {"scheme": "wss"}) == "GET-https"


def test_a_text_that_names_no_variable_is_refused() -> None:
    with pytest.raises(ValueError, match="without the name of a variable"):
        Variables().key("$-")


def test_tables_that_need_each_other_are_an_error() -> None:
    variables = Variables()
    variables.map("a", "$b", {})
    variables.map("b", "$a", {})
    with pytest.raises(ValueError, match="depends on itself"):
        variables.key("$a")({"headers": []})
