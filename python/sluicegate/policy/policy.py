"""A policy: whom a request is charged to, how much they may have, and what refused ones get."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from os import PathLike
from typing import TYPE_CHECKING, Any, NoReturn

from sluicegate._support.single import Single
from sluicegate.policy.document.shared import policy_at
from sluicegate.policy.document.statistics import PolicyStatistics
from sluicegate.policy.enforcer import Enforcer
from sluicegate.policy.idle import warn_of_idle
from sluicegate.policy.options import PolicyOptions, default
from sluicegate.policy.owned import Owned, owned_by

if TYPE_CHECKING:
    from typing_extensions import Self

    from sluicegate.policy.document.source import PolicySource
else:
    PolicySource = Any  # which typing.get_type_hints() looks for

__all__ = ["Policy", "PolicyOfOptions", "policy_of"]


@dataclass(frozen=True, eq=False, repr=False)
class Policy(Single, PolicyOptions):
    """Which limits requests have. Frozen, and checked as a whole when it is made.

    ``Policy(tiers={"free": "100/minute", "premium": "1000/minute"})``,
    ``Policy(rules=[Rule("POST /login", "5/minute", by="address")])``, both, or
    ``Policy(limiter=any_limiter)``. What it counts is its own: all middlewares with one policy
    count together, and a copy of a policy is itself.

    Args:
        tiers: name → a quota (``"100/minute"``, a :class:`~sluicegate.Quota`, or
            ``(limit, window_seconds)``), ``"unlimited"``, or a limiter. Requests of an unlimited
            tier pass: no fields are sent, nothing is charged. Several quotas
            (``"5/second; 1000/day"``) are one decision. Each window is one limit for all tiers, so
            that a client who changes plan keeps what was spent of it; one that a tier lacks does
            not apply. Or a function of the name, for plans in a database: its ``None`` is an unknown
            tier.
        limiter: one limiter, or a :class:`~sluicegate.Gate`, for all, instead of tiers; of this
            process or in Redis. Permits of a gate are held until the app has returned.
        rules: which requests have limits beside those of their tier, counted by what: some
            :class:`Rule`. All that match apply, together and with the tier: a request is admitted by
            all of them, or spends nothing. Where there is neither a tier nor a limiter, what no rule
            matches is not limited.
        keys: what limits of a gate, or rules, count by, other than ``client`` (or ``key``, whom the request is
            from) → a function of the request, such as ``{"org": org_of}``: its ``None`` leaves those
            limits out. A gate whose limits all count by one thing needs none for the client.
        store: where quotas are counted, by all processes together: ``"redis://localhost:6379/0"``
            or another URL or client of :mod:`sluicegate.redis`; or on one host, without a server,
            ``"shared:///run/app/limits.zone?size=10m"``, ``"shared:name"`` or a zone, see
            :mod:`sluicegate.shared`. ``None``: in this process.
        redis: the same as ``store``, for a server.
        algorithm: ``"sliding_window"`` (the exact log), ``"segmented_window"``,
            ``"fixed_window"``, ``"sliding_counter"``, ``"token_bucket"``, or a limiter class,
            for the tiers. ``None`` chooses by the quota: a token bucket where it has a burst, a
            fixed window where it has a time zone; for the other tiers together the exact log if
            the largest limit is at most 1,000, else segments, as for those of a function. In a zone
            segments, for limits up to 1,023: larger ones need a name.
        identify: gives the key of a request, which is used as it is; ``None`` for the default
            identity. Keys of that begin with ``ip:``, ``user:`` or ``key:``: put a word of your own
            before what a client may choose, or it chooses whose quota it spends.
        tier: gives the name of a request's tier, instead of the principal's.
        default_tier: the tier of requests for which nobody names one: the first, unless given; of
            a function of the name, ``"default"``, which it is asked for at once.
        unknown_tier: whose quota a tier has that is not in ``tiers``: ``"default"``, the default
            one's, which the log says once; or ``"error"``, a ``LookupError`` that the app raises.
        tier_ttl: seconds for which an answer of the function ``tiers`` holds, 0 to 1,000,000.
        cost: gives what a request costs, an int ≥ 0, or by units, as ``{"tokens": 900}``, where
            requests cost 1 unless named. At 0 it is not charged: it passes
            whatever is left, without fields, and the limit is not asked.
            ``identify``, ``tier``, ``cost`` and those of ``keys`` get the scope (in :mod:`sluicegate.fastapi` a
            ``Request`` without its body; in :mod:`sluicegate.wsgi` the environ), may be coroutine
            functions (not in WSGI), and their exceptions propagate.
        trusted_proxies, proxy_header, ipv6_prefix, no_address: who the client is; see
            :class:`~sluicegate.identity.ClientAddress`.
        verify: given an API key, returns a :class:`~sluicegate.identity.Principal`, its id,
            or ``None`` for an unknown one, which is limited by its address; or a
            :class:`~sluicegate.identity.VerifiedKeys`, which can ``forget``.
        verify_ttl: seconds for which a verified key is remembered; 0: not at all.
        api_key_header: where the API key is sent.
        identity: these eight options as one value, an :class:`Identity`.
        secret: with which rules hash the headers that they count by, 16 characters or more: to be given
            if such a rule is counted in a zone or in Redis, the same in all processes. In memory it is
            made up.
        exempt: paths that are not limited (``"/health"``, or ``"/static/*"`` for all below),
            or a predicate like ``cost``.
        exempt_preflight: leave out the ``OPTIONS`` by which a browser asks for a script.
        cors: the origins whose scripts may read a refusal, which may never reach what else says
            so: some, as ``["https://app.example.com"]``, or ``"*"``, without credentials.
        shadow: decide and count (``statistics().refused``), but refuse nobody, send no headers.
        refusal: the ASGI app, or in WSGI the WSGI app, that answers refused requests; see
            :mod:`sluicegate.refusals`.
        headers: which sets to send, some of ``("x-ratelimit", "ietf")``, or ``()``.
        messages: limits each WebSocket's incoming messages too: a quota as in
            ``tiers``, or a limiter. Over it the connection is closed with 1008.
        concurrency: most requests of one key at once, until the app has returned: a number
            or ``"5 concurrent"`` (counted in the ``store``), or a ``ConcurrencyLimiter``. One too many
            gets a 429 and spends nothing.
        name: the policy's name in the headers when ``limiter`` is given (a gate's limits have their
            own there), and in metrics.
        metrics: True, or a prometheus_client registry: see :mod:`sluicegate.metrics`; 2 µs.
        hooks: who is told of refusals; see :class:`~sluicegate.hooks.Hook`.
        endpoint: a plain function: gives what a request is for, for metrics and hooks, of
            few names, never a raw path: only 100 are told apart.
        prefix: what keys in Redis, and limits' names in a zone, begin with, up to 31 bytes: one for
            each application, so that two with tiers of one window count apart; ``"sluicegate"`` unless
            given.
        timeout, on_error, workers, remember: of limits in Redis; see
            :class:`sluicegate.redis.FixedWindow`.
        max_keys, overflow: of limits in memory; see :class:`~sluicegate.FixedWindow`.
        clock: a :class:`~sluicegate.testing.ManualClock` for tests, in memory or in a zone.
        closed_status: the status, 400 to 599, of refusals that nobody decided: Redis does not
            answer and ``on_error`` is ``"closed"``. They have ``Retry-After`` and no quota.

    Raises:
        ValueError, TypeError: an argument out of its range; the message names it.
    """

    enforcer: Enforcer = field(init=False)
    #: The file that it comes from.
    source: PolicySource | None = field(init=False, default=None)
    #: To be called when a request comes, unless it is ``None``.
    on_first_request: Callable[[], None] | None = field(init=False, default=None)

    @classmethod
    def from_file(
        cls, path: str | PathLike[str], *, reload_seconds: float = 1.0, **in_code: Any
    ) -> Self:
        """A policy that a file describes, in TOML or in YAML (which needs ``sluicegate[yaml]``).

        The file has the same options by the same names; ``docs/policy-file.md`` has them all.

        When it changes it is read again, by a thread that starts with the first request of a process
        and looks at what the path leads to. The new limits hold from the next request on, and what
        was spent stays spent. A file that is wrong changes nothing: the log says why, once.

        Args:
            path: ``limits.toml``, ``.yaml`` or ``.yml``, up to 10 MiB of UTF-8.
            reload_seconds: how often the file is looked at, 0 to 86,400; 0: never.
            in_code: options of a :class:`Policy` that stand beside the file's, such as ``keys=``,
                ``verify=``, ``hooks=`` or ``clock=``. One may be given in one place only.

        Raises:
            PolicyFileError: the file is wrong, or cannot be read: all problems, with their lines.
            ValueError, TypeError: an option in code is wrong.
            ImportError: PyYAML is missing.
        """
        from sluicegate.policy.document.source import PolicySource

        return PolicySource(path, in_code, reload_seconds).made(cls)

    def reload(self) -> bool:
        """Read the file now. Returns whether it says something else, which is in force then.

        A file that is wrong changes nothing: it is logged, once for each version, and counted by
        :meth:`statistics`. The file is read in the calling thread, in some milliseconds.

        Raises ``TypeError`` if the policy was not read from a file.
        """
        if self.source is None:
            raise TypeError("this policy was made in code: only one of Policy.from_file has a file")
        return self.source.reload()

    def statistics(self) -> PolicyStatistics:
        """How often its file has come into force again, and how often not."""
        return PolicyStatistics() if self.source is None else self.source.statistics

    def require(self, check: Callable[[Enforcer], object]) -> None:
        """Have ``check`` called with the Enforcer, now and before another one takes its place.

        What it raises now propagates, and then keeps the policy as it is.
        """
        check(self.enforcer) if self.source is None else self.source.require(check)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "enforcer", Enforcer(self, self._owned()))
        if self.source is None:  # a file's warnings have its lines
            warn_of_idle(self)

    def _owned(self) -> Owned:
        """Whose the limiters are that are made of its numbers."""
        return Owned(self, lasts=self.source is not None)

    def __repr__(self) -> str:
        # What it was made of may hold secrets, such as a server's password.
        what = "Policy" if self.source is None else f"Policy {self.source.path!r}"
        options = self.enforcer.policy
        rules = f"{len(options.rules)} rules" if len(options.rules) != 1 else "1 rule"
        if options.has_only_rules:
            return f"<{what} of {rules}>"
        names = options.tiers if isinstance(options.tiers, Mapping) else [options.name]
        of = f"the tiers {', '.join(map(str, names))}"
        if options.has_plans:
            of = "tiers by a function"
        return f"<{what} of {of} and {rules}>" if options.rules else f"<{what} of {of}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a Policy cannot be pickled: it has counts and functions of this process. In each "
            "process make one of its own, by a function that returns it; with redis= or store= they "
            "count together"
        )


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class PolicyOfOptions(Policy):
    """A policy of a middleware's own options, of which ``policy`` replaces all others.

    Those that are made of one ``tiers`` object before the first request count together; of rules
    alone, of one ``rules`` object.
    """

    policy: Policy | str | PathLike[str] | None = None
    reload_seconds: float = default(1.0)

    def __post_init__(self) -> None:
        if self.is_given("reload_seconds"):
            raise TypeError(
                "reload_seconds= is for a policy in a file: give policy='limits.toml' too, or leave it out"
            )
        super().__post_init__()

    def _owned(self) -> Owned:
        if self.has_only_rules:
            return owned_by(self.rules_given)
        return owned_by(self.limiter if self.tiers is None else self.tiers)


def policy_of(policy: Policy | str | PathLike[str] | None, *tiers: Any, **options: Any) -> Policy:
    """The policy of a middleware: the one that is given, a file's, or that of its other options."""
    if policy is None:
        return PolicyOfOptions(*tiers, **options)
    if not isinstance(policy, Policy):
        return policy_at(Policy.from_file, policy, tiers, options)
    if tiers or options:
        given = "tiers" if tiers else next(iter(options))
        raise TypeError(f"policy= stands for all other options: leave out {given}=")
    return policy
