"""The middleware and the decorator for Flask, Django and any WSGI app: none of them is needed."""

from sluicegate.identity.principal import Principal
from sluicegate.identity.verified import VerifiedKeys
from sluicegate.refusals import FixedRefusal, Refusal, json_refusal, problem_refusal
from sluicegate.wsgi.decorator import rate_limit
from sluicegate.wsgi.middleware import RateLimitMiddleware

__all__ = [
    "FixedRefusal",
    "Principal",
    "RateLimitMiddleware",
    "Refusal",
    "VerifiedKeys",
    "json_refusal",
    "problem_refusal",
    "rate_limit",
]
