"""Beside the complete cases: the same models with missing predictors imputed.

The reported rows are those of patients who have every term. Here patients who lack MIB1, cycles or
a covariate come in, by chained equations with predictive mean matching (`captem.missing`), pooled
by Rubin's rules with the degrees of freedom of Barnard & Rubin (`captem.rubin`) on the scale of the
coefficients. The imputation model holds all terms, the outcome (a score at its midpoint) and, where
at least half of the patients have it, the other scale of uptake: SUVmax in the models of scores,
scores in that of SUVmax. Baseline uptake and outcome are never imputed, and neither is a MIB1 that
is known to lie above something (`>20`): what is drawn might contradict it.

Each imputed table is fitted by the reported estimator; its variances are those of the reported
intervals where these are by Wald or HC3, and the inverse information (as R's logistf) for Firth.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from captem import (
    bias_reduced_batch,
    eligibility,
    firth,
    influence,
    limits,
    missing,
    model_parts,
    ordinal,
    rubin,
)
from captem.describe import midpoint
from captem.model_parts import LEVEL, Estimates, Model

IMPUTED = "imputed"
# Conditions of `captem.eligibility` that imputation makes up for.
MAY_LACK = ("mib1", "cycles")
_DONORS, _ITERATIONS = 5, 10
_BASELINES = ("krenning_pre", "log2_suvmax_pre")
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class _Outcome:
    """The follow-up of n patients: ends of a score, and one number for the imputation model.

    `low`, `high` are 0 and 1 for the criterion, and unused for SUVmax.
    """

    low: Integers
    high: Integers
    value: Floats


@dataclass(frozen=True)
class _Method:
    """How the models of one outcome are fitted to imputed tables.

    `fit` takes the outcome and tables (m, n, p), and returns m estimates and their variances, each
    of shape (m, p), NaN where there is none. `least` are effective observations per coefficient.
    """

    name: str
    fit: Callable[[_Outcome, Floats], tuple[Floats, Floats]]
    least: float


def candidates(
    patients: pd.DataFrame, analysis: str, may_lack: Sequence[str] = MAY_LACK
) -> pd.DataFrame:
    """Return the patients who have all that `analysis` needs but for what can be imputed."""
    needed = tuple(item for item in eligibility.NEEDS[analysis] if item.name not in may_lack)
    return patients[eligibility.answers(patients, needed).all(axis=1)]


def rows(model: Model, subset: str, chosen: pd.DataFrame, x: np.ndarray, seed: int) -> Estimates:
    """Fit a model to patients some of whom lack a term.

    Parameters
    ----------
    model : its terms, in the order of the columns of `x`.
    chosen : the n patients, as `candidates` returns them, with the columns of the outcome (see
        `captem.refits`), and those of the other scale where there are any.
    x : (n, p) the terms of the model, NaN where missing; never in the baseline uptake.
    seed : non-negative. Each model and subset draws from a stream of its own.

    Returns
    -------
    one row a term, with the variant `imputed`, and the record of the imputation.

    Raises
    ------
    ValueError
        If a baseline uptake is missing, or `x` does not fit to the patients.
    """
    x = np.asarray(x, dtype=float)
    if x.shape != (len(chosen), len(model.terms)):
        raise ValueError("There must be one row of terms for each patient.")
    gaps = np.isnan(x)
    if any(gaps[:, i].any() for i, term in enumerate(model.terms) if term in _BASELINES):
        raise ValueError("Baseline uptake is never imputed: leave such patients out.")
    outcome = _outcome(model, chosen)
    auxiliaries = _auxiliaries(model, chosen)
    n, incomplete = len(chosen), int(gaps.any(axis=1).sum())
    told: dict[str, Any] = {
        "incomplete": incomplete,
        "missing": dict(zip(model.terms, gaps.sum(axis=0).tolist(), strict=True)),
    }
    width = x.shape[1] + 1 + len(auxiliaries)
    reason = _refusal(model, outcome, x) or _not_imputable(model, gaps, width)
    if reason:
        return _refused(model, subset, n, reason, told)
    table = np.column_stack([x, outcome.value, *auxiliaries.values()])
    # By their values, so that the order of patients in the sheet does not matter.
    order = np.lexsort([outcome.low, outcome.high, *table.T])
    outcome = _Outcome(outcome.low[order], outcome.high[order], outcome.value[order])
    share = incomplete / n
    made = missing.impute(
        table[order],
        [*["numeric"] * x.shape[1], "outcome", *["numeric"] * len(auxiliaries)],
        missing.number_of_imputations(share),
        _seed(seed, model, subset),
        _DONORS,
        _ITERATIONS,
    )
    names = [*model.terms, "follow-up", *auxiliaries]
    told |= {
        "imputations": len(made.values),
        "fraction_missing": share,
        "auxiliaries": list(auxiliaries),
        "donors": _DONORS,
        "iterations": _ITERATIONS,
        "rhat": {
            name: float(value)
            for name, value in zip(names, made.rhat, strict=True)
            if math.isfinite(value)
        },
    }
    if left_out := {names[predictor] for _, predictor in made.aliased} - set(auxiliaries):
        reason = (
            f"{' and '.join(sorted(left_out))} cannot be told apart from the other terms among "
            "those who have the value that is to be imputed"
        )
        return _refused(model, subset, n, reason, told)
    return _pooled(model, subset, chosen, outcome, made, told)


def _pooled(
    model: Model,
    subset: str,
    chosen: pd.DataFrame,
    outcome: _Outcome,
    made: missing.Imputed,
    told: dict[str, Any],
) -> Estimates:
    n, p = len(chosen), len(model.terms)
    tables = made.values[:, :, :p]
    method = _METHODS[model.outcome]
    estimates, variances = method.fit(outcome, tables)
    pooled = rubin.pool(estimates, variances, n - _parameters(model, outcome), LEVEL)
    if failed := int(pooled.failed.max()):
        reason = f"in {failed} of {len(tables)} imputed tables the model has no estimate"
        return _refused(model, subset, n, reason, told)
    effective = _effective(model, outcome)
    caution = (
        _apart(model, outcome, tables)
        or limits.unsettled_imputation(max(told["rhat"].values(), default=math.nan))
        or limits.few_for_regression(effective, p)
    )
    doubts = model_parts.doubts(model, tables[0], caution)
    events = {"n_events": int(outcome.value.sum())} if model.outcome == "criterion" else {}
    scale = math.log(2.0) if model.outcome == "suvmax" else 1.0
    values = []
    for i, doubt in enumerate(doubts):
        ends = [
            model_parts.ratio(scale * float(number[i]))
            for number in (pooled.estimate, pooled.conf_low, pooled.conf_high)
        ]
        if math.inf in ends:
            doubt = doubt or "an end of the interval is too large for a number"
        values.append(
            {
                "estimate": ends[0],
                "conf_low": ends[1],
                "conf_high": ends[2],
                "conf_level": LEVEL,
                "interval_method": method.name,
                "statistic": float(pooled.statistic[i]),
                "df": float(pooled.df[i]),
                "p_value": float(pooled.p_value[i]),
                "p_method": method.name,
                "n_patients": n,
                "status": "unstable" if doubt else "ok",
                "reason": doubt,
            }
            | events
        )
    record = {
        "n": n,
        "status": "unstable" if caution else "ok",
        "reason": caution,
        "method": method.name,
        "effective_n": effective,
        **told,
        **{
            name: dict(zip(model.terms, numbers.tolist(), strict=True))
            for name, numbers in (
                ("coefficients", pooled.estimate),
                ("standard_errors", pooled.standard_error),
                ("df", pooled.df),
                ("fraction_of_missing_information", pooled.fmi),
            )
        },
    }
    return Estimates(model_parts.rows(model, subset, "sensitivity", values, IMPUTED), record)


def _refused(model: Model, subset: str, n: int, reason: str, record: dict[str, Any]) -> Estimates:
    return model_parts.refused(model, subset, "sensitivity", n, reason, (IMPUTED,), **record)


def _refusal(model: Model, outcome: _Outcome, x: Floats) -> str:
    """Return why the model may not be fitted even if nothing were missing, or empty text."""
    n = len(x)
    if reason := model_parts.too_few(n):
        return reason
    if model.outcome != "suvmax" and outcome.low.max() <= outcome.high.min():
        return "the follow-up may be the same in all patients, so nothing can go with it"
    return limits.too_few_for_regression(
        n,
        _parameters(model, outcome),
        _effective(model, outcome),
        len(model.terms),
        _METHODS[model.outcome].least,
    )


def _not_imputable(model: Model, gaps: NDArray[np.bool_], columns: int) -> str:
    """Return why nothing is imputed, or empty text; `columns` are those of the imputation model."""
    n, incomplete = len(gaps), int(gaps.any(axis=1).sum())
    if not incomplete:
        return "no term that the model keeps is missing"
    if reason := limits.too_few_for_imputation(n, incomplete):
        return reason
    lacking = [term for i, term in enumerate(model.terms) if gaps[:, i].any()]
    categories = [term.split("=")[0] for term in lacking if "=" in term]
    for name in categories:
        if categories.count(name) > 1:
            return f"{name} has several levels, and only numbers and yes or no are imputed"
    if bent := [term for term in lacking if term.endswith("_nonlinear")]:
        return f"{bent[0]} is made of another term and cannot be imputed beside it"
    if n - int(gaps.sum(axis=0).max()) <= columns + 1:
        return "fewer patients have the missing values than the imputation model has columns"
    return ""


def _parameters(model: Model, outcome: _Outcome) -> int:
    """Return how many parameters the model has, thresholds or the intercept among them."""
    levels = len(set(outcome.low.tolist()) | set(outcome.high.tolist()))
    return len(model.terms) + (1 if model.outcome == "suvmax" else levels - 1)


def _effective(model: Model, outcome: _Outcome) -> float:
    if model.outcome == "krenning":
        return ordinal.effective_n(outcome.low, outcome.high)
    if model.outcome == "criterion":
        return float(min(outcome.low.sum(), len(outcome.low) - outcome.low.sum()))
    return float(len(outcome.value))


def _outcome(model: Model, chosen: pd.DataFrame) -> _Outcome:
    nothing = np.zeros(len(chosen), dtype=np.int64)
    if model.outcome == "krenning":
        low = chosen["krenning_post_low"].to_numpy(dtype=np.int64)
        high = chosen["krenning_post_high"].to_numpy(dtype=np.int64)
        return _Outcome(low, high, (low + high) / 2.0)
    if model.outcome == "criterion":
        gained = chosen["criterion_post"].eq("yes").to_numpy(dtype=np.int64)
        return _Outcome(gained, gained, gained.astype(float))
    if model.outcome == "suvmax":
        return _Outcome(nothing, nothing, np.log2(chosen["suvmax_post"].to_numpy(dtype=float)))
    raise ValueError(f"There is no model of {model.outcome!r}.")


def _auxiliaries(model: Model, chosen: pd.DataFrame) -> dict[str, Floats]:
    """Return the other scale of uptake, NaN where missing, if enough patients have it."""
    found: dict[str, Floats] = {}
    for when in ("pre", "post"):
        if model.outcome == "suvmax":
            if f"krenning_{when}_low" not in chosen:
                continue
            name, values = f"krenning_{when}", midpoint(chosen, f"krenning_{when}")
            column = values.to_numpy(dtype=float, na_value=np.nan)
        else:
            if f"suvmax_{when}" not in chosen:
                continue
            name = f"log2_suvmax_{when}"
            suvmax = chosen[f"suvmax_{when}"].to_numpy(dtype=float, na_value=np.nan)
            column = np.log2(np.where(suvmax > 0.0, suvmax, np.nan))
        known = column[np.isfinite(column)]
        enough = len(known) >= (1.0 - limits.MOST_MISSING) * len(chosen)
        if enough and len(known) and np.ptp(known) > 0.0:
            found[name] = np.where(np.isfinite(column), column, np.nan)
    return found


def _seed(seed: int, model: Model, subset: str) -> int:
    name = "/".join((model.analysis, subset, IMPUTED))
    stream = np.random.SeedSequence(entropy=seed, spawn_key=(zlib.crc32(name.encode()),))
    return int(stream.generate_state(1, np.uint64)[0])


def _apart(model: Model, outcome: _Outcome, tables: Floats) -> str:
    """Return in how many imputed tables a term separates the outcomes, or empty text."""
    if model.outcome == "suvmax":
        return ""
    count = sum(bool(ordinal.separated(outcome.low, outcome.high, x).any()) for x in tables)
    if not count:
        return ""
    return (
        f"in {count} of {len(tables)} imputed tables the terms separate the outcomes: the estimate "
        "says little beyond its direction"
    )


def _reduced(outcome: _Outcome, tables: Floats) -> tuple[Floats, Floats]:
    many = bias_reduced_batch.fit_many(outcome.low, outcome.high, tables, np.ones(tables.shape[:2]))
    return many.beta, many.standard_errors**2


def _penalised(outcome: _Outcome, tables: Floats) -> tuple[Floats, Floats]:
    fits = [firth.fit(outcome.value, x) for x in tables]
    found = [
        (fit.coefficients[1:], np.diag(fit.covariance)[1:]) if fit.converged else None
        for fit in fits
    ]
    return _stacked(found, tables.shape[2])


def _least_squares(outcome: _Outcome, tables: Floats) -> tuple[Floats, Floats]:
    fits = [influence.ols(outcome.value, x) for x in tables]
    return _stacked(
        [(fit.coefficients[1:], np.diag(fit.covariance_hc3)[1:]) for fit in fits], tables.shape[2]
    )


def _stacked(found: Sequence[tuple[Floats, Floats] | None], p: int) -> tuple[Floats, Floats]:
    nothing = np.full(p, np.nan), np.full(p, np.nan)
    pairs = [nothing if pair is None else pair for pair in found]
    return np.array([pair[0] for pair in pairs]), np.array([pair[1] for pair in pairs])


_METHODS = {
    "krenning": _Method(
        "bias-reduced, multiple imputation, Barnard-Rubin t", _reduced, limits.MIN_REDUCED
    ),
    "criterion": _Method(
        "Firth's penalty, multiple imputation, Barnard-Rubin t", _penalised, limits.MIN_REDUCED
    ),
    "suvmax": _Method(
        "HC3, multiple imputation, Barnard-Rubin t", _least_squares, limits.MIN_PER_SLOPE
    ),
}
