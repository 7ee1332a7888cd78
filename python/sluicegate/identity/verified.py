"""API keys: whose they are, looked up once for many requests, and not for everybody."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from sluicegate._support import fork
from sluicegate._support.arguments import checked_clock, number, whole
from sluicegate._support.functions import returned
from sluicegate._support.single import Single
from sluicegate.identity.failures import Budget, Failures, budget_of
from sluicegate.identity.look_ups import Here, LookUp, is_closed, pause, running_loop
from sluicegate.identity.principal import Principal, verified_principal
from sluicegate.identity.remembered import Known, Remembered
from sluicegate.identity.thread_look_ups import ThreadLookUps

if TYPE_CHECKING:
    from sluicegate._core import ManualClock

__all__ = ["TTL", "VerifiedKeys"]

#: Seconds for which a verified key is remembered.
TTL = 30.0
# Seconds between two looks at what other event loops have under way.
_PAUSE = 0.01


class VerifiedKeys(Single):
    """``verify`` for the middleware, with what it said of keys remembered for a while.

    ``RateLimitMiddleware(app, ..., verify=keys)``. Several middlewares may share one; each
    process has its own memory.

    Requests with one key that come at once wait for one look-up. It runs in a copy of the
    first one's context, and what it sets there no request sees; it goes on when that one is
    cancelled, as long as another waits. A key that is not known, an exception and a wrong
    type are charged to the address: it may cause as many such look-ups, in a window, as the
    default tier's limit. After that ``verify`` is not called for it, but for keys that
    have been verified before. Exceptions propagate.

    Args:
        verify: given a key, returns a :class:`Principal`, its id as a str, or ``None`` for an
            unknown key; may be a coroutine function.
        ttl: how long a verified key is remembered, 0 to 1,000,000 seconds; 0: not at all. Keys
            are kept as keyed hashes.
        max_keys: how many are remembered, 1 to 10,000,000; the oldest goes first.
        clock: a :class:`~sluicegate.testing.ManualClock` for tests.

    Raises:
        ValueError, TypeError: an argument out of its range; the message names it.
    """

    def __init__(
        self,
        verify: Callable[[str], Any],
        *,
        ttl: float = TTL,
        max_keys: int = 10_000,
        clock: ManualClock | None = None,
    ) -> None:
        if not callable(verify) or isinstance(verify, VerifiedKeys):
            raise TypeError(f"verify must be callable, got {verify!r}")
        checked_clock(clock)
        self._verify = verify
        self._remembered = Remembered(
            number("ttl", ttl, 0, 1e6, "seconds"),
            whole("max_keys", max_keys, 1, 10_000_000),
            time.monotonic if clock is None else clock.time,
        )
        self._loops: WeakKeyDictionary[Any, Here] = WeakKeyDictionary()
        self._lock = fork.new_lock()
        self._failures = Failures(clock, self._lock)
        self._threads = self._new_threads()
        fork.call_in_child(self._begin_in_a_child)

    def forget(self, key: str) -> None:
        """Look ``key`` up again when it comes next, as after its revocation.

        May be called from any thread. Only this process forgets; the others remember the
        key for ``ttl`` seconds at most.
        """
        if not isinstance(key, str):
            raise TypeError(f"key must be a str, got {type(key).__name__}")
        self._remembered.forget(key)

    def clear(self) -> None:
        """Forget every key: for servers that know keys only by their own hashes."""
        self._remembered.clear()

    async def find(self, key: str, address: str, limit: int, window: float) -> Principal | None:
        """Whose the key is; ``None``: nobody's, or ``address`` has spent its look-ups.

        It has ``limit`` of them that may fail in ``window`` seconds.
        """
        remembered = self._remembered
        hashed = remembered.hashed(key)
        known = remembered.get(hashed)
        if known is not None and remembered.is_fresh(known):
            return known.principal
        here = self._here()
        budget = budget_of(address, limit, window)
        waited = False
        try:
            while True:
                under_way = here.look_ups.get((hashed, remembered.epoch))
                if under_way is not None and under_way.is_wanted:
                    found: LookUp | Principal | None = under_way
                    break
                # One that was verified before is no key that somebody tries at random.
                if known is not None or self._begin(here, budget):
                    found = self._ask(key, hashed, here, budget, known)
                    break
                waited = True
                if not await here.queues.wait(budget):
                    # In another loop, whose end does not wake this one.
                    with self._lock:
                        if not self._under_way(budget):
                            return None
                    await pause(_PAUSE)
                known = remembered.get(hashed)
                if known is not None and remembered.is_fresh(known):
                    return known.principal
        finally:
            if waited:
                here.queues.ring(budget)
        return await found.join() if isinstance(found, LookUp) else found

    def find_sync(self, key: str, address: str, limit: int, window: float) -> Principal | None:
        """:meth:`find` that blocks its thread, beside others that want to know the same."""
        remembered = self._remembered
        hashed = remembered.hashed(key)
        known = remembered.get(hashed)
        if known is not None and remembered.is_fresh(known):
            return known.principal
        budget, epoch = budget_of(address, limit, window), remembered.epoch

        def fresh() -> Principal | None:
            now = remembered.get(hashed)
            return now.principal if now is not None and remembered.is_fresh(now) else None

        def ask() -> Principal | None:
            until, found = remembered.until(), None
            try:
                found = verified_principal(returned(self._verify(key)))
            finally:
                self._settle(found, hashed, known, until, epoch, budget)
            return found

        spends = budget if known is None else None
        return self._threads.find((hashed, epoch), spends, fresh, ask)

    def _settle(
        self,
        found: Principal | None,
        hashed: bytes,
        known: Known | None,
        until: float,
        epoch: object,
        budget: Budget,
    ) -> None:
        """Remember what was found, or charge the address."""
        if found is None:
            self._remembered.drop(hashed, known)
            self._failures.charge(budget)
        else:
            self._remembered.put(hashed, Known(found, until), epoch)

    def _ask(
        self, key: str, hashed: bytes, here: Here, budget: Budget, known: Known | None
    ) -> LookUp | Principal | None:
        """What ``verify`` says, or the look-up if that is a coroutine."""
        remembered = self._remembered
        epoch, until = remembered.epoch, remembered.until()
        look_up: LookUp | None = None
        found: Principal | None = None

        def settle(found: Principal | None) -> None:
            if look_up is not None and here.look_ups.get((hashed, epoch)) is look_up:
                del here.look_ups[hashed, epoch]
            self._settle(found, hashed, known, until, epoch, budget)
            if known is None:  # as `_begin` began it
                here.queues.ended(budget)

        try:
            answer = self._verify(key)
            if isinstance(answer, Awaitable):
                look_up = LookUp(answer, settle)
            else:
                found = verified_principal(answer)
        finally:
            if look_up is None:
                settle(found)
        if look_up is None:
            return found
        here.look_ups[hashed, epoch] = look_up
        look_up.start()
        return look_up

    def _begin(self, here: Here, budget: Budget) -> bool:
        """Whether one more look-up may begin, if all that are under way should fail."""
        with self._lock:
            if not self._may_begin(budget):
                return False
            here.queues.begun(budget)
            return True

    def _may_begin(self, budget: Budget) -> bool:
        """The same, with the lock."""
        count = 1 + self._under_way(budget)
        return self._failures.admit(budget, count)

    def _under_way(self, budget: Budget) -> int:
        """How many look-ups are under way, wherever; to be asked with the lock."""
        loops = [each for loop, each in self._loops.items() if not is_closed(loop)]
        in_loops = sum(each.queues.under_way(budget) for each in loops)
        return in_loops + self._threads.under_way(budget)

    def _here(self) -> Here:
        loop = running_loop()
        here = self._loops.get(loop)
        if here is None:
            with self._lock:
                for other in [each for each in self._loops if is_closed(each)]:
                    del self._loops[other]
                here = self._loops[loop] = Here()
        return here

    def _begin_in_a_child(self) -> None:
        """What is under way is the parent's."""
        self._loops = WeakKeyDictionary()
        self._threads = self._new_threads()

    def _new_threads(self) -> ThreadLookUps:
        return ThreadLookUps(self._lock, self._may_begin, self._under_way)
