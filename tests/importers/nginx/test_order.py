"""Which limits a request has: imported policies against a slow model of nginx's own search."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import assume, event, given
from hypothesis import strategies as st

from nginx_configs import ZONES, imported, write
from nginx_model import applied_at, applied_by, blocks_of, same, server_of
from sluicegate.importers.nginx.parsing import parse
from sluicegate.importers.origins import ImportFileError

# None of them begins another, so that a prefix never ends within one.
SEGMENTS = ["a", "b", "c"]
HOSTS = ["a.test", "b.test", "x.b.test", "y.x.b.test", "other.test"]
REQ = [
    "limit_req zone=ip;",
    "limit_req zone=ip burst=5 nodelay;",
    "limit_req zone=slow burst=4;",
    "limit_req zone=ip burst=9 delay=3; limit_req zone=slow burst=2 nodelay;",
    "",
    "",
]
CONN = ["limit_conn conn 5;", "limit_conn conn 9;", "", "", ""]
DRY = ["limit_req_dry_run on;", "limit_req_dry_run off;", "", "", "", ""]
paths = st.lists(st.sampled_from(SEGMENTS), max_size=4).map(lambda parts: "/" + "/".join(parts))
limits = st.tuples(*map(st.sampled_from, (REQ, CONN, DRY))).map("".join)
regexes = st.sampled_from(
    [
        "^/a/", "^/(a|b)/c", "^/[^/]+/b$", "^/a/[^/]+/c(/|$)", "^/b(/.*)?$", "/", "^/[ab]/[bc]/", "^/c/a/?$",
    ]
)  # fmt: skip


@st.composite
def locations(draw: st.DrawFn, within: str = "", depth: int = 2) -> str:
    """Some locations; nested ones begin as the one around them does."""
    blocks: dict[str, str] = {}
    for _ in range(draw(st.integers(0, 3))):
        kind = draw(st.sampled_from(["", "", "", "=", "^~", "~"]))
        if kind == "~":
            text = draw(regexes)
        else:
            text = within + draw(paths).removeprefix("/" if within.endswith("/") else "")
            text = (
                text if kind == "=" or text.endswith("/") or not draw(st.booleans()) else f"{text}/"
            )
        inner = draw(limits)
        if kind != "=" and depth and draw(st.booleans()):
            inner += draw(locations("" if kind == "~" else text, depth - 1))
        # nginx refuses the same one twice: as a prefix with and without ^~, too.
        same_as = "prefix" if kind in ("", "^~") else kind
        blocks.setdefault(f"{same_as} {text}", f"location {kind} {text} {{ {inner} }}\n")
    return "".join(blocks.values())


@st.composite
def servers(draw: st.DrawFn) -> str:
    names = draw(st.permutations(["a.test", ".b.test", "*.x.b.test", "x.b.test"]))
    count = draw(st.integers(1, 3))
    return "".join(
        f"server {{ server_name {name}; {draw(limits)} {draw(locations())} }}\n"
        for name in names[:count]
    )


@given(servers(), limits, st.sampled_from(HOSTS), st.lists(paths, min_size=1, max_size=8))
def test_a_request_has_the_limits_that_it_has_in_nginx(
    text: str, outer: str, host: str, requests: list[str]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        try:
            document = imported(Path(folder), ZONES + outer + text)
        except ImportFileError as error:
            assert "nothing is limited" in str(error)
            event("nothing is limited")
            assume(False)
        tree = parse(str(write(Path(folder), ZONES + outer + text)))
    http = tree.all("http")[0]
    server = server_of(http, host)
    for path in requests:
        wanted = applied_at(http, blocks_of(server, path))
        other = path[:-1] if path.endswith("/") and path != "/" else f"{path}/"
        if not same(wanted, applied_at(http, blocks_of(server, other))):
            event("a slash at the end makes a difference, and is told of")
            continue
        event(f"{len(wanted)} limits")
        found = applied_by(document, host, path)
        assert same(found, wanted), (path, found, wanted, [dict(r.values) for r in document.rules])
