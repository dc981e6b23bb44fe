"""How much of the change of a result comes from code, settings, edits, removed and new patients.

The result is computed again after each step, in this order; what a step changes is what it is said
to have done. Another order would share the change out otherwise: the page says which was taken.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from captem import models, statistics, transition_rows, transitions
from captem.changed_statistics import change, is_ratio
from captem.errors import CaptemError
from captem.terms import Plan

STEPS = (
    (
        "code",
        "the program: old data and settings, computed by what is installed now",
    ),
    ("config", "the settings of now; those on how tables are read act on the values"),
    ("edited", "the values of now for patients who are in both cuts, new follow-up too"),
    ("removed", "without the patients who are no longer there"),
    ("added", "with the new patients"),
)
# The estimates whose change is shared out: analysis and term.
ESTIMATES = (
    ("transition.net_improvement", ""),
    ("transition.proportion", "up"),
    ("criterion.gained", ""),
    ("model.krenning", "log2_mib1"),
)
COLUMNS = ("row_id", "estimand", "step", "what", "estimate", "change", "status", "reason")


@dataclass(frozen=True)
class Data:
    """The clean tables of a cut, or of something between two cuts."""

    patients: pd.DataFrame
    lesions: pd.DataFrame

    def only(self, codes: Sequence[str]) -> Data:
        """The same, of some patients."""
        return Data(
            self.patients[self.patients["patient_id"].isin(codes)].reset_index(drop=True),
            self.lesions[self.lesions["patient_id"].isin(codes)].reset_index(drop=True),
        )


def attribute(
    old: Data,
    new: Data,
    frozen: pd.DataFrame,
    current: pd.DataFrame,
    old_config: Mapping[str, Any],
    config: Mapping[str, Any],
) -> pd.DataFrame:
    """Share out the change of each of `ESTIMATES` of each subset over `STEPS`.

    Parameters
    ----------
    old, new : the clean tables of the frozen cut and of this run.
    frozen, current : `statistics.csv` of both.
    old_config, config : resolved settings of both.

    Returns
    -------
    DataFrame with `COLUMNS`: for each estimate a row `before`, one for each step with the estimate
    after it and its change (of ratios the quotient), a row `now`. Where a step cannot be estimated
    the rows say why, and the change is that of the steps up to the next estimate. A setting that
    the frozen cut does not know is taken as it is now.

    Raises
    ------
    CaptemError
        If the last step does not give what `current` says: the results are not of these data.
    """
    old_config = {**config, **old_config}
    whose = list(old.patients["patient_id"])
    both = [code for code in whose if code in set(new.patients["patient_id"])]
    gone = [code for code in whose if code not in set(both)]
    edited = _in_order(whose, new.only(both), old.only(gone))
    stages = {
        "code": (old, old_config),
        "config": (old, config),
        "edited": (edited, config),
        "removed": (new.only(both), config),
        "added": (new, config),
    }
    fitted: dict[str, pd.DataFrame] = {}
    before: str | None = None
    for step, stage in stages.items():
        # A step that changed nothing is not computed again.
        same = before is not None and _same(stages[before], stage)
        fitted[step] = fitted[before] if before is not None and same else primary_rows(*stage)
        before = step
    rows: list[dict[str, Any]] = []
    for name in _asked(frozen, current):
        rows += _shared(name, frozen, current, fitted)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _in_order(codes: Sequence[str], first: Data, second: Data) -> Data:
    """Stack two sets of patients in a given order, so that equal values give equal digits."""
    place = {code: i for i, code in enumerate(codes)}

    def together(a: pd.DataFrame, b: pd.DataFrame) -> pd.DataFrame:
        # A column that is empty on one side must not decide what type the other has.
        both = [part for part in (a, b) if not part.empty]
        stacked = pd.concat(both, ignore_index=True) if both else a
        order = stacked["patient_id"].map(place).sort_values(kind="stable").index
        return stacked.loc[order].reset_index(drop=True)

    return Data(together(first.patients, second.patients), together(first.lesions, second.lesions))


def _same(one: tuple[Data, Mapping[str, Any]], other: tuple[Data, Mapping[str, Any]]) -> bool:
    asked = ("criterion", "confirmatory_sources", "mib1_floor", "models", "seed", "surrogate")
    return (
        one[0].patients.equals(other[0].patients)
        and one[0].lesions.equals(other[0].lesions)
        and all(one[1].get(key) == other[1].get(key) for key in asked)
    )


def primary_rows(data: Data, config: Mapping[str, Any]) -> pd.DataFrame:
    """Return the rows of `ESTIMATES` for some data, by the functions that the rules use."""
    if data.patients.empty:
        return statistics.frame([])
    criterion = config["criterion"]
    changes = transitions.patient_transitions(
        data.patients, data.lesions, criterion["threshold"], criterion["rule"], config["surrogate"]
    )
    confirmatory = config["confirmatory_sources"]
    rows = transition_rows.primary(data.patients, changes, confirmatory)
    plan = Plan.of(config["mib1_floor"], config["models"])
    return statistics.combine([rows, models.primary(data.patients, confirmatory, plan)])


def _asked(frozen: pd.DataFrame, current: pd.DataFrame) -> list[str]:
    names = []
    for table in (current, frozen):
        for analysis, term in ESTIMATES:
            rows = table[table["analysis"].eq(analysis) & table["term"].fillna("").eq(term)]
            for _, found in rows.groupby("subset", sort=False):
                names.append(str(found["row_id"].iloc[0]))
    return list(dict.fromkeys(names))


def _shared(
    name: str, frozen: pd.DataFrame, current: pd.DataFrame, fitted: Mapping[str, pd.DataFrame]
) -> list[dict[str, Any]]:
    old, now = _found(frozen, name), _found(current, name)
    estimand = (now if now is not None else old)["estimand"]  # type: ignore[index]
    ratio = is_ratio(estimand)
    value = _estimate(old)
    said = [("before", "as it was frozen", old, math.nan)]
    for step, what in STEPS:
        found = _found(fitted[step], name)
        estimate = _estimate(found)
        moved = change(value, estimate, ratio=ratio)
        if math.isfinite(estimate):
            value = estimate
        said.append((step, what, found, moved))
    _check(name, _estimate(said[-1][2]), _estimate(now))
    said.append(("now", "as it is now", now, change(_estimate(old), _estimate(now), ratio=ratio)))
    return [
        {
            "row_id": name, "estimand": estimand, "step": step, "what": what,
            "estimate": _estimate(found), "change": moved,
            "status": "not_estimable" if found is None else found["status"],
            "reason": "no such row" if found is None else found["reason"],
        }
        for step, what, found, moved in said
    ]  # fmt: skip


def _check(name: str, reached: float, now: float) -> None:
    if reached == now or math.isclose(reached, now, rel_tol=1e-6, abs_tol=1e-9):
        return
    if math.isnan(reached) and math.isnan(now):
        return
    raise CaptemError(
        f"The comparison ends at {reached} for {name}, and statistics.csv says {now}: it was not "
        "computed from these tables by this program. Remove statistics.csv and run again."
    )


def _found(table: pd.DataFrame, name: str) -> pd.Series | None:
    rows = table[table["row_id"].eq(name)] if len(table) else table
    return None if rows.empty else rows.iloc[0]


def _estimate(row: pd.Series | None) -> float:
    return math.nan if row is None or pd.isna(row["estimate"]) else float(row["estimate"])
