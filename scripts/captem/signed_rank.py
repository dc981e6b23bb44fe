"""The signed-rank statistic with zeros ranked and ties averaged, and its exact distribution.

Differences d_1 ... d_n are ranked by their size, the zeros among them and tied ones at their
average rank (Pratt 1959). The ranks of the zeros are then left out; with r_i the rank of a
difference that is not zero, W is the sum of r_i over the positive ones. If each difference could as
well have had the other sign, W is a sum of independent terms that are r_i or 0 with probability 1/2
each, whatever the ties: that is the conditional distribution which P is taken from.

Ranks are kept doubled, so that they are whole numbers and no comparison depends on rounding. Counts
of sign patterns are sums of positive numbers, which keeps their relative precision in the far tail.

Sources: Pratt 1959, J Am Stat Assoc 54:655; Streitberg & Roehmel 1986 (the shift algorithm);
Hothorn et al. 2008 (the conditional distribution under ties).
"""

from __future__ import annotations

import math
import sys
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr

from captem.proportions import heads

# From here on the normal approximation is used; a test states how far it is off at the switch.
EXACT_UP_TO = 1000
# Differences of measured values that ought to be equal differ by this much of the largest at most.
TIE = 1e-9
_HALF_SUPPORT = 250_000


class SignedRank(NamedTuple):
    """The statistic and its P: doubled rank sums of rises and of falls, and how many differ."""

    rises: int
    falls: int
    different: int
    p_value: float
    exact: bool

    @property
    def smallest_p(self) -> float:
        """The P if all differences had one sign: no outcome with these ranks gives less."""
        return smallest_p(self.different)


def smallest_p(different: int) -> float:
    """Return the smallest two-sided P that a test of signs or signed ranks can give."""
    return max(math.ldexp(1.0, 1 - different), sys.float_info.min) if different else 1.0


def groups(differences: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the doubled average rank of each distinct size, and how many rise and fall by it.

    Parameters
    ----------
    differences : (n,) finite numbers; sizes within `TIE` of the largest are tied.

    Returns
    -------
    ranks, rises, falls : (k,) whole numbers, by rising size; zeros have no entry.

    >>> groups(np.array([0, 1, -1, 3]))
    (array([5, 8]), array([1, 1]), array([1, 0]))
    """
    sizes = np.abs(np.asarray(differences, dtype=float))
    if not len(sizes):
        empty = np.zeros(0, dtype=np.int64)
        return empty, empty, empty
    order = np.argsort(sizes, kind="stable")
    ordered = sizes[order]
    apart = np.diff(ordered) > TIE * ordered[-1]
    group = np.concatenate([[0], np.cumsum(apart)])
    counts = np.bincount(group)
    last = np.cumsum(counts)
    ranks = 2 * last - counts + 1
    signs = np.sign(np.asarray(differences, dtype=float))[order]
    rises = np.bincount(group[signs > 0], minlength=len(counts))
    falls = np.bincount(group[signs < 0], minlength=len(counts))
    keep = np.ones(len(counts), dtype=bool)
    keep[0] = ordered[0] > TIE * ordered[-1]
    return ranks[keep], rises[keep], falls[keep]


def groups_of_gains(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what `groups` does from how many patients gained -k, ..., 0, ..., k steps.

    Parameters
    ----------
    counts : (2k + 1,) whole numbers.

    >>> groups_of_gains(np.array([0, 1, 1, 1, 0]))
    (array([5]), array([1]), array([1]))
    """
    middle = len(counts) // 2
    rises, falls = counts[middle + 1 :], counts[middle - 1 :: -1] if middle else counts[:0]
    sizes = rises + falls
    last = counts[middle] + np.cumsum(sizes)
    ranks = 2 * last - sizes + 1
    keep = sizes > 0
    return ranks[keep], rises[keep], falls[keep]


def conditional_test(ranks: np.ndarray, rises: np.ndarray, falls: np.ndarray) -> SignedRank:
    """Return the two-sided test: P(|W - E W| >= |w - E W|), exact up to `EXACT_UP_TO` differences.

    Parameters
    ----------
    ranks, rises, falls : as `groups` returns them.

    >>> conditional_test(*groups(np.array([2, 1, 1, 0]))).p_value
    0.25
    """
    up, down = int(ranks @ rises), int(ranks @ falls)
    sizes = rises + falls
    different = int(sizes.sum())
    if different == 0:
        return SignedRank(0, 0, 0, 1.0, True)
    if different > EXACT_UP_TO:
        return SignedRank(up, down, different, normal_p(ranks, sizes, up - down), False)
    tail = lower_tail(ranks, sizes, min(up, down))
    return SignedRank(up, down, different, min(1.0, 2 * tail), True)


def normal_p(ranks: np.ndarray, sizes: np.ndarray, difference: float) -> float:
    """Return the two-sided P by the normal distribution, without a correction for continuity.

    `difference` is the doubled rank sum of the rises less that of the falls; its variance is the
    sum of the squared doubled ranks.
    """
    variance = float(np.square(ranks.astype(float)) @ sizes)
    if not variance:
        return 1.0
    # What lies below the smallest number there is, is still not nothing.
    tail = 2 * float(ndtr(-abs(difference) / math.sqrt(variance)))
    return max(sys.float_info.min, min(1.0, tail))


def lower_tail(ranks: np.ndarray, sizes: np.ndarray, most: int) -> float:
    """Return P(W <= most), where each of `sizes` differences counts its rank or nothing.

    Parameters
    ----------
    ranks : (k,) positive whole numbers; sizes : (k,) how many differences have that rank.
    """
    unit = math.gcd(*map(int, ranks))
    ranks, most = ranks // unit, most // unit
    first, second = _halves(sizes)
    if max(_support(sizes[first]), _support(sizes[second])) <= _HALF_SUPPORT:
        return _by_halves(ranks, sizes, first, second, most)
    return _by_shifts(np.repeat(ranks, sizes), most)


def _support(sizes: np.ndarray) -> float:
    return float(np.prod(sizes + 1.0))


def _halves(sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split the groups so that the number of sums of each half is about the same."""
    order = np.argsort(-sizes, kind="stable")
    products = [1.0, 1.0]
    parts: tuple[list[int], list[int]] = ([], [])
    for place in order:
        half = int(products[1] < products[0])
        parts[half].append(int(place))
        products[half] *= sizes[place] + 1.0
    return np.array(parts[0], dtype=int), np.array(parts[1], dtype=int)


def _by_halves(
    ranks: np.ndarray, sizes: np.ndarray, first: np.ndarray, second: np.ndarray, most: int
) -> float:
    """Add up P(A = a) P(B <= most - a): few distinct sums where many differences are tied."""
    a, p_a = _sums(ranks[first], sizes[first])
    b, p_b = _sums(ranks[second], sizes[second])
    order = np.argsort(b, kind="stable")
    b, below = b[order], np.concatenate([[0.0], np.cumsum(p_b[order])])
    return float(p_a @ below[np.searchsorted(b, most - a, side="right")])


def _sums(ranks: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    sums, weights = np.zeros(1, dtype=np.int64), np.ones(1)
    for rank, size in zip(ranks, sizes, strict=True):
        sums = (sums[:, None] + rank * np.arange(size + 1)).ravel()
        weights = (weights[:, None] * heads(int(size))).ravel()
    return sums, weights


def _by_shifts(ranks: np.ndarray, most: int) -> float:
    """Count the sign patterns of each sum up to `most`, adding one difference after the other.

    Small ranks come first, so that the sums reached stay few as long as possible.
    """
    ways, spare = np.zeros(most + 1), np.zeros(most + 1)
    ways[0] = 1.0
    top = 0
    for rank in np.sort(ranks):
        reach = min(most, top + int(rank))
        if rank > most:
            break
        spare[: top + 1] = ways[: top + 1]
        spare[top + 1 : reach + 1] = 0.0
        spare[rank : reach + 1] += ways[: reach + 1 - rank]
        ways, spare, top = spare, ways, reach
    # Each pattern has probability 2**-n; the sum of counts can be as large as 2**n.
    return math.ldexp(float(ways[: top + 1].sum()), -len(ranks))
