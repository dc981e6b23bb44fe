"""Panels of the figure `diagnostics` on the primary model: by cut, residuals, one patient left out.

Each takes its rows of the figure's csv (`captem.figures.diagnostics`).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import SubFigure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, NullLocator

from captem import rounding
from captem.figures.style import DIRECTION_COLOURS, FAINT, INK, PLATE, mib1_axis
from captem.profiles import Profile

WHOLE = "whole"
# Beyond these an interval goes on as an arrow; an estimate is always in sight.
_LOWEST, _HIGHEST = 0.05, 50.0
_MOST_TICKS = 7
# A bar of a group whose patients have one MIB1 would have no width.
_NARROWEST_BAR = 1.08
_MINUS = "\u2212"
_BAND = "#E3E3E3"
_POINT = DIRECTION_COLOURS["up"]


def draw_cuts(rows: pd.DataFrame, ax: Axes, profile: Profile) -> Axes:
    """Draw the odds ratio at each cut of the score, with its interval, on the common one."""
    whole, cuts = _parted(rows)
    ends = rows[["conf_low", "conf_high"]].to_numpy(dtype=float).ravel()
    low, high = _ratio_axis(ax, rows["estimate"].to_numpy(dtype=float), ends)
    _draw_whole(ax, whole, profile)
    for x, cut in enumerate(cuts.to_dict("records")):
        if cut["status"] == "not_estimable":
            ax.text(
                x, (low * high) ** 0.5, "not\nestimable", rotation=90, ha="center", va="center",
                fontsize=profile.small_pt, bbox=PLATE, zorder=2,
            )  # fmt: skip
            continue
        ends = [max(cut["conf_low"], low), min(cut["conf_high"], high)]
        ax.plot([x, x], ends, color=_POINT, zorder=3)
        sides = ((cut["conf_low"] < low, low, "v"), (cut["conf_high"] > high, high, "^"))
        for goes_on, limit, marker in sides:
            if goes_on:
                ax.plot(
                    x, limit, marker, color=_POINT, markersize=0.75 * profile.marker_pt,
                    clip_on=False, zorder=3,
                )  # fmt: skip
        fill = _POINT if cut["status"] == "ok" else "white"
        ax.plot(x, cut["estimate"], "o", color=_POINT, markerfacecolor=fill, zorder=4)
    names = [
        f"{cut['label'].removeprefix('score ')}\n{cut['above']:g}/{cut['patients']:g}"
        for cut in cuts.to_dict("records")
    ]
    ax.set_xticks(range(len(cuts)), names)
    ax.set_xlim(-0.6, len(cuts) - 0.4)
    ax.set_xlabel("Cut of the follow-up score (patients above it)")
    ax.set_ylabel("Odds ratio")
    return ax


def cuts_legend(rows: pd.DataFrame, canvas: SubFigure, profile: Profile) -> None:
    """Say below the axes what is drawn by cut."""
    states = set(_parted(rows)[1]["status"])
    named: dict[str, Any] = {"all cuts, 95% CI": _whole_handle(profile)}
    said = {"ok": (_POINT, "one cut"), "unstable": ("white", "one cut, unstable")}
    for state, (fill, words) in said.items():
        if state in states:
            named[words] = Line2D([], [], color=_POINT, marker="o", markerfacecolor=fill)
    _legend(canvas, named)


def draw_residuals(rows: pd.DataFrame, ax: Axes, profile: Profile) -> Axes:
    """Draw each patient's residual against MIB1; open circles are scores that are intervals."""
    points, groups = rows[rows["patient_id"].notna()], rows[rows["patient_id"].isna()]
    ax.axhline(0, color=INK, linewidth=profile.thin_pt, zorder=1)
    ax.set_xscale("log")
    size = (0.75 * profile.marker_pt) ** 2 * (1.0 if len(points) <= 100 else 0.5)
    alpha = 0.8 if len(points) <= 100 else 0.45
    style: dict[str, Any] = {"s": size, "linewidths": profile.thin_pt, "alpha": alpha, "zorder": 2}
    of_interval = points["interval"].eq("yes")
    for chosen, fill in ((points[~of_interval], FAINT), (points[of_interval], "none")):
        ax.scatter(
            chosen["mib1"], chosen["residual"], facecolors=fill, edgecolors=FAINT, **style
        )  # fmt: skip
    for group in groups.to_dict("records"):
        middle = (group["mib1_low"] * group["mib1_high"]) ** 0.5
        half = max(group["mib1_high"] / group["mib1_low"], _NARROWEST_BAR) ** 0.5
        ax.plot(
            [middle / half, middle * half], [group["residual"]] * 2, color=_POINT,
            linewidth=2.5 * profile.line_pt, solid_capstyle="butt", zorder=3,
        )  # fmt: skip
    ax.set_xlim(points["mib1"].min() / 1.4, points["mib1"].max() * 1.4)
    mib1_axis(ax)
    ax.set_ylim(-1.05, 1.05)
    places = (-1, -0.5, 0, 0.5, 1)
    ax.set_yticks(places, [f"{place:g}".replace("-", _MINUS) for place in places])
    ax.set_xlabel("MIB1 index (%)")
    ax.set_ylabel("Residual\n(above 0: higher)")
    return ax


def residuals_legend(rows: pd.DataFrame, canvas: SubFigure, profile: Profile) -> None:
    """Say below the axes what the residuals are of."""
    small = 0.75 * profile.marker_pt
    points, groups = rows[rows["patient_id"].notna()], rows[rows["patient_id"].isna()]
    named: dict[str, Any] = {}
    for state, fill, words in (("no", FAINT, "a patient"), ("yes", "none", "score is an interval")):
        if points["interval"].eq(state).any():
            named[words] = Line2D(
                [], [], color=FAINT, marker="o", linestyle="", markersize=small,
                markerfacecolor=fill,
            )  # fmt: skip
    if len(groups):
        named["mean of a group"] = Line2D([], [], color=_POINT, linewidth=2.5 * profile.line_pt)
    _legend(canvas, named)


def draw_influence(rows: pd.DataFrame, ax: Axes, profile: Profile) -> Axes:
    """Draw the odds ratio without each patient in turn, in order, on that of all patients."""
    whole, without = _parted(rows)
    known = without[without["estimate"].notna()]
    estimates = np.array([*known["estimate"], whole["estimate"]], dtype=float)
    _ratio_axis(ax, estimates, np.array([whole["conf_low"], whole["conf_high"]], dtype=float))
    _draw_whole(ax, whole, profile)
    order = np.arange(1, len(known) + 1)
    size = profile.marker_pt * (0.75 if len(known) <= 100 else 0.4)
    ax.plot(
        order, known["estimate"], "o", color=_POINT, markersize=size,
        markeredgewidth=0, zorder=3,
    )  # fmt: skip
    ax.set_xlim(0, max(len(without), 2) + 1)
    most = max(len(without), 1)
    ax.set_xticks(sorted({int(place) for place in np.linspace(1, most, 5).round()}))
    ax.set_xlabel("Patients left out, one at a time, in order")
    ax.set_ylabel("Odds ratio")
    return ax


def influence_legend(rows: pd.DataFrame, canvas: SubFigure, profile: Profile) -> None:
    """Say below the axes what is drawn without each patient, and from where to where it goes."""
    _, without = _parted(rows)
    known = without["estimate"].dropna()
    said = rounding.interval(known.min(), known.max())
    if missing := len(without) - len(known):
        said += f"; none in {missing}"
    point = Line2D(
        [], [], color=_POINT, marker="o", linestyle="", markeredgewidth=0,
        markersize=0.75 * profile.marker_pt,
    )  # fmt: skip
    named = {"all, 95% CI": _whole_handle(profile), f"without one patient ({said})": point}
    _legend(canvas, named)


def _legend(canvas: SubFigure, named: dict[str, Any]) -> None:
    canvas.legend(
        list(named.values()), list(named), loc="outside lower center", ncols=len(named),
        frameon=False, columnspacing=1.2,
    )  # fmt: skip


def _parted(rows: pd.DataFrame) -> tuple[dict[str, Any], pd.DataFrame]:
    """Return the row of all patients, and the others."""
    is_whole = rows["label"].eq(WHOLE)
    return rows[is_whole].iloc[0].to_dict(), rows[~is_whole]


def _draw_whole(ax: Axes, whole: dict[str, Any], profile: Profile) -> None:
    low, high = ax.get_ylim()
    ends = [max(whole["conf_low"], low), min(whole["conf_high"], high)]
    ax.axhspan(*ends, color=_BAND, linewidth=0, zorder=0)
    ax.axhline(1, color=FAINT, linewidth=profile.thin_pt, linestyle=(0, (1, 2)), zorder=1)
    ax.axhline(whole["estimate"], color=INK, zorder=1)


def _whole_handle(profile: Profile) -> tuple[Any, ...]:
    return Patch(facecolor=_BAND), Line2D([], [], color=INK)


def _ratio_axis(ax: Axes, estimates: np.ndarray, ends: np.ndarray) -> tuple[float, float]:
    """Make the vertical axis one of ratios that shows 1 and every estimate; return its limits.

    Ends of intervals widen it up to `_LOWEST` and `_HIGHEST`; estimates without a bound.
    """
    shown = [value for value in estimates if np.isfinite(value) and value > 0]
    wide = [float(np.clip(end, _LOWEST, _HIGHEST)) for end in ends if not np.isnan(end)]
    low = min([*shown, *wide, 0.8 * 1.3]) / 1.3
    high = max([*shown, *wide, 1.25 / 1.3]) * 1.3
    ax.set_yscale("log")
    ax.set_ylim(low, high)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [each * 10.0**power for power in powers for each in (1, 2, 5)]
    ticks = [tick for tick in ticks if low <= tick <= high]
    if len(ticks) > _MOST_TICKS:
        ticks = [10.0**power for power in powers if low <= 10.0**power <= high]
    ax.yaxis.set_major_locator(FixedLocator(ticks[:: -(-len(ticks) // _MOST_TICKS)]))
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    return low, high
