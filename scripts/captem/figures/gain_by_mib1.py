"""Figure: uptake gain against the MIB1 index, with the number of CAPTEM cycles as colour.

The curve is what the primary model expects, averaged over the baselines of the analysed patients.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import Normal, Stroke

from captem import predictions
from captem.figure_rows import absent
from captem.figures.style import (
    FAINT,
    ORDERED_COLOURMAP,
    canvas_width_mm,
    mib1_axis,
    one_axes,
    say_n,
    signed,
    spread,
)
from captem.planned_models import KRENNING
from captem.profiles import Profile

WIDE = False
EACH_PATIENT = True
_CURVE = "#0072B2"
_UNKNOWN = "#FFFFFF"
_ONE_NUMBER = "#00204D"
_BAND = 0.5
_MANY = 100


def data(
    transitions: pd.DataFrame, patients: pd.DataFrame, curves: pd.DataFrame, mib1_floor: float
) -> pd.DataFrame:
    """Return what is drawn, one row a patient with a gain and a MIB1 index: patient-level.

    Behind them the rows of the model's curve (`kind` = curve) from `predictions/curves.csv`, where
    the primary model was fitted: `mib1`, `gain`, `band_low`, `band_high`, `status`.

    `mib1` is the midpoint of its interval, raised to the floor that the models use; an index
    without an upper end is drawn at its lower one and has `open` = yes; `mib1_bar_low` is where the
    bar of an interval begins. `y` is the midpoint of the gain, moved within a band around it, so
    that equal points lie side by side.
    """
    columns = ["patient_id", "mib1_low", "mib1_high"]
    known = patients.assign(
        captem_cycles=patients.get("captem_cycles", pd.Series(np.nan, index=patients.index))
    )[[*columns, "captem_cycles"]]
    rows = transitions[["patient_id", "gain_low", "gain_high"]].merge(known, on="patient_id")
    rows = rows[rows["gain_low"].notna() & rows["mib1_low"].notna()].copy()
    numbers = ["gain_low", "gain_high", "mib1_low", "mib1_high", "captem_cycles"]
    rows[numbers] = rows[numbers].astype(float)
    if rows.empty:
        return absent("no patient has both a gain and a MIB1 index")
    is_open = np.isinf(rows["mib1_high"])
    middle = (rows["mib1_low"] + rows["mib1_high"]) / 2
    rows["mib1"] = middle.where(~is_open, rows["mib1_low"]).clip(lower=mib1_floor)
    rows["open"] = np.where(is_open, "yes", "no")
    rows["mib1_bar_low"] = rows["mib1_low"].clip(lower=mib1_floor)
    rows["gain"] = (rows["gain_low"] + rows["gain_high"]) / 2
    rows["y"] = rows["gain"]
    near = np.round(np.log2(rows["mib1"]) * 4)
    for _, group in rows.sort_values("patient_id").groupby([rows["gain"], near]):
        moves = spread(len(group), _BAND)
        rows.loc[group.index, "y"] = group["gain"] + moves
    return pd.concat([rows.assign(kind="patient"), _curve(curves)], ignore_index=True)


def _curve(curves: pd.DataFrame) -> pd.DataFrame:
    expected = curves[
        curves["model"].eq(KRENNING.analysis) & curves["quantity"].eq(predictions.GAIN)
    ]
    columns = {
        "value": "mib1",
        "estimate": "gain",
        "band_low": "band_low",
        "band_high": "band_high",
    }
    found = expected[list(columns)].astype(float).rename(columns=columns)
    return found.assign(kind="curve", status=expected["status"])


def height_mm(rows: pd.DataFrame, width_mm: float, profile: Profile) -> float:
    """Return the height of the axes with their labels."""
    return min(profile.mm(82), profile.tallest_mm)


def draw(rows: pd.DataFrame, ax: Axes, profile: Profile) -> Axes:
    """Draw the points of `data`; bars show what an interval leaves open, arrows an open end."""
    points, curve = rows[rows["kind"].eq("patient")], rows[rows["kind"].eq("curve")]
    thin = profile.thin_pt
    ax.axhline(0, color=FAINT, linewidth=thin, zorder=0)
    ax.set_xscale("log")
    ax.set_xlabel("MIB1 index (%)")
    ax.set_ylabel("Uptake gain (Krenning steps)")
    bars: dict[str, Any] = {"color": FAINT, "linewidth": thin, "alpha": 0.6, "zorder": 1}
    for point in points.to_dict("records"):
        if point["open"] == "yes":
            ax.annotate(
                "", (point["mib1"] * 1.35, point["y"]), (point["mib1"], point["y"]),
                arrowprops={"arrowstyle": "->", "color": FAINT, "linewidth": thin}, zorder=1,
            )  # fmt: skip
        elif point["mib1_high"] > point["mib1_low"]:
            ends = [point["mib1_bar_low"], point["mib1_high"]]
            ax.plot(ends, [point["y"], point["y"]], **bars)
        if point["gain_high"] > point["gain_low"]:
            ax.plot([point["mib1"]] * 2, [point["gain_low"], point["gain_high"]], **bars)
    size = profile.marker_pt**2 * (0.45 if len(points) > _MANY else 0.9)
    edge: dict[str, Any] = {"edgecolors": "#333333", "linewidths": thin / 2, "s": size, "zorder": 2}
    known = points[points["captem_cycles"].notna()]
    unknown = points[points["captem_cycles"].isna()]
    ax.scatter(unknown["mib1"], unknown["y"], color=_UNKNOWN, **edge)
    cycles = known["captem_cycles"]
    if cycles.nunique() == 1:
        # A bar of one value would suggest a range that is not there.
        ax.scatter(known["mib1"], known["y"], color=_ONE_NUMBER, **edge)
        ax.set_title(f"CAPTEM cycles: {cycles.iloc[0]:g}", loc="right")
    elif len(known):
        dots = ax.scatter(
            known["mib1"], known["y"], c=cycles, cmap=ORDERED_COLOURMAP,
            vmin=cycles.min(), vmax=cycles.max(), **edge,
        )  # fmt: skip
        # whole cycles only: a colour bar that names 6.5 cycles would name what no one was given
        places = sorted({int(v) for v in np.linspace(cycles.min(), cycles.max(), 5).round()})
        bar = ax.figure.colorbar(dots, ax=ax, label="CAPTEM cycles", pad=0.02, ticks=places)
        bar.outline.set_linewidth(thin)
    ends = [*points["mib1"], *points["mib1_bar_low"]]
    highs = [high for high in points["mib1_high"] if np.isfinite(high)]
    ax.set_xlim(min(ends) / 1.4, max([*ends, *highs]) * 1.5)
    reach = max(2, np.ceil(points[["gain_low", "gain_high"]].abs().max().max()))
    ax.set_ylim(-reach - 0.4, reach + 0.4)
    steps = np.arange(-reach, reach + 1)
    ax.set_yticks(steps, [signed(step) for step in steps])
    mib1_axis(ax)
    if len(curve):
        _draw_curve(curve, ax, profile, len(points) > _MANY)
    say_n(ax, f"n = {len(points)}")
    return ax


def _draw_curve(curve: pd.DataFrame, ax: Axes, profile: Profile, many: bool) -> None:
    """Draw the curve, and say below the axes what it is."""
    unstable = curve["status"].iloc[0] == "unstable"
    line: dict[str, Any] = {"color": _CURVE, "linewidth": 1.5 * profile.line_pt}
    dashes: Any = (0, (4, 1.5)) if unstable else "solid"
    # Many points would hide the curve: then it lies on them, with a white edge.
    halo = [Stroke(linewidth=3 * profile.line_pt, foreground="white"), Normal()] if many else None
    ax.plot(
        curve["mib1"], curve["gain"], **line, linestyle=dashes, zorder=3 if many else 0.6,
        path_effects=halo,
    )  # fmt: skip
    ends = ax.get_ylim()
    ax.fill_between(
        curve["mib1"], curve["band_low"], curve["band_high"], color=_CURVE, alpha=0.15,
        linewidth=0, zorder=0.5,
    )  # fmt: skip
    ax.set_ylim(ends)
    said = "mean gain expected by the primary model" + (" (unstable)" if unstable else "")
    handles = [
        Line2D([], [], **line, linestyle=dashes, label=said),
        Patch(color=_CURVE, alpha=0.15, linewidth=0, label="95% band of the whole curve"),
    ]
    columns = 2 if canvas_width_mm(ax.figure) >= profile.mm(100) else 1
    ax.figure.legend(handles=handles, loc="outside lower center", ncols=columns, frameon=False)


panel = one_axes(draw)
