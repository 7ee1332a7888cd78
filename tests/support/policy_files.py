"""Policies in files, for tests: how they are written, and what they give."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from sluicegate.errors import PolicyFileError
from sluicegate.policy.document.loading import Document, document_of

#: A line for each section, so that tests see where it stands.
TIERS = '[tiers]\nfree = "5/minute"\n'


def problems(text: str, name: str = "limits.toml", **in_code: Any) -> list[tuple[int, str]]:
    """What is wrong with a file of this text; nothing if it is right."""
    try:
        document_of(name, text.encode("utf-8", "surrogatepass"), in_code)
    except PolicyFileError as error:
        assert error.path == name
        lines = str(error).split("\n")
        assert len(lines) == len(error.problems), "a problem has more than a line"
        return error.problems
    return []


def document(text: str, name: str = "limits.toml", **in_code: Any) -> Document:
    """What a right text gives."""
    return document_of(name, text.encode(), in_code)


def written_as_toml(table: Mapping[str, Any]) -> str:
    """A table as TOML: plain values first, since all behind a header belongs to that."""
    sections = [name for name, value in table.items() if isinstance(value, dict)]
    sections += [name for name, value in table.items() if _is_rules(value)]
    lines = [f"{_toml(name)} = {_toml(table[name])}" for name in table if name not in sections]
    for name in sections:
        for each in table[name] if _is_rules(table[name]) else [table[name]]:
            lines.append(f"[[{_toml(name)}]]" if _is_rules(table[name]) else f"[{_toml(name)}]")
            lines += [f"{_toml(key)} = {_toml(value)}" for key, value in each.items()]
    return "\n".join(lines) + "\n"


def written_as_yaml(table: Mapping[str, Any]) -> str:
    text: str = yaml.safe_dump(dict(table), sort_keys=False)
    return text


def _is_rules(value: object) -> bool:
    return isinstance(value, list) and value != [] and all(isinstance(each, dict) for each in value)


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_toml(key)} = {_toml(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, float):
        return repr(value)  # which has a point or an exponent, or is inf or nan
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def rewrite(path: Path, text: str) -> None:
    """Put another file in the place of one, as editors and deployments do."""
    new = path.with_name(f".{path.name}.new")
    new.write_text(text)
    new.replace(path)
