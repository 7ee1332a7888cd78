"""What a refused client is sent: ASGI apps, to be replaced by one's own."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from sluicegate._core import Decision
    from sluicegate._support.asgi_types import Receive, Scope, Send

__all__ = ["REFUSALS", "Refusal", "json_refusal", "problem_refusal"]

# Registered by draft-ietf-httpapi-ratelimit-headers.
_TYPES: Final = "https://iana.org/assignments/http-problem-types#"
_QUOTA_EXCEEDED: Final = {
    "type": _TYPES + "quota-exceeded",
    "title": "Request cannot be satisfied as assigned quota has been exceeded",
}
_REDUCED_CAPACITY: Final = {
    "type": _TYPES + "temporary-reduced-capacity",
    "title": "Request cannot be satisfied due to temporary server capacity constraints",
}
_TOO_LARGE: Final = {"type": "about:blank", "title": "Content Too Large"}


class Refusal:
    """Why a request is refused. A refusing app finds it in ``scope["sluicegate.refusal"]``.

    Attributes:
        policy: the name of the tier or limiter that refused.
        limit_name: which limit of a gate decided: the one with the longest wait; ``None`` where there
            is but one.
        told_as: its name in the header fields, as ``"free/day"``; it has a number where that is taken.
        violated: the names there of all limits that refuse.
        limit: its limit, or the bucket's capacity.
        cost: what the request would have cost.
        retry_after: whole seconds to wait, ≥ 1; ``None`` if the cost exceeds the limit, so
            that no wait will help.
        decision: the decision, if one was made.
        unavailable: whether nobody decided: the limit's server did not answer, and ``on_error``
            is ``"closed"``. The client did nothing wrong, and nobody knows its quota.
        closed_status: the status of such a refusal.
    """

    def __init__(
        self,
        policy: str,
        limit: int,
        cost: int,
        retry_after: int | None,
        decision: Decision | None,
        closed_status: int = 503,
        *,
        limit_name: str | None = None,
        violated: tuple[str, ...] = (),
        told_as: str | None = None,
    ) -> None:
        self.policy = policy
        self.limit_name = limit_name
        self.told_as = policy if told_as is None else told_as
        self.violated = violated or (self.told_as,)
        self.limit = limit
        self.cost = cost
        self.retry_after = retry_after
        self.decision = decision
        self.closed_status = closed_status
        decided = decision is None or retry_after is None or decision.store != "closed"
        self.unavailable = not decided

    def rename(self, old: str, new: str) -> None:
        """Name a limit as it is told of, where another one has its name."""
        self.told_as = new if self.told_as == old else self.told_as
        self.violated = tuple(new if name == old else name for name in self.violated)

    @property
    def status(self) -> int:
        """429; 413 if the cost exceeds the limit; ``closed_status`` if nobody decided."""
        if self.retry_after is None:
            return 413
        return self.closed_status if self.unavailable else 429

    @property
    def message(self) -> str:
        """One line for the client."""
        if self.retry_after is None:
            return f"The request costs {self.cost}, more than the limit of {self.limit}"
        if self.unavailable:
            return "Rate limits cannot be checked at the moment"
        return "Rate limit exceeded"


async def json_refusal(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001
    """JSON: ``{"error": …, "retry_after": …}``, the seconds to wait."""
    refusal: Refusal = scope["sluicegate.refusal"]
    body = _json(refusal.message, refusal.retry_after)
    await _respond(send, refusal.status, b"application/json", body)


async def problem_refusal(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001
    """A problem of RFC 9457, of the types that the IETF's rate limit draft registers."""
    refusal: Refusal = scope["sluicegate.refusal"]
    violated = () if refusal.unavailable else refusal.violated
    body = _problem(refusal.message, refusal.retry_after, refusal.status, violated)
    await _respond(send, refusal.status, b"application/problem+json", body)


#: Those that rules may name.
REFUSALS: Final[dict[Any, Any]] = {"json": json_refusal, "problem": problem_refusal}


# In a flood many are refused for as long; writing JSON takes 7 µs.
@lru_cache(maxsize=256)
def _json(message: str, retry_after: int | None) -> bytes:
    body: dict[str, Any] = {"error": message}
    if retry_after is not None:
        body["retry_after"] = retry_after
    return _written(body)


@lru_cache(maxsize=256)
def _problem(
    message: str, retry_after: int | None, status: int, violated: tuple[str, ...]
) -> bytes:
    body: dict[str, Any] = {**_TOO_LARGE}
    if retry_after is not None:
        body = {**(_QUOTA_EXCEEDED if violated else _REDUCED_CAPACITY)}
        if violated:
            body["violated-policies"] = [*violated]
        body["retry_after"] = retry_after
    return _written(body | {"status": status, "detail": message})


def _written(body: dict[str, Any]) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()


async def _respond(send: Send, status: int, kind: bytes, content: bytes) -> None:
    headers = [(b"content-type", kind), (b"content-length", b"%d" % len(content))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
