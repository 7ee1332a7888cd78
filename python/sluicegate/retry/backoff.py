"""How long to wait before a retry: twice as long each time, and never all at once."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, ldexp
from random import random as _random

from sluicegate._support.arguments import number, whole

__all__ = ["Backoff"]

# Doubled this often, even the smallest wait is over the longest.
_MOST_DOUBLINGS = 100


class Backoff:
    """Waits of 1, 2, 4, … seconds, each longer or shorter by up to 20 %.

    Args:
        initial: seconds before the first retry, 0.000001 to 1,000,000.
        longest: seconds that a wait grows to, before its jitter, ``initial`` to 1,000,000.
        jitter: largest part by which a wait is changed, 0 to 1.
        random: gives numbers from 0 up to 1; ``random.random`` unless told otherwise.

    Raises:
        ValueError, TypeError: an argument out of its range; the message names it.
    """

    __slots__ = ("_random", "initial", "jitter", "longest")

    def __init__(
        self,
        initial: float = 1.0,
        longest: float = 60.0,
        jitter: float = 0.2,
        *,
        random: Callable[[], float] | None = None,
    ) -> None:
        self.initial = number("initial", initial, 1e-6, 1e6, "seconds")
        self.longest = number("longest", longest, self.initial, 1e6, "seconds")
        self.jitter = number("jitter", jitter, 0, 1, "parts of a wait")
        if random is not None and not callable(random):
            raise TypeError(f"random must be callable, got {random!r}")
        self._random = random or _random

    def seconds(self, retry: int, retry_after: float = 0.0) -> float:
        """How long to wait before retry number ``retry``, 1 for the first.

        ``retry_after`` is what the server asked for, in seconds; 0.0 if it asked for
        nothing. It takes the place of the backoff, and jitter then only lengthens.

        Raises ``TypeError`` or ``ValueError`` for a number that is out of its range.
        """
        doublings = whole("retry", retry, 1, 1_000_000_000) - 1
        if number("retry_after", retry_after, 0, inf, "seconds"):
            return retry_after * (1 + self.jitter * self._random())
        wait = min(ldexp(self.initial, min(doublings, _MOST_DOUBLINGS)), self.longest)
        return wait * (1 + self.jitter * (2 * self._random() - 1))
