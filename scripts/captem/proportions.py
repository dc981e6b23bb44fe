"""Proportions and differences of paired proportions at small n: tests and intervals.

Of a pair of answers to one question before and after, `gained` counts those who changed from no to
yes, `lost` those who changed from yes to no.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache

import numpy as np
from scipy.special import bdtr, betaincinv, gammaln, ndtri

# Beyond this the exact fractions are slow and the floating-point tail is accurate to 1e-12.
_EXACT_UP_TO = 2000
_STEPS = 200
# So many tosses keep every chance exact and above the smallest number there is.
_KEPT = 1000


def two_sided_binomial(first: int, second: int) -> float:
    """Return the exact two-sided P of `first` against `second` under equal chances.

    Nothing against nothing is P = 1. Source: the conditional distribution is binomial(n, 1/2),
    which is symmetric, so both tails are twice the smaller one.

    >>> two_sided_binomial(9, 1)
    0.021484375
    >>> two_sided_binomial(0, 0)
    1.0
    """
    return _positive(min(1.0, float(2 * _tail(min(first, second), first + second))))


def mid_p_binomial(first: int, second: int) -> float:
    """Return the two-sided mid-P: the observed outcome counts half.

    Source: Fagerland, Lydersen & Laake 2013, BMC Med Res Methodol 13:91.

    >>> mid_p_binomial(1, 0)
    0.5
    """
    n, few = first + second, min(first, second)
    if n == 0:
        return 1.0
    if first == second:
        # Only the observed outcome itself is as extreme, and all others are more so.
        return 1.0 - _point(few, n) / 2
    return _positive(float(2 * _tail(few, n)) - _point(few, n))


def _positive(p: float) -> float:
    """Return a P that is not zero: what lies below the smallest number there is, is something."""
    return max(p, sys.float_info.min)


def _tail(few: int, n: int) -> Fraction | float:
    if n > _EXACT_UP_TO:
        return float(bdtr(few, n, 0.5))
    return Fraction(sum(math.comb(n, i) for i in range(few + 1)), 2**n)


def _point(few: int, n: int) -> float:
    if n > _EXACT_UP_TO:
        logs = math.lgamma(n + 1) - math.lgamma(few + 1) - math.lgamma(n - few + 1)
        return math.exp(logs - n * math.log(2))
    return float(Fraction(math.comb(n, few), 2**n))


def heads(n: int) -> np.ndarray:
    """Return the chances of 0, 1, ..., n heads in n tosses of a fair coin.

    >>> heads(2)
    array([0.25, 0.5 , 0.25])
    """
    if n <= _KEPT:
        return _heads(n)
    k = np.arange(n + 1)
    return np.exp(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1) - n * math.log(2))


@lru_cache(maxsize=_KEPT)
def _heads(n: int) -> np.ndarray:
    lower = [math.comb(n, k) / 2**n for k in range(n // 2 + 1)]
    chances = np.array(lower + lower[: (n + 1) // 2][::-1])
    chances.flags.writeable = False
    return chances


def wilson(count: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Return Wilson's score interval of a proportion.

    Source: Wilson 1927; recommended at small n by Brown, Cai & DasGupta 2001. The ends at 0 and n
    of n are exactly 0 and 1.
    """
    z2 = float(ndtri((1 + level) / 2)) ** 2
    centre = (count + z2 / 2) / (n + z2)
    half = math.sqrt(z2) / (n + z2) * math.sqrt(count * (n - count) / n + z2 / 4)
    return (
        0.0 if count == 0 else max(0.0, centre - half),
        1.0 if count == n else min(1.0, centre + half),
    )


def clopper_pearson(count: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Return the exact interval of a proportion, which covers at least at its level.

    Source: Clopper & Pearson 1934, by quantiles of the beta distribution.
    """
    tail = (1 - level) / 2
    low = 0.0 if count == 0 else float(betaincinv(count, n - count + 1, tail))
    high = 1.0 if count == n else float(betaincinv(count + 1, n - count, 1 - tail))
    return low, high


def newcombe_10(
    kept: int, lost: int, gained: int, never: int, level: float = 0.95
) -> tuple[float, float]:
    """Return the interval of (gained - lost) / n, from the Wilson intervals of both proportions.

    Parameters
    ----------
    kept, never : pairs that were yes, and no, both times.

    Source: Newcombe 1998, Stat Med 17:2635, method 10: the correlation of the pairs enters with a
    correction for continuity where it is positive, and is 0 where a margin is empty.

    >>> [round(end, 4) for end in newcombe_10(794, 150, 86, 570)]
    [-0.0587, -0.0212]
    """
    n = kept + lost + gained + never
    before, after = (kept + lost) / n, (kept + gained) / n
    low_1, high_1 = wilson(kept + lost, n, level)
    low_2, high_2 = wilson(kept + gained, n, level)
    margins = (kept + lost) * (gained + never) * (kept + gained) * (lost + never)
    product = float(kept * never - lost * gained)
    if product > 0:
        product = max(0.0, product - n / 2)
    phi = product / math.sqrt(margins) if margins else 0.0

    def reach(one: float, other: float) -> float:
        return math.sqrt(max(0.0, one**2 - 2 * phi * one * other + other**2))

    difference = (gained - lost) / n
    return (
        max(-1.0, difference - reach(after - low_2, high_1 - before)),
        min(1.0, difference + reach(high_2 - after, before - low_1)),
    )


def tango(gained: int, lost: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Return the score interval of (gained - lost) / n among `n` pairs.

    It holds every difference that the score test does not reject. Under a difference D the nuisance
    parameter, the chance to lose, is its maximum-likelihood value, the larger root of
    2n q^2 + B q - lost D (1 - D) with B = -gained - lost + (2n - gained + lost) D; the score is
    (gained - lost - n D) / sqrt(n (2 q + D (1 - D))), falling in D, and each end is found by
    halving.

    Source: Tango 1998, Stat Med 17:891.

    >>> [round(end, 4) for end in tango(86, 150, 1600)]
    [-0.059, -0.0214]
    """
    z = float(ndtri((1 + level) / 2))
    estimate = (gained - lost) / n

    def score(difference: float) -> float:
        b = -gained - lost + (2 * n - gained + lost) * difference
        c = -lost * difference * (1 - difference)
        q = max(0.0, (math.sqrt(max(0.0, b * b - 8 * n * c)) - b) / (4 * n))
        variance = n * (2 * q + difference * (1 - difference))
        distance = gained - lost - n * difference
        if variance <= 0:
            return math.copysign(math.inf, distance) if distance else 0.0
        return distance / math.sqrt(variance)

    low = -1.0 if lost == n else _crossing(score, -1.0, estimate, z)
    high = 1.0 if gained == n else _crossing(score, estimate, 1.0, -z)
    return low, high


def _crossing(falling: Callable[[float], float], low: float, high: float, value: float) -> float:
    """Return where a falling function takes a value between `low` and `high`, or the nearer end."""
    if falling(low) <= value:
        return low
    if falling(high) >= value:
        return high
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if falling(middle) > value:
            low = middle
        else:
            high = middle
    return (low + high) / 2
