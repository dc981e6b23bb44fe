"""Bootstrap intervals from given replicates, for estimates that may take few different values.

`replicates` are the estimates in R resamples; NaN stands for a resample in which there was none,
and is left out and counted; an infinite estimate has its place in the order and stays.
Quantiles are of R's type 6 (Weibull): the p-quantile has the rank (R + 1) p, between two ranks by
linear interpolation, outside 1..R the lowest or highest replicate. So Davison & Hinkley (1997,
Bootstrap Methods and their Application, section 5.2.1) take R = 999 for 0.025 and 0.975.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

Floats = NDArray[np.float64]

# Estimates closer than this part of the largest one are the same but for rounding.
_NARROW = 1e-10


@dataclass(frozen=True)
class BootstrapInterval:
    """An interval, and what it was made of.

    Attributes:
        low, high: the ends; NaN where they cannot be had (see `bca_interval`).
        used: replicates with an estimate.
        not_estimated: replicates without one (NaN).
        beyond: an end would need a rank outside 1..used, and is the extreme replicate instead: the
            replicates are too few for the level.
        low_share, high_share: the shares of the replicates' distribution at which the ends are.
        z0: bias correction, NaN for a percentile interval.
        acceleration: a, NaN for a percentile interval.
    """

    low: float
    high: float
    used: int
    not_estimated: int
    beyond: bool
    low_share: float
    high_share: float
    z0: float = math.nan
    acceleration: float = math.nan


def resamples(n: int, replicates: int, seed: int) -> NDArray[np.int64]:
    """Return how often each of n rows is drawn in each resample: shape (replicates, n).

    Each row of the result sums to n. The same seed gives the same counts.

    Raises:
        ValueError: n or replicates below 1.

    >>> resamples(5, 3, seed=1).sum(axis=1).tolist()
    [5, 5, 5]
    """
    if n < 1 or replicates < 1:
        raise ValueError("A bootstrap needs at least one row and one replicate.")
    return np.random.default_rng(seed).multinomial(n, np.full(n, 1.0 / n), size=replicates)


def percentile_interval(replicates: ArrayLike, level: float = 0.95) -> BootstrapInterval:
    """Percentile interval: the replicates' quantiles (1 - level) / 2 and (1 + level) / 2.

    Args:
        replicates: shape (R,).
        level: confidence level, in (0, 1).

    Raises:
        ValueError: replicates are not one-dimensional, or a level outside (0, 1).

    >>> percentile_interval(range(1, 40)).low, percentile_interval(range(1, 40)).high
    (1.0, 39.0)
    """
    values, missing = _sorted(replicates)
    _check_level(level)
    return _between(values, missing, (1.0 - level) / 2.0, (1.0 + level) / 2.0)


def bca_interval(
    estimate: float, replicates: ArrayLike, jackknife: ArrayLike, level: float = 0.95
) -> BootstrapInterval:
    """Bias-corrected and accelerated interval (Efron 1987, JASA 82:171-185).

    With z_p the normal quantile and Phi its distribution function, the ends are the quantiles

        Phi{z0 + (z0 + z_p) / (1 - a (z0 + z_p))},    p = (1 - level) / 2 and (1 + level) / 2,
        z0 = z of the share of replicates below the estimate, those equal to it counted half,
        a  = sum L_i^3 / (6 (sum L_i^2)^(3/2)),    L_i = mean of the jackknife - its i-th value.

    Counting ties half keeps z0 = 0 for a symmetric distribution of few values, where counting none
    of them (Efron, and R's `boot.ci`) shifts both ends. Replicates that differ from the estimate
    by rounding are equal to it. a is 0 where the jackknife values are all the same.

    The ends are NaN without an estimate or a replicate, where all replicates lie on one side of the
    estimate (z0 infinite), where a jackknife value is not finite, and where
    1 - a (z0 + z_p) is not positive.

    Args:
        estimate: from the data as they are.
        replicates: shape (R,).
        jackknife: the estimates with one row left out, shape (n,).
        level: confidence level, in (0, 1).

    Raises:
        ValueError: arrays that are not one-dimensional, or a level outside (0, 1).

    >>> found = bca_interval(20.0, range(1, 40), [19.0, 20.0, 21.0])
    >>> found.z0, found.acceleration, found.low, found.high
    (0.0, 0.0, 1.0, 39.0)
    """
    values, missing = _sorted(replicates)
    _check_level(level)
    left_out = np.asarray(jackknife, dtype=float)
    if left_out.ndim != 1:
        raise ValueError("The jackknife values must be one-dimensional.")
    z0 = _bias_correction(float(estimate), values)
    a = _acceleration(left_out)
    shares = []
    for p in ((1.0 - level) / 2.0, (1.0 + level) / 2.0):
        shifted = z0 + float(ndtri(p))
        room = 1.0 - a * shifted
        usable = math.isfinite(z0) and room > 0.0
        shares.append(float(ndtr(z0 + shifted / room)) if usable else math.nan)
    return _between(values, missing, shares[0], shares[1], z0, a)


def quantile6(ascending: Floats, share: float) -> float:
    """Return R's type 6 quantile of ascending values (R,), R at least 1; NaN for a NaN share.

    >>> quantile6(np.array([1.0, 2.0, 4.0]), 0.625)
    3.0
    """
    if math.isnan(share):
        return math.nan
    count = len(ascending)
    rank = min(max(_rank(count, share), 1.0), float(count))
    below = math.floor(rank)
    lower = float(ascending[below - 1])
    upper = float(ascending[min(below, count - 1)])
    part = rank - below
    # Equal neighbours are taken as they are: between two infinities there is no difference.
    return lower if part == 0.0 or lower == upper else (1.0 - part) * lower + part * upper


def _rank(count: int, share: float) -> float:
    """(count + 1) * share, a whole number where it is one but for rounding."""
    rank = (count + 1) * share
    return float(round(rank)) if abs(rank - round(rank)) < 1e-9 else rank


def _between(
    ascending: Floats,
    missing: int,
    low_share: float,
    high_share: float,
    z0: float = math.nan,
    acceleration: float = math.nan,
) -> BootstrapInterval:
    count = len(ascending)
    low = high = math.nan
    beyond = False
    if count and not (math.isnan(low_share) or math.isnan(high_share)):
        low, high = quantile6(ascending, low_share), quantile6(ascending, high_share)
        beyond = _rank(count, low_share) < 1.0 or _rank(count, high_share) > count
    return BootstrapInterval(
        low, high, count, missing, beyond, low_share, high_share, z0, acceleration
    )


def _bias_correction(estimate: float, values: Floats) -> float:
    if not len(values) or math.isnan(estimate):
        return math.nan
    with np.errstate(invalid="ignore"):
        apart = np.abs(values - estimate)
    finite = np.abs(values[np.isfinite(values)])
    tied = (apart <= _NARROW * finite.max(initial=0.0)) | (values == estimate)
    below = (values < estimate) & ~tied
    return float(ndtri((below.sum() + tied.sum() / 2.0) / len(values)))


def _acceleration(jackknife: Floats) -> float:
    if not len(jackknife) or not np.isfinite(jackknife).all():
        return math.nan
    deviation = jackknife.mean() - jackknife
    largest = np.abs(deviation).max()
    if largest <= _NARROW * np.abs(jackknife).max():
        return 0.0
    deviation = deviation / largest
    return float(np.sum(deviation**3) / (6.0 * np.sum(deviation**2) ** 1.5))


def _sorted(replicates: ArrayLike) -> tuple[Floats, int]:
    values = np.asarray(replicates, dtype=float)
    if values.ndim != 1:
        raise ValueError("The replicates must be one-dimensional.")
    missing = np.isnan(values)
    return np.sort(values[~missing]), int(missing.sum())


def _check_level(level: float) -> None:
    if not 0.0 < level < 1.0:
        raise ValueError(f"The confidence level must lie between 0 and 1, not {level}.")
