"""The middleware and the dependency for FastAPI and Starlette (extra ``[fastapi]``)."""

from sluicegate.fastapi.dependency import rate_limit
from sluicegate.fastapi.middleware import RateLimitMiddleware
from sluicegate.fastapi.openapi import describe_all, describe_limits
from sluicegate.identity.principal import Principal
from sluicegate.identity.verified import VerifiedKeys
from sluicegate.refusals import FixedRefusal, Refusal, json_refusal, problem_refusal

__all__ = [
    "FixedRefusal",
    "Principal",
    "RateLimitMiddleware",
    "Refusal",
    "VerifiedKeys",
    "describe_limits",
    "json_refusal",
    "problem_refusal",
    "rate_limit",
]

describe_all()
