"""How every figure looks: size in print, colours for every eye, and the synthetic mark."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from captem import origin

MM = 1 / 25.4
# Widths of a generic journal; check them against the journal's own instructions.
SINGLE_COLUMN_MM = 85
DOUBLE_COLUMN_MM = 178
# Okabe-Ito: told apart by all three kinds of colour blindness.
DIRECTION_COLOURS = {
    "up": "#0072B2",
    "same": "#8A8A8A",
    "down": "#D55E00",
    "undetermined": "#AA4499",
}
DIRECTION_WORDS = {
    "up": "uptake rose",
    "same": "unchanged",
    "down": "uptake fell",
    "undetermined": "undetermined",
}
INK = "#222222"
FAINT = "#666666"

RC: dict[Any, Any] = {
    "font.family": "sans-serif",
    # The first is what matplotlib ships, so that a figure looks the same on every machine.
    "font.sans-serif": ["DejaVu Sans", "Arial", "Helvetica"],
    "font.size": 7,
    "axes.titlesize": 8,
    "axes.labelsize": 7.5,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 6.5,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 0.8,
    "figure.dpi": 100,
    "savefig.facecolor": "white",
    "svg.fonttype": "none",
    "svg.hashsalt": "captem",
    "pdf.fonttype": 42,
    "mathtext.default": "regular",
}


def new_figure(width_mm: float, height_mm: float, data: str) -> tuple[Figure, Axes]:
    """Return an empty figure of this size in print; `data` as in `captem.origin`."""
    mpl.rcParams.update(RC)
    figure = Figure(figsize=(width_mm * MM, height_mm * MM), layout="constrained")
    if mark := origin.words(data):
        mark_invented(figure, mark)
    return figure, figure.add_subplot()


def mark_invented(figure: Figure, mark: str) -> None:
    """Write across the top of the figure that its data are synthetic."""
    figure.suptitle(mark, fontsize=7, color=DIRECTION_COLOURS["down"], x=0.99, ha="right")


def nothing_to_draw(ax: Axes, sentence: str) -> Axes:
    """Say in the middle of the axes why they are empty."""
    ax.text(
        0.5, 0.5, sentence, ha="center", va="center", transform=ax.transAxes, color=FAINT, wrap=True
    )
    return ax


def spread(count: int, width: float) -> list[float]:
    """Return `count` offsets that fill a band of `width` evenly around 0, in order."""
    if count == 1:
        return [0.0]
    step = min(width / (count - 1), 0.08)
    return [step * (i - (count - 1) / 2) for i in range(count)]
