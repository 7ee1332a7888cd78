"""Whom a request is from, when somebody has said so who is believed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sluicegate._support.asgi_types import Scope

__all__ = ["Principal", "principal_of", "verified_principal"]


@dataclass(frozen=True, repr=False)
class Principal:
    """Whom a verified API key or a login belongs to. Immutable.

    Args:
        id: names the principal; requests with one id share a quota.
        tier: the tier it is limited by; ``None`` for the default one.
    """

    id: str
    tier: str | None = None

    def __post_init__(self) -> None:
        for name, value in (("id", self.id), ("tier", self.tier)):
            if not isinstance(value, str) and (name == "id" or value is not None):
                raise TypeError(f"{name} must be a str, got {type(value).__name__}")
        if not self.id:
            raise ValueError("id must name whom a key belongs to, such as 'alice', got ''")

    def __repr__(self) -> str:
        # The id may be the API key itself.
        return f"Principal(id=<hidden>, tier={self.tier!r})"


def principal_of(scope: Scope) -> Principal | None:
    """The principal that an authentication layer has put into the scope, if there is one.

    Reads ``scope["user"]`` (as Starlette's ``AuthenticationMiddleware`` sets it) when its
    ``is_authenticated`` is true; the tier is the user's, else that of ``scope["auth"]``,
    else ``request.state.tier``. Headers are never read.
    """
    user = scope.get("user")
    if user is None or _attribute(user, "is_authenticated") is not True:
        return None
    for name in ("identity", "id", "display_name"):
        found = _attribute(user, name)
        if _is_a_name(found):
            break
    else:
        return None
    state: Any = scope.get("state") or {}
    tier: Any = _attribute(user, "tier") or _attribute(scope.get("auth"), "tier")
    tier = tier or (state.get("tier") if isinstance(state, dict) else _attribute(state, "tier"))
    return Principal(str(found), tier if isinstance(tier, str) else None)


def verified_principal(verified: object) -> Principal | None:
    """The principal that ``verify`` names by what it returns; ``TypeError`` if that is none.

    An empty str is none: all keys that nobody has would share its quota.
    """
    if verified is None or isinstance(verified, Principal):
        return verified
    if isinstance(verified, str) and verified:
        return Principal(verified)
    kind = "an empty str" if verified == "" else type(verified).__name__
    raise TypeError(
        "verify must return whose the key is, a Principal or its id as a str, "
        f"or None for an unknown key; got {kind}"
    )


def _is_a_name(value: object) -> bool:
    """Whether its text names it: the default one is another for each object."""
    kind = type(value)
    by_address = kind.__str__ is object.__str__ and kind.__repr__ is object.__repr__
    return value is not None and value != "" and not by_address


def _attribute(thing: object, name: str) -> Any:
    try:
        return getattr(thing, name, None)
    except Exception:  # such as Starlette's BaseUser.identity, which is not implemented
        return None
