"""The ordinal models of lesions: the follow-up Krenning score of a lesion given its baseline.

Reported is the cumulative link mixed model (`captem.mixed_ordinal`): proportional odds with a
random effect of the patient, by maximum likelihood, with profile intervals and likelihood-ratio P.
Its odds ratio is that of lesions of a patient, or of patients with the same effect. Under
separation it has a one-sided bound only, as in `captem.krenning_model`. A score that is an interval
enters the likelihood as an interval.

Beside it stands the odds ratio over all patients, which is nearer to 1: the same cumulative logits
as one binary outcome 1(score > k) for each cut k, with an intercept a cut and common slopes,

    logit P(Y_ij > k) = x_ij'beta - theta_k,

solved by estimating equations under working independence with the patient as cluster (Lipsitz, Kim
& Zhao 1994, Stat Med 13:1149-1163; Heagerty & Zeger 1996, JASA 91:1024-1036). A score that is an
interval gives the outcomes that it decides.

Where the patients' variance is estimated as 0 the row is `unstable`: the interval then counts the
lesions of a patient as independent, though the data only fail to show that they are alike, and the
chi-squared distribution of the likelihood ratio does not hold with a variance at the end of its
range (Self & Liang 1987, JASA 82:605-610). By simulation (30 patients, 1 to 5 lesions, standard
deviation 0.4) P of a patient's term fell below .05 in 7 % of the samples at 0, 3 % of the others.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from captem import clustered, lesion_parts, limits, mixed_ordinal, model_parts, ordinal, statistics
from captem.lesion_parts import GEE, Sample
from captem.model_parts import LEVEL, Estimates, Model

VARIANTS = lesion_parts.VARIANTS
INTERVAL = "cumulative link mixed, profile likelihood"
TEST = "cumulative link mixed, likelihood ratio"
_BOUNDARY = (
    "the variation between patients is estimated as 0, so that the lesions of a patient count as "
    "independent; read as exploratory, with the estimating equations beside it"
)


def fit(model: Model, subset: str, role: str, chosen: pd.DataFrame, x: np.ndarray) -> Estimates:
    """Fit the model to the lesions of a subset.

    Parameters
    ----------
    chosen : `lesion_data.rows` of the patients that are analysed, for `lesion_krenning`.
    x : (n, p) the terms of the model, one row a lesion.
    """
    low = chosen["krenning_post_low"].to_numpy(dtype=int)
    high = chosen["krenning_post_high"].to_numpy(dtype=int)
    counted = ordinal.effective_n(low, high) if len(low) else 0.0
    given = lesion_parts.sample(chosen["patient_id"], x, counted)
    if reason := _refusal(model, given, low, high, x):
        return lesion_parts.refused(model, subset, role, given, reason)
    causes = model_parts.separating(model, low, high, x)
    verb = "separates" if len(causes) == 1 else "separate"
    apart = f"{' and '.join(causes)} {verb} the follow-up scores" if causes else ""
    values, record = _mixed(model, given, low, high, x, apart)
    across, beside = _across_patients(model, given, low, high, x, apart)
    intervals = {"interval_outcomes": int((low != high).sum())}
    return Estimates(
        lesion_parts.told(model, subset, role, values, across),
        given.record | intervals | record | {GEE: beside},
    )


def stacked(
    low: np.ndarray, high: np.ndarray, x: np.ndarray
) -> tuple[tuple[str, ...], np.ndarray, np.ndarray, np.ndarray]:
    """Return the scores as one binary outcome a cut.

    Parameters
    ----------
    low, high : (n,) the lowest and highest possible score.
    x : (n, p) predictors.

    Returns
    -------
    labels : of the m cuts, as in `ordinal.OrdinalFit.threshold_labels`.
    y : (s,) 1 above the cut, 0 at it or below; scores that the data cannot tell apart have no cut
        between them, and an interval across a cut says nothing of it.
    design : (s, m - 1 + p) an indicator for each cut but the first, then x.
    position : (s,) the position in `low` that each came from.

    >>> low, high = np.array([0, 1, 1, 2]), np.array([0, 1, 2, 2])
    >>> labels, y, design, position = stacked(low, high, np.empty((4, 0)))
    >>> labels, y.tolist(), position.tolist()
    (('0|1', '1|2'), [0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 1.0], [0, 1, 2, 3, 0, 1, 3])
    """
    found = ordinal.fit(low, high, x)
    categories = found.categories
    parts = []
    for cut, (below, above) in enumerate(pairwise(categories)):
        over = low >= above[0]
        decided = np.flatnonzero(over | (high <= below[1]))
        cuts = np.zeros((len(decided), len(categories) - 2))
        if cut:
            cuts[:, cut - 1] = 1.0
        parts.append((over[decided].astype(float), np.hstack([cuts, x[decided]]), decided))
    y, design, position = (np.concatenate(part) for part in zip(*parts, strict=True))
    return found.threshold_labels, y, design, position


def _refusal(model: Model, given: Sample, low: np.ndarray, high: np.ndarray, x: np.ndarray) -> str:
    """Return why the model may not be fitted by any method, or empty text."""
    if reason := model_parts.too_few(given.patients):
        return reason
    if low.max() <= high.min():
        return (
            "all follow-up scores of the lesions may be the same, so nothing can go with a "
            "difference in them"
        )
    thresholds = len(set(low) | set(high)) - 1
    return lesion_parts.refusal(model, given, x, thresholds + len(model.terms) + 1)


def _mixed(
    model: Model, given: Sample, low: np.ndarray, high: np.ndarray, x: np.ndarray, apart: str
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the values of each term and the record of the cumulative link mixed model."""
    found = mixed_ordinal.fit(low, high, x, given.groups.index.tolist())
    if reason := _unfit(found, apart):
        return lesion_parts.nothing(model, given, reason)
    infinite = f"{apart}: the odds ratio that fits best is infinite or zero" if apart else ""
    caution = infinite or limits.few_repeated(found.repeated)
    if found.boundary:
        caution = caution or _BOUNDARY
    doubts = lesion_parts.doubts(model, given, x, caution)
    values = []
    for column, doubt in enumerate(doubts):
        up, down = bool(found.upward[column]), bool(found.downward[column])
        if apart and up == down:
            # Another term separates: where this one lies at the supremum is not known.
            values.append(given.counts | statistics.not_estimable(infinite))
            continue
        beta = math.inf if up else -math.inf if down else float(found.beta[column])
        bounds = mixed_ordinal.profile_interval(found, column, LEVEL)
        statistic, p_value = mixed_ordinal.likelihood_ratio(found, column)
        value = {
            "estimate": model_parts.ratio(beta),
            "conf_low": model_parts.ratio(bounds[0]),
            "conf_high": model_parts.ratio(bounds[1]),
            "conf_level": LEVEL,
            "interval_method": INTERVAL,
            "statistic": statistic,
            "df": 1,
            "p_value": p_value,
            "p_method": TEST,
            "status": "unstable" if doubt else "ok",
            "reason": doubt,
        } | given.counts
        if apart and not math.isnan(sum(bounds) + p_value):
            values.append(value)
        else:
            values.append(lesion_parts.finite(value, "the profile of the likelihood has no end"))
    return values, lesion_parts.status(values) | _record(model, given, found, apart)


def _unfit(found: mixed_ordinal.MixedFit, apart: str) -> str:
    """Return why a fit gives no estimate, or empty text."""
    if not found.identified:
        return (
            "no patient has two lesions whose scores say something, so variation between patients "
            "cannot be told from that between lesions; the model of patients uses the same data"
        )
    if found.unbounded:
        return (
            "the lesions of a patient have so nearly the same score that the variation between "
            "patients has no upper end, and with it no odds ratio of one lesion"
        )
    if not found.converged and not apart:
        return "the likelihood has no single maximum that could be found"
    return ""


def _record(
    model: Model, given: Sample, found: mixed_ordinal.MixedFit, apart: str
) -> dict[str, Any]:
    statistic, p_value = mixed_ordinal.random_effect_test(found)
    record: dict[str, Any] = {
        "method": "cumulative link mixed model with a random effect of the patient, maximum "
        "likelihood by adaptive Gauss-Hermite quadrature; "
        "logit P(Y <= j | u) = theta_j - x'beta - u, u ~ N(0, sigma^2)",
        "loglik": found.loglik,
        "effective_n": lesion_parts.effective(model, given),
        "random_effect": {
            "sd": found.sigma,
            "variance": found.sigma**2,
            "test": "likelihood ratio, half chi-squared mixture",
            "statistic": statistic,
            "p_value": p_value,
            "patients_with_several": found.repeated,
        },
        "flags": {
            "converged": found.converged,
            "separation": apart,
            "boundary": found.boundary,
            "nodes": found.nodes,
            "quadrature_error": found.quadrature_error,
        },
    }
    if found.converged:
        names = [*found.threshold_labels, *model.terms]
        if not found.boundary:
            names.append("log_sigma")
        record |= {
            "coefficients": dict(zip(model.terms, found.beta.tolist(), strict=True)),
            "thresholds": dict(zip(found.threshold_labels, found.thresholds.tolist(), strict=True)),
            "covariance": {
                "names": names,
                "values": found.covariance[: len(names), : len(names)].tolist(),
            },
        }
        record["flags"] |= {
            "max_abs_gradient": found.max_abs_gradient,
            "condition_number": found.condition_number,
            "collapsed_scores": list(found.collapsed),
        }
    return record


def _across_patients(
    model: Model, given: Sample, low: np.ndarray, high: np.ndarray, x: np.ndarray, apart: str
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the values of each term and the record of the estimating equations."""
    reason = limits.too_few_clusters(given.patients)
    if apart:
        reason = reason or f"{apart}: the odds ratio that fits best is infinite or zero"
    if reason:
        return lesion_parts.nothing(model, given, reason)
    labels, y, design, position = stacked(low, high, x)
    found = clustered.fit(y, design, given.groups.index[position], "binomial", "independence")
    # The intercept of the first cut, and of the others what is added to it.
    thresholds = {}
    for cut, label in enumerate(labels):
        thresholds[label] = np.zeros(len(found.beta))
        thresholds[label][[0, cut]] = -1.0
    what = "logit P(Y > j) = x'beta - theta_j, one binary outcome for each theta_j"
    return lesion_parts.equations(model, given, x, found, what, thresholds)
