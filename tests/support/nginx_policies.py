"""An imported policy at work on a clock of its own: its rules as limits of one Gate."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from nginx_limits import Outcome, Request
from nginx_search import matches
from sluicegate import Gate, Limit, Quota
from sluicegate.importers.document import Document
from sluicegate.testing import ManualClock


class GatePolicy:
    """Decides requests by a document's rules, without permits, of which it counts none."""

    def __init__(self, document: Document) -> None:
        self.clock = ManualClock()
        self._rules = [dict(entry.values) for entry in document.rules]
        names = dict.fromkeys(str(r["name"]) for r in self._rules if "/" in str(r.get("quota", "")))
        first = {name: next(r for r in self._rules if r.get("name") == name) for name in names}
        limits = [Limit(str(first[name]["quota"]), by=name, name=name) for name in names]
        self._names = [*names]
        self._gate = Gate(limits, clock=self.clock)
        self._functions: dict[str, Any] = {}
        if document.functions is not None:
            exec(document.functions, self._functions)
        self._now = 0

    def run(self, requests: list[Request]) -> list[Outcome]:
        found: list[Outcome] = []
        for request in requests:
            self.clock.advance((request.at - self._now) / 1000)
            self._now = request.at
            found.append(self._decide(request))
        return found

    def _decide(self, request: Request) -> Outcome:
        quotas: dict[str, Quota] = {}
        keys: dict[str, str | None] = dict.fromkeys(self._names)
        held: dict[str, dict[str, Any]] = {}
        for rule in self._applying(request):
            name = rule["name"]
            keys[name] = self._key(rule, request)
            quotas[name] = Quota(rule["quota"])
            if "delay" in rule:
                held[name] = rule
        chosen = self._gate._quotas([quotas.get(name) for name in self._names])
        decision = self._gate._check_by(chosen, keys)
        if not decision:
            return Outcome("refused")
        waits = [self._wait(rule, decision.limits) for rule in held.values()]
        longest = max(waits, default=0)
        return Outcome("delayed", longest) if longest > 0 else Outcome("passed")

    def _applying(self, request: Request) -> list[dict[str, Any]]:
        host = dict(request.headers).get("host", "localhost")
        found: list[dict[str, Any]] = []
        groups: set[Any] = set()
        for rule in self._rules:
            if not matches(str(rule["match"]), host, request.path):
                continue
            if rule.get("exempt"):
                break
            if rule.get("group") in groups:
                continue
            groups |= {rule["group"]} if "group" in rule else set()
            if "/" in str(rule["quota"]) and not rule.get("shadow"):
                found.append(rule)
        return found

    def _key(self, rule: dict[str, Any], request: Request) -> str | None:
        by = [rule["by"]] if isinstance(rule["by"], str) else rule["by"]
        headers = dict(request.headers)
        scope = {
            "path": request.path,
            "client": (request.address, 1),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
        parts: list[str | None] = []
        for source in by:
            if source == "address":
                parts.append(request.address)
            elif source == "all":
                parts.append("all")
            elif source.startswith("header:"):
                parts.append(headers.get(source[7:]))
            else:
                parts.append(self._functions[source](scope))
        return None if None in parts else "|".join(map(str, parts))

    @staticmethod
    def _wait(rule: dict[str, Any], limits: Any) -> int:
        """Milliseconds until the request's slot: what it finds before it, less what is not held."""
        state = next((s for name, s in limits.items() if name.startswith(rule["name"])), None)
        if state is None:
            return 0
        quota = Quota(rule["quota"])
        per_second = Fraction(quota.limit) / Fraction(quota.window_seconds)  # type: ignore[arg-type]
        before = Fraction(state.reset_after) - (1 + rule.get("undelayed", 0)) / per_second
        return max(round(before * 1000), 0)
