"""The tables and the picture."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from benches.redis.gate import Rates
from benches.redis.gate import table as of_gates

#: By library and number of tasks: checks a second, CPU and median time in µs.
Loads = dict[str, dict[int, dict[str, float]]]

OURS = "sluicegate: "
#: What the server decides for which limiter.
ALGORITHMS = {
    "token_bucket": "token bucket",
    "fixed_window": "fixed window",
    "segmented_window": "segments",
    "sliding_counter": "sliding counter",
    "sliding_log": "exact log",
}
# Okabe and Ito's colours, which also colour-blind readers can tell apart.
OURS_COLOUR, THEIRS_COLOUR = "#0072B2", "#E69F00"


@dataclass
class Figures:
    """All that one run measured."""

    versions: str
    alone: dict[str, list[float]]
    tables: dict[str, Loads] = field(default_factory=dict)
    threads: Loads = field(default_factory=dict)
    gates: Rates = field(default_factory=dict)


def table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [header, ("---",) + ("---:",) * (len(header) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def of_loads(loads: Loads) -> str:
    rows = [
        (
            name,
            f"{of[1]['p50_micros']:.0f} µs",
            f"{of[50]['per_second']:,.0f}",
            f"{of[50]['cpu_micros']:.1f} µs",
            f"{of[500]['per_second']:,.0f}",
            f"{of[500]['cpu_micros']:.1f} µs",
        )
        for name, of in loads.items()
    ]
    columns = ("one task: p50", "50 tasks: checks/s", "CPU", "500 tasks: checks/s", "CPU")
    return table(("library and algorithm", *columns), rows)


def of_threads(loads: Loads) -> str:
    """Calls that block, from one thread and from eight, and how ours stand to the others."""
    rows = []
    for name, of in loads.items():
        each = [(of[n]["per_second"], of[n]["p50_micros"], of[n]["cpu_micros"]) for n in (1, 8)]
        cells = [(f"{rate:,.0f}", f"{p50:.0f} µs", f"{cpu:.1f} µs") for rate, p50, cpu in each]
        rows.append((name, *cells[0], *cells[1]))
    columns = ("one thread: checks/s", "p50", "CPU", "8 threads: checks/s", "p50", "CPU")
    ours, theirs = loads.values()
    ratio = [ours[n]["per_second"] / theirs[n]["per_second"] for n in (1, 8)]
    p50 = ours[1]["p50_micros"] / theirs[1]["p50_micros"]
    said = (
        f"Beside redis-py: {ratio[0]:.2f} × the checks from one thread, each taking {p50:.2f} × the "
        f"time; {ratio[1]:.2f} × from eight."
    )
    return f"{table(('library', *columns), rows)}\n\n{said}"


def best(loads: Loads, tasks: int, *words: str) -> float:
    """The most checks a second among the libraries whose names have one of these words."""
    found = [of[tasks]["per_second"] for name, of in loads.items() if any(w in name for w in words)]
    return max(found, default=float("nan"))


def ratios(loads: Loads) -> str:
    """How sluicegate's token bucket stands to the others, in this run."""
    ours = loads[OURS + "token bucket"]
    python = ("redis-py", "limits", "throttled", "fastapi-limiter")
    rows = []
    for tasks in (50, 500):
        per_second = ours[tasks]["per_second"]
        rows.append(
            (
                f"{tasks} tasks",
                f"{per_second / best(loads, tasks, *python):.1f} ×",
                f"{per_second / best(loads, tasks, 'glide'):.1f} ×",
            )
        )
    p50 = ours[1]["p50_micros"] / loads["redis-py, a bare EVALSHA"][1]["p50_micros"]
    text = table(("token bucket, checks a second", "best in Python", "valkey-glide"), rows)
    return f"{text}\n\nOne call at a time takes {p50:.2f} × redis-py's bare EVALSHA."


def of_server(figures: Figures) -> str:
    asyncio = figures.tables["asyncio"]
    rows = []
    for script, name in ALGORITHMS.items():
        ours = asyncio[OURS + name]
        cells = [
            f"{alone:,.0f} ({ours[tasks]['per_second'] / alone:.2f})"
            for alone, tasks in zip(figures.alone[script], (50, 500), strict=True)
        ]
        rows.append((name, *cells))
    header = ("script", "50 on their way: checks/s (sluicegate's share of it)", "500")
    return table(header, rows)


def markdown(figures: Figures) -> str:
    parts = ["# Limits in Redis\n\n" + figures.versions]
    for what, loads in figures.tables.items():
        parts.append(f"## {what}\n\n{of_loads(loads)}")
        if {"redis-py, a bare EVALSHA", OURS + "token bucket"} <= loads.keys():
            parts.append(ratios(loads))
    if figures.threads:
        parts.append(f"## Threads without an event loop\n\n{of_threads(figures.threads)}")
    if figures.gates:
        parts.append(f"## Three limits in one decision, decisions/s\n\n{of_gates(figures.gates)}")
    parts.append(f"## The server alone, fed with prepared pipelines\n\n{of_server(figures)}")
    return "\n\n".join(parts) + "\n"


def picture(figures: Figures, path: Path) -> None:
    """Checks a second, as bars."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.use("agg")
    panels = [(what, tasks) for what in figures.tables for tasks in (50, 500)]
    drawn = Figure(figsize=(9, 2.4 * len(panels)), layout="constrained")
    for axes, (what, tasks) in zip(drawn.subplots(len(panels), 1), panels, strict=True):
        rates = {name: of[tasks]["per_second"] for name, of in figures.tables[what].items()}
        names = sorted(rates, key=rates.__getitem__)
        colours = [OURS_COLOUR if name.startswith(OURS) else THEIRS_COLOUR for name in names]
        axes.barh(names, [rates[name] for name in names], color=colours)
        title = f"checks a second in Redis: {what}, {tasks} tasks"
        axes.set_title(title, loc="left", fontsize=11)
        axes.tick_params(labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
        axes.xaxis.set_major_formatter(mpl.ticker.FuncFormatter(lambda x, _: f"{x:,.0f}"))
    drawn.savefig(path, dpi=90)
