"""What an answer or an exception says of itself: its HTTP status, and when to come back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timezone
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import cast

__all__ = ["asked_to_wait", "status_of"]


def status_of(outcome: object) -> int | None:
    """The HTTP status of a response, or of an exception that has or carries one."""
    for source in _sources(outcome):
        for name in ("status_code", "status"):
            status = _attribute(source, name)
            if isinstance(status, int) and not isinstance(status, bool):
                return int(status)
    return None


def asked_to_wait(outcome: object, now: float) -> float:
    """Seconds that the server asks to wait, 0.0 if it does not say; ``now`` is Unix time."""
    for source in _sources(outcome):
        fields = _fields(_attribute(source, "headers"))
        milliseconds = _seconds(fields.get("retry-after-ms"))
        if milliseconds is not None:
            return milliseconds / 1000
        wait = _retry_after(fields, now)
        if wait is not None:
            return wait
    if isinstance(outcome, BaseException):
        return _seconds(_attribute(outcome, "retry_after")) or 0.0
    return 0.0


def _sources(outcome: object) -> Iterator[object]:
    if isinstance(outcome, BaseException):
        yield outcome
        response = _attribute(outcome, "response")
        # Not its truth: a requests.Response is false when it is an error.
        if response is not None:
            yield response
    elif _attribute(outcome, "headers") is not None:
        yield outcome


def _attribute(thing: object, name: str) -> object:
    try:
        return getattr(thing, name, None)
    except Exception:  # a property that raises is one that says nothing
        return None


def _fields(headers: object) -> dict[str, str]:
    """Header fields by their names in lower case, whatever mapping they come in."""
    items = _attribute(headers, "items")
    if not callable(items):
        return {}
    pairs = cast("Iterable[tuple[object, object]]", items())
    return {name.lower(): str(value) for name, value in pairs if isinstance(name, str)}


def _retry_after(fields: dict[str, str], now: float) -> float | None:
    text = fields.get("retry-after")
    wait = _seconds(text)
    if wait is not None or text is None:
        return wait
    moment = _unix_time(text)
    if moment is None:
        return None
    # A date is by the server's clock, which need not agree with ours.
    sent = _unix_time(fields.get("date", ""))
    return max(0.0, moment - (now if sent is None else sent))


def _seconds(value: object) -> float | None:
    """``value`` if it is a finite number ≥ 0, or text that says one."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return None
    return seconds if isfinite(seconds) and seconds >= 0 else None


def _unix_time(text: str) -> float | None:
    try:
        moment = parsedate_to_datetime(text)
        # The old form of asctime names no zone; HTTP's is always UTC.
        return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
