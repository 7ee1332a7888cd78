from __future__ import annotations

from typing import Any

from benches.peers.app import bare
from benches.peers.libraries.of_pyrate_limiter import BucketEach
from benches.peers.library import Library
from fastapi import Depends
from fastapi_limiter.depends import RateLimiter
from pyrate_limiter import InMemoryBucket, Limiter


def depends(limit: int) -> Any:
    limiter = RateLimiter(limiter=Limiter(BucketEach(InMemoryBucket, (limit, 60))))
    return bare(dependencies=[Depends(limiter)])


LIBRARY = Library("fastapi-limiter", apps={"Depends": depends}, distribution="fastapi-limiter")
