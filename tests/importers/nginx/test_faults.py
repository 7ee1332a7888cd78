"""What cannot be imported: file, line, reason; and nothing else than that, whatever is in a file."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import toml_parser
from nginx_configs import ZONES, imported
from sluicegate.importers.nginx.reading import read_nginx
from sluicegate.importers.origins import ImportFileError
from sluicegate.importers.text import policy_text

_USED = "server { limit_req zone=z; }"

# What stands in the http block, in its first line, and what is said of it.
WRONG = {
    "limit_req_zone $remote_addr zone=z:1m rate=10;" + _USED: None,
    "limit_req_zone $remote_addr zone=z:1m rate=10r/h;": "limit_req_zone: rate=10r/h is no whole number",
    "limit_req_zone $remote_addr zone=z:1m rate=1.5r/s;": "limit_req_zone: rate=1.5r/s is no whole number",
    "limit_req_zone $remote_addr zone=z:1m rate=0r/s;": "limit_req_zone: rate=0r/s is no whole number",
    "limit_req_zone $remote_addr zone=z rate=1r/s;": "limit_req_zone: it needs one zone=NAME:SIZE",
    "limit_req_zone $remote_addr zone=z:1k rate=1r/s;": "limit_req_zone: 'z:1k' has no size from 32k",
    "limit_req_zone $remote_addr zone=z:1m burst=5;": "limit_req_zone: unknown parameter 'burst=5'",
    "limit_conn_zone $remote_addr zone=z:1m rate=5;": 'invalid number of arguments in "limit_conn_zone"',
    "limit_conn_zone $remote_addr zone=z:1m; limit_conn_zone $uri zone=z:1m;": (
        "zone 'z' is declared twice, first at "
    ),
    "limit_conn_zone $remote_addr zone=z:1m;" + _USED: (
        "limit_req: no limit_req_zone declares the zone 'z', only as limit_conn_zone at "
    ),
    _USED: "limit_req: no limit_req_zone declares the zone 'z'",
    "server { limit_conn z 5; }": "limit_conn: no limit_conn_zone declares the zone 'z'",
    "limit_conn_zone $uri zone=z:1m; server { limit_conn z 0; }": "limit_conn: '0' is no whole number",
    "limit_conn_zone $uri zone=z:1m; server { limit_conn z 65536; }": "limit_conn: 65536 is above 65535",
    "limit_req burst=5;": "limit_req: it needs zone=NAME",
    "limit_req zone=z burst=0;": "limit_req: 'burst=0' is no whole number",
    "limit_req zone=z now;": "limit_req: unknown parameter 'now'",
    "limit_req_status 200;": "limit_req_status: '200' is not 400 to 599",
    "limit_req_zone $foo zone=z:1m rate=1r/s;" + _USED: (
        "limit_req_zone: $foo cannot be known: neither does a request tell it"
    ),
    "limit_req_zone $connection zone=z:1m rate=1r/s;" + _USED: "limit_req_zone: $connection cannot be",
    "limit_req_zone $ zone=z:1m rate=1r/s;" + _USED: "limit_req_zone: '$' has a '$' without the name",
    "limit_req_zone $x zone=z:1m rate=1r/s; server { set $x 1; limit_req zone=z; }": (
        "limit_req_zone: $x cannot be known: `set` at "
    ),
    'split_clients $uri $x { 50% ""; * a; } limit_req_zone $x zone=z:1m rate=1r/s;' + _USED: (
        "limit_req_zone: $x cannot be known: `split_clients` at "
    ),
    "map $x $x { } limit_req_zone $x zone=z:1m rate=1r/s;" + _USED: "limit_req_zone: $x depends on itself",
    "map $uri $x { ~( 1; } limit_req_zone $x zone=z:1m rate=1r/s;" + _USED: "limit_req_zone: map $x at ",
    "geo $x { 10.0.0.0/99 1; } limit_req_zone $x zone=z:1m rate=1r/s;" + _USED: "limit_req_zone: geo $x at",
    "server { location / { } }": "nothing is limited: no limit_req or limit_conn applies anywhere",
    "limit_req zone=z": 'directive "limit_req" is not terminated by ";"',
    "limit_req;": 'invalid number of arguments in "limit_req" directive',
    "server { if ($uri) { limit_req zone=z; } }": '"limit_req" directive is not allowed here',
    "server { location / {": 'unexpected end of file, expecting "}"',
    "include missing.conf;": "missing.conf cannot be read: No such file or directory",
    "include nginx.conf;": "nginx.conf includes itself",
}  # fmt: skip


@pytest.mark.parametrize("http", WRONG)
def test_each_fault_is_told_with_its_line(http: str, tmp_path: Path) -> None:
    reason = WRONG[http]
    if reason is None:
        imported(tmp_path, http)
        return
    with pytest.raises(ImportFileError) as caught:
        imported(tmp_path, http)
    problems = {problem.reason: problem.origin for problem in caught.value.problems}
    found = [where for text, where in problems.items() if text.startswith(reason) or reason in text]
    assert len(found) == 1, problems
    assert found[0].file == str(tmp_path / "nginx.conf")
    # What is missing at the end is missed there; what holds for all is told of all.
    assert found[0].line in ({2} if "nothing is" in reason else {3, 4, 5})


def test_all_faults_are_told_at_once_with_the_file_that_has_them(tmp_path: Path) -> None:
    with pytest.raises(ImportFileError) as caught:
        imported(
            tmp_path,
            ZONES + "include a.conf;\nserver { limit_req zone=none; }",
            a_conf="\n\nlimit_req zone=ip burst=none;\nlimit_conn conn none;\n",
        )
    first, second, third = caught.value.problems
    assert [first.origin, second.origin] == [(str(tmp_path / "a.conf"), line) for line in (3, 4)]
    assert third.origin == (str(tmp_path / "nginx.conf"), 10)
    assert str(caught.value).count("\n") == 2


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "cannot be read: No such file or directory"),
        ("", "it has no http block"),
        ("events { }", "it has no http block"),
        ("stream { }", "it has no http block"),
        ("http { } 'limit", "nothing is limited"),
        ("http 'limit", "unexpected end of file: the last directive needs a ';'"),
    ],
)
def test_a_file_without_requests(text: str | None, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "nginx.conf"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ImportFileError, match=re.escape(reason)):
        read_nginx(str(path))


def test_blocks_without_end_are_no_crash(tmp_path: Path) -> None:
    path = tmp_path / "nginx.conf"
    path.write_text("http " + "{ a " * 5_000 + "}" * 5_000)
    with pytest.raises(ImportFileError, match="too deep"):
        read_nginx(str(path))


def test_blocks_that_are_deep_and_have_no_end_are_told_as_such(tmp_path: Path) -> None:
    path = tmp_path / "nginx.conf"
    path.write_text("http " + "{ a " * 50 + "}" * 49)
    with pytest.raises(ImportFileError, match='expecting "}"'):
        read_nginx(str(path))


words = st.one_of(
    st.sampled_from(
        [
            "$remote_addr", "$http_x", "$server_name", "$x", "$y", "$", "${", "zone=z:1m", "zone=z",
            "zone=$x", "z", "rate=5r/m", "burst=5", "nodelay", "delay=3", "5", "429", "/", "/a", "=",
            "~", "^~", "@a", "^/a/", "(", "~*", "a.test", "*.a.test", ".a.test", "~a", "80", "[::]:80",
            "unix:/a", "default_server", "10.0.0.0/8", "on", "off", "default", "last", "", '"', "é",
            "\x1b[1m", "*", "{a}", "a b", "%41", "..", "map", "1-2", "10.0.0.1-10.0.0.9",
        ]
    ),
    st.text("az09$/.*{};'\"\\ ~^()[]-\n", max_size=6),
)  # fmt: skip
names = st.sampled_from(
    [
        "limit_req", "limit_req_zone", "limit_conn", "limit_conn_zone", "limit_req_status",
        "limit_req_dry_run", "limit_conn_status", "server_name", "listen", "return", "rewrite",
        "internal", "set", "set_real_ip_from", "real_ip_header", "real_ip_recursive", "error_page",
        "add_header", "limit_rate", "proxy_pass", "server", "js_set", "auth_request_set", "ranges",
        "delete", "proxy", "hostnames", "default", "sync", "unknown", "$x",
    ]
)  # fmt: skip
blocks = st.sampled_from(
    ["server", "location", "map", "geo", "split_clients", "if", "upstream", "limit_except", "types"]
)


def quoted(word: str) -> str:
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'


def directive(name: str, args: list[str]) -> str:
    return f"{name} {' '.join(map(quoted, args))};\n"


def block(name: str, args: list[str], inner: list[str]) -> str:
    return f"{name} {' '.join(map(quoted, args))} {{\n{''.join(inner)}}}\n"


arguments = st.lists(words, max_size=4)
texts = st.recursive(
    st.builds(directive, st.one_of(names, words.map(quoted)), arguments),
    lambda inner: st.builds(block, blocks, arguments, st.lists(inner, max_size=4)),
    max_leaves=12,
)
SOUND = "limit_req_zone $remote_addr zone=z:1m rate=1r/s; limit_conn_zone $remote_addr zone=c:1m;\n"


@given(st.lists(texts, max_size=6), st.booleans())
@example(["js_set;", "map $a $b { add_header; return; }"], True)
def test_no_configuration_crashes_the_importer(parts: list[str], is_sound: bool) -> None:
    limited = f"{SOUND}limit_conn c 5;\nserver {{ location / {{ limit_req zone=z burst=3; }} }}\n"
    with tempfile.TemporaryDirectory() as folder:
        try:
            document = imported(Path(folder), (limited if is_sound else "") + "".join(parts))
        except ImportFileError as error:
            assert error.problems
            assert all(reason and "\n" not in reason for _, reason in error.problems)
        else:
            text = policy_text(document)
            assert toml_parser.loads(text)["rules"]
            if document.functions is not None:
                exec(document.functions, {})
