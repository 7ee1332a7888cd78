"""A rule: which requests, counted by what, how much."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Literal, cast

from sluicegate._connection.on_error import OnError
from sluicegate._core import Quota
from sluicegate.policy.rules.arguments import checked_arguments
from sluicegate.policy.rules.holding import bucket_of
from sluicegate.policy.rules.names import limit_name, rule_name
from sluicegate.policy.rules.pattern import Pattern
from sluicegate.policy.rules.sources import Source
from sluicegate.policy.rules.together import DEFAULTS

__all__ = ["Rule"]

_SECRET: Final = "store"  # its URL may hold a password


class Rule:
    """A limit for the requests that match a pattern, one of a policy's ``rules``. Immutable.

    ``Rule("POST /login", "5/minute", by="address", counts="failures")``. All rules that match a
    request apply, together with the client's tier: it passes if every one admits it, and else none
    is spent.

    Args:
        match: methods, host and path. ``"POST /login"``, ``"GET|PUT /users/{id}"``,
            ``"/static/*"``, ``"//api.example.com/v1/*"``, ``"POST //*.example.com/login"``, ``"*"``.
            Without a method all match; ``GET`` has ``HEAD`` and the handshakes of WebSockets.
            ``{id}`` is one segment, ``*`` at the end is all below and nothing as well;
            ``*.example.com`` is all hosts below example.com. The path is compared decoded, without
            the root path, and as it is written (``/Login`` is another one), but repeated slashes
            count once and one at the end does not count. Where it has ``.`` or ``..``, what it leads
            to matches too.
        quota: how much: a :class:`~sluicegate.Quota` or its text; several, as
            ``"10/second; 100/minute"``, must all admit; ``"5 concurrent"`` are permits, of which a
            request holds one until the app has returned (in WSGI: until its answer is closed).
            Left out with ``exempt``.
        by: what is counted by. ``"client"``, the principal, or else the address; ``"address"``;
            ``"principal"``; ``"tier"``, all clients of a tier together; ``"all"``, all requests
            together; ``"header:NAME"``; ``"path:id"``, what ``{id}`` stands for, as it is written
            (an app that reads ``01`` as 1 needs a function that does so too); or a name in the policy's
            ``keys``. Several, as ``("client", "path:id")``, are counted by their combination.
        tier: the tier, or several, whose clients the rule is for; ``None`` for all.
        cost: what a request costs: an int from 0, one by unit, as ``{"tokens": 900}``, or a function
            of the request that gives either; 1 unless given. At 0 the rule counts nothing.
        counts: which requests stay spent: ``"all"``; ``"failures"``, whose status is 400 or above;
            ``"successes"``, the others; or a plain function of the status that gives the units. A
            request spends when it comes and is put right when its status is known, so that many at
            once cannot pass the limit.
        group: of the rules of one group only the first that matches applies.
        name: what it is called in decisions, fields and metrics, and where its counts are kept: 1 to
            46 printable ASCII characters. Each quota has its window behind it, as ``login/minute``.
            Rules of one ``group`` that count by the same may have one name: they count together.
            Unless given, the pattern, and ``by`` if that is not ``"client"``.
        algorithm: as that of :class:`~sluicegate.Limit`; ``None`` chooses by the quota.
        shadow: watch only: it refuses nobody, and tells metrics and hooks whom it would have.
        on_error: who decides when the store does not: ``"closed"``, ``"raise"``, ``"local"`` or
            ``"open"``; ``None`` for the policy's. Of rules that apply together the strictest counts,
            in this order.
        store: where it is counted, as a policy's ``store``; ``None`` for the policy's.
        delay: hold requests above the rate instead of refusing them, each for up to so many seconds,
            to 3,600. The quota, a single rate, is counted by a token bucket that holds what can be
            served in that time and one more, or the quota's burst if that is less.
        undelayed: how many above the rate are served at once before others are held, from 0; as
            nginx's ``delay=``.
        refusal: what answers a request that it refuses: ``"json"``, ``"problem"``, an ASGI app (or in
            a WSGI middleware a WSGI app); ``None`` for the policy's.
        headers: which sets of fields tell of it, some of ``("x-ratelimit", "ietf")``, or ``()``;
            ``None`` for the policy's.
        exempt: a request that matches is not limited by what comes behind: no later rule applies,
            nor the tier. Earlier rules do. A path with ``.`` or ``..`` is never exempt.
        lease_seconds: of permits in Redis: how long they outlive a holder that is not heard of, 0.1
            to 86,400 seconds.

    Raises:
        ValueError, TypeError: an argument out of its range, or two that do not go together; the
            message names it.
    """

    __slots__ = (
        "algorithm",
        "by",
        "cost",
        "counts",
        "delay",
        "exempt",
        "group",
        "headers",
        "lease_seconds",
        "limit_names",
        "match",
        "name",
        "named",
        "on_error",
        "pattern",
        "quotas",
        "refusal",
        "shadow",
        "sources",
        "store",
        "tier",
        "undelayed",
    )

    #: The pattern as a text, without what makes no difference.
    match: str
    pattern: Pattern
    #: Those that are counted: with a delay, the bucket. Of an exempt rule none.
    quotas: tuple[Quota, ...]
    #: What each of the quotas is called.
    limit_names: tuple[str, ...]
    by: tuple[str, ...]
    sources: tuple[Source, ...]
    #: Empty for all.
    tier: tuple[str, ...]
    cost: int | Mapping[str, int] | Callable[[Any], Any] | None
    counts: Literal["all", "failures", "successes"] | Callable[[int], int]
    group: str | None
    name: str
    #: Whether the name was given.
    named: bool
    algorithm: str | None
    shadow: bool
    on_error: OnError | None
    store: object
    delay: float | None
    undelayed: int
    refusal: Any
    headers: tuple[str, ...] | None
    exempt: bool
    lease_seconds: float

    def __init__(
        self,
        match: str,
        quota: Quota | str | None = None,
        *,
        by: str | Iterable[str] = "client",
        tier: str | Iterable[str] | None = None,
        cost: int | Mapping[str, int] | Callable[[Any], Any] | None = None,
        counts: Literal["all", "failures", "successes"] | Callable[[int], int] = "all",
        group: str | None = None,
        name: str | None = None,
        algorithm: str | None = None,
        shadow: bool = False,
        on_error: OnError | None = None,
        store: object = None,
        delay: float | None = None,
        undelayed: int = 0,
        refusal: Callable[..., Any] | Literal["json", "problem"] | None = None,
        headers: Iterable[str] | str | None = None,
        exempt: bool = False,
        lease_seconds: float = 30,
    ) -> None:
        given = locals()
        checked, faults = checked_arguments({field: given[field] for field in DEFAULTS})
        for _, error in faults:
            raise error
        pattern, sources = checked.pop("match"), checked.pop("by")
        quotas: tuple[Quota, ...] = checked.pop("quota")
        if checked["delay"] is not None:
            quotas = (bucket_of(quotas[0], checked["delay"]),)
        name = checked["name"]
        checked["named"] = name is not None
        checked["name"] = name = name or rule_name(pattern.text, sources)
        checked |= {"match": pattern.text, "pattern": pattern, "quotas": quotas}
        checked |= {"by": tuple(map(str, sources)), "sources": sources}
        checked["limit_names"] = tuple(limit_name(name, quota) for quota in quotas)
        for field, value in checked.items():
            object.__setattr__(self, field, value)

    def but(self, **changed: Any) -> Rule:
        """Another rule of the same arguments but for those that are given."""
        return Rule(**{**self._given(), **changed})

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a Rule cannot be changed: make another one, got {name}={value!r}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a Rule cannot be changed: make another one, got del {name}")

    def __repr__(self) -> str:
        given = [
            "store=..." if field == _SECRET else f"{field}={value!r}"
            for field, value in self._given().items()
        ]
        given[: 1 if self.exempt else 2] = map(repr, self._positional())
        return f"Rule({', '.join(given)})"

    def __copy__(self) -> Rule:
        return self

    def __deepcopy__(self, memo: object) -> Rule:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _made, (self._given(),)

    def _positional(self) -> list[str]:
        quota = "; ".join(map(str, self.quotas))
        return [self.match, *([quota] if quota else [])]

    def _given(self) -> dict[str, Any]:
        """The arguments that make it again, without those that are as usual."""
        given: dict[str, Any] = dict(zip(("match", "quota"), self._positional(), strict=False))
        for field, usual in DEFAULTS.items():
            if field in ("match", "quota") or (field == "name" and not self.named):
                continue
            value = getattr(self, field)
            if field in ("by", "tier"):
                value = (value or (None,))[0] if len(value) < 2 else value
            if value != usual:
                given[field] = value
        return given


def _made(given: dict[str, Any]) -> Rule:
    return cast("Callable[..., Rule]", Rule)(**given)
