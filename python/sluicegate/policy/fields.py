"""The header fields of an answer, by the limits that its request has met."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from sluicegate.headers import quoted

if TYPE_CHECKING:
    from sluicegate.headers import Field, Item
    from sluicegate.policy.verdict import Verdict
    from sluicegate.refusals import Refusal

__all__ = ["Told", "answer_fields", "refusal_fields", "strictness", "told"]

_LISTS: Final = (b"ratelimit-policy", b"ratelimit")
_X: Final = frozenset((b"x-ratelimit-limit", b"x-ratelimit-remaining", b"x-ratelimit-reset"))
_OURS: Final = _X.union(_LISTS)


def answer_fields(
    verdicts: Sequence[Verdict], around: Collection[Verdict], status: int, own: Iterable[Field]
) -> list[Field]:
    """What is sent beside an answer's ``own`` fields; nothing with a redirection.

    ``verdicts`` are in the order in which the limits were asked; ``around`` are the
    middleware's that is around all others. Where an app sends ``X-RateLimit`` itself, as one in front of another
    service does, ours are left out. The two lists have room for its items and ours.
    """
    if 300 <= status < 400:
        return []
    if len(verdicts) == 1:  # most often, and in half the time
        (verdict,) = verdicts
        if not verdict.tells:
            return []
        for name, _ in own:
            if name.lower() in _OURS:
                break
        else:
            assert verdict.decision is not None
            return verdict.tier.headers.fields(verdict.decision)
    telling = _latest([verdict for verdict in verdicts if verdict.tells])
    own = [field for field in own if field[0].lower() in _OURS]
    fields = [] if any(name.lower() in _X for name, _ in own) else _x_ratelimit(telling)
    sent = b",".join(value for name, value in own if name.lower() in _LISTS)
    return fields + _lists(told(telling), around, sent)


def refusal_fields(refusal: Refusal, status: int, own: Iterable[Field]) -> list[Field]:
    """What a refusal is sent beside its ``own`` fields, which stand, whatever the limits."""
    fields = [(b"cache-control", b"no-store")]
    # Told to wait, a client may put off what a redirection sends it on to.
    if refusal.retry_after is not None and not 300 <= status < 400:
        fields.append((b"retry-after", b"%d" % refusal.retry_after))
    names = {name.lower() for name, _ in own}
    return [field for field in fields if field[0] not in names]


class Told(NamedTuple):
    """A limit that clients are told of, under a name that no other one has."""

    verdict: Verdict
    item: Item
    name: str


def told(verdicts: Iterable[Verdict]) -> list[Told]:
    """All limits that clients are told of, in the order in which they were asked.

    One whose name is taken gets a number.
    """
    found: list[Told] = []
    names: list[str] = []
    for verdict in verdicts:
        if not verdict.tells or verdict.decision is None:
            continue
        for item in verdict.tier.headers.items(verdict.decision):
            names.append(_free(item.name, names))
            found.append(Told(verdict, item, names[-1]))
    return found


def _latest(verdicts: list[Verdict]) -> list[Verdict]:
    """A gate that a request has met twice tells of its limits once, as they are now."""
    kept: list[Verdict] = []
    for verdict in verdicts:
        kept = [
            other
            for other in kept
            if not (
                verdict.tier.is_gate
                and other.tier.limiter is verdict.tier.limiter
                and other.key == verdict.key
                and _overlap(other, verdict)
            )
        ]
        kept.append(verdict)
    return kept


def _overlap(one: Verdict, other: Verdict) -> bool:
    """Whether they are about the same limits of a gate, which may have been asked for others too."""
    first, second = one.decision, other.decision
    return not first.limits.keys().isdisjoint(second.limits)  # type: ignore[union-attr]


def _x_ratelimit(telling: list[Verdict]) -> list[Field]:
    """One value of each field: that of the limit which decides."""
    saying = [verdict for verdict in telling if "x-ratelimit" in verdict.tier.headers.sets]
    if not saying:
        return []
    strictest = max(saying, key=strictness)
    assert strictest.decision is not None
    fields = strictest.tier.headers.fields(strictest.decision)
    return [field for field in fields if field[0] in _X]


def strictness(verdict: Verdict) -> tuple[float, float, float]:
    """Largest of the one that a client should heed: the longest wait, else the smallest share."""
    decision = verdict.decision
    assert decision is not None
    return decision.retry_after, -decision.remaining / decision.limit, decision.reset_after


def _lists(limits: list[Told], around: Collection[Verdict], sent: bytes) -> list[Field]:
    """Every limit once, under a name that is not ``sent`` already; those ``around`` all are last."""
    within: list[tuple[bytes, bytes]] = []
    last: list[tuple[bytes, bytes]] = []
    names = [limit.name for limit in limits]
    for verdict, item, name in limits:
        if item.policy is None or item.left is None:
            continue
        is_sent = quoted(name) in sent
        if is_sent and verdict.refusal is not None:
            continue  # by a refusal of the user's own
        shown = quoted(_free(name, names, sent) if is_sent else name)
        (last if verdict in around else within).append((shown + item.policy, shown + item.left))
    items = within + last
    if not items:
        return []
    policies, left = zip(*items, strict=True)
    return [(_LISTS[0], b", ".join(policies)), (_LISTS[1], b", ".join(left))]


def _free(name: str, taken: Collection[str], sent: bytes = b"") -> str:
    number, free = 2, name
    while free in taken or quoted(free) in sent:
        free = f"{name}-{number}"
        number += 1
    return free
