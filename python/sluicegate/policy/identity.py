"""Who a policy takes a request to be from: its options of that kind, as one value."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from typing import Any, TypeVar, cast

# These are what typing.get_type_hints() looks for.
from sluicegate._support.arguments import number
from sluicegate._support.asgi_types import Scope
from sluicegate._support.functions import check_callables
from sluicegate.identity.client_address import ClientAddress
from sluicegate.identity.proxies import header_name
from sluicegate.identity.verified import TTL, VerifiedKeys

__all__ = ["Identity", "default"]

T = TypeVar("T")


def default(value: T) -> T:
    """``value`` as an object of its own, so that the same one is told apart when a user gives it."""
    kind: Any = type(type(value).__name__, (type(value),), {})
    return cast("T", kind(value))


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Identity:
    """Who a request is from. Immutable.

    ``Policy(identity=Identity(trusted_proxies=["10.0.0.0/8"], verify=verify), …)`` is the same as
    these options of the policy's own, and stands for all of them.

    Args:
        trusted_proxies, proxy_header, ipv6_prefix, no_address: who the client is by its address;
            see :class:`~sluicegate.identity.ClientAddress`.
        verify, verify_ttl, api_key_header: whose an API key is.
        identify: gives the key of a request.

    Raises:
        ValueError, TypeError: an argument out of its range; the message names it.
    """

    trusted_proxies: Iterable[str] | int = default(())
    proxy_header: str = default("x-forwarded-for")
    ipv6_prefix: int = default(64)
    no_address: Callable[[Scope], str] | str | None = None
    verify: Callable[[str], Any] | VerifiedKeys | None = None
    verify_ttl: float = TTL
    api_key_header: str = default("x-api-key")
    identify: Callable[[Any], Any] | None = None

    def __post_init__(self) -> None:
        proxies = self.trusted_proxies
        if isinstance(proxies, Iterator):  # which is read once
            object.__setattr__(self, "trusted_proxies", tuple(proxies))
        header_name(self.proxy_header, "proxy_header")
        header_name(self.api_key_header, "api_key_header")
        ClientAddress(
            self.trusted_proxies,
            header=self.proxy_header,
            ipv6_prefix=self.ipv6_prefix,
            no_address=self.no_address,
        )
        check_callables(identify=self.identify)
        if not isinstance(self.verify, VerifiedKeys):
            check_callables(verify=self.verify)
        number("verify_ttl", self.verify_ttl, 0, 1e6, "seconds")

    def put_into(self, options: Any) -> None:
        """Be these options of a policy's; ``TypeError`` if one is given beside it."""
        for name in _NAMES:
            if options.is_given(name):
                raise TypeError(f"identity= has {name}=: give it there, or leave identity= out")
            object.__setattr__(options, name, getattr(self, name))

    def __repr__(self) -> str:
        given = [name for name in _NAMES if getattr(self, name) is not getattr(Identity, name)]
        return f"<Identity by {', '.join(given) or 'the address'}>"


_NAMES = tuple(field.name for field in fields(Identity))
