"""What planning found, in sentences: for the terminal, and the caption of the figure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from captem import more_patients as more
from captem import origin, rounding
from captem.planning_grid import OBSERVED, SCENARIO
from captem.planning_power import AT_MOST, NOT_REACHED
from captem.planning_tests import CHANGE, CRITERION, MODEL

QUESTIONS = {
    CHANGE: "Did uptake change? (signed-rank test)",
    MODEL: "Does the change go with MIB1? (bias-reduced proportional odds)",
    CRITERION: "Did more gain the SSTR criterion than lose it? (McNemar, mid-P)",
}
SHORT = {CHANGE: "Change of uptake", MODEL: "Effect of MIB1", CRITERION: "SSTR criterion"}
ESTIMATES = {
    more.NET: "Net improvement, (rose - fell) / n",
    more.MODEL: "Odds ratio of a higher score per doubling of MIB1",
    more.CRITERION: "Difference of the shares meeting the SSTR criterion",
}
_NAMES = {
    "baseline": "baseline mix",
    "change": "change",
    "mib1_odds_ratio": "MIB1 OR",
    "cycle_odds_ratio": "cycle OR",
    "drop_out": "drop-out",
    "reader_error": "reader error",
    "lesions": "lesions",
}
_SHARES = ("drop_out", "reader_error")
# So many lines of one question are read on a terminal.
_MOST_LINES = 8
SIMULATED = "Simulated studies: what they show follows from what the config assumes."


def varying(found: pd.DataFrame) -> list[str]:
    """Return the parts of a scenario of which the grid has several values."""
    return [name for name in SCENARIO if found[name].astype(str).nunique() > 1]


def scenario_words(row: Mapping[str, Any], names: Iterable[str]) -> str:
    """Return these parts of a scenario in words.

    >>> scenario_words({"drop_out": 0.2, "change": "2", "lesions": 3}, ["change", "drop_out"])
    'change OR 2, drop-out 20%'
    """
    return ", ".join(f"{_NAMES[name]} {value_words(name, row[name])}" for name in names)


def value_words(name: str, value: Any) -> str:
    """Return one value of a scenario as a table shows it."""
    if name in _SHARES:
        return f"{100 * float(value):g}%"
    if name == "change" and str(value) != OBSERVED:
        return f"OR {float(value):g}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def enough(row: Mapping[str, Any]) -> str:
    """Return how many patients are enough, with what the Monte Carlo error leaves open.

    >>> enough({"status": "reached", "patients": 61.0, "patients_low": 57.0,
    ...         "patients_high": 66.0, "grid": 80})
    '61 (57 to 66)'
    """
    if row["status"] == NOT_REACHED:
        return f"more than {row['grid']}"
    if row["status"] == AT_MOST:
        return f"{row['patients']:g} or fewer"
    high = row["patients_high"]
    upper = f" to {high:g}" if math.isfinite(high) else " or more"
    return f"{row['patients']:g} ({row['patients_low']:g}{upper})"


def as_text(
    smallest: pd.DataFrame, expected: pd.DataFrame, settings: Mapping[str, Any], data: str
) -> str:
    """Return what is said at the end of a run.

    Parameters
    ----------
    smallest, expected : `smallest.csv`, `more_patients.csv`.
    settings : the section `planning` of the config.
    """
    names = varying(smallest)
    lines = [
        f"Patients that must enter the study for a power of {settings['target']:.0%} (two-sided, "
        f".05; {settings['replicates']:,} simulated studies of each kind; in brackets what these "
        "leave open):"
    ]  # fmt: skip
    for analysis, question in QUESTIONS.items():
        own = smallest[smallest["analysis"].eq(analysis)]
        lines.append(f"  {question}")
        for row in own.head(_MOST_LINES).to_dict("records"):
            words = scenario_words(row, names)
            lines.append(f"    {enough(row)}" + (f": {words}" if words else ""))
        if len(own) > _MOST_LINES:
            lines.append(f"    and {len(own) - _MOST_LINES} more scenarios in smallest.csv")
    lines += ["", *joined_words(expected)]
    mark = origin.words(data)
    return "\n".join([*lines, f"{mark}." if mark else "", SIMULATED]).strip() + "\n"


def joined_words(expected: pd.DataFrame) -> list[str]:
    """Return what more patients would do to each interval, for one number of more patients."""
    choices = sorted(set(expected["more_patients"]))
    many = choices[(len(choices) - 1) // 2]
    chosen = expected[expected["more_patients"].eq(many)].to_dict("records")
    if all(row["n_patients"] == 0 for row in chosen):
        return [
            "No patient has both scans yet: there is no interval that more could make narrower."
        ]
    return [_joined(row) for row in chosen]


def _joined(row: Mapping[str, Any]) -> str:
    name = ESTIMATES[row["analysis"]]
    if pd.isna(row["expected_low"]):
        return f"{name}: no interval to be expected ({row['reason']})."
    ratio = row["analysis"] == more.MODEL
    now = ends(row["conf_low"], row["conf_high"], ratio)
    then = ends(row["expected_low"], row["expected_high"], ratio)
    return (
        f"{name}: with {row['more_patients']} more patients the 95% interval would be about "
        f"{then} ({row['n_expected']} with both scans); now, with {row['n_patients']}, it is {now}."
    )


def ends(low: float, high: float, ratio: bool) -> str:
    """Return an interval of proportions, or of a ratio.

    >>> ends(0.0785, 0.328, False), ends(1.18, 13.2, True)
    ('0.08 to 0.33', '1.2 to 13')
    """
    first, last = (rounding.number(end, 2) if ratio else rounding.fixed(end, 2)
                   for end in (low, high))  # fmt: skip
    return f"{first} to {last}"


def caption(rows: pd.DataFrame, settings: Mapping[str, Any], data: str) -> str:
    """Return caption and alt text of the figure of `captem.figures.power_curves`."""
    shown = rows[rows["shown"].eq("named")].drop_duplicates("scenario")
    others = rows[rows["shown"].ne("named")]["scenario"].nunique()
    mark = origin.words(data)
    first = str(shown["scenario"].iloc[0])
    text = (
        f"{mark + '. ' if mark else ''}Power of the primary analyses (two-sided, .05) over the "
        f"number of patients who enter the study, in {settings['replicates']:,} simulated studies "
        "at each point; bars, 95% intervals of the simulation; dashed line, the power that is "
        f"asked for ({settings['target']:.0%}). An analysis that is refused for too few patients "
        "rejects nothing. OR, odds ratio of a higher follow-up score, per doubling of MIB1 or per "
        "cycle. "
    )
    if len(shown) > 1:
        text += f"First line: {first}; the others differ from it as the legend says. "
    if others:
        text += f"Thin lines: {others} more combinations of the grid (power.csv). "
    return f"{text}{SIMULATED}\n\nAlt text: {_alternative(rows, settings['target'])}\n"


def _alternative(rows: pd.DataFrame, target: float) -> str:
    named = rows[rows["shown"].eq("named")]
    first = named[named["scenario"].eq(named["scenario"].iloc[0])]
    said = []
    for analysis, own in first.groupby("analysis", sort=False):
        own = own.sort_values("patients")
        ends = own.iloc[[0, -1]]
        powers = [f"{value:.0%} at {n}" for value, n in zip(ends["power"], ends["patients"],
                                                           strict=True)]  # fmt: skip
        said.append(f"{SHORT[str(analysis)]}: from {powers[0]} to {powers[-1]} patients")
    panels = "Three panels" if len(said) > 1 else "One panel"
    return (
        f"{panels} with the power against the number of patients, and a line at {target:.0%}. "
        f"In the first scenario: {'; '.join(said)}."
    )
