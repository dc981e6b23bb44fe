"""The rows `transition.*` of `statistics.csv`: did uptake change, in how many, by how much?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from captem import (
    agreement_rows,
    association_rows,
    criterion_rows,
    eligibility,
    limits,
    paired,
    shares,
    square,
    statistics,
    surrogate,
)
from captem.criterion import SCORES
from captem.result import Result

_WAYS = ("up", "same", "down", "undetermined")
Role = Callable[[str], str]


def estimate(
    patients: pd.DataFrame,
    changes: pd.DataFrame,
    lesion_changes: pd.DataFrame,
    confirmatory: Sequence[str],
    boundaries: surrogate.Boundaries | None = None,
    seed: int = 1,
) -> pd.DataFrame:
    """Return the rows `transition.*`, `criterion.*`, `association.*` and `agreement.*`.

    Parameters
    ----------
    patients : canonical patient table.
    changes, lesion_changes : `transitions.csv` and `transitions/lesions.csv` of the same patients.
    confirmatory : sources whose rows may claim what the plan says.
    boundaries : the declared boundaries of the surrogate score (see `captem.surrogate`).
    seed : of the P values that are found by drawing.
    """
    rows: list[dict[str, Any]] = []
    for subset, mask in statistics.subsets(patients["source"], confirmatory).items():
        role = partial(
            statistics.role, subset=subset, sources=patients["source"], confirmatory=confirmatory
        )
        chosen, changed = patients[mask], changes[mask]
        rows += score_rows(*scores(chosen), subset, role, seed)
        rows += _suvmax_rows(chosen, subset, role)
        rows += criterion_rows.rows(changed, subset, role)
        rows += association_rows.rows(chosen, subset, role, seed)
        rows += agreement_rows.rows(chosen, changed, subset, role, boundaries)
    rows += _lesion_rows(lesion_changes)
    return statistics.frame(rows)


def primary(
    patients: pd.DataFrame, changes: pd.DataFrame, confirmatory: Sequence[str]
) -> pd.DataFrame:
    """Return the rows on the direction of change and on the criterion alone, without any drawing.

    Parameters: see `estimate`.
    """
    rows: list[dict[str, Any]] = []
    for subset, mask in statistics.subsets(patients["source"], confirmatory).items():
        role = partial(
            statistics.role, subset=subset, sources=patients["source"], confirmatory=confirmatory
        )
        rows += _direction_rows(*scores(patients[mask]), subset, role)
        rows += criterion_rows.rows(changes[mask], subset, role)
    return statistics.frame(rows)


def scores(patients: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of the scores at both scans of those who have both, each of shape (n, 2)."""
    scored = eligibility.analysed(patients, "transition")
    ends = scored[list(SCORES)].to_numpy(dtype=float)
    return ends[:, :2], ends[:, 2:]


def score_rows(
    pre: np.ndarray, post: np.ndarray, subset: str, role: Role, seed: int
) -> list[dict[str, Any]]:
    """Return the rows on the scores, (n, 2) lower and upper ends: directions, and the table."""
    exploratory = role("exploratory")
    rows = _direction_rows(pre, post, subset, role)
    return rows + [found.row(subset, exploratory) for found in table_tests(pre, post, seed)]


def _direction_rows(
    pre: np.ndarray, post: np.ndarray, subset: str, role: Role
) -> list[dict[str, Any]]:
    way = paired.directions(pre, post)
    counts = {"up": way.up, "same": way.same, "down": way.down, "undetermined": way.undetermined}
    may = {
        "up": way.may_rise + way.may_either,
        "same": way.undetermined,
        "down": way.may_fall + way.may_either,
    }
    n = len(pre)
    rows: list[dict[str, Any]] = []
    for term, count in counts.items():
        rows += shares.rows(
            "transition.proportion", "krenning", subset, (count, n),
            (count + may.get(term, 0), n), term=term, role=role("secondary"),
        )  # fmt: skip
    planned = (
        (paired.signed_rank, "primary"),
        (paired.net_improvement, "secondary"),
        (paired.win_odds, "secondary"),
        (paired.sign_test, "sensitivity"),
    )
    return rows + [question(pre, post).row(subset, role(plan)) for question, plan in planned]


def table_tests(pre: np.ndarray, post: np.ndarray, seed: int = 1) -> list[Result]:
    """Return the tests of the table of scores: symmetry, and the same distribution at both scans.

    Parameters
    ----------
    pre, post : (n, 2) lower and upper ends of the scores, without a missing value.
    seed : of Bowker's test where its exact form is out of reach.
    """
    n = len(pre)
    settled = (pre[:, 0] == pre[:, 1]) & (post[:, 0] == post[:, 1])
    certain = np.zeros((5, 5), dtype=np.int64)
    np.add.at(certain, (pre[settled, 0].astype(int), post[settled, 0].astype(int)), 1)
    left_open = np.hstack([pre, post])[~settled].astype(np.int64)
    way = paired.directions(pre, post)
    symmetry, margins = "transition.symmetry", "transition.marginal_homogeneity"
    asked = (
        (symmetry, "", "test of each change being as likely as its reverse", square.bowker),
        (symmetry, "asymptotic", "test of each change being as likely as its reverse",
         square.bowker_asymptotic),
        (margins, "", "test of the same distribution at both scans", square.stuart_maxwell),
        (margins, "scored", "test of the same mean score at both scans", square.scored),
        (margins, "scored_exact", "test of the same mean score at both scans", square.scored_exact),
    )  # fmt: skip
    found = []
    for analysis, variant, estimand, test in asked:
        blank = Result(analysis, estimand, variant=variant, n_patients=n)
        if refusal := limits.too_few_pairs(n):
            found.append(blank.refused(refusal))
            continue
        found.append(_table_test(blank, test, certain, left_open, way, seed))
    return found


def _table_test(
    blank: Result,
    test: Callable[..., square.SquareTest],
    certain: np.ndarray,
    left_open: np.ndarray,
    way: paired.Directions,
    seed: int,
) -> Result:
    told = square.bowker(certain, seed=seed) if test is square.bowker else test(certain)
    changed = way.up + way.down
    low, high, method = told.p_value, told.p_value, told.method
    numbers: dict[str, Any] = {"statistic": told.statistic, "df": told.df}
    if len(left_open):
        low, high, method = square.completed(test, certain, left_open)
        numbers = {}
    exact = "exact" in method or "Monte Carlo" in method
    if exact:
        caution = limits.few_differences(changed, way.undetermined, "changed")
        if blank.analysis == "transition.symmetry" and not len(left_open) and not caution:
            caution = limits.small_p_out_of_reach(square.smallest_bowker_p(certain))
    else:
        caution = limits.few_for_chi_square(changed, way.undetermined)
    drawn = told.error and method == told.method
    error = f"P by drawing tables at random; its standard error is {told.error:.2g}"
    reason = "; ".join(filter(None, (caution, error if drawn else "")))
    return replace(
        blank, p_value=high, p_low=low, p_high=high, p_method=method, n_events=changed,
        status="unstable" if caution else "ok", reason=reason, **numbers,
    )  # fmt: skip


def suvmax(patients: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return SUVmax at both scans of those who have both, each of shape (n,)."""
    measured = eligibility.analysed(patients, "transition.suvmax_ratio")
    pre, post = (measured[f"suvmax_{time}"].to_numpy(dtype=float) for time in ("pre", "post"))
    return pre, post


def _suvmax_rows(patients: pd.DataFrame, subset: str, role: Role) -> list[dict[str, Any]]:
    return [paired.suvmax_ratio(*suvmax(patients)).row(subset, role("secondary"))]


def _lesion_rows(lesion_changes: pd.DataFrame) -> list[dict[str, Any]]:
    compared = lesion_changes[lesion_changes["direction"].notna()]
    n = len(compared)
    rows = []
    for way in _WAYS:
        count = int(compared["direction"].eq(way).sum())
        values: dict[str, Any] = {
            "n_patients": compared["patient_id"].nunique(),
            "n_lesions": n,
            "n_events": count,
        }
        # Lesions of one patient are not independent, so the share has no interval here.
        values |= {"estimate": count / n} if n else statistics.not_estimable("no matched lesion")
        if n and (alone := limits.no_interval(int(values["n_patients"]))):
            values |= {"status": "unstable", "reason": alone}
        rows.append(
            statistics.row(
                "transition.proportion", "lesion_krenning", statistics.ALL, "proportion",
                term=way, **values,
            )
        )  # fmt: skip
    ratios = lesion_changes["suvmax_ratio"].dropna()
    measured = lesion_changes.loc[ratios.index, "patient_id"].nunique()
    values = {"n_patients": measured, "n_lesions": len(ratios)}
    if len(ratios):
        values |= {"estimate": float(ratios.median())}
        if alone := limits.no_interval(measured):
            values |= {"status": "unstable", "reason": alone}
    else:
        values |= statistics.not_estimable("no lesion has SUVmax at both scans")
    rows.append(
        statistics.row(
            "transition.suvmax_ratio", "lesion_suvmax", statistics.ALL, "median ratio",
            variant="median", **values,
        )
    )  # fmt: skip
    return rows
