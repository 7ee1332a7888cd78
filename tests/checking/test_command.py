"""``sluicegate check``: a policy's file as tables, its faults by line, and one request."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from in_process import run_here as run

ROOT = Path(__file__).parents[2]
POLICY = """\
exempt = ["/health"]

[tiers]
free = "5/second; 1000/day"
premium = "50/second"
enterprise = "unlimited"

[keys]
org = "json:dumps"

[[rules]]
match = "/open/*"
exempt = true

[[rules]]
match = "POST /login"
quota = "5/minute"
by = "address"
counts = "failures"

[[rules]]
match = "/reports/{id}"
quota = "100/minute"
tier = "premium"
group = "reports"
name = "premium reports"

[[rules]]
match = "/reports/{id}"
quota = "10/minute burst 20"
by = ["client", "path:id"]
group = "reports"
delay = 60
undelayed = 3

[[rules]]
match = "*"
quota = "1000/minute; 40000 tokens/minute"
by = "org"
cost = { tokens = 900 }
shadow = true

[[rules]]
match = "/upload"
quota = "2 concurrent"
by = "header:x-tenant"
"""


@pytest.fixture
def policy(tmp_path: Path) -> str:
    path = tmp_path / "limits.toml"
    path.write_text(POLICY)
    return str(path)


def told(*arguments: str) -> Any:
    done = run("check", *arguments, "--json")
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def request(policy: str, text: str, *more: str) -> Any:
    return told(policy, "--request", text, "--key", "org=acme", *more)["request"]


def test_a_policy_is_shown(policy: str) -> None:
    done = run("check", policy)
    assert (done.returncode, done.stderr) == (0, b"")
    text = done.stdout.decode()
    for part in (
        *("right; 6 rules, 3 tiers", "free (default)", "POST /login", "counts failures"),
        *("for the tier premium, group reports", "held up to 60 s, 3 at once", "exempt"),
        *("client + path:id", "shadow", "not limited: /health", "10/minute burst 11"),
    ):
        assert part in text, part
    rules = told(policy)["rules"]
    assert [rule["line"] for rule in rules] == [11, 15, 21, 28, 36, 43]


@pytest.mark.parametrize(
    ("text", "more", "names", "limits"),
    [
        ("GET /health", (), [], []),
        ("GET /open/x", (), ["/open/*"], []),
        (
            "POST /login/",
            (),
            ["POST /login by address", "* by org"],
            [
                *("POST /login by address/minute", "* by org/minute", "* by org/tokens/minute"),
                *("client/second", "client/day"),
            ],
        ),
        (
            "GET /reports/7",
            ("--tier", "premium"),
            ["premium reports", "* by org"],
            [
                "premium reports/minute",
                "* by org/minute",
                "* by org/tokens/minute",
                "client/second",
            ],
        ),
        (
            "GET //reports/7",
            ("--tier", "enterprise"),
            ["/reports/{id} by client+path:id", "* by org"],
            ["/reports/{id} by client+path:id/minute", "* by org/minute", "* by org/tokens/minute"],
        ),
    ],
)
def test_a_request_is_shown(
    policy: str, text: str, more: tuple[str, ...], names: list[str], limits: list[str]
) -> None:
    answer = request(policy, text, *more)
    applying = [rule["name"] for rule in answer["rules"] if rule["applies"]]
    if text != "GET /open/x":
        assert applying == names
    assert sorted(spent["limit"] for spent in answer["spent"]) == sorted(limits)
    assert answer["refusal"] is None
    shown = run("check", policy, "--request", text, "--key", "org=acme", *more)
    assert shown.returncode == 0
    assert all(limit in shown.stdout.decode() for limit in limits)
    assert ("not limited" in shown.stdout.decode()) == (not limits)


def test_keys_and_costs_are_shown(policy: str) -> None:
    answer = request(policy, "GET /upload", "--principal", "u1", "--header", "X-Tenant: a")
    by_limit = {spent["limit"]: spent for spent in answer["spent"]}
    assert answer["client"] == "user:u1"
    assert by_limit["client/second"]["key"] == "user:u1"
    assert by_limit["* by org/tokens/minute"]["cost"] == 900
    assert by_limit["* by org/tokens/minute"]["left"] == 39_100
    assert by_limit["* by org/minute"]["key"] == "acme"
    assert by_limit["* by org/minute"]["shadow"] is True
    (tenant,) = [spent for name, spent in by_limit.items() if "concurrent" in name]
    assert tenant["key"].startswith("header:")
    assert tenant["key"] != "a"
    other = request(policy, "GET /upload", "--address", "2001:db8::9")
    keys = {spent["limit"]: spent["key"] for spent in other["spent"]}
    assert keys["client/second"] == "ip:2001:db8::/64"
    assert [key for name, key in keys.items() if "concurrent" in name] == ["ip:2001:db8::/64"]


def test_why_a_rule_does_not_apply(policy: str) -> None:
    reasons = {rule["name"]: rule["why_not"] for rule in request(policy, "GET /reports/7")["rules"]}
    assert reasons["premium reports"] == "only for the tier premium"
    reasons = {
        rule["name"]: rule["why_not"]
        for rule in request(policy, "GET /reports/7", "--tier", "premium")["rules"]
    }
    assert (
        reasons["/reports/{id} by client+path:id"]
        == "an earlier rule of the group 'reports' applies"
    )
    reasons = {rule["name"]: rule["why_not"] for rule in request(policy, "GET /open/a")["rules"]}
    assert reasons == {
        "/open/*": "exempt: nothing behind it applies",
        "* by org": "behind an exempt rule",
    }


def test_every_fault_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "limits.toml"
    path.write_text('[tires]\nfree = "5/second"\n\n[[rules]]\nmatch = "/x"\nquota = "5/minuet"\n')
    done = run("check", str(path))
    assert (done.returncode, done.stdout) == (2, b"")
    lines = done.stderr.decode().splitlines()
    assert [line.split(": ")[0] for line in lines] == [f"{path}:1", f"{path}:6"]
    assert "did you mean 'tiers'?" in lines[0]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("errors", ["2> /dev/full", "2>&-"])
def test_errors_that_nobody_can_read_are_errors(tmp_path: Path, errors: str) -> None:
    path = tmp_path / "limits.toml"
    path.write_text("[[rules]]\nmatch = 'nope'\n")
    command = f"{sys.executable} -m sluicegate check {path} {errors}"
    done = subprocess.run(["sh", "-c", command], capture_output=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (2, b"", b"")


def test_a_warning_is_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "limits.yaml"
    path.write_text("rules:\n  - match: /x\n    quota: 100/second; 50/minute\n")
    done = run("check", str(path))
    assert done.returncode == 0
    assert f"{path}:3: warning: " in " ".join(done.stdout.decode().split()).replace(" :", ":")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--request", "login"), "--request must be a method and a path"),
        (("--request", "GET login"), "--request must be a method and a path"),
        (("--request", ""), "--request must be a method and a path"),
        (("--request", "GET /", "--address", "host"), "--address must be an IP address"),
        (("--request", "GET /", "--tier", "gold"), "--tier must be one of the policy's"),
        (("--request", "GET /", "--key", "org"), "--key must be NAME=VALUE"),
        (("--request", "GET /", "--key", "x=y"), "--key must be of the keys of the policy, org"),
        (("--request", "GET /", "--header", "x"), "--header must be NAME:VALUE"),
        (("--tier", "free"), "--tier says something of a request"),
        (("--key", "org=x"), "--key says something of a request"),
    ],
)
def test_a_wrong_command_is_one_line(policy: str, arguments: tuple[str, ...], reason: str) -> None:
    done = run("check", policy, *arguments)
    assert (done.returncode, done.stdout) == (2, b"")
    (line,) = done.stderr.decode().splitlines()
    assert reason in line


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    done = run("check", str(tmp_path / "limits.toml"))
    assert done.returncode == 2
    assert "limits.toml" in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()


def test_no_store_is_reached_and_no_secret_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "limits.toml"
    path.write_text(
        'store = "redis://:hush@192.0.2.1:6379/0"\n[tiers]\nfree = "1/second"\n'
        '[[rules]]\nmatch = "/x"\nquota = "5 concurrent"\n'
    )
    done = run("check", str(path), "--request", "GET /x")
    assert done.returncode == 0
    assert "hush" not in done.stdout.decode() + done.stderr.decode()
    assert "client/second" in done.stdout.decode()


def test_the_example_is_right() -> None:
    done = run("check", str(ROOT / "examples" / "limits.toml"), "--request", "POST /login")
    assert done.returncode == 0, done.stderr.decode()
    assert "POST /login by address/minute" in done.stdout.decode()


def test_nothing_that_a_terminal_obeys_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "l\x1b[2J.toml"
    path.write_text('[tiers]\nfree = "1/second"\n')
    for more in (
        (),
        ("--request", "GET /\x1b[31mred", "--principal", "a\x9bb", "--host", "\udcff"),
    ):
        done = run("check", str(path), *more)
        assert done.returncode == 0, done.stderr.decode()
        assert b"\\x1b[" in done.stdout
        assert b"\x1b" not in done.stdout
        assert "\x9b" not in done.stdout.decode()
    (tmp_path / "coloured.py").write_text('raise OSError("a\\x1b[31mred")')
    path.write_text('tier = "coloured:f"\n[tiers]\nfree = "1/second"\n')
    unseen = tmp_path / "unseen.toml"
    unseen.write_text('exempt = ["/h\\u001b[31mx"]\n')
    for file in (path, unseen, tmp_path / "no\x1b[2J.toml"):
        command = ("check", str(file))
        done = run(*command)
        assert done.returncode == 2
        assert b"\\x1b" in done.stderr
        assert b"\x1b" not in done.stderr


def test_a_path_is_read_as_a_server_reads_it(policy: str) -> None:
    plain, encoded = (request(policy, f"POST {path}")["rules"] for path in ("/login", "/%6Cogin"))
    assert len(plain) > 0
    assert encoded == plain


def test_what_a_module_prints_is_no_part_of_the_document(tmp_path: Path) -> None:
    (tmp_path / "talking.py").write_text('print("hello")\ndef tier(scope): return None\n')
    path = tmp_path / "limits.toml"
    path.write_text('tier = "talking:tier"\n[tiers]\nfree = "1/second"\n')
    assert told(str(path))["tiers"] == {"free": "1/second"}


def test_a_module_that_ends_ends_nothing(tmp_path: Path) -> None:
    (tmp_path / "ending.py").write_text("import sys\nsys.exit(0)\n")
    path = tmp_path / "limits.toml"
    path.write_text('tier = "ending:tier"\n[tiers]\nfree = "1/second"\n')
    done = run("check", str(path))
    assert done.returncode == 2
    assert done.stderr.decode() == (f"{path}:1: tier: ending cannot be imported: SystemExit: 0\n")
