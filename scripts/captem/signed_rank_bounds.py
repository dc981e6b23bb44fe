"""The signed-rank test where gains are intervals: the range of P over all completions.

P depends on the gains only through how many patients have each, so the distinct counts that a
completion can give are gone through, each with its exact P (`captem.completions`); of more than
2,000 only those whose normal P lies near an end of the range. Beyond 60,000, bounds take their
place.

The bounds. With Pratt ranks the difference N of the two rank sums is the sum of sign(d_i + d_j)
over all pairs i <= j, so N never falls when a gain rises: it lies between N of all gains at their
lower ends and N of all at their upper ends. The variance of N under the null is the sum of squared
ranks of the gains that are not zero,

    V = n(n+1)(2n+1)/6 - sum over sizes k of (m_k^3 - m_k)/12 - m_0 (m_0 + 1)^2 / 4,

with m_k gains of size k; every term falls as its m_k rises, so V lies between its value where each
m_k is the largest that it can be and where each is the smallest. By Cauchy and Schwarz N^2 / V is
at most the number of gains that may differ from zero. P by the normal distribution then lies
between those of the largest and of the smallest |N| / sqrt(V). The exact P goes in steps that the
normal one does not have: for it |N| is moved out by n, the largest rank there can be, and the exact
P of a few completions (all at the lower end, all at the upper, all next to zero, all in the middle)
is held.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ndtr

from captem import completions
from captem import signed_rank as ranked

# Below this the exact tail is thinner than the normal one.
_FAR = 1e-3
# Sets of counts that are listed; how many of them are tried at either end; and by which factor the
# exact P of any may differ from its normal one where P is not tiny, with room to spare.
_MOST_TABLES = 60_000
_LOOKED_AT = 200
_APART = 3.0
EXACT, NORMAL, BOUNDS = "exact", "normal approximation", "bounds over completions"


def over_completions(gains: np.ndarray) -> tuple[float, float, str]:
    """Return the smallest and the largest P, and the word for how they were found.

    Parameters
    ----------
    gains : (n, 2) the smallest and the largest gain of each patient, whole numbers.

    >>> over_completions(np.array([[0, 1], [1, 1], [2, 2], [1, 1]]))
    (0.125, 0.25, 'exact')
    """
    tables = _tables(gains)
    ends = None if tables is None else _ends(tables)
    return (*bounds(gains), BOUNDS) if ends is None else ends


def _ends(tables: np.ndarray) -> tuple[float, float, str] | None:
    """Return the range of P over tables of counts, or None where too many are near its upper end.

    Of many tables only those can hold the largest P whose normal P comes near it: the two differ by
    less than `_APART` there. The smallest P is looked for among those with the smallest normal P.
    """
    if len(tables) <= completions.LIMIT:
        chosen = tables
    else:
        rough = _normal(tables)
        order = np.argsort(-rough, kind="stable")
        top = max(_p(tables[place]).p_value for place in order[:_LOOKED_AT])
        near = int((rough >= top / _APART).sum())
        if near > completions.LIMIT:
            return None
        chosen = tables[np.union1d(order[: max(near, _LOOKED_AT)], order[-_LOOKED_AT:])]
    tests = [_p(table) for table in chosen]
    found = [test.p_value for test in tests]
    return min(found), max(found), EXACT if all(test.exact for test in tests) else NORMAL


def _p(table: np.ndarray) -> ranked.SignedRank:
    return ranked.conditional_test(*ranked.groups_of_gains(table))


def _normal(tables: np.ndarray) -> np.ndarray:
    """Return the P of each table by the normal distribution."""
    middle = tables.shape[1] // 2
    rises, falls = tables[:, middle + 1 :], tables[:, middle - 1 :: -1]
    sizes = rises + falls
    ranks = 2 * (tables[:, [middle]] + np.cumsum(sizes, axis=1)) - sizes + 1
    distance = np.abs((ranks * (rises - falls)).sum(axis=1))
    variance = (sizes * ranks.astype(float) ** 2).sum(axis=1)
    return 2 * ndtr(-distance / np.sqrt(np.maximum(variance, 1)))


def _tables(gains: np.ndarray) -> np.ndarray | None:
    reach = int(np.abs(gains).max(initial=0))
    settled = gains[:, 0] == gains[:, 1]
    certain = np.bincount(gains[settled, 0] + reach, minlength=2 * reach + 1)
    left_open = [tuple(range(low + reach, high + reach + 1)) for low, high in gains[~settled]]
    if len(left_open) > 1000 or reach == 0:
        return None if reach else certain[None, :]
    return completions.reachable(certain, left_open, _MOST_TABLES)


def bounds(gains: np.ndarray) -> tuple[float, float]:
    """Return bounds of P over all completions; see the head of the module.

    Parameters
    ----------
    gains : (n, 2) the smallest and the largest gain of each patient, whole numbers.
    """
    low, high = gains[:, 0], gains[:, 1]
    nearest = np.clip(0, low, high)
    sums = [_difference(low), _difference(high)]
    farthest = max(abs(total) for total in sums)
    closest = 0.0 if sums[0] <= 0 <= sums[1] else min(abs(total) for total in sums)
    variances = _variances(low, high, nearest)
    different = int(((low != 0) | (high != 0)).sum())
    exact = int(((low > 0) | (high < 0)).sum()) <= ranked.EXACT_UP_TO
    if exact:
        farthest, closest = farthest + len(gains), max(0.0, closest - len(gains))
    most = math.sqrt(min(farthest**2 / variances[0] if variances[0] > 0 else math.inf, different))
    least = closest / math.sqrt(variances[1]) if variances[1] > 0 else 0.0
    p_low, p_high = 2 * float(ndtr(-most)), min(1.0, 2 * float(ndtr(-least)))
    if exact and p_low < _FAR:
        p_low = ranked.smallest_p(different)
    if exact:
        for choice in (low, high, nearest, (low + high) // 2):
            p = ranked.conditional_test(*ranked.groups(choice)).p_value
            p_low, p_high = min(p_low, p), max(p_high, p)
    return p_low, p_high


def _difference(gains: np.ndarray) -> float:
    """Return the rank sum of the rises less that of the falls."""
    ranks, rises, falls = ranked.groups(gains)
    return float(ranks @ (rises - falls)) / 2


def _variances(low: np.ndarray, high: np.ndarray, nearest: np.ndarray) -> tuple[float, float]:
    """Return the smallest and the largest variance of the difference of the rank sums."""
    n = len(low)
    smallest, largest = np.abs(nearest), np.maximum(np.abs(low), np.abs(high))
    sizes = np.arange(int(largest.max(initial=0)) + 1)
    # An interval across zero holds every size up to its larger one.
    may = np.array([((smallest <= size) & (size <= largest)).sum() for size in sizes], dtype=float)
    must = np.array([((smallest == size) & (size == largest)).sum() for size in sizes], dtype=float)

    def variance(m: np.ndarray) -> float:
        ties = ((m**3 - m) / 12).sum()
        return n * (n + 1) * (2 * n + 1) / 6 - ties - m[0] * (m[0] + 1) ** 2 / 4

    return variance(may), variance(must)
