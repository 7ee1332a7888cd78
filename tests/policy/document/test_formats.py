"""TOML and YAML say the same, and no text is anything but a policy or a list of problems."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import toml_parser
from policy_files import document, problems, written_as_toml, written_as_yaml
from sluicegate.policy import Rule
from sluicegate.policy.document.text.from_toml import read_toml
from sluicegate.policy.document.text.from_yaml import read_yaml
from sluicegate.policy.document.text.nodes import Node, Stray
from sluicegate.policy.document.text.problems import Problems
from sluicegate.policy.document.values.keys import IDENTITY, RULE, TOP

# Documents: right ones of the keys' examples, and any mixture of wrong values.

WORDS = st.sampled_from(
    "free 5/minute 5/second;1000/day unlimited 5&concurrent 10/second&burst&20 * /a/{id} //h/* client org "
    "path:id header:x tier all failures closed local token_bucket shared:x redis://:pw@h json os.path:join "
    "os.path:nope x:y /health 10.0.0.0/8 ${HOME} ${NOT_THERE} $${a} share default ietf aaaaaaaaaaaa".replace(
        "&", "\N{NO-BREAK SPACE}"
    ).split()
).map(lambda word: word.replace("\N{NO-BREAK SPACE}", " "))
SCALARS = WORDS | st.integers(-2, 10**6) | st.booleans() | st.text(max_size=5)
VALUES = SCALARS | st.lists(WORDS, max_size=3) | st.dictionaries(WORDS, SCALARS, max_size=2)
QUOTAS = st.sampled_from(
    ["5/minute", "3/hour", "4/second; 2/day", "5 concurrent", "9/second burst 3"]
)


def right(table: Any, *but: str) -> dict[str, Any]:
    """The examples of some keys, or any value."""
    return {
        name: VALUES if key.example is None else st.just(key.example) | VALUES
        for name, key in table.items()
        if name not in but
    }


RULES = st.fixed_dictionaries(
    {
        "match": st.sampled_from(["*", "/a", "POST /b", "/c/{id}"]) | VALUES,
        "quota": QUOTAS | VALUES,
    },
    optional=right(RULE, "match", "quota"),
)
DOCUMENTS = st.fixed_dictionaries(
    {},
    optional={
        **right(TOP, "tiers", "keys"),
        "tiers": st.dictionaries(WORDS, QUOTAS | VALUES, max_size=3) | VALUES,
        "keys": st.dictionaries(WORDS, st.just("os.path:join") | VALUES, max_size=2) | VALUES,
        "identity": st.fixed_dictionaries({}, optional=right(IDENTITY)) | VALUES,
        "rules": st.lists(RULES, max_size=3) | VALUES,
    },
)

SANE = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@SANE
@given(DOCUMENTS)
def test_any_document_gives_the_same_problems_in_both_formats(table: dict[str, Any]) -> None:
    in_toml = problems(written_as_toml(table))
    in_yaml = problems(written_as_yaml(table), "limits.yaml")
    reasons = [sorted({*map(without_lines, found)}) for found in (in_toml, in_yaml)]
    assert reasons[0] == reasons[1]


def without_lines(problem: tuple[int, str]) -> str:
    """The reason; rules are named by their lines, which differ."""
    _, reason = problem
    words = reason.split(" ")
    numbered = zip(["", *words], words, strict=False)
    return " ".join("N" if before == "line" else word for before, word in numbered)


@given(
    st.text()
    | st.text(alphabet="[]{}=\"'.,:-&*!#|>%@` \n\tab1$")
    | st.lists(st.sampled_from(["[tiers]", "[[rules]]", "a = 1", 'match = "*"', "- ", "a:", "&x", "*x", "<<:", "'", '"""', "{", "}"]), max_size=12).map("\n".join)
    | st.binary().map(lambda data: data.decode("latin-1"))
)  # fmt: skip
def test_no_text_is_anything_but_a_policy_or_problems(text: str) -> None:
    for name in ("limits.toml", "limits.yaml"):
        lines = text.count("\n") + 1
        for line, reason in problems(text, name, tiers={"free": "5/minute"}):
            assert 0 <= line <= lines + 1
            assert reason


SEEN = st.characters(exclude_categories=["Cc", "Cf", "Cs", "Zl", "Zp", "Zs"])
POLICIES = st.fixed_dictionaries(
    {"tiers": st.dictionaries(st.text(alphabet="abc-_ .1", min_size=1), st.sampled_from(["5/minute", "unlimited", "3/second; 9/day"]), min_size=1)},
    optional={
        "shadow": st.booleans(),
        "closed_status": st.integers(400, 599),
        "headers": st.lists(st.sampled_from(["ietf", "x-ratelimit"])),
        "exempt": st.lists(st.text(SEEN, max_size=8).map("/{}".format).filter(lambda path: "*" not in path and "${" not in path)),
        "max_keys": st.integers(1, 2**32 - 1),
        "identity": st.fixed_dictionaries({}, optional={"ipv6_prefix": st.integers(16, 128), "no_address": st.text().filter(lambda text: "${" not in text)}),
        "rules": st.lists(st.integers(0, 99), unique=True, max_size=4).map(
            lambda numbers: [{"match": f"/{n}/{{id}}", "quota": f"{n + 1}/minute", "by": ["client", "path:id"][: 1 + n % 2], "shadow": n % 3 == 0} for n in numbers]
        ),
    },
)  # fmt: skip


@given(POLICIES)
def test_what_is_written_is_what_is_given(table: dict[str, Any]) -> None:
    expected = {name: value for name, value in table.items() if name not in ("identity", "rules")}
    expected |= table.get("identity", {})
    rules = [Rule(**each) for each in table.get("rules", [])]
    for options in (
        document(written_as_toml(table)).options,
        document(written_as_yaml(table), "limits.yaml").options,
    ):
        assert [*map(repr, options.pop("rules", ()))] == [*map(repr, rules)]
        assert options == expected
        assert [*options["tiers"]] == [*table["tiers"]], "the first tier is the default"


# Nodes.


def plain(node: Node) -> Any:
    """Values without lines."""
    if isinstance(node.value, dict):
        return {key: plain(entry.node) for key, entry in node.value.items()}
    if isinstance(node.value, list):
        return [plain(each) for each in node.value]
    return node.value


def read(text: str, read: Any) -> Any:
    told = Problems("file")
    node = read(text, told)
    return told.found or plain(node)


@given(st.text(alphabet="ab:-&*<[]{}'\" \n#1.~") | st.text(alphabet="ab: \n-1.", max_size=30))
def test_yaml_is_read_as_safe_load_reads_it(text: str) -> None:
    told = Problems("file")
    node = read_yaml(text, told)
    try:
        expected = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, TypeError):
        return  # it may be refused, and unhashable keys are
    if node is not None and not told.found:
        got = plain(node)
        assert got == (expected if text.strip() and expected is not None else got)


TOMLS = st.recursive(
    st.integers(-(2**63), 2**63 - 1) | st.booleans() | st.text() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), TOMLS, max_size=4))
def test_toml_is_read_as_the_standard_library_reads_it(table: dict[str, Any]) -> None:
    text = written_as_toml(table)
    assert read(text, read_toml) == table
    assert toml_parser.loads(text) == table


def test_toml_of_all_kinds_has_its_lines() -> None:
    text = """a = 0x10
"b c" = 'x'
d.e = -1.5
d.f = [
  1,
  [true, {g = 2}],
]
h = 2020-01-01T00:00:00Z
[i.j]
k = \"\"\"
two
lines\"\"\"
[[l]]
[[l]]
m = inf
"""
    told = Problems("file")
    node = read_toml(text, told)
    assert node is not None
    assert not told.found
    assert plain(node) == {
        "a": 16,
        "b c": "x",
        "d": {"e": -1.5, "f": [1, [True, {"g": 2}]]},
        "h": Stray("a date"),
        "i": {"j": {"k": "two\nlines"}},
        "l": [{}, {"m": float("inf")}],
    }
    table = node.value
    assert {name: entry.line for name, entry in table.items()} == {
        "a": 1,
        "b c": 2,
        "d": 3,
        "h": 8,
        "i": 9,
        "l": 13,
    }
    inner = table["d"].node.value
    assert {name: entry.line for name, entry in inner.items()} == {"e": 3, "f": 4}
    assert [each.line for each in inner["f"].node.value] == [5, 6]
    assert [each.line for each in table["l"].node.value] == [13, 14]
    assert table["i"].node.value["j"].node.value["k"].line == 10


def test_yaml_has_anchors_and_merges_with_the_lines_where_they_stand() -> None:
    text = """
rules:
  - &strict
    match: /a
    quota: 5/mintue
    headers: &h [ietf]
  - <<: *strict
    match: /b
  - <<: [{group: x}, *strict]
    quota: 6/minute
    match: /c
    headers: *h
"""
    ((line, why),) = problems(text, "limits.yaml")
    assert (line, why[:24]) == (5, "quota '5/mintue': 'mintu")
    rules = document(text.replace("mintue", "minute"), "limits.yaml").options["rules"]
    assert [(rule.match, str(rule.quotas[0]), rule.group) for rule in rules] == [
        ("/a", "5/minute", None),
        ("/b", "5/minute", None),
        ("/c", "6/minute", "x"),
    ]


def test_aliases_of_aliases_do_not_take_all_memory() -> None:
    lines = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60)]
    ((line, why),) = problems("\n".join(lines), "limits.yaml")
    assert (line, why) == (1, "there are more than 1,000,000 values, by aliases of aliases")
    lines = ["a0: &a0 {k: x}"] + [
        f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}" for n in range(1, 60)
    ]
    assert len(problems("\n".join(lines), "limits.yaml")) == 61


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("tiers: {free: 5/minute}\nshadow: yes", ""),
        ("tiers: {free: 5/minute}\nshadow: 'yes'", "shadow must be true or false, got 'yes'"),
        ("tiers: {no: 5/minute}", "a key must be a text, got 'no': put it in quotes"),
        ("tiers: {free: 5}", "tiers['free'] must be a text, such as \"100/minute\", got 5"),
        ("tiers: {free: }", "tiers['free'] must be a text, such as \"100/minute\", got nothing"),
        ("tiers: {free: 2020-01-01}", "tiers['free'] must be a text, such as \"100/minute\", got a date"),
        ("tiers: {free: !!binary aGk=}", "tiers['free'] must be a text, such as \"100/minute\", got bytes"),
        ("tiers: !!set {free}", "the tag 'tag:yaml.org,2002:set' means nothing here: leave it out"),
        ("<<: 5\ntiers: {free: 5/minute}", "<< must be an alias of a table, or a list of such"),
    ],
)  # fmt: skip
def test_values_of_yaml_that_are_not_what_they_look_like(text: str, reason: str) -> None:
    found = [why for _, why in problems(text, "limits.yaml")]
    assert (found[0] if found else "") == reason


def test_yaml_says_what_to_install_where_there_is_no_reader(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(
        ImportError, match=r"limits.yaml: a policy in YAML needs PyYAML: install sluicegate\[yaml\]"
    ):
        document("tiers: {}", "limits.yaml")
