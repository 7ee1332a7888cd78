"""The middleware, for any ASGI app: no framework is needed or imported."""

from sluicegate.asgi.middleware import RateLimitMiddleware
from sluicegate.refusals import FixedRefusal, Refusal, json_refusal, problem_refusal

__all__ = [
    "FixedRefusal",
    "RateLimitMiddleware",
    "Refusal",
    "json_refusal",
    "problem_refusal",
]
