"""What a reader has to know of the plan before any P: which look this is, and what follows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from captem import looks_table, plan_roles, rounding
from captem.plan import CHANGE, CURRENT, NOT_PLANNED, TAKEN, Locked

ONE_LOOK = "P values and intervals elsewhere are those of a single look."


def sentences(locked: Locked, looks: pd.DataFrame, deviations: pd.DataFrame) -> list[str]:
    """Return what the plan makes of this data cut, in sentences.

    Parameters
    ----------
    locked : the plan.
    looks, deviations : `plan/looks.csv` and `plan/deviations.csv`.
    """
    said = [of_look(locked, looks)]
    had = locked.had_rows(plan_roles.OF_EVERY_ROW)
    if had:
        words = " and ".join(had)
        said.append(f"{words[:1].upper()}{words[1:]} had data before what is planned was locked: "
                    "exploratory.")  # fmt: skip
    open_ = int(deviations["explained"].eq("no").sum())
    every = int(deviations["explained"].isin(["yes", "no"]).sum())
    if every:
        noun = "deviation" if every == 1 else "deviations"
        without = (
            ", each with its reason" if not open_
            else ", without a reason" if open_ == every
            else f", {open_} of them without a reason"
        )  # fmt: skip
        said.append(f"{every} {noun} from the plan{without}.")
    return said


def of_frozen(name: str, looks: pd.DataFrame, taken: Sequence[Mapping[str, Any]] = ()) -> str:
    """Return which look a frozen data cut was, and whether it crossed.

    Parameters
    ----------
    looks : its `plan/looks.csv`.
    taken : the looks at other data cuts (`captem.look_events.taken`).
    """
    for row in looks[looks["question"].eq(CHANGE)].to_dict("records"):
        if row["status"] == CURRENT:
            found = {"yes": "crossed", "no": "not crossed"}.get(row["crossed"], row["crossed"])
            return f"The data cut {name} was look {int(row['look'])}: {found}."
    for event in taken:
        if event["cut"] == name:
            return f"The data cut {name} was taken as look {event['look']}, and not frozen as it."
    return f"The data cut {name} was no planned look."


def of_look(locked: Locked, looks: pd.DataFrame) -> str:
    """Return which look this data cut is, what it found, and what follows."""
    total = len(locked.plan["looks"]["patients"])
    plan = f"the plan locked on {locked.day}"
    if locked.version > 1:
        plan += f" (version {locked.version})"
    rows = looks[looks["question"].eq(CHANGE)].to_dict("records")
    now = next((row for row in rows if row["status"] == CURRENT), None)
    if now is None:
        why = next((row["reason"] for row in rows if row["status"] == NOT_PLANNED), "")
        return f"Every result here is exploratory: by {plan} this data cut is no look, as {why}."
    number = int(now["look"])
    name = f"Look {number} of {total}" if total > 1 else "The analysis"
    if pd.isna(now["p_value"]) or pd.isna(now["boundary_p"]):
        return f"{name} of {plan}: nothing can be tested, {now['reason']}."
    if now["crossed"] == "exploratory":
        where = "plan/planned.csv or statistics.csv says why"
        return f"{name} of {plan}: the result is exploratory; {where}."
    before = _crossed_before(rows, number)
    p, needed = looks_table.small_p(now["p_value"]), looks_table.needed(now["boundary_p"])
    told = f"{name} of {plan}: P {p}, where {needed} or less is needed"
    if now["boundary_p"] == 0:
        told = f"{name} of {plan}: P {p}, and no alpha was left for this look"
    if now["crossed"] == "yes":
        said = f"{told}: uptake has changed by the plan's own measure."
    elif before:
        said = f"{told}. The boundary was crossed at look {before} already."
    elif number == total or now["information"] >= 1:
        said = f"{told}: the planned question ends without an answer that uptake changed."
    else:
        said = f"{told}: no answer yet, the study goes on."
    if total > 1 and not math.isnan(now["repeated_low"]):
        ends = rounding.interval(now["repeated_low"], now["repeated_high"])
        said += f" The interval that allows for all looks: {now['estimand']} {ends}."
    return f"{said} {ONE_LOOK}" if total > 1 else said


def _crossed_before(rows: list[dict[str, Any]], number: int) -> int:
    taken = [
        int(row["look"]) for row in rows
        if row["status"] == TAKEN and row["crossed"] == "yes" and row["look"] < number
    ]  # fmt: skip
    return min(taken, default=0)
