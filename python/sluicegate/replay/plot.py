"""The replay as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

from sluicegate.replay.engine import Outcome

__all__ = ["check_target", "plot"]

_BINS = 120
# Told apart by colour-blind eyes too (Okabe and Ito).
_ADMITTED, _REFUSED = "#56B4E9", "#D55E00"


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
        bins = outcome.over_time(_BINS)
        starts = [datetime.fromtimestamp(part.start, timezone.utc) for part in bins]
        width = (starts[1] - starts[0]) if len(starts) > 1 else 1
        admitted = [part.requests - part.refused for part in bins]
        refused = [part.refused for part in bins]
        panel.bar(starts, admitted, width, align="edge", color=_ADMITTED, label="admitted")
        panel.bar(starts, refused, width, admitted, align="edge", color=_REFUSED, label="refused")
        panel.set_title(
            f"{outcome.spec}: {outcome.refused:,} of {outcome.requests:,} refused "
            f"({outcome.share:.2%})",
            loc="left",
            fontsize=10,
        )
        panel.set_ylabel("requests")
        panel.spines[["top", "right"]].set_visible(False)
    panels[0, 0].legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 1), ncols=2)
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
