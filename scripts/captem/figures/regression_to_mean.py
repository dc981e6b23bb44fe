"""Figure: the observed gain beside the gain that noise and selection alone would give.

How reliable a reading is is not known, so that the expected gain stands over a sweep of it; how it
is computed: `captem.bias`.
"""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.transforms import ScaledTranslation

from captem import rounding
from captem.figure_rows import absent
from captem.figures.style import DIRECTION_COLOURS, FAINT, INK, PLATE, one_axes, say_n
from captem.profiles import Profile, inches
from captem.statistics import ALL
from captem.table_parts import MASKED
from captem.wording import SUBSET_WORDS, reason_words

WIDE = False
OBSERVED, EXPECTED, TIPPING = "observed", "expected", "tipping"
_ROWS = f"bias.regression_to_mean/krenning/{ALL}/"
_SIMULATED = f"bias.no_effect/krenning/{ALL}/{{}}/mean_gain"
_SWEPT = "reliability_"
_HEIGHT_MM, _LEGEND_MM = 78, 10.5
_ROOM = 0.04
_COLOUR = DIRECTION_COLOURS["up"]
# What is swept has ticks of its own up to so many values.
_MOST_TICKS = 6


def data(statistics: pd.DataFrame) -> pd.DataFrame:
    """Return what is drawn, of all patients: the observed gain, the expected ones, the tipping row.

    `gain` is a mean in steps, `reliability` where it stands. `low` and `high` are of the observed
    gain what interval scores leave open, of an expected one where 95 % of simulated studies lie, of
    the tipping row (in `reliability`) again what interval scores leave open.
    """
    found = statistics.set_index("row_id")
    asked = statistics[statistics["row_id"].str.startswith(_ROWS)]
    if asked.empty:
        return absent("no patient has both scans scored")
    main = asked[~asked["row_id"].str.endswith(("/low", "/high"))]
    for _, row in main[main["term"].ne(TIPPING)].iterrows():
        if row["status"] == "not_estimable":
            return absent(reason_words(str(row["reason"])))
    gain = float(found.loc[f"{_ROWS}{OBSERVED}", "estimate"])
    rows: list[dict[str, Any]] = []
    for _, row in main.iterrows():
        kind = EXPECTED if row["term"].startswith(_SWEPT) else row["term"]
        ends = f"{_ROWS}{row['term']}"
        rows.append(
            {
                "kind": kind,
                "row_id": row["row_id"],
                "reliability": _reliability(row),
                "gain": gain if kind == TIPPING else row["estimate"],
                "low": _value(found, f"{ends}/low", "estimate"),
                "high": _value(found, f"{ends}/high", "estimate"),
                "n_patients": row["n_patients"],
                "status": row["status"],
                "reason": row["reason"],
            }
        )
        if kind == EXPECTED:
            of_simulated = _SIMULATED.format(row["term"])
            rows[-1] |= {
                "low": _value(found, of_simulated, "conf_low"),
                "high": _value(found, of_simulated, "conf_high"),
            }
    return pd.DataFrame(rows)


def _reliability(row: pd.Series) -> float:
    if row["term"] == TIPPING:
        return float(row["estimate"])
    text = str(row["term"])
    return float(text.removeprefix(_SWEPT)) if text.startswith(_SWEPT) else math.nan


def _value(found: pd.DataFrame, row_id: str, column: str) -> float:
    return float(found.at[row_id, column]) if row_id in found.index else math.nan


def height_mm(rows: pd.DataFrame, width_mm: float, profile: Profile) -> float:
    """Return the height, the same for every study."""
    return min(profile.mm(_HEIGHT_MM), profile.tallest_mm)


def draw(rows: pd.DataFrame, ax: Axes, profile: Profile) -> Axes:
    """Draw the rows of `data`: a line for what was observed, points for what is expected."""
    observed = rows[rows["kind"].eq(OBSERVED)].iloc[0]
    expected = rows[rows["kind"].eq(EXPECTED)].sort_values("reliability")
    tipping = rows[rows["kind"].eq(TIPPING)].iloc[0]
    swept = expected["reliability"].to_numpy(dtype=float)
    known = [*swept, *tipping[["reliability", "low", "high"]].dropna().astype(float)]
    ax.set_xlim(min(known) - _ROOM, max(known) + _ROOM)
    if len(swept) <= _MOST_TICKS and set(known) == set(swept):
        ax.set_xticks(swept, [f"{value:g}" for value in swept])
    ax.axhline(0, color=FAINT, linewidth=profile.thin_pt, zorder=0)
    _draw_observed(ax, observed)
    low, high = (expected[end].to_numpy(dtype=float) for end in ("low", "high"))
    if expected["low"].notna().all():
        # Around their own middle: few simulated values need not lie about the expected one.
        ax.errorbar(
            swept, (low + high) / 2, yerr=(high - low) / 2, fmt="none", ecolor=INK,
            elinewidth=profile.thin_pt, capsize=0.5 * profile.marker_pt,
            capthick=profile.thin_pt, label="95% of simulated studies without an effect",
        )  # fmt: skip
    ax.plot(
        swept, expected["gain"], "o-", color=INK, zorder=3,
        label="expected from noise and selection alone",
    )  # fmt: skip
    _draw_tipping(ax, tipping, profile)
    ax.margins(y=0.12)
    n = observed["n_patients"]
    who = f"{SUBSET_WORDS[ALL].capitalize()}, n = {MASKED if pd.isna(n) else f'{n:g}'}"
    say_n(ax, f"{who}\n{_told(tipping, observed, expected)}")
    ax.set_xlabel("Reliability (correlation of two readings)")
    ax.set_ylabel("Mean gain (steps)")
    below = ScaledTranslation(0, -inches(profile.mm(_LEGEND_MM)), ax.figure.dpi_scale_trans)
    ax.legend(
        loc="upper left", bbox_to_anchor=(0, 0), bbox_transform=ax.transAxes + below,
        frameon=False, borderaxespad=0, borderpad=0,
    )  # fmt: skip
    return ax


def _draw_observed(ax: Axes, observed: pd.Series) -> None:
    gain = float(observed["gain"])
    label = f"observed, {rounding.number(gain, 2)}"
    if not pd.isna(observed["low"]) and observed["low"] < observed["high"]:
        open_ends = rounding.interval(observed["low"], observed["high"], 2)
        ax.axhspan(
            observed["low"], observed["high"], color=_COLOUR, alpha=0.2, linewidth=0,
            label=f"left open by interval scores, {open_ends}",
        )  # fmt: skip
    ax.axhline(gain, color=_COLOUR, zorder=2, label=label)


def _draw_tipping(ax: Axes, tipping: pd.Series, profile: Profile) -> None:
    """Mark where the expected gain reaches the observed one, with its value."""
    if pd.isna(tipping["reliability"]):
        return
    place, gain = float(tipping["reliability"]), float(tipping["gain"])
    ax.plot((place, place), (0, gain), color=_COLOUR, linestyle=(0, (4, 2)),
            linewidth=profile.thin_pt, zorder=1)  # fmt: skip
    if not pd.isna(tipping["low"]) and not pd.isna(tipping["high"]):
        ax.plot(tipping[["low", "high"]].astype(float), (gain, gain), color=_COLOUR,
                linewidth=2 * profile.line_pt, zorder=3)  # fmt: skip
    ax.plot(place, gain, "D", color=_COLOUR, markerfacecolor="white", zorder=4)
    ax.annotate(
        rounding.fixed(place, 2), (place, gain), (0, 1.6 * profile.marker_pt),
        textcoords="offset points", ha="center", va="bottom", bbox=PLATE, zorder=5,
    )  # fmt: skip


def _told(tipping: pd.Series, observed: pd.Series, expected: pd.DataFrame) -> str:
    """Say in a line where noise and selection alone give the gain; chance may add to them."""
    if not pd.isna(tipping["reliability"]):
        at = rounding.fixed(float(tipping["reliability"]), 2)
        return f"On average explained in full at a reliability of {at}"
    if tipping["gain"] == 0:
        return "No mean gain: nothing to explain"
    if observed["low"] <= expected["gain"].max():
        return "Left open by interval scores whether it is explained"
    return "On average not explained in full at any reliability"


panel = one_axes(draw)
