"""Models of the follow-up value given the baseline: does MIB1, do cycles, go with uptake gain?

Which models there are: `captem.planned_models`; what their columns are: `captem.terms`. How each is
fitted: `captem.krenning_model`, `captem.criterion_model`, `captem.suvmax_model`, and for lesions
`captem.lesion_krenning_model` and `captem.lesion_suvmax_model`. What may be fitted at all is asked
first (`captem.limits`). Beside the reported rows stand

===================  ===========================================================================
/maximum_likelihood  profile intervals and likelihood-ratio P, of the ordinal models of patients
/bootstrap           BCa interval by patient for log2 MIB1      } of models without cycles,
/permutation         P for log2 MIB1 given baseline             } `captem.resampled`
/imputed             missing terms imputed, of models of patients; the reported rows are those of
                     complete cases (`captem.imputed`)
/gee                 estimating equations, of models of lesions (`captem.lesion_parts`)
===================  ===========================================================================

What single patients do to a fit, its residuals and the look at proportional odds go into its record
(`captem.diagnostics`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from captem import (
    criterion_model,
    diagnostics,
    eligibility,
    imputed,
    krenning_model,
    lesion_data,
    lesion_krenning_model,
    lesion_parts,
    lesion_suvmax_model,
    model_parts,
    resampled,
    statistics,
    suvmax_model,
    terms,
)
from captem.model_parts import PRIMARY_TERM, Estimates, Model
from captem.planned_models import CYCLES, KRENNING, OF_LESIONS, OF_PATIENTS
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


_OF_LESIONS = {
    "lesion_krenning": lesion_krenning_model.fit,
    "lesion_suvmax": lesion_suvmax_model.fit,
}
REPLICATES = 2000


@dataclass(frozen=True)
class _Asked:
    """What is the same for all models of a run."""

    plan: Plan
    seed: int
    replicates: int


def estimate(
    patients: pd.DataFrame,
    lesions: pd.DataFrame,
    changes: pd.DataFrame,
    confirmatory: Sequence[str],
    plan: Plan,
    seed: int,
    replicates: int = REPLICATES,
) -> tuple[pd.DataFrame, dict[str, dict[str, Any]]]:
    """Fit every model to every subset.

    Parameters
    ----------
    patients, lesions : canonical tables.
    changes : `transitions.csv` of the same patients in the same order, for the criterion.
    confirmatory : sources whose rows may claim what the plan says.
    seed : of resamples, permutations and imputations.
    replicates : how many resamples and permutations.

    Returns
    -------
    the rows `model.*` and `sensitivity.leave_one_out` of `statistics.csv`, and for each model what
    its JSON file holds, by subset.
    """
    if CYCLES not in patients:
        patients = patients.assign(**{CYCLES: pd.array([pd.NA] * len(patients), dtype="Int64")})
    asked = _Asked(plan, seed, replicates)
    of_criterion = criterion_model.asked_of(patients, criterion_model.status_of(changes))
    with_lesions = lesion_data.with_counts(patients, lesions)
    subsets = statistics.subsets(patients["source"], confirmatory)
    rows: list[dict[str, Any]] = []
    records: dict[str, dict[str, Any]] = {}
    for model in (*OF_PATIENTS, *OF_LESIONS):
        records[model.analysis] = {}
        for subset, mask in subsets.items():
            role = statistics.role(model.planned, subset, patients["source"], confirmatory)
            if model in OF_LESIONS:
                found = _of_lesions(model, subset, role, with_lesions[mask], lesions, asked)
            else:
                given = of_criterion if model.outcome == "criterion" else patients
                found = _of_patients(model, subset, role, given[mask], asked)
            beside = statistics.role("sensitivity", subset, patients["source"], confirmatory)
            rows += [
                row | {"role": beside} if row["role"] == "sensitivity" else row
                for row in found.rows
            ]
            records[model.analysis][subset] = found.record
    return statistics.frame(rows), records


def primary(patients: pd.DataFrame, confirmatory: Sequence[str], plan: Plan) -> pd.DataFrame:
    """Return the reported rows of the primary model in each subset, and nothing beside them.

    Parameters: see `estimate`.
    """
    rows: list[dict[str, Any]] = []
    for subset, mask in statistics.subsets(patients["source"], confirmatory).items():
        role = statistics.role(KRENNING.planned, subset, patients["source"], confirmatory)
        chosen = eligibility.analysed(patients[mask], KRENNING.analysis, plan.covariates)
        if absent := _absent(patients[mask], KRENNING) or terms.absent(patients[mask], plan):
            rows += model_parts.refused(KRENNING, subset, role, 0, absent).rows
            continue
        design = terms.design(KRENNING, chosen, plan, krenning_model.effective_n(chosen))
        rows += krenning_model.fit(
            design.model, subset, role, chosen, design.x, reported_only=True
        ).rows
    return statistics.frame(rows)


def _of_patients(
    model: Model, subset: str, role: str, given: pd.DataFrame, asked: _Asked
) -> Estimates:
    """Fit a model to the patients of a subset, with all that stands beside it."""
    kind = _KINDS[model.outcome]
    chosen = eligibility.analysed(given, model.analysis, asked.plan.covariates)
    if absent := _absent(given, model) or terms.absent(given, asked.plan):
        found = model_parts.refused(model, subset, role, 0, absent, kind.variants)
        design = Design(model, np.empty((0, len(model.terms))))
    else:
        design = terms.design(model, chosen, asked.plan, kind.effective_n(chosen))
        found = kind.fit(design.model, subset, role, chosen, design.x)
    reported = next(row for row in found.rows if row["term"] == PRIMARY_TERM)
    rows = found.rows + _dropped(design, subset, len(chosen))
    record = {"terms": list(design.model.terms), "dropped": design.dropped} | found.record
    if record["status"] == "ok" and reported["status"] == "unstable":
        record |= {"status": "unstable", "reason": reported["reason"]}
    if CYCLES not in model.terms:
        rows += resampled.rows(
            design.model, subset, chosen, design.x, reported, asked.seed, asked.replicates
        )
    beside = _imputed(design.model, subset, given, absent, asked)
    rows += beside.rows
    record[imputed.IMPUTED] = beside.record
    influence: dict[str, Any] = {"patients": len(chosen)}
    if record["status"] != "not_estimable":
        diagnosed = diagnostics.of_fit(model.outcome, chosen, design.x, design.model.terms, record)
        influence = diagnosed["influence"]
        record["diagnostics"] = diagnosed
    if model == KRENNING:
        rows += diagnostics.leave_one_out_rows(
            subset, influence, reported["status"], reported["reason"]
        )
    return Estimates(rows, record)


def _imputed(
    model: Model, subset: str, given: pd.DataFrame, absent: str, asked: _Asked
) -> Estimates:
    """Fit a model with its missing terms imputed; `absent` says which nobody has."""
    chosen = imputed.candidates(given, model.analysis)
    if absent:
        return model_parts.refused(
            model, subset, "sensitivity", len(chosen), absent, (imputed.IMPUTED,)
        )
    try:
        x = terms.columns(chosen, model.terms, asked.plan).to_numpy(dtype=float)
    except ValueError as fault:
        return model_parts.refused(
            model, subset, "sensitivity", len(chosen), str(fault), (imputed.IMPUTED,)
        )
    return imputed.rows(model, subset, chosen, x, asked.seed)


def _of_lesions(
    model: Model,
    subset: str,
    role: str,
    given: pd.DataFrame,
    lesions: pd.DataFrame,
    asked: _Asked,
) -> Estimates:
    """Fit a model to the lesions of the patients of a subset."""
    chosen = eligibility.analysed(given, model.analysis)
    found = lesion_data.rows(chosen, lesions, model.outcome)
    x = terms.main(found, asked.plan.mib1_floor)[list(model.terms)].to_numpy(dtype=float)
    own = lesions[lesions["patient_id"].isin(given["patient_id"])]
    if absent := lesion_data.absent(own, model.outcome) or _absent(given, model, of_patient=True):
        given_lesions = lesion_parts.sample(found["patient_id"], x, 0.0)
        fitted = lesion_parts.refused(model, subset, role, given_lesions, absent)
    else:
        fitted = _OF_LESIONS[model.outcome](model, subset, role, found, x)
    rows = list(fitted.rows)
    if CYCLES not in model.terms:
        reported = next(row for row in rows if row["term"] == PRIMARY_TERM)
        rows.append(
            resampled.of_lesions(model, subset, found, x, reported, asked.seed, asked.replicates)
        )
    return Estimates(rows, {"terms": list(model.terms)} | fitted.record)


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


def _absent(patients: pd.DataFrame, model: Model, of_patient: bool = False) -> str:
    """Return a sentence where a term of the model is known of no patient at all, or empty text.

    `of_patient` asks only for the terms that a lesion does not have of its own.
    """
    asked = [term for term in model.terms if not of_patient or term in (PRIMARY_TERM, CYCLES)]
    missing = [_ABSENT[term][1] for term in asked if patients[_ABSENT[term][0]].isna().all()]
    if not missing or patients.empty:
        return ""
    return f"no patient has a value for {' and '.join(missing)}"
