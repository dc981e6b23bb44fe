"""The primary analyses of many planned studies at once: P, the width of the interval, refusals.

What is computed is what the package says of one study (`captem.paired`, `captem.krenning_model`): a
test compares the two. A refused analysis rejects nothing and has no width.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from captem import bias_reduced_batch, limits, proportions, signed_rank
from captem.drawn import ALPHA, LEVEL
from captem.planning_draw import Studies

CHANGE, MODEL, CRITERION = "transition.signed_rank", "model.krenning", "criterion.mcnemar"
ANALYSES = (CHANGE, MODEL, CRITERION)
_SLOPES = 2
_CACHED = 20_000


@dataclass(frozen=True, eq=False)
class Answers:
    """What one analysis says of R studies.

    Attributes:
        p: two-sided, (R,); NaN where refused.
        low, high: ends of the 95 % interval, (R,), NaN where refused: of the net improvement, of
            the log odds ratio per doubling of MIB1, of the difference of proportions.
    """

    p: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @property
    def rejects(self) -> np.ndarray:
        """Return whether P <= .05, (R,)."""
        return self.p <= ALPHA

    @property
    def width(self) -> np.ndarray:
        """Return the width of the interval, (R,)."""
        return self.high - self.low


def answers(studies: Studies, threshold: int) -> dict[str, Answers]:
    """Return what each of `ANALYSES` says; `threshold` is the score that meets the criterion."""
    return {
        CHANGE: change(studies),
        MODEL: model(studies),
        CRITERION: criterion(studies, threshold),
    }


def change(studies: Studies) -> Answers:
    """Return the exact signed-rank test with ranked zeros, and Tango's interval beside it."""
    gains = np.where(studies.scanned, studies.after - studies.before, -9)
    counts = np.stack([(gains == step).sum(axis=1) for step in range(-4, 5)], axis=1)
    return _each(counts, _change)


@lru_cache(maxsize=_CACHED)
def _change(counts: tuple[int, ...]) -> tuple[float, float, float]:
    n = sum(counts)
    if limits.too_few_pairs(n):
        return np.nan, np.nan, np.nan
    test = signed_rank.conditional_test(*signed_rank.groups_of_gains(np.array(counts)))
    return test.p_value, *tango(sum(counts[5:]), sum(counts[:4]), n)


@lru_cache(maxsize=_CACHED)
def tango(gained: int, lost: int, n: int) -> tuple[float, float]:
    return proportions.tango(gained, lost, n, LEVEL)


def criterion(studies: Studies, threshold: int) -> Answers:
    """Return McNemar's mid-P, and Newcombe's interval of the difference of proportions."""
    before, after = studies.before >= threshold, studies.after >= threshold
    kinds = (before & after, before & ~after, ~before & after, ~before & ~after)
    counts = np.stack([(kind & studies.scanned).sum(axis=1) for kind in kinds], axis=1)
    return _each(counts, _criterion)


@lru_cache(maxsize=_CACHED)
def _criterion(counts: tuple[int, ...]) -> tuple[float, float, float]:
    kept, lost, gained, never = counts
    if limits.too_few_pairs(sum(counts)):
        return np.nan, np.nan, np.nan
    ends = proportions.newcombe_10(kept, lost, gained, never, LEVEL)
    return proportions.mid_p_binomial(gained, lost), *ends


def _each(counts: np.ndarray, of: Callable[[tuple[int, ...]], Any]) -> Answers:
    """Ask of each distinct row of counts once."""
    rows, where = np.unique(counts, axis=0, return_inverse=True)
    found = np.array([of(tuple(row)) for row in rows.tolist()], dtype=float)[where.ravel()]
    return Answers(*found.reshape(len(counts), 3).T)


def model(studies: Studies) -> Answers:
    """Return log2 MIB1 in the bias-reduced proportional-odds model of follow-up given baseline."""
    weights = studies.scanned.astype(float)
    x = np.stack([studies.before.astype(float), studies.doublings], axis=1).swapaxes(1, 2)
    return of_fits(studies.after, studies.after, x, weights)


def of_fits(low: np.ndarray, high: np.ndarray, x: np.ndarray, weights: np.ndarray) -> Answers:
    """Return what the reported row of the second column of `x` (R, n, 2) says; scores (R, n).

    Scores that are intervals are taken as points where it is asked whether there are enough.
    """
    fits = bias_reduced_batch.fit_many(low, high, x, weights)
    enough = _enough((low + high) // 2, weights > 0)
    given = enough & fits.converged & ~fits.constant & ~fits.aliased.any(axis=1)
    beta = np.where(given, fits.beta[:, 1], np.nan)
    error = np.where(given, fits.standard_errors[:, 1], np.nan)
    z = float(ndtri((1 + LEVEL) / 2))
    return Answers(2 * ndtr(-np.abs(beta / error)), beta - z * error, beta + z * error)


def _enough(scores: np.ndarray, used: np.ndarray) -> np.ndarray:
    """Return whether the package fits the model at all, by `limits`, (R,)."""
    counts = np.stack([((scores == score) & used).sum(axis=1) for score in range(5)], axis=1)
    n = counts.sum(axis=1)
    return np.array([_fitted(tuple(row)) for row in counts.tolist()]) & (n > 0)


@lru_cache(maxsize=_CACHED)
def _fitted(counts: tuple[int, ...]) -> bool:
    n, seen = sum(counts), sum(count > 0 for count in counts)
    if limits.too_few_pairs(n) or seen < 2:
        return False
    effective = n - sum(count**3 for count in counts) / n**2
    parameters = seen - 1 + _SLOPES
    return not limits.too_few_for_regression(
        n, parameters, effective, _SLOPES, limits.MIN_REDUCED
    )  # fmt: skip
