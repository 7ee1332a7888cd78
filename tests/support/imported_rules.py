"""The rules of an imported policy as the policy has them, checked together and matched by its tree."""

from __future__ import annotations

from typing import Any

from sluicegate.importers.document import Document
from sluicegate.policy import Rule
from sluicegate.policy.rules.applying import chosen
from sluicegate.policy.rules.checking import check_rules
from sluicegate.policy.rules.matching import Matcher


class ImportedRules:
    """They fit each other, or this raises."""

    def __init__(self, document: Document) -> None:
        self._values: list[dict[str, Any]] = [dict(entry.values) for entry in document.rules]
        self._rules = [Rule(**values) for values in self._values]
        keys = {name for entry in document.keys for name in entry.values}
        check_rules(self._rules, keys=keys)
        self._matcher = Matcher(self._rules)

    def applying(self, host: str, path: str) -> list[dict[str, Any]]:
        """The values of the rules that apply to a request."""
        places = self._matcher.match("GET", host, path)
        return [self._values[place] for place in chosen(self._rules, places, None).places]
