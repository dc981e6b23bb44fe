"""What a new data cut did to each statistic, and which conclusions turned over."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
from scipy.stats import norm

from captem.table_parts import records

COLUMNS = (
    "row_id", "analysis", "outcome", "subset", "term", "role", "estimand", "old", "old_low",
    "old_high", "new", "new_low", "new_high", "change", "change_in_se", "old_p", "new_p",
    "old_n", "new_n", "old_status", "new_status", "flip",
)  # fmt: skip
_ROLES = ("primary", "secondary", "exploratory", "sensitivity", "descriptive")
# Rows that may claim something; that another one is new or gone is no conclusion.
_CLAIMS = _ROLES[:2]
ALPHA = 0.05
ADDED, GONE = "new row", "row is gone"
# The estimands whose intervals have a value of no effect, and the scale on which they are even.
_RATIOS = frozenset(["odds ratio", "ratio", "matched win odds"])
_DIFFERENCES = frozenset([
    "net improvement", "net improvement, median of repeated readings", "difference of proportions",
    "difference, coupled with the baseline",
])  # fmt: skip


def compare(old: pd.DataFrame, new: pd.DataFrame, alpha: float = ALPHA) -> pd.DataFrame:
    """Return one row for each row of either `statistics.csv`, flips first, then by size of change.

    Parameters
    ----------
    old, new : `statistics.csv` of the frozen cut and of this run.
    alpha : the level of a test that has no interval; that of the plan, where one is locked.

    Returns
    -------
    DataFrame with `COLUMNS`. `change` is the difference, of ratios the quotient; `change_in_se` is
    the change over the standard error that the interval of the old row implies, of ratios on the
    logarithmic scale; empty where there is no interval, or one of simulated draws. `role` is the
    higher one of the two cuts.
    """
    before = {row["row_id"]: row for row in records(old)}
    after = {row["row_id"]: row for row in records(new)}
    names = [*after, *(name for name in before if name not in after)]
    rows = [_row(name, before.get(name), after.get(name), alpha) for name in names]
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    order = frame.assign(
        _flip=frame["flip"].eq(""),
        _role=frame["role"]
        .map({name: i for i, name in enumerate(_ROLES)})
        .where(frame["flip"].ne(""), 0),
        _size=-frame["change_in_se"].abs().fillna(-1),
        _place=range(len(frame)),
    ).sort_values(["_flip", "_role", "_size", "_place"])
    return frame.loc[order.index].reset_index(drop=True)


def _row(
    name: str, old: dict[str, Any] | None, new: dict[str, Any] | None, alpha: float
) -> dict[str, Any]:
    known = new or old or {}
    roles = [found["role"] for found in (old, new) if found]
    row: dict[str, Any] = {"row_id": name}
    row |= {key: known[key] for key in ("analysis", "outcome", "subset", "term", "estimand")}
    row["role"] = min(roles, key=_ROLES.index)
    for side, found in (("old", old), ("new", new)):
        row[side] = found["estimate"] if found else math.nan
        row[f"{side}_low"] = found["conf_low"] if found else math.nan
        row[f"{side}_high"] = found["conf_high"] if found else math.nan
        row[f"{side}_p"] = found["p_value"] if found else math.nan
        row[f"{side}_n"] = found["n_patients"] if found else math.nan
        row[f"{side}_status"] = found["status"] if found else ""
    row["change"], row["change_in_se"] = math.nan, math.nan
    if old and new:
        ratio = is_ratio(new["estimand"])
        row["change"] = change(old["estimate"], new["estimate"], ratio=ratio)
        error = math.nan if _of_draws(old) else standard_error(old)
        moved = _even(new["estimate"], ratio) - _even(old["estimate"], ratio)
        if error > 0 and math.isfinite(moved):
            row["change_in_se"] = moved / error
    row["flip"] = flip(old, new, alpha)
    return row


def _of_draws(row: dict[str, Any]) -> bool:
    """Return whether an interval is about simulated studies or readings, and not about patients."""
    return "of simulated" in str(row["interval_method"])


def is_ratio(estimand: str) -> bool:
    """Return whether an estimand is a ratio, whose changes are quotients."""
    return estimand in _RATIOS


def change(old: float, new: float, *, ratio: bool) -> float:
    """Return the difference of two estimates, of ratios their quotient.

    >>> change(2.0, 3.0, ratio=True), change(2.0, 3.0, ratio=False)
    (1.5, 1.0)
    """
    if not (math.isfinite(old) and math.isfinite(new)) or (ratio and old <= 0):
        return math.nan
    return new / old if ratio else new - old


def _even(value: float, ratio: bool) -> float:
    if not ratio:
        return value
    return math.log(value) if value > 0 else math.nan


def standard_error(row: dict[str, Any]) -> float:
    """Return the standard error that an interval implies: its width over twice the normal quantile.

    Of ratios on the logarithmic scale; NaN where the interval is open or there is none.
    """
    ratio = is_ratio(row["estimand"])
    low, high = _even(row["conf_low"], ratio), _even(row["conf_high"], ratio)
    confidence = row["conf_level"]
    if not (math.isfinite(low) and math.isfinite(high) and 0 < confidence < 1):
        return math.nan
    return (high - low) / (2 * float(norm.ppf(0.5 + confidence / 2)))


def excludes(row: dict[str, Any]) -> bool | None:
    """Return whether an interval excludes the value of no effect; None where it has none."""
    if row["estimand"] in _RATIOS:
        null = 1.0
    elif row["estimand"] in _DIFFERENCES:
        null = 0.0
    else:
        return None
    low, high = row["conf_low"], row["conf_high"]
    if math.isnan(low) or math.isnan(high):
        return None
    return not low <= null <= high


def flip(old: dict[str, Any] | None, new: dict[str, Any] | None, alpha: float = ALPHA) -> str:
    """Say how a conclusion turned over, in words; empty where it did not, or is none.

    A row that only describes concludes nothing.
    """
    if (new or old or {}).get("role") == "descriptive":
        return ""
    if old is None or new is None:
        known = new or old
        told = known and known["role"] in _CLAIMS and known["status"] != "not_estimable"
        return (ADDED if old is None else GONE) if told else ""
    if old["status"] != "not_estimable" and new["status"] == "not_estimable":
        return f"can no longer be estimated: {new['reason']}"
    if old["status"] == "not_estimable" and new["status"] != "not_estimable":
        return "can be estimated now"
    then, now = excludes(old), excludes(new)
    if then is not None and now is not None and then != now:
        return (
            "the interval now excludes no effect" if now else "the interval now includes no effect"
        )
    if math.isfinite(old["p_value"]) and math.isfinite(new["p_value"]):
        reached = new["p_value"] <= alpha
        if (old["p_value"] <= alpha) != reached and then is None:
            level = f"{alpha:g}".removeprefix("0")
            return f"P is now at most {level}" if reached else f"P is now above {level}"
    if old["status"] != new["status"]:
        return f"{old['status']} before, {new['status']} now"
    return ""
