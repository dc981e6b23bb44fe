"""Inverse-probability weights of many resamples at once, estimated anew in each.

The weights are those of `captem.weighting.inverse_probability_weights` on the patients that a
resample drew: chances with Firth's penalty, recalibrated, stabilised and truncated. Newton's method
starts from the fit to all patients, near which the resamples lie, and goes on with all of them
together; one that does not settle is fitted alone (`captem.firth`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from captem import firth, weighting

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# Numbers in each working array.
_CHUNK = 250_000
_MAX_ITERATIONS = 200
_SETTLED = 1e-10


def resampled_weights(observed: NDArray[np.bool_], x: Floats, counts: Integers) -> Floats:
    """Return the weight of each patient in each resample, shape (R, n), the draws not counted in.

    A patient drawn twice has the weight twice over in an estimate: multiply by `counts`. Patients
    without follow-up have 0. A row is NaN where all or none of those drawn were scanned again.

    Parameters
    ----------
    observed : (n,) whether each patient was scanned again; some were and some were not.
    x : (n, p) what was known at baseline, finite, without aliased columns.
    counts : (R, n) how often each patient was drawn.
    """
    y = observed.astype(float)
    scaled = (x - x.mean(axis=0)) / x.std(axis=0)
    design = np.column_stack([np.ones(len(y)), scaled])
    start = firth.fit(y, scaled).coefficients
    found = np.full(counts.shape, np.nan)
    drawn = counts @ y
    usable = np.flatnonzero((drawn > 0) & (drawn < counts.sum(axis=1)))
    size = max(1, _CHUNK // len(y))
    for begin in range(0, len(usable), size):
        chunk = usable[begin : begin + size]
        count = counts[chunk].astype(float)
        beta = _coefficients(y, design, count, start)
        eta = beta[:, 1:] @ design[:, 1:].T
        chances = expit(_recalibrated(y, count, eta, beta[:, 0])[:, None] + eta)
        share = (count @ y) / count.sum(axis=1)
        found[chunk] = 0.0
        found[np.ix_(chunk, observed)] = _truncated(
            share[:, None] / chances[:, observed], counts[np.ix_(chunk, observed)]
        )
    return found


def _coefficients(y: Floats, design: Floats, counts: Floats, start: Floats) -> Floats:
    """Roots (R, q) of Firth's modified score of `captem.firth`, by Newton's method."""
    q = design.shape[1]
    products = (design[:, :, None] * design[:, None, :]).reshape(len(y), q * q)
    beta = np.tile(start, (len(counts), 1))
    alone = np.ones(len(counts), dtype=bool)
    moving = np.arange(len(counts))
    for _ in range(_MAX_ITERATIONS):
        count = counts[moving]
        pi = expit(beta[moving] @ design.T)
        spread = pi * (1 - pi)
        information = ((count * spread) @ products).reshape(-1, q, q)
        # A resample whose design is singular is left to the single fit.
        sound = np.linalg.cond(information) < 1e10
        moving, count, pi = moving[sound], count[sound], pi[sound]
        spread, information = spread[sound], information[sound]
        inverse = np.linalg.inv(information)
        hat = spread * (inverse.reshape(-1, q * q) @ products.T)
        score = (count * (y - pi + hat * (0.5 - pi))) @ design
        step = np.einsum("rij,rj->ri", inverse, score)
        moved = np.abs(step @ design.T).max(axis=1, initial=0.0)
        beta[moving] += step * np.minimum(1.0, 2.0 / np.maximum(moved, 2.0))[:, None]
        alone[moving[moved < _SETTLED]] = False
        moving = moving[moved >= _SETTLED]
        if not len(moving):
            break
    for row in np.flatnonzero(alone):
        # A column that is constant among those drawn tells them apart in nothing.
        beta[row] = np.nan_to_num(firth.fit(y, design[:, 1:], counts[row]).coefficients)
    return beta


def _recalibrated(y: Floats, counts: Floats, eta: Floats, intercept: Floats) -> Floats:
    """Intercepts (R,) at which the chances add up to the patients observed, by Newton's method.

    `eta` (R, n) are the linear predictors without the intercept.
    """
    found, target = intercept.copy(), counts @ y
    for _ in range(_MAX_ITERATIONS):
        pi = expit(found[:, None] + eta)
        gap = target - (counts * pi).sum(axis=1)
        step = np.clip(gap / (counts * pi * (1 - pi)).sum(axis=1), -1.0, 1.0)
        found += step
        if np.abs(step).max(initial=0.0) < _SETTLED:
            break
    return found


def _truncated(raw: Floats, counts: Integers) -> Floats:
    """Clip (R, m) to the percentiles of `captem.weighting` of each row, its values `counts` times.

    The quantiles are those of `numpy.quantile`: between two ranks by linear interpolation.
    """
    order = np.argsort(raw, axis=1)
    ordered = np.take_along_axis(raw, order, axis=1)
    upto = np.cumsum(np.take_along_axis(counts, order, axis=1), axis=1)
    ends = []
    for share in weighting._TRUNCATED_AT:
        rank = share * (upto[:, -1:] - 1)
        below, above = (
            np.take_along_axis(ordered, (upto <= place).sum(axis=1, keepdims=True), axis=1)
            for place in (np.floor(rank), np.ceil(rank))
        )
        ends.append(below + (rank - np.floor(rank)) * (above - below))
    return np.clip(raw, *ends)
