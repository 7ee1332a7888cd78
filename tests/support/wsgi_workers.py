"""A WSGI app that says which worker answers, around the one that tests name in the environment."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

_module, _, _name = os.environ["WSGI_APP"].partition(":")
_app = getattr(importlib.import_module(_module), _name)


def app(environ: Any, start_response: Any) -> Any:
    """Answer as the app does."""

    def start(status: str, headers: Any, *exc_info: Any) -> Any:
        return start_response(status, [*headers, ("X-Worker", str(os.getpid()))], *exc_info)

    return _app(environ, start)


# Gunicorn's workers import it, each for itself.
(Path(os.environ["ZONE_APP_WORKERS"]) / str(os.getpid())).touch()
