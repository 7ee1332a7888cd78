"""``sluicegate replay``: who is a client in a line, and when the requests of a second came."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replays import START, document, line, run, write
from sluicegate.replay import specs
from sluicegate.replay.engine import refused_at_once, replay
from sluicegate.replay.logs.access_log import AccessLog, read
from sluicegate.replay.logs.choosing import Format
from sluicegate.replay.logs.common import ClientField, field_of
from sluicegate.replay.logs.keys import CLIENT, PATH

ADDRESS = "203.0.113.9"
PREFIXES = [
    "",
    "shop.example ",
    "shop.example:443 ",
    "abc.de ",
    "Mar 15 03:31:12 web1 nginx: ",
    "Mar  5 03:31:12 10.0.0.5 nginx[12]: ",
    "2026-03-15T03:31:12.123+00:00 web1 nginx: ",
    "<134>1 2026-03-15T03:31:12Z web1 nginx 812 access - ",
    '<134>1 2026-03-15T03:31:12Z 10.0.0.5 nginx 812 access [a@1 b="c"] ',
]


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("address", [ADDRESS, "2001:db8::1", "::ffff:203.0.113.9", "fe80::1%eth0"])
def test_the_client_is_found_after_a_prefix_that_is_known(
    tmp_path: Path, prefix: str, address: str
) -> None:
    log = read(write(tmp_path, prefix + line(address)), CLIENT)
    plain = read(write(tmp_path, line(address)), CLIENT)
    assert log.names == plain.names
    assert (log.malformed, log.doubt) == (0, None) or "fe80" in address


@pytest.mark.parametrize(
    "text",
    [
        line("host.example"),
        line("Mar"),
        line("unknown"),
        line("300.1.2.3"),
        line("-"),
        "web1 nginx: " + line(ADDRESS),
        f"{ADDRESS}, " + line("10.0.0.1"),
        line(f"10.0.0.1 {ADDRESS}"),  # either may be the client
        line("host.example").replace(" - - [", f" - {ADDRESS} - ["),  # a user's own word
        line("host.example").replace(" - - [", f" - {ADDRESS} - - ["),
    ],
)
def test_what_is_no_address_is_no_client(tmp_path: Path, text: str) -> None:
    log = read(write(tmp_path, line() + text + line()), CLIENT)
    assert log.names == ["192.0.2.1"]
    assert (len(log), log.malformed, log.first_malformed) == (2, 1, [2])
    assert len(read(write(tmp_path, text), PATH)) == 1  # a path has no need of one


@given(st.binary(max_size=60), st.sampled_from([None, "last", 1, 3]))
def test_whatever_a_line_holds_only_addresses_are_clients(
    tmp_path_factory: pytest.TempPathFactory, start: bytes, field: ClientField
) -> None:
    path = tmp_path_factory.mktemp("log") / "access.log"
    text = start.replace(b"\n", b"") + line("x").encode()[1:]
    path.write_bytes(line().encode() + text)
    said = Format(client=field)
    try:
        names = read(str(path), CLIENT, said=said).names
    except ValueError:
        names = []
    assert all(name.replace(".", "").isdigit() or name.endswith("/64") for name in names)


@pytest.mark.parametrize(
    ("field", "text", "client"),
    [
        (2, line(f"a {ADDRESS}"), ADDRESS),
        (6, "Mar 15 03:31:12 web1 nginx: " + line(ADDRESS), ADDRESS),
        (1, line(f"10.0.0.1 {ADDRESS}"), "10.0.0.1"),
        ("last", line("10.0.0.1").rstrip() + f' "{ADDRESS}"\n', ADDRESS),
        ("last", line("10.0.0.1").rstrip() + f' "6.6.6.6, {ADDRESS}, 10.0.0.2"\r\n', ADDRESS),
        ("last", line("10.0.0.1").rstrip() + ' "6.6.6.6, garbage, 10.0.0.2"\n', "10.0.0.2"),
        ("last", line("10.0.0.1").rstrip() + ' "-"\n', None),
        ("last", line("10.0.0.1"), None),
        (4, line(ADDRESS), None),
    ],
)
def test_where_the_client_stands_can_be_told(
    tmp_path: Path, field: ClientField, text: str, client: str | None
) -> None:
    path = write(tmp_path, text)
    if client is None:
        with pytest.raises(ValueError, match="FILE must hold requests"):
            read(path, CLIENT, said=Format(client=field))
    else:
        assert read(path, CLIENT, said=Format(client=field)).names == [client]


TAG = "Mar 15 03:31:12 web1 nginx[12]: "
ODD_TAG = "<190>Mar 15 03:31:12.5 web1 nginx[12]: "


@pytest.mark.parametrize("prefix", [TAG, "2026-03-15T03:31:12+00:00 web1 nginx[12]: "])
def test_paths_behind_a_tag_with_a_number(tmp_path: Path, prefix: str) -> None:
    assert read(write(tmp_path, prefix + line()), PATH).names == ["/a"]


def test_a_word_behind_a_tag_with_a_number_is_advised_and_found(tmp_path: Path) -> None:
    path = write(tmp_path, ODD_TAG + line(ADDRESS))
    with pytest.raises(ValueError, match=f"pass --client-field 6 if the client is {ADDRESS}"):
        read(path, CLIENT)
    assert read(path, CLIENT, said=Format(client=6)).names == [ADDRESS]


def test_the_last_quoted_field_need_not_be_the_last(tmp_path: Path) -> None:
    text = line("10.0.0.1").rstrip() + f' "{ADDRESS}" 0.123 -\n'
    assert read(write(tmp_path, text), CLIENT, said=Format(client="last")).names == [ADDRESS]


def test_a_file_that_is_mostly_malformed_says_which_option_helps(tmp_path: Path) -> None:
    odd = "web1 nginx says: " + line(ADDRESS)
    few = read(write(tmp_path, line() * 6 + odd * 5), CLIENT)
    assert few.doubt is None
    many = write(tmp_path, line() * 5 + odd * 6)
    doubt = "55% of the lines name no client where it is looked for"
    text = f"{doubt}: pass --client-field 4 if the client is {ADDRESS}"
    assert read(many, CLIENT).doubt == text
    done = run("replay", many)
    assert text in " ".join(done.stdout.decode().split())
    assert document(many)["doubt"] == text
    assert document(many, "--client", "4")["keys"] == 1
    done = run("replay", write(tmp_path, odd))
    assert done.returncode == 2
    assert f"pass --client-field 4 if the client is {ADDRESS}" in done.stderr.decode()


def test_a_file_that_is_mostly_of_one_private_address_says_so(tmp_path: Path) -> None:
    proxied = line("10.0.0.7").rstrip() + f' "{ADDRESS}"\n'
    mostly = write(tmp_path, proxied * 3 + line() * 2)
    text = (
        "60% of the requests are of 10.0.0.7, most likely a proxy: pass --client-field last if the "
        f"client is in '{ADDRESS}'"
    )
    assert document(mostly)["doubt"] == text
    assert read(write(tmp_path, proxied * 2 + line() * 2), CLIENT).doubt is None
    assert read(write(tmp_path, line() * 4), CLIENT).doubt is None
    assert document(mostly, "--by", "path")["doubt"] is None
    bare = read(write(tmp_path, line("fd00::1") * 2), CLIENT)
    assert "X-Forwarded-For as its last quoted field" in str(bare.doubt)


@pytest.mark.parametrize("text", ["0", "-1", "21", "a b", "1.5", "", "²"])
def test_a_wrong_place_of_the_client_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(
        ValueError, match=r"--client-field must be first, last, the number of a word"
    ):
        field_of(text)
    done = run("replay", write(tmp_path, line()), f"--client={text}")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)


def test_even_clients_are_not_refused_for_bursts_that_never_were(tmp_path: Path) -> None:
    # Two clients ask every 0.3 s; the server writes whole seconds.
    noise = random.Random(7)
    requests = sorted(
        (0.3 * n + phase, client)
        for client, phase in (("192.0.2.1", 0.05), ("192.0.2.2", 0.17))
        for n in range(2_000)
    )
    text = "".join(line(client, int(time)) for time, client in requests)
    log = read(write(tmp_path, text), CLIENT)
    spec = specs.parse("sliding_window:1/0.2s")
    assert refused_at_once(log, spec) / len(log) > 0.69
    assert replay(log, spec).share == 0
    found = document(write(tmp_path, text), "-l", "sliding_window:1/0.2s")["limits"][0]
    assert (found["refused"], found["refused_at_once"]) == (0, refused_at_once(log, spec))
    # What is a burst in the lines remains one.
    burst = [line("192.0.2.3", 5)] * 20
    others = [line(f"198.51.100.{noise.randrange(250)}", 5) for _ in range(80)]
    bursty = read(write(tmp_path, "".join(others[:40] + burst + others[40:])), CLIENT)
    refused = replay(bursty, specs.parse("sliding_window:5/0.2s"))
    assert [row.refused for row in refused.by_key if row.key == "192.0.2.3"] == [15]


def test_requests_are_spread_within_their_second(tmp_path: Path) -> None:
    log = AccessLog()
    log.times.extend([START * 1_000_000] * 3 + [(START + 1) * 1_000_000])
    log.keys.extend([0] * 4)
    log.names.append("192.0.2.1")
    log.put_in_order()
    offsets = [time - START * 1_000_000 for time in log.times]
    assert offsets == [0, 333_333, 666_666, 1_000_000]
    assert log.span == (START, START + 1)
