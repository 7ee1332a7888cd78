"""The Rust core. Import these names from :mod:`sluicegate`, not from here.

Every method holds the interpreter lock only while it computes, and none waits
with it: a contended lock, a batch of 100,000 keys and more, ``clear`` and
``wait_sync`` release it first.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any, Literal, Protocol, final

from typing_extensions import Self

__all__ = [
    "Bridge",
    "CountedChecks",
    "Counts",
    "Decision",
    "FixedWindow",
    "Limiter",
    "ManualClock",
    "Place",
    "RedisLimiter",
    "RedisScripts",
    "SlidingWindowCounter",
    "SlidingWindowRateLimiter",
    "Statistics",
    "TokenBucket",
    "TokenBucketConfig",
    "__version__",
    "_after_fork_in_child",
    "_after_fork_in_parent",
    "_before_fork",
    "_limits_off",
]

__version__: str

_Overflow = Literal["share", "admit"]

class _Bell(Protocol):
    def ring(self) -> bool:
        """Have the place polled, from any thread. False: nobody is there any more."""

@final
class Decision:
    """The outcome of one call: true when allowed, and unpacks as ``(allowed, info)``."""

    def __new__(
        cls,
        allowed: bool,
        limit: int,
        remaining: int,
        retry_after: float,
        reset_after: float,
        reset_at: float,
        store: str = "memory",
    ) -> Self: ...
    @property
    def store(self) -> str:
        """Who decided: ``"memory"``, or with Redis ``"redis"``, ``"remembered"``, ``"local"``,
        ``"open"`` or ``"closed"``."""

    @property
    def allowed(self) -> bool:
        """Whether the call may go ahead."""
    @property
    def limit(self) -> int:
        """The quota's limit, or the bucket's capacity, when this was decided."""
    @property
    def remaining(self) -> int:
        """Units left after this decision."""
    @property
    def retry_after(self) -> float:
        """Seconds until this cost would be admitted if nobody else spends; 0.0 when allowed."""
    @property
    def reset_after(self) -> float:
        """Seconds until the whole quota is back; 0.0 if it is."""
    @property
    def reset_at(self) -> float:
        """Unix time at which the whole quota is back, fixed when this was decided."""
    @property
    def info(self) -> dict[str, float]:
        """``remaining`` always, ``reset_at`` when allowed, ``retry_after`` when refused."""
    def _header_values(self) -> tuple[int, bytes, bytes, bytes]: ...
    def __bool__(self) -> bool: ...
    def __iter__(self) -> Iterator[Any]: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Statistics:
    """What a limiter has done since it was made. Calls under ``limits_off`` are not counted."""

    def __new__(
        cls, admitted: int, refused: int, keys: int, evicted: int, overflowed: int
    ) -> Self: ...
    @property
    def admitted(self) -> int:
        """Calls that were admitted (a call counts once, whatever its cost)."""
    @property
    def refused(self) -> int:
        """Calls that were refused."""
    @property
    def keys(self) -> int:
        """Keys that are held now."""
    @property
    def evicted(self) -> int:
        """Keys dropped because they could not be told from keys never seen."""
    @property
    def overflowed(self) -> int:
        """Calls that the overflow policy decided, since ``max_keys`` live keys were held."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class ManualClock:
    """A clock that only moves when it is told to; starts at Unix time 0."""

    def __new__(cls, start: float = 0.0) -> Self: ...
    def advance(self, seconds: float) -> None:
        """Move forward by ``seconds`` (rounded to the nearest microsecond, ≥ 0) and wake waiters."""
    def time(self) -> float:
        """Unix time in seconds, as the limiters on this clock see it."""

@final
class TokenBucketConfig:
    """Article 2's configuration of a token bucket. Immutable."""

    def __new__(
        cls, capacity: int, refill_rate: float, initial_tokens: int | None = None
    ) -> Self: ...
    @property
    def capacity(self) -> int:
        """Most tokens a key can hold, and so the largest burst (1 to 4,294,967,295)."""
    @property
    def refill_rate(self) -> float:
        """Tokens added per second and key."""
    @property
    def initial_tokens(self) -> int:
        """Tokens at the limiter's creation; ``capacity`` unless told otherwise."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Place:
    """A place in a key's queue. Left by :meth:`leave`, or by being admitted."""

    def poll(self) -> Decision | None:
        """Try to be admitted: a Decision when it is settled, ``None`` to go on waiting."""
    @property
    def delay(self) -> float | None:
        """Seconds after which to poll again, or ``None``: wait for the wake-up."""
    def leave(self) -> None:
        """Give the place up; nothing is spent. Does nothing once settled."""

class Limiter:
    """What the in-memory limiters have in common."""

    @property
    def limit(self) -> int:
        """The quota's limit, or the bucket's capacity."""
    @property
    def window_seconds(self) -> float:
        """The window's length; for a bucket, the seconds from empty to full."""
    def check(self, key: str, cost: int = 1) -> Decision:
        """Decide now, and spend ``cost`` from ``key`` if it is admitted.

        Raises ``TypeError`` for a key that is no ``str`` or a cost that is no ``int``,
        ``ValueError`` for a cost below 1 or above the limit (it could never be admitted).
        """
    def peek(self, key: str, cost: int = 1) -> Decision:
        """Whether :meth:`check` would admit ``cost`` now, and what is left. Spends nothing."""
    def is_allowed(self, key: str, cost: int = 1) -> bool:
        """:meth:`check` as a bool, and the fastest verb."""
    def is_allowed_many(self, keys: Iterable[str], cost: int = 1) -> list[bool]:
        """:meth:`is_allowed` for each key, in order; nothing is atomic between keys."""
    def wait_sync(self, key: str, cost: int = 1, timeout: float | None = None) -> Decision:
        """Block this thread until admitted; refuses at once if that takes over ``timeout`` seconds.

        First come, first served, in one queue per key with ``wait``. Ctrl-C leaves the queue.
        """
    def refund(self, key: str, cost: int = 1) -> None:
        """Give ``cost`` units back: the oldest live ones, never above the quota."""
    def reset(self, key: str) -> None:
        """Forget ``key``: its whole quota is back."""
    def clear(self) -> None:
        """Forget every key. Statistics stay."""
    def statistics(self) -> Statistics:
        """Counts since the limiter was made, as a frozen object."""
    def __len__(self) -> int:
        """Keys that are held now, including idle ones not yet swept."""
    def __bool__(self) -> bool:
        """Always true, so that an empty limiter is not taken for a missing one."""
    def _admit_at_once(self, key: str, cost: int, timeout: float | None) -> Decision | None:
        """A decision, if nobody need wait for it."""
    def _enqueue(
        self, key: str, cost: int, timeout: float | None, bell: _Bell
    ) -> Decision | Place: ...

class FixedWindow(Limiter):
    def __new__(
        cls,
        limit: int,
        window_seconds: float,
        *,
        max_keys: int = 1_000_000,
        overflow: _Overflow = "share",
        clock: ManualClock | None = None,
    ) -> Self: ...
    def set_quota(self, limit: int, window_seconds: float) -> None:
        """Change the quota of every key, at once and atomically; what was spent stays spent."""

class SlidingWindowCounter(Limiter):
    def __new__(
        cls,
        limit: int,
        window_seconds: float,
        *,
        max_keys: int = 1_000_000,
        overflow: _Overflow = "share",
        clock: ManualClock | None = None,
    ) -> Self: ...
    def set_quota(self, limit: int, window_seconds: float) -> None:
        """Change the quota of every key, at once and atomically; what was spent stays spent."""

class SlidingWindowRateLimiter(Limiter):
    def __new__(
        cls,
        max_requests: int = 100,
        window_seconds: float = 60,
        *,
        max_keys: int = 1_000_000,
        overflow: _Overflow = "share",
        clock: ManualClock | None = None,
    ) -> Self: ...
    @property
    def max_requests(self) -> int:
        """The quota's limit, by article 1's name."""
    def is_allowed(self, client_id: str, cost: int = 1) -> bool:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Decide now, and spend ``cost`` if admitted (article 1)."""
    def get_remaining(self, client_id: str) -> int:
        """Requests that this client has left now (article 1)."""
    def get_reset_time(self, client_id: str) -> float:
        """Unix time at which the client's first slot frees; now + window if unseen (article 1)."""
    def set_quota(self, max_requests: int, window_seconds: float) -> None:
        """Change the quota of every key, at once and atomically; what was spent stays spent."""

class TokenBucket(Limiter):
    def __new__(
        cls,
        config: TokenBucketConfig | None = None,
        *,
        capacity: int | None = None,
        refill_rate: float | None = None,
        initial_tokens: int | None = None,
        max_keys: int = 1_000_000,
        overflow: _Overflow = "share",
        clock: ManualClock | None = None,
    ) -> Self: ...
    @property
    def config(self) -> TokenBucketConfig:
        """The configuration in force."""
    def set_quota(
        self,
        config: TokenBucketConfig | None = None,
        *,
        capacity: int | None = None,
        refill_rate: float | None = None,
    ) -> None:
        """Change the quota of every key, at once and atomically; what was spent stays spent."""

@final
class Bridge:
    """An event loop's way to the thread that talks to servers."""

    def __new__(cls) -> Self: ...
    def fileno(self) -> int:
        """Readable when answers have arrived."""
    def flush(self) -> None:
        """Send the calls that were kept back."""
    def collect(self) -> list[str]:
        """Hand out the answers that have arrived; returns notices for the log."""
    def abandon(self) -> None:
        """In a forked child: leave everything to the parent."""

@final
class RedisLimiter:
    """A limiter in Redis, under the coroutines of :mod:`sluicegate.redis`."""

    def __new__(
        cls,
        algorithm: str,
        settings: object,
        quota: object,
        *,
        prefix: str,
        timeout: float,
        on_error: str,
        workers: int,
        remember: bool,
    ) -> Self: ...
    @property
    def limit(self) -> int: ...
    @property
    def window_seconds(self) -> float: ...
    def begin(
        self, bridge: Bridge, future: object, verb: str, key: str, cost: int
    ) -> Decision | Literal[True] | None:
        """A decision, or True if a flush has to be planned, or None: the future is awaited."""
    def set_quota(self, quota: object) -> None: ...
    def statistics(self) -> tuple[int, int, int, int, int, int]: ...
    def examine(self, key: str, cost: int) -> None:
        """Raise what a check would, and do nothing else."""
    def ping(self, timeout: float) -> Awaitable[bytes | None]: ...
    def close(self) -> None: ...

@final
class RedisScripts:
    """Runs scripts of what is no limiter, on one key each, over the limiters' connections."""

    def __new__(cls, settings: object, prefix: str) -> Self: ...
    def run(
        self, text: str, key: str, arguments: list[str], timeout: float, raises: bool = True
    ) -> Awaitable[Any]:
        """The script's reply: an int, bytes, None, or a list of those.

        Raises ``sluicegate.errors.StoreError`` when there is no answer in ``timeout`` seconds
        (the script may have run), or when it is an error; the reply is None instead unless it
        ``raises``.
        """
    def close(self) -> None: ...

@final
class Counts:
    """How often each name came, from any thread; some ten nanoseconds a time."""

    def __new__(cls, label: Callable[[str], str]) -> Self: ...
    def add(self, name: str) -> bool:
        """Count one; whether it is this name's turn to have a check timed, one in 64.

        ``label`` is asked for the label of a name that is not one yet.
        """
    def totals(self) -> dict[str, int]:
        """Each label's count until now."""

@final
class CountedChecks:
    """A limiter in memory whose checks are counted, and one in 64 measured."""

    def __new__(
        cls,
        limiter: Limiter,
        admitted: Counts,
        refused: Counts,
        observe: Callable[[float, float], object],
        tell: Callable[[str, str, bool], object] | None,
        tell_admitted: bool,
    ) -> Self: ...
    def is_allowed(self, key: str, endpoint: str = "") -> bool: ...

def _limits_off(off: bool) -> None: ...
def _before_fork() -> None: ...
def _after_fork_in_parent() -> None: ...
def _after_fork_in_child() -> None: ...
