"""Whom a request is from, and whose quota that is."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal

from sluicegate.identity.principal import Principal

__all__ = ["Client", "api_client", "user_client"]

#: Where the key is from. An unknown API key is charged to its address.
Source = Literal["address", "unknown_api_key", "api_key", "user", "identify"]


@dataclass(slots=True)
class Client:
    """Whose quota a request is charged to, and the principal, if somebody has named one."""

    key: str
    source: Source
    principal: Principal | None = None


def user_client(principal: Principal) -> Client:
    """Whom an authentication layer has found."""
    return Client("user:" + principal.id, "user", principal)


def api_client(principal: Principal, hides: bool) -> Client:
    """Whom an API key belongs to.

    An id may be the API key itself, which is nobody's business in another server.
    """
    name = principal.id
    if hides:
        secret = name.encode("utf-8", "surrogatepass")
        name = blake2b(secret, digest_size=20, key=b"sluicegate").hexdigest()
    return Client("key:" + name, "api_key", principal)
