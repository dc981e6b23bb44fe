"""Paired tests and proportions at small n: exact, and honest about scores that are intervals."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from scipy.special import bdtr, betaincinv, ndtri

# Beyond this the exact fractions are slow and the floating-point tail is accurate to 1e-12.
_EXACT_UP_TO = 2000


@dataclass(frozen=True)
class PairedTest:
    """A test on the two directions of change, over every completion of interval scores.

    `p_value` is the largest over the completions, `p_low` and `p_high` their range; without
    interval scores the three are equal. `first` and `second` are the certain counts.
    """

    first: int
    second: int
    p_value: float
    p_low: float
    p_high: float


def two_sided_binomial(first: int, second: int) -> float:
    """Return the exact two-sided P of `first` against `second` under equal chances.

    Nothing against nothing is P = 1. Source: the conditional distribution is binomial(n, 1/2),
    which is symmetric, so both tails are twice the smaller one.

    >>> two_sided_binomial(9, 1)
    0.021484375
    >>> two_sided_binomial(0, 0)
    1.0
    """
    return min(1.0, float(2 * _tail(min(first, second), first + second)))


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
    return float(2 * _tail(few, n)) - _point(few, n)


def _tail(few: int, n: int) -> Fraction | float:
    if n > _EXACT_UP_TO:
        return float(bdtr(few, n, 0.5))
    return Fraction(sum(math.comb(n, i) for i in range(few + 1)), 2**n)


def _point(few: int, n: int) -> float:
    if n > _EXACT_UP_TO:
        logs = math.lgamma(n + 1) - math.lgamma(few + 1) - math.lgamma(n - few + 1)
        return math.exp(logs - n * math.log(2))
    return float(Fraction(math.comb(n, few), 2**n))


def sign_test(certain: tuple[int, int], open_changes: Iterable[frozenset[int]] = ()) -> PairedTest:
    """Exact sign test of up against down; patients without a change do not count.

    Parameters
    ----------
    certain : patients who certainly went up, and down.
    open_changes : for each patient with an undetermined direction the directions that the interval
        scores leave open, as a set out of 1 (up), 0 (same) and -1 (down).
    """
    steps = {1: (1, 0), 0: (0, 0), -1: (0, 1)}
    options = [frozenset(steps[way] for way in ways) for ways in open_changes]
    return _over_completions(certain, options, two_sided_binomial)


def mcnemar(
    gained: int,
    lost: int,
    open_pairs: Iterable[frozenset[tuple[int, int]]] = (),
    *,
    mid_p: bool = False,
) -> PairedTest:
    """McNemar's test, exact conditional or mid-P, on patients who gained and lost the criterion.

    Parameters
    ----------
    gained, lost : patients in whom the change is certain.
    open_pairs : for each undetermined patient the possible (gained, lost) out of (1, 0), (0, 1)
        and (0, 0).
    mid_p : use the mid-P instead of the exact P.
    """
    p_of = mid_p_binomial if mid_p else two_sided_binomial
    return _over_completions((gained, lost), list(open_pairs), p_of)


def _over_completions(certain, options, p_of) -> PairedTest:
    # Only the two counts matter, and they are few: the reachable pairs grow with the square of the
    # undetermined patients where the completions double with each.
    reachable = {tuple(certain)}
    for choices in options:
        reachable = {(a + da, b + db) for a, b in reachable for da, db in choices}
    values = [p_of(a, b) for a, b in reachable]
    return PairedTest(certain[0], certain[1], max(values), min(values), max(values))


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
