"""What the server itself can do with each script: pipelines of prepared bytes, no library."""

from __future__ import annotations

import socket
import time
from urllib.parse import urlsplit

from benches.redis.contestants import PLENTY, script_of

# Arguments as the limiters send them.
ARGUMENTS = {
    "token_bucket": ["c", 1, PLENTY, 1, 1, 0],
    "fixed_window": ["c", 1, PLENTY, 1_000_000],
    "segmented_window": ["c", 1, PLENTY, 1_000_000],
    "sliding_counter": ["c", 1, PLENTY, 1_000_000],
    "sliding_log": ["c", 1, 16_000_000, 10_000],
}


def _command(*words: object) -> bytes:
    parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(p), p) for p in parts)


def per_second(url: str, algorithm: str, depth: int, seconds: float) -> float:
    """Decisions a second with ``depth`` of them always on their way."""
    place = urlsplit(url)
    with socket.create_connection((place.hostname or "localhost", place.port or 6379)) as server:
        reader = server.makefile("rb")
        server.sendall(_command("SCRIPT", "LOAD", script_of(algorithm)))
        reader.readline()
        digest = reader.readline().strip()
        call = _command("EVALSHA", digest, 1, "alone-" + algorithm, *ARGUMENTS[algorithm])
        lines = 2 if algorithm == "token_bucket" else 4
        server.sendall(call * depth)
        done, step, start = 0, max(1, depth // 2), time.perf_counter()
        while time.perf_counter() - start < seconds:
            for _ in range(step * lines):
                reader.readline()
            server.sendall(call * step)
            done += step
        return done / (time.perf_counter() - start)
