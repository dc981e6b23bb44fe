"""Bias-reduced proportional-odds regression, finite where maximum likelihood is not.

The model is that of `captem.ordinal`, logit P(Y <= j) = theta_j - x'beta: a positive coefficient
goes with a higher score. The estimate solves the adjusted score equations U + A = 0 of mean bias
reduction (Firth 1993, Biometrika 80:27-38; for cumulative links Kosmidis 2014, JRSS B 76:169-196).

How U, A and the expected information follow from the cells of each outcome, also of one known only
to lie in `low..high`, stands in `captem.adjusted_score`.

Bias reduction does not penalise a likelihood here (only for two categories does such a penalty
exist), so there is a root to find and not a maximum. See `fit` for which one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from captem.adjusted_score import Partitions, State, partitions, state_at
from captem.ordinal_data import (
    Booleans,
    Data,
    Floats,
    condition_number,
    labels_of,
    marginal_thresholds,
    prepared,
)
from captem.separation import separated

_MAX_ITERATIONS = 2000
# Of the search, in units of the linear predictor; `batched_scoring` takes the same steps.
LARGEST_MOVE = 5.0
NEAR = 0.5
SETTLED = 1e-7
CLOSED = 1e-6


@dataclass(frozen=True, eq=False)
class BiasReducedFit:
    """A proportional-odds model with bias-reduced estimates.

    `m` thresholds and `p` coefficients. Where no root was found, `converged` is False,
    `covariance` is NaN throughout, and the parameters are where the search stopped.

    Attributes:
        thresholds: theta, shape (m,), strictly increasing.
        threshold_labels: one label per threshold, the scores on its two sides, as in "0|1".
        beta: coefficients, shape (p,); NaN for aliased columns.
        covariance: inverse expected information at the estimate, shape (m + p, m + p), thresholds
            first; NaN for aliased columns.
        loglik: log-likelihood at the estimate, unadjusted.
        converged: the steps vanished at a root of the adjusted score.
        max_abs_adjusted_score: largest absolute element of U + A, in the thresholds and
            coefficients as they are given here.
        condition_number: largest over smallest eigenvalue of the expected information, in the
            same parameters; `inf` where it is numerically singular.
        iterations: steps taken.
        categories: the (low, high) scores of the m + 1 categories that the thresholds separate.
        collapsed: scores between the lowest and the highest seen that have no probability of
            their own: never seen, never told apart from a neighbour, or emptied (`boundary`).
        boundary: some category, held by interval outcomes only, emptied on the way to the root.
        aliased: indices of columns collinear with the intercept and the columns before them.
    """

    thresholds: Floats
    threshold_labels: tuple[str, ...]
    beta: Floats
    covariance: Floats
    loglik: float
    converged: bool
    max_abs_adjusted_score: float
    condition_number: float
    iterations: int
    categories: tuple[tuple[int, int], ...]
    collapsed: tuple[int, ...]
    boundary: bool
    aliased: tuple[int, ...]
    _data: Data = field(repr=False)

    @property
    def standard_errors(self) -> Floats:
        """Wald standard errors, square roots of the diagonal of `covariance`, shape (m + p,)."""
        return np.sqrt(np.diag(self.covariance))

    @property
    def separated(self) -> Booleans:
        """For each column whether maximum likelihood would be infinite; see `ordinal.recession`.

        Here the estimate is finite all the same, and says little beyond its sign.
        """
        return separated(self._data.low, self._data.high, self._data.x)


def fit(
    low: ArrayLike, high: ArrayLike, x: ArrayLike, weights: ArrayLike | None = None
) -> BiasReducedFit:
    """Fit the proportional-odds model with mean bias reduction.

    Fisher scoring on the adjusted score from the marginal thresholds and beta = 0, shortened where
    it turns back on itself; close to a root, Newton's method with the exact derivative of U + A.
    Under separation the equations can have several roots. Scoring leaves those from which its steps
    lead away (an eigenvalue of the derivative has the wrong sign); Newton's method alone would not.

    Scores are collapsed first, as `ordinal.fit` collapses them. For maximum likelihood this follows
    from the data; here it is a choice. A middle category that nobody has would otherwise get a
    width from the adjustment, and the coefficients would depend on how finely the scale is drawn.
    With interval outcomes a category that no outcome occupies alone may empty on the way; it is
    then collapsed as well, and `boundary` is True.

    Args:
        low, high: lowest and highest possible score of each outcome, integers, shape (n,).
        x: predictors without an intercept, shape (n, p); p may be 0.
        weights: non-negative frequency weights, shape (n,); 1 when omitted. Rows of weight 0 are
            left out entirely.

    Raises:
        ValueError: malformed input, or outcomes that share one category, so that there is no
            threshold to estimate.

    A predictor that separates the scores, where maximum likelihood is infinite:

        >>> found = fit([0, 0, 0, 1, 1, 1], [0, 0, 0, 1, 1, 1], [[1], [2], [3], [4], [5], [6]])
        >>> found.converged, found.separated.tolist()
        (True, [True])
        >>> found.beta.round(3).tolist()
        [1.129]
    """
    data = prepared(low, high, x, weights)
    return _assembled(data, _solved(data))


@dataclass(frozen=True, eq=False)
class _Root:
    """Where the search ended, in standardised columns; `closed` are categories emptied."""

    parameters: Floats
    state: State | None
    converged: bool
    iterations: int
    closed: tuple[int, ...]


def _solved(data: Data) -> _Root:
    """Search for a root; where a category empties on the way, go on without it."""
    lower, upper = data.cells.lower, data.cells.upper
    remaining = list(range(len(data.cells.categories)))
    thresholds = marginal_thresholds(lower, upper, len(remaining) - 1, data.weights)
    parameters = np.concatenate([thresholds, np.zeros(len(data.kept))])
    iterations = 0
    while True:
        m = len(remaining) - 1
        cells = partitions(lower, upper, m, data.standardised, data.weights)
        root, emptied = _search(cells, parameters)
        iterations += root.iterations
        if emptied is None:
            every = range(len(data.cells.categories))
            closed = tuple(c for c in every if c not in remaining)
            return _Root(root.parameters, root.state, root.converged, iterations, closed)
        # Category c lies between thresholds c - 1 and c, which are now one.
        parameters = np.delete(root.parameters, emptied)
        lower, upper = lower - (lower >= emptied), upper - (upper >= emptied)
        remaining.pop(emptied)


def _search(cells: Partitions, start: Floats) -> tuple[_Root, int | None]:
    """Damped Fisher scoring, then Newton; stops early at a category that empties."""
    m = cells.thresholds
    alone = set((cells.upper[cells.observed * (cells.upper - cells.lower) == 1] - 1).tolist())
    unheld = np.array([c for c in range(1, m) if c not in alone], dtype=np.int64)
    parameters, damping = start, 1.0
    previous = np.zeros(len(start))
    near = False
    for iteration in range(_MAX_ITERATIONS):
        state = state_at(cells, parameters, derivative=near)
        if state is None:
            return _Root(parameters, None, False, iteration, ()), None
        step = state.inverse @ state.score
        if len(unheld):
            widths, change = np.diff(parameters[:m])[unheld - 1], np.diff(step[:m])[unheld - 1]
            emptied = unheld[(widths < CLOSED) & (change < 0.0)]
            if len(emptied):
                return _Root(parameters, state, False, iteration, ()), int(emptied[0])
        if state.derivative is not None:
            newton = _newton(cells, parameters, state)
            if newton is not None:
                ahead, moved = newton
                if moved < SETTLED:
                    final = state_at(cells, ahead)
                    if final is not None:
                        return _Root(ahead, final, True, iteration + 1, ()), None
                parameters, previous = ahead, np.zeros(len(start))
                continue
        moved = _moved(cells, step)
        near = moved < NEAR
        # Scoring may overshoot by up to a factor of 2, and would then swing for ever.
        swings = float(step @ state.information @ previous) < 0.0
        damping = max(0.25, 0.5 * damping) if swings else min(1.0, 1.2 * damping)
        length = min(damping, LARGEST_MOVE / moved if moved > 0.0 else 1.0)
        parameters = parameters + _room(parameters[:m], step[:m], length) * step
        previous = step
    return _Root(parameters, state_at(cells, parameters), False, _MAX_ITERATIONS, ()), None


def _newton(cells: Partitions, parameters: Floats, state: State) -> tuple[Floats, float] | None:
    """A Newton step towards a root that attracts Fisher scoring, and how far it moves.

    None where the root ahead repels, or the step does not halve the score.
    """
    assert state.derivative is not None
    pull = np.linalg.eigvals(-state.inverse @ state.derivative).real
    if not pull.min() > 0.0:
        return None
    step = np.asarray(np.linalg.solve(-state.derivative, state.score), dtype=float)
    ahead = parameters + step
    if np.any(np.diff(ahead[: cells.thresholds]) <= 0.0):
        return None
    moved = _moved(cells, step)
    if moved < SETTLED:
        return ahead, moved
    there = state_at(cells, ahead)
    if there is None:
        return None
    before = state.score @ state.inverse @ state.score
    after = there.score @ state.inverse @ there.score
    return (ahead, moved) if after < 0.25 * before else None


def _moved(cells: Partitions, step: Floats) -> float:
    """Largest change of a linear predictor, which no choice of units changes."""
    return float(max(np.abs(cells.z @ step).max(), np.abs(cells.v @ step).max()))


def _room(thresholds: Floats, step: Floats, length: float) -> float:
    """`length`, shortened so that every category keeps a tenth of its width."""
    widths, change = np.diff(thresholds), np.diff(step)
    narrows = change < 0.0
    if not narrows.any():
        return length
    return min(length, float((0.9 * widths[narrows] / -change[narrows]).min()))


def _assembled(data: Data, root: _Root) -> BiasReducedFit:
    """Bring a root from standardised parameters to those of the data.

    Mean bias reduction gives the same estimate in all linear reparameterisations.
    """
    categories, collapsed = data.reported_categories(root.closed)
    m, p = len(categories) - 1, data.columns
    coefficients = root.parameters[m:] / data.scale
    beta = np.full(p, np.nan)
    beta[list(data.kept)] = coefficients
    to_scaled = data.to_scaled(m)
    covariance = np.full((m + p, m + p), np.nan)
    score, condition, loglik = np.inf, np.inf, np.nan
    if root.state is not None:
        score = float(np.abs(root.state.score @ to_scaled).max())
        condition = condition_number(to_scaled.T @ root.state.information @ to_scaled)
        loglik = root.state.loglik
    if root.state is not None and root.converged:
        covariance = data.covariance(m, root.state.inverse)
    return BiasReducedFit(
        thresholds=root.parameters[:m] + data.centre @ coefficients,
        threshold_labels=labels_of(categories),
        beta=beta,
        covariance=covariance,
        loglik=loglik,
        converged=root.converged,
        max_abs_adjusted_score=score,
        condition_number=condition,
        iterations=root.iterations,
        categories=categories,
        collapsed=collapsed,
        boundary=bool(root.closed),
        aliased=data.aliased,
        _data=data,
    )
