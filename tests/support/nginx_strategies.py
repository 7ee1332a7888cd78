"""Random configurations of nginx, and paths that are requested of them."""

from __future__ import annotations

from hypothesis import strategies as st

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
        if kind not in ("=", "~") and depth and draw(st.booleans()):
            inner += draw(locations(text, depth - 1))
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
