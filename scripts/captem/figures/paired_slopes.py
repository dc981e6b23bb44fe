"""Figure: the Krenning score of each patient, and of each lesion, before and after, as a line."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D

from captem.figure_rows import absent
from captem.figures.style import (
    DIRECTION_COLOURS,
    DIRECTION_LINES,
    DIRECTION_WORDS,
    INK,
    PALE,
    canvas_height_mm,
    say_n,
)
from captem.profiles import Profile

WIDE = False
EACH_PATIENT = True
PATIENT, LESION = "patient", "lesion"
_HALF_BAND, _LARGEST_STEP = 0.38, 0.07
_SCANS = ("krenning_pre", "krenning_post")
# Of the widths of the panels: that of the patients is the larger.
_SHARES = (1.25, 1.0)
# Narrower than this, in mm as designed, the panels stand one below the other.
_NARROWEST_MM = 60
# More lines than this are drawn thinner.
_FEW = 100


def data(
    transitions: pd.DataFrame, lesion_transitions: pd.DataFrame, threshold: int
) -> pd.DataFrame:
    """Return what is drawn, one row a patient or lesion scored at both scans: patient-level.

    `level` is `patient` or `lesion`. `y_pre` and `y_post` are where a line begins and ends: the
    score (an interval at its midpoint) moved within a band around it, so that lines of equal scores
    lie side by side and a score that stayed is a level line. The places follow from the scores
    alone, without chance. `criterion` is where the threshold of the SSTR criterion runs, half a
    step below it.
    """
    scored = [
        _scored(transitions.assign(lesion_id=None), PATIENT),
        _scored(lesion_transitions, LESION),
    ]
    lines = pd.concat([_placed(part) for part in scored if len(part)] or [scored[0]])
    if lines.empty:
        return absent("no patient and no lesion has a score at both scans")
    columns = ["level", "patient_id", "lesion_id", "direction", "y_pre", "y_post"]
    ends = [f"{scan}_{end}" for scan in _SCANS for end in ("low", "high")]
    return lines.assign(criterion=threshold - 0.5)[[*columns, *ends, "criterion"]].reset_index(
        drop=True
    )


def _scored(changes: pd.DataFrame, level: str) -> pd.DataFrame:
    """Return who has a score at both scans, with the ends and the midpoint of either."""
    asked = ["patient_id", "lesion_id", "direction", *_SCANS]
    scored = changes.loc[changes["direction"].notna(), asked].reset_index(drop=True)
    for scan in _SCANS:
        ends = scored[scan].astype(str).str.split("-")
        scored[f"{scan}_low"] = ends.str[0].astype(float)
        scored[f"{scan}_high"] = ends.str[-1].astype(float)
        scored[scan] = (scored[f"{scan}_low"] + scored[f"{scan}_high"]) / 2
    return scored.assign(level=level)


def _placed(scored: pd.DataFrame) -> pd.DataFrame:
    """Put the ends at one score side by side: those who stay in the middle, level at both scans.

    Who leaves for a higher score, and who arrives from one, stands above these; the others below.
    Lines are equally far apart at every score, so that a bundle is as thick as it has lines.
    """
    by = [*_SCANS, "patient_id", "lesion_id"]
    ordered = scored.sort_values(by, kind="stable")
    pre, post = (ordered[scan].to_numpy(dtype=float) for scan in _SCANS)
    places = {scan: np.zeros(len(ordered)) for scan in _SCANS}
    most = 1.0
    for score in np.union1d(pre, post):
        stay = (pre == score) & (post == score)
        half = stay.sum() / 2
        for place in places.values():
            place[stay] = np.arange(stay.sum()) - half + 0.5
        for scan, here, there in ((_SCANS[0], pre, post), (_SCANS[1], post, pre)):
            below, above = ((here == score) & side for side in (there < score, there > score))
            places[scan][below] = np.arange(below.sum()) - half - below.sum() + 0.5
            places[scan][above] = np.arange(above.sum()) + half + 0.5
            most = max(most, half + below.sum(), half + above.sum())
    step = min(_LARGEST_STEP, _HALF_BAND / most)
    return ordered.assign(
        y_pre=pre + step * places[_SCANS[0]], y_post=post + step * places[_SCANS[1]]
    )


def height_mm(rows: pd.DataFrame, width_mm: float, profile: Profile) -> float:
    """Return the height that keeps the slopes readable."""
    below = rows["level"].nunique() > 1 and not _side_by_side(width_mm, profile)
    return min(profile.mm(170 if below else 100), profile.tallest_mm)


def _side_by_side(width_mm: float, profile: Profile) -> bool:
    return width_mm >= profile.mm(_NARROWEST_MM)


def _width_mm(canvas: Figure | SubFigure) -> float:
    return canvas_height_mm(canvas) * float(canvas.bbox.width / canvas.bbox.height)


def panel(rows: pd.DataFrame, canvas: Figure | SubFigure, profile: Profile) -> None:
    """Draw the patients, and beside them (in a narrow field below) the lesions, where there are."""
    levels = list(dict.fromkeys(rows["level"]))
    broad = _side_by_side(_width_mm(canvas), profile)
    if len(levels) == 1:
        drawn = [canvas.add_subplot()]
    elif broad:
        drawn = list(canvas.subplots(1, 2, sharey=True, width_ratios=_SHARES))
        drawn[1].tick_params(labelleft=False)
    else:
        drawn = list(canvas.subplots(2, 1))
    for ax, level in zip(drawn, levels, strict=True):
        draw(rows[rows["level"].eq(level)], ax, profile)
    for ax in drawn[: 1 if broad else None]:
        ax.set_ylabel("Krenning score")
    threshold = rows["criterion"].iloc[0] + 0.5
    between = " " if broad else "\n"
    words = f"threshold of the SSTR criterion:{between}score {threshold:g} or higher"
    line = Line2D([], [], color=INK, linewidth=profile.thin_pt, label=words)
    canvas.legend(handles=[line], loc="outside lower center", frameon=False)


def draw(lines: pd.DataFrame, ax: Axes, profile: Profile) -> Axes:
    """Draw the lines of `data` of one level; a bar at an end shows where the score may lie."""
    few = len(lines) <= _FEW
    thinner = 1.0 if few else max(0.45, (_FEW / len(lines)) ** 0.5)
    for step in range(5):
        ax.axhspan(step - 0.42, step + 0.42, color=PALE, linewidth=0, zorder=0)
    # The most frequent lie behind.
    counts = lines["direction"].value_counts()
    for order, way in enumerate(counts.index):
        own = lines[lines["direction"].eq(way)]
        ends = np.column_stack([own["y_pre"], own["y_post"]])
        ax.add_collection(
            LineCollection(
                [[(0, before), (1, after)] for before, after in ends],
                colors=DIRECTION_COLOURS[way], linestyles=[DIRECTION_LINES[way]],
                linewidths=thinner * profile.line_pt, alpha=0.85 if few else 0.7,
                zorder=2 + 0.1 * order, gid=way,
            ),
            autolim=False,
        )  # fmt: skip
        ax.plot(
            np.repeat([0, 1], len(own)), ends.T.ravel(), "o", color=DIRECTION_COLOURS[way],
            markersize=0.5 * thinner * profile.marker_pt, markeredgewidth=0, zorder=3,
        )  # fmt: skip
    for x, scan, outwards in ((0, "pre", -1), (1, "post", 1)):
        _draw_intervals(lines, ax, (x, scan, outwards), thinner * profile.line_pt)
    border = lines["criterion"].iloc[0]
    ax.axhline(border, color=INK, linewidth=profile.thin_pt, zorder=1)
    ax.set_xlim(-0.16, 1.16)
    ax.set_ylim(-0.5, 4.5)
    ax.set_xticks([0, 1], ["baseline", "follow-up"])
    ax.set_yticks(range(5))
    ax.spines["bottom"].set_visible(False)
    ax.tick_params(axis="x", length=0)
    handles = [
        Line2D([], [], color=colour, label=f"{DIRECTION_WORDS[way]} ({counts.get(way, 0)})",
               linestyle=DIRECTION_LINES[way], linewidth=1.5 * profile.line_pt)
        for way, colour in DIRECTION_COLOURS.items()
        if counts.get(way, 0)
    ]  # fmt: skip
    ax.legend(
        handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.07), frameon=False,
        borderaxespad=0,
    )  # fmt: skip
    say_n(ax, _counted(lines))
    return ax


def _draw_intervals(
    lines: pd.DataFrame, ax: Axes, where: tuple[float, str, int], width_pt: float
) -> None:
    """Draw a bar from the lower to the upper end of each interval, side by side beyond the ends."""
    x, scan, outwards = where
    low, high = (lines[f"krenning_{scan}_{end}"] for end in ("low", "high"))
    open_ones = lines[high > low].sort_values(f"y_{scan}", kind="stable")
    offsets = np.linspace(0.03, 0.03 + min(0.1, 0.02 * len(open_ones)), max(len(open_ones), 1))
    bars = zip(
        x + outwards * offsets, low[open_ones.index], high[open_ones.index],
        open_ones["direction"], strict=False,
    )  # fmt: skip
    found = [([(at, a), (at, b)], DIRECTION_COLOURS[way]) for at, a, b, way in bars]
    if found:
        ax.add_collection(
            LineCollection(
                [bar for bar, _ in found], colors=[colour for _, colour in found],
                linewidths=width_pt, zorder=2, gid="interval",
            ),
            autolim=False,
        )  # fmt: skip


def _counted(lines: pd.DataFrame) -> str:
    n, patients = len(lines), lines["patient_id"].nunique()
    if lines["level"].iloc[0] == PATIENT:
        return f"patients, n = {n}"
    return f"lesions, n = {n}\n(of {patients} patient{'' if patients == 1 else 's'})"
