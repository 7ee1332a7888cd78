"""What this FastAPI does with the mounts of a router that is included."""

from __future__ import annotations

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.testclient import TestClient


def _are_included() -> bool:
    below, router, app = FastAPI(), APIRouter(), FastAPI()
    below.get("/x")(lambda: "fine")
    router.mount("/below", below)
    app.include_router(router, prefix="/v1")
    return TestClient(app).get("/v1/below/x").status_code == 200


needs_included_mounts = pytest.mark.skipif(
    not _are_included(), reason="this FastAPI drops the mounts of an included router"
)
