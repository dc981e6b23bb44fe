"""Figure: each patient's Krenning score before and after, as a line."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from captem.figures.style import (
    DIRECTION_COLOURS,
    DIRECTION_WORDS,
    FAINT,
    SINGLE_COLUMN_MM,
    new_figure,
    nothing_to_draw,
    spread,
)

_BAND = 0.62
_SCANS = ("krenning_pre", "krenning_post")


def data(transitions: pd.DataFrame) -> pd.DataFrame:
    """Return what is drawn, one row a patient scored at both scans: patient-level.

    `y_pre` and `y_post` are where a line begins and ends: the score (an interval at its midpoint)
    moved within a band around it, so that lines of equal scores lie side by side. The places follow
    from the scores alone, without chance.
    """
    scored = transitions[transitions["direction"].notna()].copy()
    for scan in _SCANS:
        ends = scored[scan].str.split("-")
        scored[f"{scan}_low"] = ends.str[0].astype(float)
        scored[f"{scan}_high"] = ends.str[-1].astype(float)
        scored[scan] = (scored[f"{scan}_low"] + scored[f"{scan}_high"]) / 2
    for scan, other, name in ((*_SCANS, "y_pre"), (*reversed(_SCANS), "y_post")):
        scored[name] = scored[scan]
        order = scored.sort_values([scan, other, "patient_id"])
        for score, rows in order.groupby(scan):
            scored.loc[rows.index, name] = [score + move for move in spread(len(rows), _BAND)]
    columns = ["patient_id", "direction", "y_pre", "y_post"]
    ends = [f"{scan}_{end}" for scan in _SCANS for end in ("low", "high")]
    return scored[columns + ends].reset_index(drop=True)


def draw(lines: pd.DataFrame, ax: Axes, threshold: int) -> Axes:
    """Draw the lines of `data`; a bar at an end shows the interval the score may lie in."""
    alpha = 0.85 if len(lines) <= 100 else max(0.25, 60 / len(lines))
    for step in range(5):
        ax.axhspan(step - 0.42, step + 0.42, color="#F3F3F3", linewidth=0, zorder=0)
    for line in lines.to_dict("records"):
        colour = DIRECTION_COLOURS[line["direction"]]
        style = (0, (3, 1.5)) if line["direction"] == "undetermined" else "solid"
        ax.plot(
            [0, 1], [line["y_pre"], line["y_post"]], color=colour, linestyle=style, alpha=alpha,
            linewidth=0.8, zorder=2,
        )  # fmt: skip
        for x, scan in ((0, "pre"), (1, "post")):
            low, high = line[f"krenning_{scan}_low"], line[f"krenning_{scan}_high"]
            ax.plot(x, line[f"y_{scan}"], "o", color=colour, markersize=2.2, alpha=alpha, zorder=3)
            if high > low:
                ax.plot([x, x], [low, high], color=colour, linewidth=1.6, alpha=0.45, zorder=1)
    border = threshold - 0.5
    ax.plot([-0.12, 1.06], [border] * 2, color=FAINT, linewidth=0.7, linestyle=(0, (4, 2)))
    ax.text(
        1.08, border, "SSTR criterion\n(met above)", va="center", ha="left", fontsize=6,
        color=FAINT,
    )  # fmt: skip
    ax.set_xlim(-0.12, 1.42)
    ax.set_ylim(-0.5, 4.5)
    ax.set_xticks([0, 1], ["baseline", "follow-up"])
    ax.set_yticks(range(5))
    ax.set_ylabel("Krenning score")
    ax.spines["bottom"].set_visible(False)
    ax.tick_params(axis="x", length=0)
    if lines.empty:
        return nothing_to_draw(ax, "no patient has a score at both scans")
    counts = lines["direction"].value_counts()
    handles = [
        Line2D([], [], color=colour, label=f"{DIRECTION_WORDS[way]} ({counts.get(way, 0)})",
               linestyle=(0, (3, 1.5)) if way == "undetermined" else "solid", linewidth=1.2)
        for way, colour in DIRECTION_COLOURS.items()
        if counts.get(way, 0)
    ]  # fmt: skip
    ax.figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False)
    return ax


def figure(lines: pd.DataFrame, threshold: int, data_kind: str) -> Figure:
    """Return the figure at single-column width."""
    drawing, ax = new_figure(SINGLE_COLUMN_MM, 95, data_kind)
    draw(lines, ax, threshold)
    ax.set_title(f"n = {len(lines)}", loc="left", fontsize=7)
    return drawing
