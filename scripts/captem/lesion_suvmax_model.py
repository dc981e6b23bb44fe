"""The models of a lesion's log2 SUVmax at follow-up given its baseline and the patient's MIB1.

Reported is the linear mixed model with a random intercept of the patient (`captem.mixed_linear`):
restricted maximum likelihood, with Kenward and Roger's standard errors and t. Beside it stand
estimating equations with an exchangeable working correlation within patients (`captem.clustered`).

Where the patients' variance is estimated as 0 the fit is least squares, and so is its t: the row is
`unstable`, since the lesions of a patient then count as independent though the data only fail to
show that they are alike. By simulation (30 patients, 1 to 5 lesions, intraclass correlation .05) P
of a patient's term fell below .05 in 8 % of the samples at 0, in 4 % of the others.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from captem import clustered, lesion_parts, limits, mixed_linear, model_parts
from captem.lesion_parts import GEE, Sample
from captem.model_parts import LEVEL, Estimates, Model

VARIANTS = lesion_parts.VARIANTS
METHOD = "Kenward-Roger, t"
# What the method is where no variance between patients is left.
AT_BOUNDARY = "least squares, t"
_BOUNDARY = (
    "the variation between patients is estimated as 0, so that the lesions of a patient count as "
    "independent and the interval is that of least squares; read as exploratory, with the "
    "estimating equations beside it"
)
_COPY = (
    "SUVmax of the lesions at follow-up is an exact function of the terms, so there is no residual "
    "to judge by; was a column copied?"
)


def fit(model: Model, subset: str, role: str, chosen: pd.DataFrame, x: np.ndarray) -> Estimates:
    """Fit the model to the lesions of a subset.

    Parameters
    ----------
    chosen : `lesion_data.rows` of the patients that are analysed, for `lesion_suvmax`.
    x : (n, p) the terms of the model, one row a lesion.
    """
    given = lesion_parts.sample(chosen["patient_id"], x, float(len(chosen)))
    # An intercept and two variances.
    if reason := lesion_parts.refusal(model, given, x, len(model.terms) + 3):
        return lesion_parts.refused(model, subset, role, given, reason)
    y = np.log2(chosen["suvmax_post"].to_numpy(dtype=float))
    values, record = _mixed(model, given, y, x)
    across, beside = _across_patients(model, given, y, x)
    return Estimates(
        lesion_parts.told(model, subset, role, values, across),
        given.record | record | {GEE: beside},
    )


def _mixed(
    model: Model, given: Sample, y: np.ndarray, x: np.ndarray
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the values of each term and the record of the linear mixed model."""
    found = mixed_linear.fit(y, x, given.groups.index)
    if reason := _unfit(found):
        return lesion_parts.nothing(model, given, reason)
    caution = limits.few_repeated(given.several)
    if found.boundary:
        caution = caution or _BOUNDARY
    if found.local_maxima > 1:
        caution = caution or "the restricted likelihood has several maxima; the highest is given"
    method = AT_BOUNDARY if found.boundary else METHOD
    doubts = lesion_parts.doubts(model, given, x, caution)
    values = []
    for position, doubt in enumerate(doubts, start=1):
        statistic, df, p_value = mixed_linear.t_test(found, position)
        low, high = mixed_linear.interval(found, position, LEVEL)
        value = {
            # On the scale of SUVmax: the factor by which SUVmax at follow-up differs per unit.
            "estimate": _factor(float(found.beta[position])),
            "conf_low": _factor(low),
            "conf_high": _factor(high),
            "conf_level": LEVEL,
            "interval_method": method,
            "statistic": statistic,
            "df": df,
            "p_value": p_value,
            "p_method": method,
            "status": "unstable" if doubt else "ok",
            "reason": doubt,
        } | given.counts
        values.append(lesion_parts.finite(value, "the model gives no finite standard error"))
    return values, lesion_parts.status(values) | _record(model, given, found)


def _factor(coefficient: float) -> float:
    return model_parts.ratio(math.log(2.0) * coefficient)


def _unfit(found: mixed_linear.LinearMixedFit) -> str:
    """Return why a fit gives no estimate, or empty text."""
    if found.degenerate:
        return _COPY
    if not found.identified:
        return (
            "too few patients have several lesions to tell variation between patients from that "
            "between lesions; the model of patients uses the same data"
        )
    if not found.converged:
        return "the restricted likelihood has no maximum that could be found"
    return ""


def _record(model: Model, given: Sample, found: mixed_linear.LinearMixedFit) -> dict[str, Any]:
    statistic, p_value = mixed_linear.random_intercept_test(found)
    names = ["intercept", *model.terms]
    return {
        "method": "linear mixed model of log2 SUVmax with a random intercept of the patient, "
        "restricted maximum likelihood; "
        + (
            "without variation between patients it is least squares"
            if found.boundary
            else "Kenward-Roger standard errors and degrees of freedom"
        ),
        "coefficients": dict(zip(names, found.beta.tolist(), strict=True)),
        "covariance": {"names": names, "values": found.kenward_roger_covariance.tolist()},
        "reml_criterion": found.reml_criterion,
        "effective_n": lesion_parts.effective(model, given),
        "random_effect": {
            "variance": found.group_variance,
            "residual_variance": found.residual_variance,
            "icc": found.icc,
            "test": "restricted likelihood ratio, half chi-squared mixture",
            "statistic": statistic,
            "p_value": p_value,
        },
        "flags": {
            "converged": found.converged,
            "boundary": found.boundary,
            "local_maxima": found.local_maxima,
            "max_abs_gradient": found.max_abs_gradient,
            "condition_number": found.condition_number,
        },
    }


def _across_patients(
    model: Model, given: Sample, y: np.ndarray, x: np.ndarray
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the values of each term and the record of the estimating equations."""
    if reason := limits.too_few_clusters(given.patients):
        return lesion_parts.nothing(model, given, reason)
    found = clustered.fit(y, x, given.groups.index, "gaussian", "exchangeable")
    if found.degenerate:
        return lesion_parts.nothing(model, given, _COPY)
    intercept = {"intercept": np.eye(len(found.beta))[0]}
    what = "log2 SUVmax = intercept + x'b"
    return lesion_parts.equations(model, given, x, found, what, intercept)
