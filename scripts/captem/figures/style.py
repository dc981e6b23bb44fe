"""How every figure looks: colours for every eye, sizes of the profile, what every figure says.

A figure is a module of this package with

    WIDE                          whether it needs two columns of a page
    EACH_PATIENT                  True where it shows single patients; else it may be left out
    data(...)                     results -> its rows, one frame: what figures/<name>.csv holds
    height_mm(rows, width_mm, profile)
    draw(rows, ax, profile)       onto axes that the caller may have from anywhere
    panel(rows, canvas, profile)  onto an empty figure, or one field of a composite

Where there is nothing to draw, its rows are `figure_rows.absent(why)`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from types import ModuleType
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import FixedLocator, NullLocator

from captem import origin
from captem.figure_rows import as_written, reason_not_drawn
from captem.profiles import Profile, inches

# Okabe-Ito, grey, and a deep shade of its reddish purple: told apart by all three kinds of colour
# blindness. In greyscale they are not, so that each direction has a line and a marker of its own.
DIRECTION_COLOURS = {
    "up": "#0072B2",
    "same": "#767676",
    "down": "#D55E00",
    "undetermined": "#7A1F5C",
}
DIRECTION_WORDS = {
    "up": "uptake rose",
    "same": "unchanged",
    "down": "uptake fell",
    "undetermined": "undetermined",
}
DIRECTION_LINES: dict[str, Any] = {
    "up": "solid",
    "same": (0, (1, 1)),
    "down": (0, (4, 1.5)),
    "undetermined": (0, (4, 1.2, 1, 1.2)),
}
DIRECTION_MARKERS = {"up": "^", "same": "o", "down": "v", "undetermined": "D"}
DIRECTIONS = tuple(DIRECTION_COLOURS)
# From white to dark blue through cividis: ordered by lightness, and so in greyscale too.
ORDERED_COLOURMAP = "cividis"
INK = "#222222"
FAINT = "#666666"
PALE = "#F3F3F3"
MARK_COLOUR = "#B34700"
SUVMAX = "SUV$_{max}$"
GALLIUM = "$^{68}$Ga"
# Keeps words readable where a line runs behind them.
PLATE = {"facecolor": "white", "edgecolor": "none", "pad": 1}
_NOTE_MM = 30
_MOST_TICKS = 8
_COARSE_MIB1 = (0.5, 1, 2, 5, 10, 20, 50, 100)
_FINE_MIB1 = (0.5, 1, 1.5, 2, 3, 4, 5, 7, 10, 15, 20, 30, 40, 50, 70, 100)


def rc(profile: Profile) -> dict[Any, Any]:
    """Return matplotlib's settings for a profile."""
    return {
        "font.family": "sans-serif",
        "font.sans-serif": [*profile.font, "DejaVu Sans"],
        "font.size": profile.size_pt,
        "axes.titlesize": profile.size_pt,
        "axes.labelsize": profile.size_pt,
        "xtick.labelsize": profile.size_pt,
        "ytick.labelsize": profile.size_pt,
        "legend.fontsize": profile.small_pt,
        "figure.titlesize": profile.size_pt,
        "axes.edgecolor": INK,
        "axes.labelcolor": INK,
        "text.color": INK,
        "xtick.color": INK,
        "ytick.color": INK,
        "axes.linewidth": profile.thin_pt,
        "xtick.major.width": profile.thin_pt,
        "ytick.major.width": profile.thin_pt,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "lines.linewidth": profile.line_pt,
        "lines.markersize": profile.marker_pt,
        "hatch.linewidth": profile.thin_pt,
        "figure.dpi": 100,
        "savefig.facecolor": "white",
        "svg.fonttype": "none",
        "svg.hashsalt": "captem",
        "pdf.fonttype": 42,
        "mathtext.default": "regular",
    }


def blank(width_mm: float, height_mm: float, profile: Profile, data: str) -> Figure:
    """Return an empty figure of this size in print; `data` as in `captem.origin`.

    Where the data are synthetic, it says so across its top.
    """
    # Fonts are looked up when a figure is drawn, which is later: a context would have ended.
    mpl.rcParams.update(rc(profile))
    figure = Figure(figsize=(inches(width_mm), inches(height_mm)), layout="constrained")
    if mark := origin.words(data):
        figure.suptitle(mark, color=MARK_COLOUR, x=0.99, ha="right")
    return figure


def framed(module: ModuleType, rows: pd.DataFrame, profile: Profile, data: str) -> Figure:
    """Return the figure of a module (see above) at the profile's width.

    `data` says whether the data are synthetic, as in `captem.origin`.
    """
    rows = as_written(rows)
    width = profile.width_mm(module.WIDE)
    figure = blank(width, height_mm(module, rows, width, profile), profile, data)
    fill(module, rows, figure, profile)
    return figure


def height_mm(module: ModuleType, rows: pd.DataFrame, width_mm: float, profile: Profile) -> float:
    """Return how tall a figure is at this width."""
    if reason_not_drawn(rows):
        return profile.mm(_NOTE_MM)
    return float(module.height_mm(rows, width_mm, profile))


def fill(
    module: ModuleType, rows: pd.DataFrame, canvas: Figure | SubFigure, profile: Profile
) -> None:
    """Draw a figure onto a canvas, or the sentence that says why it is not drawn."""
    if reason := reason_not_drawn(rows):
        ax = canvas.add_subplot()
        ax.axis("off")
        nothing_to_draw(ax, f"Not drawn: {reason}")
        return
    module.panel(rows, canvas, profile)


def one_axes(
    draw: Callable[[pd.DataFrame, Axes, Profile], Axes],
) -> Callable[[pd.DataFrame, Figure | SubFigure, Profile], None]:
    """Return the `panel` of a figure that has one pair of axes."""

    def panel(rows: pd.DataFrame, canvas: Figure | SubFigure, profile: Profile) -> None:
        draw(rows, canvas.add_subplot(), profile)

    return panel


def canvas_height_mm(canvas: Figure | SubFigure) -> float:
    """Return how tall a canvas is in print, a whole figure or a field of a composite."""
    return float(canvas.bbox.height / canvas.dpi) * 25.4


def canvas_width_mm(canvas: Figure | SubFigure) -> float:
    """Return how wide a canvas is in print."""
    return float(canvas.bbox.width / canvas.dpi) * 25.4


def signed(steps: float) -> str:
    """Return a number of steps with its sign, as an axis has it; a true minus.

    >>> [signed(step) for step in (-1, 0, 2)]
    ['\u22121', '0', '+2']
    """
    return f"{steps:+.0f}".replace("-", "\u2212") if steps else "0"


def mib1_ticks(low: float, high: float) -> list[float]:
    """Return round values (%) between two limits, as coarse as leaves at least two where it can.

    >>> mib1_ticks(2, 60), mib1_ticks(21, 46), mib1_ticks(6.1, 9.2)
    ([2, 5, 10, 20, 50], [30, 40], [7, 8, 9])
    """
    whole = range(math.ceil(low), math.floor(high) + 1)
    tenths = [value / 10 for value in range(math.ceil(10 * low), math.floor(10 * high) + 1)]
    found: list[float] = []
    for places in (_COARSE_MIB1, _FINE_MIB1, whole, tenths):
        found = [place for place in places if low <= place <= high]
        if len(found) > 1:
            break
    return found[:: -(-len(found) // _MOST_TICKS)] if found else []


def mib1_axis(ax: Axes) -> None:
    """Give an axis of the MIB1 index (%), on a logarithmic scale, its round numbers."""
    ticks = mib1_ticks(*ax.get_xlim())
    ax.xaxis.set_major_locator(FixedLocator(ticks))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xticklabels([f"{tick:g}" for tick in ticks])


def nothing_to_draw(ax: Axes, sentence: str) -> Axes:
    """Say in the middle of the axes why they are empty."""
    ax.text(
        0.5, 0.5, sentence, ha="center", va="center", transform=ax.transAxes, color=FAINT, wrap=True
    )
    return ax


def say_n(ax: Axes, words: str) -> None:
    """Say above the axes, at the left, how many are drawn: `n = 54`."""
    ax.set_title(words, loc="left")


def spread(count: int, width: float) -> list[float]:
    """Return `count` offsets that fill a band of `width` evenly around 0, in order."""
    if count == 1:
        return [0.0]
    step = min(width / (count - 1), 0.08)
    return [step * (i - (count - 1) / 2) for i in range(count)]


def typeset(words: str) -> str:
    """Return words as a figure sets them: SUV with a lowered max, 68Ga with a raised 68.

    >>> typeset("SUVmax on 68Ga-DOTATATE")
    'SUV$_{max}$ on $^{68}$Ga-DOTATATE'
    """
    # A dollar sign of the user's would begin a formula; those that stand here already do.
    plain = words.replace("$_2$", "\0").replace("$", r"\$").replace("\0", "$_2$")
    return plain.replace("SUVmax", SUVMAX).replace("68Ga", GALLIUM)
