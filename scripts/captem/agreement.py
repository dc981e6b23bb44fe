"""Agreement of two readers on an ordered score."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

Weights = Literal["linear", "quadratic"]
_POWERS = {"linear": 1, "quadratic": 2}
# In units of kappa; a spread below this is rounding.
_NO_SPREAD = 1e-12


@dataclass(frozen=True)
class Kappa:
    """A weighted kappa.

    Attributes:
        estimate: kappa; NaN where chance alone leaves no disagreement to expect.
        conf_low, conf_high: large-sample interval, within -1 and 1; NaN where the standard error
            is 0 or NaN.
        standard_error: large-sample standard error, not that under the hypothesis kappa = 0.
        n: patients scored by both.
        observed, expected: weighted agreement, as observed and as two independent readers with
            these frequencies would reach; both depend on the number of categories.
    """

    estimate: float
    conf_low: float
    conf_high: float
    standard_error: float
    n: int
    observed: float
    expected: float


def weighted_kappa(
    first: ArrayLike,
    second: ArrayLike,
    weights: Weights = "linear",
    categories: int = 5,
    level: float = 0.95,
) -> Kappa:
    """Return the weighted kappa of two readers with its large-sample interval.

    A pair of scores i and j agrees by 1 - |i - j| / (k - 1), or by 1 - ((i - j) / (k - 1))**2
    (Cohen 1968, Psychol Bull 70:213-220); kappa = (observed - expected) / (1 - expected). The
    standard error is that of Fleiss, Cohen & Everitt 1969 (Psychol Bull 72:323-327), written as
    the spread of each patient's influence on kappa, which does not subtract nearly equal numbers.

    Perfect agreement has estimate 1 and standard error 0, and so has no interval: one of no width
    would claim certainty from any n. The same holds where one reader gave a single score (kappa
    is 0 whatever the other did). Where both gave the same single score there is nothing to agree
    about: estimate and standard error are NaN.

    Args:
        first, second: scores, whole numbers 0..categories - 1, shape (n,), n >= 1.
        weights: "linear" or "quadratic".
        categories: k, at least 2; categories that nobody used change neither estimate nor interval.
        level: of the interval.

    Raises:
        ValueError: no scores, unequal lengths, a score out of range, an unknown kind of weights.

    >>> kappa = weighted_kappa([0, 1, 2, 3, 4, 2], [0, 1, 2, 3, 4, 3])
    >>> round(kappa.estimate, 3), round(kappa.standard_error, 3)
    (0.889, 0.11)
    >>> weighted_kappa([0, 1, 2], [0, 1, 2]).conf_low
    nan
    """
    a, b = _checked(first, second, weights, categories)
    n, power = len(a), _POWERS[weights]
    score = np.arange(categories)
    apart = np.abs(np.subtract.outer(score, score)) ** power
    counts = np.bincount(a * categories + b, minlength=categories**2).reshape(apart.shape)
    rows, columns = counts.sum(axis=1), counts.sum(axis=0)

    # Whole numbers, so that perfect agreement and constant readers are exact.
    disagreement = int((counts * apart).sum())
    by_chance = int(rows @ apart @ columns)
    widest = (categories - 1) ** power
    observed = 1 - disagreement / (n * widest)
    expected = 1 - by_chance / (n * n * widest)
    if by_chance == 0:
        return Kappa(math.nan, math.nan, math.nan, math.nan, n, observed, expected)

    estimate = 1 - n * disagreement / by_chance
    chance = by_chance / n**2
    of_margins = np.add.outer(apart @ columns, rows @ apart) / n
    influence = (apart - (1 - estimate) * of_margins) / chance
    share = counts / n
    centre = float((share * influence).sum())
    spread = math.sqrt(float((share * (influence - centre) ** 2).sum()))
    if spread < _NO_SPREAD:
        return Kappa(estimate, math.nan, math.nan, 0.0, n, observed, expected)
    error = spread / math.sqrt(n)
    half = float(ndtri((1 + level) / 2)) * error
    low, high = max(-1.0, estimate - half), min(1.0, estimate + half)
    return Kappa(estimate, low, high, error, n, observed, expected)


def _checked(
    first: ArrayLike, second: ArrayLike, weights: str, categories: int
) -> tuple[np.ndarray, np.ndarray]:
    if weights not in _POWERS:
        raise ValueError(f'The weights are "linear" or "quadratic", not {weights!r}.')
    if categories < 2:
        raise ValueError("Agreement needs at least 2 categories.")
    a, b = (np.asarray(scores, dtype=float) for scores in (first, second))
    if a.ndim != 1 or a.shape != b.shape:
        raise ValueError("The two readers' scores must be one-dimensional and of one length.")
    if len(a) == 0:
        raise ValueError("No patient has a score from both readers.")
    for scores in (a, b):
        if not (np.isin(scores, np.arange(categories))).all():
            raise ValueError(f"The scores must be whole numbers from 0 to {categories - 1}.")
    return a.astype(np.int64), b.astype(np.int64)
