"""The header fields of an answer, by the limits that its request has met."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from sluicegate._core import Decision
    from sluicegate.headers import Field, QuotaHeaders

__all__ = ["MetLimits"]

_POLICY, _QUOTA = b"ratelimit-policy", b"ratelimit"
_X: Final = frozenset((b"x-ratelimit-limit", b"x-ratelimit-remaining", b"x-ratelimit-reset"))
_OURS: Final = _X | {_POLICY, _QUOTA}


class _Met(NamedTuple):
    headers: QuotaHeaders
    decision: Decision
    name: bytes
    at_endpoint: bool


class MetLimits:
    """The limits that one request has met and that its answer tells of.

    A limit in shadow tells nothing, so nobody adds it.
    """

    __slots__ = ("_met",)

    def __init__(self) -> None:
        self._met: list[_Met] = []

    def add(self, headers: QuotaHeaders, decision: Decision, at_endpoint: bool = False) -> None:
        """Add the limit that was asked last: an endpoint's, or that of a middleware around it."""
        if headers.sets:
            name = headers.name
            if self._met:
                name = _free(name, {met.name for met in self._met})
            self._met.append(_Met(headers, decision, name, at_endpoint))

    def fields(self, status: int, own: Iterable[Field]) -> list[Field]:
        """What is sent beside an answer's ``own`` fields; nothing with a redirection.

        An app that sends ``X-RateLimit`` itself, as one in front of another service does, has
        the word: ours are left out. The two lists have room for its items and ours.
        """
        if not self._met or 300 <= status < 400:
            return []
        own = [field for field in own if field[0].lower() in _OURS]
        if len(self._met) == 1 and not own:
            return self._met[0].headers.fields(self._met[0].decision)
        told = [(met, dict(met.headers.fields(met.decision))) for met in self._from_within()]
        return _x_ratelimit(told, own) + _lists(told, own)

    def _from_within(self) -> list[_Met]:
        """Those of the endpoint, then those of the middlewares around it."""
        outside = [met for met in self._met if not met.at_endpoint]
        return [met for met in self._met if met.at_endpoint] + outside[::-1]


_Told = list[tuple[_Met, dict[bytes, bytes]]]


def _x_ratelimit(told: _Told, own: list[Field]) -> list[Field]:
    """One value of each field: that of the limit which decides."""
    telling = [(met.decision, fields) for met, fields in told if not _X.isdisjoint(fields)]
    if not telling or any(name.lower() in _X for name, _ in own):
        return []
    refused = [each for each in telling if not each[0]]
    if refused:
        _, fields = max(refused, key=lambda each: each[0].retry_after)
    else:
        _, fields = min(telling, key=lambda each: _share_left(each[0]))
    return [field for field in fields.items() if field[0] in _X]


def _share_left(decision: Decision) -> tuple[float, float]:
    """Of equal shares, that which takes longest to be whole again is the smaller one."""
    return decision.remaining / max(1, decision.limit), -decision.reset_after


def _lists(told: _Told, own: list[Field]) -> list[Field]:
    """Every limit once, under a name of its own."""
    sent = b",".join(value for name, value in own if name.lower() not in _X)
    taken = {met.name for met, _ in told}
    policies: list[bytes] = []
    quotas: list[bytes] = []
    for met, fields in told:
        name = met.name
        if _POLICY not in fields:
            continue
        if name in sent:
            if not met.decision:
                continue  # a refusal of the user's own has told of it
            name = _free(name, taken, sent)
        policies.append(name + fields[_POLICY].removeprefix(met.headers.name))
        quotas.append(name + fields[_QUOTA].removeprefix(met.headers.name))
    return [(_POLICY, b", ".join(policies)), (_QUOTA, b", ".join(quotas))] if policies else []


def _free(name: bytes, taken: set[bytes], sent: bytes = b"") -> bytes:
    """``name``, or with a number behind it that makes it one of its own."""
    number, free = 2, name
    while free in taken or free in sent:
        free = b'%b-%d"' % (name[:-1], number)
        number += 1
    return free
