"""The table of looks: what each planned look needed, what it found, and the repeated interval."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from captem import plan, rounding
from captem import table_parts as parts
from captem.origin import RECORDED

_HEADINGS = {
    plan.CHANGE: "Did uptake change?",
    plan.MODEL: "Primary term of the primary model; asked once uptake has changed",
}
_STATUS = {
    plan.TAKEN: "data cut {cut}",
    plan.CURRENT: "this data cut",
    plan.AHEAD: "ahead",
    plan.LEFT_OUT: "left out",
    plan.NOT_PLANNED: "this data cut: exploratory",
}
_NO = {"no": "not crossed", "not asked": "not asked", "not tested": "not tested"}


def looks(found: pd.DataFrame, data: str = RECORDED) -> parts.Table:
    """Return the looks of a study whose plan is locked.

    Parameters
    ----------
    found : `plan/looks.csv` (`captem.looks`).
    """
    footnotes = parts.Footnotes()
    lines: list[parts.Row] = []
    rows = found.to_dict("records")
    for question, heading in _HEADINGS.items():
        chosen = [row for row in rows if row["question"] == question]
        lines.append(parts.Row((heading, *("",) * 7), heading=True))
        lines += [_line(row, footnotes) for row in chosen]
    notes = [
        "A look crosses where P is at or below that of its boundary. The boundaries spend alpha "
        "over the patients there were (Lan-DeMets); of looks ahead they hold for the planned "
        "numbers. In brackets the classical boundary for looks just as planned.",
        "Differences needed: how many, all one way, an exact test needs to reach the boundary.",
        "Repeated interval: holds the truth at all looks together as often as planned, whether or "
        "not a look crossed. All other P values and intervals of this study are those of one look.",
        *footnotes.notes(),
        parts.SINGLE_ARM,
    ]
    columns = [
        "Look", "Status", "Patients (planned)", "Boundary z", "P needed", "Differences needed",
        "P found", "Estimate (repeated interval)",
    ]  # fmt: skip
    return parts.table(
        "looks", "Looks at the primary question", columns, lines, notes, data, wide=True,
        text_columns=(0, 1),
    )  # fmt: skip


def _line(row: dict[str, Any], footnotes: parts.Footnotes) -> parts.Row:
    number = parts.count(row["look"])
    status = _STATUS[row["status"]].format(cut=row["cut"])
    if row["crossed"] == "yes":
        status += ": crossed"
    elif row["crossed"] == "exploratory":
        status += ": exploratory"
    elif row["crossed"] in _NO:
        status += f": {_NO[row['crossed']]}"
    reason = row["reason"] if isinstance(row["reason"], str) else ""
    mark = footnotes.mark(reason) if reason else ""
    cells = (
        "none" if number is None else str(number),
        status + mark,
        _patients(parts.count(row["n_patients"]), parts.count(row["patients_planned"])),
        _boundary(row),
        needed(row["boundary_p"]),
        str(parts.count(row["differences_needed"]) or rounding.EMPTY),
        small_p(row["p_value"]) + _attainable(row, footnotes),
        _estimate(row),
    )
    return parts.Row(cells, indent=True)


def _patients(there: int | None, planned: int | None) -> str:
    known = rounding.EMPTY if there is None else str(there)
    return known if planned is None else f"{known} ({planned})"


def _boundary(row: dict[str, Any]) -> str:
    if math.isnan(row["boundary_z"]):
        return rounding.EMPTY
    z = "∞" if math.isinf(row["boundary_z"]) else rounding.fixed(row["boundary_z"], 2)
    return f"{z} ({rounding.fixed(row['classical_z'], 2)})"


def small_p(p: float) -> str:
    """Print P in full: a boundary of 5 in a million is not `<.001`.

    >>> small_p(5.1e-6), small_p(0.0321), small_p(0.0)
    ('5.1e-6', '.03', '0')
    """
    if math.isnan(p) or p >= 0.001:
        return rounding.p_cell(p)
    if p == 0:
        return "0"
    digits, power = f"{p:.1e}".split("e")
    return f"{digits}e{int(power)}"


def needed(p: float) -> str:
    """Print the P of a boundary, never rounded up: what is below it must cross.

    >>> needed(0.04995), needed(1.47e-5)
    ('.0499', '1.4e-5')
    """
    if math.isnan(p):
        return rounding.EMPTY
    if p == 0:
        return "0"
    places = 4 if p >= 0.001 else 1 - math.floor(math.log10(p))
    floored = math.floor(p * 10**places + 1e-9) / 10**places
    return f"{floored:.4f}".lstrip("0") if p >= 0.001 else small_p(floored)


def _attainable(row: dict[str, Any], footnotes: parts.Footnotes) -> str:
    if math.isnan(row["smallest_p"]):
        return ""
    changed = parts.count(row["n_changed"])
    who = "if all had changed" if changed is None else f"with {changed} changed"
    text = f"the smallest P that the test can give {who} is {small_p(row['smallest_p'])}"
    if not math.isnan(row["attainable_p"]):
        text += f"; the largest not above the boundary is {small_p(row['attainable_p'])}"
    elif row["smallest_p"] > row["boundary_p"]:
        text += ", which is above the boundary: this look cannot cross"
    return footnotes.mark(text)


def _estimate(row: dict[str, Any]) -> str:
    if math.isnan(row["repeated_low"]):
        return rounding.EMPTY
    ends = rounding.interval(row["repeated_low"], row["repeated_high"])
    return f"{row['estimand']} {rounding.number(row['estimate'])} ({ends})"
