"""Markdown tables, aligned so that they read well in a terminal, too."""

from __future__ import annotations

from collections.abc import Sequence


def number(value: float | None) -> str:
    """Two or three significant digits, and thousands grouped."""
    if value is None:
        return "–"
    size = abs(value)
    if size >= 1000:
        return f"{value:,.0f}"
    if size >= 100 or value == int(value):
        return f"{value:.0f}"
    return f"{value:.1f}" if size >= 10 else f"{value:.2f}"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The first column to the left, the others to the right."""
    cells = [tuple(header), *map(tuple, rows)]
    widths = [max(3, *map(len, column)) for column in zip(*cells, strict=True)]
    rule = [f":{'-' * (widths[0] - 1)}", *(f"{'-' * (width - 1)}:" for width in widths[1:])]
    lines = [
        [cell.ljust(widths[0]) if n == 0 else cell.rjust(widths[n]) for n, cell in enumerate(row)]
        for row in cells
    ]
    lines.insert(1, rule)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
