"""The likelihood of the proportional-odds model, and its maximum.

The form is that of `captem.ordinal`: log F at every finite end of an outcome, plus terms in the
threshold gaps. `maximise` is Newton's method on the observed information with step-halving.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from scipy.special import expit, log_expit

from captem.ordinal_data import Cells, Floats, Integers

_MAX_ITERATIONS = 100


@dataclass(frozen=True, eq=False)
class Likelihood:
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

    def mapped(self, basis: Floats) -> Likelihood:
        """The same likelihood in the parameters xi, where (theta, beta) = basis @ xi."""
        return replace(
            self, design=self.design @ basis, gaps=self.gaps @ basis, order=self.order @ basis
        )

    def without(self, index: int) -> Likelihood:
        """The same likelihood with parameter `index` held at 0."""
        return replace(
            self,
            design=np.delete(self.design, index, axis=1),
            gaps=np.delete(self.gaps, index, axis=1),
            order=np.delete(self.order, index, axis=1),
        )


class _Point(NamedTuple):
    """Parameters with their outcome ends, threshold gaps and log-likelihood."""

    parameters: Floats
    margins: Floats
    widths: Floats
    value: float


@dataclass(frozen=True, eq=False)
class Maximum:
    """Where a search ended: full parameters, and derivatives after merging emptied categories."""

    parameters: Floats
    loglik: float
    gradient: Floats
    information: Floats
    converged: bool
    iterations: int
    basis: Floats | None
    closed: tuple[int, ...]


def likelihood_of(cells: Cells, x: Floats, weights: Floats) -> Likelihood:
    """The likelihood of outcomes (n,) in the columns of x (n, k), weights (n,).

    Rows of its design are the upper ends of the outcomes that have one, then the lower ends.
    """
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
    return Likelihood(
        design=design,
        weights=np.concatenate([weights[has_upper], weights[has_lower]]),
        offset=np.zeros(len(design)),
        gaps=wide[end] - wide[begin],
        gap_weights=sums[present],
        order=wide[unheld + 1] - wide[unheld],
        thresholds=m,
    )


def maximise(likelihood: Likelihood, start: Floats) -> Maximum:
    """Maximise over ordered thresholds: Newton inside, a primal active set around it.

    The active set stays empty unless some category is occupied by no outcome alone.
    """
    if not len(likelihood.order):
        return newton(likelihood, start)[0]
    closed: list[int] = []
    iterations = 0
    best: Maximum | None = None
    parameters = start
    for _ in range(20 * len(likelihood.order)):
        basis, first = merging(likelihood, closed)
        found, hit = newton(likelihood.mapped(basis), parameters[first])
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


def newton(likelihood: Likelihood, start: Floats) -> tuple[Maximum, int | None]:
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
    found = Maximum(
        point.parameters, point.value, gradient, information, converged, iteration, None, ()
    )
    return found, hit


def _point(likelihood: Likelihood, parameters: Floats) -> _Point:
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
    likelihood: Likelihood,
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
        limit, nearest = room(likelihood, point.parameters, step)
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


def room(likelihood: Likelihood, parameters: Floats, step: Floats) -> tuple[float, int | None]:
    """Largest step length that keeps the open rows of `order` non-negative, and the row it hits."""
    if not len(likelihood.order):
        return math.inf, None
    change = likelihood.order @ step
    slack = np.maximum(likelihood.order @ parameters, 0.0)
    lengths = np.where(change < 0.0, slack / np.where(change < 0.0, -change, 1.0), math.inf)
    nearest = int(np.argmin(lengths))
    return float(lengths[nearest]), nearest


def merging(likelihood: Likelihood, closed: list[int]) -> tuple[Floats, Integers]:
    """Matrix from merged to full parameters, and the first full parameter of each merged one."""
    q, m = likelihood.design.shape[1], likelihood.thresholds
    starts_group = np.ones(q, dtype=bool)
    for row in closed:
        starts_group[np.flatnonzero(likelihood.order[row, :m] > 0.0)] = False
    group = np.cumsum(starts_group) - 1
    return np.eye(int(group[-1]) + 1)[group], np.flatnonzero(starts_group)


def _wrongly_closed(likelihood: Likelihood, parameters: Floats, closed: list[int]) -> int | None:
    """The closed row of `order` with the most negative Lagrange multiplier, if there is one."""
    if not closed:
        return None
    margins = likelihood.design @ parameters + likelihood.offset
    gradient = likelihood.derivatives(margins, likelihood.gaps @ parameters)[0]
    multipliers = np.linalg.lstsq(likelihood.order[closed].T, -gradient, rcond=None)[0]
    worst = int(np.argmin(multipliers))
    return closed[worst] if multipliers[worst] < -1e-8 else None
