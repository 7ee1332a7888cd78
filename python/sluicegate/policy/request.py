"""One request at all its limits: what was spent on it, and what clients are told."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from sluicegate.policy.cors import expose, origin_of
from sluicegate.policy.fields import answer_fields, refusal_fields, strictness, told
from sluicegate.policy.steps import put_right
from sluicegate.policy.verdict import NOT_GIVEN_BACK, Verdict
from sluicegate.refusals import REFUSALS, json_refusal

if TYPE_CHECKING:
    from sluicegate._core import Decision
    from sluicegate._support.asgi_types import Message
    from sluicegate.headers import Field
    from sluicegate.policy.cors import Cors
    from sluicegate.policy.enforcer import Enforcer
    from sluicegate.policy.steps import Steps
    from sluicegate.refusals import Refusal

__all__ = ["REQUEST", "Request"]

#: Where limits further in find the request in its scope, which it must not hold therefore.
REQUEST = "sluicegate.request"


class Request(Verdict):
    """A middleware's verdict on a request, and those of the limits further in.

    Attributes:
        outer: the same request at the next middleware outwards.
        enforcer: of the middleware; ``None`` at a ``rate_limit`` that has none before it.
        headers: the request's own.
        is_answered: whether what is to be sent is written when its answer begins.
    """

    outer: Request | None = None
    is_answered: bool = True
    #: Those of all limits further in are the outermost one's.
    later: list[Verdict] | None = None
    #: What the outermost one's answer refuses, and which scripts may read it.
    refused: tuple[Refusal, Cors | None] | None = None

    def __init__(self, enforcer: Enforcer | None = None, headers: Iterable[Field] = ()) -> None:
        self.enforcer = enforcer
        self.headers = headers

    def outermost(self) -> Request:
        """The same request at the outermost middleware, which writes the answer's fields."""
        request = self
        while request.outer is not None:
            request = request.outer
        return request

    def add(self, verdict: Verdict) -> None:
        """Take note of what a limit further in has decided."""
        outermost = self.outermost()
        if outermost.later is None:
            outermost.later = []
        outermost.later.append(verdict)

    def verdicts(self) -> list[Verdict]:
        """Of all limits so far, the outermost first."""
        outermost = self.outermost()
        if not (outermost.earlier or outermost.later):
            return [outermost]
        return [each for one in (outermost, *(outermost.later or ())) for each in one.in_stores()]

    def deciding(self) -> Decision | None:
        """The decision that refuses, or else that with the smallest share left."""
        if self.refusal is not None or not self.earlier:
            return self.decision
        decided = [each for each in self.in_stores() if each.decision is not None]
        return max(decided, key=strictness).decision if decided else None

    def give_back(self) -> Steps[None]:
        """Give back what was spent on it: a later limit has refused it."""
        if self.outer is None and self.later is None and not self.earlier:
            return  # nothing but this verdict
        yield from put_right([each.given_back() for each in self.verdicts()], NOT_GIVEN_BACK)

    def fields(self, status: int, own: Iterable[Field]) -> list[Field]:
        """What is sent beside an answer's ``own`` header fields, of all limits so far."""
        return answer_fields(self.verdicts(), self.in_stores(), status, own)

    def whole(self, message: Message) -> Message:
        """The first message of an answer with all fields that are ours."""
        status, own = message.get("status", 101), message.get("headers", ())
        # A copy: a message that is sent twice must not collect ours.
        return dict(message, headers=self.all_fields(status, own))

    def mark(self, message: Message, fields: list[Field]) -> None:
        """Add to its only limit's ``fields`` what belongs to a refusal, of which no script asks."""
        assert self.refused is not None
        refusal, cors = self.refused
        fields += refusal_fields(refusal, message["status"], message["headers"])
        if cors is not None:
            cors.allow(None, fields)

    def all_fields(self, status: int, own: Iterable[Field]) -> list[Field]:
        """An answer's ``own`` fields and ours, of all limits and of a refusal."""
        fields, cors = [*own], None
        ours = self.fields(status, fields)
        if self.refused is not None:
            refusal, cors = self.refused
            ours = [*refusal_fields(refusal, status, fields), *ours]
        return self.readable(fields, ours, cors)

    def readable(self, fields: list[Field], ours: list[Field], cors: Cors | None) -> list[Field]:
        """``fields`` and ``ours``, and which of ours scripts may read; with ``cors``, of a refusal."""
        fields += ours
        origin = origin_of(self.headers)
        if ours and origin is not None:
            expose(fields, [name for name, _ in ours])
        if cors is not None:
            cors.allow(origin, fields)
        return fields

    def answer_to(self, refusal: Refusal) -> Any:
        """The app that answers it: of the rule that refuses, or the policy's."""
        answer: Any = json_refusal if self.enforcer is None else self.enforcer.policy.refusal
        if self.refusal is refusal:
            answer = self.tier.answer(refusal.limit_name) or answer
        return REFUSALS.get(answer, answer)

    def name(self, refusal: Refusal) -> None:
        """Let it name the limits that refuse as the fields do, where others are told of as well."""
        if self.later is None and self.outer is None and not self.earlier:
            return
        for limit in told(self.verdicts()):
            if limit.verdict.refusal is refusal:
                refusal.rename(limit.item.name, limit.name)
