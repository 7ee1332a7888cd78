"""``${NAME}`` stands for the environment's, and no message shows what it gave."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy_files import TIERS, document, problems
from sluicegate.errors import PolicyFileError
from sluicegate.policy import Policy
from sluicegate.policy.document.text.problems import Problems
from sluicegate.policy.document.text.secrets import Secrets


def test_texts_have_what_the_environment_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RATE", "7")
    monkeypatch.setenv("SECRET_OF_HEADERS", "0123456789abcdef")
    monkeypatch.setenv("EMPTY", "")
    text = (
        'secret = "${SECRET_OF_HEADERS}"\nexempt = ["/${RATE}/$${RATE}/$RATE/${EMPTY}"]\n'
        '[tiers]\nfree = "${RATE}/minute"\n"${RATE}" = "5/minute"\n'
    )
    options = document(text).options
    assert options["secret"] == "0123456789abcdef"
    assert options["exempt"] == ["/7/${RATE}/$RATE/"]
    assert options["tiers"] == {"free": "7/minute", "${RATE}": "5/minute"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("${NOT_THERE}", "the environment has no NOT_THERE, which ${NOT_THERE} stands for"),
        ("a${}", "'${}' names no variable of the environment: write ${NAME}, or $${"),
        ("${A-B}", "'${A-B}' names no variable of the environment"),
        ("${A", "'${A' names no variable of the environment"),
        ("${ A }", "'${ A }' names no variable of the environment"),
        ("${1A}", "'${1A}' names no variable of the environment"),
        ("${\u00c4}", "'${\u00c4}' names no variable of the environment"),
    ],
)
def test_what_the_environment_lacks_is_told_with_its_line(text: str, reason: str) -> None:
    ((line, why),) = problems(f'shadow = true\nexempt = [\n"/",\n"{text}"]\n{TIERS}')
    assert (line, why[: len(reason)]) == (4, reason)


def test_an_alias_is_filled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A", "b")
    text = "exempt: [&a '/$${A}', *a]\ntiers: {free: 5/minute}\n"
    assert document(text, "limits.yaml").options["exempt"] == ["/${A}", "/${A}"]


@pytest.mark.parametrize(
    "text",
    [
        'store = "${PASS}"',
        'store = "redis://:${PASS}@host:port"',
        'store = "redis://user:${PASS}@host/${PASS}"',
        'store = "shared:///${PASS}?size=x"',
        'prefix = "{${PASS}}"\nstore = "redis://h"',
        'default_tier = "${PASS}"',
        'cost = "${PASS}:f"',
        'algorithm = "${PASS}"',
        'headers = "${PASS}"',
        'cors = ["${PASS}"]',
        'messages = "${PASS}"',
        'messages = "5/${PASS}"',
        'exempt = ["${PASS}"]',
        'timeout = "${PASS}"',
        '[identity]\ntrusted_proxies = ["${PASS}"]',
        '[[rules]]\nmatch = "${PASS}"\nquota = "5/minute"',
        '[[rules]]\nmatch = "*"\nquota = "${PASS}"',
        '[[rules]]\nmatch = "*"\nquota = "5/minute"\nby = "${PASS}"',
        '[[rules]]\nmatch = "*"\nquota = "5/minute"\nname = "\u00e4${PASS}"',
        '[[rules]]\nmatch = "*"\nquota = "5/minute"\nstore = "redis://:${PASS}@h/x"',
        '[[rules]]\nmatch = "*"\nquota = "5/minute"\ntier = "${PASS}"',
    ],
)
@pytest.mark.parametrize(
    "secret", ["hunter2", "correct-horse; battery/staple", "q\"u'o\\te\n\x07\u00e9", "ABC-def-0123"]
)
def test_no_message_shows_it(text: str, secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASS", secret)
    found = problems(f"{text}\n{TIERS}")
    assert found, text
    told = "\n".join(why for _, why in found).casefold()
    for start in range(len(secret) - 5):
        assert secret[start : start + 6].casefold() not in told


def test_a_password_in_the_file_is_not_shown_either() -> None:
    for store in ("redsi://:hunter2@h", "redis://:hunter2@h:port", "redis://:hunter2/@h"):
        ((line, why),) = problems(f'store = "{store}"\n{TIERS}')
        assert line == 1
        assert "hunter2" not in why
    rule = f'{TIERS}[[rules]]\nmatch = "*"\nquota = "5/minute"\nstore = "redis://:hunter2/@h"'
    ((line, why),) = problems(rule)
    assert (line, "hunter2" in why) == (6, False)


def test_no_traceback_has_the_error_that_shows_it(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import traceback

    monkeypatch.setenv("PASS", "hunter2-hunter2")
    path = tmp_path / "limits.toml"
    path.write_text(f'default_tier = "${{PASS}}"\n{TIERS}')
    with pytest.raises(PolicyFileError) as caught:
        Policy.from_file(path)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))
    assert str(caught.value).startswith(f"{path}:1: default_tier must be one of tiers, 'free', got")


@given(
    st.text(min_size=1, max_size=30), st.sampled_from(["got {!r}", "{}", "a '{}' b", "x {0!r} {0}"])
)
def test_nothing_of_a_value_as_long_as_six_characters_stays(value: str, message: str) -> None:
    secrets = Secrets(Problems("limits.toml"))
    secrets.hide(value, "${A}")
    told = secrets.without(message.format(value))
    parts = [value[start : start + 6] for start in range(len(value) - 5)]
    assert not any(
        part in told for part in parts if part not in "${A} gives, which is not shown here"
    )


def test_a_message_that_does_not_tell_of_it_stays_as_it_is() -> None:
    secrets = Secrets(Problems("limits.toml"))
    for value in ("redis", "5", "min"):
        secrets.hide(value, "${A}")
    message = "timeout= is for limits in Redis: give store= too, in 5 minutes"
    assert secrets.without(message) == message
    assert secrets.without("got 'min'") == "got '${A}'"
