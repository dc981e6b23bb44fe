"""Figure: each patient's Krenning score before and after, as a line."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from captem.figure_rows import absent
from captem.figures.style import (
    DIRECTION_COLOURS,
    DIRECTION_LINES,
    DIRECTION_WORDS,
    FAINT,
    PALE,
    one_axes,
    say_n,
)
from captem.profiles import Profile

WIDE = False
_HALF_BAND, _LARGEST_STEP = 0.38, 0.07
_SCANS = ("krenning_pre", "krenning_post")


def data(transitions: pd.DataFrame, threshold: int) -> pd.DataFrame:
    """Return what is drawn, one row a patient scored at both scans: patient-level.

    `y_pre` and `y_post` are where a line begins and ends: the score (an interval at its midpoint)
    moved within a band around it, so that lines of equal scores lie side by side and a score that
    stayed is a level line. The places follow from the scores alone, without chance.
    `criterion` is where the line of the SSTR criterion runs, half a step below the threshold.
    """
    scored = transitions[transitions["direction"].notna()].copy()
    if scored.empty:
        return absent("no patient has a score at both scans")
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
    scored["criterion"] = threshold - 0.5
    return scored[[*columns, *ends, "criterion"]].reset_index(drop=True)


def height_mm(rows: pd.DataFrame, width_mm: float, profile: Profile) -> float:
    """Return the height that keeps the slopes readable."""
    return min(profile.mm(95), profile.tallest_mm)


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


def draw(lines: pd.DataFrame, ax: Axes, profile: Profile) -> Axes:
    """Draw the lines of `data`; a bar at an end shows the interval the score may lie in."""
    alpha = 0.85 if len(lines) <= 100 else max(0.25, 60 / len(lines))
    for step in range(5):
        ax.axhspan(step - 0.42, step + 0.42, color=PALE, linewidth=0, zorder=0)
    for line in lines.to_dict("records"):
        colour = DIRECTION_COLOURS[line["direction"]]
        ax.plot(
            [0, 1], [line["y_pre"], line["y_post"]], color=colour, alpha=alpha, zorder=2,
            linestyle=DIRECTION_LINES[line["direction"]],
        )  # fmt: skip
        for x, scan in ((0, "pre"), (1, "post")):
            low, high = line[f"krenning_{scan}_low"], line[f"krenning_{scan}_high"]
            ax.plot(
                x,
                line[f"y_{scan}"],
                "o",
                color=colour,
                markersize=0.55 * profile.marker_pt,
                alpha=alpha,
                zorder=3,
            )
            if high > low:
                ax.plot(
                    [x, x],
                    [low, high],
                    color=colour,
                    linewidth=2 * profile.line_pt,
                    alpha=0.45,
                    zorder=1,
                )
    border = lines["criterion"].iloc[0]
    ax.plot([-0.12, 1.06], [border] * 2, color=FAINT, linewidth=profile.thin_pt)
    ax.text(
        1.08, border, "SSTR criterion\n(met above)", va="center", ha="left",
        fontsize=profile.small_pt, color=FAINT,
    )  # fmt: skip
    ax.set_xlim(-0.12, 1.42)
    ax.set_ylim(-0.5, 4.5)
    ax.set_xticks([0, 1], ["baseline", "follow-up"])
    ax.set_yticks(range(5))
    ax.set_ylabel("Krenning score")
    ax.spines["bottom"].set_visible(False)
    ax.tick_params(axis="x", length=0)
    counts = lines["direction"].value_counts()
    handles = [
        Line2D([], [], color=colour, label=f"{DIRECTION_WORDS[way]} ({counts.get(way, 0)})",
               linestyle=DIRECTION_LINES[way], linewidth=1.5 * profile.line_pt)
        for way, colour in DIRECTION_COLOURS.items()
        if counts.get(way, 0)
    ]  # fmt: skip
    ax.figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False)
    say_n(ax, f"n = {len(lines)}")
    return ax


panel = one_axes(draw)
