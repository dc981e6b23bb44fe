"""The models of log2 SUVmax at follow-up given log2 SUVmax at baseline and MIB1.

Least squares with HC3 standard errors and t (Long & Ervin 2000, Am Stat 54:217).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from captem import limits, model_parts, ordinal
from captem.model_parts import LEVEL, Estimates, Model


def effective_n(chosen: pd.DataFrame) -> float:
    """Return the number of patients: each measures SUVmax in full."""
    return float(len(chosen))


def fit(model: Model, subset: str, role: str, chosen: pd.DataFrame, x: np.ndarray) -> Estimates:
    """Fit the model to the patients of a subset; `x` (n, p) holds the terms of the model."""
    n, parameters = len(chosen), len(model.terms) + 1
    reason = (
        model_parts.too_few(n)
        or model_parts.collinear(model, ordinal.aliased(x))
        or limits.too_few_for_regression(n, parameters, n, len(model.terms))
    )
    if reason:
        return model_parts.refused(model, subset, role, n, reason)
    y = np.log2(chosen["suvmax_post"].to_numpy(dtype=float))
    from statsmodels.regression.linear_model import OLS

    design = np.column_stack([np.ones(n), x])
    leverage = np.einsum("ij,ji->i", design, np.linalg.pinv(design))
    if leverage.max() >= limits.MAX_LEVERAGE:
        return model_parts.refused(
            model, subset, role, n,
            "one patient alone decides a coefficient (leverage 1), so it has no standard error",
            max_leverage=float(leverage.max()),
        )  # fmt: skip
    fit = OLS(y, design).fit(cov_type="HC3", use_t=True)
    if fit.ssr <= limits.MIN_RESIDUAL * float(y @ y):
        return model_parts.refused(
            model, subset, role, n,
            "SUVmax at follow-up is an exact function of the terms, so there is no residual to "
            "judge by; was a column copied?",
        )  # fmt: skip
    caution = limits.few_for_regression(n, len(model.terms))
    doubts = model_parts.doubts(model, x, caution)
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
    return Estimates(model_parts.rows(model, subset, role, values), record)
