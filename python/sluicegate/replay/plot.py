"""The replay as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from sluicegate.replay.outcome import Outcome

__all__ = ["check_target", "plot"]

_BINS = 120
# Told apart by colour-blind eyes too (Okabe and Ito).
_ADMITTED, _REFUSED = "#56B4E9", ("#D55E00", "#E69F00", "#CC79A7", "#009E73", "#0072B2", "#000000")


def check_target(target: Path) -> None:
    """Raise a ``ValueError`` if no picture can be written there."""
    if target.suffix.lower() not in (".png", ".svg"):
        raise ValueError(f"--plot must end in .png or .svg, got {str(target)!r}")
    if not target.parent.is_dir():
        raise ValueError(f"--plot must lie in a folder that exists, got {str(target)!r}")
    try:
        import matplotlib as _  # noqa: F401
    except ModuleNotFoundError:
        raise ValueError('--plot needs matplotlib: pip install "sluicegate[cli]"') from None


def plot(outcomes: Sequence[Outcome], target: Path) -> None:
    """Write requests and refusals over time, a panel for each limiter."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(
        len(outcomes), 1, figsize=(11, 1.2 + 2.4 * len(outcomes)), sharex=True, squeeze=False
    )
    for panel, outcome in zip(panels[:, 0], outcomes, strict=True):
        _draw(panel, outcome)
    panels[-1, 0].set_xlabel("time (UTC)")
    figure.autofmt_xdate()
    figure.suptitle("Requests of the log, and whom each limit would have refused")
    figure.tight_layout()
    try:
        figure.savefig(target, dpi=120)
    except OSError as error:
        raise ValueError(
            f"--plot must be writable, got {str(target)!r}: {error.strerror}"
        ) from None
    finally:
        plt.close(figure)


def _draw(panel: Any, outcome: Outcome) -> None:
    """Requests over time, the refused above the admitted: of several limits by the one that waits longest."""
    bins, parts = outcome.over_time(_BINS), outcome.spec.parts
    starts = [datetime.fromtimestamp(part.start, timezone.utc) for part in bins]
    width = (starts[1] - starts[0]) if len(starts) > 1 else 1
    below = [part.requests - part.refused for part in bins]
    panel.bar(starts, below, width, align="edge", color=_ADMITTED, label="admitted")
    for place, limit in enumerate(parts):
        refused = [part.by[place] for part in bins]
        label = "refused" if len(parts) == 1 else f"by {limit}"
        color = _REFUSED[place % len(_REFUSED)]
        panel.bar(starts, refused, width, below, align="edge", color=color, label=label)
        below = [low + more for low, more in zip(below, refused, strict=True)]
    panel.set_title(
        f"{outcome.spec}: {outcome.refused:,} of {outcome.requests:,} refused ({outcome.share:.2%})",
        loc="left",
        fontsize=10,
    )
    panel.set_ylabel("requests")
    panel.spines[["top", "right"]].set_visible(False)
    panel.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
