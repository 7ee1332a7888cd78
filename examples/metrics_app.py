"""A FastAPI app with a limit and its metrics; run it with ``uvicorn metrics_app:app``.

    curl localhost:8000/tea
    curl localhost:8000/metrics

``grafana_dashboard.json`` beside this file shows what Prometheus collects from it.
"""

from __future__ import annotations

import logging

from fastapi import FastAPI, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import HTTPConnection

from sluicegate import TokenBucket
from sluicegate.fastapi import RateLimitMiddleware
from sluicegate.hooks import Details
from sluicegate.metrics import InstrumentedRateLimiter

log = logging.getLogger("metrics_app")


class Refusals:
    """Writes each refusal to the log."""

    def on_refused(self, details: Details) -> None:
        log.info("%s: %s refused, retry after %s s", *_facts(details))


def _facts(details: Details) -> tuple[object, ...]:
    return details.limiter, details.endpoint, details.retry_after


def menu_item(connection: HTTPConnection) -> str:
    """The first part of the path if it is one of ours: never more than a few names."""
    part = connection.scope["path"].split("/")[1]
    return f"/{part}" if part in {"tea", "reports"} else ""


app = FastAPI()
app.add_middleware(
    RateLimitMiddleware,
    tiers={"free": (5, 60)},
    exempt=["/metrics"],
    metrics=True,
    hooks=[Refusals()],
    endpoint=menu_item,
)
printer = InstrumentedRateLimiter(TokenBucket(capacity=2, refill_rate=0.1), "printer")


@app.get("/tea")
async def tea() -> dict[str, float]:
    return {"price": 4.2}


@app.get("/reports/{name}")
async def report(name: str) -> dict[str, str]:
    """Printed if the printer has nothing better to do."""
    printed = printer.is_allowed(name, "/reports/{name}")
    return {"report": name, "printed": "now" if printed else "later"}


@app.get("/metrics")
async def metrics() -> Response:
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
