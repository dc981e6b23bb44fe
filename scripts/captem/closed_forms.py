"""Power and sample size where a formula or an enumeration gives them: what a simulation is held to.

Paired answers (McNemar): Miettinen 1968 and Connor 1987 by the normal distribution, and the exact
power of the exact test and the mid-P. Change of scores: the exact power of the signed-rank test.
Ordinal outcomes: Whitehead 1993 for two groups, and its analogue for a continuous covariate, by the
same information.

`gained` is the chance that a patient changes from no to yes, `lost` that of the reverse.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln, ndtr, ndtri

from captem import proportions, signed_rank

ALPHA = 0.05


def _changes(gained: float, lost: float) -> tuple[float, float]:
    if not (gained >= 0 and lost >= 0 and 0 < gained + lost <= 1):
        raise ValueError(f"chances of changing are 0 to 1 together, not {gained} and {lost}")
    return gained + lost, abs(gained - lost)


def mcnemar_power_connor(n: int, gained: float, lost: float, alpha: float = ALPHA) -> float:
    """Return the power of McNemar's test with `n` pairs, by Connor's formula.

    Raises
    ------
    ValueError
        If the chances are none.

    Source: Connor 1987, Biometrics 43:207-211.
    """
    changing, difference = _changes(gained, lost)
    z = float(ndtri(1 - alpha / 2))
    spread = math.sqrt(changing - difference**2)
    distance = difference * math.sqrt(n) - z * math.sqrt(changing)
    return float(ndtr(distance / spread)) if spread else float(distance >= 0)


def mcnemar_power_miettinen(n: int, gained: float, lost: float, alpha: float = ALPHA) -> float:
    """Return the power of McNemar's test with `n` pairs, by Miettinen's formula.

    Raises
    ------
    ValueError
        If the chances are none.

    Source: Miettinen 1968, Biometrics 24:339-352, the unconditional power for one pair each.
    """
    changing, difference = _changes(gained, lost)
    z = float(ndtri(1 - alpha / 2))
    spread = math.sqrt(changing**2 - difference**2 * (3 + changing) / 4)
    distance = difference * math.sqrt(n * changing) - z * changing
    return float(ndtr(distance / spread)) if spread else float(distance >= 0)


def mcnemar_n(
    power: float,
    gained: float,
    lost: float,
    alpha: float = ALPHA,
    of: Callable[[int, float, float, float], float] = mcnemar_power_connor,
) -> int:
    """Return the smallest number of pairs with which a formula gives `power`.

    Parameters
    ----------
    of : `mcnemar_power_connor` or `mcnemar_power_miettinen`.

    Raises
    ------
    ValueError
        If the chances are none, or equal, so that no number is enough.

    >>> mcnemar_n(0.9, 0.25, 0.05), mcnemar_n(0.9, 0.25, 0.05, of=mcnemar_power_miettinen)
    (75, 67)
    """
    if gained == lost:
        raise ValueError("as many gain as lose: there is nothing to find, whatever n")
    return _smallest(lambda n: of(n, gained, lost, alpha) >= power)


def _smallest(enough: Callable[[int], bool]) -> int:
    """Return the smallest number that is enough, where all larger ones are."""
    high = 1
    while not enough(high):
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def mcnemar_power_exact(
    n: int, gained: float, lost: float, alpha: float = ALPHA, *, mid_p: bool = False
) -> float:
    """Return the power of the exact McNemar test, or of its mid-P, over all outcomes of `n` pairs.

    Raises
    ------
    ValueError
        If the chances are none.

    >>> round(mcnemar_power_exact(40, 0.25, 0.05), 4)
    0.5674
    """
    changing, _ = _changes(gained, lost)
    p_of = proportions.mid_p_binomial if mid_p else proportions.two_sided_binomial
    total = 0.0
    for changed in range(n + 1):
        up = np.arange(changed + 1)
        rejects = np.array([p_of(int(k), int(changed - k)) <= alpha for k in up])
        of_these = float(_binomial(up, changed, gained / changing) @ rejects)
        total += float(_binomial(changed, n, changing)) * of_these
    return total


def _binomial(k: ArrayLike, n: int, chance: float) -> np.ndarray:
    k = np.asarray(k, dtype=float)
    ways = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
    return np.asarray(np.exp(ways) * chance**k * (1 - chance) ** (n - k))


def signed_rank_power_exact(
    n: int, gains: Sequence[int], chances: Sequence[float], alpha: float = ALPHA
) -> float:
    """Return the power of the signed-rank test with ranked zeros (Pratt), over all outcomes.

    The outcomes are as many as `n` patients can be put into the gains: for a few gains and up to
    about 30 patients.

    Parameters
    ----------
    gains : the steps that a patient may gain, each once; `chances` : of each, 1 together.

    Raises
    ------
    ValueError
        If the chances do not add up to 1, or a gain stands twice.

    >>> round(signed_rank_power_exact(15, [-1, 0, 1, 2], [0.1, 0.45, 0.3, 0.15]), 4)
    0.3802
    """
    given = np.asarray(chances, dtype=float)
    if len(given) != len(gains) or (given < 0).any() or abs(given.sum() - 1) > 1e-9:
        raise ValueError("one chance for each gain, which add up to 1")
    if len(set(gains)) < len(gains):
        raise ValueError("each gain stands once")
    reach = max(map(abs, gains), default=0)
    places = np.array(gains) + reach
    logs = np.log(np.where(given > 0, given, 1.0))
    total = 0.0
    for outcome in _compositions(n, len(gains)):
        if (outcome[given == 0] > 0).any():
            continue
        counts = np.zeros(2 * reach + 1, dtype=np.int64)
        counts[places] = outcome
        test = signed_rank.conditional_test(*signed_rank.groups_of_gains(counts))
        if test.p_value <= alpha:
            total += math.exp(gammaln(n + 1) - gammaln(outcome + 1).sum() + float(outcome @ logs))
    return total


def _compositions(n: int, parts: int) -> Iterator[np.ndarray]:
    """Yield every way of putting `n` patients into so many parts."""
    if parts == 1:
        yield np.array([n])
        return
    for first in range(n + 1):
        for rest in _compositions(n - first, parts - 1):
            yield np.concatenate([[first], rest])


def ordinal_information(shares: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Return the information of one patient about a log odds ratio per unit of variance.

    (1 - sum p_k^3) / 3 for an outcome with the shares p_k, at proportional odds and a small effect.

    Parameters
    ----------
    shares : (k,) of the outcome, over all patients; or (s, k), one row a stratum, such as a score
        at baseline that the model holds.
    weights : (s,) the share of each stratum.

    Source: Whitehead 1993, Stat Med 12:2257-2271, eq. 4 to 6.
    """
    rows = np.atleast_2d(np.asarray(shares, dtype=float))
    within = (1 - (rows**3).sum(axis=1)) / 3
    if weights is None:
        return float(within.mean())
    return float(np.asarray(weights, dtype=float) @ within)


def ordinal_power(
    n: float, log_odds_ratio: float, variance: float, information: float, alpha: float = ALPHA
) -> float:
    """Return the power for a log odds ratio of a higher score, by the information of the outcome.

    For two groups of shares a and 1 - a the variance of the covariate is a (1 - a), and this is
    Whitehead's formula. For a continuous covariate it is the same information with the covariate's
    own variance: an analogue, not in the paper, that takes the effect for small and the covariate
    for unrelated to the strata.

    Parameters
    ----------
    variance : of the covariate, within strata where there are some.
    information : as `ordinal_information` returns it.
    """
    z = float(ndtri(1 - alpha / 2))
    return float(ndtr(abs(log_odds_ratio) * math.sqrt(n * variance * information) - z))


def ordinal_n(
    power: float, log_odds_ratio: float, variance: float, information: float, alpha: float = ALPHA
) -> int:
    """Return the smallest n with which `ordinal_power` is `power`.

    Raises
    ------
    ValueError
        If there is no effect, or nothing varies.

    Whitehead's example: shares .2, .5, .2, .1 of controls and an odds ratio of 2.43.

    >>> mean = [0.289, 0.486, 0.153, 0.072]
    >>> ordinal_n(0.9, 0.887, 0.25, ordinal_information(mean))
    187
    """
    per_patient = log_odds_ratio**2 * variance * information
    if not per_patient > 0:
        raise ValueError("there is no effect to find, whatever n")
    z = float(ndtri(1 - alpha / 2)) + float(ndtri(power))
    return math.ceil(z * z / per_patient)
