"""A Flask app whose clients are limited by all its workers together, without a server for that.

    gunicorn --workers 4 flask_app:app

Everyone gets 100 requests an hour, and customers with an API key that we know 1,000; an address may
send five wrong passwords a minute; and one costly view has a limit of its own.

    curl -i localhost:8000/prices
    curl -i -H 'X-API-Key: example-key-of-alice' localhost:8000/prices
    curl -i -d password=wrong localhost:8000/login
    curl -i -X POST localhost:8000/reports
"""

from __future__ import annotations

import hmac
import os

from flask import Flask, request

from sluicegate.policy import Policy, Rule
from sluicegate.wsgi import Principal, RateLimitMiddleware, rate_limit

# For the example only: keep yours hashed, in a database.
CUSTOMERS = {"example-key-of-alice": "alice"}
PASSWORD = "correct horse battery staple"


def known_customer(key: str) -> Principal | None:
    """Only a key that is on our list makes its sender a premium client."""
    for known, customer in CUSTOMERS.items():
        if hmac.compare_digest(known.encode(), key.encode(errors="replace")):
            return Principal(customer, tier="premium")
    return None


policy = Policy(
    tiers={"free": "100/hour", "premium": "1000/hour"},
    verify=known_customer,
    rules=[Rule("POST /login", "5/minute", by="address", counts="failures")],
    exempt=["/health"],
    # Memory that all processes of this host share; with several hosts a redis:// URL.
    store=os.environ.get("LIMITS_STORE", "shared:flask-example"),
)

app = Flask(__name__)
app.wsgi_app = RateLimitMiddleware(app.wsgi_app, policy=policy)  # type: ignore[method-assign]


@app.get("/health")
def health() -> dict[str, str]:
    return {"status": "up"}


@app.get("/prices")
def prices() -> dict[str, float]:
    return {"tea": 4.2, "coffee": 7.9}


@app.post("/login")
def login() -> tuple[str, int]:
    """The right password spends nothing that stays."""
    given = request.form.get("password", "")
    return ("welcome", 200) if hmac.compare_digest(given.encode(), PASSWORD.encode()) else ("", 401)


@app.post("/reports")
@rate_limit("20/hour")
def reports() -> dict[str, object]:
    """At most 20 an hour for each client, whatever its tier."""
    return {"report": "in the works", "left": request.environ["sluicegate.decision"].remaining}
