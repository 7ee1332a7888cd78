"""A FastAPI app whose clients are limited; run it with ``uvicorn quickstart_fastapi:app``.

Everyone gets 100 requests a minute. Customers with an API key that we know get 10,000,
and one costly endpoint has a limit of its own.

    curl -i localhost:8000/prices
    curl -i -H 'X-API-Key: example-key-of-alice' localhost:8000/prices
    curl -i -X POST localhost:8000/reports
"""

from __future__ import annotations

import hmac
from typing import Any

from fastapi import FastAPI

from sluicegate.fastapi import Principal, RateLimitMiddleware, rate_limit

# For the example only: keep yours hashed, in a database.
CUSTOMERS = {"example-key-of-alice": "alice"}


async def known_customer(key: str) -> Principal | None:
    """Only a key that is on our list makes its sender a premium client."""
    for known, customer in CUSTOMERS.items():
        if hmac.compare_digest(known.encode(), key.encode(errors="replace")):
            return Principal(customer, tier="premium")
    return None


app = FastAPI()
app.add_middleware(
    RateLimitMiddleware,
    tiers={"free": (100, 60), "premium": (10_000, 60)},
    verify=known_customer,
    exempt=["/health"],
)


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "up"}


@app.get("/prices")
async def prices() -> dict[str, float]:
    return {"tea": 4.2, "coffee": 7.9}


@app.post("/reports")
async def reports(quota: dict[str, Any] = rate_limit(5, 60)) -> dict[str, Any]:
    """At most 5 a minute for each client, whatever its tier."""
    return {"report": "in the works", "left": quota["remaining"]}
