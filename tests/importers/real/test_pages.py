"""What refused requests get: a real nginx, and the policy that was imported from its file."""

from __future__ import annotations

import http.client as http_client
from pathlib import Path
from typing import NamedTuple

import pytest

from asgi_calls import get
from imported_app import answer
from imported_servers import written
from nginx_servers import configured, free_port, needs_nginx, nginx
from sluicegate.asgi import RateLimitMiddleware
from sluicegate.importers.document import Document
from sluicegate.importers.nginx.reading import read_nginx

SERVER = """
default_type text/x-own;
server {
    listen 127.0.0.1:PORT;
    server_name localhost;
    error_page 429 @json;
    LOCATIONS
    location @json { default_type application/json; return 429 '{"error": "Später", "wait": 1}'; }
    location @tea { return 418 "short and \\"stout\\"\\n"; }
    location = /ok.html { internal; return 200 "<p>$$</p>"; }
    location = /page.html { internal; access_log off; return 200 "<p>Busy</p>"; }
    location = /a.tea { types { text/x-tea tea; } return 200 tea; }
    location = /nothing { return 204; }
    location @moved { return 302 http://a.test/; }
    location @varies { return 429 "for $request_uri"; }
}
""".replace("$$", "5")

# What stands in a location whose requests are refused with 429, or as it says; and whether all of what
# nginx answers is imported.
PAGES = {
    "": True,
    "error_page 429 =503 @json;": True,
    "error_page 429 = @json;": True,
    "error_page 429 = @tea;": True,
    "error_page 429 @tea;": True,
    "error_page 500 429 =200 /ok.html;": True,
    "error_page 429 /page.html;": True,
    "error_page 429 =503 /a.tea;": True,
    "error_page 429 =204 @tea;": True,
    "error_page 429 @tea; error_page 429 @json;": True,
    "limit_req_status 503; error_page 503 =429 @tea;": True,
    "limit_req_status 503; error_page 503 @tea;": True,
    "limit_req_status 498;": False,
    "error_page 404 @tea;": False,
    "error_page 429 /missing.html;": False,
    "error_page 429 @moved;": False,
    "error_page 429 @varies;": False,
    "error_page 429 /nothing;": False,
    "error_page 429 http://a.test/;": False,
}


class Answer(NamedTuple):
    status: int
    type: str | None
    body: bytes


def requested(port: int, path: str) -> Answer:
    connection = http_client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path)
    found = connection.getresponse()
    body = found.read()
    connection.close()
    return Answer(found.status, found.getheader("content-type"), body)


def configuration(port: int) -> str:
    zone = "limit_req_zone $binary_remote_addr zone=z{}:32k rate=1r/m;"
    zones = "".join(zone.format(number) for number in range(len(PAGES)))
    locations = "".join(
        f"location /l{number}/ {{ limit_req zone=z{number}; {_with_status(text)} empty_gif; }}\n"
        for number, text in enumerate(PAGES)
    )
    return zones + SERVER.replace("LOCATIONS", locations).replace("PORT", str(port))


def _with_status(text: str) -> str:
    return text if "limit_req_status" in text else f"limit_req_status 429; {text}"


@needs_nginx
def test_refused_requests_get_what_nginx_sends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMPORTED_WORKERS", str(tmp_path))
    port = free_port()
    path = configured(tmp_path, configuration(port))
    document = read_nginx(str(path))
    told = pages_told_of(document)
    app = RateLimitMiddleware(answer, policy=str(written(document, tmp_path)))
    with nginx(path, port):
        for number, (text, is_whole) in enumerate(PAGES.items()):
            assert (
                get(app, f"/l{number}/x").status == requested(port, f"/l{number}/x").status == 200
            )
            refused, wanted = get(app, f"/l{number}/x"), requested(port, f"/l{number}/x")
            found = Answer(refused.status, refused.headers.get("content-type"), refused.body)
            is_told = any(f"{page};" in text for page in told)
            if is_whole:
                assert found == wanted, text
                assert not is_told, text
            else:
                # The page of nginx's own, which it has for most statuses, is not sent.
                assert is_told or found.status == wanted.status, text
                assert found.type == "application/json"
            assert refused.headers["retry-after"] == "60"


def pages_told_of(document: Document) -> set[str]:
    return {each.what for each in document.unmatched if each.what.startswith("error_page")}


def test_pages_that_cannot_be_sent_are_told_of(tmp_path: Path) -> None:
    told = pages_told_of(read_nginx(str(configured(tmp_path, configuration(1)))))
    assert told == {
        "error_page 429 /missing.html",
        "error_page 429 @moved",
        "error_page 429 @varies",
        "error_page 429 /nothing",
        "error_page 429 http://a.test/",
    }
