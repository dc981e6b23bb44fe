"""Figure: what the models say of MIB1 and cycles, and what could not be estimated.

The terms that are held fixed, such as the baseline, stand in the table.
"""

from __future__ import annotations

import textwrap

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import FixedLocator, NullLocator
from matplotlib.transforms import blended_transform_factory

from captem import rounding
from captem.figure_rows import absent
from captem.figures.style import (
    DIRECTION_COLOURS,
    FAINT,
    INK,
    PLATE,
    canvas_height_mm,
    typeset,
)
from captem.profiles import Profile
from captem.wording import ASKED_TERMS, MODEL_WORDS, SUBSET_WORDS

WIDE = True
_NARROWEST, _WIDEST = 0.02, 50.0
_MM_A_ROW = 4.6
_LABELS = {"log2_mib1": "MIB1", "captem_cycles": "cycles"}
# The axes between the column of terms and that of numbers, in widths of the figure.
_AXES_LEFT, _AXES_RIGHT = 0.24, 0.69
# What stands above and below the rows: the mark of synthetic data, the axis with its label.
_TOP_MM, _BOTTOM_MM = 6, 14


def data(statistics: pd.DataFrame) -> pd.DataFrame:
    """Return what is drawn, one row a term of a model and subset, as `statistics.csv` has it.

    Where several methods report an estimate, the first is drawn: it is the reported one.
    """
    asked = statistics["analysis"].isin(list(MODEL_WORDS)) & statistics["term"].isin(ASKED_TERMS)
    rows = statistics[asked].drop_duplicates(["analysis", "subset", "term"])
    columns = [
        "row_id", "analysis", "subset", "term", "role", "estimand", "estimate", "conf_low",
        "conf_high", "interval_method", "p_value", "n_patients", "status", "reason",
    ]  # fmt: skip
    order = {name: i for i, name in enumerate(MODEL_WORDS)}
    if rows.empty:
        return absent("no model was asked for")
    rows = rows.assign(_order=rows["analysis"].map(order))
    return rows.sort_values("_order", kind="stable")[columns].reset_index(drop=True)


def height_mm(rows: pd.DataFrame, width_mm: float, profile: Profile) -> float:
    """Return the height of the rows and of what stands above and below them."""
    groups = rows["analysis"].nunique()
    return profile.mm(_TOP_MM + _BOTTOM_MM + _MM_A_ROW * (len(rows) + 1.35 * groups + 1))


def draw(terms: pd.DataFrame, ax: Axes, profile: Profile) -> Axes:
    """Draw the rows of `data`, models as headings; open circles are unstable estimates."""
    ax.set_xscale("log")
    several = terms["subset"].nunique() > 1
    low, high = _limits(terms)
    y = 0.0
    places: list[float] = []
    for analysis, rows in terms.groupby("analysis", sort=False):
        heading = f"{MODEL_WORDS[str(analysis)]} ({rows['estimand'].iloc[0]})"
        beside = blended_transform_factory(ax.figure.transSubfigure, ax.transData)
        ax.text(
            0.005, y, typeset(heading), transform=beside, fontweight="bold",
            va="center", bbox=PLATE,
        )  # fmt: skip
        y += 1
        for row in rows.to_dict("records"):
            _draw_row(ax, row, y, (low, high), several, profile)
            places.append(y)
            y += 1
        y += 0.35
    ax.axvline(1, color=FAINT, linewidth=profile.thin_pt, zorder=0)
    ax.set_xlim(low, high)
    ax.set_ylim(y - 0.5, -0.8)
    ax.set_yticks([])
    ticks = [t for t in (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50) if low <= t <= high]
    ax.xaxis.set_major_locator(FixedLocator(ticks))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xticklabels([f"{tick:g}" for tick in ticks])
    ax.set_xlabel(
        "Ratio per doubling of MIB1 or per cycle (log scale);\n"
        "above 1 goes with higher uptake at follow-up"
    )
    ax.spines["left"].set_visible(False)
    return ax


def _draw_row(
    ax: Axes, row: dict, y: float, limits: tuple[float, float], several: bool, profile: Profile
) -> None:
    low, high = limits
    beside = ax.get_yaxis_transform()
    label = _LABELS[row["term"]]
    if several:
        label += f", {SUBSET_WORDS.get(row['subset'], row['subset'])}"
    ax.text(-0.02, y, label, transform=beside, ha="right", va="center")
    if row["status"] == "not_estimable":
        # The first clause says what is wanting; the whole sentence stands in the table and the csv.
        reason = textwrap.shorten(f"not estimable: {row['reason'].split(';')[0]}", 110)
        ax.text(
            0.01, y, reason, transform=beside, va="center", color=FAINT,
            fontsize=profile.small_pt, bbox=PLATE,
        )  # fmt: skip
        return
    colour = DIRECTION_COLOURS["up"] if row["term"] == ASKED_TERMS[0] else FAINT
    ends = [max(row["conf_low"], low), min(row["conf_high"], high)]
    ax.plot(ends, [y, y], color=colour, linewidth=profile.line_pt, zorder=2)
    for end, limit, marker in ((row["conf_low"], low, "<"), (row["conf_high"], high, ">")):
        if end < low or end > high:
            ax.plot(
                limit,
                y,
                marker,
                color=colour,
                markersize=0.75 * profile.marker_pt,
                clip_on=False,
                zorder=2,
            )
    fill = colour if row["status"] == "ok" else "white"
    if low <= row["estimate"] <= high:
        ax.plot(row["estimate"], y, "o", color=colour, markerfacecolor=fill, zorder=3)
    ends_said = rounding.interval(row["conf_low"], row["conf_high"])
    said = f"{rounding.number(row['estimate'])} ({ends_said}), n = {row['n_patients']:g}"
    said += "" if row["status"] == "ok" else "  unstable"
    ax.text(1.02, y, said, transform=beside, va="center", color=INK)


def _limits(terms: pd.DataFrame) -> tuple[float, float]:
    values = terms[["estimate", "conf_low", "conf_high"]].to_numpy(dtype=float).ravel()
    values = values[np.isfinite(values) & (values > 0)]
    if not len(values):
        return 0.2, 5.0
    return (
        float(max(min(values.min() / 1.2, 0.5), _NARROWEST)),
        float(min(max(values.max() * 1.2, 2.0), _WIDEST)),
    )


def panel(rows: pd.DataFrame, canvas: Figure | SubFigure, profile: Profile) -> None:
    """Draw onto a canvas, with a column of terms at the left and one of numbers at the right."""
    if isinstance(canvas, Figure):
        canvas.set_layout_engine("none")
    height = canvas_height_mm(canvas)
    bottom, top = profile.mm(_BOTTOM_MM) / height, 1 - profile.mm(_TOP_MM) / height
    place = (_AXES_LEFT, bottom, _AXES_RIGHT - _AXES_LEFT, top - bottom)
    draw(rows, canvas.add_axes(place), profile)
