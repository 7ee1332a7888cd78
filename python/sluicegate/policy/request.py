"""One request at all its limits: what was spent on it, and what clients are told."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

from sluicegate.errors import StoreError
from sluicegate.policy.fields import answer_fields, names_of

if TYPE_CHECKING:
    from sluicegate._support.asgi_types import Scope
    from sluicegate.headers import Field
    from sluicegate.policy.client import Client
    from sluicegate.policy.steps import Steps
    from sluicegate.policy.verdict import Verdict
    from sluicegate.refusals import Refusal

__all__ = ["REQUEST", "Request"]

#: Where limits further in find the request in its scope.
REQUEST = "sluicegate.request"

_log = logging.getLogger("sluicegate")


class Request:
    """A request at one middleware, or at a ``rate_limit`` that has none before it.

    It must not hold the scope, which holds it.

    Attributes:
        outer: the same request at the next middleware outwards.
        verdict: of the middleware's own limit; ``None`` if the request is exempt.
        client: whom the request is from, unless that is only its address.
    """

    __slots__ = ("_later", "client", "outer", "verdict")

    def __init__(self, scope: Scope, verdict: Verdict | None, client: Client | None) -> None:
        self.verdict = verdict
        self.client = client
        self.outer: Request | None = scope.get(REQUEST)
        #: Of limits further in; those of all middlewares are the outermost one's.
        self._later: list[Verdict] | None = None
        if self.outer is not None and verdict is not None:
            self.outer.add(verdict)
        scope[REQUEST] = self

    def add(self, verdict: Verdict) -> None:
        """Take note of what a limit further in has decided."""
        if self.outer is not None:
            self.outer.add(verdict)
        elif self._later is None:
            self._later = [verdict]
        else:
            self._later.append(verdict)

    def verdicts(self) -> list[Verdict]:
        """Of all limits so far, the outermost first."""
        if self.outer is not None:
            return self.outer.verdicts()
        first = [] if self.verdict is None else [self.verdict]
        return first + (self._later or [])

    def give_back(self) -> Steps[None]:
        """Give back what was spent on it: a later limit has refused it."""
        for verdict in self.verdicts():
            call = verdict.given_back()
            if call is not None:
                try:
                    yield call
                except StoreError:
                    _log.warning("What %r spent could not be given back.", verdict.tier.name)

    def fields(self, status: int, own: Iterable[Field]) -> list[Field]:
        """What is sent beside an answer's ``own`` header fields, of all limits so far."""
        return answer_fields(self.verdicts(), self.verdict, status, own)

    def name_of(self, refusal: Refusal) -> str:
        """Under which name the fields tell of the limit that refuses."""
        telling = [verdict for verdict in self.verdicts() if verdict.tells]
        for verdict, name in zip(telling, names_of(telling), strict=True):
            if verdict.refusal is refusal:
                return name
        return refusal.policy
