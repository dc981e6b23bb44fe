"""Weights with which patients who were scanned again stand for those who were not.

What may be reported is decided elsewhere; here only malformed input is an error.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from captem import firth, ordinal

Floats = NDArray[np.float64]

_TRUNCATED_AT = (0.01, 0.99)
# Judgement: one patient who stands for ten average ones decides a weighted answer alone.
_EXPLODING = 10.0


@dataclass(frozen=True, eq=False)
class Weights:
    """Inverse-probability weights, and how far they can be trusted.

    Attributes:
        weights: shape (n,), truncated; 0 for patients without follow-up.
        probabilities: fitted probability of being scanned again, shape (n,).
        coefficients: log odds ratios, intercept first, shape (1 + p,); NaN for aliased columns.
        effective_n: (sum w)^2 / sum w^2 (Kish 1965), in patients; at most those observed.
        mean: mean weight of those observed before truncation; far from 1, the model does not fit.
        largest: largest weight before truncation, in average patients.
        smallest_probability: over all patients; near 0, some are like none who was scanned again,
            and no weight makes up for them.
        exploding: `largest` is above 10.
        truncated: how many weights were changed.
        converged: the Newton steps vanished.
        max_abs_score: largest absolute modified score, columns in units of their spread.
        condition_number: largest over smallest eigenvalue of the information, in these units.
        aliased: columns collinear with the intercept and the columns before them, left out.
        separated: columns that tell who is scanned again without error, on one side at least.
    """

    weights: Floats
    probabilities: Floats
    coefficients: Floats
    effective_n: float
    mean: float
    largest: float
    smallest_probability: float
    exploding: bool
    truncated: int
    converged: bool
    max_abs_score: float
    condition_number: float
    aliased: tuple[int, ...]
    separated: tuple[int, ...]


def inverse_probability_weights(observed: ArrayLike, x: ArrayLike) -> Weights:
    """Weight patients with follow-up to stand for all who had a baseline.

    The chance of being scanned again is pi_i = expit(a + x_i'b). The slopes b maximise the
    likelihood with Firth's penalty,

        sum y log pi + (1 - y) log(1 - pi) + 1/2 log det(X'WX),    W = diag(pi (1 - pi)),

    X with an intercept (Firth 1993, Biometrika 80:27-38; Heinze & Schemper 2002, Stat Med
    21:2409-2419), so that they stay finite under separation. The penalty draws the chances towards
    1/2; so the intercept a is then the one for which they add up to the patients observed (FLIC of
    Puhr, Heinze, Nold, Lusa & Geroldinger 2017, Stat Med 36:2302-2317).

    The stabilised weight of an observed patient is (share observed) / pi_i, in patients, about 1 on
    average, truncated at the 1st and 99th percentile of the observed patients' weights, linearly
    interpolated (Cole & Hernan 2008, Am J Epidemiol 168:656-664). A weighted estimate wants a
    robust variance, and is right only if who is scanned again depends on nothing but `x`.

    Args:
        observed: whether each patient was scanned again, shape (n,), booleans or 0 and 1.
        x: what was known at baseline, shape (n, p), without an intercept; p may be 0.

    Raises:
        ValueError: malformed input, or all or none scanned again, so that there is nothing to
            model.

    >>> age = np.repeat([[0.0], [1.0]], 100, axis=0)
    >>> found = inverse_probability_weights([1] * 80 + [0] * 20 + [1] * 50 + [0] * 50, age)
    >>> found.weights[[0, 99, 100]].round(2)
    array([0.81, 0.  , 1.3 ])
    """
    y, predictors = _checked_follow_up(observed, x)
    centre, spread = predictors.mean(axis=0), predictors.std(axis=0)
    scale = np.where(spread > 0.0, spread, 1.0)
    scaled = (predictors - centre) / scale
    fit = firth.fit(y, scaled)
    own = scaled @ np.nan_to_num(fit.coefficients[1:])
    intercept = _recalibrated(y, own, float(fit.coefficients[0]))
    probabilities = expit(intercept + own)

    raw = y.mean() / probabilities[y == 1]
    weights = np.zeros(len(y))
    weights[y == 1] = np.clip(raw, *np.quantile(raw, _TRUNCATED_AT))
    slopes = fit.coefficients[1:] / scale
    coefficients = np.array([intercept - centre @ np.nan_to_num(slopes), *slopes])
    scores = y.astype(np.int64)
    return Weights(
        weights=weights,
        probabilities=probabilities,
        coefficients=coefficients,
        effective_n=float(weights.sum() ** 2 / (weights**2).sum()),
        mean=float(raw.mean()),
        largest=float(raw.max()),
        smallest_probability=float(probabilities.min()),
        exploding=bool(raw.max() > _EXPLODING),
        truncated=int((weights[y == 1] != raw).sum()),
        converged=fit.converged,
        max_abs_score=fit.max_abs_score,
        condition_number=fit.condition_number,
        aliased=tuple(column - 1 for column in fit.aliased),
        separated=tuple(np.flatnonzero(ordinal.separated(scores, scores, predictors)).tolist()),
    )


def _checked_follow_up(observed: ArrayLike, x: ArrayLike) -> tuple[Floats, Floats]:
    y, predictors = np.asarray(observed), np.asarray(x, dtype=float)
    if y.ndim != 1 or not np.isin(y, (0, 1)).all():
        raise ValueError("Whether a patient was scanned again must be true or false.")
    if predictors.ndim != 2 or len(predictors) != len(y):
        raise ValueError("There must be one row of predictors for each patient.")
    if not np.isfinite(predictors).all():
        raise ValueError("The predictors must be finite and not missing.")
    if len(np.unique(y)) < 2:
        raise ValueError("All or none of the patients were scanned again: nothing to model.")
    return y.astype(float), predictors


def _recalibrated(y: Floats, eta: Floats, intercept: float) -> float:
    """The intercept at which the chances add up to those observed, by halving."""
    low, high = intercept - 1.0, intercept + 1.0
    while expit(low + eta).sum() > y.sum():
        low -= 1.0
    while expit(high + eta).sum() < y.sum():
        high += 1.0
    for _ in range(100):
        middle = (low + high) / 2
        if expit(middle + eta).sum() > y.sum():
            high = middle
        else:
            low = middle
    return (low + high) / 2
