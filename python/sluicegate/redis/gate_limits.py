"""The limits of a gate in Redis: how their keys begin, and the limiters that keep them."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from sluicegate._connection.rights import commands_of
from sluicegate._core import RedisLimiter, TokenBucketConfig
from sluicegate.redis.prefix import key_prefix, windows_prefix

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sluicegate._connection.options import Settings
    from sluicegate.gate.parts import Part

__all__ = ["checked_tag", "commands_for", "kept_by", "key_name", "prefix_of", "tag_of"]


def key_name(gate: str, part: Part) -> str:
    """What a single limiter has to be called to share the state of a limit: ``chat:user/5_minutes``.

    A name of other characters than such a limiter may have ends in its digest.
    """
    name = f"{gate}:{part.name}".replace(" ", "_")
    plain = re.sub(r"[^A-Za-z0-9_\-.:/]", "-", name)
    if (
        plain != f"{gate}:{part.name}".replace(" ", "_")
        or len(plain) > 64
        or not plain[0].isalpha()
    ):
        plain = f"g{plain[:50]}:{sha256(f'{gate}:{part.name}'.encode()).hexdigest()[:12]}"
    return plain


def prefix_of(gate: str, part: Part, prefix: str | None) -> str:
    """What the keys of a limit begin with: as those of a single limiter with that name."""
    name = key_name(gate, part)
    if part.algorithm in ("token_bucket", "permits"):
        return key_prefix(part.algorithm, prefix, name, lambda name: name or "")
    return windows_prefix(part.algorithm, (part.quota,), prefix, name)


def tag_of(settings: Settings, gate: str, tag_by: str | None) -> str | None:
    """By what the keys of a call are on one node of a Cluster: ``None`` is of a server that is alone,
    and an empty one the key, which is the same for all limits.
    """
    if tag_by is not None:
        return ""
    if settings.topology != "cluster":
        return None
    plain = re.sub(r"[{}]", "", gate)
    return plain if plain == gate else f"{plain}:{sha256(gate.encode()).hexdigest()[:12]}"


def checked_tag(tag_by: object, parts: Iterable[Part]) -> str | None:
    """``tag_by``, if all limits count by it."""
    if tag_by is None:
        return None
    if not isinstance(tag_by, str):
        raise TypeError(f"tag_by must be a str or None, got {type(tag_by).__name__} {tag_by!r}")
    others = [part.name for part in parts if part.limit.by != tag_by]
    if others:
        raise ValueError(
            f"tag_by must be what every limit counts by, got {tag_by!r}, and {', '.join(others)} "
            "count by something else: leave tag_by out, and all keys are on one node"
        )
    return tag_by


def kept_by(part: Part, settings: Settings, **options: Any) -> RedisLimiter:
    """The limiter that keeps a limit."""
    return RedisLimiter(part.algorithm, settings, quota_of(part), **options)


def quota_of(part: Part) -> Any:
    """The quota as such a limiter takes it."""
    if part.algorithm == "permits":
        return part.quota.concurrent, part.limit.lease_seconds
    if part.algorithm == "token_bucket":
        return TokenBucketConfig.from_quota(part.quota)
    return (part.quota,)


def commands_for(limiters: Iterable[RedisLimiter], parts: Iterable[Part]) -> set[str]:
    """The server's commands that a gate needs the right to."""
    scripts = [text for each in limiters for text in (each.script, each.receipt_script or "")]
    if any(part.algorithm == "permits" for part in parts):
        scripts.append(RedisLimiter.renewal())
    return commands_of(scripts) | {"unlink"}
