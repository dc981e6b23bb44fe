"""Weights with which patients who were scanned again stand for those who were not.

What may be reported is decided elsewhere; here only malformed input is an error.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, log_expit

from captem import ordinal

Floats = NDArray[np.float64]

_TRUNCATED_AT = (0.01, 0.99)
# Judgement: one patient who stands for ten average ones decides a weighted answer alone.
_EXPLODING = 10.0
_MAX_ITERATIONS = 200


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
    left_out = ordinal.aliased(predictors)
    kept = [j for j in range(predictors.shape[1]) if j not in left_out]
    used = predictors[:, kept]
    centre, scale = used.mean(axis=0), used.std(axis=0)
    scaled = (used - centre) / scale
    design = np.column_stack([np.ones(len(y)), scaled])
    beta, converged = _firth(y, design)
    information, score = _firth_derivatives(y, design, beta)
    beta[0] = _recalibrated(y, scaled @ beta[1:], beta[0])
    probabilities = expit(design @ beta)

    raw = y.mean() / probabilities[y == 1]
    weights = np.zeros(len(y))
    weights[y == 1] = np.clip(raw, *np.quantile(raw, _TRUNCATED_AT))
    coefficients = np.full(1 + predictors.shape[1], np.nan)
    slopes = beta[1:] / scale
    coefficients[[0, *(1 + j for j in kept)]] = [beta[0] - centre @ slopes, *slopes]
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
        converged=converged,
        max_abs_score=float(np.abs(score).max()),
        condition_number=float(np.linalg.cond(information)),
        aliased=left_out,
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


def _firth(y: Floats, design: Floats) -> tuple[Floats, bool]:
    """Coefficients where the modified score vanishes, by Newton with step-halving."""
    beta = np.zeros(design.shape[1])
    value = _firth_value(y, design, beta)
    for _ in range(_MAX_ITERATIONS):
        information, score = _firth_derivatives(y, design, beta)
        step = np.linalg.solve(information, score)
        moved = float(np.abs(design @ step).max())
        if moved < 1e-10:
            return beta, True
        length = min(1.0, 5.0 / moved)
        while (ahead := _firth_value(y, design, beta + length * step)) < value - 1e-12 * abs(value):
            length /= 2
        beta, value = beta + length * step, ahead
    return beta, False


def _firth_value(y: Floats, design: Floats, beta: Floats) -> float:
    eta = design @ beta
    likelihood = y @ log_expit(eta) + (1 - y) @ log_expit(-eta)
    information = (design.T * (expit(eta) * expit(-eta))) @ design
    return float(likelihood + np.linalg.slogdet(information)[1] / 2)


def _firth_derivatives(y: Floats, design: Floats, beta: Floats) -> tuple[Floats, Floats]:
    """Information X'WX, and the score X'(y - pi + h (1/2 - pi)) with h the hat diagonal."""
    pi = expit(design @ beta)
    half = design * np.sqrt(pi * (1 - pi))[:, None]
    information = half.T @ half
    hat = np.sum(half * np.linalg.solve(information, half.T).T, axis=1)
    return information, design.T @ (y - pi + hat * (0.5 - pi))


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
