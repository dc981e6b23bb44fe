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
)

_HALF_BAND, _LARGEST_STEP = 0.38, 0.07
_SCANS = ("krenning_pre", "krenning_post")


def data(transitions: pd.DataFrame) -> pd.DataFrame:
    """Return what is drawn, one row a patient scored at both scans: patient-level.

    `y_pre` and `y_post` are where a line begins and ends: the score (an interval at its midpoint)
    moved within a band around it, so that lines of equal scores lie side by side and a score that
    stayed is a level line. The places follow from the scores alone, without chance.
    """
    scored = transitions[transitions["direction"].notna()].copy()
    for scan in _SCANS:
        ends = scored[scan].str.split("-")
        scored[f"{scan}_low"] = ends.str[0].astype(float)
        scored[f"{scan}_high"] = ends.str[-1].astype(float)
        scored[scan] = (scored[f"{scan}_low"] + scored[f"{scan}_high"]) / 2
    scored["y_pre"], scored["y_post"] = scored["krenning_pre"], scored["krenning_post"]
    for score in sorted({*scored["krenning_pre"], *scored["krenning_post"]}):
        _place(scored, score)
    columns = ["patient_id", "direction", "y_pre", "y_post"]
    ends = [f"{scan}_{end}" for scan in _SCANS for end in ("low", "high")]
    return scored[columns + ends].reset_index(drop=True)


def _place(scored: pd.DataFrame, score: float) -> None:
    """Put the ends at one score side by side: those who stay in the middle, level at both scans.

    Who leaves for a higher score, and who arrives from one, stands above these; the others below.
    """
    ordered = scored.sort_values(["krenning_pre", "krenning_post", "patient_id"])
    here, there = ordered["krenning_pre"].eq(score), ordered["krenning_post"].eq(score)
    stay = ordered[here & there]
    sides = {
        "y_pre": (ordered[here & (ordered["krenning_post"] < score)],
                  ordered[here & (ordered["krenning_post"] > score)]),
        "y_post": (ordered[there & (ordered["krenning_pre"] < score)],
                   ordered[there & (ordered["krenning_pre"] > score)]),
    }  # fmt: skip
    widest = max(len(rows) for pair in sides.values() for rows in pair)
    half = len(stay) / 2
    step = min(_LARGEST_STEP, _HALF_BAND / max(half + widest, 1))
    for i, row in enumerate(stay.index):
        scored.loc[row, ["y_pre", "y_post"]] = score + step * (i - half + 0.5)
    for name, (below, above) in sides.items():
        for i, row in enumerate(below.index):
            scored.loc[row, name] = score - step * (half + len(below) - i - 0.5)
        for i, row in enumerate(above.index):
            scored.loc[row, name] = score + step * (half + i + 0.5)


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
