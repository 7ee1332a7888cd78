"""A policy is made of a file, and of what the code gives beside it."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import pytest

from asgi_calls import get, hello
from policy_files import TIERS, document, problems
from sluicegate import Gate, Limit, ManualClock
from sluicegate.asgi import RateLimitMiddleware
from sluicegate.errors import PolicyFileError
from sluicegate.policy import Identity, Policy
from sluicegate.refusals import FixedRefusal, json_refusal, problem_refusal


def org_of(scope: Any) -> str:
    return "acme"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "limits.toml"
    path.write_text('[tiers]\nfree = "2/hour"\n')
    return path


def test_a_file_limits_as_its_options_in_code_do(path: Path, clock: ManualClock) -> None:
    app = RateLimitMiddleware(hello, policy=Policy.from_file(path, clock=clock))
    assert [get(app).status for _ in range(3)] == [200, 200, 429]
    clock.advance(3_600)
    assert get(app).status == 200


@pytest.mark.parametrize("kind", [str, Path])
def test_a_middleware_takes_the_path_and_options_beside_it(
    path: Path, clock: ManualClock, kind: Any
) -> None:
    app = RateLimitMiddleware(hello, policy=kind(path), clock=clock, exempt=["/health"])
    assert [get(app).status for _ in range(3)] == [200, 200, 429]
    assert get(app, path="/health").status == 200


def test_how_often_a_file_is_looked_at_is_for_files() -> None:
    with pytest.raises(TypeError, match=r"reload_seconds= is for a policy in a file: give policy="):
        RateLimitMiddleware(hello, tiers={"free": "2/hour"}, reload_seconds=5)
    with pytest.raises(
        TypeError, match=r"policy= stands for all other options: leave out reload_s"
    ):
        RateLimitMiddleware(hello, policy=Policy(tiers={"free": "2/hour"}), reload_seconds=5)


def test_middlewares_of_one_file_count_together_until_a_request_comes(path: Path) -> None:
    exempt = ["/health"]
    first, second = (RateLimitMiddleware(hello, policy=str(path), exempt=exempt) for _ in range(2))
    assert [get(app).status for app in (first, second, first)] == [200, 200, 429]
    assert get(RateLimitMiddleware(hello, policy=str(path), exempt=exempt)).status == 200


def test_a_middleware_of_a_file_that_has_changed_has_what_it_says_now(path: Path) -> None:
    first = RateLimitMiddleware(hello, policy=str(path))
    path.write_text('[tiers]\nfree = "1/hour"\n')
    second = RateLimitMiddleware(hello, policy=str(path))
    assert [get(app).status for app in (first, second) for _ in range(3)] == [
        *(200, 200, 429),
        *(200, 429, 429),
    ]


def test_middlewares_with_other_options_beside_one_file_do_not_count_together(path: Path) -> None:
    apps = [RateLimitMiddleware(hello, policy=path, exempt=[f"/{n}"]) for n in range(2)]
    assert [get(app).status for app in apps for _ in range(3)] == [200, 200, 429] * 2


def test_what_is_given_in_code_stands_beside_the_file() -> None:
    text = f'keys = ["org"]\nrefusal = "problem"\n{TIERS}[[rules]]\nmatch = "*"\nquota = "9/minute"\nby = "org"\n'
    hook: Any = object()
    options = document(text, keys={"org": org_of}, hooks=[], metrics=False, cost=len).options
    assert options["keys"] == {"org": org_of}
    assert options["cost"] is len
    assert options["refusal"] is problem_refusal
    assert hook not in options.values()


def test_functions_to_count_by_may_be_in_both_places_under_other_names() -> None:
    rules = "".join(
        f'[[rules]]\nmatch="*"\nquota="9/minute"\nby="{by}"\n' for by in ("org", "team")
    )
    text = f'{TIERS}[keys]\norg = "os.path:join"\n{rules}'
    assert document(text, keys={"team": org_of}).options["keys"] == {
        "org": os.path.join,
        "team": org_of,
    }
    assert problems(text, keys={"team": org_of, "org": org_of}) == [
        (4, "keys has 'org' in code as well: leave one out")
    ]


@pytest.mark.parametrize(
    ("text", "in_code", "found"),
    [
        ("shadow = true", {"shadow": False}, (1, "shadow is given in code as well, as shadow=: leave")),
        ("store = 'shared:a'", {"redis": "redis://h"}, (1, "store is given in code as well, as redis=")),
        ("[identity]\nipv6_prefix = 64", {"identity": Identity()}, (2, "ipv6_prefix is given in code as well, as identity=")),
        ("[identity]\nipv6_prefix = 64", {"ipv6_prefix": 48}, (2, "ipv6_prefix is given in code as well, as ipv6_prefix=")),
        ("\n[tiers]\nfree = '5/minute'", {"limiter": Gate("5/minute")}, (2, "tiers is given in code as well, as limiter=")),
        ("[[rules]]\nmatch = '*'\nquota = '5/minute'", {"rules": []}, (1, "rules is given in code as well, as rules=")),
    ],
)  # fmt: skip
def test_what_is_given_in_both_places_is_told(
    text: str, in_code: dict[str, Any], found: tuple[int, str]
) -> None:
    line, reason = found
    told = problems(text + ("" if "free" in text else f"\n{TIERS}"), **in_code)
    assert told[0][0] == line
    assert told[0][1].startswith(reason)


@pytest.mark.parametrize(
    ("in_code", "error"),
    [
        ({"cost": 5}, "cost must be callable, got 5"),
        ({"keys": ["org"]}, "keys must be a dict"),
        ({"shadov": True}, r"Policy.from_file\(\) got an unexpected keyword argument 'shadov'"),
        ({"reload_seconds": -1}, "reload_seconds must be a number of seconds from 0 to 86,400, got -1"),
        ({"reload_seconds": "1"}, "reload_seconds must be an int or a float, got str '1'"),
        ({"default_tier": "paid"}, "default_tier must be one of tiers, 'free', got 'paid'"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_code_is_an_error_of_the_code(
    path: Path, in_code: dict[str, Any], error: str
) -> None:
    with pytest.raises((TypeError, ValueError), match=error) as caught:
        Policy.from_file(path, **in_code)
    assert not isinstance(caught.value, PolicyFileError)


def test_tiers_may_be_given_in_code_alone() -> None:
    assert document("shadow = true", tiers={"free": "5/minute"}).options["shadow"] is True
    gate = Gate([Limit("5/minute", by="org")])
    text = 'keys = ["org"]'
    assert document(text, limiter=gate, keys={"org": org_of}).options["keys"] == {"org": org_of}
    assert document('tiers = "policy_plans:quota_of"\ntier_ttl = 5').options["tier_ttl"] == 5


def test_a_refusal_is_named_or_a_function() -> None:
    assert document(f'refusal = "json"\n{TIERS}').options["refusal"] is json_refusal
    own = f'refusal = "sluicegate.refusals:problem_refusal"\n{TIERS}'
    assert document(own).options["refusal"] is problem_refusal


def test_a_refusal_may_have_a_status_and_a_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUSY", "Busy")
    text = (
        "refusal = { status = 503 }\n"
        + TIERS
        + """
[[rules]]
match = "*"
quota = "9/minute"

[rules.refusal]
status = 503
text = "<p>${BUSY}</p>"
content_type = "text/html"
"""
    )
    found = document(text)
    assert found.options["refusal"] == FixedRefusal(503)
    assert found.options["rules"][0].refusal == FixedRefusal(503, "<p>Busy</p>", "text/html")


@pytest.mark.parametrize("name", ["limits", "limits.json", "limits.toml.bak", ".toml"])
def test_another_name_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text(TIERS)
    with pytest.raises(PolicyFileError) as caught:
        Policy.from_file(path)
    assert str(caught.value) == f"{path}: its name must end with one of .toml, .yaml, .yml"


def test_what_is_no_path_is_a_type_error() -> None:
    make: Any = Policy.from_file
    for path in (5, None, b"limits.toml"):
        with pytest.raises(
            TypeError, match=r"path must be a str or a Path, such as 'limits.toml', got"
        ):
            make(path)


def test_a_file_that_cannot_be_read_is_one_clear_error(tmp_path: Path) -> None:
    def error(path: object) -> str:
        with pytest.raises(PolicyFileError) as caught:
            Policy.from_file(path)  # type: ignore[arg-type]
        assert [line for line, _ in caught.value.problems] == [0]
        text = str(caught.value)
        assert text.startswith(f"{caught.value.path}: ")
        return text.removeprefix(f"{caught.value.path}: ")

    missing = tmp_path / "missing.toml"
    assert error(missing) == "it cannot be read: No such file or directory"
    folder = tmp_path / "folder.toml"
    folder.mkdir()
    assert error(folder) == "it is a directory"
    pipe = tmp_path / "pipe.toml"
    os.mkfifo(pipe)
    assert error(pipe) == "it is no file"
    link = tmp_path / "link.toml"
    link.symlink_to(link)
    assert error(link) == "it cannot be read: Too many levels of symbolic links"
    assert error(f"{tmp_path}/a\0b.toml") == "it cannot be read: embedded null byte"
    large = tmp_path / "large.toml"
    with large.open("wb") as file:
        file.truncate(10 * 2**20 + 1)
    assert error(large) == "it has more than 10,485,760 bytes, which is no policy"
    if os.geteuid():
        closed = tmp_path / "closed.toml"
        closed.touch(mode=0)
        assert error(closed) == "it cannot be read: Permission denied"


def test_a_mark_of_the_byte_order_and_line_ends_of_windows_are_read(tmp_path: Path) -> None:
    for name, text in (("a.toml", TIERS), ("a.yaml", "tiers:\n  free: 5/minute\n")):
        path = tmp_path / name
        path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
        assert Policy.from_file(path).tiers == {"free": "5/minute"}


def test_the_error_is_a_value_error_that_can_be_pickled_and_names_each_line(path: Path) -> None:
    import pickle

    path.write_text("shadov = 1\nshadow = 1\n" + TIERS)
    with pytest.raises(ValueError, match="shadov") as caught:
        Policy.from_file(str(path))
    error = pickle.loads(pickle.dumps(caught.value))
    assert type(error) is PolicyFileError
    assert (error.path, error.problems) == (str(path), caught.value.problems)
    assert str(error).split("\n") == [
        f"{path}:1: a policy has no key 'shadov': did you mean 'shadow'?",
        f"{path}:2: shadow must be true or false, got 1",
    ]


def test_a_longer_window_that_allows_less_is_a_warning_with_its_line(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path.write_text(
        '[tiers]\nfree = "5/minute"\npaid = "100/minute; 50/hour"\n'
        '[[rules]]\nmatch = "*"\n\nquota = "9/minute; 3/day"\n'
    )
    with caplog.at_level(logging.WARNING, "sluicegate"):
        Policy.from_file(path)
    assert caplog.messages == [
        f"{path}:3: tiers['paid']: '100/minute' can never refuse: '50/hour' allows less, for longer",
        f"{path}:7: '9/minute' can never refuse: '3/day' allows less, for longer",
    ]


def test_what_comes_from_a_file_says_so(path: Path) -> None:
    policy = Policy.from_file(path)
    assert repr(policy) == f"<Policy {str(path)!r} of the tiers free>"
    with pytest.raises(TypeError, match=r"only one of Policy\.from_file has a file"):
        Policy(tiers={"free": "5/minute"}).reload()
    assert Policy(tiers={"free": "5/minute"}).statistics() == (0, 0, None)
