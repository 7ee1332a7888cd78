"""How limiters are asked: by verbs that may have to be awaited, or by such as block their thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from sluicegate._support.functions import is_async
from sluicegate.identity.verified import VerifiedKeys

if TYPE_CHECKING:
    from sluicegate.policy.options import SharedOptions

__all__ = ["Verbs", "refuse_coroutines", "verb_of", "verbs_of"]

_ADVICE = "which nobody can await in WSGI"


class Verbs(NamedTuple):
    """What a tier asks its limiter by; ``None``: it has no such verb."""

    check: Callable[..., Any]
    peek: Callable[..., Any]
    refund: Callable[..., Any] | None


def verbs_of(limiter: Any, blocking: bool) -> Verbs:
    """The verbs of a limiter or a gate. ``blocking``: such as give their answer at once.

    Raises ``TypeError`` for a limiter that only can be awaited where nobody does.
    """
    check, peek = (verb_of(limiter, verb, blocking) for verb in ("check", "peek"))
    refund = verb_of(limiter, "refund", blocking) if hasattr(limiter, "refund") else None
    return Verbs(check, peek, refund)


def verb_of(limiter: Any, verb: str, blocking: bool) -> Callable[..., Any]:
    """One of its verbs; ``blocking``: its twin that ends in ``_sync``, if it is to be awaited itself."""
    plain: Callable[..., Any] = getattr(limiter, verb)
    if not (blocking and _is_awaited(limiter, plain)):
        return plain
    kind = type(limiter)
    twin: Callable[..., Any] | None = getattr(limiter, f"{verb}_sync", None)
    if twin is None or _is_overridden(kind, verb):
        raise TypeError(
            f"{kind.__name__}.{verb} is a coroutine function, {_ADVICE}: give the limiter a plain "
            f"{verb}_sync as well, or take one of sluicegate, of sluicegate.shared or "
            "sluicegate.redis"
        )
    return twin


def _is_awaited(limiter: Any, verb: Callable[..., Any]) -> bool:
    return getattr(limiter, "_NEEDS_ASYNCIO", False) or is_async(verb)


def _is_overridden(kind: type, verb: str) -> bool:
    """Whether a subclass decides otherwise by the one verb, and as before by its twin."""
    for base in kind.__mro__:
        if f"{verb}_sync" in vars(base):
            return False
        if verb in vars(base):
            return not base.__module__.startswith("sluicegate.")
    return False


def refuse_coroutines(options: SharedOptions) -> None:
    """Raise ``TypeError`` that names an option which is a coroutine function."""
    given: dict[str, Any] = {
        name: getattr(options, name, None) for name in ("identify", "tier", "cost", "exempt")
    }
    for place, rule in enumerate(getattr(options, "rules", ())):
        given[f"rules[{place}]: cost"] = rule.cost
    for by, function in (options.keys or {}).items():
        given[f"keys[{by!r}]"] = function
    verify = getattr(options, "verify", None)
    if isinstance(verify, VerifiedKeys):
        verify = verify._verify  # noqa: SLF001
    given["verify"] = verify
    for place, rule in enumerate(getattr(options, "rules", ())):
        given[f"rules[{place}]: cost"] = rule.cost
    for option, function in given.items():
        if is_async(function):
            raise TypeError(
                f"{option} must be a plain function here, got the coroutine function {function!r}, "
                f"{_ADVICE}"
            )
