"""What a refused client is sent: ASGI apps, to be replaced by one's own."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from sluicegate._core import Decision
    from sluicegate._support.asgi_types import Receive, Scope, Send

__all__ = ["REFUSALS", "FixedRefusal", "Refusal", "json_refusal", "problem_refusal"]

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
_USUAL: Final = 429
_WITHOUT_BODY: Final = (204, 205, 304)
_CONTENT_TYPE: Final = re.compile(r"[!-~]+/[!-~]+( [!-~]+)*", re.ASCII)


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
        return self.closed_status if self.unavailable else _USUAL

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


class FixedRefusal:
    """Answers all refused requests with one status and text; as a middleware's or a rule's ``refusal``.

    Refusals that are no 429 (a cost above the limit, a store that does not answer) get
    :func:`json_refusal`, as without it.

    Args:
        status: 200 to 599.
        text: the body; JSON as that of :func:`json_refusal` unless given.
        content_type: of the ``text``.

    Raises:
        ValueError, TypeError: an argument out of its range; the message names it.
    """

    __slots__ = ("content_type", "status", "text")

    def __init__(
        self,
        status: int = 429,
        text: str | None = None,
        content_type: str = "text/plain; charset=utf-8",
    ) -> None:
        if type(status) is not int or not 200 <= status <= 599:
            kind = ValueError if type(status) is int else TypeError
            raise kind(
                f"status must be a whole number from 200 to 599, such as 503, got {status!r}"
            )
        if text is not None and not isinstance(text, str):
            raise TypeError(f"text must be a text or None, got {text!r}")
        if not isinstance(content_type, str) or not _CONTENT_TYPE.fullmatch(content_type):
            raise ValueError(
                f"content_type must be one such as 'text/html; charset=utf-8', got {content_type!r}"
            )
        if status in _WITHOUT_BODY and text is None:
            text = ""
        if status in _WITHOUT_BODY and text:
            raise ValueError(
                f"text must be empty, since an answer of {status} has none, got {text!r}"
            )
        self.status = status
        self.text = text
        self.content_type = content_type

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal: Refusal = scope["sluicegate.refusal"]
        if refusal.status != _USUAL:
            await json_refusal(scope, receive, send)
        elif self.text is None:
            body = _json(refusal.message, refusal.retry_after)
            await _respond(send, self.status, b"application/json", body)
        elif self.status in _WITHOUT_BODY:
            await send({"type": "http.response.start", "status": self.status, "headers": []})
            await send({"type": "http.response.body", "body": b""})
        else:
            await _respond(send, self.status, self.content_type.encode(), self.text.encode())

    def _values(self) -> tuple[object, ...]:
        return self.status, self.text, self.content_type

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FixedRefusal) and self._values() == other._values()

    def __hash__(self) -> int:
        return hash(self._values())

    def __repr__(self) -> str:
        return f"FixedRefusal(status={self.status}, text={self.text!r}, content_type={self.content_type!r})"


#: Those that rules may name.
REFUSALS: Final[dict[str, Any]] = {"json": json_refusal, "problem": problem_refusal}


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
