"""Panel of the figure `diagnostics`: what is known of the patients, by pattern.

Patients of whom the same is known are one column, so that the map is readable for any number of
them and names nobody.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import SubFigure
from matplotlib.patches import Patch, Rectangle

from captem import rounding
from captem.figures import style
from captem.profiles import Profile

KNOWN, PARTLY, MISSING = "known", "partly", "missing"
STATE_WORDS = {KNOWN: "known", PARTLY: "interval, or in part", MISSING: "missing"}
_END = ("_low", "_high")
# What an analysis uses, and the columns it stands in.
VARIABLES: dict[str, tuple[str, ...]] = {
    "Krenning score, baseline": ("krenning_pre",),
    "Krenning score, follow-up": ("krenning_post",),
    "MIB1 index": ("mib1",),
    "CAPTEM cycles": ("captem_cycles",),
    "SUVmax, baseline": ("suvmax_pre",),
    "SUVmax, follow-up": ("suvmax_post",),
    "SUV of liver and spleen": (
        "liver_suv_pre",
        "liver_suv_post",
        "spleen_suv_pre",
        "spleen_suv_post",
    ),
    "Analogue at the scans": ("ssa_pre", "ssa_post"),
    "Other treatment between": ("interval_therapy",),
    "Tracer and scanner": ("tracer_pre", "tracer_post", "scanner_pre", "scanner_post"),
    "Dates of scans": ("pet_date_pre", "pet_date_post"),
    "Dates of CAPTEM": ("captem_start", "captem_end"),
}
# A column of the map, and what stands beside them: names of the rows, and their counts.
_COLUMN_MM, _BESIDE_MM, _FEWEST = 3.4, 50, 8
_ROW_MM = 3.9
_GAP = 0.08
_KNOWN_SHADE = "#DDDDDD"
_CIVIDIS, _DEPTHS = colormaps[style.ORDERED_COLOURMAP], {PARTLY: 0.55, MISSING: 0.0}


def data(patients: pd.DataFrame) -> pd.DataFrame:
    """Return one row a pattern and variable: `pattern`, `variable`, `state` and `patients`.

    Patterns are numbered by how many patients have them, the most frequent first; among equal ones
    that in which more is known comes first. A variable of which the table has no column is left
    out. `partly` is an interval, or one value of several, such as one scan of two.
    """
    states = pd.DataFrame(
        {
            name: found
            for name, columns in VARIABLES.items()
            if (found := _state(patients, columns)) is not None
        }
    )
    if states.empty:
        return pd.DataFrame(columns=["pattern", "variable", "state", "patients"])
    depth = {KNOWN: 0, PARTLY: 1, MISSING: 2}
    coded = states.apply(lambda column: column.map(depth))
    counts = coded.value_counts(sort=False).rename("patients").reset_index()
    names = list(states)
    counts["_gaps"] = counts[names].sum(axis=1)
    counts = counts.sort_values(
        ["patients", "_gaps", *names], ascending=[False, *[True] * (len(names) + 1)], kind="stable"
    ).reset_index(drop=True)
    words = {code: state for state, code in depth.items()}
    return pd.DataFrame(
        [
            {
                "pattern": number,
                "variable": name,
                "state": words[row[name]],
                "patients": row["patients"],
            }
            for number, row in enumerate(counts.to_dict("records"), start=1)
            for name in names
        ]
    )


def _state(patients: pd.DataFrame, columns: tuple[str, ...]) -> pd.Series | None:
    """Return how much is known of a variable; None where the table has none of its columns."""
    known, whole = [], []
    for name in columns:
        low, high = (f"{name}{end}" for end in _END)
        if name in patients:
            known.append(patients[name].notna())
            whole.append(patients[name].notna())
        elif low in patients:
            ends = patients[[low, high]].astype(float)
            known.append(ends[low].notna())
            whole.append(ends[low].eq(ends[high]))
    if not known:
        return None
    some, every = np.logical_or.reduce(known), np.logical_and.reduce(whole)
    state = np.where(every, KNOWN, np.where(some, PARTLY, MISSING))
    return pd.Series(state, index=patients.index)


def height_mm(rows: pd.DataFrame, profile: Profile) -> float:
    """Return the height of the rows of the map alone."""
    return profile.mm(_ROW_MM * max(rows["variable"].nunique(), 1))


def draw(rows: pd.DataFrame, ax: Axes, profile: Profile, width_mm: float) -> Axes:
    """Draw the rows of `data` on axes that may be `width_mm` wide with all that stands beside.

    Above each column stands how many patients have its pattern, beside each row of how many it is
    missing. What does not fit are the rarest patterns, which are counted below.
    """
    names = list(dict.fromkeys(rows["variable"]))
    places = {name: i for i, name in enumerate(names)}
    patterns = rows.drop_duplicates("pattern").set_index("pattern")["patients"].astype(int)
    total = int(patterns.sum())
    room = int((width_mm - profile.mm(_BESIDE_MM)) / profile.mm(_COLUMN_MM))
    shown = min(len(patterns), max(room, 1))
    for cell in rows[rows["pattern"] <= shown].to_dict("records"):
        corner = (cell["pattern"] - 1 + _GAP, places[cell["variable"]] + _GAP)
        side = 1 - 2 * _GAP
        ax.add_patch(
            Rectangle(corner, side, side, facecolor=shade(cell["state"]), linewidth=0)
        )  # fmt: skip
    small = profile.small_pt
    turned = int(patterns.iloc[0]) >= 100
    for place, count in enumerate(patterns[:shown]):
        ax.text(
            place + 0.5, -0.05, f"{count}", ha="center", va="bottom", fontsize=small,
            rotation=90 if turned else 0,
        )  # fmt: skip
    beside = shown + 0.25
    ax.text(-0.1, -0.05, "patients", ha="right", va="bottom", fontsize=small)
    ax.text(beside, -0.05, "missing", va="bottom", fontsize=small)
    lost = rows[rows["state"].eq(MISSING)].groupby("variable")["patients"].sum()
    for name, row in places.items():
        count = int(lost.get(name, 0))
        said = f"{count} ({rounding.percent(count, total)})" if count else "0"
        ax.text(beside, row + 0.5, said, va="center", fontsize=small)
    ax.set_xlim(0, max(shown, min(room, _FEWEST)))
    # Room for the counts above the columns.
    ax.set_ylim(len(names), -1.4 if turned else -0.8)
    ax.set_yticks(
        [place + 0.5 for place in places.values()],
        [style.typeset(name) for name in names],
        fontsize=small,
    )
    ax.set_xticks([])
    ax.tick_params(length=0)
    for side_of in ax.spines.values():
        side_of.set_visible(False)
    if shown < len(patterns):
        ax.set_xlabel(_rest(patterns[shown:]), loc="left", fontsize=small)
    return ax


def shade(state: str) -> str:
    """Return the colour of a state: the less is known, the darker."""
    return _KNOWN_SHADE if state == KNOWN else to_hex(_CIVIDIS(_DEPTHS[state]))


def legend(canvas: SubFigure) -> None:
    """Say below the map what its shades are."""
    handles = [Patch(facecolor=shade(state), label=words) for state, words in STATE_WORDS.items()]
    canvas.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)


def _rest(patterns: pd.Series) -> str:
    rarer = "1 rarer pattern" if len(patterns) == 1 else f"{len(patterns)} rarer patterns"
    whose = "1 patient" if patterns.sum() == 1 else f"{patterns.sum()} patients"
    return f"{rarer} ({whose}) not drawn"
