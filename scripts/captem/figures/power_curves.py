"""Figure: the power of the primary analyses over the number of patients, by simulation."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from captem import planning_words
from captem.figures.style import DIRECTION_COLOURS, FAINT, INK
from captem.planning_grid import SCENARIO
from captem.profiles import Profile, inches

WIDE = True
NAMED, FAINTLY = "named", "faint"
_HEIGHT_MM, _LINE_MM = 66, 4.2
_LOOKS: tuple[tuple[str, Any, str], ...] = (
    (INK, "solid", "o"),
    (DIRECTION_COLOURS["up"], (0, (4, 1.5)), "^"),
    (DIRECTION_COLOURS["down"], (0, (4, 1.2, 1, 1.2)), "v"),
    (DIRECTION_COLOURS["undetermined"], (0, (1, 1)), "D"),
    (DIRECTION_COLOURS["same"], (0, (6, 1, 1, 1, 1, 1)), "s"),
)


def data(power: pd.DataFrame, target: float) -> pd.DataFrame:
    """Return `power.csv` with what is drawn of it.

    The first scenario, and those that differ from it in one thing, are `named` in the legend, as
    many as there are looks for; all others are `faint`. `scenario` says how they differ.
    """
    names = planning_words.varying(power)
    scenarios = power.drop_duplicates(list(SCENARIO))
    first = scenarios.iloc[0]
    labels, kinds, named = {}, {}, 0
    for _, row in scenarios.iterrows():
        other = [name for name in SCENARIO if str(row[name]) != str(first[name])]
        key = tuple(row[list(SCENARIO)])
        own = other if other else names
        labels[key] = planning_words.scenario_words(row.to_dict(), own) or "the one scenario"
        show = len(other) <= 1 and named < len(_LOOKS)
        kinds[key] = NAMED if show else FAINTLY
        named += show
    keys = [tuple(values) for values in power[list(SCENARIO)].itertuples(index=False)]
    return power.assign(
        target=target,
        scenario=[labels[key] for key in keys],
        shown=[kinds[key] for key in keys],
    )


def height_mm(rows: pd.DataFrame, width_mm: float, profile: Profile) -> float:
    """Return the height: of the panels, and of a legend with a line for each named scenario."""
    lines = rows[rows["shown"].eq(NAMED)]["scenario"].nunique() + 2
    return min(profile.mm(_HEIGHT_MM) + lines * profile.mm(_LINE_MM), profile.tallest_mm)


def draw(rows: pd.DataFrame, ax: Axes, profile: Profile) -> Axes:
    """Draw the rows of one analysis."""
    target = float(rows["target"].iloc[0])
    ax.axhline(target, color=FAINT, linewidth=profile.thin_pt, linestyle=(0, (4, 2)), zorder=0)
    faint = rows[rows["shown"].eq(FAINTLY)]
    for number, (_, own) in enumerate(faint.groupby(list(SCENARIO), sort=False)):
        ax.plot(
            own["patients"], own["power"], color="#BBBBBB", linewidth=profile.thin_pt, zorder=1,
            label="other combinations" if not number else None,
        )  # fmt: skip
    named = rows[rows["shown"].eq(NAMED)].groupby("scenario", sort=False)
    for (words, own), (colour, line, marker) in zip(named, _LOOKS, strict=False):
        label = words if colour == INK else f"the same, but {words}"
        ax.errorbar(
            own["patients"], own["power"],
            yerr=(own["power"] - own["power_low"], own["power_high"] - own["power"]),
            color=colour, linestyle=line, marker=marker, elinewidth=profile.thin_pt,
            markersize=0.8 * profile.marker_pt, label=label, zorder=3,
        )  # fmt: skip
    ax.set_ylim(-0.02, 1.02)
    ax.set_xlim(0, None)
    ax.set_yticks((0, 0.2, 0.4, 0.6, 0.8, 1), ("0", "20", "40", "60", "80", "100"))
    return ax


def panel(rows: pd.DataFrame, canvas: Figure | SubFigure, profile: Profile) -> None:
    """Draw a pair of axes for each analysis, and one legend below them."""
    analyses = [name for name in planning_words.SHORT if rows["analysis"].eq(name).any()]
    every = canvas.subplots(1, len(analyses), sharey=True, squeeze=False)[0]
    for ax, name in zip(every, analyses, strict=True):
        draw(rows[rows["analysis"].eq(name)], ax, profile)
        ax.set_title(planning_words.SHORT[name], loc="left")
        ax.set_xlabel("Patients who enter the study")
    every[0].set_ylabel("Power (%)")
    handles, labels = every[0].get_legend_handles_labels()
    order = sorted(range(len(labels)), key=lambda place: labels[place] == "other combinations")
    canvas.legend(
        [handles[place] for place in order], [labels[place] for place in order],
        loc="outside lower left", frameon=False, handlelength=inches(profile.mm(6)) * 10,
    )  # fmt: skip
