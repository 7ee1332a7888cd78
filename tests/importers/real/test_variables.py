"""Keys of imported policies beside the variables of a real nginx."""

from __future__ import annotations

import http.client
import itertools
from pathlib import Path
from urllib.parse import unquote

from nginx_servers import configured, free_port, needs_nginx, nginx
from sluicegate.importers.nginx.reading import read_nginx
from sluicegate.importers.variables.variables import Variables

MAPS = """
map $http_x $exact { default none; a one; "A b" two; "" empty; \\default three; }
map $http_x $regular { ~^/v(?<version>[0-9]+)/ $version; ~*^API-(.)(.*)$ "$2-$1"; ~$ rest; }
map $http_x $nested { default "$exact/$office"; x ""; }
map $host $site { hostnames; default other; .a.test a; *.b.test b; www.* www; c.test c; }
map "$http_x:$arg_y" $both { a:b yes; default "${http_x}_$arg_y"; }
geo $office { default out; 127.0.1.0/29 office; 127.0.1.2 boss; 127.0.1.128/25 ""; }
geo $arg_ip $place { default nowhere; 10.0.0.0/8 ten; 2001:db8::/32 docs; 255.255.255.255 bad; }
geo $range { ranges; 127.0.1.3-127.0.1.9 some; default none; }
"""
TEXTS = [
    "$exact", "$regular", "$nested", "$site", "$both", "$office", "$place", "$range", "$remote_addr",
    "$realip_remote_addr", "$request_method", "$scheme", "$host", "$uri", "$document_uri",
    "$request_uri", "$args", "$query_string", "$is_args", "$remote_user", "$content_type",
    "$content_length", "$http_x", "$arg_y", "$arg_ip", "$cookie_id", "$server_name",
    "a${http_x}b-$arg_y", "text",
]  # fmt: skip
HEADERS: list[dict[str, str]] = [
    {}, {"x": "a"}, {"x": "A"}, {"x": "a B"}, {"x": "default"}, {"x": "/v12/z"}, {"x": "api-1234"},
    {"x": "x"}, {"host": "a.test"}, {"host": "q.A.test:80"}, {"host": "b.test"}, {"host": "p.q.b.test."},
    {"host": "www.a.test"}, {"host": "www.c"}, {"host": "c.test"}, {"cookie": "a=1; id=2; ID=3; id=4"},
    {"authorization": "Basic YWxpY2U6c2VjcmV0"}, {"authorization": "Basic ***"},
    {"authorization": "Bearer a:b"}, {"content-type": "text/plain", "content-length": "0"},
]  # fmt: skip
URIS = [
    "/", "/a//b/?Y=b&y=c", "/%61%2fb?ip=10.1.2.3", "/a/../b?ip=2001:db8::1&y", "/a?ip=bad&x=y=z&",
    "/a/./b/..", "/./a/.", "/a/..", "/.a/..b", "/..a/b../",
]  # fmt: skip
ADDRESSES = ["127.0.1.1", "127.0.1.2", "127.0.1.9", "127.0.1.200"]


@needs_nginx
def test_keys_are_what_nginx_makes_of_them(tmp_path: Path) -> None:
    zones = "".join(
        f'limit_req_zone "{text}" zone=z{n}:32k rate=1r/s;' for n, text in enumerate(TEXTS)
    )
    uses = "".join(f"limit_req zone=z{n} burst=1000 nodelay;" for n in range(len(TEXTS)))
    port = free_port()
    shown = "|".join(text for text in TEXTS)
    served = f'server {{ listen 127.0.0.1:{port}; server_name s.test; location / {{ return 200 "{shown}"; }} '
    path = configured(tmp_path, f"{MAPS}{zones}{served} location /limited {{ {uses} }} }}")
    document = read_nginx(str(path))
    assert document.functions is not None
    made: dict[str, object] = {}
    exec(document.functions, made)
    variables = made["variables"]
    assert isinstance(variables, Variables)
    with nginx(path, port):
        for headers, uri, address in itertools.product(HEADERS, URIS, ADDRESSES[:1]):
            _check(variables, port, headers, uri, address)
        for uri, address in itertools.product(URIS, ADDRESSES[1:]):
            _check(variables, port, {}, uri, address)


def _check(
    variables: Variables, port: int, headers: dict[str, str], uri: str, address: str
) -> None:
    headers = {"host": "s.test", **headers}
    connection = http.client.HTTPConnection("127.0.0.1", port, 10, source_address=(address, 0))
    connection.request("POST", uri, headers=headers)
    expected = connection.getresponse().read().decode().split("|")
    connection.close()
    path, _, query = uri.partition("?")
    scope = {
        "type": "http",
        "method": "POST",
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "client": (address, 1),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    if "content-length" not in headers:
        scope["headers"].append((b"content-length", b"0"))  # type: ignore[attr-defined]
    for text, value in zip(TEXTS, expected, strict=True):
        found = variables.value(text, scope, server_name="s.test")
        assert found == value, (text, headers, uri, address)
        key = variables.key(text, server_name="s.test")(scope)
        assert (key is None) == (value == ""), text
