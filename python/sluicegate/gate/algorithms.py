"""Which algorithm counts a quota, where one is named and where none is."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from sluicegate._core import Quota

__all__ = ["ALGORITHMS", "algorithm_of", "check_algorithm", "default_algorithm"]

#: The names that users write, and the core's own for them.
ALGORITHMS = {
    "sliding_window": "sliding_log",
    "segmented_window": "segmented_window",
    "sliding_counter": "sliding_counter",
    "fixed_window": "fixed_window",
    "token_bucket": "token_bucket",
}
#: The largest limit that the exact log counts where no algorithm is named: 4 kB a client.
_LARGEST_LOG = 1_000


def default_algorithm(quota: Quota, beside: Iterable[Quota] = ()) -> str:
    """The algorithm of a quota where none is named: in no window it lets more pass than the limit.

    A burst is a token bucket's, a time zone a fixed window's. Other windows are counted by the
    exact log up to 1,000 units, above by segments. So that all clients of a policy are counted in
    one way, the largest of these decides, ``quota`` itself or one ``beside`` it.
    """
    if quota.burst is not None:
        return "token_bucket"
    if quota.zone is not None:
        return "fixed_window"
    sliding = [each.limit or 0 for each in beside if each.burst is None is each.zone]
    largest = max(quota.limit or 0, *sliding, 0)
    return "sliding_window" if largest <= _LARGEST_LOG else "segmented_window"


def check_algorithm(algorithm: object) -> str | None:
    """``algorithm`` if it is a name, or ``None`` for the default."""
    if algorithm is None:
        return None
    names = ", ".join(map(repr, ALGORITHMS))
    if not isinstance(algorithm, str):
        raise TypeError(f"algorithm must be one of {names} or None, got {algorithm!r}")
    if algorithm not in ALGORITHMS:
        raise ValueError(f"algorithm must be one of {names} or None, got {algorithm!r}")
    return algorithm


def algorithm_of(quota: Quota, algorithm: str | None) -> str:
    """The core's name of the algorithm that counts ``quota``.

    Raises ``ValueError`` where the one that is named cannot.
    """
    if quota.concurrent is not None:
        if algorithm is not None:
            raise _misfit(algorithm, quota, "permits are held, and have no window")
        return "permits"
    if algorithm is None:
        return ALGORITHMS[default_algorithm(quota)]
    if quota.burst is not None and algorithm != "token_bucket":
        raise _misfit(algorithm, quota, "only a token bucket has a burst")
    if quota.zone is not None and algorithm != "fixed_window":
        raise _misfit(algorithm, quota, "only a fixed window follows a calendar")
    return ALGORITHMS[algorithm]


def _misfit(algorithm: str, quota: Quota, why: str) -> ValueError:
    return ValueError(
        f"quota '{quota}': {why}, and algorithm= names {algorithm!r}: leave algorithm= out, which "
        "chooses by the quota"
    )
