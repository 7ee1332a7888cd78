"""The short table for the front page: a line a limiter, what is asked first."""

from __future__ import annotations

from benches.peers.figures import Figure
from benches.peers.library import OURS
from benches.peers.report.markdown import number, table
from benches.peers.report.tables import name, order
from benches.peers.results import Results

TRAFFIC = ("boundary bursts", "flood", "Poisson with spikes")


def value(results: Results, section: str, row: str, figure: Figure) -> float | None:
    found = results.one(section, row, figure.library, figure.who)
    return None if found is None else found.value


def worst(results: Results, figure: Figure) -> str:
    found = [value(results, "accuracy", f"{each}: worst window", figure) for each in TRAFFIC]
    known = [each for each in found if each is not None]
    return f"{max(known):.2f} ×" if known else "–"


def raced(results: Results, figure: Figure) -> str:
    counts = [value(results, "races", f"{which} admitted", figure) for which in ("fewest", "most")]
    if None in counts:
        return "–"
    few, most = counts
    return number(most) if few == most else f"{number(few)}–{number(most)}"


def limiters(results: Results) -> str:
    rows = [
        (
            name(each),
            each.algorithm,
            number(each.value),
            number(each.of_ours) if each.library != OURS else "1",
            number(value(results, "memory", "1 request", each)),
            number(value(results, "memory", "100 requests", each)),
            worst(results, each),
            raced(results, each),
        )
        for each in sorted(results.of("hot", "admitted"), key=order)
    ]
    header = (
        "limiter",
        "algorithm",
        "ns a check",
        "× sluicegate",
        "bytes, 1 request",
        "bytes, 100 requests",
        "worst window",
        "4 threads at limit 100",
    )
    return table(header, rows)


def middleware(results: Results) -> str:
    rows = [
        (
            name(each),
            number(each.value),
            number(value(results, "served", "share of the bare app's", each)),
        )
        for each in sorted(results.of("middleware", "added when admitted"), key=order)
    ]
    return table(("middleware", "µs added", "throughput of the bare app's"), rows)


def fragment(results: Results) -> str:
    """Both tables; ``bench-output/readme.md``."""
    return f"{limiters(results)}\n\n{middleware(results)}\n"
