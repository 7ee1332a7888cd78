"""What a refused client is sent: ASGI apps, to be replaced by one's own."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from sluicegate._asgi_types import Receive, Scope, Send
    from sluicegate._core import Decision

__all__ = ["Refusal", "json_refusal", "problem_refusal"]

_QUOTA_EXCEEDED: Final = "https://iana.org/assignments/http-problem-types#quota-exceeded"


class Refusal:
    """Why a request is refused. A refusing app finds it in ``scope["sluicegate.refusal"]``.

    Attributes:
        policy: the name of the tier or limiter that refused.
        limit: its limit, or the bucket's capacity.
        cost: what the request would have cost.
        retry_after: whole seconds to wait, ≥ 1; ``None`` if the cost exceeds the limit, so
            that no wait will help.
        decision: the decision, if one was made.
    """

    __slots__ = ("cost", "decision", "limit", "policy", "retry_after")

    def __init__(
        self, policy: str, limit: int, cost: int, retry_after: int | None, decision: Decision | None
    ) -> None:
        self.policy = policy
        self.limit = limit
        self.cost = cost
        self.retry_after = retry_after
        self.decision = decision

    @property
    def status(self) -> int:
        """429, or 413 if the cost exceeds the limit."""
        return 413 if self.retry_after is None else 429

    @property
    def message(self) -> str:
        """One line for the client."""
        if self.retry_after is None:
            return f"The request costs {self.cost}, more than the limit of {self.limit}"
        return "Rate limit exceeded"


async def json_refusal(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001
    """Article 2's body: ``{"error": …, "retry_after": …}``."""
    refusal: Refusal = scope["sluicegate.refusal"]
    body = _json(refusal.message, refusal.retry_after)
    await _respond(send, refusal.status, b"application/json", body)


async def problem_refusal(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001
    """A problem of RFC 9457, of the type that the IETF's rate limit draft registers."""
    refusal: Refusal = scope["sluicegate.refusal"]
    body = _problem(refusal.message, refusal.retry_after, refusal.status, refusal.policy)
    await _respond(send, refusal.status, b"application/problem+json", body)


# In a flood many are refused for as long; writing JSON takes 7 µs.
@lru_cache(maxsize=256)
def _json(message: str, retry_after: int | None) -> bytes:
    body: dict[str, Any] = {"error": message}
    if retry_after is not None:
        body["retry_after"] = retry_after
    return _written(body)


@lru_cache(maxsize=256)
def _problem(message: str, retry_after: int | None, status: int, policy: str) -> bytes:
    body: dict[str, Any] = {"type": "about:blank", "title": "Content Too Large"}
    if retry_after is not None:
        body = {
            "type": _QUOTA_EXCEEDED,
            "title": "Request cannot be satisfied as assigned quota has been exceeded",
        }
        body["violated-policies"] = [policy]
        body["retry_after"] = retry_after
    return _written(body | {"status": status, "detail": message})


def _written(body: dict[str, Any]) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()


async def _respond(send: Send, status: int, kind: bytes, content: bytes) -> None:
    headers = [(b"content-type", kind), (b"content-length", b"%d" % len(content))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
