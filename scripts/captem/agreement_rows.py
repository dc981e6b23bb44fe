"""The rows `agreement.*` and `sensitivity.fixed_reference`: can the scores be relied on?

Two readers of the same scan, the reader against what the SUVs alone would say, and the change of
that surrogate with the organs of each scan against those of baseline.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from captem import agreement, limits, paired, shares, surrogate
from captem.result import Result

TIMES = {"pre": "baseline", "post": "follow_up"}
_WEIGHTS: dict[str, agreement.Weights] = {"": "linear", "quadratic": "quadratic"}
_REFERENCES = ("own_reference", "baseline_reference")


def rows(
    patients: pd.DataFrame,
    changes: pd.DataFrame,
    subset: str,
    role: Callable[[str], str],
    boundaries: surrogate.Boundaries | None = None,
) -> list[dict[str, Any]]:
    """Return the rows of one subset.

    Parameters
    ----------
    patients, changes : canonical patient table and `transitions.csv` of the subset.
    role : what a planned role becomes in this subset.
    boundaries : the declared boundaries of the surrogate score (see `captem.surrogate`).
    """
    found: list[dict[str, Any]] = []
    for time, term in TIMES.items():
        found += [
            _readers(patients, time, weights, variant, term).row(subset, "descriptive")
            for variant, weights in _WEIGHTS.items()
        ]
    for time, term in TIMES.items():
        disagrees = changes[f"surrogate_disagrees_{time}"].dropna()
        count = (int(disagrees.eq("yes").sum()), len(disagrees))
        found += shares.rows(
            "agreement.surrogate", "krenning", subset, count, term=term, role="descriptive"
        )
    return found + _fixed_reference(patients, subset, role("sensitivity"), boundaries)


def _readers(
    patients: pd.DataFrame, time: str, weights: agreement.Weights, variant: str, term: str
) -> Result:
    names = [f"krenning_{time}{reader}_{end}" for reader in ("", "_reader2")
             for end in ("low", "high")]  # fmt: skip
    blank = Result("agreement.readers", f"weighted kappa, {weights}", term=term, variant=variant)
    if not set(names) <= set(patients):
        return replace(blank, n_patients=0).refused("no scores of a second reader are given")
    ends = patients[names].to_numpy(dtype=float)
    both = ends[np.isfinite(ends).all(axis=1)]
    points = both[(both[:, 0] == both[:, 1]) & (both[:, 2] == both[:, 3])].astype(int)
    n, intervals = len(points), len(both) - len(points)
    blank = replace(blank, n_patients=n)
    if refusal := limits.too_few_for_kappa(n, intervals):
        return blank.refused(refusal)
    told = agreement.weighted_kappa(points[:, 0], points[:, 2], weights=weights)
    if np.isnan(told.estimate):
        return blank.refused("both readers gave every scan the same score, so kappa is not defined")
    caution = limits.few_for_kappa(n, told.estimate, not np.isnan(told.conf_low))
    left_out = limits.left_out_of_kappa(intervals)
    result = replace(
        blank, estimate=told.estimate, status="unstable" if caution else "ok",
        n_events=int((points[:, 0] == points[:, 2]).sum()),
        reason="; ".join(filter(None, (caution, left_out))),
    )  # fmt: skip
    if np.isnan(told.conf_low):
        return result
    return replace(
        result, conf_low=told.conf_low, conf_high=told.conf_high, conf_level=0.95,
        interval_method="Fleiss-Cohen-Everitt, Wald",
    )  # fmt: skip


def _fixed_reference(
    patients: pd.DataFrame, subset: str, role: str, boundaries: surrogate.Boundaries | None
) -> list[dict[str, Any]]:
    """Return the net improvement of the surrogate score with the organs of each scan, and with
    those of baseline at both: what the organs alone, or an analogue, could do."""
    told = surrogate.fixed_reference(surrogate.columns(patients, boundaries))
    gains = told.gains.to_numpy(dtype=float)
    analysis, found = "sensitivity.fixed_reference", []
    for place, term in enumerate(_REFERENCES):
        ends = gains[:, 2 * place : 2 * place + 2]
        # Only the gain is an interval here; put against a baseline of 0 it stands for itself.
        result = paired.net_improvement(np.zeros_like(ends), ends)
        if not len(ends):
            result = result.refused("no patient has SUVmax of tumour and liver at both scans")
        found.append(result.row(subset, role, analysis=analysis, term=term))
    rises = gains[:, 0] > 0
    gone, may_be_gone = rises & (gains[:, 3] <= 0), rises & (gains[:, 2] <= 0)
    up = int(rises.sum())
    found += shares.rows(
        analysis, "krenning", subset, (int(gone.sum()), up), (int(may_be_gone.sum()), up),
        term="explained", role=role,
    )  # fmt: skip
    return found
