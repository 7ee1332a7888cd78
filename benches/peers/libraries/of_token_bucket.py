from __future__ import annotations

import token_bucket
from benches.peers.library import Call, Contestant, Library


def bucket(limit: int, window: int) -> Call:
    return token_bucket.Limiter(limit / window, limit, token_bucket.MemoryStorage()).consume


LIBRARY = Library(
    "token-bucket", [Contestant("Limiter", "bucket", bucket)], distribution="token-bucket"
)
