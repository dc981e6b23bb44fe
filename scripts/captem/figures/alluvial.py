"""Figure: how the Krenning scores of the patients flow from baseline to follow-up.

A score has the same place at both scans: a ribbon that is level is a score that stayed, and one
that climbs a score that rose, in whatever colours it is printed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import Patch, PathPatch, Rectangle
from matplotlib.path import Path

from captem import rounding
from captem.figure_rows import absent
from captem.figures.style import DIRECTION_COLOURS, DIRECTION_WORDS, FAINT, INK, PALE, one_axes
from captem.profiles import Profile

WIDE = False
# A ribbon is as high as its patients are many, down to one.
EACH_PATIENT = True
_STEPS = range(5)
_DAGGER = "†"
_SCANS = ("krenning_pre", "krenning_post")
# Of the height of the axes: what is left free between two scores, and the least that a score has,
# so that its line of text finds room.
_GAP, _LEAST = 0.035, 0.062
# Of the width: a block at either end, and what ends there.
_BLOCK, _ENDING = 0.035, 0.11
# How much of its colour a ribbon has: the three differ in greyscale.
_STRENGTH = {"up": 0.8, "same": 0.35, "down": 0.75, "undetermined": 0.45}
_HATCH, _ENDING_HATCH = {"undetermined": "//////"}, "||||||"
_NO_SCORE = {"krenning_pre": "no baseline score", "krenning_post": "no follow-up score"}


@dataclass(frozen=True)
class _Slot:
    """Where a score is: the ends of its field, and of the part in which those lie who stay."""

    low: float
    high: float
    stay_low: float
    stay_high: float


def data(transitions: pd.DataFrame) -> pd.DataFrame:
    """Return what is drawn, one row a ribbon: a pair of scores and a direction.

    `patients` is split evenly over the scores that an interval leaves open, as in
    `transitions/matrix.csv`, with which the sums agree; `from_interval_scores` is how much of it
    comes from such patients. `direction` is the patients' own, so that an undetermined one stays
    undetermined in each part. Who is scored at one scan only has a row without the other score.
    """
    if not transitions["direction"].notna().any():
        return absent("no patient has a score at both scans")
    parts: dict[tuple[float, float, str], list[float]] = {}
    asked = [*_SCANS, "direction"]
    for (pre, post, way), count in transitions[asked].value_counts(dropna=False).items():
        cells = list(product(_left_open(pre), _left_open(post)))
        if cells == [(np.nan, np.nan)]:
            continue
        for cell in cells:
            part = parts.setdefault((*cell, way if isinstance(way, str) else ""), [0.0, 0.0])
            part[0] += count / len(cells)
            part[1] += count / len(cells) if len(cells) > 1 else 0.0
    ribbons = pd.DataFrame(
        [(*key, *counts) for key, counts in parts.items()],
        columns=[*asked, "patients", "from_interval_scores"],
    )
    ribbons["direction"] = ribbons["direction"].replace("", None)
    return ribbons.sort_values(asked).reset_index(drop=True)


def _left_open(score: object) -> Sequence[float]:
    """Return the scores that a cell of `transitions.csv` may mean; NaN where there is none."""
    if not isinstance(score, str):
        return [np.nan]
    ends = score.split("-")
    return [float(step) for step in range(int(ends[0]), int(ends[-1]) + 1)]


def height_mm(rows: pd.DataFrame, width_mm: float, profile: Profile) -> float:
    """Return the height at which a ribbon of one step is neither flat nor steep."""
    return min(profile.mm(90), profile.tallest_mm)


def draw(ribbons: pd.DataFrame, ax: Axes, profile: Profile) -> Axes:
    """Draw the ribbons of `data` between blocks, as high as the patients in them are many."""
    slots, scale = _slots(ribbons)
    for step, slot in slots.items():
        ax.axhspan(slot.low, slot.high, color=PALE, linewidth=0, zorder=0)
        for x, side in ((0, -1), (1, 1)):
            middle = (slot.low + slot.high) / 2
            _beside(ax, x, side * 0.5 * profile.size_pt, middle, f"{step}", fontweight="bold")
    left, right = (_placed(ribbons, scan, slots, scale) for scan in _SCANS)
    drawn = ribbons.assign(left=left, right=right, height=ribbons["patients"] * scale)
    # Level ones first: those that change cross them. Of these the broad ones lie behind.
    change = (drawn["krenning_post"] - drawn["krenning_pre"]).abs().gt(0)
    for row in drawn.assign(change=change).sort_values(
        ["change", "patients"], ascending=[True, False], kind="stable"
    ).to_dict("records"):  # fmt: skip
        _draw_ribbon(ax, row, profile)
    for scan, x, side in zip(_SCANS, (0, 1), (-1, 1), strict=True):
        _draw_blocks(ax, drawn, scan, slots, (x, side), profile)
    ax.set_xlim(0, 1)
    ax.set_ylim(0, 1)
    ax.set_xticks([0, 1], [_heading(ribbons, scan) for scan in _SCANS])
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set_visible(False)
    ax.figure.legend(
        handles=_handles(ribbons, profile), loc="outside lower center", ncols=2, frameon=False
    )
    return ax


panel = one_axes(draw)


def _slots(ribbons: pd.DataFrame) -> tuple[dict[int, _Slot], float]:
    """Return the field of each score from the bottom, and the height of one patient.

    The part of those who stay lies at one height at both scans. Above it are, at baseline, those
    who will rise and, at follow-up, those who fell; below it the others, and who has one score.
    """
    sizes = {}
    for step in _STEPS:
        parts = [_parts(ribbons, scan, step) for scan in _SCANS]
        below, above = (max(part[i]["patients"].sum() for part in parts) for i in (0, 2))
        sizes[step] = (below, parts[0][1]["patients"].sum(), above)
    free = 1 - _GAP * (len(sizes) - 1)
    whole = {step: sum(size) for step, size in sizes.items()}
    large = set(whole)
    while True:
        scale = (free - _LEAST * (len(whole) - len(large))) / sum(whole[step] for step in large)
        small = {step for step in large if whole[step] * scale < _LEAST}
        if not small:
            break
        large -= small
    slots, low = {}, 0.0
    for step, (below, stay, _) in sizes.items():
        height = max(_LEAST, whole[step] * scale)
        start = low + (height - whole[step] * scale) / 2 + below * scale
        slots[step] = _Slot(low, low + height, start, start + stay * scale)
        low += height + _GAP
    return slots, scale


def _parts(ribbons: pd.DataFrame, scan: str, step: float) -> list[pd.DataFrame]:
    """Return the ribbons of a score below, in and above the part of those who stay, upwards."""
    here, there = _SCANS if scan == _SCANS[0] else _SCANS[::-1]
    own = ribbons[ribbons[here].eq(step)]
    own = own.sort_values([there, "direction"], na_position="first", kind="stable")
    other = own[there]
    return [own[other.isna() | other.lt(step)], own[other.eq(step)], own[other.gt(step)]]


def _placed(ribbons: pd.DataFrame, scan: str, slots: dict[int, _Slot], scale: float) -> pd.Series:
    """Return the lower edge of each ribbon at a scan; NaN where it has no score there."""
    edges = pd.Series(np.nan, index=ribbons.index)
    for step, slot in slots.items():
        below, stay, above = _parts(ribbons, scan, step)
        starts = (
            (below, slot.stay_low - below["patients"].sum() * scale),
            (stay, slot.stay_low),
            (above, slot.stay_high),
        )
        for part, start in starts:
            heights = part["patients"].to_numpy() * scale
            edges[part.index] = start + np.cumsum(heights) - heights
    return edges


def _draw_ribbon(ax: Axes, row: dict, profile: Profile) -> None:
    ends = [x for x, name in ((0, "left"), (1, "right")) if not np.isnan(row[name])]
    if len(ends) == 1:
        # Ends close to its block, level: without the other score it has no direction.
        bottom = row["left"] if ends == [0] else row["right"]
        start = _BLOCK if ends == [0] else 1 - _BLOCK - _ENDING
        ax.add_patch(
            Rectangle(
                (start, bottom), _ENDING, row["height"], facecolor="white", edgecolor=FAINT,
                hatch=_ENDING_HATCH, linewidth=0.5 * profile.thin_pt, zorder=3, gid="ending",
            )
        )  # fmt: skip
        return
    x0, x1, bend = _BLOCK, 1 - _BLOCK, 0.45
    lower, upper = ((row["left"] + up, row["right"] + up) for up in (0, row["height"]))
    points = [
        (x0, lower[0]), (bend, lower[0]), (1 - bend, lower[1]), (x1, lower[1]),
        (x1, upper[1]), (1 - bend, upper[1]), (bend, upper[0]), (x0, upper[0]), (x0, lower[0]),
    ]  # fmt: skip
    codes = [Path.MOVETO, *[Path.CURVE4] * 3, Path.LINETO, *[Path.CURVE4] * 3, Path.CLOSEPOLY]
    way = row["direction"]
    # A line of the same colour keeps a ribbon of one in 500 visible.
    ax.add_patch(
        PathPatch(
            Path(points, codes), facecolor=_tint(way), edgecolor=DIRECTION_COLOURS[way],
            hatch=_HATCH.get(way), linewidth=0.5 * profile.thin_pt, zorder=2, gid="ribbon",
        )
    )  # fmt: skip


def _draw_blocks(
    ax: Axes,
    drawn: pd.DataFrame,
    scan: str,
    slots: dict[int, _Slot],
    place: tuple[int, int],
    profile: Profile,
) -> None:
    x, side = place
    edges = drawn["left" if scan == _SCANS[0] else "right"]
    total = drawn.loc[drawn[scan].notna(), "patients"].sum()
    for step, slot in slots.items():
        own = drawn[drawn[scan].eq(step)]
        middle = (slot.low + slot.high) / 2
        count = own["patients"].sum()
        if len(own):
            low, height = edges[own.index].min(), own["height"].sum()
            ax.add_patch(
                Rectangle(
                    (x if side < 0 else x - _BLOCK, low), _BLOCK, height, facecolor=INK,
                    linewidth=0, zorder=4, gid="block",
                )
            )  # fmt: skip
        mark = _DAGGER if own["from_interval_scores"].sum() else ""
        said = f"{_count(count)}{mark} ({rounding.percent(count, round(total))})" if count else "0"
        _beside(
            ax, x, side * 1.8 * profile.size_pt, middle, said,
            color=INK if count else FAINT, fontsize=profile.small_pt,
        )  # fmt: skip


def _beside(ax: Axes, x: float, offset_pt: float, y: float, words: str, **look: Any) -> None:
    """Write beside the axes, so many points to the right of x, or to the left where negative."""
    ax.annotate(
        words, (x, y), (offset_pt, 0), textcoords="offset points", va="center_baseline",
        ha="left" if offset_pt > 0 else "right", annotation_clip=False, **look,
    )  # fmt: skip


def _heading(ribbons: pd.DataFrame, scan: str) -> str:
    n = ribbons.loc[ribbons[scan].notna(), "patients"].sum()
    when = "baseline" if scan == _SCANS[0] else "follow-up"
    return f"Krenning score\nat {when}\nn = {_count(n)}"


def _handles(ribbons: pd.DataFrame, profile: Profile) -> list[Patch]:
    counts = ribbons.groupby("direction")["patients"].sum()
    thin = 0.5 * profile.thin_pt
    handles = [
        Patch(facecolor=_tint(way), edgecolor=colour, hatch=_HATCH.get(way), linewidth=thin,
              label=f"{DIRECTION_WORDS[way]} ({_count(counts[way])})")
        for way, colour in DIRECTION_COLOURS.items()
        if way in counts
    ]  # fmt: skip
    for scan, words in _NO_SCORE.items():
        if n := ribbons.loc[ribbons[scan].isna(), "patients"].sum():
            handles.append(
                Patch(facecolor="white", edgecolor=FAINT, hatch=_ENDING_HATCH, linewidth=thin,
                      label=f"{words} ({_count(n)})")
            )  # fmt: skip
    if ribbons["from_interval_scores"].sum():
        handles.append(Patch(alpha=0, label=f"{_DAGGER} with interval scores, split evenly"))
    return handles


def _count(number: float) -> str:
    """Print a count; a split one with up to two places, as in the transition matrix."""
    return f"{number:.2f}".rstrip("0").rstrip(".")


def _tint(way: str) -> tuple[float, float, float]:
    red, green, blue = (1 - _STRENGTH[way] * (1 - part) for part in to_rgb(DIRECTION_COLOURS[way]))
    return red, green, blue
