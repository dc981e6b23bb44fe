"""The models of the SSTR criterion: who gained it, of those who did not meet it before.

Logistic regression with Firth's penalty, profile penalised-likelihood intervals and penalised
likelihood-ratio P (Heinze & Schemper 2002): few patients gain, and a predictor may separate them.
The baseline is the score that the rule compared with the threshold, an interval at its midpoint.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from captem import firth, limits, model_parts, ordinal, statistics
from captem.model_parts import LEVEL, Estimates, Model


def outcome(chosen: pd.DataFrame) -> np.ndarray:
    """Return who gained the criterion, 0 or 1, shape (n,)."""
    return chosen["criterion_post"].eq("yes").to_numpy(dtype=int)


def effective_n(chosen: pd.DataFrame) -> float:
    """Return the smaller of the numbers of those who gained the criterion and who did not."""
    gained = outcome(chosen)
    return float(min(gained.sum(), len(gained) - gained.sum()))


def asked_of(patients: pd.DataFrame, status: pd.DataFrame) -> pd.DataFrame:
    """Return the patients with the criterion and the baseline score that it compares.

    Parameters
    ----------
    patients : canonical patient table.
    status : their rows in the same order, with `scored`, `criterion_pre`, `criterion_post`,
        `krenning_pre_low` and `krenning_pre_high`, as `criterion.by_rule` gives them.
    """
    names = ("criterion_pre", "criterion_post", "scored", "krenning_pre_low", "krenning_pre_high")
    return patients.assign(**{name: status[name].to_numpy() for name in names})


def status_of(changes: pd.DataFrame) -> pd.DataFrame:
    """Return the criterion and the scores that it compares, as `asked_of` takes them.

    Parameters
    ----------
    changes : `transitions.csv`.
    """
    ends = ("low", "high")
    named = changes.rename(columns={f"criterion_pre_{end}": f"krenning_pre_{end}" for end in ends})
    both = [f"criterion_{time}_low" for time in ("pre", "post")]
    return named.assign(scored=changes[both].notna().all(axis=1))


def fit(model: Model, subset: str, role: str, chosen: pd.DataFrame, x: np.ndarray) -> Estimates:
    """Fit the model to the patients of a subset.

    Parameters
    ----------
    chosen : patients who did not meet the criterion before, with `criterion_post` `yes` or `no`.
    x : (n, p) the terms of the model.
    """
    gained = outcome(chosen)
    n, events = len(chosen), int(gained.sum())
    if reason := _refusal(model, gained, x):
        return model_parts.refused(model, subset, role, n, reason, events=events)
    found = firth.fit(gained.astype(float), x)
    if not found.converged:
        reason = "no penalised estimate could be found"
        return model_parts.refused(model, subset, role, n, reason, events=events)
    apart = model_parts.separating(model, gained, gained, x)
    effective = min(events, n - events)
    caution = limits.few_for_regression(effective, len(model.terms))
    if apart:
        verb = "separates" if len(apart) == 1 else "separate"
        caution = (
            f"{' and '.join(apart)} {verb} those who gained the criterion from those who did not: "
            "the estimate is finite by its penalty and says little beyond its direction"
        )
    if found.maxima > 1:
        caution = caution or "the penalised likelihood has several maxima; the highest is given"
    doubts = model_parts.doubts(model, x, caution)
    values = [
        {"n_patients": n, "n_events": events} | _estimate(found, column, doubt)
        for column, doubt in enumerate(doubts, start=1)
    ]
    record = {
        "n": n,
        "events": events,
        "status": "unstable" if caution else "ok",
        "reason": caution,
        "method": "logistic regression with Firth's penalty; logit P(gained) = b_0 + x'b",
        "coefficients": dict(
            zip(("intercept", *model.terms), found.coefficients.tolist(), strict=True)
        ),
        "covariance": {
            "names": ["intercept", *model.terms],
            "values": found.covariance.tolist(),
        },
        "penalised_loglik": found.penalised_loglik,
        "effective_n": effective,
        "flags": {
            "converged": found.converged,
            "max_abs_score": found.max_abs_score,
            "condition_number": found.condition_number,
            "separated": apart,
            "maxima": found.maxima,
        },
    }
    return Estimates(model_parts.rows(model, subset, role, values), record)


def _refusal(model: Model, gained: np.ndarray, x: np.ndarray) -> str:
    n, events = len(gained), int(gained.sum())
    if reason := model_parts.too_few(n):
        return reason
    if events in (0, n):
        who = "none" if events == 0 else "each"
        return (
            f"{who} of the {n} patients who did not meet the criterion before gained it, so "
            "nothing can go with a difference; the share has its exact interval"
        )
    return model_parts.collinear(model, ordinal.aliased(x)) or limits.too_few_for_regression(
        n, len(model.terms) + 1, min(events, n - events), len(model.terms), limits.MIN_REDUCED
    )


def _estimate(found: firth.FirthFit, column: int, doubt: str) -> dict[str, Any]:
    low, high = firth.profile_interval(found, column, LEVEL)
    statistic, p_value = firth.likelihood_ratio(found, column)
    if math.isnan(low + high + p_value):
        return statistics.not_estimable("the profile of the penalised likelihood was not found")
    return {
        "estimate": model_parts.ratio(found.coefficients[column]),
        "conf_low": model_parts.ratio(low),
        "conf_high": model_parts.ratio(high),
        "conf_level": LEVEL,
        "interval_method": "profile penalised likelihood",
        "statistic": statistic,
        "df": 1,
        "p_value": p_value,
        "p_method": "penalised likelihood ratio",
        "status": "unstable" if doubt else "ok",
        "reason": doubt,
    }
