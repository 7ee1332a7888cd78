"""A service whose limits stand in a file: ``uvicorn limits_app:app`` in this directory.

Change ``limits.toml`` while it runs: the next requests are limited by what it says then.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sluicegate.asgi import RateLimitMiddleware
from sluicegate.identity import Principal

# A database, in an app that has one.
_KEYS = {"key-of-ada": Principal("ada", tier="premium"), "key-of-bob": Principal("bob")}
_ORGANISATIONS = {"ada": "acme", "bob": "acme"}


def principal_of(api_key: str) -> Principal | None:
    """Whose an API key is; an unknown one is limited by its address."""
    return _KEYS.get(api_key)


def org_of(scope: Any) -> str | None:
    """The organisation of whoever asks; ``None`` counts nothing."""
    principal = scope.get("sluicegate.principal")
    return None if principal is None else _ORGANISATIONS.get(principal.id)


async def answer(scope: Any, receive: Any, send: Any) -> None:
    """The app itself."""
    assert scope["type"] == "http"
    status = 401 if scope["path"] == "/login" else 200
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": b"hello\n"})


app = RateLimitMiddleware(answer, policy=Path(__file__).with_name("limits.toml"))
