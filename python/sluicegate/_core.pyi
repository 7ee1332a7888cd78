"""The Rust core. Import these names from :mod:`sluicegate`, not from here.

Every method holds the interpreter lock only while it computes, and none waits
with it: a contended lock, a batch of 100,000 keys and more, ``clear`` and
``wait_sync`` release it first.
"""

from collections.abc import (
    Awaitable,
    Callable,
    Coroutine,
    Generator,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from os import PathLike
from typing import Any, Generic, Literal, NoReturn, TypeVar, final, overload

from typing_extensions import Self

__all__ = [
    "Answer",
    "Bells",
    "Bridge",
    "CostError",
    "Decision",
    "FixedWindow",
    "Gate",
    "GateCall",
    "GateDecision",
    "GateFields",
    "GateQuotas",
    "GateTicket",
    "Limiter",
    "Listener",
    "ManualClock",
    "Pending",
    "Permit",
    "Permits",
    "PlainRequests",
    "Quota",
    "QuotaFields",
    "RedisGate",
    "RedisGateCall",
    "RedisLimiter",
    "RedisScript",
    "RedisScripts",
    "SegmentedWindow",
    "SlidingWindowCounter",
    "SlidingWindowRateLimiter",
    "Statistics",
    "Ticket",
    "TokenBucket",
    "TokenBucketConfig",
    "Zone",
    "ZoneFixedWindow",
    "ZoneGate",
    "ZoneGateCall",
    "ZoneGatePermits",
    "ZonePermits",
    "ZoneSegmentedWindow",
    "ZoneSlidingWindowCounter",
    "ZoneTokenBucket",
    "__version__",
    "after_fork_in_child",
    "after_fork_in_parent",
    "before_fork",
    "gate_enqueue",
    "gate_wait_sync",
    "inspect_zone",
    "limits_are_off",
    "limits_off",
    "read_toml",
    "zone_lateness",
    "zone_parts_for",
]

__version__: str

_T = TypeVar("_T")
_Overflow = Literal["share", "admit"]

class Decision:
    """The outcome of one call: true when allowed, and unpacks as ``(allowed, info)``. Frozen, equal by value.

    A limiter of your own makes one: ``Decision(allowed, limit, remaining, retry_after, reset_after,
    reset_at, store="mine")``. ``store`` is a name in your code, of 1 to 64 letters, digits and ``_-.:/``
    (a process may use 1,000 of them); seconds are from 0 to 9,007,199,254.

    The one that a limiter of ours gave is a receipt: ``limiter.refund(key, decision)`` gives back
    what it spent. Copies and pickles are none.

    Raises ``ValueError`` or ``TypeError`` for an argument out of its range.
    """

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
        """Who decided: ``"memory"``; in Redis ``"redis"``, ``"remembered"`` (this process, from what the
        server answered before), ``"local"`` (this process, in the server's place), ``"open"`` or
        ``"closed"`` (nobody: the server did not answer); or the name of a store of your own.
        """

    @property
    def allowed(self) -> bool:
        """Whether the call may go ahead, as a bool."""
    @property
    def limit(self) -> int:
        """The quota's limit in units, or the bucket's capacity, when this was decided."""
    @property
    def remaining(self) -> int:
        """Units left after this decision, 0 to ``limit``."""
    @property
    def retry_after(self) -> float:
        """Seconds until this cost would be admitted if nobody else spends, to the microsecond; 0.0 when
        allowed. A promise: a microsecond earlier it is refused, at it admitted.
        """
    @property
    def reset_after(self) -> float:
        """Seconds until the whole quota is back, if nobody spends; 0.0 if it is."""
    @property
    def reset_at(self) -> float:
        """Unix time in seconds at which the whole quota is back, fixed when this was decided."""
    @property
    def info(self) -> dict[str, float]:
        """A new dict: ``remaining`` (units) always, ``reset_at`` (Unix time) when allowed, ``retry_after``
        (seconds) when refused.
        """
    def __bool__(self) -> bool: ...
    def __iter__(self) -> Iterator[Any]: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Statistics:
    """What a limiter has done since it was made. Calls under ``limits_off`` are not counted. Frozen."""

    def __new__(
        cls,
        admitted: int,
        refused: int,
        keys: int,
        evicted: int,
        overflowed: int,
        defaulted: int = 0,
        would_have_refused: int = 0,
    ) -> Self: ...
    @property
    def admitted(self) -> int:
        """Calls that were admitted (a call counts once, whatever its cost)."""
    @property
    def refused(self) -> int:
        """Calls that were refused (once, whatever their cost)."""
    @property
    def keys(self) -> int:
        """Keys that are held now, including idle ones not yet swept."""
    @property
    def evicted(self) -> int:
        """Keys dropped because they could not be told from keys never seen."""
    @property
    def overflowed(self) -> int:
        """Calls that the overflow policy decided, since ``max_keys`` live keys were held."""
    @property
    def defaulted(self) -> int:
        """Calls with a ``quota`` that the limiter's own decided, since 65,535 others were in use."""
    @property
    def would_have_refused(self) -> int:
        """Calls that a limit of a gate would have refused, which only watches (``shadow=True``)."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class ManualClock:
    """A clock for tests, which only moves when it is told to; ``start`` is Unix time in seconds, 0 unless
    given, to 8,000,000,000.
    """

    def __new__(cls, start: float = 0.0) -> Self: ...
    def advance(self, seconds: float) -> None:
        """Move forward by ``seconds``, rounded to the nearest microsecond, and wake those whose turn has
        come, in threads and coroutines.

        Raises ``ValueError`` for seconds below 0 or beyond the clock's last time, 8,000,000,000 (the
        year 2223), ``TypeError`` for what is no number.
        """
    def _skip(self, microseconds: int) -> None:
        """:meth:`advance` by whole ``microseconds``, which wakes nobody and so takes no longer for keys: for a
        replay, in which nobody waits.

        Raises ``ValueError`` beyond the clock's last time.
        """
    def time(self) -> float:
        """Unix time in seconds, as the limiters on this clock see it."""

@final
class TokenBucketConfig:
    """The configuration of a token bucket: tokens, and tokens per second. Immutable, equal by value.

    Raises ``ValueError`` or ``TypeError`` for an argument out of its range.
    """

    def __new__(
        cls, capacity: int, refill_rate: float, initial_tokens: int | None = None
    ) -> Self: ...
    @staticmethod
    def _of(config: object, refill_rate: object, capacity: object) -> TokenBucketConfig:
        """The configuration that the arguments of a bucket are."""
    @staticmethod
    def from_quota(quota: Quota | str, /) -> TokenBucketConfig:
        """The bucket that a quota or its text is: ``"10/second burst 20"``; without a burst it holds as
        much as its window admits. It begins full.

        Raises ``ValueError`` for a quota that is no rate, ``TypeError`` for what is no quota.
        """
    @property
    def capacity(self) -> int:
        """Most tokens a key can hold, and so the largest burst: 1 to 4,294,967,295."""
    @property
    def refill_rate(self) -> float:
        """Tokens added per second and key: 1e-9 to 1e12."""
    @property
    def initial_tokens(self) -> int:
        """Tokens of a key at the limiter's creation, 0 to ``capacity``; ``capacity`` unless told otherwise."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

class GateDecision(Decision):
    """The outcome of a call of a :class:`Gate`: a :class:`Decision`, whose attributes are those of the limit
    that decides.

    That is, of those that refuse, the one that waits longest: its ``retry_after`` is the wait for all of
    them. When none refuses it is the one with the smallest share left. If no limit took part, the call is
    allowed, ``name`` is ``None`` and ``limits`` is empty.

    The one that a gate gave is a receipt: ``gate.refund(keys, decision)`` gives back what it spent.
    Copies and pickles are none. For tests of your own, ``GateDecision({"user/second": Decision(...)})`` is made of
    the limits' decisions; ``shadow`` names those that only watch.

    Raises ``TypeError`` for what are no decisions, ``ValueError`` for more than 32 or a name in ``shadow``
    that is none of theirs.
    """

    def __new__(cls, limits: Mapping[str, Decision], shadow: Sequence[str] = ()) -> Self: ...
    @property
    def name(self) -> str | None:
        """The name of the limit that decides; ``None`` when none took part."""
    @property
    def limits(self) -> Mapping[str, Decision]:
        """Each limit that took part, by name, with its own :class:`Decision`: read-only. Where another one
        refuses, what a look would tell.
        """
    @property
    def refused_by(self) -> tuple[str, ...]:
        """The names of all limits that refuse, in the order of the gate: never one that only watches."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

_Part = tuple[str, str, Quota, str, bool, bool, int | None]
_Plan = Callable[[str], Quota | str | None]
_Keys = str | Mapping[str, str | None]
_Cost = int | Mapping[str, int]
_CostBy = _Cost | tuple[int, ...]
_Used = dict[str, int] | tuple[int | None, ...]

class Gate:
    """What the gates in memory are based on."""

    def __new__(
        cls,
        parts: list[_Part],
        plans: list[_Plan],
        max_keys: int | None = None,
        overflow: _Overflow | None = None,
        clock: ManualClock | None = None,
        before: Gate | None = None,
    ) -> Self: ...
    def _afresh(self) -> list[str]:
        """The limits that begin afresh although the gate before had one of their name."""
    def check(self, keys: _Keys, cost: _Cost = 1) -> GateDecision:
        """Decide now for all limits, and spend from all of them if none refuses: a :class:`GateDecision`, which
        is true when allowed. Where one refuses, nothing is spent anywhere.

        ``keys`` names the keys by what the limits count by, as ``{"user": "u1", "org": "acme"}``; a ``str`` will
        do where all count by the same. A key that is ``None`` leaves its limits out. ``cost`` is by unit, as
        ``{"tokens": 900}``: requests cost 1 unless named, and a unit that costs 0 leaves its limits out. A
        number will do where there is only one unit.

        From any thread or coroutine: it does no I/O, and takes about as long as a check of each limit alone.

        Raises ``TypeError`` or ``ValueError``, with nothing spent, for a key that is missing, unknown or no
        ``str``, a cost of a unit that no limit has or above what one could ever admit, or a quota of
        ``quota_for`` that fits none of its limits; ``TypeError`` for a gate with permits, which
        :meth:`reserve` is for.
        """
    def _quotas(self, quotas: list[Quota | None]) -> GateQuotas:
        """What chooses limits, and quotas for them: one for each limit in their order; ``None``: that limit
        takes no part. It stays right when limits are added behind the last one.
        """
    def _check_by(self, quotas: GateQuotas, keys: _Keys, cost: _CostBy = 1) -> GateDecision:
        """:meth:`check` of the limits that are chosen, by these quotas. ``cost`` may be a ``tuple`` of one for
        each of them in their order, where 0 leaves one out. Takes no longer for those that are not chosen.
        """
    def _peek_by(self, quotas: GateQuotas, keys: _Keys, cost: _CostBy = 1) -> GateDecision:
        """:meth:`peek` of the limits that are chosen, as :meth:`_check_by`."""
    def _settle_by(
        self,
        quotas: GateQuotas,
        keys: _Keys,
        cost: _CostBy,
        decision: GateDecision,
        used: tuple[int | None, ...],
    ) -> None:
        """Put right what ``decision`` spent at the limits that were chosen, by what was used of each: less
        comes back, more is spent as a debt of at most one quota, ``None`` leaves it. The other arguments
        are those by which it was admitted. What a limit let pass without spending stays as it is.

        Once for each limit: raises ``ValueError`` as :meth:`refund`, with nothing put right.
        """
    def peek(self, keys: _Keys, cost: _Cost = 1) -> GateDecision:
        """Whether :meth:`check` or :meth:`reserve` would be admitted now, and what is left before it. Spends
        nothing and counts in no statistics. Raises what :meth:`check` raises, but not for permits.
        """
    def refund(self, keys: _Keys, decision: GateDecision) -> None:
        """Give back what ``decision`` spent: of each limit those very units that still count, and nothing of
        one whose window has passed. See the ``refund`` of a limiter; ``keys`` are those of the decision.

        Once: raises ``ValueError``, with nothing given back, for a decision that has come back, a copy, a
        refusal, or one of another gate or other keys; ``TypeError`` for what is no :class:`GateDecision`.
        """
    def reset(self, keys: _Keys) -> None:
        """Forget these keys: the whole quota of every limit that counts by one of them is back. Those that
        are left out, or ``None``, stay as they are.

        Raises ``TypeError`` or ``ValueError`` for a key that is unknown or no ``str``.
        """
    def clear(self) -> None:
        """Forget every key of every limit. Statistics stay. Other threads run meanwhile."""
    def _set_parts(self, parts: list[_Part], plans: list[_Plan]) -> list[str]:
        """Put other limits in the place of these. Tells which of them begin afresh although there was one
        of their name.
        """
    def _counts(self) -> tuple[int, int, list[tuple[str, Statistics]]]:
        """Admitted and refused calls, and of each limit its name and what it has done."""
    def _call(
        self,
        keys: _Keys,
        cost: _CostBy,
        verb: str | None = None,
        quotas: GateQuotas | None = None,
    ) -> GateCall:
        """A call that waits, or is put right later, of all limits or those that are chosen. Where no permit
        may be kept, the `verb` is named.
        """

@final
class GateCall:
    """A call of a gate, which remembers its keys."""

    def check(self) -> GateDecision:
        """Decide and spend; permits are kept."""
    def admit_at_once(self, timeout: float | None) -> GateDecision | None:
        """Admit at once if nobody need wait: a decision, else None."""
    def give_up(self) -> None:
        """Give all back that it was admitted to, as nobody came to know of it."""
    def settle(self, decision: GateDecision, actual: _Used) -> None:
        """Put right what was spent, by what was used of each unit, or at each limit that was chosen."""
    def examine(self, actual: _Used) -> None:
        """Raise what `settle` would, and do nothing."""
    def end(self, decision: GateDecision, is_cancelled: bool) -> None:
        """Give the permits back, or all that was spent."""

@final
class GateTicket:
    """A ticket of a call of a gate that waits."""

    def poll(self) -> GateDecision | None:
        """Try to be admitted: a decision when it is settled, ``None`` to go on waiting."""
    @property
    def delay(self) -> float | None:
        """Seconds after which to poll again, or ``None``: wait for the wake-up."""
    def leave(self) -> None:
        """Wait no longer; nothing is spent. Does nothing once settled."""

def gate_enqueue(
    call: GateCall, timeout: float | None, bells: Bells, number: int
) -> GateTicket | GateDecision:
    """Decide, or line up; the bell rings when it is to be polled."""

def gate_wait_sync(call: GateCall, timeout: float | None) -> GateDecision:
    """Block this thread until it is decided; the interpreter runs on meanwhile."""

@final
class Bells:
    """The bells of those who wait in one event loop."""

    def __new__(cls) -> Self: ...
    @property
    def open(self) -> bool: ...
    def fileno(self) -> int: ...
    def listener(self) -> Listener: ...
    def rung(self) -> list[int]: ...
    def answered(self, number: int) -> None: ...

@final
class Listener:
    """Kept by the event loop that listens: gone with it, or when it is closed."""

class Permits:
    """The permits of many keys, in this process."""

    def __new__(cls, limit: int | Quota | str) -> Self: ...
    @property
    def limit(self) -> int:
        """How many permits a key has."""
    def try_acquire(self, key: str) -> Permit | None:
        """A permit, or ``None`` if none is free now. Release it, or use it in a ``with``.

        Raises ``TypeError`` if ``key`` is no str.
        """
    def in_use(self, key: str) -> int:
        """How many permits of ``key`` are held now."""
    def __len__(self) -> int: ...
    def __bool__(self) -> bool: ...
    def _waiting(self, key: str) -> int:
        """How many callers wait for a permit of a key."""
    def _uncounted(self, key: str) -> Permit:
        """A permit that counts for nothing."""
    def _join(self, key: str, bells: Bells, number: int) -> Permit:
        """A permit if one is free, or else one that waits; the bell rings when it may have come."""
    def _wait(self, key: str, seconds: float) -> Permit | None:
        """A permit; this thread waits for it until so many seconds are over."""

@final
class Permit:
    """One of a key's permits. Leaving its ``with`` or ``async with`` releases it; entering one that is
    not held any more is a ``RuntimeError``.

    One that is dropped without being released is given back when it is garbage-collected; in
    Redis it runs out with its lease at the latest.
    """

    @staticmethod
    def _leased(key: str, source: object) -> Permit:
        """A permit in Redis, which `source` renews and gives back."""
    @property
    def key(self) -> str:
        """Whose it is."""
    @property
    def held(self) -> bool:
        """Whether it counts: it was neither released, nor lost with its lease, and this is the process
        that acquired it.
        """
    @property
    def _source(self) -> Any: ...
    def release(self) -> Any:
        """Give it back, to the first who waits. A second time does nothing.

        In memory it is done at once, from any thread. In Redis this is a coroutine, or blocks if a
        `with` or `try_acquire_sync` gave the permit. The release
        is sent by the call itself, in a running event loop, so that cancelling the coroutine
        changes nothing. Neither a server that does not answer nor a lease that is lost is an
        error: it is sent again for as long as the lease may last.
        """
    def _come(self) -> bool:
        """Whether it is held, as far as a waiter can tell when its bell has rung."""
    def __enter__(self) -> Self: ...
    def __exit__(self, *_error: object) -> None: ...
    def __aenter__(self) -> Awaitable[Self]: ...
    def __aexit__(self, *_error: object) -> Awaitable[None]: ...
    def __reduce__(self) -> NoReturn: ...

@final
class Answer:
    """Sends an answer on to ``out``: the first message with the ``fields`` of one decision, or as the
    ``request`` writes it where more belongs into it.
    """

    def __new__(
        cls,
        request: object,
        decision: object,
        fields: QuotaFields | GateFields | None,
        headers: Iterable[tuple[bytes, bytes]],
        out: Callable[[Any], Awaitable[None]],
    ) -> Self: ...
    def send(self, message: Any) -> Awaitable[None]:
        """Send it on, to be awaited."""
    def asked(self) -> Any:
        """The request that is answered. Most often nobody asks for one that is admitted."""

@final
class PlainRequests:
    """Requests that a policy without options admits: each costs one check of one limiter, by the
    client's address.
    """

    def __new__(
        cls,
        check: Callable[[str], Any],
        address: Callable[[Any], str],
        known: dict[str, str],
        quota: Any,
        request: Callable[[str, Any, Any], object],
    ) -> Self: ...
    def admit(
        self, scope: Any, out: Callable[[Any], Awaitable[None]]
    ) -> Answer | tuple[str, Any] | None:
        """Check a request: where its answer goes, if it is admitted at once; else its key and what the
        check has returned; ``None`` for a request that is not plain.
        """

@final
class Quota:
    """How much, in what time: a value, which prints as its text.

    ``Quota("5/second")``, ``Quota("300 per 5 minutes")``, ``Quota("10/second burst 20")``,
    ``Quota("40000 tokens/minute")``, ``Quota("1000/day in America/Los_Angeles")``,
    ``Quota("5 concurrent")`` and ``Quota("unlimited")``; or by numbers: ``Quota(300, 300.0)``,
    ``Quota(10, 1, burst=20)``, ``Quota(concurrent=5)``. Everything that takes a limit and a window
    takes a quota or its text instead.

    The grammar: ``amount [unit] / [n] period`` (``per`` is ``/``), periods are ``second``,
    ``minute``, ``hour``, ``day`` and ``week`` (plurals, ``s m h d``). ``burst n`` behind it makes it
    a token bucket that holds ``n``, of which there may be fewer than the amount. ``in ZONE`` makes it
    a calendar window: the days, weeks (from Monday), months or years of that time zone, summer time
    and all; a ``month`` or ``year`` needs one. Numbers may be grouped by ``_``, and ``n`` may have
    decimals.

    Immutable, hashable, equal by value, pickled by its text. One quota is one part: see
    ``parse_all`` for a text of several.

    Raises ``ValueError`` or ``TypeError`` that quotes the part, says what is wrong and shows a right
    one: amounts are 1 to 4,294,967,295, windows 0.000001 to 1,000,000,000 seconds.
    """

    @overload
    def __new__(cls, limit: Quota | str, /) -> Self: ...
    @overload
    def __new__(
        cls,
        limit: int,
        window_seconds: float,
        burst: int | None = None,
        unit: str = "requests",
    ) -> Self: ...
    @overload
    def __new__(cls, *, concurrent: int) -> Self: ...
    @staticmethod
    def parse_all(text: str) -> tuple[Quota, ...]:
        """The quotas of a text whose parts stand between ``;``, ``,`` or ``|``, in their order:
        ``Quota.parse_all("5/second; 300/minute")``.

        Raises ``ValueError`` with the part that is wrong, ``TypeError`` for what is no ``str``.
        """
    @property
    def limit(self) -> int | None:
        """Units in a window, or permits; ``None`` for ``"unlimited"``."""
    @property
    def window_seconds(self) -> float | None:
        """The window's length in seconds: of a calendar's periods the longest (31 days for months).
        ``None`` for permits and ``"unlimited"``.
        """
    @property
    def burst(self) -> int | None:
        """The most that passes at once, where it is a token bucket; else ``None``."""
    @property
    def unit(self) -> str:
        """What a cost counts: ``"requests"`` unless the quota names something else."""
    @property
    def concurrent(self) -> int | None:
        """How many at the same time, where it is of permits; else ``None``."""
    def _permits(self) -> int:
        """How many at the same time. Raises ``ValueError`` for a quota that is not of permits."""
    @property
    def zone(self) -> str | None:
        """The time zone of a calendar window, by its IANA name; else ``None``."""
    def __copy__(self) -> Self: ...
    def __deepcopy__(self, memo: object, /) -> Self: ...
    def __reduce__(self) -> tuple[type[Quota], tuple[str]]: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

class CostError(ValueError):
    """A cost above what a limit could ever admit: ``limit`` units, of the limit ``name``."""

    name: str
    limit: int

@final
class GateQuotas:
    """Which limits of a gate take part in a call, and by which quotas: by their places there. Limits that
    were added behind the last one since take no part.
    """

@final
class GateFields:
    """The fields for a gate's decisions, whatever the amounts of its limits are."""

    def __new__(
        cls,
        parts: list[tuple[str, bytes, float | None, int | None]],
        numbers: bool,
        lists: bool,
    ) -> Self: ...
    def of(self, decision: GateDecision) -> list[tuple[bytes, bytes]] | None:
        """The fields of a decision; ``None`` if one of its limits is not known here."""
    def items(self, decision: GateDecision) -> list[tuple[str, bytes, bytes]] | None:
        """Of each limit that clients are told of: its name in the gate, and its own items of the two lists
        without its name there. ``None`` if one is not known here.
        """

@final
class QuotaFields:
    """The fields for one limiter's decisions, as long as its limit and its window stay."""

    def __new__(cls, limiter: Any, limit: int, name: bytes, first: int, last: int) -> Self: ...
    def of(self, decision: Decision) -> list[tuple[bytes, bytes]] | None:
        """The fields of a decision; ``None`` if the limiter's quota is another one by now."""

@final
class Pending(Generic[_T]):
    """A coroutine to be awaited. Using it as a bool is a ``TypeError``: every coroutine is true."""

    def __new__(cls, coroutine: Coroutine[Any, Any, _T], /) -> Self: ...
    def __await__(self) -> Generator[Any, Any, _T]: ...
    @property
    def send(self) -> Callable[[Any], Any]:
        """Go on with it, as an event loop does; what it yields."""
    @property
    def throw(self) -> Callable[..., Any]:
        """Raise an exception in it; what it yields."""
    @property
    def close(self) -> Callable[[], None]:
        """Give it up."""
    def __bool__(self) -> NoReturn: ...

@final
class Ticket:
    """A ticket of one who waits."""

    def poll(self) -> Decision | None:
        """Try to be admitted: a Decision when it is settled, ``None`` to go on waiting."""
    @property
    def delay(self) -> float | None:
        """Seconds after which to poll again, or ``None``: wait for the wake-up."""
    def leave(self) -> None:
        """Leave the queue; nothing is spent. Does nothing once settled."""

class Limiter:
    """What the limiters in memory have in common. None is pickled or copied: their state is here."""

    @property
    def limit(self) -> int:
        """The quota's limit in units, or the bucket's capacity in tokens."""
    @property
    def window_seconds(self) -> float:
        """The window's length in seconds; for a bucket, the seconds from empty to full."""
    def check(self, key: str, cost: int = 1, *, quota: Quota | str | None = None) -> Decision:
        """Decide now, and spend ``cost`` units of ``key`` if it is admitted. A :class:`Decision`, which is
        true when allowed.

        From any thread or coroutine: it does no I/O and takes well under a microsecond. Any ``str`` is
        a key.

        With ``quota``, a :class:`Quota` (quickest) or its text, another amount than the limiter's
        decides: ``check("user:1", quota=Quota("5000/day"))``. It has the window and the unit of the
        limiter's own; a bucket's may be any rate. What a key has spent stays spent when the next call
        comes with another quota or with none, and those who wait for the key are decided by that of the
        last call. At most 65,535 other quotas are in use at once, as long as a key that has spent by
        them counts; beyond that the limiter's own decides, and ``statistics().defaulted`` tells.

        Raises ``TypeError`` for a key that is no ``str`` or a cost that is no ``int``, ``ValueError`` for a
        cost below 1 or above the limit (it could never be admitted), or for a quota of another window,
        unit or algorithm.
        """
    def peek(self, key: str, cost: int = 1, *, quota: Quota | str | None = None) -> Decision:
        """Whether :meth:`check` would admit ``cost`` units now, and what is left before it. Spends nothing
        and counts in no statistics. Raises what :meth:`check` raises.
        """
    def is_allowed(self, key: str, cost: int = 1, *, quota: Quota | str | None = None) -> bool:
        """:meth:`check` as a bool, and the fastest verb. Raises what :meth:`check` raises."""
    def is_allowed_many(
        self, keys: Iterable[str], cost: int = 1, *, quota: Quota | str | None = None
    ) -> list[bool]:
        """:meth:`is_allowed` for each key, in order: a list of bools. Nothing is atomic between keys.

        Every key is looked at before the first one is spent, so that an error spends nothing. From
        100,000 keys on other threads run meanwhile.

        Raises ``TypeError`` for ``keys`` that are no iterable of ``str``, and what :meth:`check` raises.
        """
    def wait_sync(
        self,
        key: str,
        cost: int = 1,
        timeout: float | None = None,
        *,
        quota: Quota | str | None = None,
    ) -> Decision:
        """Block this thread until ``cost`` units are admitted; refuse at once, with nothing spent, if that
        would take over ``timeout`` seconds: 0 to 1,000,000,000, or ``None`` to wait as long as it takes.

        First come, first served, in one queue a key with ``wait``. Other threads run meanwhile. Ctrl-C
        leaves the queue. Not for a coroutine: it would block its event loop.

        Raises what :meth:`check` raises, ``ValueError`` or ``TypeError`` for a bad timeout, and
        ``RuntimeError`` when nothing would ever wake it.
        """
    @overload
    def refund(self, key: str, cost: Decision, units: int | None = None) -> None:
        """Give back what a decision of this limiter spent of ``key``: ``refund(key, decision)``, or
        ``units`` of it, until all of it has come back.

        It gives back those very units while they count, and nothing after: of a log those of their
        microsecond, of a counter from the window that counted them. A bucket gives back what is
        missing for their sake: all of it if nobody spent since, and never more than would be there
        had they not been spent. When the rate of a bucket has changed, or the window of a counter or of
        segments, nothing comes back.

        ``refund(key, cost)`` is for those who kept no decision: it gives back the oldest units that
        still count, never above the whole quota. It cannot know whose they are: in a fixed window of
        two a minute, spend one at 59 s and two at 61 s, refund the first, and one more is admitted:
        three of two in that minute.

        A receipt from before a ``reset`` of its key gives nothing back; nor does any older one once 65,000
        keys or so have been reset.

        Raises what :meth:`check` raises, and ``ValueError`` for a decision that is no receipt: a refusal,
        a copy, one of another limiter or key, one that has come back whole.
        """
    @overload
    def refund(self, key: str, cost: int = 1) -> None: ...
    def reset(self, key: str) -> None:
        """Forget ``key``: its whole quota is back. Raises ``TypeError`` for a key that is no ``str``."""
    def clear(self) -> None:
        """Forget every key. Statistics stay. Other threads run meanwhile."""
    def statistics(self) -> Statistics:
        """What the limiter has done since it was made, as a frozen :class:`Statistics`."""
    def __len__(self) -> int: ...
    def __bool__(self) -> bool: ...
    def _admit_at_once(
        self, key: str, cost: int, timeout: float | None, quota: Quota | str | None
    ) -> Decision | None:
        """Admit at once if nobody need wait: a Decision, else None."""
    def _enqueue(
        self,
        key: str,
        cost: int,
        timeout: float | None,
        quota: Quota | str | None,
        bells: Bells,
        number: int,
    ) -> Decision | Ticket:
        """Decide, or join the queue; the bell rings when it is to be polled."""

class FixedWindow(Limiter):
    """At most `limit` units in each window that is aligned to Unix time.

    When the wall clock is put right by more than a second, what was spent in the running window
    counts until its end by the new time.
    """

    @overload
    def __new__(
        cls,
        limit: Quota | str,
        *,
        max_keys: int = 1_000_000,
        overflow: _Overflow = "share",
        clock: ManualClock | None = None,
    ) -> Self: ...
    @overload
    def __new__(
        cls,
        limit: int,
        window_seconds: float,
        *,
        max_keys: int = 1_000_000,
        overflow: _Overflow = "share",
        clock: ManualClock | None = None,
    ) -> Self: ...
    @overload
    def set_quota(self, limit: Quota | str) -> None:
        """Change the quota of every key, at once and atomically; what was spent stays spent, and those who
        wait are planned anew. Arguments as of the class.

        Raises ``ValueError`` or ``TypeError`` for an argument out of its range; nothing has changed then.
        """
    @overload
    def set_quota(self, limit: int, window_seconds: float) -> None: ...

class SegmentedWindow(Limiter):
    """At most `limit` units in any span of `window_seconds`, by a counter for each part of the window."""

    @overload
    def __new__(
        cls,
        limit: Quota | str,
        *,
        max_keys: int = 1_000_000,
        overflow: _Overflow = "share",
        clock: ManualClock | None = None,
    ) -> Self: ...
    @overload
    def __new__(
        cls,
        limit: int,
        window_seconds: float,
        *,
        max_keys: int = 1_000_000,
        overflow: _Overflow = "share",
        clock: ManualClock | None = None,
    ) -> Self: ...
    @overload
    def set_quota(self, limit: Quota | str) -> None:
        """Change the quota of every key, at once and atomically; what was spent stays spent, and those who
        wait are planned anew. Arguments as of the class.

        Raises ``ValueError`` or ``TypeError`` for an argument out of its range; nothing has changed then.
        """
    @overload
    def set_quota(self, limit: int, window_seconds: float) -> None: ...

class SlidingWindowCounter(Limiter):
    """Approximates a sliding window from two aligned counters."""

    @overload
    def __new__(
        cls,
        limit: Quota | str,
        *,
        max_keys: int = 1_000_000,
        overflow: _Overflow = "share",
        clock: ManualClock | None = None,
    ) -> Self: ...
    @overload
    def __new__(
        cls,
        limit: int,
        window_seconds: float,
        *,
        max_keys: int = 1_000_000,
        overflow: _Overflow = "share",
        clock: ManualClock | None = None,
    ) -> Self: ...
    @overload
    def set_quota(self, limit: Quota | str) -> None:
        """Change the quota of every key, at once and atomically; what was spent stays spent, and those who
        wait are planned anew. Arguments as of the class.

        Raises ``ValueError`` or ``TypeError`` for an argument out of its range; nothing has changed then.
        """
    @overload
    def set_quota(self, limit: int, window_seconds: float) -> None: ...

class SlidingWindowRateLimiter(Limiter):
    """At most `max_requests` in any span of `window_seconds`: exact, by a log of times."""

    @overload
    def __new__(
        cls,
        max_requests: Quota | str,
        *,
        max_keys: int = 1_000_000,
        overflow: _Overflow = "share",
        clock: ManualClock | None = None,
    ) -> Self: ...
    @overload
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
        """The quota's limit in requests: ``limit`` by its other name."""
    def is_allowed(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, client_id: str, cost: int = 1, *, quota: Quota | str | None = None
    ) -> bool:
        """Decide now, and spend ``cost`` units of ``client_id`` if it is admitted: a bool, and the fastest
        verb.

        Raises ``TypeError`` for an id that is no ``str`` or a cost that is no ``int``, ``ValueError`` for a
        cost below 1 or above the limit, or for a ``quota`` of another window: see ``check``.
        """
    def get_remaining(self, client_id: str) -> int:
        """Requests that this client has left now; spends nothing. ``TypeError`` for an id that is no ``str``."""
    def get_reset_time(self, client_id: str) -> float:
        """Unix time in seconds at which the client's first slot frees; now + window if it has spent nothing.

        Raises ``TypeError`` for an id that is no ``str``.
        """
    @overload
    def set_quota(self, max_requests: Quota | str) -> None:
        """Change the quota of every key, at once and atomically; what was spent stays spent, and those who
        wait are planned anew. Arguments as of the class.

        Raises ``ValueError`` or ``TypeError`` for an argument out of its range; nothing has changed then.
        """
    @overload
    def set_quota(self, max_requests: int, window_seconds: float) -> None: ...

class TokenBucket(Limiter):
    """Bursts up to a capacity, a steady rate on average."""

    def __new__(
        cls,
        config: TokenBucketConfig | Quota | str | int | None = None,
        refill_rate: float | None = None,
        initial_tokens: int | None = None,
        *,
        capacity: int | None = None,
        max_keys: int = 1_000_000,
        overflow: _Overflow = "share",
        clock: ManualClock | None = None,
    ) -> Self: ...
    @property
    def config(self) -> TokenBucketConfig:
        """The configuration in force."""
    def set_quota(
        self,
        config: TokenBucketConfig | Quota | str | int | None = None,
        refill_rate: float | None = None,
        *,
        capacity: int | None = None,
    ) -> None:
        """Change the quota of every key, at once and atomically; what was spent stays spent, and those who
        wait are planned anew. ``set_quota("20/second burst 200")``, ``set_quota(200, 20)`` (tokens, and
        tokens per second) or ``set_quota(TokenBucketConfig(200, 20))``.

        Raises ``ValueError`` or ``TypeError`` for an argument out of its range; nothing has changed then.
        """

@final
class Bridge:
    """One event loop's bridge."""

    def __new__(cls) -> Self: ...
    def fileno(self) -> int:
        """The descriptor that is readable when answers have arrived."""
    def flush(self) -> None:
        """Send what was kept back."""
    def collect(self) -> list[str]:
        """Give every answer that has arrived to the future that awaits it. Returns notices; raises
        what a signal handler raised meanwhile, once all have their answers.
        """
    def abandon(self) -> None:
        """In a forked child: leave everything to the parent."""

@final
class RedisGate:
    """Several limits in Redis with one decision. Its coroutines are in `sluicegate.redis`."""

    def __new__(
        cls,
        parts: list[tuple[str, str, Quota, str, bool, bool, int | None]],
        plans: list[Any],
        limiters: list[RedisLimiter],
        before: RedisGate | None = None,
    ) -> Self: ...
    def quotas(self, quotas: list[Quota | None]) -> GateQuotas:
        """What chooses limits, and quotas for them: one for each limit in their order; `None`: that limit
        takes no part.
        """
    def begin(
        self,
        bridge: Bridge,
        future: object,
        name: str,
        keys: object,
        cost: object,
        quotas: GateQuotas | None = None,
    ) -> GateDecision | Literal[True] | None:
        """Begin a check or a peek: the decision if it needs no server, else True if a flush is to be planned.
        Of all limits, or those that are chosen.
        """
    def ask(
        self, name: str, keys: object, cost: object, quotas: GateQuotas | None = None
    ) -> GateDecision:
        """The same; blocks this thread."""
    def begin_reset(
        self, bridge: Bridge, future: object, keys: object
    ) -> GateDecision | Literal[True] | None:
        """Begin to forget keys, as `begin`."""
    def ask_reset(self, keys: object) -> None:
        """Forget keys. Blocks this thread."""
    def clear(self) -> Awaitable[None]:
        """An awaitable, which ends when every key of every limit is forgotten."""
    def ask_clear(self) -> None:
        """Forget every key of every limit. Blocks this thread."""
    def begin_refund(
        self, bridge: Bridge, new_future: Callable[[], Any], keys: object, decision: object
    ) -> list[Any]:
        """Begin to give back what a decision spent: one request each, for what `new_future` gives."""
    def ask_refund(self, keys: object, decision: object) -> None:
        """The same. Blocks this thread."""
    def begin_settle(
        self,
        bridge: Bridge,
        new_future: Callable[[], Any],
        quotas: GateQuotas,
        keys: object,
        cost: object,
        decision: object,
        used: tuple[int | None, ...],
    ) -> list[Any]:
        """Begin to put right what a decision spent at the limits that were chosen, as `begin_refund`."""
    def ask_settle(
        self,
        quotas: GateQuotas,
        keys: object,
        cost: object,
        decision: object,
        used: tuple[int | None, ...],
    ) -> None:
        """The same. Blocks this thread."""
    def call(
        self,
        keys: object,
        cost: object,
        verb: str | None = None,
        quotas: GateQuotas | None = None,
    ) -> RedisGateCall:
        """A call that is made more than once, to wait for it or to reserve, of all limits or those that are
        chosen. `verb`: which must keep no permit.
        """
    def statistics(self) -> tuple[int, int, int, int, int, int]:
        """Calls of the gate: admitted, refused, errors, timeouts, local and remembered."""
    def would_have_refused(self) -> list[int]:
        """How often each limit would have refused that only watches."""
    @staticmethod
    def script() -> str:
        """The text of the script that decides."""
    def ask_plain(
        self,
        name: str,
        asked_of: list[tuple[int, str, int, int | None, Quota | str | None]],
    ) -> list[tuple[int, Decision]]:
        """A call by the places of limits, without names: their decisions. Blocks this thread."""

class ZoneGate:
    """What the gates in a zone are based on."""

    def __new__(
        cls,
        zone: Zone,
        parts: list[_Part],
        plans: list[_Plan],
        places: list[tuple[str, int, float]],
        clock: ManualClock | None = None,
    ) -> Self: ...
    def check(self, keys: _Keys, cost: _Cost = 1) -> GateDecision:
        """Decide now for all limits, and spend from all of them if none refuses: a :class:`GateDecision`, which
        is true when allowed. Where one refuses, nothing stays spent anywhere.

        ``keys`` names the keys by what the limits count by, as ``{"user": "u1", "org": "acme"}``; a ``str`` will
        do where all count by the same. A key that is ``None`` leaves its limits out. ``cost`` is by unit, as
        ``{"tokens": 900}``: requests cost 1 unless named, and a unit that costs 0 leaves its limits out. A
        number will do where there is only one unit.

        From any thread or coroutine: it waits for nobody, and takes about as long as a check of each
        limit alone. It looks at all limits, then spends from one after the other: one that is empty by then
        refuses, and what was spent comes back at once. Until it is back, another call may be refused.

        Raises ``TypeError`` or ``ValueError``, with nothing spent, for a key that is missing, unknown or no
        ``str``, a cost of a unit that no limit has or above what one could ever admit, or a quota of
        ``quota_for`` that fits none of its limits; ``TypeError`` for a gate with permits, which
        :meth:`reserve` is for.
        """
    def _quotas(self, quotas: list[Quota | None]) -> GateQuotas:
        """What chooses limits, and quotas for them: one for each limit in their order; ``None``: that limit
        takes no part. It stays right when limits are added behind the last one.
        """
    def _check_by(self, quotas: GateQuotas, keys: _Keys, cost: _CostBy = 1) -> GateDecision:
        """:meth:`check` of the limits that are chosen, by these quotas. ``cost`` may be a ``tuple`` of one for
        each of them in their order, where 0 leaves one out. Takes no longer for those that are not chosen.
        """
    def _peek_by(self, quotas: GateQuotas, keys: _Keys, cost: _CostBy = 1) -> GateDecision:
        """:meth:`peek` of the limits that are chosen, as :meth:`_check_by`."""
    def _settle_by(
        self,
        quotas: GateQuotas,
        keys: _Keys,
        cost: _CostBy,
        decision: GateDecision,
        used: tuple[int | None, ...],
    ) -> None:
        """Put right what ``decision`` spent at the limits that were chosen, by what was used of each: less
        comes back, more is spent as a debt of at most one quota, ``None`` leaves it. The other arguments
        are those by which it was admitted. What a limit let pass without spending stays as it is.

        Once for each limit: raises ``ValueError`` as :meth:`refund`, with nothing put right.
        """
    def peek(self, keys: _Keys, cost: _Cost = 1) -> GateDecision:
        """Whether :meth:`check` or :meth:`reserve` would be admitted now, and what is left before it. Spends
        nothing and counts in no statistics. Raises what :meth:`check` raises, but not for permits.
        """
    def refund(self, keys: _Keys, decision: GateDecision) -> None:
        """Give back what ``decision`` spent: of each limit those very units that still count, and nothing of
        one whose window has passed. See the ``refund`` of a limiter; ``keys`` are those of the decision.

        Once, in the process that decided: raises ``ValueError``, with nothing given back, for a decision that
        has come back, a copy, a refusal, or one of another gate or other keys; ``TypeError`` for what is no
        :class:`GateDecision`.
        """
    def reset(self, keys: _Keys) -> None:
        """Forget these keys, for all processes: the whole quota of every limit that counts by one of them
        is back. Those that are left out, or ``None``, stay as they are.

        Raises ``TypeError`` or ``ValueError`` for a key that is unknown or no ``str``.
        """
    def clear(self) -> None:
        """Forget every key of every limit, for all processes. Statistics stay. Other threads run meanwhile."""
    def _set_parts(
        self, parts: list[_Part], plans: list[_Plan], places: list[tuple[str, int, float]]
    ) -> list[str]:
        """Put other limits in the place of these. Tells which of them begin afresh although there was one
        of their name.
        """
    def _counts(self) -> tuple[int, int, list[tuple[str, Statistics]]]:
        """Admitted and refused calls of this process, of each limit its name and what it has done."""
    def _lost_races(self) -> int:
        """How many calls of this process found a limit empty that had room when they looked."""
    def _call(
        self,
        keys: _Keys,
        cost: _CostBy,
        verb: str | None = None,
        quotas: GateQuotas | None = None,
    ) -> ZoneGateCall:
        """A call that waits, or is put right later, of all limits or those that are chosen. Where no permit
        may be kept, the `verb` is named.
        """
    def _permits(self) -> ZoneGatePermits:
        """The permits that this process holds by it."""

@final
class ZoneGateCall:
    """A call of a gate in a zone, which remembers its keys."""

    @property
    def is_current(self) -> bool:
        """Whether the limits that it was made for are in force."""
    def places(self) -> dict[str, tuple[str, bytes]]:
        """The limits that it concerns, by name, and the key at each."""
    def peek(self) -> GateDecision:
        """Look."""
    def check(self) -> GateDecision:
        """Decide and spend; permits are kept."""
    def give_up(self) -> None:
        """Give all back that it was admitted to, as nobody came to know of it."""
    @property
    def has_permits(self) -> bool:
        """Whether permits are among what is asked for."""
    def are_permits(self, name: str) -> bool:
        """Whether the limit of that name is of permits."""
    def examine(self, actual: _Used) -> None:
        """Raise what `settle` would, and do nothing."""
    def settle(self, decision: GateDecision, actual: _Used) -> None:
        """Put right what was spent, by what was used of each unit, or at each limit that was chosen."""
    def end(self, decision: GateDecision, is_cancelled: bool) -> None:
        """Give the permits back, or all that was spent."""

@final
class ZoneGatePermits:
    """The permits of a gate that this process holds."""

    def renew(self) -> float | None:
        """Begin the lease of all permits anew of which it is time. Seconds until that is to be done again;
        ``None`` if none is held.
        """
    def __len__(self) -> int: ...

@final
class RedisGateCall:
    """A call of a gate in Redis, which remembers its keys."""

    def places(self) -> dict[str, tuple[str, bytes]]:
        """The limits that it concerns, by name, and the key at each."""
    def begin_look(self, bridge: Bridge, future: object) -> GateDecision | Literal[True] | None:
        """Begin to look."""
    def look(self) -> GateDecision:
        """Look. Blocks this thread."""
    def begin(self, bridge: Bridge, future: object) -> GateDecision | Literal[True] | None:
        """Begin to decide and spend: the decision if it needs no server, else True if a flush is to be planned."""
    def ask(self) -> GateDecision:
        """Decide and spend. Blocks this thread."""
    def give_up(self) -> None:
        """Give the permits up that nobody takes who asked for them, without waiting for the server."""
    @property
    def has_permits(self) -> bool:
        """Whether permits are among what is asked for."""
    def are_permits(self, name: str) -> bool:
        """Whether the limit of that name is of permits."""
    def renew(self) -> None:
        """Have permits renewed, once some may be held."""
    def examine(self, actual: _Used) -> None:
        """Raise what ending a reservation by these units would."""
    def begin_end(
        self,
        bridge: Bridge,
        new_future: Callable[[], Any],
        decision: GateDecision,
        actual: _Used | None,
    ) -> list[Any]:
        """Put right what was spent, by what was used of each unit or at each limit that was chosen, or give
        all back, and give the permits back: one request each, for what `new_future` gives.
        """
    def ask_end(self, decision: GateDecision, actual: _Used | None) -> None:
        """The same. Blocks this thread."""
    def abandon(self, decision: GateDecision) -> None:
        """Give the permits of a decision back, without waiting for the server."""

@final
class RedisLimiter:
    """A limiter whose state is in Redis. Its coroutines are in `sluicegate.redis`."""

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
        tag: str | None = None,
    ) -> Self: ...
    @property
    def limit(self) -> int: ...
    @property
    def window_seconds(self) -> float: ...
    @property
    def script(self) -> str:
        """The text of the script that decides."""
    @property
    def receipt_script(self) -> str | None:
        """The text of the script that redeems receipts; None of permits."""
    @property
    def chunk(self) -> int:
        """How many calls may be made together, so that a server that is well has answered them all
        in time.
        """
    def begin(
        self,
        bridge: Bridge,
        future: object,
        verb: str,
        key: str,
        cost: int,
        number: int | None = None,
        quota: Quota | str | None = None,
    ) -> Decision | Literal[True] | None:
        """Begin a call: its decision if it needs no server, else True if a flush is to be planned.
        One for a permit has a number.
        """
    def ask(
        self,
        verb: str,
        key: str,
        cost: int,
        number: int | None = None,
        quota: Quota | str | None = None,
    ) -> Decision:
        """A call's decision. Blocks this thread until the server has answered, or `timeout` is over."""
    def begin_refund(
        self,
        bridge: Bridge,
        future: object,
        key: str,
        cost: int | Decision,
        units: int | None,
    ) -> Decision | Literal[True] | None:
        """Begin a refund, of a cost or by receipt, as `begin`."""
    def ask_refund(self, key: str, cost: int | Decision, units: int | None) -> None:
        """The same. Blocks as `ask`."""
    def ask_many(
        self, keys: list[str], cost: int, quota: Quota | str | None = None
    ) -> list[Decision]:
        """The decisions of a check for each key, sent together. Blocks as `ask`."""
    def give_up(self, key: str, number: int) -> None:
        """Give a permit up, without waiting for the server."""
    def leave(self, key: str, number: int) -> bool:
        """Release a permit. False: the server is to be told."""
    def holds(self, key: str, number: int) -> bool:
        """Whether a permit is held."""
    @property
    def is_idle(self) -> bool:
        """Whether no permit is to be renewed or given back."""
    def renew(self, bridge: Bridge, new_future: Callable[[], _T]) -> list[_T]:
        """Renew the permits of a loop, and give back again what may not have been: one request each
        for what `new_future` gives.
        """
    @staticmethod
    def renewal() -> str:
        """The text of the script that renews permits."""
    def set_quota(self, quota: object) -> None: ...
    def clear(self) -> Awaitable[None]:
        """An awaitable, which ends when every key is forgotten."""
    def ask_clear(self) -> None:
        """Forget every key. Blocks this thread."""
    def statistics(self) -> tuple[int, int, int, int, int, int]:
        """Admitted, refused, errors, timeouts, local and remembered."""
    def examine(self, key: str, cost: int, quota: Quota | str | None = None) -> None:
        """Raise what a check would."""
    def close(self) -> None:
        """Let go of the connection, if no other limiter uses it."""

@final
class RedisScript:
    """A script with its digest. Servers get to know it when they are connected: make it once."""

    def __new__(cls, text: str) -> Self: ...
    @property
    def text(self) -> str:
        """What a server runs."""

@final
class RedisScripts:
    """Runs scripts on one key each, over the connections that limiters use."""

    def __new__(cls, settings: object, prefix: str) -> Self: ...
    def begin(
        self,
        bridge: Bridge,
        future: object,
        script: RedisScript,
        key: str,
        arguments: list[str],
        timeout: float,
        by_text: bool = False,
    ) -> bool:
        """Begin to run a script on `key`, within `timeout` seconds; True if a flush is to be planned.
        `future` gets the reply: an int, bytes, None, or a list or a dict of those. The text is
        sent only to a server that does not know the script yet, or `by_text`.
        """
    def ask(
        self,
        script: RedisScript,
        key: str,
        arguments: list[str],
        timeout: float,
        by_text: bool = False,
    ) -> Any:
        """The reply to a script, as `begin` gives it. Blocks this thread until then."""
    def post(self, script: RedisScript, key: str, arguments: list[str], timeout: float) -> None:
        """Run a script, and let nobody know what it says."""
    def ask_hello(self, timeout: float) -> dict[bytes, Any]:
        """What a server says of itself, a dict, within `timeout` seconds. Blocks this thread."""
    def hello(self, timeout: float) -> Awaitable[dict[bytes, Any]]:
        """An awaitable of what a server says of itself, a dict, within `timeout` seconds."""
    @staticmethod
    def notices(more: str | None = None) -> list[str]:
        """What is to be logged, and `more` unless that was said a moment ago."""
    def close(self) -> None:
        """Let go of the connection, if nobody else uses it."""

@final
class Zone:
    """A zone that is open in this process: a file in which all processes of a host keep what their
    limiters have counted. Opened once for each file; made if there is none yet.

    `size` in bytes is what a new one gets (10 MiB unless given: room for 323,000 keys), and must be
    that of one that is there. `mode` are a new one's permissions, 0o600 unless given; `owner` the
    user id to whom it must belong, this process's unless given.

    Raises ``ValueError`` or ``TypeError`` for a wrong argument, and `sluicegate.StoreError` when the file, the
    file system or the machine cannot serve, with what to do.
    """

    def __new__(
        cls,
        path: str | PathLike[str],
        *,
        size: int | None = None,
        mode: int | None = None,
        owner: int | None = None,
    ) -> Self: ...
    @property
    def path(self) -> str:
        """Where its file lies."""
    @property
    def size(self) -> int:
        """The file's length in bytes."""

class ZoneFixedWindow(Limiter):
    """At most `limit` units in each window that is aligned to Unix time, of all processes of a zone."""

    @overload
    def __new__(
        cls,
        zone: Zone,
        name: str,
        limit: Quota | str,
        *,
        clock: ManualClock | None = None,
    ) -> Self: ...
    @overload
    def __new__(
        cls,
        zone: Zone,
        name: str,
        limit: int,
        window_seconds: float,
        *,
        clock: ManualClock | None = None,
    ) -> Self: ...
    @overload
    def set_quota(self, limit: Quota | str) -> None:
        """Change the quota for this process, at once; what was spent stays spent. The window stays as it
        is: another window is another limit. Arguments as of the class.

        Raises ``ValueError`` or ``TypeError`` for an argument out of its range; nothing has changed then.
        """
    @overload
    def set_quota(self, limit: int, window_seconds: float) -> None: ...

class ZoneSegmentedWindow(Limiter):
    """At most `limit` units in any span of `window_seconds`, of all processes of a zone, by as many parts as
    one word of 80 bits has counters for.

    A unit is back one part late at most: window / 7 for limits to 1,023; / 9 to 255, / 79 for a limit of
    1; / 6 to 2,047, / 5 to 8,191, / 4 to 65,535 (for 10,000 a day 6 hours), / 3 to 1,048,575, / 2 to
    67,108,863, and a whole window above. `largest` is the largest limit that any process or key will
    have: whoever makes the limit in the zone first lays it out for that. A limit above it is a
    ``ValueError``.
    """

    @overload
    def __new__(
        cls,
        zone: Zone,
        name: str,
        limit: Quota | str,
        *,
        largest: int | None = None,
        clock: ManualClock | None = None,
    ) -> Self: ...
    @overload
    def __new__(
        cls,
        zone: Zone,
        name: str,
        limit: int,
        window_seconds: float,
        *,
        largest: int | None = None,
        clock: ManualClock | None = None,
    ) -> Self: ...
    @property
    def parts(self) -> int:
        """Into how many parts the window is cut."""
    @overload
    def set_quota(self, limit: Quota | str) -> None:
        """Change the quota for this process, at once; what was spent stays spent. The window stays as it
        is: another window is another limit. Arguments as of the class.

        Raises ``ValueError`` or ``TypeError`` for an argument out of its range; nothing has changed then.
        """
    @overload
    def set_quota(self, limit: int, window_seconds: float) -> None: ...

class ZoneSlidingWindowCounter(Limiter):
    """Approximates a sliding window from two aligned counters, of all processes of a zone."""

    @overload
    def __new__(
        cls,
        zone: Zone,
        name: str,
        limit: Quota | str,
        *,
        clock: ManualClock | None = None,
    ) -> Self: ...
    @overload
    def __new__(
        cls,
        zone: Zone,
        name: str,
        limit: int,
        window_seconds: float,
        *,
        clock: ManualClock | None = None,
    ) -> Self: ...
    @overload
    def set_quota(self, limit: Quota | str) -> None:
        """Change the quota for this process, at once; what was spent stays spent. The window stays as it
        is: another window is another limit. Arguments as of the class.

        Raises ``ValueError`` or ``TypeError`` for an argument out of its range; nothing has changed then.
        """
    @overload
    def set_quota(self, limit: int, window_seconds: float) -> None: ...

class ZoneTokenBucket(Limiter):
    """Bursts up to a capacity, a steady rate on average, of all processes of a zone. A key that was never
    seen has a full bucket.

    What was spent is kept as the time at which the bucket is full again: under another rate it counts
    for the time that it took to refill when it was spent.
    """

    def __new__(
        cls,
        zone: Zone,
        name: str,
        config: TokenBucketConfig | Quota | str | int | None = None,
        refill_rate: float | None = None,
        *,
        capacity: int | None = None,
        clock: ManualClock | None = None,
    ) -> Self: ...
    @property
    def config(self) -> TokenBucketConfig:
        """The configuration in force."""
    def set_quota(
        self,
        config: TokenBucketConfig | Quota | str | int | None = None,
        refill_rate: float | None = None,
        *,
        capacity: int | None = None,
    ) -> None:
        """Change the quota for this process, at once; what was spent stays spent. Arguments as of the class.

        Raises ``ValueError`` or ``TypeError`` for an argument out of its range; nothing has changed then.
        """

class ZonePermits:
    """The permits of many keys, of all processes of a zone. One whose process dies lapses with its lease,
    or up to a quarter of a lease later.
    """

    def __new__(
        cls,
        zone: Zone,
        name: str,
        limit: int | Quota | str,
        lease_seconds: float = 30.0,
        *,
        clock: ManualClock | None = None,
    ) -> Self: ...
    @property
    def limit(self) -> int:
        """How many permits a key has."""
    @property
    def lease_seconds(self) -> float:
        """How long a permit is held that is not renewed, in seconds; up to a quarter longer."""
    def try_acquire(self, key: str) -> Permit | None:
        """A permit, or ``None`` if none is free now. Release it, or use it in a ``with``.

        Raises ``TypeError`` if ``key`` is no str.
        """
    def renew(self) -> float | None:
        """Begin the lease of every permit anew that this process holds. Seconds until that is to be done
        again, ``None`` if none is held.
        """
    def in_use(self, key: str) -> int:
        """How many permits of ``key`` are held now, by any process."""
    def _retry_after(self, key: str) -> float:
        """Seconds until the first permit of ``key`` lapses if its holder does not renew it; 1.0 if none is
        held.
        """
    def reset(self, key: str) -> None:
        """Forget who holds permits of ``key``: all are free, and releasing those does nothing."""
    def clear(self) -> None:
        """Forget who holds permits, of every key."""
    def __len__(self) -> int: ...
    def __bool__(self) -> bool: ...

def inspect_zone(path: str | PathLike[str]) -> dict[str, Any]:
    """What is in the zone at ``path``, which is only read; :mod:`sluicegate._zone.found` says what of it
    means what. Other threads run meanwhile: it looks at each slot.

    Raises ``StoreError`` for what is no zone, or cannot be read.
    """

def zone_parts_for(largest: int, /) -> int:
    """Into how many parts a zone's word divides the window of a limit of up to `largest` units."""

def zone_lateness(largest: int, window_seconds: float, /) -> float:
    """How many seconds later than by an exact log a unit may be back, in a zone's segments that are laid
    out for `largest` units.
    """

def read_toml(text: str, /) -> tuple[tuple[int, Any], list[tuple[int, int, str]]]:
    """The nodes of a TOML text, and its errors: ``(line, column, reason)``, both from 1.

    A node is ``(line, value)``: a ``str``, ``int``, ``float``, ``bool``, ``None`` for what cannot be
    read, ``("a date",)``, a list of nodes, or a dict of ``(line of the key, node)``, as they are written.
    What stands beside an error is there as far as it could be understood.
    """

def limits_off(off: bool) -> None:
    """Enter (`True`) or leave (`False`) a block in which nothing is limited, nor waited for."""

def limits_are_off() -> bool:
    """Whether such a block runs."""

def before_fork() -> None:
    """In the thread that is about to fork."""

def after_fork_in_parent() -> None:
    """In the parent, after the fork."""

def after_fork_in_child() -> None:
    """In the child, after the fork."""
