"""The JSON Schema of a policy's file, by which editors complete and check it.

``python -m sluicegate.policy.document.schema`` prints it; in the package it is
``sluicegate/policy.schema.json``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from sluicegate.policy.document.values.keys import DEFINED, IDENTITY, RULE, TOP, Key

__all__ = ["schema", "schema_text"]

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_ABOUT: Final = {
    "identity": "Who a request is from.",
    "rules": "Limits for requests that match: all that match apply, together with the tier.",
}


def schema() -> dict[str, Any]:
    """The schema, made of the table by which files are read."""
    rule = _table(RULE, "A limit for the requests that match.")
    is_exempt = {"properties": {"exempt": {"const": True}}, "required": ["exempt"]}
    # A quota is needed, unless the rule exempts.
    rule |= {"required": ["match"], "if": is_exempt, "else": {"required": ["quota"]}}
    rule["then"] = {"properties": {"quota": False}}
    top = _table(TOP, "The policy of sluicegate: which limits requests have.")
    top["properties"] |= {
        "identity": _table(IDENTITY, _ABOUT["identity"]),
        "rules": {"type": "array", "description": _ABOUT["rules"], "items": rule},
    }
    definitions = {each.name: each.kind.schema() for each in DEFINED}
    return {"$schema": _DIALECT, "title": "sluicegate policy", **top, "$defs": definitions}


def schema_text() -> str:
    """The schema as it stands in the package."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def _table(keys: Mapping[str, Key], about: str) -> dict[str, Any]:
    properties = {name: _property(key) for name, key in keys.items()}
    return {
        "type": "object",
        "description": about,
        "properties": properties,
        "additionalProperties": False,
    }


def _property(key: Key) -> dict[str, Any]:
    examples = {} if key.example is None else {"examples": [key.example]}
    return {"description": key.about, **key.kind.schema(), **examples}


if __name__ == "__main__":
    print(schema_text(), end="")
