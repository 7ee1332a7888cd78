"""Settings that tests expect, and all that an error could give away."""

from __future__ import annotations

from typing import Any

from sluicegate._connection.settings import Settings


def alone(host: str = "localhost", port: int = 6379, **rest: Any) -> Settings:
    return Settings(topology="standalone", nodes=((host, port),), **rest)


def unix(path: str, **rest: Any) -> Settings:
    return Settings(topology="standalone", unix_path=path, **rest)


def many(topology: Any, *nodes: tuple[str, int], **rest: Any) -> Settings:
    return Settings(topology=topology, nodes=nodes, **rest)


def told(error: BaseException) -> str:
    """All that a traceback or a log could show of an error."""
    parts: list[str] = []
    seen: BaseException | None = error
    while seen is not None:
        parts += [str(seen), repr(seen), repr(seen.args), repr(vars(seen))]
        seen = seen.__cause__ or seen.__context__
    return " ".join(parts)
