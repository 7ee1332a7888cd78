"""Every request of a log through a policy, in memory, on a clock that follows the log."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from sluicegate._core import ManualClock
from sluicegate._support.awaiting import drive_at_once
from sluicegate.policy.document.in_memory import enforcer_in_memory, scope_of
from sluicegate.policy.request import Request
from sluicegate.replay.logs.order import SECOND
from sluicegate.replay.policy.outcome import PolicyOutcome

if TYPE_CHECKING:
    from sluicegate.policy.enforcer import Enforcer
    from sluicegate.replay.logs.access_log import AccessLog

__all__ = ["Asked", "replay_policy"]

_TOLD_EVERY = 10_000


class Asked(NamedTuple):
    """Whom the requests of a log are taken to be from, beside their addresses."""

    options: Mapping[str, Any]
    tier: str | None
    keys: Mapping[str, str]

    def enforcer(self, clock: ManualClock | None = None) -> Enforcer:
        """What decides for them."""
        return enforcer_in_memory(self.options, clock=clock, keys=self.keys, permits=False)


def replay_policy(
    log: AccessLog,
    asked: Asked,
    times: array[int] | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> PolicyOutcome:
    """What comes of each request at these ``times``, or at the log's own."""
    times = log.times if times is None else times
    now = times[0]
    clock = ManualClock(now / SECOND)
    enforcer, outcome = asked.enforcer(clock), PolicyOutcome(log)
    names, kinds, tier = log.names, log.kinds, asked.tier
    for row, (time, key, target) in enumerate(zip(times, log.keys, log.targets, strict=True)):
        if time != now:
            clock._skip(time - now)  # noqa: SLF001
            now = time
        kind = kinds[target]
        address = names[key].partition("/")[0]  # of IPv6 networks the first one
        scope = scope_of(kind.method, kind.path, address, host=kind.host, tier=tier)
        request = Request(enforcer)
        if not drive_at_once(enforcer.decide(request, scope, _itself, None)):
            outcome.free += 1
        else:
            outcome.note(time // SECOND, key, target, request)
            if request.refusal is None and request.lingers and request.settles():
                drive_at_once(request.settle(kind.status))
        if row % _TOLD_EVERY == 0:
            progress(row)
    return outcome


def _itself(scope: Any) -> Any:
    return scope
