"""What cannot be imported: the line, the reason, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from kong_policies import written
from sluicegate.commands import app
from sluicegate.importers.kong.reading import read_kong
from sluicegate.importers.origins import ImportFileError

HEAD = '_format_version: "3.0"\n'
LIMIT = "plugins: [{name: rate-limiting, config: {minute: 5}}]\n"

# Each: the text, and what is said of which line.
FAULTS = {
    "no format": (LIMIT, ["1: _format_version must be one of 1.1, 2.1, 3.0, got none"]),
    "another format": (
        f'# Of a later Kong.\n_format_version: "3.1"\n{LIMIT}',
        ["2: _format_version must be one of 1.1, 2.1, 3.0, got '3.1'"],
    ),
    "no YAML": ("a: [", ["1: column 5: while parsing a flow node, expected the node content, but found '<stream end>'"]),
    "no table": ("- a\n", ["1: it must be a table of entities, got a list"]),
    "nothing": (HEAD, ["1: nothing is limited: there are no plugins"]),
    "a plugin that limits nothing, alone": (
        f"{HEAD}plugins:\n- name: prometheus\n- name: request-size-limiting\n",
        [
            "3: plugin prometheus, global gives no rule: it is no plugin that limits, and there is no "
            "rate-limiting or rate-limiting-advanced beside it",
            "4: plugin request-size-limiting, global gives no rule: it limits the size of request bodies, and "
            "there is no rate-limiting or rate-limiting-advanced beside it",
        ],
    ),
    "only what is off": (
        f"{HEAD}plugins:\n- name: rate-limiting\n  enabled: false\n  config: {{minute: 5}}\n",
        [
            "3: plugin rate-limiting, global gives no rule: it is not enabled, and there is no rate-limiting "
            "or rate-limiting-advanced beside it"
        ],
    ),
    "no window": (
        f"{HEAD}plugins:\n- name: rate-limiting\n  config: {{policy: local}}\n",
        [
            "3: rate-limiting limits nothing: it needs one of second, minute, hour, day, month, year",
        ],
    ),
    "no config": (
        f"{HEAD}plugins:\n- name: rate-limiting\n",
        ["3: rate-limiting limits nothing: it has no config"],
    ),
    "no limit": (
        f"{HEAD}plugins:\n- name: rate-limiting-advanced\n  config: {{window_size: [60]}}\n",
        ["3: rate-limiting-advanced limits nothing: it needs limit and window_size"],
    ),
    "more limits than windows": (
        f"{HEAD}plugins:\n- name: rate-limiting-advanced\n  config:\n    limit: [1, 2]\n"
        "    window_size: [60]\n",
        [
            "5: You must provide the same number of windows and limits: there are 2 in limit and 1 in "
            "window_size"
        ],
    ),
    "limits out of range": (
        f"{HEAD}plugins:\n- name: rate-limiting\n  config:\n    minute: 0\n    hour: 4294967296\n"
        "- name: rate-limiting-advanced\n  config: {limit: [0.5], window_size: [60]}\n",
        [
            "5: minute must be 1 to 4,294,967,295, got 0",
            "6: hour must be 1 to 4,294,967,295, got 4,294,967,296",
            "8: limit must be 1 to 4,294,967,295, got 0",
        ],
    ),
    "what the environment gives": (
        f"{HEAD}plugins:\n- name: rate-limiting\n  config:\n    minute: ${{{{ env \"DECK_LIMIT\" }}}}\n",
        ["5: minute is '${{ env \"DECK_LIMIT\" }}', which the environment gives: write the number"],
    ),
    "what is not there": (
        f"{HEAD}plugins:\n- name: rate-limiting\n  service: api\n  consumer: {{username: ada}}\n"
        "  config: {minute: 5}\n",
        ["4: there is no service 'api'", "5: there is no consumer 'ada'"],
    ),
    "twice": (
        f"{HEAD}services: [{{name: a}}, {{name: a}}]\nplugins:\n- name: rate-limiting\n"
        "  config: {minute: 5}\n- name: rate-limiting\n  config: {minute: 6}\n",
        [
            "2: the service 'a' is there already, in line 2",
            "6: plugin rate-limiting, global is there already, in line 4: leave one out",
        ],
    ),
    "a word that Kong does not know": (
        f"{HEAD}plugins:\n- name: rate-limiting\n  config:\n    minute: 5\n    limit_by: customer\n"
        "    policy: remote\n",
        [
            "6: limit_by must be one of consumer, credential, ip, service, header, path, consumer-group, "
            "route, got 'customer'",
            "7: policy must be one of local, cluster, redis, got 'remote'",
        ],
    ),
    "a header without its name": (
        f"{HEAD}plugins:\n- name: rate-limiting\n  config: {{minute: 5, limit_by: header}}\n",
        ["4: limit_by header needs header_name, the name of a header, got None"],
    ),
    "no server": (
        f"{HEAD}plugins:\n- name: rate-limiting\n  config: {{minute: 5, policy: redis}}\n",
        ["3: rate-limiting counts in Redis and names no host"],
    ),
    "other types": (
        f"{HEAD}services: {{name: a}}\nplugins:\n- name: rate-limiting\n  enabled: 1\n  config: {{minute: '5'}}\n",
        [
            "2: services must be a list, got a table",
            "5: enabled must be true or false, got 1",
            "6: minute must be a number, got '5'",
        ],
    ),
    "a route that no pattern names": (
        f"{HEAD}routes:\n- name: r\n  headers: {{x: [y]}}\nplugins:\n- name: rate-limiting\n  route: r\n"
        "  config: {minute: 5}\n",
        ["None: nothing is limited: no rule can be made of any plugin"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_faults_and_their_lines(name: str, tmp_path: Path) -> None:
    text, expected = FAULTS[name]
    path = written(tmp_path, text)
    with pytest.raises(ImportFileError) as raised:
        read_kong(str(path))
    assert [f"{each.origin.line}: {each.reason}" for each in raised.value.problems] == expected


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    for path, reason in ((tmp_path / "no.yml", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(ImportFileError, match=reason):
            read_kong(str(path))
    (tmp_path / "latin.yml").write_bytes(b"a: b\nc: \xe9\n")
    with pytest.raises(ImportFileError, match=r"latin.yml:2: it must be UTF-8, and byte 8 is not"):
        read_kong(str(tmp_path / "latin.yml"))


def test_nothing_is_written(tmp_path: Path) -> None:
    path, output = written(tmp_path, LIMIT), tmp_path / "limits.toml"
    output.write_text("as it was")
    result = CliRunner().invoke(app, ["import", "kong", str(path), "-o", str(output)])
    assert result.exit_code == 2
    assert result.stderr == (f"{path}:1: _format_version must be one of 1.1, 2.1, 3.0, got none\n")
    assert output.read_text() == "as it was"


def test_the_command_writes_a_policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, HEAD + LIMIT)
    monkeypatch.chdir(tmp_path)
    output = Path("our limits.toml")
    result = CliRunner().invoke(app, ["import", "kong", "kong.yml", "-o", str(output)])
    assert result.exit_code == 0
    assert "# kong.yml:2: plugin rate-limiting, global\n[[rules]]\n" in output.read_text()
    assert 'store = "shared:our_limits?size=12m"' in output.read_text()
    assert "5/minute" in result.stdout
    assert "trusted_ips" in result.stderr
