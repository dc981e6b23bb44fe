"""The Hodges-Lehmann estimate of a shift, with the interval that the signed-rank test leaves.

The estimate is the median of the n (n + 1) / 2 Walsh averages (d_i + d_j) / 2, i <= j. The interval
runs from the k-th smallest to the k-th largest of them, both counted in, with k the largest number
for which P(W < k) <= (1 - level) / 2 when nothing is tied. With ties it covers at least as often.

Sources: Hodges & Lehmann 1963; Hollander, Wolfe & Chicken 2014, section 3.2.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri

from captem.signed_rank import EXACT_UP_TO, lower_tail

# Up to here all Walsh averages are listed; beyond it they are counted.
_LISTED_UP_TO = 1500
# Averages closer than this part of the largest difference are the same but for rounding.
_NARROW = 1e-13


class Shift(NamedTuple):
    """Estimate and interval; without an interval (too few pairs for the level) its ends are NaN."""

    estimate: float
    low: float
    high: float
    exact: bool


def shift(differences: np.ndarray, level: float = 0.95) -> Shift:
    """Return the Hodges-Lehmann estimate and its interval.

    Parameters
    ----------
    differences : (n,) finite numbers, zeros included, n at least 1.

    >>> shift(np.array([1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4])).estimate
    1.3
    """
    d = np.sort(np.asarray(differences, dtype=float))
    n = len(d)
    total = n * (n + 1) // 2
    k = rank_from_end(n, level)
    middle = [(total + 1) // 2, total // 2 + 1]
    wanted = middle + ([k, total + 1 - k] if k else [])
    found = dict(zip(wanted, _walsh(d, wanted), strict=True))
    estimate = (found[middle[0]] + found[middle[1]]) / 2
    low, high = (found[k], found[total + 1 - k]) if k else (math.nan, math.nan)
    return Shift(estimate, low, high, n <= EXACT_UP_TO)


def rank_from_end(n: int, level: float = 0.95) -> int:
    """Return k, the rank from either end of the Walsh average that ends the interval; 0 if none.

    Up to `EXACT_UP_TO` pairs by the exact distribution, beyond by its normal approximation.

    >>> rank_from_end(10), rank_from_end(5)
    (9, 0)
    """
    alpha = 1 - level
    total, variance = n * (n + 1) / 2, n * (n + 1) * (2 * n + 1) / 24
    near = math.floor(total / 2 + float(ndtri(alpha / 2)) * math.sqrt(variance))
    if n > EXACT_UP_TO:
        return max(0, near)
    ranks, once = np.arange(1, n + 1), np.ones(n, dtype=int)

    def too_far(k: int) -> bool:
        return k > 0 and 2 * lower_tail(ranks, once, k - 1) > alpha

    k = max(0, near)
    while too_far(k):
        k -= 1
    while k < total and not too_far(k + 1):
        k += 1
    return k


def _walsh(ordered: np.ndarray, places: list[int]) -> list[float]:
    """Return the Walsh averages at the given places, counted from 1 in rising order."""
    n = len(ordered)
    if n <= _LISTED_UP_TO:
        i, j = np.triu_indices(n)
        averages = (ordered[i] + ordered[j]) / 2
        kept = np.partition(averages, sorted({place - 1 for place in places}))
        return [float(kept[place - 1]) for place in places]
    return [_walsh_at(ordered, place) for place in places]


def _walsh_at(ordered: np.ndarray, place: int) -> float:
    """Return one Walsh average without listing them: halve the range, then list what is left in it.

    Of the averages at most `x`, each d_i has as many partners j >= i as there are values up to
    2x - d_i from d_i on.
    """
    low, high = float(ordered[0]), float(ordered[-1])
    n = len(ordered)
    own = np.arange(n)

    def partners(x: float) -> np.ndarray:
        return np.searchsorted(ordered, 2 * x - ordered[::-1], side="right")[::-1]

    def at_most(ends: np.ndarray) -> int:
        return int(np.maximum(ends - own, 0).sum())

    below, ends = 0, partners(high)
    starts = np.zeros(n, dtype=np.int64)
    narrow = _NARROW * max(abs(low), abs(high))
    while at_most(ends) - below > 4 * n:
        if high - low <= narrow:
            # Too many are the same but for rounding: the largest of them stands for all.
            some = ends > own
            return float(((ordered[some] + ordered[ends[some] - 1]) / 2).max())
        middle = (low + high) / 2
        reached = partners(middle)
        if at_most(reached) >= place:
            high, ends = middle, reached
        else:
            low, below, starts = middle, at_most(reached), reached
    starts = np.maximum(starts, own)
    sizes = np.maximum(ends - starts, 0)
    i = np.repeat(own, sizes)
    j = np.arange(len(i)) - np.repeat(np.cumsum(sizes) - sizes, sizes) + starts[i]
    averages = (ordered[i] + ordered[j]) / 2
    return float(np.partition(averages, place - below - 1)[place - below - 1])
