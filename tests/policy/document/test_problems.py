"""What is wrong with a file: all of it at once, each with the line on which it stands."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from policy_files import TIERS, problems
from sluicegate.errors import PolicyFileError
from sluicegate.policy import Policy

#: The line of the problem is marked; the text of its reason begins so.
WRONG: list[tuple[str, str]] = [
    ("shadov = true  # <-", "a policy has no key 'shadov': did you mean 'shadow'?"),
    ("zzzzz = true  # <-", "a policy has no key 'zzzzz': it has algorithm, store, prefix"),
    ("verify = 'a:b'  # <-", "verify belongs to identity: write it there"),
    ("shadow = 1  # <-", "shadow must be true or false, got 1"),
    ("shadow = 'yes'  # <-", "shadow must be true or false, got 'yes'"),
    ("closed_status = true  # <-", "closed_status must be a whole number, such as 503, got true"),
    ("closed_status = 200  # <-", "closed_status must be an int from 400 to 599, got 200"),
    ("closed_status = 1970-01-01  # <-", "closed_status must be a whole number, such as 503, got a date"),
    ("algorithm = 'token_buckt'  # <-", "algorithm must be one of 'sliding_window', "),
    ("store = 'redsi://localhost'  # <-", "store must be a URL such as redis://localhost:6379/0"),
    ("store = 'shared://relative'  # <-", "store must be a URL such as shared:///run/app/limits.zone"),
    ("store = 'redis://localhost?db=x'  # <-", "store must have a number"),
    ("timeout = 0.5  # <-", "timeout= is for limits in Redis: give store= too, or leave it out"),
    ("store = 'redis://h'\ntimeout = 0  # <-", "timeout must be a number of seconds from 0.001 to 60"),
    ("store = 'redis://h'\nmax_keys = 5  # <-", "max_keys= is for limits in memory: it means nothing in Redis"),
    ("store = 'redis://h'\nprefix = '{'  # <-", "prefix must be"),
    ("max_keys = 0  # <-", "max_keys must be an int from 1 to 4,294,967,295, got 0"),
    ("overflow = 'shar'  # <-", "overflow must be one of 'share', 'admit', got 'shar': did you mean 'share'?"),
    ("default_tier = 'paid'  # <-", "default_tier must be one of tiers, 'free', got 'paid'"),
    ("unknown_tier = 'free'  # <-", "unknown_tier must be one of 'default', 'error', got 'free'"),
    ("exempt = '/health'  # <-", "exempt must be a function as \"module:name\" or a list of paths"),
    ("exempt = ['health']  # <-", "exempt must hold paths that start with '/', got 'health'"),
    ("exempt = [\n'/a',\n5,  # <-\n]", "exempt[1] must be a text, such as \"/health\", got 5"),
    ("headers = ['ietf-0']  # <-", "headers[0] must be one of 'x-ratelimit', 'ietf', got 'ietf-0'"),
    ("concurrency = 0  # <-", "concurrency: "),
    ("concurrency = '5/minute'  # <-", "concurrency: "),
    ("messages = '5/mintue'  # <-", "messages: quota '5/mintue': 'mintue' is no period"),
    ("cors = ['app']  # <-", "cors must be"),
    ("refusal = {}  # <-", "refusal must have some of status, text, content_type"),
    ("refusal = { statuss = 503 }  # <-", "refusal has no key 'statuss': did you mean 'status'?"),
    ("refusal = { xyz = 503 }  # <-", "refusal has no key 'xyz': it has status, text, content_type"),
    ("refusal = { status = 102 }  # <-", "refusal.status must be a whole number from 200 to 599, such as 503, got 102"),
    ("refusal = { status = '503' }  # <-", "refusal.status must be a whole number, got '503'"),
    ("refusal = { status = 204, text = 'a' }  # <-", "refusal.text must be empty, since an answer of 204 has none"),
    ("refusal = { text = 'a', content_type = 'html' }  # <-", "refusal.content_type must be one such as 'text/html; "),
    ("refusal = 5  # <-", "refusal must be a function as \"module:name\" or one of 'json', 'problem' or a table of"),
    ("refusal = 'jsn'  # <-", "refusal must be one of 'json', 'problem', got 'jsn': did you mean 'json'?"),
    ("tier_ttl = 5  # <-", "tier_ttl= means nothing unless tiers= is a function"),
    ("tier = 'nosuch:f'  # <-", "tier: nosuch cannot be imported: ModuleNotFoundError: No module named 'nosuch'"),
    ("cost = 'os.path'  # <-", "cost must be a function as \"module:name\", such as \"myapp.limits:cost_of\", got 'os.path'"),
    ("cost = 'os.path:jion'  # <-", "cost: os.path has no jion: did you mean 'join'?"),
    ("cost = 'os:sep'  # <-", "cost: os:sep must be callable, got str"),
    ("cost = 'os/path:join'  # <-", "cost: a function is written \"module:name\", such as"),
    ("endpoint = 'os.path:join'  # <-", "endpoint= means nothing without metrics= or hooks="),
    ("secret = 'short'  # <-", "secret must have at least 16 characters"),
    ("keys = ['org']  # <-", "keys has 'org', which code must give, as keys={'org': a function}"),
    ("keys = [\n'org',\n7]  # <-", "keys[1] must be a text, got 7"),
    ("identity = 5  # <-", "identity must be a table, got 5"),
    ("rules = 5  # <-", "rules must be a list, got 5"),
    ("rules = [\n{match = '*', quota = '9/minute'},\n5]  # <-", "rules[1] must be a table, got 5"),
    ("[identity]\nverifi = 'a:b'  # <-", "identity has no key 'verifi': did you mean 'verify'?"),
    ("[identity]\ntrusted_proxies = ['x']  # <-", "trusted_proxies must hold IP networks"),
    ("[identity]\ntrusted_proxies = 99  # <-", "trusted_proxies must be 0 to 32 hops, got 99"),
    ("[identity]\nproxy_header = 'x-real-ip'  # <-", "proxy_header= means nothing without trusted_proxies="),
    ("[identity]\nipv6_prefix = 8  # <-", "ipv6_prefix must be 16 to 128 bits, got 8"),
    ("[identity]\nverify_ttl = 5  # <-", "verify_ttl has no effect without verify"),
    ("[identity]\nverify = 'os.path:join'\nverify_ttl = -1  # <-", "verify_ttl must be a number of seconds"),
    ("[keys]\norg = 'nosuch:f'  # <-\n[[rules]]\nmatch='*'\nquota='5/minute'\nby='org'", "keys['org']: nosuch cannot be imported"),
    ("[keys]\norg = 'os.path:join'  # <-", "keys must be of what"),
    ("[keys]\nclient = 'os.path:join'  # <-", "keys must not have 'client'"),
]  # fmt: skip

#: The same of one rule, whose first line is the header's.
WRONG_RULES: list[tuple[str, str]] = [
    ("match = 'POST login'  # <-\nquota = '5/minute'", "match must be a pattern such as"),
    ("match = 5  # <-\nquota = '5/minute'", "match must be a text, such as \"POST /login\", got 5"),
    ("match = '*'\nquota = '5/mintue'  # <-", "quota '5/mintue': 'mintue' is no period"),
    ("match = '*'\nquota = 5  # <-", "quota must be a text, such as \"5/minute\", got 5"),
    ("match = '*'\nquota = 'unlimited'  # <-", "quota must be a quota or its text"),
    ("match = '*'\nquotas = '5/minute'  # <-\nquota = '5/minute'", "a rule has no key 'quotas': did you mean 'quota'?"),
    ("match = '*'\nquota = '5/minute'\nby = 'org'  # <-", "by='org' is given by nobody"),
    ("match = '*'\nquota = '5/minute'\nby = ['client', 5]  # <-", "by[1] must be a text, got 5"),
    ("match = '/a/{id}'\nquota = '5/minute'\nby = 'path:name'  # <-", "by='path:name' needs {name} in match"),
    ("match = '*'\nquota = '5/minute'\ntier = 'paid'  # <-", "tier must be of the policy's, 'free', got 'paid'"),
    ("match = '*'\nquota = '5/minute'\ncost = -1  # <-", "cost must be an int from 0"),
    ("match = '*'\nquota = '5/minute'\ncost = 6  # <-", "cost must be at most 5"),
    ("match = '*'\nquota = '5/minute'\ncost = {tokens = 'x'}  # <-", "cost['tokens'] must be a whole number, such as 100, got 'x'"),
    ("match = '*'\nquota = '5/minute'\ncost = {tokens = 1}  # <-", "cost must be of a quota of requests, got 'tokens'"),
    ("match = '*'\nquota = '5/minute'\ncounts = 'failure'  # <-", "counts must be one of 'all', 'failures', 'successes', got 'failure'"),
    ("match = '*'\nquota = '5/minute'\nname = ''  # <-", "name must be 1 to 46 printable ASCII characters"),
    ("match = '*'\nquota = '5/minute burst 9'\nalgorithm = 'fixed_window'  # <-", "quota"),
    ("match = '*'\nquota = '5/minute'\nshadow = 'true'  # <-", "shadow must be true or false, got 'true'"),
    ("match = '*'\nquota = '5/minute'\non_error = 'close'  # <-", "on_error must be one of"),
    ("match = '*'\nquota = '5/minute'\non_error = 'closed'  # <-", "on_error= is for limits in Redis"),
    ("match = '*'\nquota = '5/minute'\nstore = 'x'  # <-", "store must be a URL such as"),
    ("match = '*'\nquota = '5/minute'\nstore = 'shared:a b'  # <-", "store must be a URL such as"),
    ("match = '*'\nquota = '5/minute'\ndelay = 0  # <-", "delay must be"),
    ("match = '*'\nquota = '5/minute'\nundelayed = 3  # <-", "undelayed= means nothing without delay="),
    ("match = '*'\nquota = '5/minute'\nrefusal = 'html'  # <-", "refusal must be one of 'json', 'problem'"),
    ("match = '*'\nquota = '5/minute'\nheaders = 'x'  # <-", "headers must be one of 'x-ratelimit', 'ietf', got 'x'"),
    ("match = '*'\nexempt = true\nquota = '5/minute'  # <-", "quota= means nothing beside exempt=True"),
    ("match = '*'\nquota = '5/minute'\nlease_seconds = 5  # <-", "lease_seconds= means nothing but for permits"),
    ("match = '*'\nquota = '5 concurrent'\nlease_seconds = 0  # <-", "lease_seconds must be"),
]  # fmt: skip


#: What a module may do to who imports it, and what a file that names its ``f`` is told.
MODULES: list[tuple[str, str, str]] = [
    ("import sys\nsys.exit(3)", "f", "cannot be imported: SystemExit: 3"),
    ("raise OSError('two\\nlines')", "f", "cannot be imported: OSError: two"),
    ("raise OSError('a\\x1b[31mred')", "f", "cannot be imported: OSError: a\\x1b[31mred"),
    ("def f(:", "f", "cannot be imported: SyntaxError: invalid syntax"),
    (
        "class Lazy:\n    def __getattr__(self, name): raise RuntimeError('no app')\nlazy = Lazy()",
        "lazy.f",
        "cannot be had: RuntimeError: no app",
    ),
]


def marked(text: str) -> int:
    """The line that is marked."""
    return 1 + next(number for number, line in enumerate(text.split("\n")) if "# <-" in line)


@pytest.mark.parametrize(("text", "reason"), WRONG, ids=lambda value: value.partition("#")[0])
def test_a_wrong_option_is_told_with_its_line(text: str, reason: str) -> None:
    text = f"{text}\n{TIERS}"
    ((line, why),) = problems(text)
    assert (line, why[: len(reason)]) == (marked(text), reason)


@pytest.mark.parametrize(("module", "name", "reason"), MODULES)
def test_whatever_a_module_does_is_told_with_the_line_that_names_it(
    module: str, name: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hostile.py").write_text(module)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "hostile", raising=False)
    ((line, why),) = problems(f"shadow = false\ntier = 'hostile:{name}'\n{TIERS}")
    assert (line, reason in why) == (2, True), why


@pytest.mark.parametrize(("text", "reason"), WRONG_RULES, ids=lambda value: value.partition("#")[0])
def test_a_wrong_rule_is_told_with_the_line_of_what_is_wrong(text: str, reason: str) -> None:
    text = f"{TIERS}[[rules]]\nmatch = '/other'\nquota = '5/minute'\n[[rules]]\n{text}\n"
    ((line, why),) = problems(text)
    assert (line, why[: len(reason)]) == (marked(text), reason)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("free = 5  # <-", "tiers['free'] must be a text, such as \"100/minute\", got 5"),
        ("free = '5/mintue'  # <-", "tiers['free']: quota '5/mintue': 'mintue' is no period"),
        ("free = '5 concurrent'  # <-", "tiers['free']: quota '5 concurrent': permits are given by"),
        ("free = '5/minute; 7/minute'  # <-", "tiers['free']: there may be one quota for each window"),
        ("free = '5/minute'\n\"\\n\" = '6/minute'  # <-", "tiers['\\n']"),
        ("free = '5/minute; 40 tokens/minute'  # <-", "tiers['free']: it counts tokens beside requests"),
    ],
)  # fmt: skip
def test_a_wrong_tier_is_told_with_its_line(text: str, reason: str) -> None:
    text = f"[tiers]\n{text}\n"
    ((line, why),) = problems(text)
    assert (line, why[: len(reason)]) == (marked(text), reason)


def test_a_rule_that_lacks_what_it_needs_is_told_with_its_first_line() -> None:
    found = problems("[[rules]]\nby = 'address'\n\n[[rules]]\nmatch = '*'\n")
    assert [line for line, _ in found] == [1, 1, 4]
    assert [why.partition(":")[0] for _, why in found] == [
        "match is missing",
        "quota is missing",
        "quota is missing",
    ]


def test_rules_are_looked_at_beside_each_other() -> None:
    text = """
[[rules]]
match = "/a/*"
quota = "5/minute"
group = "g"

[[rules]]
match = "/a/b"
quota = "6/minute"
group = "g"

[[rules]]
match = "/c"
quota = "7/minute"
name = "/a/*"
"""
    ((first, never), (second, twice)) = problems(text)
    assert (first, second) == (8, 15)
    assert never.startswith("'/a/b' can never apply: the rule of line 2 ('/a/*') of its group 'g'")
    assert twice.startswith("names must differ, got '/a/*' for the rule of line 2 ('/a/*') and the")


def test_all_problems_are_told_at_once() -> None:
    text = """algorithm = "token_buckt"
timeout = "fast"
shadov = true
store = 5
keys = ["org"]

[identity]
trusted_proxies = ["10.0.0.0/8", "x"]
verify = "nosuch:thing"

[tiers]
free = "5/second; 1000/day"
premium = "5/mintue"
big = 7

[[rules]]
match = "POST login"
quota = "5/mintue"
by = "addres"
counts = "failure"
tier = "premiun"

[[rules]]
by = "org"
frob = 1
"""
    found = problems(text)
    lines = [1, 2, 3, 4, 5, 8, 9, 13, 14, 17, 18, 19, 20, 21, 23, 23, 25]
    assert [line for line, _ in found] == lines


def test_a_function_to_count_by_that_is_wrong_is_no_fault_of_the_rules() -> None:
    rules = "".join(
        f'[[rules]]\nmatch = "/{by}"\nquota = "5/minute"\nby = "{by}"\n' for by in ("org", "team")
    )
    keys = '[keys]\norg = "os.path:join"\nteam = "os.path:join"\n"header:x" = "os.path:join"\n'
    ((line, why),) = problems(keys + rules)
    assert (line, why[:30]) == (4, "keys must not have 'header:x',")
    assert (
        problems(keys.replace("header:x", "x") + rules.replace("5/minute", "5/mintue", 1))[1:] == []
    )


def test_a_policy_of_nothing_is_no_policy() -> None:
    for text in ("", "# nothing\n", "rules = []\n", "shadow = true\n"):
        assert problems(text) == [
            (0, "there are neither tiers nor rules: a policy has some of them")
        ]
    assert problems("tiers = {}\n") == [(1, "tiers must name at least one tier, got {}")]


def test_a_key_that_comes_twice_is_told_beside_other_problems() -> None:
    assert problems("shadow = true\nshadow = 5\nclosed_status = 5\n" + TIERS) == [
        (2, "shadow is given twice: leave one out"),
        (3, "closed_status must be an int from 400 to 599, got 5"),
    ]
    text = "shadow: true\nshadow: 5\ntiers:\n  free: 5/minute\n  free: 6/minute\n"
    assert problems(text, "limits.yaml") == [
        (2, "'shadow' is given twice, first in line 1: leave one out"),
        (5, "'free' is given twice, first in line 4: leave one out"),
    ]


@pytest.mark.parametrize(
    ("text", "name", "line", "reason"),
    [
        ("a = \n", "l.toml", 1, "column 5: string values must be quoted"),
        ("shadow = true\n[tiers\nfree = '5/s'", "l.toml", 2, "column 7: unclosed table"),
        ("max_keys = 99999999999999999999\nrules = 5", "l.toml", 1, "the number does not fit 64 bits"),
        ("tiers:\n  free: 5/s\n more: x", "l.yaml", 3, "column 2: "),
        ("tiers: {free: 5/s", "l.yaml", 1, "column 18: while parsing a flow mapping"),
        ("a: \x07", "l.yaml", 1, "the character '\\x07' is not allowed in YAML"),
        ("a: 1\n---\nb: 2", "l.yaml", 2, "column 1: expected a single document in the stream"),
        ("- 5/minute", "l.yaml", 1, "a policy is a table of keys, got a list"),
        ("just text", "l.yml", 1, "a policy is a table of keys, got 'just text'"),
        ("a: *nobody", "l.yaml", 1, "column 4: found undefined alias 'nobody'"),
        ("a: &a [*a]\nrules: 5", "l.yaml", 1, "an alias stands inside of what it is the name of"),
        ("tiers: !!python/object:os.system {}", "l.yaml", 1, "the tag 'tag:yaml.org,2002:python/object:os.system' means"),
        ("1: x\nrules: 5", "l.yaml", 1, "a key must be a text, got '1': put it in quotes"),
        ("? [a]\n: x\nrules: 5", "l.yaml", 1, "a key must be a text, got what is no text: put it in quotes"),
        ("a: !!int x\nrules: 5", "l.yaml", 1, "'x' cannot be read as int"),
        ("[" * 1_000, "l.yaml", 1, "it is nested too deeply"),
        ("a = " + "[" * 20_000, "l.toml", 1, "column"),
        (".".join(["a"] * 20_000) + " = 1", "l.toml", 1, "column 1: it is nested too deeply"),
    ],
)  # fmt: skip
def test_a_text_that_cannot_be_read_is_told_where_it_breaks_off(
    text: str, name: str, line: int, reason: str
) -> None:
    found = problems(text, name)
    assert (found[0][0], found[0][1][: len(reason)]) == (line, reason)


def test_text_that_is_no_utf8_is_told_with_its_line(tmp_path: Any) -> None:
    path = tmp_path / "limits.toml"
    path.write_bytes(b"shadow = true\n# \xe4\n")
    with pytest.raises(PolicyFileError) as caught:
        Policy.from_file(path)
    assert caught.value.problems == [
        (2, "it must be UTF-8, and byte 16 is not: invalid continuation byte")
    ]


@pytest.mark.parametrize(
    "text",
    [
        "rules: !foo []",
        "rules: [!foo {}]",
        "rules: &r [*r]",
        "identity: !foo {}\ntiers: {free: 5/s}",
        "tiers: !!set {free}",
        "tiers: {free: 5/s}\nshadow: !!bool x",
        "!foo {}",
    ],
)
def test_what_cannot_be_read_is_told_once(text: str) -> None:
    assert len(problems(text, "l.yaml")) == 1
