"""What rules cost that do not match: ``Matcher.match`` with 1,000 of them beside 10."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import repeat

from benches.python.harness import QUICK, Case, Figure, paired, save, say, show, summary

from sluicegate.policy import Rule
from sluicegate.policy.rules.matching import Matcher

FEW, MANY = 10, 1_000
MAY_COST = 2.0
CALLS = 200 if QUICK else 1_000
ROUNDS = 20 if QUICK else 200
HOST = "api.example.com"
PATH = "/api/v1/orders/4711/items"


def mixture(number: int) -> str:
    """A pattern that parts with ``PATH`` at the end only, in a way of its own there."""
    segments = ["api", "v1", "orders", "4711", "items"]
    for place in range(5):
        if number >> place & 1:
            segments[place] = f"{{x{place}}}"
    return f"/{'/'.join(segments)}/{number}"


#: Rules that a request for ``PATH`` does not match, by what tells them from it.
OTHERS: dict[str, Callable[[int], str]] = {
    "another first segment": lambda number: f"/service-{number}/{{id}}",
    "another last segment": lambda number: f"/api/v1/orders/{{id}}/part-{number}",
    "parameters, and another last segment": lambda number: f"/{{a}}/{{b}}/{{c}}/{{d}}/x{number}",
    "each its own mixture of segments and parameters": lambda number: mixture(number),
    "longer paths": lambda number: f"/api/v1/orders/{{id}}/items/{number}/*",
    "another method": lambda number: f"M{number} /api/v1/orders/{{id}}/items",
    "another host": lambda number: f"//host-{number}.example.com/api/*",
    "other hosts below": lambda number: f"//*.zone-{number}.example.com/api/*",
}


def matcher(others: Callable[[int], str], count: int) -> Matcher:
    """Two rules match, so many others do not."""
    patterns = ["/api/v1/orders/{id}/items", "*", *map(others, range(count))]
    made = Matcher([Rule(pattern, "5/second") for pattern in patterns])
    assert made.match("GET", HOST, PATH) == (0, 1)
    return made


def case(rules: Matcher) -> Case:
    match = rules.match

    def run() -> int:
        start = time.perf_counter_ns()
        for _ in repeat(None, CALLS):
            match("GET", HOST, PATH)
        return time.perf_counter_ns() - start

    return run


def figures() -> list[Figure]:
    found = []
    for name, others in OTHERS.items():
        say(f"rules: {name} ...")
        cases = {name: case(matcher(others, MANY))}
        times = paired(cases, [case(matcher(others, FEW))], ROUNDS)[name]
        ratios = [many / few for few, many in times]
        each = min(many for _, many in times) / CALLS / 1_000
        found.append(summary(name, ratios, "×", MAY_COST, f"{each:.2f} µs a request"))
    return found


def main() -> None:
    found = figures()
    show(
        f"Rules that do not match: {MANY:,} beside {FEW}",
        f"Multiples of the match with {FEW}, measured just before, by what tells them from the "
        "request, which matches two more; medians.",
        found,
    )
    save("rules", found)


if __name__ == "__main__":
    main()
