"""The JSON Schema by which editors complete and check takes what the policy takes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import sluicegate
from policy_files import TIERS, problems, written_as_toml
from sluicegate import Quota
from sluicegate.policy.document.schema import schema, schema_text
from sluicegate.policy.document.values.keys import IDENTITY, RULE, TOP, Key

ROOT = Path(__file__).parents[3]
EXAMPLE = yaml.safe_load((ROOT / "examples" / "limits.yaml").read_text())
VALIDATOR = jsonschema.Draft202012Validator(schema())


def test_it_is_a_schema_and_stands_in_the_package_as_it_is_made() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    packaged = Path(sluicegate.__file__).with_name("policy.schema.json")
    assert packaged.read_text() == schema_text(), (
        "make it anew: python -m sluicegate.policy.document.schema > python/sluicegate/policy.schema.json"
    )


def test_its_module_prints_it() -> None:
    command = [sys.executable, "-W", "error", "-m", "sluicegate.policy.document.schema"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == schema_text()


def test_the_example_passes() -> None:
    VALIDATOR.validate(EXAMPLE)


def with_value(at: tuple[str | int, ...], value: object) -> dict[str, Any]:
    """The example with another value in one place."""
    changed: dict[str, Any] = json.loads(json.dumps(EXAMPLE))
    inner: Any = changed
    for step in at[:-1]:
        inner = inner[step]
    inner[at[-1]] = value
    return changed


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (("shadov",), True),
        (("shadow",), "true"),
        (("algorithm",), "token_buckt"),
        (("store",), "redsi://h"),
        (("timeout",), 0),
        (("timeout",), 61),
        (("closed_status",), 200),
        (("closed_status",), 503.5),
        (("exempt",), ["health"]),
        (("exempt",), "health"),
        (("headers",), ["x"]),
        (("tiers", "free"), "5/mintue"),
        (("tiers", "free"), 5),
        (("tiers",), "no function"),
        (("keys",), {"org": "no function"}),
        (("identity", "ipv6_prefix"), 8),
        (("identity", "verifi"), "a:b"),
        (("rules",), {}),
        (("rules", 0, "quotas"), "5/minute"),
        (("rules", 0, "match"), "login"),
        (("rules", 0, "match"), "post /login"),
        (("rules", 0, "quota"), "5 per"),
        (("rules", 0, "counts"), "failure"),
        (("rules", 0, "delay"), 0),
        (("rules", 0, "delay"), 3601),
        (("rules", 0, "lease_seconds"), 0.05),
        (("rules", 0), {"match": "*"}),
        (("rules", 0), {"quota": "5/minute"}),
        (("rules", 0), {"match": "*", "quota": "5/minute", "exempt": True}),
    ],
    ids=str,
)
def test_what_is_wrong_does_not_pass_nor_is_it_a_policy(
    at: tuple[Any, ...], value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    changed = with_value(at, value)
    assert not VALIDATOR.is_valid(changed)
    assert problems(written_as_toml(changed))
    assert not problems(written_as_toml(EXAMPLE))


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (("algorithm",), "${ALGORITHM}"),
        (("store",), "${STORE}"),
        (("store",), "shared:limits?size=1m"),
        (("store",), "rediss+cluster://a,b"),
        (("tiers",), "plans:of"),
        (("tiers", "free"), "${QUOTA}"),
        (("keys",), ["org"]),
        (("headers",), "ietf"),
        (("headers",), []),
        (("concurrency",), 5),
        (("concurrency",), "5 concurrent"),
        (("identity", "trusted_proxies"), 2),
        (("rules", 0, "cost"), {"tokens": 5}),
        (("rules", 0, "cost"), "costs:of"),
        (("rules", 0, "counts"), "a.b:c.d"),
        (("rules", 0, "by"), ["client", "path:id"]),
        (("rules", 0, "match"), "GET|POST //*.example.com/a/{id}/*"),
        (("rules", 0), {"match": "/health", "exempt": True}),
        (("rules", 0), {"match": "/a", "quota": "5/minute", "exempt": False}),
    ],
    ids=str,
)
def test_what_may_be_right_passes(at: tuple[Any, ...], value: object) -> None:
    VALIDATOR.validate(with_value(at, value))


def keys() -> Iterator[tuple[str, Key]]:
    for table in (TOP, IDENTITY, RULE):
        yield from table.items()


def test_every_key_is_described_and_every_example_passes() -> None:
    for name, key in keys():
        assert key.about[0].isupper(), name
        assert key.about.endswith("."), name
        if key.example is not None:
            of_key = {**key.kind.schema(), "$defs": schema()["$defs"]}
            jsonschema.Draft202012Validator(of_key).validate(key.example)


NUMBERS = [
    (place, name, bound)
    for place, table in (("", TOP), ("identity", IDENTITY), ("rules", RULE))
    for name, key in table.items()
    for each in key.kind.schema().get("anyOf", [key.kind.schema()])
    for bound in (each.get("minimum"), each.get("maximum"))
    if bound is not None and name not in ("cost", "undelayed")
]
#: What keys mean nothing without.
BESIDE = {
    "timeout": 'store = "redis://h"\n',
    "workers": 'store = "redis://h"\n',
    "tier_ttl": 'tiers = "policy_plans:quota_of"\n',
    "verify_ttl": 'verify = "os.path:join"\n',
    "lease_seconds": 'quota = "5 concurrent"\n',
}


@pytest.mark.parametrize(("place", "name", "bound"), NUMBERS, ids=str)
def test_the_ends_of_its_ranges_are_the_policys(place: str, name: str, bound: float) -> None:
    def told(value: float) -> bool:
        needed = BESIDE.get(name, "")
        own = f"{needed}{name} = {value}\n"
        if place == "identity":
            own = f"[identity]\n{own}"
        elif place == "rules":
            quota = "" if "quota" in needed else 'quota = "5/minute"\n'
            own = f'[[rules]]\nmatch = "*"\n{quota}{own}'
        tiers = "" if "tiers" in needed else TIERS
        text = own + tiers if place != "rules" else tiers + own
        return bool(problems(text))

    step = 1e-6 if isinstance(bound, float) or name in ("timeout", "delay") else 1
    assert not told(bound)
    assert told(bound - step) != told(bound + step)


WORDS = st.sampled_from(
    [
        "5",
        "10_000",
        "0.5",
        "300",
        "burst",
        "in",
        "UTC",
        "America/Los_Angeles",
        "concurrent",
        "unlimited",
        "per",
        "/",
        ";",
        ",",
        "|",
        "second",
        "MINUTES",
        "h",
        "d",
        "week",
        "months",
        "tokens",
        "Requests",
        "Per",
        "PER",
        "a-b",
        "_",
        "x",
    ]
)


@given(st.lists(WORDS, max_size=8), st.sampled_from(["", " ", "  "]))
def test_each_quota_that_can_be_read_passes(words: list[str], between: str) -> None:
    text = between.join(words)
    try:
        Quota.parse_all(text)
    except ValueError:
        return
    quota = {**schema()["$defs"]["quota"]}
    jsonschema.Draft202012Validator(quota).validate(text)


@given(
    st.integers(1, 10**6),
    st.sampled_from(["/", " per ", " / ", " Per\t"]),
    st.sampled_from(["", "5 ", "0.25"]),
    st.sampled_from(["second", "Minutes", "h", "week"]),
    st.sampled_from(["", " burst 5", "  BURST 1_0"]),
    st.sampled_from(["", " tokens", " a-b"]),
)
def test_each_rate_that_is_well_written_passes(
    amount: int, per: str, count: str, period: str, burst: str, unit: str
) -> None:
    text = f" {amount}{unit}{per}{count}{period}{burst} ;5 concurrent| 7/day in UTC"
    assert len(Quota.parse_all(text)) == 3
    jsonschema.Draft202012Validator(schema()["$defs"]["quota"]).validate(text)


def test_the_page_names_every_key() -> None:
    page = (ROOT / "docs" / "policy-file.md").read_text()
    rows = {"| top |": TOP, "| `[identity]` |": IDENTITY, "| `[[rules]]` |": RULE}
    for start, table in rows.items():
        (row,) = (line for line in page.split("\n") if line.startswith(start))
        named = set(re.findall(r"`(\w+)`", row.removeprefix(start)))
        assert named == table.keys() - {"tiers", "keys"}
