"""By which key a rule counts a request."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import TYPE_CHECKING

from sluicegate.identity.client import user_client
from sluicegate.identity.client_address import ENVIRON
from sluicegate.policy.enforcing.subject import Subject

if TYPE_CHECKING:
    from sluicegate.identity.client_address import ClientAddress
    from sluicegate.policy.rules.matching import Matcher
    from sluicegate.policy.rules.sources import Source

__all__ = ["KeyOf", "KeySources", "client_of"]

#: Gives the key of a request; ``None``: the limit takes no part.
KeyOf = Callable[[Subject], str | None]

_ADDRESSES = ("address", "unknown_api_key")


class KeySources:
    """Where keys come from.

    Args:
        address: who the client is by its address.
        secret: what values of headers are hashed with.
        matcher: knows what the parameters of a path stand for.
    """

    __slots__ = ("_address", "_matcher", "_secret")

    def __init__(self, address: ClientAddress, secret: bytes, matcher: Matcher) -> None:
        self._address = address
        self._secret = secret
        self._matcher = matcher

    def key_of(self, place: int, sources: Iterable[Source]) -> KeyOf:
        """What gives the keys of the rule at this place."""
        each = [self._single(place, source) for source in sources]
        return each[0] if len(each) == 1 else _combined(each)

    def _single(self, place: int, source: Source) -> KeyOf:
        kind, name = source.kind, source.name
        if kind == "key":
            return lambda subject: subject.named[name]
        if kind == "path":
            params = self._matcher.params
            return lambda subject: params(place, subject.path)[name]
        if kind == "header":
            return self._header(name)
        return {
            "client": client_of,
            "address": self._by_address,
            "principal": _principal,
            "tier": _tier,
            "all": _all,
        }[kind]

    def _by_address(self, subject: Subject) -> str:
        client = subject.client
        return client.key if client.source in _ADDRESSES else self._address(subject.scope)

    def _header(self, name: str) -> KeyOf:
        """A header counts if a trusted proxy sent it, once; else the address does.

        What a header says may be a secret, and whoever reads the store could guess a name by its
        hash: it is hashed with a secret of the deployment. WSGI joins fields of one name by a comma.
        """
        field, secret = name.encode("ascii"), self._secret
        address = self._address

        def key(subject: Subject) -> str:
            scope = subject.scope
            if address.has_trusted_peer(scope):
                values = [value for key, value in scope.get("headers", ()) if key.lower() == field]
                if len(values) == 1 and not (ENVIRON in scope and b"," in values[0]):
                    hashed = blake2b(values[0], digest_size=20, key=secret).hexdigest()
                    return f"header:{hashed}"
            return self._by_address(subject)

        return key


def client_of(subject: Subject) -> str:
    """Whom the request is from."""
    return subject.client.key


def _principal(subject: Subject) -> str | None:
    """``None`` of somebody whom nobody has named."""
    client = subject.client
    if client.source in ("user", "api_key"):
        return client.key
    return None if client.principal is None else user_client(client.principal).key


def _tier(subject: Subject) -> str | None:
    return subject.tier


def _all(_: Subject) -> str:
    return "all"


def _combined(each: list[KeyOf]) -> KeyOf:
    """One key of several, each with its length before it, so that no two combinations are one."""

    def key(subject: Subject) -> str | None:
        parts = []
        for part_of in each:
            part = part_of(subject)
            if part is None:
                return None
            parts.append(f"{len(part)}:{part}")
        return "".join(parts)

    return key
