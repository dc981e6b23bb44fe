"""Figure: when each patient was treated and scanned (swimmer plot).

In months from the baseline PET: no calendar date and no code of a patient is in the picture.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from captem import between_scans
from captem.figure_rows import absent
from captem.figures.style import (
    DIRECTION_COLOURS,
    FAINT,
    INK,
    canvas_width_mm,
    one_axes,
    say_n,
)
from captem.profiles import Profile

WIDE = True
_DAYS_A_MONTH = 30.4375
_CAPTEM, _OTHER, _SSA = "#56B4E9", DIRECTION_COLOURS["down"], DIRECTION_COLOURS["undetermined"]
# From where months are counted, the first of these that any patient has.
_ORIGINS = {"pet_date_pre": "baseline PET", "captem_start": "start of CAPTEM"}
_EVENTS = {
    "baseline": "pet_date_pre",
    "follow_up": "pet_date_post",
    "captem_start": "captem_start",
    "captem_end": "captem_end",
    "ssa_dose_pre": "ssa_last_dose_date_pre",
    "ssa_dose_post": "ssa_last_dose_date_post",
    "prrt_after": "prrt_after_date",
    "last_contact": "last_contact",
}
_FILLS = {"yes": INK, "no": "white", "unknown": "#BBBBBB"}
_ROW_MM, _AROUND_MM = 3.4, 34


def data(patients: pd.DataFrame) -> pd.DataFrame:
    """Return what is drawn, one row a patient with a date to count from: patient-level.

    Every event is in months from the baseline PET (of 30.4375 days); where no patient has that
    date, from the start of CAPTEM, as `counted_from` says. The end of CAPTEM is that of the last
    dose before the follow-up PET where no other is known. `ssa_pre` and `ssa_post` are yes, no or
    unknown; `other_therapy` = yes where another treatment was given between the scans, of which no
    date is known. `not_placed` is the number of patients without a date to count from. Patients
    are ordered by the time of their follow-up PET, then by the end of CAPTEM.
    """
    dates = {name: _dates(patients, column) for name, column in _EVENTS.items()}
    dates["captem_end"] = dates["captem_end"].fillna(_dates(patients, "last_captem_date"))
    origin = next((name for name in _ORIGINS if _dates(patients, name).notna().any()), None)
    if origin is None:
        return absent("no patient has a date of the baseline PET or of the start of CAPTEM")
    zero = _dates(patients, origin)
    rows = pd.DataFrame({"patient_id": patients["patient_id"].astype(str)})
    for name, when in dates.items():
        rows[name] = (when - zero).dt.days / _DAYS_A_MONTH
    for scan in ("pre", "post"):
        said = patients.get(f"ssa_{scan}", pd.Series(pd.NA, index=patients.index))
        rows[f"ssa_{scan}"] = said.astype(object).where(said.notna(), "unknown")
    other = between_scans.other_therapy(patients).fillna(False).astype(bool)
    rows["other_therapy"] = np.where(other, "yes", "no")
    placed = rows[zero.notna()].assign(
        counted_from=_ORIGINS[origin], not_placed=int(zero.isna().sum())
    )
    if not placed[[name for name in dates if _EVENTS[name] != origin]].notna().any().any():
        return absent("no patient has a second date: of CAPTEM, of a scan or of other treatment")
    return placed.sort_values(
        ["follow_up", "captem_end", "last_contact", "patient_id"], na_position="first"
    ).reset_index(drop=True)


def _dates(patients: pd.DataFrame, name: str) -> pd.Series:
    values = patients.get(name, pd.Series(pd.NA, index=patients.index))
    return pd.to_datetime(values, errors="coerce")


def height_mm(rows: pd.DataFrame, width_mm: float, profile: Profile) -> float:
    """Return the height of the rows, which become thin where there are many."""
    return min(profile.mm(_AROUND_MM + _ROW_MM * max(len(rows), 3)), profile.tallest_mm)


def draw(rows: pd.DataFrame, ax: Axes, profile: Profile) -> Axes:
    """Draw the rows of `data`, the first at the bottom."""
    y = np.arange(len(rows))
    size = profile.marker_pt * min(1.0, max(0.22, 45 / len(rows)))
    thin = profile.thin_pt * min(1.0, max(0.3, 60 / len(rows)))
    events = rows[list(_EVENTS)].astype(float)
    scans = events[["baseline", "follow_up"]].assign(zero=0.0)
    ax.hlines(y, scans.min(axis=1), scans.max(axis=1), color=FAINT, linewidth=thin, zorder=1)
    started, ended = events["captem_start"], events["captem_end"]
    whole = (started.notna() & ended.notna()).to_numpy()
    ax.barh(
        y[whole], (ended - started)[whole], left=started[whole], height=0.62, color=_CAPTEM,
        linewidth=0, zorder=2,
    )  # fmt: skip
    half = (started.notna() ^ ended.notna()).to_numpy()
    marks: dict[str, Any] = {"linestyle": "none", "markersize": size, "zorder": 4}
    handles: list[Any] = []
    if whole.any():
        handles.append(Patch(color=_CAPTEM, linewidth=0, label=f"CAPTEM ({whole.sum()})"))
    if half.any():
        label = f"CAPTEM, start or end alone ({half.sum()})"
        places = started.fillna(ended)[half]
        handles += ax.plot(
            places, y[half], "s", **marks, color=_CAPTEM, label=label, markeredgewidth=0
        )
    for time, words in (("pre", "baseline"), ("post", "follow_up")):
        for said, fill in _FILLS.items():
            chosen = (events[words].notna() & rows[f"ssa_{time}"].eq(said)).to_numpy()
            ax.plot(
                events[words][chosen], y[chosen], "o", **marks, color=INK, markerfacecolor=fill,
                markeredgewidth=thin,
            )  # fmt: skip
    handles += _scan_handles(rows, events, profile)
    middle = events[["baseline", "follow_up"]].mean(axis=1)
    chosen = (rows["other_therapy"].eq("yes") & events["follow_up"].notna()).to_numpy()
    if chosen.any():
        label = f"other treatment between the scans, date not known ({chosen.sum()})"
        handles += ax.plot(
            middle[chosen], y[chosen], "X", **marks | {"zorder": 5, "markersize": 1.3 * size},
            color=_OTHER, label=label, markeredgecolor="white", markeredgewidth=thin / 2,
        )  # fmt: skip
    for names, marker, colour, words in (
        (("ssa_dose_pre", "ssa_dose_post"), "|", _SSA, "last dose of an SSA before a scan"),
        (("prrt_after",), "*", _OTHER, "first PRRT after"),
        (("last_contact",), ">", FAINT, "last contact"),
    ):
        known = events[list(names)].notna().any(axis=1)
        for name in names:
            here = events[name].notna().to_numpy()
            ax.plot(events[name][here], y[here], marker, **marks, color=colour)
        if known.any():
            handles.append(
                Line2D([], [], marker=marker, color=colour, linestyle="none",
                       markersize=profile.marker_pt, label=f"{words} ({known.sum()})")
            )  # fmt: skip
    ax.axvline(0, color=FAINT, linewidth=profile.thin_pt, linestyle=(0, (1, 1.5)), zorder=0)
    ax.set_ylim(-1, len(rows))
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.set_xlabel(f"Months from {rows['counted_from'].iloc[0]}")
    left_out = int(rows["not_placed"].iloc[0])
    more = f"; {left_out} more without that date" if left_out else ""
    say_n(ax, f"n = {len(rows)}, one line a patient{more}")
    columns = 3 if canvas_width_mm(ax.figure) >= profile.mm(130) else 1
    ax.figure.legend(handles=handles, loc="outside lower center", ncols=columns, frameon=False)
    return ax


def _scan_handles(rows: pd.DataFrame, events: pd.DataFrame, profile: Profile) -> list[Line2D]:
    words = {"yes": "PET, on an SSA", "no": "PET, without an SSA", "unknown": "PET, SSA not known"}
    found = []
    for said, fill in _FILLS.items():
        count = sum(
            int((events[scan].notna() & rows[f"ssa_{time}"].eq(said)).sum())
            for time, scan in (("pre", "baseline"), ("post", "follow_up"))
        )
        if count:
            found.append(
                Line2D([], [], marker="o", color=INK, markerfacecolor=fill, linestyle="none",
                       markeredgewidth=profile.thin_pt, markersize=profile.marker_pt,
                       label=f"{words[said]} ({count} scans)")
            )  # fmt: skip
    return found


panel = one_axes(draw)
