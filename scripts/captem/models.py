"""Models of the follow-up value given the baseline: does MIB1, do cycles, go with uptake gain?

A change is never regressed on its own baseline: the follow-up value is the outcome and the baseline
a predictor. Cycles are counted after baseline, and patients who respond are given more of them, so
they stand in a model of their own, as an association, and never adjust the primary model.

==========================  ======================================  ============================
model                       outcome                                 terms
==========================  ======================================  ============================
model.krenning              follow-up Krenning score, an interval   krenning_pre, log2_mib1
                            where the sheet gives one
model.krenning_cycles       the same                                and captem_cycles
model.suvmax                log2 SUVmax at follow-up                log2_suvmax_pre, log2_mib1
==========================  ======================================  ============================

The Krenning models are proportional odds by maximum likelihood with profile intervals and
likelihood-ratio P (`captem.ordinal`); SUVmax is least squares with HC3 standard errors and t
(Long & Ervin 2000). What may be fitted at all is asked first (`captem.limits`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from captem import eligibility, limits, ordinal, statistics
from captem.describe import midpoint

LEVEL = 0.95
PRIMARY_TERM = "log2_mib1"
UNITS = {
    "krenning_pre": "per step at baseline",
    "log2_mib1": "per doubling of MIB1",
    "captem_cycles": "per cycle",
    "log2_suvmax_pre": "per doubling of baseline SUVmax",
}


@dataclass(frozen=True)
class Model:
    """What a model asks; `analysis` names its rows and its file."""

    analysis: str
    outcome: str
    terms: tuple[str, ...]
    planned: str


KRENNING = Model("model.krenning", "krenning", ("krenning_pre", PRIMARY_TERM), "primary")
KRENNING_CYCLES = Model(
    "model.krenning_cycles", "krenning", (*KRENNING.terms, "captem_cycles"), "exploratory"
)
SUVMAX = Model("model.suvmax", "suvmax", ("log2_suvmax_pre", PRIMARY_TERM), "secondary")
MODELS = (KRENNING, KRENNING_CYCLES, SUVMAX)


@dataclass(frozen=True)
class Estimates:
    """A fitted model as its rows and as the content of `models/<model>.json`."""

    rows: list[dict[str, Any]]
    record: dict[str, Any]


def predictors(patients: pd.DataFrame, mib1_floor: float) -> pd.DataFrame:
    """Return every term of every model, one row a patient.

    Intervals count at their midpoint. A MIB1 below `mib1_floor` percent (a zero, or `<1`) is raised
    to it, since its logarithm would otherwise decide the fit alone.
    """
    cycles = patients.get("captem_cycles", pd.Series(np.nan, index=patients.index))
    with np.errstate(divide="ignore"):
        return pd.DataFrame(
            {
                "krenning_pre": midpoint(patients, "krenning_pre"),
                "log2_mib1": np.log2(midpoint(patients, "mib1").clip(lower=mib1_floor)),
                "captem_cycles": cycles.astype(float),
                "log2_suvmax_pre": np.log2(patients["suvmax_pre"].astype(float)),
            }
        )


def estimate(
    patients: pd.DataFrame, confirmatory: Sequence[str], mib1_floor: float
) -> tuple[pd.DataFrame, dict[str, dict[str, Any]]]:
    """Fit every model to every subset.

    Parameters
    ----------
    patients : canonical patient table.
    confirmatory : sources whose rows may claim what the plan says.
    mib1_floor : percent, see `predictors`.

    Returns
    -------
    the rows `model.*` of `statistics.csv`, and for each model what its JSON file holds, by subset.
    """
    if "captem_cycles" not in patients:
        patients = patients.assign(captem_cycles=pd.array([pd.NA] * len(patients), dtype="Int64"))
    rows: list[dict[str, Any]] = []
    records: dict[str, dict[str, Any]] = {}
    for model in MODELS:
        records[model.analysis] = {}
        for subset, mask in statistics.subsets(patients["source"], confirmatory).items():
            planned = statistics.role(model.planned, subset, patients["source"], confirmatory)
            chosen = eligibility.analysed(patients[mask], model.analysis)
            absent = _absent(patients[mask], model)
            x = predictors(chosen, mib1_floor)[list(model.terms)].to_numpy()
            fit = _fit_suvmax if model.outcome == "suvmax" else _fit_krenning
            variant = "" if model.outcome == "suvmax" else _ML
            found = (
                _refused(model, subset, planned, variant, 0, absent)
                if absent
                else fit(model, subset, planned, chosen, x)
            )
            rows += found.rows
            records[model.analysis][subset] = {"terms": list(model.terms)} | found.record
    return statistics.frame(rows), records


def _absent(patients: pd.DataFrame, model: Model) -> str:
    """Return a sentence where a term of the model is known of no patient at all, or empty text."""
    needed = {
        "krenning_pre": ("krenning_pre_low", "the Krenning score at baseline"),
        "log2_mib1": ("mib1_low", "the MIB1 index"),
        "captem_cycles": ("captem_cycles", "the number of CAPTEM cycles"),
        "log2_suvmax_pre": ("suvmax_pre", "SUVmax at baseline"),
    }
    missing = [needed[term][1] for term in model.terms if patients[needed[term][0]].isna().all()]
    if not missing or patients.empty:
        return ""
    return f"no patient has a value for {' and '.join(missing)}"


def _rows(
    model: Model, subset: str, role: str, variant: str, values: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return one row a term; only the primary term carries the role of the model."""
    estimand = "odds ratio" if model.outcome == "krenning" else "ratio"
    return [
        statistics.row(
            model.analysis, model.outcome, subset, estimand, term=term, variant=variant,
            role=role if term in (PRIMARY_TERM, "captem_cycles") else "descriptive",
            unit=UNITS[term], **found,
        )
        for term, found in zip(model.terms, values, strict=True)
    ]  # fmt: skip


def _refused(
    model: Model, subset: str, role: str, variant: str, n: int, reason: str, **record: Any
) -> Estimates:
    values = [{"n_patients": n} | statistics.not_estimable(reason) for _ in model.terms]
    rows = _rows(model, subset, role, variant, values)
    return Estimates(rows, {"n": n, "status": "not_estimable", "reason": reason} | record)


# Krenning score

_ML = "maximum_likelihood"


def _fit_krenning(
    model: Model, subset: str, role: str, chosen: pd.DataFrame, x: np.ndarray
) -> Estimates:
    low = chosen["krenning_post_low"].to_numpy(dtype=int)
    high = chosen["krenning_post_high"].to_numpy(dtype=int)
    n = len(chosen)
    reason = _krenning_refusal(model, low, high, x)
    if reason:
        return _refused(model, subset, role, _ML, n, reason)
    fit = ordinal.fit(low, high, x)
    if not fit.converged or fit.aliased:
        return _refused(
            model, subset, role, _ML, n, "the likelihood has no single maximum that could be found"
        )
    effective = ordinal.effective_n(low, high)
    caution = limits.few_for_regression(effective, len(model.terms))
    values = []
    for column, term in enumerate(model.terms):
        doubt = caution or limits.short_span(float(np.ptp(x[:, column])), UNITS[term])
        bounds = ordinal.profile_interval(fit, column, LEVEL)
        statistic, p_value = ordinal.likelihood_ratio(fit, column)
        values.append(
            {
                "estimate": float(np.exp(fit.beta[column])),
                "conf_low": float(np.exp(bounds[0])),
                "conf_high": float(np.exp(bounds[1])),
                "conf_level": LEVEL,
                "interval_method": "profile likelihood",
                "statistic": statistic,
                "df": 1,
                "p_value": p_value,
                "p_method": "likelihood ratio",
                "n_patients": n,
                "status": "unstable" if doubt else "ok",
                "reason": doubt,
            }
        )
    record = {
        "n": n,
        "status": "unstable" if caution else "ok",
        "reason": caution,
        "method": "proportional odds, maximum likelihood; logit P(Y <= j) = theta_j - x'beta",
        "coefficients": dict(zip(model.terms, fit.beta.tolist(), strict=True)),
        "thresholds": dict(zip(fit.threshold_labels, fit.thresholds.tolist(), strict=True)),
        "covariance": {
            "names": [*fit.threshold_labels, *model.terms],
            "values": fit.covariance.tolist(),
        },
        "loglik": fit.loglik,
        "effective_n": effective,
        "interval_outcomes": int((low != high).sum()),
        "flags": {
            "converged": fit.converged,
            "max_abs_gradient": fit.max_abs_gradient,
            "condition_number": fit.condition_number,
            "collapsed_scores": list(fit.collapsed),
        },
    }
    return Estimates(_rows(model, subset, role, _ML, values), record)


def _krenning_refusal(model: Model, low: np.ndarray, high: np.ndarray, x: np.ndarray) -> str:
    """Return why the ordinal model may not be fitted, or empty text."""
    n = len(low)
    if n < limits.MIN_PAIRS:
        return limits.too_few_pairs(n).replace("both scans scored", "all that the model needs")
    if low.max() <= high.min():
        return "all follow-up scores may be the same, so nothing can go with a difference in them"
    if reason := _collinear(model, ordinal.aliased(x)):
        return reason
    categories = len(set(low) | set(high))
    parameters = categories - 1 + len(model.terms)
    effective = ordinal.effective_n(low, high)
    if reason := limits.too_few_for_regression(n, parameters, effective, len(model.terms)):
        return reason
    if apart := _separating(model, low, high, x):
        return (
            f"{' and '.join(apart)} separate{'s' if len(apart) == 1 else ''} the follow-up scores: "
            "the odds ratio that fits best is infinite or zero"
        )
    return ""


def _separating(model: Model, low: np.ndarray, high: np.ndarray, x: np.ndarray) -> list[str]:
    """Return the terms that cause separation: those without which there is none, else all."""
    receding = ordinal.separated(low, high, x)
    terms = [term for term, yes in zip(model.terms, receding, strict=True) if yes]
    causes = [
        term
        for i, term in enumerate(model.terms)
        if receding[i] and not ordinal.separated(low, high, np.delete(x, i, axis=1)).any()
    ]
    return causes or terms


def _collinear(model: Model, aliased: Sequence[int]) -> str:
    if not aliased:
        return ""
    names = " and ".join(model.terms[i] for i in aliased)
    return f"{names} cannot be told apart from the other terms (constant or a copy of them)"


# SUVmax


def _fit_suvmax(
    model: Model, subset: str, role: str, chosen: pd.DataFrame, x: np.ndarray
) -> Estimates:
    n, parameters = len(chosen), len(model.terms) + 1
    if n < limits.MIN_PAIRS:
        reason = limits.too_few_pairs(n).replace("both scans scored", "all that the model needs")
        return _refused(model, subset, role, "", n, reason)
    reason = _collinear(model, ordinal.aliased(x)) or limits.too_few_for_regression(
        n, parameters, n, len(model.terms)
    )
    if reason:
        return _refused(model, subset, role, "", n, reason)
    y = np.log2(chosen["suvmax_post"].to_numpy(dtype=float))
    from statsmodels.regression.linear_model import OLS

    design = np.column_stack([np.ones(n), x])
    leverage = np.einsum("ij,ji->i", design, np.linalg.pinv(design))
    if leverage.max() >= limits.MAX_LEVERAGE:
        return _refused(
            model, subset, role, "", n,
            "one patient alone decides a coefficient (leverage 1), so it has no standard error",
            max_leverage=float(leverage.max()),
        )  # fmt: skip
    fit = OLS(y, design).fit(cov_type="HC3", use_t=True)
    if fit.ssr <= limits.MIN_RESIDUAL * float(y @ y):
        return _refused(
            model, subset, role, "", n,
            "SUVmax at follow-up is an exact function of the terms, so there is no residual to "
            "judge by; was a column copied?",
        )  # fmt: skip
    caution = limits.few_for_regression(n, len(model.terms))
    doubts = [
        caution or limits.short_span(float(np.ptp(x[:, i])), UNITS[term])
        for i, term in enumerate(model.terms)
    ]
    bounds = fit.conf_int(1 - LEVEL)
    values = [
        {
            # On the scale of SUVmax: the factor by which SUVmax at follow-up differs per unit.
            "estimate": float(2 ** fit.params[i]),
            "conf_low": float(2 ** bounds[i][0]),
            "conf_high": float(2 ** bounds[i][1]),
            "conf_level": LEVEL,
            "interval_method": "HC3, t",
            "statistic": float(fit.tvalues[i]),
            "df": float(fit.df_resid),
            "p_value": float(fit.pvalues[i]),
            "p_method": "HC3, t",
            "n_patients": n,
            "status": "unstable" if doubts[i - 1] else "ok",
            "reason": doubts[i - 1],
        }
        for i in range(1, parameters)
    ]
    record = {
        "n": n,
        "status": "unstable" if caution else "ok",
        "reason": caution,
        "method": "least squares on log2 SUVmax, HC3 standard errors",
        "coefficients": dict(zip(("intercept", *model.terms), fit.params.tolist(), strict=True)),
        "covariance": {
            "names": ["intercept", *model.terms],
            "values": np.asarray(fit.cov_params()).tolist(),
        },
        "effective_n": n,
        "flags": {
            "condition_number": float(fit.condition_number),
            "max_leverage": float(leverage.max()),
        },
    }
    return Estimates(_rows(model, subset, role, "", values), record)
