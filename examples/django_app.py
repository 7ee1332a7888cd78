"""A site of Django's, in one file, whose clients are limited by all its workers together.

    gunicorn --workers 4 django_app:application

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

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path

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
    store=os.environ.get("LIMITS_STORE", "shared:django-example"),
)


def health(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"status": "up"})


def prices(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"tea": 4.2, "coffee": 7.9})


def login(request: HttpRequest) -> HttpResponse:
    """The right password spends nothing that stays."""
    given = request.POST.get("password", "")
    right = hmac.compare_digest(given.encode(), PASSWORD.encode())
    return HttpResponse("welcome") if right else HttpResponse(status=401)


@rate_limit("20/hour")
def reports(request: HttpRequest) -> HttpResponse:
    """At most 20 an hour for each client, whatever its tier."""
    left = request.META["sluicegate.decision"].remaining
    return JsonResponse({"report": "in the works", "left": left})


urlpatterns = [
    path("health", health),
    path("prices", prices),
    path("login", login),
    path("reports", reports),
]
settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["localhost", "127.0.0.1"])
application = RateLimitMiddleware(get_wsgi_application(), policy=policy)
