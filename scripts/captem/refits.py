"""The reported estimator of a patient-level model, fitted again under many sets of weights.

A bootstrap counts patients, leave-one-out gives one of them weight 0, and inverse-probability
weights let patients stand for others: all are weights, and all ask for what the model reports.

==========  ======================================================================
outcome     estimator
==========  ======================================================================
krenning    proportional odds, bias-reduced (`captem.bias_reduced_batch`)
criterion   logistic regression with Firth's penalty (`captem.firth`)
suvmax      least squares of log2 SUVmax
==========  ======================================================================
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from captem import bias_reduced_batch, firth
from captem.firth_setup import aliased_many

Floats = NDArray[np.float64]
# Numbers in each working array of a batch of least squares.
_CHUNK = 500_000


def refit(outcome: str, chosen: pd.DataFrame, x: ArrayLike, weights: ArrayLike) -> Floats:
    """Return the coefficients under R sets of weights, shape (R, p), in the order of the terms.

    Natural logarithms of odds ratios for `krenning` and `criterion`, log2 of a ratio for `suvmax`.
    A row is NaN throughout where the model has no estimate under these weights: one outcome only,
    terms that cannot be told apart, no weight at all, or a search that finds nothing.

    Parameters
    ----------
    outcome : `krenning`, `criterion` or `suvmax`.
    chosen : the n patients of the model, with `krenning_post_low` and `krenning_post_high`,
        `criterion_post` (`yes` or `no`), or `suvmax_post`.
    x : (n, p) the terms of the model, without an intercept.
    weights : (R, n) not negative; a weight of 2 is the patient twice.

    Raises
    ------
    ValueError
        If there is no such outcome, or arrays do not fit.
    """
    if outcome not in _FITS:
        raise ValueError(f"There is no model of {outcome!r}.")
    predictors = np.asarray(x, dtype=float)
    given = np.asarray(weights, dtype=float)
    n = len(chosen)
    if predictors.ndim != 2 or len(predictors) != n:
        raise ValueError("There must be one row of predictors for each patient.")
    if given.ndim != 2 or given.shape[1] != n:
        raise ValueError("There must be one column of weights for each patient.")
    if not np.isfinite(given).all() or (given < 0.0).any():
        raise ValueError("The weights must be finite and not negative.")
    found = np.full((len(given), predictors.shape[1]), np.nan)
    some = given.any(axis=1)
    if some.any():
        found[some] = _FITS[outcome](chosen, predictors, given[some])
    # A column that is left out would leave its work to the others, as another model.
    found[~np.isfinite(found).all(axis=1)] = np.nan
    return found


def _krenning(chosen: pd.DataFrame, x: Floats, weights: Floats) -> Floats:
    low = chosen["krenning_post_low"].to_numpy(dtype=int)
    high = chosen["krenning_post_high"].to_numpy(dtype=int)
    return bias_reduced_batch.fit_many(low, high, x, weights).beta


def _criterion(chosen: pd.DataFrame, x: Floats, weights: Floats) -> Floats:
    gained = chosen["criterion_post"].eq("yes").to_numpy(dtype=float)
    many = firth.fit_many(gained, x, weights)
    return np.where(many.converged[:, None], many.coefficients[:, 1:], np.nan)


def _suvmax(chosen: pd.DataFrame, x: Floats, weights: Floats) -> Floats:
    y = np.log2(chosen["suvmax_post"].to_numpy(dtype=float))
    n, p = x.shape
    found = np.full((len(weights), p), np.nan)
    size = max(1, _CHUNK // (n * (p + 1)))
    whole = ~aliased_many(x, weights).any(axis=1)
    members = np.flatnonzero(whole)
    centred = x - x.mean(axis=0)
    scale = np.abs(centred).max(axis=0, initial=0.0)
    for begin in range(0, len(members), size):
        chunk = members[begin : begin + size]
        found[chunk] = _least_squares(y, centred / scale, weights[chunk]) / scale
    return found


def _least_squares(y: Floats, x: Floats, weights: Floats) -> Floats:
    """Slopes (R, p) that minimise sum w_i (y_i - b_0 - x_i'b)^2, by a QR of each design."""
    share = weights / weights.sum(axis=1, keepdims=True)
    root = np.sqrt(share)[:, :, None]
    centred = (x[None] - (share @ x)[:, None]) * root
    q, r = np.linalg.qr(centred)
    target = np.einsum("rnp,rn->rp", q, (y - (share @ y)[:, None]) * root[:, :, 0])
    return np.linalg.solve(r, target[:, :, None])[:, :, 0]


_FITS: dict[str, Callable[[pd.DataFrame, Floats, Floats], Floats]] = {
    "krenning": _krenning,
    "criterion": _criterion,
    "suvmax": _suvmax,
}
