"""The pictures: what a check costs, what a client costs, and who counts right."""

from __future__ import annotations

from math import floor, log10
from pathlib import Path

import matplotlib as mpl
from benches.peers.figures import Figure
from benches.peers.library import OURS
from benches.peers.report.tables import name, order
from benches.peers.results import Results
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture

# Okabe and Ito's colours, which also colour-blind readers can tell apart.
OURS_COLOUR, THEIRS_COLOUR, LINE = "#0072B2", "#E69F00", "#000000"


def bars(axes: Axes, figures: list[Figure], title: str, *, log: bool) -> None:
    """A bar each, its spread as a line; least at the top of each algorithm."""
    figures = sorted(figures, key=order, reverse=True)
    names = [
        f"{name(each)} ({each.algorithm})".replace("*", "").replace(" ()", "") for each in figures
    ]
    values = [each.value for each in figures]
    spread = [
        [max(each.value - each.low, 0) for each in figures],
        [max(each.high - each.value, 0) for each in figures],
    ]
    colours = [OURS_COLOUR if each.library == OURS else THEIRS_COLOUR for each in figures]
    axes.barh(names, values, xerr=spread, color=colours, ecolor=LINE, capsize=2)
    axes.set_title(title, loc="left", fontsize=11)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    if log:
        axes.set_xscale("log")
        least = min((value for value in values if value > 0), default=1)
        axes.set_xlim(left=10 ** floor(log10(least / 2)))


def draw(path: Path, panels: list[tuple[list[Figure], str]], *, log: bool = True) -> bool:
    """Write the panels that have figures, one below the other; ``False`` if none has."""
    panels = [(figures, title) for figures, title in panels if figures]
    if not panels:
        return False
    heights = [len(figures) * 0.24 + 0.9 for figures, _ in panels]
    picture = Picture(figsize=(9, sum(heights)), layout="constrained")
    grid = picture.subplots(len(panels), 1, squeeze=False, height_ratios=heights)
    for axes, (figures, title) in zip(grid[:, 0], panels, strict=True):
        bars(axes, figures, title, log=log)
    picture.savefig(path, dpi=90)
    return True


def plots(results: Results, directory: Path) -> list[Path]:
    """Write the pictures; the paths of those that there are figures for."""
    mpl.use("agg")
    worst = [each for each in results.of("accuracy") if each.row.endswith("worst window")]
    wanted = {
        "cost.png": [
            (results.of("hot", "admitted"), "ns a check, hot key, admitted"),
            (results.of("hot", "refused"), "ns a check, hot key, refused"),
            (results.of("keys"), "ns a check, 10,000 keys"),
        ],
        "memory.png": [
            (results.of("memory", "1 request"), "bytes a client with 1 request"),
            (results.of("memory", "100 requests"), "bytes a client with 100 requests"),
        ],
        "middleware.png": [
            (results.of("middleware", "added when admitted"), "µs added to a request"),
        ],
    }
    drawn = [directory / name for name, panels in wanted.items() if draw(directory / name, panels)]
    rows = dict.fromkeys(each.row for each in worst)
    panels = [(results.of("accuracy", row), f"{row}, × limit (1 is exact)") for row in rows]
    accuracy = directory / "accuracy.png"
    return [*drawn, accuracy] if draw(accuracy, panels, log=False) else drawn
