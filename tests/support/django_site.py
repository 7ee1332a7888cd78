"""A site of Django's in this process, with the views that a test gives it: one at a time."""

from __future__ import annotations

from typing import Any

import django
from django.conf import settings
from django.conf.urls.i18n import is_language_prefix_patterns_used
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse
from django.urls import clear_url_caches

urlpatterns: list[Any] = []


class Login:
    """A middleware that finds out who has logged in, as a session would."""

    def __init__(self, get_response: Any) -> None:
        self._get_response = get_response

    def __call__(self, request: Any) -> Any:
        name = request.META.get("HTTP_X_LOGIN")
        request.user = User(name) if name else Anonymous()
        return self._get_response(request)


class User:
    is_authenticated = True

    def __init__(self, name: str) -> None:
        self.pk = self.id = name


class Anonymous:
    is_authenticated = False
    id = pk = None


def site(*patterns: Any) -> WSGIHandler:
    """The site with these views."""
    if not settings.configured:
        settings.configure(
            ALLOWED_HOSTS=["*"],
            ROOT_URLCONF=__name__,
            MIDDLEWARE=[
                "django.middleware.locale.LocaleMiddleware",
                "django.middleware.common.CommonMiddleware",
                f"{__name__}.Login",
            ],
            LANGUAGES=[("en", "English"), ("de", "German")],
            USE_I18N=True,
            SECRET_KEY="tests",
        )
        django.setup()
    urlpatterns[:] = patterns
    clear_url_caches()
    is_language_prefix_patterns_used.cache_clear()
    return WSGIHandler()


def fine(request: HttpRequest, **_: Any) -> HttpResponse:
    return HttpResponse("fine", headers={"X-Own": "1"})
