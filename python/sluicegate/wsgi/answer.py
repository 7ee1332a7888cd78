"""One request's answer: ``start_response`` with the quota's fields, and what comes at its end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from sluicegate.wsgi.serving import settle_by

if TYPE_CHECKING:
    from sluicegate._support.asgi_types import StartResponse
    from sluicegate.wsgi.request import WSGIRequest

__all__ = ["Answer", "ended"]


class Answer:
    """Begins the answer of ``request``, which the outermost limit writes the fields of."""

    __slots__ = ("_request", "_start_response")

    def __init__(self, request: WSGIRequest, start_response: StartResponse) -> None:
        self._request = request
        self._start_response = start_response

    def start(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        """``start_response``; gives the server's ``write``. A second call has an exception."""
        request, code = self._request, int(status[:3])
        settle_by(request, code)
        request.has_begun = True
        if request.outer is None:
            headers = request.whole_headers(code, headers)
        if exc_info is None:
            return self._start_response(status, headers)
        try:
            return self._start_response(status, headers, exc_info)
        finally:
            exc_info = None  # or its traceback, which may hold this, holds itself


def ended(body: Iterable[bytes], end: Callable[[], None]) -> Iterable[bytes]:
    """The same ``body``, at whose ``close()`` also ``end`` is called."""
    return _Sized(body, end) if isinstance(body, (list, tuple)) else _Closing(body, end)


class _Closing:
    __slots__ = ("_body", "_end")

    def __init__(self, body: Any, end: Callable[[], None]) -> None:
        self._body = body
        self._end: Callable[[], None] | None = end

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._body)

    def close(self) -> None:
        """Servers call it once, whatever has become of the answer."""
        end, self._end = self._end, None
        try:
            close = getattr(self._body, "close", None)
            if close is not None:
                close()
        finally:
            if end is not None:
                end()


class _Sized(_Closing):
    """Of so many parts: of one, a server knows the length."""

    __slots__ = ()

    def __len__(self) -> int:
        return len(self._body)
