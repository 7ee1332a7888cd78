"""What a ``redis`` argument stands for: URLs, and what is neither a URL nor a client."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redis_settings import alone, many, told, unix
from sluicegate._connection.settings import Settings, settings_of
from sluicegate._connection.url import ACCEPTED

AB = (("a", 6379), ("b", 7000))
SENTINEL_AB = (("a", 26379), ("b", 7000))


@pytest.mark.parametrize(
    ("url", "settings"),
    [
        ("redis://", alone()),
        ("redis://h", alone("h")),
        ("redis://H:7000/", alone("h", 7000)),
        ("REDIS://h:/2", alone("h", db=2)),
        ("redis://:7000/3", alone(port=7000, db=3)),
        ("redis://u:p@h", alone("h", username="u", password="p")),
        ("redis://u@h", alone("h", username="u")),
        ("redis://u:@h", alone("h", username="u")),
        ("redis://:pw@h", alone("h", password="pw")),
        ("redis://@h", alone("h")),
        ("redis://:p@s:s@h", alone("h", password="p@s:s")),
        ("redis://%40u:p%2F%3f%25%20%C3%A9@h", alone("h", username="@u", password="p/?% é")),
        ("redis://:100%@h", alone("h", password="100%")),
        ("redis://[::1]", alone("::1")),
        ("redis://:p@[2001:DB8::1]:7000/1", alone("2001:db8::1", 7000, password="p", db=1)),
        ("redis://[fe80::1%25eth0]:7000", alone("fe80::1%eth0", 7000)),
        ("valkey://h:1/1", alone("h", 1, db=1)),
        ("rediss://h", alone("h", tls=True)),
        ("valkeys://h", alone("h", tls=True)),
        ("rediss://h?ssl_cert_reqs=required", alone("h", tls=True)),
        ("rediss://h?ssl_cert_reqs=none", alone("h", tls=True, tls_insecure=True)),
        ("rediss://h?ssl_ca_certs=%2Fca.pem", alone("h", tls=True, ca_file="/ca.pem")),
        (
            "rediss://h?ssl_certfile=/c&ssl_keyfile=/k",
            alone("h", tls=True, cert_file="/c", key_file="/k"),
        ),
        (
            "rediss://h?ssl_certfile=/both",
            alone("h", tls=True, cert_file="/both", key_file="/both"),
        ),
        (
            "redis://h?db=2&username=u&password=p%26+q",
            alone("h", db=2, username="u", password="p& q"),
        ),
        ("redis://h/1?db=2", alone("h", db=2)),
        ("redis://u:p@h?password=other", alone("h", username="u", password="p")),
        ("redis://h?client_name=web-1&protocol=3&db=", alone("h", client_name="web-1")),
        ("redis://h?", alone("h")),
        ("redis://h?socket_timeout=5&decode_responses=True&max_connections=9", alone("h")),
        ("unix:///run/r.sock", unix("/run/r.sock")),
        ("unix:///run/r%20s.sock?db=1&password=p", unix("/run/r s.sock", db=1, password="p")),
        ("unix://u:p@/run/r@1.sock", unix("/run/r@1.sock", username="u", password="p")),
        ("redis+unix://:p@/r?db=1", unix("/r", db=1, password="p")),
        ("redis+cluster://a,b:7000", many("cluster", *AB)),
        ("redis+cluster://a:6379,b:7000,a/0", many("cluster", *AB)),
        ("valkey+cluster://[::1]:1,b:2", many("cluster", ("::1", 1), ("b", 2))),
        (
            "rediss+cluster://u:p@a,b:7000?ssl_cert_reqs=none",
            many("cluster", *AB, username="u", password="p", tls=True, tls_insecure=True),
        ),
        ("redis+sentinel://a,b:7000/main", many("sentinel", *SENTINEL_AB, service="main")),
        (
            "redis+sentinel://u:p@a,b:7000/my%2Fmain/3?sentinel_username=su&sentinel_password=sp",
            many(
                "sentinel",
                *SENTINEL_AB,
                service="my/main",
                db=3,
                username="u",
                password="p",
                sentinel_username="su",
                sentinel_password="sp",
            ),
        ),
        ("rediss+sentinel://a/m/", many("sentinel", ("a", 26379), service="m", tls=True)),
    ],
)
def test_urls(url: str, settings: Settings) -> None:
    assert settings_of(url) == settings


# Each holds the secret "Hunter2" or parts of it, "Hunt" and "er2", in places where it may end up.
MALFORMED = [
    ("Hunter2", "scheme"),
    ("Hunter2@h:6379", "scheme"),
    ("Hunter2://h", "scheme"),
    ("user:Hunter2@h:6379/0", "scheme"),
    ("http://:Hunter2@h", "scheme"),
    ("redis:/:Hunter2@h", "scheme"),
    ("redis+tls://:Hunter2@h", "scheme"),
    (" redis://:Hunter2@h", "scheme"),
    ("redis://:Hunt/er2@h/0", "port"),
    ("redis://Hunt/er2@h", "path"),
    ("redis://u:12/Hunter2@h", "path"),
    ("redis://:Hunt?er2@h/0", "query"),
    ("redis://Hunt?er2=1@h/0", "query"),
    ("redis://Hunt?db=er2@h", "as db"),
    ("redis://:Hunt#er2@h/0", "'#'"),
    ("redis://:Hunt er2@h", "space"),
    ("redis://:Hunter2@h\n", "printed"),
    ("redis://:Hunter2\x00@h", "printed"),
    ("redis://:Hunter2\udcff@h", "printed"),
    ("redis://:Hunter2%FF@h", "UTF-8 as password"),
    ("redis://Hunter2%FF@h", "UTF-8 as username"),
    ("redis://:Hunter2@h:x", "port"),
    ("redis://:Hunter2@h:0", "port"),
    ("redis://:Hunter2@h:65536", "port"),
    ("redis://:Hunter2@h:-1", "port"),
    ("redis://:Hunter2@h:٣", "port"),
    ("redis://h:Hunter2", "port"),
    ("redis://:Hunter2@h:1:2", "host"),
    ("redis://:Hunter2@::1", "host"),
    ("redis://:Hunter2@[::1", "host"),
    ("redis://:Hunter2@[Hunter2]", "host"),
    ("redis://:Hunter2@[127.0.0.1]", "host"),
    ("redis://:Hunter2@[::1]Hunter2", "host"),
    ("redis://h%40Hunter2", "host"),
    ("redis://:Hunter2@a,b", "several hosts"),
    ("redis://:Hunter2@h/x", "db"),
    ("redis://:Hunter2@h/-1", "db"),
    ("redis://:Hunter2@h/1/2", "db"),
    ("redis://:Hunter2@h/Hunter2", "db"),
    ("redis://:Hunter2@h/9999999999", "db"),
    ("redis://:Hunter2@h?db=Hunter2", "db"),
    ("redis://h?Hunter2", "option 1"),
    ("redis://h?db=1&Hunter2=Hunter2", "option 2"),
    ("redis://h?password=Hunt&er2", "option 2"),
    ("redis://h?pasword=Hunter2", "option 1"),
    ("redis://h?password=Hunter2&password=Hunter2", "password twice"),
    ("redis://h?password=Hunter2%FF", "password"),
    ("redis://h?protocol=Hunter2", "protocol"),
    ("redis://:Hunter2@h?protocol=4", "protocol"),
    ("redis://h?client_name=Hunter2%20x", "client_name"),
    ("redis://:Hunter2@h?sentinel_password=Hunter2", "option 1"),
    ("redis://:Hunter2@h?ssl_cert_reqs=none", "rediss.* ssl_cert_reqs"),
    ("redis://:Hunter2@h?ssl_ca_certs=/ca", "rediss.* ssl_ca_certs"),
    ("rediss://:Hunter2@h?ssl_cert_reqs=Hunter2", "ssl_cert_reqs"),
    ("rediss://:Hunter2@h?ssl_keyfile=/k", "ssl_certfile"),
    ("rediss://:Hunter2@h?ssl_check_hostname=False", "ssl_check_hostname"),
    ("rediss://h?ssl_password=Hunter2", "ssl_password"),
    ("rediss://:Hunter2@h?ssl_ca_data=Hunter2", "ssl_ca_data"),
    ("unix://Hunter2", "absolute path"),
    ("unix://:Hunt/er2@/run/r.sock", "absolute path"),
    ("unix://:Hunter2@", "absolute path"),
    ("unix://:Hunter2@/", "absolute path"),
    ("unix://:Hunter2@h/run/r.sock", "absolute path"),
    ("redis+cluster://:Hunter2@", "host"),
    ("redis+cluster://:Hunter2@a,,b", "host"),
    ("redis+cluster://u:Hunter2@a,u:Hunter2@b", "more than one '@'"),
    ("redis+cluster://:Hunter2@a/1", "db 0"),
    ("redis+cluster://:Hunter2@a?db=1", "db 0"),
    ("redis+sentinel://:Hunter2@a,b:7000", "service"),
    ("redis+sentinel://:Hunter2@a,b/", "service"),
    ("redis+sentinel://:Hunter2@a,b//1", "service"),
    ("redis+sentinel://:Hunter2@a/m/Hunter2", "db"),
    ("redis+sentinel://:Hunter2@a:b:c/m", "host"),
    ("redis+sentinel://a/m?sentinel_password=Hunter2&Hunter2=", "option 2"),
]


@pytest.mark.parametrize(("url", "problem"), MALFORMED, ids=range(len(MALFORMED)))
def test_malformed_urls_are_named_without_a_secret(url: str, problem: str) -> None:
    with pytest.raises(ValueError, match=r"^redis must ") as caught:
        settings_of(url)
    # What is accepted holds most of these words as well.
    assert re.search(problem, str(caught.value).rpartition(ACCEPTED)[2])
    assert "Hunt" not in told(caught.value)
    assert "er2" not in told(caught.value)


@given(
    st.sampled_from(["redis://", "rediss://", "unix://", "redis+cluster://", "redis+sentinel://"]),
    st.lists(
        st.sampled_from(["Xq7", "Zj9", *":/?#@[]%,&=+. \n", "%FF", "db", "h", "1", "password"]),
        max_size=14,
    ),
)
def test_no_error_quotes_any_part_of_a_url(scheme: str, parts: list[str]) -> None:
    try:
        settings_of(scheme + "".join(parts))
    except ValueError as error:
        assert "Xq7" not in told(error)
        assert "Zj9" not in told(error)


def test_errors_say_what_is_accepted() -> None:
    with pytest.raises(ValueError, match=r"redis://\[user\[:password\]@\]host\[:port\]\[/db\]"):
        settings_of("localhost:6379")


def test_a_repr_shows_no_secret() -> None:
    url = "redis+sentinel://u:Hunter2@a/m?sentinel_username=su&sentinel_password=Hunter2"
    settings = settings_of(url)
    assert "Hunter2" not in f"{settings!r} {settings}"
    assert "service='m'" in repr(settings)


def test_settings_are_keys() -> None:
    connections = {settings_of("redis://u:p@h/1"): "one"}
    assert connections[settings_of("valkey://u:p@H:6379/1")] == "one"
    assert settings_of("redis://u:other@h/1") not in connections
    with pytest.raises(FrozenInstanceError):
        settings_of("redis://h").db = 1  # type: ignore[misc]


@pytest.mark.parametrize("wrong", [None, 1, b"redis://h", ["redis://h"], object(), Settings])
def test_anything_else_is_a_type_error(wrong: object) -> None:
    with pytest.raises(TypeError, match=r"^redis must be a URL .* redis-py client.* got "):
        settings_of(wrong)


def test_redis_py_is_not_imported() -> None:
    code = (
        "import sys\n"
        "from sluicegate._connection.settings import settings_of\n"
        "settings_of('redis://h')\n"
        "try: settings_of(object())\n"
        "except TypeError: print([name for name in sys.modules if name.startswith('redis')])"
    )
    environment = {"PYTHONPATH": ":".join(filter(None, sys.path))}
    ran = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True
    )
    assert ran.stdout.strip() == "[]", ran.stderr
