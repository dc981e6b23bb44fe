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
EACH_PATIENT = True
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
    unknown; `other_therapy` = yes where another treatment between the scans is named, of which no
    date is known (a PRRT whose date is known is at `prrt_after` alone). `not_placed` is the number
    of patients without a date to count from. Patients are ordered by the time of their follow-up
    PET, then by the end of CAPTEM.
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
    rows["other_therapy"] = np.where(_undated_therapy(patients, rows), "yes", "no")
    placed = rows[zero.notna()].assign(
        counted_from=_ORIGINS[origin], not_placed=int(zero.isna().sum())
    )
    if not placed[[name for name in dates if _EVENTS[name] != origin]].notna().any().any():
        return absent("no patient has a second date: of CAPTEM, of a scan or of other treatment")
    return placed.sort_values(
        ["follow_up", "captem_end", "last_contact", "patient_id"], na_position="first"
    ).reset_index(drop=True)


def _undated_therapy(patients: pd.DataFrame, rows: pd.DataFrame) -> pd.Series:
    """Return whether a treatment between the scans is named, and no date of it is known."""
    # Without the date of PRRT, both answers are of what is named.
    named = patients.drop(columns="prrt_after_date", errors="ignore")
    dated = between_scans.prrt(named) & rows["prrt_after"].lt(rows["follow_up"])
    return (between_scans.other_therapy(named) & ~dated).fillna(False).astype(bool)


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
    # Rare marks stay visible.
    least = 0.5 * profile.marker_pt
    thin = profile.thin_pt * min(1.0, max(0.3, 60 / len(rows)))
    events = rows[list(_EVENTS)].astype(float)
    known = events.assign(zero=0.0)
    ax.hlines(
        y, known.min(axis=1), known.max(axis=1), color=FAINT, linewidth=thin, zorder=1,
        capstyle="butt",
    )  # fmt: skip
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
        ax.plot(places, y[half], "s", **marks, color=_CAPTEM, markeredgewidth=0)
        handles.append(_key("s", _CAPTEM, label, profile, markeredgewidth=0))
    for time, words in (("pre", "baseline"), ("post", "follow_up")):
        for said, fill in _FILLS.items():
            chosen = (events[words].notna() & rows[f"ssa_{time}"].eq(said)).to_numpy()
            ax.plot(
                events[words][chosen], y[chosen], "o", **marks, color=INK, markerfacecolor=fill,
                markeredgewidth=thin,
            )  # fmt: skip
    handles += _scan_handles(rows, events, profile)
    chosen = rows["other_therapy"].eq("yes").to_numpy()
    if chosen.any():
        # Without the date of a scan, midway between what is known.
        middle = events[["baseline", "follow_up"]].mean(axis=1, skipna=False)
        middle = middle.fillna((known.min(axis=1) + known.max(axis=1)) / 2)
        ax.plot(
            middle[chosen], y[chosen], "X", color=_OTHER, markeredgecolor="white",
            markeredgewidth=thin / 2, **marks | {"zorder": 5, "markersize": max(1.3 * size, least)},
        )  # fmt: skip
        label = f"other treatment between the scans, date not known ({chosen.sum()})"
        handles.append(_key("X", _OTHER, label, profile, markeredgewidth=0))
    for names, marker, colour, words in (
        (("ssa_dose_pre", "ssa_dose_post"), "|", _SSA, "last dose of an SSA before a scan"),
        (("prrt_after",), "*", _OTHER, "first PRRT"),
        (("last_contact",), ">", FAINT, "last contact"),
    ):
        given = events[list(names)].notna().any(axis=1)
        for name in names:
            here = events[name].notna().to_numpy()
            ax.plot(events[name][here], y[here], marker, **marks, color=colour)
        if given.any():
            handles.append(_key(marker, colour, f"{words} ({given.sum()})", profile))
    ax.axvline(0, color=FAINT, linewidth=profile.thin_pt, linestyle=(0, (1, 1.5)), zorder=0)
    # A bar that begins first would otherwise stand on the frame.
    ax.use_sticky_edges = False
    ax.set_ylim(-1, len(rows))
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.set_xlabel(f"Months from {rows['counted_from'].iloc[0]}")
    broad = canvas_width_mm(ax.figure) >= profile.mm(130)
    say_n(ax, ("; " if broad else "\n").join(_counted(rows)))
    columns = 3 if broad else 1
    ax.figure.legend(handles=handles, loc="outside lower center", ncols=columns, frameon=False)
    return ax


def _counted(rows: pd.DataFrame) -> list[str]:
    """Return how many are drawn, how many of them without a follow-up PET, and who is not drawn."""
    found = [f"n = {len(rows)}, one line a patient"]
    if without := int(rows["follow_up"].isna().sum()):
        found.append(f"{without} without a date of a follow-up PET")
    if left_out := int(rows["not_placed"].iloc[0]):
        found.append(f"{left_out} more not drawn: no date of the {rows['counted_from'].iloc[0]}")
    return found


def _key(marker: str, colour: str, words: str, profile: Profile, **look: Any) -> Line2D:
    """Return an entry of the legend, of full size however small the marks are."""
    return Line2D(
        [], [], marker=marker, color=colour, linestyle="none", markersize=profile.marker_pt,
        label=words, **look,
    )  # fmt: skip


def _scan_handles(rows: pd.DataFrame, events: pd.DataFrame, profile: Profile) -> list[Line2D]:
    words = {"yes": "PET, on an SSA", "no": "PET, without an SSA", "unknown": "PET, SSA not known"}
    found = []
    for said, fill in _FILLS.items():
        count = sum(
            int((events[scan].notna() & rows[f"ssa_{time}"].eq(said)).sum())
            for time, scan in (("pre", "baseline"), ("post", "follow_up"))
        )
        if count:
            label = f"{words[said]} ({count} scan{'' if count == 1 else 's'})"
            look = {"markerfacecolor": fill, "markeredgewidth": profile.thin_pt}
            found.append(_key("o", INK, label, profile, **look))
    return found


panel = one_axes(draw)
