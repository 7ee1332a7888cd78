"""Who is the client: by default the socket's peer, and nothing that the client says itself."""

from sluicegate.identity.client_address import ClientAddress
from sluicegate.identity.principal import Principal, principal_of
from sluicegate.identity.verified import VerifiedKeys

__all__ = [
    "ClientAddress",
    "Principal",
    "VerifiedKeys",
    "principal_of",
]
