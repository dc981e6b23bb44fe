"""The ordinal models: the follow-up Krenning score given baseline, MIB1 and, beside, cycles.

Proportional odds. Reported are bias-reduced estimates (Kosmidis 2014) with Wald intervals, which
hold their level at the sizes people have and are finite under separation. Beside them, under the
variant `maximum_likelihood`, the same model with profile intervals and likelihood-ratio P; under
separation it has a one-sided bound only. An outcome that is an interval enters both likelihoods as
an interval.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

from captem import bias_reduced, limits, model_parts, ordinal, statistics
from captem.model_parts import LEVEL, Estimates, Model

ML = "maximum_likelihood"
VARIANTS = ("", ML)


def outcome(chosen: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of the follow-up scores, integers of shape (n,)."""
    low, high = (chosen[f"krenning_post_{end}"].to_numpy(dtype=int) for end in ("low", "high"))
    return low, high


def effective_n(chosen: pd.DataFrame) -> float:
    """Return the effective number of observations of the outcome, see `ordinal.effective_n`."""
    return ordinal.effective_n(*outcome(chosen))


def fit(
    model: Model,
    subset: str,
    role: str,
    chosen: pd.DataFrame,
    x: np.ndarray,
    *,
    reported_only: bool = False,
) -> Estimates:
    """Fit the model to the patients of a subset.

    Parameters
    ----------
    chosen : the patients, with `krenning_post_low` and `krenning_post_high`.
    x : (n, p) the terms of the model.
    reported_only : leave out the rows of maximum likelihood.
    """
    low, high = outcome(chosen)
    n = len(chosen)
    if reason := _refusal(model, low, high, x):
        variants = VARIANTS[:1] if reported_only else VARIANTS
        return model_parts.refused(model, subset, role, n, reason, variants)
    effective = ordinal.effective_n(low, high)
    apart = _separating(model, low, high, x)
    reduced, record = _reduced(model, low, high, x, effective, apart)
    rows = model_parts.rows(model, subset, role, reduced)
    if reported_only:
        return Estimates(rows, {"n": n, "effective_n": effective} | record)
    likelihood, beside = _likelihood(model, low, high, x, effective, apart)
    # One row may claim what was planned; the other method stands beside it.
    rows += model_parts.rows(model, subset, "sensitivity", likelihood, ML)
    told = {"n": n, "effective_n": effective, "interval_outcomes": int((low != high).sum())}
    return Estimates(rows, told | record | {ML: beside})


def _refusal(model: Model, low: np.ndarray, high: np.ndarray, x: np.ndarray) -> str:
    """Return why the model may not be fitted by any method, or empty text."""
    n = len(low)
    if reason := model_parts.too_few(n):
        return reason
    if low.max() <= high.min():
        return "all follow-up scores may be the same, so nothing can go with a difference in them"
    if reason := model_parts.collinear(model, ordinal.aliased(x)):
        return reason
    parameters = len(set(low) | set(high)) - 1 + len(model.terms)
    return limits.too_few_for_regression(
        n, parameters, ordinal.effective_n(low, high), len(model.terms), limits.MIN_REDUCED
    )


def _separating(model: Model, low: np.ndarray, high: np.ndarray, x: np.ndarray) -> str:
    """Return which terms separate the scores, in a sentence: those without which nothing does."""
    causes = model_parts.separating(model, low, high, x)
    if not causes:
        return ""
    verb = "separates" if len(causes) == 1 else "separate"
    return f"{' and '.join(causes)} {verb} the follow-up scores"


def _reduced(
    model: Model,
    low: np.ndarray,
    high: np.ndarray,
    x: np.ndarray,
    effective: float,
    apart: str,
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    n = len(low)
    found = bias_reduced.fit(low, high, x)
    if not found.converged:
        reason = "no bias-reduced estimate could be found"
        refusal = {"n_patients": n} | statistics.not_estimable(reason)
        return [refusal for _ in model.terms], {"status": "not_estimable", "reason": reason}
    caution = (
        f"{apart}: the estimate is finite by bias reduction and says little beyond its direction"
        if apart
        else limits.few_for_regression(effective, len(model.terms))
    )
    doubts = model_parts.doubts(model, x, caution)
    errors = found.standard_errors[len(found.thresholds) :]
    z = float(ndtri((1 + LEVEL) / 2))
    values = []
    for beta, error, doubt in zip(found.beta, errors, doubts, strict=True):
        values.append(
            {
                "estimate": model_parts.ratio(beta),
                "conf_low": model_parts.ratio(beta - z * error),
                "conf_high": model_parts.ratio(beta + z * error),
                "conf_level": LEVEL,
                "interval_method": "bias-reduced, Wald",
                "statistic": float(beta / error),
                "p_value": 2 * float(ndtr(-abs(beta / error))),
                "p_method": "bias-reduced, Wald",
                "n_patients": n,
                "status": "unstable" if doubt else "ok",
                "reason": doubt,
            }
        )
    record = {
        "status": "unstable" if caution else "ok",
        "reason": caution,
        "method": "proportional odds, bias-reduced; logit P(Y <= j) = theta_j - x'beta",
        **_coefficients(model, found),
        "flags": {
            "converged": found.converged,
            "max_abs_adjusted_score": found.max_abs_adjusted_score,
            "condition_number": found.condition_number,
            "collapsed_scores": list(found.collapsed),
            "separation": apart,
        },
    }
    return values, record


def _likelihood(
    model: Model,
    low: np.ndarray,
    high: np.ndarray,
    x: np.ndarray,
    effective: float,
    apart: str,
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    n = len(low)
    parameters = len(set(low) | set(high)) - 1 + len(model.terms)
    reason = limits.too_few_for_regression(n, parameters, effective, len(model.terms))
    found = None if reason else ordinal.fit(low, high, x)
    if found is not None and not found.converged and not apart:
        reason = "the likelihood has no single maximum that could be found"
    if found is None or reason:
        refusal = {"n_patients": n} | statistics.not_estimable(reason)
        return [refusal for _ in model.terms], {"status": "not_estimable", "reason": reason}
    infinite = f"{apart}: the odds ratio that fits best is infinite or zero" if apart else ""
    caution = infinite or limits.few_for_regression(effective, len(model.terms))
    doubts = model_parts.doubts(model, x, caution)
    away = ordinal.recession(low, high, x)
    values = []
    for column, doubt in enumerate(doubts):
        up, down = bool(away.upward[column]), bool(away.downward[column])
        if apart and up == down:
            # Another term separates: where this one lies at the supremum is not known.
            values.append({"n_patients": n} | statistics.not_estimable(infinite))
            continue
        beta = math.inf if up else -math.inf if down else float(found.beta[column])
        bounds = ordinal.profile_interval(found, column, LEVEL)
        statistic, p_value = ordinal.likelihood_ratio(found, column)
        if any(map(math.isnan, (*bounds, p_value))):
            reason = "the profile of the likelihood was not found"
            values.append({"n_patients": n} | statistics.not_estimable(reason))
            continue
        values.append(
            {
                "estimate": model_parts.ratio(beta),
                "conf_low": model_parts.ratio(bounds[0]),
                "conf_high": model_parts.ratio(bounds[1]),
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
    record: dict[str, Any] = {
        "status": "unstable" if caution else "ok",
        "reason": caution,
        "method": "proportional odds, maximum likelihood; logit P(Y <= j) = theta_j - x'beta",
        "loglik": found.loglik,
        "flags": {"converged": found.converged, "separation": apart},
    }
    if found.converged:
        record |= _coefficients(model, found)
        record["flags"] |= {
            "max_abs_gradient": found.max_abs_gradient,
            "condition_number": found.condition_number,
            "collapsed_scores": list(found.collapsed),
        }
    return values, record


def _coefficients(
    model: Model, found: bias_reduced.BiasReducedFit | ordinal.OrdinalFit
) -> dict[str, Any]:
    return {
        "coefficients": dict(zip(model.terms, found.beta.tolist(), strict=True)),
        "thresholds": dict(zip(found.threshold_labels, found.thresholds.tolist(), strict=True)),
        "covariance": {
            "names": [*found.threshold_labels, *model.terms],
            "values": found.covariance.tolist(),
        },
    }
