"""The middleware and the dependency for FastAPI and Starlette (extra ``[fastapi]``)."""

from sluicegate.fastapi.dependency import (
    Principal,
    RateLimitMiddleware,
    Refusal,
    VerifiedKeys,
    json_refusal,
    problem_refusal,
    rate_limit,
)

__all__ = [
    "Principal",
    "RateLimitMiddleware",
    "Refusal",
    "VerifiedKeys",
    "json_refusal",
    "problem_refusal",
    "rate_limit",
]
