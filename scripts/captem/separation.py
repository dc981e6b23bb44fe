"""Complete and quasi-complete separation, by linear programming.

Where predictors separate the scores, a coefficient of maximum likelihood recedes to infinity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from captem.ordinal_data import Booleans, Floats, prepared
from captem.ordinal_likelihood import likelihood_of

Bounds = Sequence[tuple[float | None, float | None]]

RECESSION_TOLERANCE = 1e-6


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


def separated(low: ArrayLike, high: ArrayLike, x: ArrayLike) -> Booleans:
    """Return for each column whether its coefficient recedes to infinity; see `recession`.

    Shapes and errors are those of `ordinal.fit`.
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

    Shapes and errors are those of `ordinal.fit`.
    """
    data = prepared(low, high, x, None)
    upward = np.zeros(data.columns, dtype=bool)
    downward = np.zeros(data.columns, dtype=bool)
    ends = likelihood_of(data.cells, data.standardised, data.weights).design
    m = len(data.cells.categories) - 1
    order = np.diff(np.eye(m, ends.shape[1]), axis=0)
    cone = np.vstack([ends, order])
    bounds: Bounds = [(None, None)] * m + [(-1.0, 1.0)] * len(data.kept)
    if not data.kept or np.max(cone @ vertex(cone.sum(axis=0), cone, bounds)) < 1e-9:
        return Recession(upward, downward, complete=False)
    for position, column in enumerate(data.kept):
        objective = np.zeros(ends.shape[1])
        objective[m + position] = 1.0
        upward[column] = vertex(objective, cone, bounds)[m + position] > RECESSION_TOLERANCE
        downward[column] = vertex(-objective, cone, bounds)[m + position] < -RECESSION_TOLERANCE
    return Recession(upward, downward, complete=_all_recede(ends, bounds))


def _all_recede(ends: Floats, bounds: Bounds) -> bool:
    """Whether some direction moves every outcome end outwards at a positive rate."""
    objective = np.zeros(ends.shape[1] + 1)
    objective[-1] = 1.0
    margin = np.column_stack([ends, -np.ones(len(ends))])
    return bool(vertex(objective, margin, [*bounds, (0.0, 1.0)])[-1] > RECESSION_TOLERANCE)


def vertex(objective: Floats, cone: Floats, bounds: Bounds) -> Floats:
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
