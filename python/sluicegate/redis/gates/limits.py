"""The limits of a gate in Redis: how their keys begin, and the limiters that keep them."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from sluicegate._connection.rights import commands_of
from sluicegate._core import RedisGate, RedisLimiter
from sluicegate.gate.algorithms import ALGORITHMS, algorithm_of
from sluicegate.gate.limit import Limit
from sluicegate.gate.parts import plans_of
from sluicegate.redis.prefix import key_prefix, windows_prefix

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sluicegate._connection.options import Settings
    from sluicegate.gate.parts import Part

__all__ = ["InForce", "checked_tag", "commands_for", "limits_of", "made_of"]


class InForce(NamedTuple):
    """The limits of a gate at one time: by name, and the limiters that keep them by how their keys begin."""

    core: RedisGate
    parts: dict[str, Part]
    limiters: dict[str, RedisLimiter]


def made_of(
    parts: tuple[Part, ...],
    settings: Settings,
    name: str,
    options: Mapping[str, Any],
    before: InForce | None = None,
) -> InForce:
    """The limits of a gate. Those whose keys begin alike go on with what is known of them.

    Raises ``ValueError``, with nothing changed, for two whose keys would.
    """
    given = dict(options)
    prefix, tag_by = given.pop("prefix"), given.pop("tag_by")
    tag = tag_of(settings, name, tag_by)
    known = {} if before is None else before.limiters
    starts: dict[str, Part] = {}
    for part in parts:
        start = prefix_of(name, part, prefix)
        if start in starts:
            raise ValueError(
                f"limits must have names that differ by more than a space and an underscore, got "
                f"{starts[start].name!r} and {part.name!r}: give one of them another name="
            )
        starts[start] = part
    limiters = {
        start: known.get(start) or kept_by(part, settings, prefix=start, tag=tag, **given)
        for start, part in starts.items()
    }
    core = RedisGate(
        *plans_of(parts), [*limiters.values()], None if before is None else before.core
    )
    for start, part in starts.items():
        if start in known:
            limiters[start].set_quota(quota_of(part))
    return InForce(core, {part.name: part for part in parts}, limiters)


def limits_of(parts: Iterable[Part]) -> list[Limit]:
    """What another gate is made of that counts the same: by the algorithms that were chosen at first."""
    limits: list[Limit] = []
    for part in parts:
        limit, named = part.limit, _named(part)
        if named is not None and limit.quota_for is None:
            name = limit.name if len(limit.quotas) == 1 else part.name
            limits.append(
                Limit(
                    part.quota,
                    by=limit.by,
                    algorithm=named,
                    name=name,
                    shadow=limit.shadow,
                    optional=limit.optional,
                )
            )
        elif not any(limit is other for other in limits):
            limits.append(limit)
    return limits


def _named(part: Part) -> str | None:
    """The algorithm's public name, unless the quota alone says it."""
    if part.algorithm == algorithm_of(part.quota, part.limit.algorithm):
        return None
    return next(name for name, own in ALGORITHMS.items() if own == part.algorithm)


def key_name(gate: str, part: Part) -> str:
    """What a single limiter has to be called to share the state of a limit: ``chat:user/5_minutes``.

    A name of other characters than such a limiter may have ends in its digest, as does one that could
    be of another gate's limit.
    """
    name = f"{gate}:{part.name}".replace(" ", "_")
    plain = (
        re.sub(r"[^A-Za-z0-9_\-./]", "-", name.replace(":", "", 1)) if name.count(":") == 1 else ""
    )
    is_plain = len(name) <= 64 and name[0].isalpha() and plain == name.replace(":", "", 1)
    if is_plain:
        return name
    readable = re.sub(r"[^A-Za-z0-9_\-./]", "-", name)
    return f"g{readable[:50]}:{sha256(repr((gate, part.name)).encode()).hexdigest()[:12]}"


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
    # A bucket's configuration alone would not tell its unit.
    return part.quota if part.algorithm == "token_bucket" else (part.quota,)


def commands_for(limiters: Iterable[RedisLimiter], parts: Iterable[Part]) -> set[str]:
    """The server's commands that a gate needs the right to."""
    scripts = [text for each in limiters for text in (each.script, each.receipt_script or "")]
    if any(part.algorithm == "permits" for part in parts):
        scripts.append(RedisLimiter.renewal())
    return commands_of(scripts) | {"unlink"}
