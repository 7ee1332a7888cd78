"""Look-ups under way in threads: who shares them, and who waits for them to end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable
from threading import Condition
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sluicegate._support.fork import Lock
    from sluicegate.identity.failures import Budget
    from sluicegate.identity.principal import Principal

__all__ = ["ThreadLookUps"]

# Seconds between two looks at what event loops have under way of a budget.
_PAUSE = 0.01


class _LookUp:
    """One look-up: once it is over, what it found, or its exception."""

    __slots__ = ("error", "found", "is_given_up", "over")

    def __init__(self) -> None:
        self.over = False
        self.found: Principal | None = None
        self.error: Exception | None = None
        #: The thread was made to end: whoever waits for it asks anew.
        self.is_given_up = False


class ThreadLookUps:
    """Those of one :class:`~sluicegate.identity.VerifiedKeys`.

    Args:
        lock: guards them.
        may_begin: whether one more of a budget may begin, should all fail that are under way.
        under_way: how many of a budget are, in threads and in event loops.
    """

    __slots__ = ("_changed", "_charged", "_look_ups", "_may_begin", "_under_way")

    def __init__(
        self,
        lock: Lock,
        may_begin: Callable[[Budget], bool],
        under_way: Callable[[Budget], int],
    ) -> None:
        self._changed = Condition(lock)
        self._may_begin = may_begin
        self._under_way = under_way
        self._look_ups: dict[Hashable, _LookUp] = {}
        self._charged: Counter[Budget | None] = Counter()

    def under_way(self, budget: Budget) -> int:
        """How many there are of a budget; to be asked with the lock."""
        return self._charged[budget]

    def find(
        self,
        which: Hashable,
        budget: Budget | None,
        remembered: Callable[[], Principal | None],
        ask: Callable[[], Principal | None],
    ) -> Principal | None:
        """What ``ask`` gives, to all threads that want to know ``which`` at once.

        ``None`` as well if the ``budget`` does not allow to ask; without one it is always allowed.
        ``remembered`` is what another thread may have found out meanwhile.
        """
        with self._changed:
            while True:
                found = remembered()
                if found is not None:
                    return found
                other = self._look_ups.get(which)
                if other is not None:
                    while not other.over:
                        self._changed.wait()
                    if other.error is not None:
                        raise other.error
                    if not other.is_given_up:
                        return other.found
                elif budget is None or self._may_begin(budget):
                    mine = self._look_ups[which] = _LookUp()
                    self._charged[budget] += 1
                    break
                elif self._under_way(budget):
                    self._changed.wait(_PAUSE)
                else:
                    return None
        return self._asked(mine, which, budget, ask)

    def _asked(
        self,
        mine: _LookUp,
        which: Hashable,
        budget: Budget | None,
        ask: Callable[[], Principal | None],
    ) -> Principal | None:
        try:
            mine.found = ask()
        except Exception as error:
            mine.error = error
            raise
        except BaseException:
            mine.is_given_up = True
            raise
        finally:
            with self._changed:
                mine.over = True
                self._look_ups.pop(which, None)
                self._charged[budget] -= 1
                if not self._charged[budget]:
                    del self._charged[budget]
                self._changed.notify_all()
        return mine.found
