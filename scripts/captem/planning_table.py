"""The tables of planning: power by scenario, and the intervals to expect from more patients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from captem import more_patients, planning_words, rounding
from captem import table_parts as parts
from captem.planning_grid import SCENARIO
from captem.planning_power import NOT_REACHED
from captem.planning_tests import MODEL

_TEXTS = ("analysis", "status", "reason")
# So many numbers of patients have a column of their own.
_MOST_COLUMNS = 6


def numbers(frame: pd.DataFrame) -> pd.DataFrame:
    """Return `more_patients.csv`, as read from its file, with its numbers as numbers."""
    found = frame.copy()
    for name in found.columns:
        if name not in _TEXTS:
            found[name] = pd.to_numeric(found[name])
    for name in ("more_patients", "n_patients", "n_expected"):
        found[name] = found[name].astype(int)
    return found.assign(reason=found["reason"].fillna(""))


def power_table(
    power: pd.DataFrame, smallest: pd.DataFrame, settings: Mapping[str, Any], data: str
) -> parts.Table:
    """Return power and expected width by scenario and number of patients.

    Parameters
    ----------
    power, smallest : the files of these names.
    settings : the section `planning` of the config.
    """
    names = planning_words.varying(smallest)
    shown = _spread(sorted(set(power["patients"])))
    footnotes = parts.Footnotes()
    lines: list[parts.Row] = []
    cells = power.set_index([*SCENARIO, "analysis", "patients"])
    for analysis, question in planning_words.QUESTIONS.items():
        lines.append(parts.Row((question, *("",) * (len(shown) + 1)), heading=True))
        for row in smallest[smallest["analysis"].eq(analysis)].to_dict("records"):
            key = tuple(row[name] for name in SCENARIO)
            own = [cells.loc[(*key, analysis, n)] for n in shown]
            words = planning_words.scenario_words(row, names) or "the one scenario"
            mark = footnotes.mark(_short(row)) if row["reason"] else ""
            needed = planning_words.enough(row) + mark
            told = [_power(item, analysis) for item in own]
            # One that never reaches the target is a result, and no doubt of it.
            lines.append(parts.Row((words[:1].upper() + words[1:], needed, *told), indent=True))
    fixed = [name for name in SCENARIO if name not in names]
    first = smallest.iloc[0].to_dict()
    error = power["mc_error"].max()
    notes = [
        f"Cells: power, and in brackets the median width of the 95% interval: of proportions, and "
        f"for MIB1 the upper end over the lower. Two-sided, .05; {settings['replicates']:,} "
        f"simulated studies a cell, Monte Carlo error at most {rounding.fixed(100 * error, 1)} "
        "points.",
        f"Patients needed: for a power of {settings['target']:.0%}, between the numbers of the "
        "grid; in brackets what the Monte Carlo error leaves open. They enter the study; those "
        "who drop out have no second scan.",
        f"The same in all: {planning_words.scenario_words(first, fixed)}." if fixed else "",
        _refusals(power),
        "OR, odds ratio of a higher follow-up score, per doubling of MIB1 or per cycle.",
        planning_words.SIMULATED,
        *footnotes.notes(),
    ]
    columns = ["Scenario", "Patients needed", *(f"n = {n}" for n in shown)]
    return parts.table(
        "power_table", "Power and width of intervals of studies to come", columns, lines,
        notes, data, wide=True, text_columns=(0, 1),
    )  # fmt: skip


def _short(row: Mapping[str, Any]) -> str:
    """Return why a scenario has no number, in words that several of them share."""
    if row["analysis"] == MODEL and row["mib1_odds_ratio"] == 1:
        return str(row["reason"])
    if row["status"] == NOT_REACHED:
        return "no number of the grid is enough; larger ones under planning: patients may be"
    return "the smallest number of the grid is enough; smaller ones may be as well"


def _spread(patients: list[int]) -> list[int]:
    """Return at most `_MOST_COLUMNS` of the numbers, the first and the last among them."""
    if len(patients) <= _MOST_COLUMNS:
        return patients
    step = (len(patients) - 1) / (_MOST_COLUMNS - 1)
    return [patients[round(step * place)] for place in range(_MOST_COLUMNS)]


def _power(row: Mapping[str, Any], analysis: str) -> str:
    width = float(row["median_width"])
    return f"{100 * float(row['power']):.0f}% ({_width(width, analysis == MODEL)})"


def _width(width: float, ratio: bool) -> str:
    if pd.isna(width):
        return rounding.EMPTY
    return f"×{rounding.number(width, 2)}" if ratio else rounding.fixed(width, 2)


def _refusals(power: pd.DataFrame) -> str:
    most = power.loc[power["refused"].idxmax()]
    if not most["refused"]:
        return "No analysis was refused in any simulated study."
    return (
        "An analysis that captem refuses (too few patients, all scores alike) rejects nothing. It "
        f"was refused in at most {100 * most['refused']:.1f}% of the studies of a cell "
        f"({planning_words.SHORT[most['analysis']]}, n = {most['patients']})."
    )


def intervals_table(expected: pd.DataFrame, settings: Mapping[str, Any], data: str) -> parts.Table:
    """Return the intervals of this data cut, and those to expect with more patients.

    Parameters
    ----------
    expected : `more_patients.csv`, with `numbers`.
    """
    footnotes = parts.Footnotes()
    lines: list[parts.Row] = []
    for analysis, own in expected.groupby("analysis", sort=False):
        heading = planning_words.ESTIMATES[str(analysis)]
        lines.append(parts.Row((heading, *("",) * 4), heading=True))
        first = own.iloc[0].to_dict()
        lines.append(_line("This data cut", first, ("estimate", "conf_low", "conf_high", "width"),
                           int(first["n_patients"]), footnotes))  # fmt: skip
        lines += [
            _line(f"{row['more_patients']} more", row,
                  ("", "expected_low", "expected_high", "expected_width"),
                  int(row["n_expected"]), footnotes)
            for row in own.to_dict("records")
        ]  # fmt: skip
    notes = [
        "Expected: medians of the ends and of the width over "
        f"{settings['replicates']:,} simulated futures, and where 95% of the widths lie. The "
        "patients of this data cut stay, the others come from what it leaves open; all of them "
        "have both scans.",
        "Width: upper end less lower; of an odds ratio, upper end over lower (×).",
        parts.SINGLE_ARM,
        *footnotes.notes(),
    ]
    columns = ["Patients", "n", "Estimate", "95% interval", "Width (95% of widths)"]
    return parts.table(
        "intervals_table", "What more patients would do to the intervals", columns, lines, notes,
        data,
    )  # fmt: skip


def _estimate(value: float, ratio: bool) -> str:
    if pd.isna(value):
        return ""
    return rounding.number(value) if ratio else rounding.fixed(value, 2)


def _line(
    label: str,
    row: Mapping[str, Any],
    names: tuple[str, str, str, str],
    n: int,
    footnotes: parts.Footnotes,
) -> parts.Row:
    estimate, low, high, width = (row[name] if name else float("nan") for name in names)
    mark = footnotes.mark(row["reason"]) if row["reason"] else ""
    if pd.isna(low):
        empty = (rounding.EMPTY,) * 3
        return parts.Row((label + mark, str(n), *empty), indent=True, status=row["status"])
    ratio = row["analysis"] == more_patients.MODEL
    spread = ""
    if width == row["expected_width"]:
        spread = f" ({_width(row['width_low'], ratio)} to {_width(row['width_high'], ratio)})"
    return parts.Row(
        (
            label + mark,
            str(n),
            _estimate(estimate, ratio),
            planning_words.ends(low, high, ratio),
            _width(width, ratio) + spread,
        ),
        indent=True,
        status=row["status"],
    )
