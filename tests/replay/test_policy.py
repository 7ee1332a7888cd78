"""``sluicegate replay --policy``: the rules of a file, over the methods, paths and statuses of a log."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from in_process import run_here
from replays import START, line

POLICY = """\
exempt = ["/health"]

[[rules]]
match = "POST /login"
quota = "2/minute"
algorithm = "fixed_window"
by = "address"
counts = "failures"

[[rules]]
match = "/items/{id}"
quota = "3/minute"
algorithm = "fixed_window"

[[rules]]
match = "/items/*"
quota = "1/minute"
algorithm = "fixed_window"
shadow = true
"""


def asked(client: str, second: int, request: str, status: int = 200) -> str:
    return line(client, second, f"{request} HTTP/1.1").replace('" 200 17', f'" {status} 17')


def replayed(folder: Path, text: str, policy: str = POLICY, *more: str) -> Any:
    log, file = folder / "access.log", folder / "limits.toml"
    log.write_text(text)
    file.write_text(policy)
    done = run_here("replay", str(log), "--policy", str(file), "--json", *more)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def test_who_would_have_been_refused_by_which_rule(tmp_path: Path) -> None:
    a, b = "192.0.2.1", "192.0.2.2"
    text = "".join(
        [
            *(asked(a, 0, "POST /login", 401) for _ in range(4)),
            *(asked(b, 1, "POST /login", 200) for _ in range(9)),
            *(asked(a, 2, f"GET /items/{number}?x=1") for number in range(5)),
            *(asked(b, 3, "GET /other") for _ in range(2)),
            *(asked(b, 3, "GET /health") for _ in range(3)),
        ]
    )
    told = replayed(tmp_path, text)
    assert (told["requests"], told["free"], told["refused"]) == (23, 5, 4)
    limits = {limit["name"]: limit for limit in told["limits"]}
    login = limits["POST /login by address/minute"]
    assert (login["requests"], login["refused"], login["clients"]) == (13, 2, 1)
    assert login["first_refusal"] == START
    items = limits["/items/{id}/minute"]
    assert (items["requests"], items["refused"]) == (5, 2)
    watched = limits["/items/*/minute"]
    assert (watched["shadow"], watched["refused"]) == (True, 4)
    assert told["top"] == [
        {
            "client": a,
            "request": "GET /items/{n}",
            "limit": "/items/{id}/minute",
            "requests": 5,
            "refused": 2,
        },
        {
            "client": a,
            "request": "POST /login",
            "limit": "POST /login by address/minute",
            "requests": 4,
            "refused": 2,
        },
    ]


requests = st.tuples(
    st.sampled_from(["192.0.2.1", "192.0.2.2"]),
    st.integers(0, 150),
    st.sampled_from(["POST /login", "GET /login", "GET /items/1", "POST /items/22", "GET /health"]),
    st.sampled_from([200, 401]),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(requests, min_size=1, max_size=40))
def test_a_replay_is_the_slow_count(
    tmp_path_factory: pytest.TempPathFactory, trace: list[tuple[str, int, str, int]]
) -> None:
    told = replayed(tmp_path_factory.mktemp("log"), "".join(asked(*each) for each in trace))
    spent: Counter[tuple[str, str, int]] = Counter()
    refused = would_have = free = 0
    for client, second, request, status in sorted(trace, key=lambda each: each[1]):
        minute = (START + second) // 60
        if request == "POST /login":
            key = "login", client, minute
            if spent[key] == 2:
                refused += 1
            elif status >= 400:
                spent[key] += 1
        elif "/items/" in request:
            items, watch = ("items", client, minute), ("watch", client, minute)
            watched = spent[watch] == 1
            would_have += watched
            if spent[items] == 3:
                refused += 1
            else:
                spent[items] += 1
                spent[watch] = 1
        else:
            free += 1
    assert (told["refused"], told["free"]) == (refused, free)
    assert told["refused_at_once"] == refused  # a minute has whole seconds
    shadow = [limit["refused"] for limit in told["limits"] if limit["shadow"]]
    assert sum(shadow) == would_have


def test_tiers_hosts_keys_and_what_a_log_cannot_tell(tmp_path: Path) -> None:
    policy = """\
concurrency = 5
[tiers]
free = "2/minute"
paid = "4/minute"
[keys]
org = "json:dumps"
[[rules]]
match = "*"
quota = "3/minute"
by = "org"
[[rules]]
match = "/slow"
quota = "1 concurrent"
"""
    text = "".join(asked("192.0.2.1", 0, "GET /slow") for _ in range(6))
    free = replayed(tmp_path, text, policy, "--key", "org=acme")
    assert free["refused"] == 4
    assert "all clients have the tier 'free'" in free["left_out"][0]
    assert "permits are left out" in free["left_out"][1]
    paid = replayed(tmp_path, text, policy, "--key", "org=acme", "--tier", "paid")
    assert paid["refused"] == 3
    assert paid["top"][0]["limit"] == "* by org/minute"
    hosts = '[[rules]]\nmatch = "//api.example.com/*"\nquota = "1/minute"\n'
    objects = [
        {"remote_addr": "192.0.2.1", "msec": START, "request": "GET /a HTTP/1.1", "host": host}
        for host in ("api.example.com", "API.example.com:443", "www.example.com")
    ]
    told = replayed(tmp_path, "".join(json.dumps(each) + "\n" for each in objects), hosts)
    assert (told["refused"], told["free"]) == (1, 1)


def test_requests_are_held(tmp_path: Path) -> None:
    policy = '[[rules]]\nmatch = "*"\nquota = "1/second burst 3"\ndelay = 10\n'
    text = "".join(asked("192.0.2.1", 0, "GET /") for _ in range(5))
    told = replayed(tmp_path, text, policy)
    assert (told["held"], told["refused_at_once"]) == (2, 2)
    assert 0 < told["longest_seconds"] <= 2


def test_a_path_parameter_tells_paths_apart(tmp_path: Path) -> None:
    policy = '[[rules]]\nmatch = "/items/{id}"\nquota = "1/minute"\nby = "path:id"\n'
    text = "".join(asked("192.0.2.1", 0, f"GET /items/{number}") for number in (1, 2, 2, 3))
    assert replayed(tmp_path, text, policy)["refused"] == 1


def test_the_report(tmp_path: Path) -> None:
    log, file = tmp_path / "access.log", tmp_path / "limits.toml"
    log.write_text("".join(asked("192.0.2.1", 0, "GET /items/1") for _ in range(5)))
    file.write_text(POLICY)
    done = run_here("replay", str(log), "--policy", str(file))
    text = " ".join(done.stdout.decode().split())
    assert "2 would have been refused (40.00%); 0 are not limited" in text
    assert "/items/*/minute (shadow)" in text
    assert "The truth most likely lies between that and all of them at its start" in text
    assert "GET /items/{n} /items/{id}/minute 5 2" in text


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--policy", "POLICY", "--limit", "5/second"), "--limit means nothing beside --policy"),
        (("--policy", "POLICY", "--by", "path"), "--by path means nothing beside --policy"),
        (("--policy", "POLICY", "--tier", "gold"), "--tier must be one of the policy's, free"),
        (("--policy", "POLICY", "--key", "x"), "--key must be NAME=VALUE"),
        (("--policy", "POLICY", "--key", "x=y"), "--key must be of the keys of the policy"),
        (("--policy", "missing.toml"), "missing.toml"),
        (("--tier", "free"), "give --policy as well"),
    ],
)
def test_wrong_commands(tmp_path: Path, arguments: tuple[str, ...], reason: str) -> None:
    log, file = tmp_path / "access.log", tmp_path / "limits.toml"
    log.write_text(line())
    file.write_text(POLICY + '\n[tiers]\nfree = "5/second"\n')
    done = run_here(
        "replay", str(log), *(str(file) if each == "POLICY" else each for each in arguments)
    )
    assert (done.returncode, len(done.stderr.decode().splitlines())) == (2, 1), done.stderr
    assert reason in done.stderr.decode()
