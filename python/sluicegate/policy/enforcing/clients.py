"""Who requests are from, by a policy's options."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sluicegate.identity.client import Client, api_client, user_client
from sluicegate.identity.principal import principal_of
from sluicegate.identity.proxies import header_name
from sluicegate.policy.enforcing.api_keys import verified_keys
from sluicegate.policy.steps import Steps, checked_text

if TYPE_CHECKING:
    from sluicegate._support.asgi_types import Scope
    from sluicegate.policy.options import PolicyOptions
    from sluicegate.policy.owned import Owned

__all__ = ["Clients"]


class Clients:
    """Finds out who a request is from, by steps that a shell makes.

    Args:
        tries: how many wrong API keys an address may try, and in how many seconds.
        hides: whether keys go to another server.
        blocking: whether nothing is given to be awaited.
    """

    def __init__(
        self,
        policy: PolicyOptions,
        owned: Owned,
        tries: Callable[[], tuple[int, float]],
        *,
        hides: bool,
        blocking: bool,
    ) -> None:
        self._identify = policy.identify
        self._tries = tries
        self._hides = hides
        self._blocking = blocking
        self._api_key_header = header_name(policy.api_key_header, "api_key_header").encode("ascii")
        self.address = policy.client_address()
        self.keys = verified_keys(policy.verify, policy.verify_ttl, owned, policy.clock)
        #: Whether nothing has to be called.
        self.are_known = policy.identify is None and self.keys is None

    def find(self, scope: Scope, view: Any) -> Steps[Client]:
        """Find out who the request is from."""
        identify = self._identify
        key = None if identify is None else checked_text("identify", (yield identify, (view,)))
        api_key = None if key is not None else self._api_key(scope)
        if api_key is not None:
            return (yield from self._verify(scope, api_key))
        if key is not None:
            return Client(key, "identify", principal_of(scope))
        return self.default(scope)

    def default(self, scope: Scope) -> Client:
        """Who has logged in, or else the address."""
        principal = principal_of(scope) if "user" in scope else None
        return (
            Client(self.address(scope), "address") if principal is None else user_client(principal)
        )

    def _verify(self, scope: Scope, api_key: str) -> Steps[Client]:
        assert self.keys is not None
        address = self.address(scope)
        find = self.keys.find_sync if self._blocking else self.keys.find
        principal = yield find, (api_key, address, *self._tries())
        if principal is None:
            return Client(address, "unknown_api_key")
        scope["sluicegate.principal"] = principal
        return api_client(principal, self._hides)

    def _api_key(self, scope: Scope) -> str | None:
        if self.keys is None:
            return None
        for name, value in scope.get("headers", ()):
            if name == self._api_key_header:
                text: str = value.decode("latin-1")
                return text or None
        return None
