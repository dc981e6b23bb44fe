"""Models of the follow-up value given the baseline: does MIB1, do cycles, go with uptake gain?

Which models there are: `captem.planned_models`; what their columns are: `captem.terms`. How each is
fitted: `captem.krenning_model`, `captem.criterion_model`, `captem.suvmax_model`, and for lesions
`captem.lesion_krenning_model` and `captem.lesion_suvmax_model`. What may be fitted at all is asked
first (`captem.limits`). Beside the reported rows of a model of patients stand

===================  ===========================================================================
/maximum_likelihood  profile intervals and likelihood-ratio P, of the ordinal models
/bootstrap           BCa interval by patient for log2 MIB1      } `captem.resampled`
/permutation         P for log2 MIB1 given baseline             }
/imputed             missing terms imputed; the reported rows are those of complete cases
===================  ===========================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from captem import (
    criterion_model,
    eligibility,
    krenning_model,
    model_parts,
    statistics,
    suvmax_model,
    terms,
)
from captem.model_parts import Estimates, Model
from captem.planned_models import CRITERION, KRENNING, OF_PATIENTS, SUVMAX  # noqa: F401
from captem.terms import Design, Plan

_ABSENT = {
    "krenning_pre": ("krenning_pre_low", "the Krenning score at baseline"),
    "log2_mib1": ("mib1_low", "the MIB1 index"),
    "captem_cycles": ("captem_cycles", "the number of CAPTEM cycles"),
    "log2_suvmax_pre": ("suvmax_pre", "SUVmax at baseline"),
}


@dataclass(frozen=True)
class _Kind:
    """How models of one outcome are fitted."""

    fit: Callable[..., Estimates]
    effective_n: Callable[[pd.DataFrame], float]
    variants: tuple[str, ...] = ("",)


_KINDS = {
    "krenning": _Kind(krenning_model.fit, krenning_model.effective_n, krenning_model.VARIANTS),
    "criterion": _Kind(criterion_model.fit, criterion_model.effective_n),
    "suvmax": _Kind(suvmax_model.fit, suvmax_model.effective_n),
}


def estimate(
    patients: pd.DataFrame,
    lesions: pd.DataFrame,
    changes: pd.DataFrame,
    confirmatory: Sequence[str],
    plan: Plan,
    seed: int,
) -> tuple[pd.DataFrame, dict[str, dict[str, Any]]]:
    """Fit every model to every subset.

    Parameters
    ----------
    patients, lesions : canonical tables.
    changes : `transitions.csv` of the same patients in the same order, for the criterion.
    confirmatory : sources whose rows may claim what the plan says.
    seed : of resamples, permutations and imputations.

    Returns
    -------
    the rows `model.*` and `sensitivity.leave_one_out` of `statistics.csv`, and for each model what
    its JSON file holds, by subset.
    """
    if "captem_cycles" not in patients:
        patients = patients.assign(captem_cycles=pd.array([pd.NA] * len(patients), dtype="Int64"))
    status = changes.rename(
        columns={f"criterion_pre_{end}": f"krenning_pre_{end}" for end in ("low", "high")}
    ).assign(scored=changes["criterion_pre_low"].notna() & changes["criterion_post_low"].notna())
    asked = criterion_model.asked_of(patients, status)
    rows: list[dict[str, Any]] = []
    records: dict[str, dict[str, Any]] = {}
    for model in OF_PATIENTS:
        records[model.analysis] = {}
        given = asked if model.outcome == "criterion" else patients
        for subset, mask in statistics.subsets(patients["source"], confirmatory).items():
            role = statistics.role(model.planned, subset, patients["source"], confirmatory)
            found = _of_patients(model, subset, role, given[mask], plan, seed)
            rows += found.rows
            records[model.analysis][subset] = found.record
    return statistics.frame(rows), records


def _of_patients(
    model: Model, subset: str, role: str, given: pd.DataFrame, plan: Plan, seed: int
) -> Estimates:
    """Fit a model to the patients of a subset, with all that stands beside it."""
    kind = _KINDS[model.outcome]
    chosen = eligibility.analysed(given, model.analysis)
    if absent := _absent(given, model):
        found = model_parts.refused(model, subset, role, 0, absent, kind.variants)
        design = Design(model, np.empty((0, len(model.terms))))
    else:
        design = terms.design(model, chosen, plan, kind.effective_n(chosen))
        found = kind.fit(design.model, subset, role, chosen, design.x)
    rows = found.rows + _dropped(design, subset, len(chosen))
    record = {"terms": list(design.model.terms), "dropped": design.dropped} | found.record
    return Estimates(rows, record)


def _dropped(design: Design, subset: str, n: int) -> list[dict[str, Any]]:
    """Return a row for each term of the plan that the model does without."""
    return [
        statistics.row(
            design.model.analysis, design.model.outcome, subset,
            model_parts.estimand(design.model), term=name, n_patients=n,
            **statistics.not_estimable(f"dropped from the model: {reason}"),
        )
        for name, reason in design.dropped.items()
    ]  # fmt: skip


def _absent(patients: pd.DataFrame, model: Model) -> str:
    """Return a sentence where a term of the model is known of no patient at all, or empty text."""
    missing = [_ABSENT[term][1] for term in model.terms if patients[_ABSENT[term][0]].isna().all()]
    if not missing or patients.empty:
        return ""
    return f"no patient has a value for {' and '.join(missing)}"
