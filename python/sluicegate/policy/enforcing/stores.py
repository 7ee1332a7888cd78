"""Where a policy's rules are counted: its own store, and those that some of them name."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sluicegate.gate import Limit
from sluicegate.gate.parts import parts_of
from sluicegate.policy.algorithms import name_of
from sluicegate.policy.enforcing.by_names import ByNames
from sluicegate.policy.gates.store_limits import StoreLimits, by_the_caller, is_of_tier
from sluicegate.policy.stores.options import LimiterOptions
from sluicegate.policy.stores.place import OPTIONS, check_options, place_of

if TYPE_CHECKING:
    from sluicegate._connection.on_error import OnError
    from sluicegate._core import Quota
    from sluicegate.policy.options import PolicyOptions
    from sluicegate.policy.owned import Owned
    from sluicegate.policy.rules.rule import Rule

__all__ = ["RuleStores", "at_rule"]

#: What a server's silence means, the strictest first.
_STRICTEST: Final[tuple[OnError, ...]] = ("closed", "raise", "local", "open")


class RuleStores:
    """The stores of a policy that has rules, its own first, with the limits that are counted in each.

    Attributes:
        stores: all of them.
        places: of each rule's in ``stores``.
        bys: what each rule's gate calls its key.
    """

    __slots__ = ("_limits", "_options", "_owned", "_policy", "bys", "places", "stores")

    def __init__(self, policy: PolicyOptions, rules: Sequence[Rule], owned: Owned) -> None:
        self._policy = policy
        self._owned = owned
        self._options: list[LimiterOptions] = [policy]
        self._limits: list[dict[str, Limit]] = [{}]
        names = ByNames()
        self.bys = [names.name_of(place, rule.sources) for place, rule in enumerate(rules)]
        self.places = [self._add(place, rule) for place, rule in enumerate(rules)]
        self.stores = [self._store(rules, place) for place in range(len(self._options))]

    def _add(self, place: int, rule: Rule) -> int:
        """The place of the store that counts a rule, which has its limits then."""
        where = rule.store
        with at_rule(place):
            store = self._place_of(where)
            options, limits = self._options[store], self._limits[store]
            if rule.on_error is not None:
                check_options(options.place, ["on_error"])
            for name, quota in zip(rule.limit_names, rule.quotas, strict=True):
                if is_of_tier(name):
                    raise ValueError(
                        f"name must not be {rule.name!r}, as the limits of the tiers are called"
                    )
                limits[name] = _limit(rule, name, quota, self.bys[place], options)
        return store

    def _place_of(self, where: object) -> int:
        if where is None or where == self._policy.where:
            return 0
        for place, known in enumerate(self._options):
            if place and known.where == where:
                return place
        options = {
            name: getattr(self._policy, name)
            for name in OPTIONS[place_of(None, where)]
            if getattr(self._policy, name) is not None
        }
        algorithm = self._policy.algorithm
        self._options.append(LimiterOptions(algorithm=algorithm, store=where, **options))
        self._limits.append({})
        return len(self._options) - 1

    def _store(self, rules: Sequence[Rule], place: int) -> StoreLimits:
        options = self._options[place]
        on_errors: dict[OnError | None, None] = {self.on_error(place, ()): None}
        for rule, at in zip(rules, self.places, strict=True):
            if at == place:
                on_errors[self.on_error(place, [rule])] = None
        before: _Kept | None = self._owned.latest(_described(options))
        if before is not None and before.is_of(rules, options):
            return before.store  # the same policy, in another middleware
        return StoreLimits(
            options,
            ("policy",),
            self._limits[place],
            on_errors,
            None if before is None else before.store,
        )

    def options_of(self, rule: int) -> LimiterOptions:
        """How and where the rule at this place is counted."""
        return self._options[self.places[rule]]

    def keep(self, rules: Sequence[Rule]) -> None:
        """Have the stores of the policy that comes after go on with these."""
        for options, store in zip(self._options, self.stores, strict=True):
            self._owned.keep(_described(options), _Kept(tuple(rules), options.algorithm, store))

    def on_error(
        self, place: int, rules: Iterable[Rule], *, with_own: bool = False
    ) -> OnError | None:
        """What some rules of one store want if its server does not answer: the strictest of it.

        ``with_own``: the tier, which is as the policy is, has a say as well.
        """
        options = self._options[place]
        if options.place != "redis":
            return None
        own: OnError = options.on_error or "local"
        wanted = {rule.on_error or own for rule in rules}
        if with_own or not wanted:
            wanted.add(own)
        return next(each for each in _STRICTEST if each in wanted)


class _Kept(NamedTuple):
    """The limits of one store, and the rules that they were made of."""

    rules: tuple[Rule, ...]
    algorithm: object
    store: StoreLimits

    def is_of(self, rules: Sequence[Rule], options: LimiterOptions) -> bool:
        """Whether it was made of these."""
        return self.rules == tuple(rules) and self.algorithm == options.algorithm

    @property
    def limiter(self) -> Any:
        """Its gate."""
        return self.store.limiter


def _described(options: LimiterOptions) -> tuple[object, ...]:
    return "policy", options.description()


@contextmanager
def at_rule(place: int) -> Generator[None]:
    """Errors name the place of the rule."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise type(error)(f"rules[{place}]: {error}") from error


def _limit(rule: Rule, name: str, quota: Quota, by: str, options: LimiterOptions) -> Limit:
    """A rule's limit, if its store can count it."""
    limit = Limit(
        quota,
        by=by,
        name=name,
        algorithm=_algorithm(rule, quota, options),
        quota_for=by_the_caller,
        shadow=rule.shadow,
        optional=True,
        lease_seconds=rule.lease_seconds,
    )
    if options.place == "zone":
        from sluicegate.shared.gate_limits import parts_in_zone

        parts_in_zone([limit])
    else:
        parts_of([limit])
    return limit


def _algorithm(rule: Rule, quota: Quota, options: LimiterOptions) -> str | None:
    """The rule's, or the policy's; ``None`` where the quota chooses."""
    if quota.concurrent is not None or rule.delay is not None:
        return None
    algorithm: Any = options.algorithm
    if rule.algorithm is not None or algorithm is None:
        return rule.algorithm
    name = name_of(algorithm)
    if name is None:
        raise ValueError(
            f"quota '{quota}': rules are counted by an algorithm of sluicegate, and algorithm= is "
            f"{algorithm!r}: give its name, such as 'sliding_window', or give the rule one of its own"
        )
    return name
