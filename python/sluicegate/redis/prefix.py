"""What keys in Redis begin with, unless told."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Any

from sluicegate._core import Quota
from sluicegate._support.arguments import checked_prefix

__all__ = ["key_prefix", "windows_prefix"]

_LONGEST = 64
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_OF_A_NAME = _LETTERS | frozenset("0123456789_-.:/")


def windows_prefix(algorithm: str, quota: Any, prefix: str | None, name: str | None) -> str:
    """Of a limiter of windows; its quota comes as a class takes it."""

    def told(name: str | None) -> str:
        limit, *window = quota
        is_quota = isinstance(limit, Quota | str) and not window
        return _by_quota(Quota(limit), name) if is_quota else _by_numbers(name or limit, *window)

    return key_prefix(algorithm, prefix, name, told)


def key_prefix(
    algorithm: str, prefix: str | None, name: str | None, told: Callable[[str | None], str]
) -> str:
    """The prefix as it was given; or with the algorithm and what is ``told`` of the quota.

    Limits of different quotas count apart, unless they have a name in the amount's place.
    """
    if prefix is not None:
        checked_prefix(prefix)
        if name is None:
            return prefix
    quota = told(None if name is None else checked_name(name))
    first = "sluicegate" if prefix is None else prefix
    return _short(":".join(part for part in (first, algorithm, quota) if part))


def checked_name(name: object) -> str:
    """``name`` if a limit may be called that."""
    if not isinstance(name, str):
        raise TypeError(f"name must be a str or None, got {type(name).__name__} {name!r}")
    # No amount, with which keys begin where there is no name, begins with a letter.
    if not (1 <= len(name) <= _LONGEST and name[0] in _LETTERS and _OF_A_NAME.issuperset(name)):
        raise ValueError(
            "name must be 1 to 64 letters, digits and _-.:/ that begin with a letter, "
            f"as 'api', got {name!r}"
        )
    return name


def _short(prefix: str) -> str:
    if len(prefix.encode("utf-8", "replace")) <= _LONGEST:
        return prefix
    digest = sha256(prefix.encode("utf-8", "replace")).hexdigest()[:20]
    start = prefix.encode("utf-8", "replace")[: _LONGEST - 21].decode("utf-8", "ignore")
    return f"{start}:{digest}"


def _by_quota(quota: Quota, name: str | None) -> str:
    unit = "" if quota.unit == "requests" else f" {quota.unit}"
    amount = f"{name or quota.limit}{unit}"
    if quota.zone is None:
        return _by_numbers(amount, quota.window_seconds)
    period, _, zone = str(quota).partition("/")[2].partition(" in ")
    return f"{amount}/{period}@{zone}"


def _by_numbers(limit: object, window_seconds: object = None) -> str:
    # 60 and 60.0 are the same quota.
    whole = not isinstance(window_seconds, float)
    seconds = str(window_seconds) if whole else f"{window_seconds:.15g}"
    return f"{limit}/{seconds}"
