"""Which requests are not limited at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from sluicegate._support.unseen import unseen_in

if TYPE_CHECKING:
    from sluicegate._support.asgi_types import Scope

__all__ = ["Paths", "exemption", "path_of"]


def path_of(scope: Scope) -> str:
    """The path of a request below its root path, as frameworks route it.

    Starlette routes ``/login%0A`` as ``/login``: to its regular expressions the end is before a last
    newline, too.
    """
    path: str = scope["path"].removesuffix("\n")
    root: str = scope.get("root_path", "")
    if root and path.startswith(root) and path[len(root) : len(root) + 1] in ("", "/"):
        return path[len(root) :]
    return path


class Paths:
    """Exact paths, and all below a path, as ``/static/*``."""

    __slots__ = ("_exact", "_prefixes")

    def __init__(self, paths: list[str]) -> None:
        self._exact = frozenset(path for path in paths if not path.endswith("/*"))
        self._prefixes = tuple(path[:-1] for path in paths if path.endswith("/*"))

    def match(self, scope: Scope) -> bool:
        """Whether the scope's path, below its root path, is one of them."""
        path = path_of(scope)
        if path in self._exact:
            return True
        # What is behind this may still resolve "..", and then the path leads elsewhere.
        return path.startswith(self._prefixes) and ".." not in path.split("/")


def exemption(exempt: Iterable[str] | Callable[[Any], Any]) -> Paths | Callable[[Any], Any] | None:
    """What the option ``exempt`` stands for; ``None`` if nothing is exempt."""
    if callable(exempt):
        return exempt
    if not isinstance(exempt, Iterable):
        raise TypeError(f"exempt must hold paths or be a callable, got {exempt!r}")
    paths = [exempt] if isinstance(exempt, str) else list(exempt)
    for path in paths:
        if not isinstance(path, str) or not path.startswith("/"):
            raise ValueError(f"exempt must hold paths that start with '/', got {path!r}")
        if "*" in path.removesuffix("/*"):
            raise ValueError(f"exempt may have '*' only as a last '/*', got {path!r}")
        if (unseen := unseen_in(path)) is not None:
            raise ValueError(f"exempt has {unseen!r}, which cannot be seen, in {path!r}")
    return Paths(paths) if paths else None
