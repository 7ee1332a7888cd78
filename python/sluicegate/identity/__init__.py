"""Who is the client: by default the socket's peer, and nothing that the client says itself."""

from sluicegate.identity.client_address import (
    ClientAddress,
    Principal,
    VerifiedKeys,
    principal_of,
)

__all__ = [
    "ClientAddress",
    "Principal",
    "VerifiedKeys",
    "principal_of",
]
