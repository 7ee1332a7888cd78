"""The demo's picture: what arrived and what got through, one panel for each limiter."""

from __future__ import annotations

from bisect import bisect_right
from pathlib import Path

import matplotlib as mpl
from _demo_load import Outcome
from _demo_story import Story
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

# Okabe and Ito's colours, which also colour-blind readers can tell apart.
ADMITTED, REFUSED, ROLLING, TOO_MANY = "#0072B2", "#E69F00", "#000000", "#CC79A7"
PHASE_SHADES = {"steady": "#F4F4F4", "spike": "#E3E3E3", "steady again": "#F4F4F4"}
BURST_SHADE = "#D3D3D3"
BINS_PER_WINDOW = 20


def _binned(moments: list[float], story: Story) -> list[int]:
    width = story.window / BINS_PER_WINDOW
    counts = [0] * (round(story.end / width) + 1)
    for moment in moments:
        counts[min(max(int(moment / width + 1e-9), 0), len(counts) - 1)] += 1
    return counts


def _rolling(moments: list[float], story: Story) -> tuple[list[float], list[int]]:
    """Admissions in the window that ends at each instant of a fine grid."""
    moments = sorted(moments)
    grid = [story.end * step / 2000 for step in range(2001)]
    counts = [bisect_right(moments, t) - bisect_right(moments, t - story.window) for t in grid]
    return grid, counts


def _backdrop(axes: Axes, story: Story) -> None:
    for phase in story.phases:
        shade = PHASE_SHADES.get(phase.name, BURST_SHADE)
        axes.axvspan(phase.start, phase.end, color=shade, linewidth=0, zorder=0)
    boundary = 0.0
    while boundary < story.end:
        axes.axvline(boundary, color="#777777", linestyle=":", linewidth=1.2, zorder=1)
        boundary += story.window


def _panel(axes: Axes, story: Story, outcome: Outcome) -> None:
    admitted = [answer.latest for answer in outcome.answers if answer.admitted]
    refused = [answer.sent for answer in outcome.answers if not answer.admitted]
    passed, stopped = _binned(admitted, story), _binned(refused, story)
    width = story.window / BINS_PER_WINDOW
    left = [index * width for index in range(len(passed))]
    _backdrop(axes, story)
    axes.bar(left, passed, width, align="edge", color=ADMITTED, label="admitted", zorder=3)
    axes.bar(left, stopped, width, passed, align="edge", color=REFUSED, label="refused", zorder=3)
    grid, counts = _rolling(admitted, story)
    label = f"admitted in the last {story.window:g} s"
    axes.plot(grid, counts, color=ROLLING, linewidth=1.6, label=label, zorder=5)
    axes.axhline(story.limit, color="#555555", linestyle="--", linewidth=1.2, zorder=4)
    axes.fill_between(
        grid,
        counts,
        story.limit,
        where=[count > story.limit for count in counts],
        color=TOO_MANY,
        alpha=0.55,
        linewidth=0,
        label="more than the limit in one window",
        zorder=2,
    )
    worst = outcome.worst(story.window)
    axes.set_title(
        f"{outcome.contestant.name}: {outcome.contestant.promise}  (worst window: {worst})",
        loc="left",
        fontsize=11,
        fontweight="bold",
    )
    axes.set_ylim(0, 2.3 * story.limit)
    axes.set_ylabel("requests")
    axes.spines[["top", "right"]].set_visible(False)


def _name_phases(axes: Axes, story: Story) -> None:
    names = [((p.start + p.end) / 2, p.name) for p in story.phases if p not in story.bursts]
    names.append((story.boundary, "two bursts"))
    height = 2.26 * story.limit
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 1.5}
    for middle, name in names:
        axes.text(middle, height, name, ha="center", va="top", fontsize=9, bbox=box)


def draw(story: Story, outcomes: list[Outcome], path: Path) -> None:
    """Write the picture to ``path`` as a PNG."""
    mpl.use("Agg")
    figure = Figure(figsize=(11, 8.5), layout="constrained")
    panels: list[Axes] = list(figure.subplots(len(outcomes), sharex=True))
    for axes, outcome in zip(panels, outcomes, strict=True):
        _panel(axes, story, outcome)
        _name_phases(axes, story)
    panels[0].annotate(
        f"limit {story.limit}",
        (0, story.limit),
        xytext=(3, 3),
        textcoords="offset points",
        fontsize=9,
        color="#555555",
    )
    panels[-1].set_xlim(0, story.end)
    panels[-1].xaxis.set_major_locator(MultipleLocator(story.window / 2))
    panels[-1].set_xlabel(
        f"seconds; bars: arrivals per {story.window / BINS_PER_WINDOW:g} s; "
        f"dotted: boundaries of the {story.window:g} s windows"
    )
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=4, frameon=False)
    figure.savefig(path, dpi=120)
