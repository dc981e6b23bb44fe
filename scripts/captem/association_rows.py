"""The rows `association.*`: does uptake gain go with the MIB1 index, with CAPTEM cycles?

Rank correlations of the gain, in steps of the Krenning score and as the ratio of SUVmax. A MIB1
interval counts at its midpoint, and one without an upper end is left out. Cycles are counted after
baseline, and patients who respond are given more of them: what goes with them is association only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from captem import association, eligibility, limits
from captem.criterion import SCORES
from captem.describe import midpoint
from captem.result import Result

_COEFFICIENTS = (
    ("", "Kendall tau-b", association.kendall),
    ("spearman", "Spearman rho", association.spearman),
)
_OUTCOMES = {"krenning": "association.{}", "suvmax": "association.{}_suvmax"}
_TERMS = {"mib1": "mib1", "cycles": "captem_cycles"}


def rows(
    patients: pd.DataFrame, subset: str, role: Callable[[str], str], seed: int
) -> list[dict[str, Any]]:
    """Return the rows of one subset.

    Parameters
    ----------
    patients : canonical patient table of the subset.
    role : what a planned role becomes in this subset.
    seed : of the permutations.
    """
    found = []
    for name, column in _TERMS.items():
        for outcome, needs in _OUTCOMES.items():
            chosen = eligibility.analysed(patients, needs.format(name))
            x = midpoint(chosen, column).to_numpy(dtype=float)
            gains = _gains(chosen, outcome)
            answers = of_values(name, outcome, x, *gains, seed)
            found += [answer.row(subset, role("exploratory")) for answer in answers]
    return found


def of_values(
    name: str,
    outcome: str,
    x: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    seed: int,
    effort: association.Effort = association.FULL,
) -> list[Result]:
    """Return how gains go with MIB1 or with cycles, by each coefficient.

    Parameters
    ----------
    name, outcome : `mib1` or `cycles`; `krenning` or `suvmax`.
    x, low, high : (n,) values, and the ends of the gains.
    seed, effort : of P.
    """
    blanks = (
        (Result(f"association.{name}", estimand, outcome, variant=variant, n_patients=len(x)), call)
        for variant, estimand, call in _COEFFICIENTS
    )
    return [_answered(blank, x, low, high, call, seed, effort) for blank, call in blanks]


def _gains(patients: pd.DataFrame, outcome: str) -> tuple[np.ndarray, np.ndarray]:
    if outcome == "suvmax":
        pre, post = (patients[f"suvmax_{time}"].to_numpy(dtype=float) for time in ("pre", "post"))
        return (ratio := np.log2(post / pre)), ratio
    ends = patients[list(SCORES)].to_numpy(dtype=float)
    return ends[:, 2] - ends[:, 1], ends[:, 3] - ends[:, 0]


def _answered(
    blank: Result,
    x: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    coefficient: Callable[..., association.Association],
    seed: int,
    effort: association.Effort,
) -> Result:
    n = len(x)
    varies = [len(values) > 0 and values.min() < values.max() for values in (x, low, high)]
    if refusal := limits.too_few_for_association(n, varies[0], varies[1] or varies[2]):
        return blank.refused(refusal)
    told = coefficient(x, low, None if (low == high).all() else high, seed=seed, effort=effort)
    least = told.smallest_p
    caution = limits.few_for_association(n, least)
    said = "" if np.isnan(least) else f"smallest P possible: {least:.2g}"
    if "permutation" in told.method:
        error = np.sqrt(told.p_value * (1 - told.p_value) / effort.draws)
        said = f"P by permutations drawn at random; its standard error is {error:.1g}"
    reason = caution or said
    return replace(
        blank, estimate=told.estimate, p_value=told.p_value, p_low=told.p_low, p_high=told.p_high,
        p_method=told.method, smallest_p=None if np.isnan(least) else least,
        status="unstable" if caution else "ok", reason=reason,
    )  # fmt: skip
