"""A published table of limiters, with what was measured here beside its figures."""

from __future__ import annotations

from benches.peers.library import OURS
from benches.peers.report.markdown import number, table
from benches.peers.results import Results

BURST = "boundary bursts: "
OURS_LOG, OURS_FIXED = (OURS, "SlidingWindowRateLimiter"), (OURS, "FixedWindow")
THEIRS = ("pure Python", "pure-Python log")
COLUMNS = (OURS_FIXED, THEIRS, OURS_LOG)
APPS = ((OURS, "fixed window"), ("pure Python", "pure-Python middleware"), (OURS, "the log"))
ABOUT = (
    "The figures are those of the gateway that [two articles](articles.md) begin with, which does not\n"
    "say how it measured. Here a false positive is a request in a burst "
    "across a\nwindow's end that was admitted although the window was full, or refused although "
    "it was not;\nmemory is resident growth; throughput is a FastAPI app over uvicorn, on two "
    "cores that also make the load."
)


def wrong(results: Results, who: tuple[str, str]) -> str:
    shares = [
        results.one("accuracy", BURST + what, *who)
        for what in ("wrongly admitted", "wrongly refused")
    ]
    found = [each.value for each in shares if each is not None]
    return f"{number(sum(found))} %" if found else "–"


def memory(results: Results, row: str, who: tuple[str, str]) -> str:
    found = results.one("memory", row, *who)
    return "–" if found is None else f"{number(found.value * 10)} KB"  # 10,000 clients


def throughput(results: Results, app: tuple[str, str]) -> str:
    found = results.one("served", "behind it", *app)
    return "–" if found is None else number(found.value)


def published_table(results: Results) -> str:
    """Empty where none of it was measured."""
    if not any(results.of(section) for section in ("accuracy", "memory", "served")):
        return ""
    rows = [
        ("false positives at burst", "34 %", "2 %", *(wrong(results, who) for who in COLUMNS)),
        *(
            (
                f"memory of 10,000 clients, {row}",
                "800 KB",
                "1.2 MB",
                *(memory(results, row, who) for who in COLUMNS),
            )
            for row in ("1 request", "100 requests")
        ),
        ("requests/s", "5,000", "4,800", *(throughput(results, app) for app in APPS)),
    ]
    header = (
        "",
        "published: fixed",
        "published: log",
        "FixedWindow",
        "pure-Python log",
        "SlidingWindowRateLimiter",
    )
    return f"## Beside published figures\n\n{ABOUT}\n\n{table(header, rows)}\n"
