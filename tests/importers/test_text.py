"""The text of an imported policy: what is read from it is what was put in."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import toml_parser
from sluicegate.importers.document import Document, Entry, Template
from sluicegate.importers.origins import Origin, Source
from sluicegate.importers.text import policy_text, printable
from sluicegate.importers.unmatched import Unmatched

texts = st.text(st.characters(exclude_categories=["Cs"]))
values = st.recursive(
    st.one_of(
        texts,
        st.booleans(),
        st.integers(-(2**63), 2**63 - 1),
        st.floats(allow_nan=False, allow_infinity=False),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=5,
)
tables = st.dictionaries(texts, values, max_size=4)
places = st.lists(
    st.builds(Source, st.builds(Origin, texts, st.integers(1, 99)), texts), max_size=2
)


@st.composite
def entries(draw: st.DrawFn, taken: set[str]) -> Entry:
    own = {key: value for key, value in draw(tables).items() if key not in taken}
    taken.update(own)
    return Entry(own, tuple(draw(places)), tuple(draw(st.lists(texts, max_size=2))))


@given(st.data())
def test_what_is_written_is_read(data: st.DataObject) -> None:
    def some() -> list[Entry]:
        taken = {"identity", "tiers", "keys", "rules"}
        return [data.draw(entries(taken)) for _ in range(data.draw(st.integers(0, 2)))]

    document = Document("nginx", data.draw(texts), some(), some(), some(), some())
    document.rules = [data.draw(entries(set())) for _ in range(2)]
    document.unmatched = [
        Unmatched(Origin(data.draw(texts), 3), *(data.draw(texts) for _ in range(3)))
    ]
    found = read(policy_text(document))
    for name in ("identity", "tiers", "keys"):
        assert found.pop(name, {}) == merged(getattr(document, name))
    assert found.pop("rules") == [dict(rule.values) for rule in document.rules]
    assert found == merged(document.options)


def read(text: str) -> Any:
    """The values of a policy file, with what it takes for a plain ``${``."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [*map(plain, value)]
        return value.replace("$${", "${") if isinstance(value, str) else value

    return plain(toml_parser.loads(text))


def merged(some: list[Entry]) -> dict[str, Any]:
    return {key: value for entry in some for key, value in entry.values.items()}


def test_a_policy_reads_like_this() -> None:
    def place(line: int, text: str) -> Source:
        return Source(Origin("a.conf", line), text)

    document = Document("nginx", "a.conf")
    document.options = [
        Entry({"store": "shared:x"}, (place(1, "a zone"),), ("For all workers.",)),
        Entry({"secret": Template("${SECRET}"), "name": "a${b}"}),
    ]
    document.identity = [Entry({"ipv6_prefix": 128})]
    document.keys = [Entry({"org": "limits_keys:org"})]
    document.rules = [
        Entry(
            {"match": "/a", "quota": "1/second", "by": ["address", "org"], "delay": 0.5},
            (place(3, "here"), place(2, "there")),
        ),
        Entry({"match": "*", "exempt": True}, (), ("Why not.",)),
    ]
    document.unmatched = [Unmatched(Origin("a.conf", 4), "limit_rate 5k", "No bytes.", "left out")]
    assert (
        policy_text(document)
        == """\
# Imported from a.conf by `sluicegate import nginx`. Above each rule stands where it comes from.
# What has no equivalent is listed at the end of this file.

# a.conf:1: a zone
# For all workers.
store = "shared:x"

secret = "${SECRET}"
name = "a$${b}"

[identity]
ipv6_prefix = 128

[keys]
org = "limits_keys:org"

# a.conf:3: here
# a.conf:2: there
[[rules]]
match = "/a"
quota = "1/second"
by = ["address", "org"]
delay = 0.5

# Why not.
[[rules]]
match = "*"
exempt = true

# Without an equivalent:
#
# a.conf:4: limit_rate 5k
#   why: No bytes.
#   effect: left out
"""
    )


def test_a_number_that_is_none_is_refused() -> None:
    document = Document("kong", "kong.yml", [Entry({"timeout": float("inf")})])
    with pytest.raises(ValueError, match="finite"):
        policy_text(document)


def test_nothing_moves_a_terminals_cursor() -> None:
    assert printable("a\x1b[2J\n b\u202ec") == "a\\x1b[2J b\\u202ec"
