"""Proportional-odds regression for small samples, with interval-valued outcomes.

The model is logit P(Y <= j) = theta_j - x'beta (McCullagh 1980, JRSS B 42:109-142): a positive
coefficient goes with a higher score. An outcome known only to lie in `low..high` contributes
F(theta_high - eta) - F(theta_{low-1} - eta), with eta = x'beta and F the logistic distribution
function; a point outcome has low = high.

Everything here rests on one identity. For a > b,

    F(a) - F(b) = F(a) * F(-b) * (1 - exp(-(a - b))),

and a - b is a difference of two thresholds, free of eta. So the log-likelihood is that of a
binary logistic regression without failures, with one row for each finite end of an outcome
(`theta_high - eta` and `eta - theta_{low-1}`), plus terms in the threshold gaps. It never
subtracts nearly equal probabilities, and it is visibly concave (as Pratt 1981, JASA 76:103-106,
and Burridge 1981, JRSS B 43:41-45, show for the cumulative model).

What may be reported from a fit is decided elsewhere; here only malformed input is an error.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chdtrc, chdtri

from captem.ordinal_data import (
    Booleans,
    Data,
    Floats,
    Integers,
    aliased,
    checked_scores,
    condition_number,
    labels_of,
    marginal_thresholds,
    prepared,
)
from captem.ordinal_likelihood import Likelihood, Maximum, likelihood_of, maximise, merging
from captem.profile_bound import profile_bound
from captem.separation import Bounds, Recession, recession, separated

__all__ = [
    "Booleans",
    "Bounds",
    "Floats",
    "Integers",
    "OrdinalFit",
    "Recession",
    "aliased",
    "effective_n",
    "fit",
    "likelihood_ratio",
    "null_loglik",
    "profile_interval",
    "recession",
    "separated",
]


@dataclass(frozen=True, eq=False)
class OrdinalFit:
    """A proportional-odds model at its maximum likelihood.

    `m` thresholds and `p` coefficients. Where the maximum is not attained (separation, see
    `recession`), or the likelihood is so flat that double precision cannot locate it (a hair's
    breadth from separation), `converged` is False, `covariance` is NaN throughout, thresholds and
    coefficients are where the search stopped, and `loglik` is the supremum up to about 1e-10.

    Attributes:
        thresholds: theta, shape (m,), strictly increasing.
        threshold_labels: one label per threshold, the scores on its two sides, as in "0|1".
        beta: coefficients, shape (p,); NaN for aliased columns.
        covariance: inverse observed information, shape (m + p, m + p), thresholds first; NaN for
            aliased columns.
        loglik: maximised log-likelihood.
        converged: the Newton steps vanished at a finite maximum.
        max_abs_gradient: largest absolute derivative of the log-likelihood, in the thresholds and
            coefficients as they are given here.
        condition_number: largest over smallest eigenvalue of the observed information, in the
            same parameters; `inf` where it is numerically singular.
        iterations: Newton steps taken.
        categories: the (low, high) scores of the m + 1 categories that the thresholds separate.
        collapsed: scores between the lowest and the highest seen that have no probability of
            their own: never seen, or never told apart from a neighbour.
        aliased: indices of columns collinear with the intercept and the columns before them.
    """

    thresholds: Floats
    threshold_labels: tuple[str, ...]
    beta: Floats
    covariance: Floats
    loglik: float
    converged: bool
    max_abs_gradient: float
    condition_number: float
    iterations: int
    categories: tuple[tuple[int, int], ...]
    collapsed: tuple[int, ...]
    aliased: tuple[int, ...]
    _setup: Setup = field(repr=False)
    _peak: Floats = field(repr=False)

    @property
    def standard_errors(self) -> Floats:
        """Square roots of the diagonal of `covariance`, shape (m + p,)."""
        return np.sqrt(np.diag(self.covariance))


def fit(
    low: ArrayLike, high: ArrayLike, x: ArrayLike, weights: ArrayLike | None = None
) -> OrdinalFit:
    """Fit the proportional-odds model by maximum likelihood.

    Newton's method on the observed information, with step-halving. Scores that the data cannot
    tell apart are collapsed first: a category keeps a probability of its own only where some
    outcome begins at its lower end and some outcome ends at its upper end, otherwise the likelihood
    always grows as the category empties (Turnbull 1976, JRSS B 38:290-295). With interval outcomes
    a category can also empty at the maximum; the order of the thresholds is then an active
    constraint, and the category is reported as collapsed too.

    Args:
        low, high: lowest and highest possible score of each outcome, integers, shape (n,).
        x: predictors without an intercept, shape (n, p); p may be 0.
        weights: non-negative frequency weights, shape (n,); 1 when omitted. Rows of weight 0 are
            left out entirely.

    Raises:
        ValueError: malformed input, or outcomes that share one category, so that there is no
            threshold to estimate.
    """
    setup = prepare(low, high, x, weights)
    return assemble(setup, maximise(setup.likelihood, setup.start))


def profile_interval(fit: OrdinalFit, column: int, level: float = 0.95) -> tuple[float, float]:
    """Profile-likelihood interval of one coefficient (Venzon & Moolgavkar 1988, JRSS C 37:87-94).

    The ends solve 2 * (l_max - l_profile(b)) = the chi-squared quantile on one degree of freedom,
    by Brent's method on the signed square root, which is nearly linear in b; every evaluation
    starts from the last one. An end is infinite where the profile never falls that far: on the
    side to which the coefficient recedes under separation, and on both for an aliased column.

    Args:
        fit: what `fit` returned.
        column: index of the coefficient in 0..p-1.
        level: confidence level, in (0, 1).

    Raises:
        ValueError: no such column, or a level outside (0, 1).
    """
    if not 0.0 < level < 1.0:
        raise ValueError(f"The confidence level must lie between 0 and 1, not {level}.")
    position = position_of(fit, column)
    if position is None:
        return -math.inf, math.inf
    upward, downward = _recedes(fit, column)
    profile = _Profile(fit, position, receding=upward or downward)
    root = math.sqrt(chdtri(1, 1.0 - level))
    scale = float(fit._setup.scale[position])
    return (
        -math.inf if downward else profile.bound(-1.0, root) / scale,
        math.inf if upward else profile.bound(1.0, root) / scale,
    )


def likelihood_ratio(fit: OrdinalFit, column: int) -> tuple[float, float]:
    """Likelihood-ratio test of one coefficient: (statistic, p) on one degree of freedom.

    Under separation the statistic uses the supremum of the likelihood and stays finite. For an
    aliased column it is 0 with p = 1.

    Raises:
        ValueError: no such column.
    """
    position = position_of(fit, column)
    if position is None:
        return 0.0, 1.0
    # The order matters: NaN is to stay NaN.
    statistic = 2.0 * max(fit.loglik - _Profile(fit, position).loglik(0.0), 0.0)
    return statistic, float(chdtrc(1, statistic))


def null_loglik(low: ArrayLike, high: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Maximised log-likelihood of the model without predictors. Shapes and errors as in `fit`."""
    return fit(low, high, np.empty((np.size(low), 0)), weights).loglik


def effective_n(low: ArrayLike, high: ArrayLike) -> float:
    """Effective sample size n - sum n_k^3 / n^2 of an ordinal outcome (Harrell 2015, section 4.4).

    An interval counts in its middle category, or half in each of the two middle ones, and for less
    than a whole observation: for the part of the range of the outcomes that it rules out. A point
    rules out all but itself and counts 1; an interval as wide as the range says nothing and counts
    0. 0 for no outcomes, and for outcomes that are all the same.

    Args:
        low, high: lowest and highest possible score of each outcome, integers, shape (n,).

    Raises:
        ValueError: malformed scores.
    """
    lowest, highest = checked_scores(low, high)
    if len(lowest) == 0:
        return 0.0
    span = int(highest.max() - lowest.min())
    if span == 0:
        return 0.0
    worth = 1.0 - (highest - lowest) / span
    n = float(worth.sum())
    if n == 0:
        return 0.0
    twice = lowest + highest
    middles = np.concatenate([twice // 2, (twice + 1) // 2])
    places = np.unique(middles, return_inverse=True)[1]
    counts = np.bincount(places, weights=np.concatenate([worth, worth])) / 2.0
    return float(n - np.sum(counts**3) / n**2)


@dataclass(frozen=True, eq=False)
class Setup(Data):
    """Everything about the data that stays constant while parameters change."""

    likelihood: Likelihood
    start: Floats

    def reported(
        self, closed: Iterable[int]
    ) -> tuple[tuple[tuple[int, int], ...], tuple[int, ...]]:
        """`reported_categories` where rows `closed` of the likelihood's `order` are."""
        order = self.likelihood.order
        return self.reported_categories({int(np.argmax(order[row] > 0.0)) for row in closed})


def prepare(low: ArrayLike, high: ArrayLike, x: ArrayLike, weights: ArrayLike | None) -> Setup:
    """The data and the likelihood of a model; arguments and errors are those of `fit`."""
    data = prepared(low, high, x, weights)
    m = len(data.cells.categories) - 1
    thresholds = marginal_thresholds(data.cells.lower, data.cells.upper, m, data.weights)
    return Setup(
        **vars(data),
        likelihood=likelihood_of(data.cells, data.standardised, data.weights),
        start=np.concatenate([thresholds, np.zeros(len(data.kept))]),
    )


def assemble(setup: Setup, peak: Maximum) -> OrdinalFit:
    """Bring a maximum from merged and standardised parameters to those of the data."""
    categories, collapsed = setup.reported(peak.closed)
    m = len(categories) - 1
    coefficients = peak.parameters[setup.likelihood.thresholds :] / setup.scale
    thresholds = peak.parameters[: setup.likelihood.thresholds] + setup.centre @ coefficients
    if peak.basis is not None:
        thresholds = thresholds[merging(setup.likelihood, list(peak.closed))[1][:m]]
    beta = np.full(setup.columns, np.nan)
    beta[list(setup.kept)] = coefficients
    to_scaled = setup.to_scaled(m)
    covariance = np.full((m + setup.columns, m + setup.columns), np.nan)
    if peak.converged:
        covariance = setup.covariance(m, np.asarray(np.linalg.inv(peak.information), dtype=float))
    return OrdinalFit(
        thresholds=thresholds,
        threshold_labels=labels_of(categories),
        beta=beta,
        covariance=covariance,
        loglik=peak.loglik,
        converged=peak.converged,
        max_abs_gradient=float(np.abs(peak.gradient @ to_scaled).max()),
        condition_number=condition_number(to_scaled.T @ peak.information @ to_scaled),
        iterations=peak.iterations,
        categories=categories,
        collapsed=collapsed,
        aliased=setup.aliased,
        _setup=setup,
        _peak=peak.parameters,
    )


def position_of(fit: OrdinalFit, column: int) -> int | None:
    """Where a column stands among the estimated ones; None for an aliased column."""
    if not 0 <= column < fit._setup.columns:
        raise ValueError(f"There is no column {column}: the fit has {fit._setup.columns}.")
    return fit._setup.kept.index(column) if column in fit._setup.kept else None


def _recedes(fit: OrdinalFit, column: int) -> tuple[bool, bool]:
    """Whether a coefficient recedes (upwards, downwards); a converged fit has no such direction."""
    if fit.converged:
        return False, False
    found = recession(fit._setup.low, fit._setup.high, fit._setup.x)
    return bool(found.upward[column]), bool(found.downward[column])


class _Profile:
    """The profile log-likelihood of one standardised coefficient, with warm starts."""

    def __init__(self, fit: OrdinalFit, position: int, receding: bool = False) -> None:
        likelihood = fit._setup.likelihood
        index = likelihood.thresholds + position
        self._maximum = fit.loglik
        self._peak = float(fit._peak[index])
        self._step = self._first_step(fit, position)
        self._column = likelihood.design[:, index]
        self._likelihood = likelihood.without(index)
        self._start = np.delete(fit._setup.start, index)
        self._last = np.delete(fit._peak, index) if fit.converged else self._start
        # Where the coefficient ran off to infinity, walk from 0: nothing is accurate near its end.
        self._origin = 0.0 if receding else self._peak

    @staticmethod
    def _first_step(fit: OrdinalFit, position: int) -> float:
        column = fit._setup.kept[position]
        variance = fit.covariance[len(fit.thresholds) + column, len(fit.thresholds) + column]
        return math.sqrt(variance) * float(fit._setup.scale[position]) if variance > 0.0 else 0.5

    def loglik(self, value: float) -> float:
        """Log-likelihood maximised over the other parameters with the coefficient at `value`."""
        likelihood = replace(self._likelihood, offset=self._column * value)
        found = maximise(likelihood, self._last)
        if not found.converged and self._last is not self._start:
            found = max(found, maximise(likelihood, self._start), key=lambda m: m.loglik)
        self._last = found.parameters if found.converged else self._start
        return found.loglik

    def bound(self, sign: float, root: float) -> float:
        """Where the signed root of the likelihood-ratio statistic reaches `root` on one side."""
        return profile_bound(
            self.loglik, (self._peak, self._maximum), (self._origin, self._step), sign * root
        )
