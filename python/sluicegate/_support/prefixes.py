"""What the keys of an application's limits begin with in Redis, and its limits' names in a zone."""

from __future__ import annotations

from hashlib import blake2b

from sluicegate._support.arguments import checked_prefix

__all__ = ["PREFIX", "check_prefix", "digested", "joined"]

PREFIX = "sluicegate"
_LONGEST_PREFIX = 31  # so that a digest fits behind it
_LONGEST = 64


def check_prefix(prefix: object) -> None:
    """Raise a ``ValueError`` or ``TypeError`` that names ``prefix`` unless keys can begin with it."""
    if not isinstance(prefix, str):
        raise TypeError(
            f"prefix must be a str, such as 'shop', got {type(prefix).__name__} {prefix!r}"
        )
    checked_prefix(prefix)
    if not 1 <= len(prefix.encode()) <= _LONGEST_PREFIX:
        raise ValueError(
            f"prefix must be 1 to {_LONGEST_PREFIX} bytes, one for each application, such as "
            f"'shop', got {prefix!r}"
        )


def joined(prefix: str, *parts: str) -> str:
    """A prefix of a limiter's keys. Different parts never give the same one.

    Only the first part may have colons; where a name has some, or all is too long, it is digested.
    """
    joined = ":".join((prefix, *parts))
    plain = joined.isascii() and not set("".join(parts)) & set("{}:")
    if plain and len(joined) <= _LONGEST:
        return joined
    return digested(prefix, parts)


def digested(prefix: str, parts: tuple[str, ...]) -> str:
    """The prefix and a digest of the parts."""
    told = repr(parts).encode("utf-8", "surrogatepass")
    return f"{prefix}:{blake2b(told, digest_size=16).hexdigest()}"
