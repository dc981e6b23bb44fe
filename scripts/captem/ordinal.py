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
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtrc, chdtri, expit, log_expit

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]
Bounds = Sequence[tuple[float | None, float | None]]

_MAX_ITERATIONS = 100
_MAX_DOUBLINGS = 60
_ALIAS_TOLERANCE = 1e-7
_CONSTANT_TOLERANCE = 1e-11
_RECESSION_TOLERANCE = 1e-6


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
    _setup: _Setup = field(repr=False)
    _peak: Floats = field(repr=False)

    @property
    def standard_errors(self) -> Floats:
        """Square roots of the diagonal of `covariance`, shape (m + p,)."""
        return np.sqrt(np.diag(self.covariance))


@dataclass(frozen=True, eq=False)
class Recession:
    """Which coefficients the likelihood drives to infinity.

    Attributes:
        upward: shape (p,), the coefficient may go to +inf without loss of likelihood.
        downward: shape (p,), the same to -inf.
        complete: some direction raises every likelihood term to 1 (complete separation); False
            where the separation is quasi-complete or absent.
    """

    upward: Booleans
    downward: Booleans
    complete: bool


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
    setup = _prepare(low, high, x, weights)
    return _assemble(setup, _maximise(setup.likelihood, setup.start))


def separated(low: ArrayLike, high: ArrayLike, x: ArrayLike) -> Booleans:
    """Return for each column whether its coefficient recedes to infinity; see `recession`.

    Shapes and errors are those of `fit`.
    """
    found = recession(low, high, x)
    return found.upward | found.downward


def recession(low: ArrayLike, high: ArrayLike, x: ArrayLike) -> Recession:
    """Detect complete and quasi-complete separation by linear programming, without fitting.

    Konis (2007, DPhil thesis, Oxford) for binary regression, carried over to cumulative links with
    interval outcomes. Move the parameters along t * (d, delta), thresholds by d and coefficients
    by delta. The term of outcome i has the ends

        upper: theta_high - eta, which moves at the rate a_i = d_high - x_i'delta,
        lower: theta_{low-1} - eta, which moves at the rate b_i = d_{low-1} - x_i'delta.

    If a_i < 0 or b_i > 0, the interval leaves towards one side and the term falls to -inf. If
    a_i >= 0 >= b_i, the interval only widens and the term never falls. The log-likelihood, being
    concave, therefore has the recession cone

        a_i >= 0 for every finite upper end,    b_i <= 0 for every finite lower end,
        d_j <= d_{j+1} for neighbouring thresholds, which must stay in order for all t.

    The order conditions matter only for categories that no outcome occupies alone; a point outcome
    implies its own. After collapsing, every threshold is the upper end of some outcome and the
    lower end of another, so delta = 0 forces d = 0 and the thresholds never recede alone. A finite
    and unique maximum exists if and only if the cone is {0} (Albert & Anderson 1984,
    Biometrika 71:1-10, for the multinomial model; Rockafellar 1970, theorem 27.1).

    With |delta_k| <= 1 in standardised columns, coefficient j recedes upwards where max delta_j
    over the cone is positive, and downwards where min delta_j is negative. A programme that
    maximises the sum of all slacks comes first, and spares the others when the cone is {0}.
    Aliased columns are held at 0 and so never recede.

    Shapes and errors are those of `fit`.
    """
    setup = _prepare(low, high, x, None)
    upward = np.zeros(setup.columns, dtype=bool)
    downward = np.zeros(setup.columns, dtype=bool)
    ends = setup.likelihood.design
    m = setup.likelihood.thresholds
    order = np.diff(np.eye(m, ends.shape[1]), axis=0)
    cone = np.vstack([ends, order])
    bounds: Bounds = [(None, None)] * m + [(-1.0, 1.0)] * len(setup.kept)
    if not setup.kept or np.max(cone @ _vertex(cone.sum(axis=0), cone, bounds)) < 1e-9:
        return Recession(upward, downward, complete=False)
    for position, column in enumerate(setup.kept):
        objective = np.zeros(ends.shape[1])
        objective[m + position] = 1.0
        upward[column] = _vertex(objective, cone, bounds)[m + position] > _RECESSION_TOLERANCE
        downward[column] = _vertex(-objective, cone, bounds)[m + position] < -_RECESSION_TOLERANCE
    return Recession(upward, downward, complete=_all_recede(ends, bounds))


def aliased(x: ArrayLike) -> tuple[int, ...]:
    """Return the indices of columns collinear with an intercept and the columns before them.

    QR by Gram-Schmidt with reorthogonalisation on centred columns: a column is aliased where what
    is left of it after projection is below 1e-7 of its spread. A column is constant where its
    spread is below 1e-11 of its size, as in a date that never changes.

    Args:
        x: predictors without an intercept, shape (n, p).

    Raises:
        ValueError: `x` is not a finite two-dimensional array.
    """
    return _aliased(_checked_predictors(x))


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
    position = _position(fit, column)
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
    position = _position(fit, column)
    if position is None:
        return 0.0, 1.0
    statistic = 2.0 * max(0.0, fit.loglik - _Profile(fit, position).loglik(0.0))
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
    lowest, highest = _checked_scores(low, high)
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
class _Likelihood:
    """The log-likelihood in the form of the module docstring; parameters are (theta, beta).

    `design` (rows, q) and `offset` (rows,) give the outcome ends, `gaps` (g, q) the threshold gaps
    of outcomes with two finite ends, both weighted. `order` (c, q) holds the gaps that no outcome
    occupies alone, so that nothing in the likelihood keeps them positive.
    """

    design: Floats
    weights: Floats
    offset: Floats
    gaps: Floats
    gap_weights: Floats
    order: Floats
    thresholds: int

    def value(self, margins: Floats, widths: Floats) -> float:
        """Log-likelihood at given ends and gaps; -inf where a gap is not positive."""
        if widths.size == 0:
            return float(self.weights @ log_expit(margins))
        if widths.min() <= 0.0:
            return -math.inf
        ends = self.weights @ log_expit(margins)
        return float(ends + self.gap_weights @ np.log(-np.expm1(-widths)))

    def derivatives(self, margins: Floats, widths: Floats) -> tuple[Floats, Floats]:
        """Gradient (q,) and observed information (q, q)."""
        failure = expit(-margins)
        slope = self.weights * failure
        gradient = slope @ self.design
        information = (self.design.T * (slope * expit(margins))) @ self.design
        if widths.size:
            ratio = 1.0 / np.expm1(np.minimum(widths, 700.0))
            slope = self.gap_weights * ratio
            gradient += slope @ self.gaps
            information += (self.gaps.T * (slope * (1.0 + ratio))) @ self.gaps
        return gradient, information

    def mapped(self, basis: Floats) -> _Likelihood:
        """The same likelihood in the parameters xi, where (theta, beta) = basis @ xi."""
        return replace(
            self, design=self.design @ basis, gaps=self.gaps @ basis, order=self.order @ basis
        )

    def without(self, index: int) -> _Likelihood:
        """The same likelihood with parameter `index` held at 0."""
        return replace(
            self,
            design=np.delete(self.design, index, axis=1),
            gaps=np.delete(self.gaps, index, axis=1),
            order=np.delete(self.order, index, axis=1),
        )


@dataclass(frozen=True, eq=False)
class _Cells:
    """The categories that the data can tell apart, and each outcome's ends among their thresholds.

    `lower` and `upper` (n,) index the thresholds at an outcome's two ends; -1 and m stand for an
    infinite end.
    """

    categories: tuple[tuple[int, int], ...]
    lower: Integers
    upper: Integers


@dataclass(frozen=True, eq=False)
class _Setup:
    """Everything about the data that stays constant while parameters change."""

    likelihood: _Likelihood
    start: Floats
    categories: tuple[tuple[int, int], ...]
    columns: int
    kept: tuple[int, ...]
    centre: Floats
    scale: Floats
    low: Integers
    high: Integers
    x: Floats


class _Point(NamedTuple):
    """Parameters with their outcome ends, threshold gaps and log-likelihood."""

    parameters: Floats
    margins: Floats
    widths: Floats
    value: float


@dataclass(frozen=True, eq=False)
class _Maximum:
    """Where a search ended: full parameters, and derivatives after merging emptied categories."""

    parameters: Floats
    loglik: float
    gradient: Floats
    information: Floats
    converged: bool
    iterations: int
    basis: Floats | None
    closed: tuple[int, ...]


def _checked_scores(low: ArrayLike, high: ArrayLike) -> tuple[Integers, Integers]:
    ends = []
    for name, values in (("low", low), ("high", high)):
        array = np.asarray(values)
        if array.ndim != 1:
            raise ValueError(f"The scores `{name}` must be one-dimensional.")
        if array.dtype.kind not in "iu":
            try:
                numbers = array.astype(float)
            except (TypeError, ValueError):
                raise ValueError(f"The scores `{name}` must be integers.") from None
            if not np.all(np.isfinite(numbers)) or np.any(numbers != np.floor(numbers)):
                raise ValueError(f"The scores `{name}` must be integers without missing values.")
            array = numbers
        ends.append(array.astype(np.int64))
    if ends[0].shape != ends[1].shape:
        raise ValueError("The scores `low` and `high` must have the same length.")
    if np.any(ends[0] > ends[1]):
        raise ValueError("An outcome has its `low` score above its `high` score.")
    return ends[0], ends[1]


def _checked_predictors(x: ArrayLike) -> Floats:
    try:
        array = np.asarray(x, dtype=float)
    except (TypeError, ValueError):
        raise ValueError("The predictors must be numbers.") from None
    if array.ndim != 2:
        raise ValueError("The predictors must be a two-dimensional array, outcomes by columns.")
    if not np.isfinite(array).all():
        raise ValueError("The predictors must be finite and not missing.")
    return array


def _checked_weights(weights: ArrayLike, n: int) -> Floats:
    array = np.asarray(weights, dtype=float)
    if array.shape != (n,):
        raise ValueError("There must be one weight for each outcome.")
    if not np.all(np.isfinite(array)) or np.any(array < 0.0):
        raise ValueError("The weights must be finite and not negative.")
    return array


def _prepare(low: ArrayLike, high: ArrayLike, x: ArrayLike, weights: ArrayLike | None) -> _Setup:
    lowest, highest = _checked_scores(low, high)
    predictors = _checked_predictors(x)
    n = len(lowest)
    if len(predictors) != n:
        raise ValueError("There must be one row of predictors for each outcome.")
    weight = np.ones(n) if weights is None else _checked_weights(weights, n)
    lowest, highest, predictors, weight = _rows(weight > 0.0, lowest, highest, predictors, weight)
    cells = _cells(lowest, highest)
    if len(cells.categories) < 2:
        raise ValueError("No threshold can be estimated: one category fits every outcome.")
    # An outcome that may be anything says nothing, so its predictors must not enter either.
    bounded = (cells.lower >= 0) | (cells.upper < len(cells.categories) - 1)
    lowest, highest, predictors, weight = _rows(bounded, lowest, highest, predictors, weight)
    cells = replace(cells, lower=cells.lower[bounded], upper=cells.upper[bounded])
    dropped = _aliased(predictors)
    kept = tuple(j for j in range(predictors.shape[1]) if j not in dropped)
    used = predictors[:, list(kept)]
    centre = used.mean(axis=0)
    scaled = used - centre
    scale = np.sqrt((scaled * scaled).mean(axis=0))
    scaled /= scale
    return _Setup(
        likelihood=_likelihood(cells, scaled, weight),
        start=np.concatenate([_marginal_thresholds(cells, weight), np.zeros(len(kept))]),
        categories=cells.categories,
        columns=predictors.shape[1],
        kept=kept,
        centre=centre,
        scale=scale,
        low=lowest,
        high=highest,
        x=predictors,
    )


def _rows(
    chosen: Booleans, low: Integers, high: Integers, x: Floats, weights: Floats
) -> tuple[Integers, Integers, Floats, Floats]:
    if chosen.all():
        return low, high, x, weights
    return low[chosen], high[chosen], x[chosen], weights[chosen]


def _cells(low: Integers, high: Integers) -> _Cells:
    """Merge the cut points between scores until every category can hold probability.

    Cut j lies between scores j and j + 1. It can be raised for free where no outcome begins at it,
    and lowered for free where none ends at it.
    """
    if not len(low):
        raise ValueError("There are no outcomes of positive weight.")
    bottom, top = int(low.min()), int(high.max())
    begins = set((low - 1).tolist())
    finishes = set(high.tolist())
    cuts = sorted((begins | finishes) - {bottom - 1, top})
    groups = [[bottom - 1]]
    for cut in [*cuts, top]:
        if any(member in begins for member in groups[-1]) and cut in finishes:
            groups.append([cut])
        else:
            groups[-1].append(cut)
    index = np.full(top - bottom + 2, -2, dtype=np.int64)
    for position, group in enumerate(groups):
        index[np.array(group) - bottom + 1] = position - 1
    categories = tuple((before[-1] + 1, after[0]) for before, after in pairwise(groups))
    return _Cells(categories, index[low - bottom], index[high - bottom + 1])


def _likelihood(cells: _Cells, x: Floats, weights: Floats) -> _Likelihood:
    m = len(cells.categories) - 1
    unit = np.eye(m)
    has_upper, has_lower = cells.upper < m, cells.lower >= 0
    uppers, lowers = cells.upper[has_upper], cells.lower[has_lower]
    design = np.vstack(
        [np.hstack([unit[uppers], -x[has_upper]]), np.hstack([-unit[lowers], x[has_lower]])]
    )
    both = has_upper & has_lower
    pairs = cells.lower[both] * m + cells.upper[both]
    sums = np.bincount(pairs, weights[both], minlength=m * m).astype(float)
    present = np.flatnonzero(sums)
    begin, end = np.divmod(present, m)
    wide = np.eye(m, m + x.shape[1])
    occupied = begin[end == begin + 1]
    unheld = np.setdiff1d(np.arange(m - 1), occupied) if len(occupied) < m - 1 else occupied[:0]
    return _Likelihood(
        design=design,
        weights=np.concatenate([weights[has_upper], weights[has_lower]]),
        offset=np.zeros(len(design)),
        gaps=wide[end] - wide[begin],
        gap_weights=sums[present],
        order=wide[unheld + 1] - wide[unheld],
        thresholds=m,
    )


def _marginal_thresholds(cells: _Cells, weights: Floats) -> Floats:
    """Cumulative logits of the category shares, an interval spread evenly over its categories."""
    position = np.arange(len(cells.categories))
    covered = (position > cells.lower[:, None]) & (position <= cells.upper[:, None])
    # Half an outcome more in each category keeps the thresholds finite and apart.
    shares = (weights / covered.sum(axis=1)) @ covered + 0.5
    cumulative = np.cumsum(shares)
    return np.log(cumulative[:-1] / (cumulative[-1] - cumulative[:-1]))


def _aliased(x: Floats) -> tuple[int, ...]:
    n, p = x.shape
    if n == 0:
        return tuple(range(p))
    centred = x - x.mean(axis=0)
    size = np.abs(x).max(axis=0)
    spread = np.abs(centred).max(axis=0)
    basis = np.empty((n, 0))
    found = []
    for column in range(p):
        if spread[column] <= _CONSTANT_TOLERANCE * size[column]:
            found.append(column)
            continue
        direction = centred[:, column] / spread[column]
        whole = math.sqrt(direction @ direction)
        for _ in range(2):
            direction = direction - basis @ (direction @ basis)
        rest = math.sqrt(direction @ direction)
        if rest <= _ALIAS_TOLERANCE * whole:
            found.append(column)
        else:
            basis = np.column_stack([basis, direction / rest])
    return tuple(found)


def _maximise(likelihood: _Likelihood, start: Floats) -> _Maximum:
    """Maximise over ordered thresholds: Newton inside, a primal active set around it.

    The active set stays empty unless some category is occupied by no outcome alone.
    """
    if not len(likelihood.order):
        return _newton(likelihood, start)[0]
    closed: list[int] = []
    iterations = 0
    best: _Maximum | None = None
    parameters = start
    for _ in range(20 * len(likelihood.order)):
        basis, first = _merging(likelihood, closed)
        found, hit = _newton(likelihood.mapped(basis), parameters[first])
        iterations += found.iterations
        parameters = basis @ found.parameters
        best = replace(
            found,
            parameters=parameters,
            iterations=iterations,
            basis=basis,
            closed=tuple(sorted(closed)),
        )
        if hit is not None:
            closed.append(hit)
            continue
        release = _wrongly_closed(likelihood, parameters, closed) if found.converged else None
        if release is None:
            return best
        closed.remove(release)
    assert best is not None
    return replace(best, converged=False)


def _newton(likelihood: _Likelihood, start: Floats) -> tuple[_Maximum, int | None]:
    """Newton's method with step-halving; stops early where a step closes a row of `order`.

    Progress is measured on the linear predictors, which no choice of units changes. Under
    separation they move by about 1 for ever while the likelihood gains ever less: that is told
    apart from convergence, however flat the likelihood has become.
    """
    point = _point(likelihood, start)
    gradient, information = likelihood.derivatives(point.margins, point.widths)
    converged, hit, iteration = False, None, 0
    previous = math.inf
    while iteration < _MAX_ITERATIONS:
        step = _solved(information, gradient)
        if step is not None:
            gain = float(gradient @ step)
            shift = likelihood.design @ step
            moved = max(shift.max(initial=0.0), -shift.min(initial=0.0))
            if moved < 1e-10 or (moved < 1e-5 and (gain < 1e-20 or gain > 0.25 * previous)):
                converged = True
                break
            if gain <= 1e-13 and moved > 0.1:
                break
            previous = gain
        iteration += 1
        ahead, hit = _advance(likelihood, point, gradient, information, step)
        if ahead is None:
            break
        if ahead is not point:
            point = ahead
            gradient, information = likelihood.derivatives(point.margins, point.widths)
        if hit is not None:
            break
    found = _Maximum(
        point.parameters, point.value, gradient, information, converged, iteration, None, ()
    )
    return found, hit


def _point(likelihood: _Likelihood, parameters: Floats) -> _Point:
    margins = likelihood.design @ parameters + likelihood.offset
    widths = likelihood.gaps @ parameters
    return _Point(parameters, margins, widths, likelihood.value(margins, widths))


def _solved(information: Floats, gradient: Floats) -> Floats | None:
    """Newton step; None where the information is numerically singular."""
    try:
        step = np.asarray(np.linalg.solve(information, gradient), dtype=float)
    except np.linalg.LinAlgError:
        return None
    return step if gradient @ step >= 0.0 else None


def _advance(
    likelihood: _Likelihood,
    point: _Point,
    gradient: Floats,
    information: Floats,
    newton_step: Floats | None,
) -> tuple[_Point | None, int | None]:
    """Take the Newton step, halved until the likelihood rises enough; else a damped one.

    Far from the maximum the information can underflow while the gradient does not. The damping
    matrix bounds the information of the outcome ends, F(1 - F) <= 1/4 (Boehning & Lindsay 1988,
    Ann Inst Stat Math 40:641-663). Returns the new point, None if there is none, and the row of
    `order` that the step closes.
    """
    for damping in (0.0, 1e-6, 1e-3, 1.0):
        step = newton_step
        if damping > 0.0:
            bound = (likelihood.design.T * likelihood.weights) @ likelihood.design / 4.0
            step = _solved(information + damping * bound, gradient)
        if step is None:
            continue
        limit, nearest = _room(likelihood, point.parameters, step)
        if limit == 0.0:
            return point, nearest
        gain = float(gradient @ step)
        length = min(1.0, limit)
        for _ in range(12):
            ahead = _point(likelihood, point.parameters + length * step)
            enough = point.value + 1e-4 * length * gain - 1e-13 * (1.0 + abs(point.value))
            if ahead.value >= enough:
                return ahead, nearest if length == limit else None
            length *= 0.5
    return None, None


def _room(likelihood: _Likelihood, parameters: Floats, step: Floats) -> tuple[float, int | None]:
    """Largest step length that keeps the open rows of `order` non-negative, and the row it hits."""
    if not len(likelihood.order):
        return math.inf, None
    change = likelihood.order @ step
    slack = np.maximum(likelihood.order @ parameters, 0.0)
    lengths = np.where(change < 0.0, slack / np.where(change < 0.0, -change, 1.0), math.inf)
    nearest = int(np.argmin(lengths))
    return float(lengths[nearest]), nearest


def _merging(likelihood: _Likelihood, closed: list[int]) -> tuple[Floats, Integers]:
    """Matrix from merged to full parameters, and the first full parameter of each merged one."""
    q, m = likelihood.design.shape[1], likelihood.thresholds
    starts_group = np.ones(q, dtype=bool)
    for row in closed:
        starts_group[np.flatnonzero(likelihood.order[row, :m] > 0.0)] = False
    group = np.cumsum(starts_group) - 1
    return np.eye(int(group[-1]) + 1)[group], np.flatnonzero(starts_group)


def _wrongly_closed(likelihood: _Likelihood, parameters: Floats, closed: list[int]) -> int | None:
    """The closed row of `order` with the most negative Lagrange multiplier, if there is one."""
    if not closed:
        return None
    margins = likelihood.design @ parameters + likelihood.offset
    gradient = likelihood.derivatives(margins, likelihood.gaps @ parameters)[0]
    multipliers = np.linalg.lstsq(likelihood.order[closed].T, -gradient, rcond=None)[0]
    worst = int(np.argmin(multipliers))
    return closed[worst] if multipliers[worst] < -1e-8 else None


def _assemble(setup: _Setup, peak: _Maximum) -> OrdinalFit:
    """Bring a maximum from merged and standardised parameters to those of the data."""
    categories, collapsed = _reported_categories(setup, peak.closed)
    kept, p = setup.kept, setup.columns
    m = len(categories) - 1
    coefficients = peak.parameters[setup.likelihood.thresholds :] / setup.scale
    thresholds = peak.parameters[: setup.likelihood.thresholds] + setup.centre @ coefficients
    if peak.basis is not None:
        thresholds = thresholds[_merging(setup.likelihood, list(peak.closed))[1][:m]]
    beta = np.full(p, np.nan)
    beta[list(kept)] = coefficients

    to_scaled = np.eye(m + len(kept))
    to_scaled[:m, m:] = -setup.centre
    to_scaled[m:, m:] = np.diag(setup.scale)
    gradient = peak.gradient @ to_scaled
    information = to_scaled.T @ peak.information @ to_scaled
    estimated = [*range(m), *(m + column for column in kept)]
    covariance = np.full((m + p, m + p), np.nan)
    if peak.converged:
        from_scaled = np.linalg.inv(to_scaled)
        inverse = from_scaled @ np.linalg.inv(peak.information) @ from_scaled.T
        covariance[np.ix_(estimated, estimated)] = inverse
    return OrdinalFit(
        thresholds=thresholds,
        threshold_labels=tuple(f"{left[1]}|{right[0]}" for left, right in pairwise(categories)),
        beta=beta,
        covariance=covariance,
        loglik=peak.loglik,
        converged=peak.converged,
        max_abs_gradient=float(np.abs(gradient).max()),
        condition_number=_condition_number(information),
        iterations=peak.iterations,
        categories=categories,
        collapsed=collapsed,
        aliased=tuple(column for column in range(p) if column not in kept),
        _setup=setup,
        _peak=peak.parameters,
    )


def _reported_categories(
    setup: _Setup, closed: tuple[int, ...]
) -> tuple[tuple[tuple[int, int], ...], tuple[int, ...]]:
    """Categories that hold probability at the maximum, and the scores that do not stand alone."""
    emptied = {int(np.flatnonzero(setup.likelihood.order[row] > 0.0)[0]) for row in closed}
    categories = tuple(c for i, c in enumerate(setup.categories) if i not in emptied)
    alone = {low for low, high in categories if low == high}
    scores = range(int(setup.low.min()), int(setup.high.max()) + 1)
    return categories, tuple(score for score in scores if score not in alone)


def _condition_number(information: Floats) -> float:
    if not np.isfinite(information).all():
        return math.inf
    values = np.linalg.eigvalsh(information)
    return float(values[-1] / values[0]) if values[0] > 1e-16 * values[-1] else math.inf


def _position(fit: OrdinalFit, column: int) -> int | None:
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
        found = _maximise(likelihood, self._last)
        if not found.converged and self._last is not self._start:
            found = max(found, _maximise(likelihood, self._start), key=lambda m: m.loglik)
        self._last = found.parameters if found.converged else self._start
        return found.loglik

    def bound(self, sign: float, root: float) -> float:
        """Where the signed root of the likelihood-ratio statistic reaches `root` on one side."""
        from scipy.optimize import brentq

        known = {self._peak: -root}

        def excess(value: float) -> float:
            if value not in known:
                drop = max(0.0, self._maximum - self.loglik(value))
                known[value] = math.sqrt(2.0 * drop) - root
            return known[value]

        inner, step = self._origin, self._step * root
        # From inside the interval walk outwards; from beyond its end, back towards the peak.
        outside = excess(inner) >= 0.0
        direction = -sign if outside else sign
        for _ in range(_MAX_DOUBLINGS):
            outer = inner + direction * step
            if (excess(outer) >= 0.0) != outside:
                return float(brentq(excess, inner, outer, xtol=1e-11, rtol=1e-11))
            inner, step = outer, 2.0 * step
        return sign * math.inf


def _vertex(objective: Floats, cone: Floats, bounds: Bounds) -> Floats:
    """The point of {cone @ v >= 0, within bounds} that maximises `objective @ v`."""
    from scipy.optimize import linprog

    solution = linprog(
        -objective,
        A_ub=-cone,
        b_ub=np.zeros(len(cone)),
        bounds=bounds,
        method="highs",
        # The tightest that HiGHS allows: a near-separation must not pass for a separation.
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
    if solution.x is None:
        raise RuntimeError(f"The linear programme for separation failed: {solution.message}")
    return np.asarray(solution.x, dtype=float)


def _all_recede(ends: Floats, bounds: Bounds) -> bool:
    """Whether some direction moves every outcome end outwards at a positive rate."""
    objective = np.zeros(ends.shape[1] + 1)
    objective[-1] = 1.0
    margin = np.column_stack([ends, -np.ones(len(ends))])
    return bool(_vertex(objective, margin, [*bounds, (0.0, 1.0)])[-1] > _RECESSION_TOLERANCE)
