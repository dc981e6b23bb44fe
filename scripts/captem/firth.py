"""Logistic regression with Firth's penalty, for few events and for separated data.

The model is logit P(y = 1) = b_0 + x'b, so a positive coefficient goes with the event. Write
z_i = (1, x_i), eta_i = z_i'b, pi_i for the chance of the event, v_i = pi_i (1 - pi_i), w_i for the
frequency weight, and I = sum w_i v_i z_i z_i' for the Fisher information. What is maximised is

    l*(b) = l(b) + 1/2 log |I(b)|,    l(b) = sum w_i {y_i log pi_i + (1 - y_i) log(1 - pi_i)}

(Firth 1993, Biometrika 80:27-38; Heinze & Schemper 2002, Stat Med 21:2409-2419). Its derivative is
the modified score

    U*_r = sum w_i {y_i - pi_i + h_i (1/2 - pi_i)} z_ir,    h_i = v_i z_i' I^-1 z_i,

where an observation of weight w counts as w observations, each with leverage h_i. The maximum is
finite for every outcome as long as the columns are not aliased (Kosmidis & Firth 2021, Biometrika
108:71-82).

The penalised likelihood is not concave: with an outlying predictor it can have several maxima, and
the highest one is meant: `captem.firth_newton.starts` says how it is sought.

The search itself is in `captem.firth_newton`. What may be reported from a fit is decided elsewhere;
here only malformed input is an error.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtrc, chdtri

from captem import ordinal
from captem.firth_newton import Booleans, Floats, Peaks, every, highest
from captem.firth_profile import Profile
from captem.firth_setup import Setup, aliased_many, checked, receding
from captem.ordinal_data import checked_weights, condition_number

# Numbers in each working array of a batch: few enough to stay in a processor's cache.
_CHUNK = 15_000


@dataclass(frozen=True, eq=False)
class FirthFit:
    """A logistic regression at the maximum of its penalised likelihood.

    Arrays over coefficients have the intercept first, then the p columns of `x`: shape (p + 1,) or
    (p + 1, p + 1). NaN stands for what is not estimated: aliased columns, and all slopes where the
    outcome is the same throughout.

    Attributes:
        coefficients: log odds ratios per unit.
        covariance: I^-1 at the estimate, the inverse Fisher information without the penalty, as in
            Heinze & Schemper (2002) and R's brglm2.
        covariance_logistf: the same with weights w v (1 + h), as R's logistf (from 1.24) prints it.
        loglik: l at the estimate.
        penalised_loglik: l* at the estimate; 1/2 log |I| depends on the units of the predictors.
        converged: the Newton steps vanished where the curvature J* is positive definite.
        max_abs_score: largest absolute modified score, in the coefficients as given here.
        condition_number: largest over smallest eigenvalue of I, in the same coefficients; `inf`
            where I is numerically singular.
        iterations: Newton steps taken.
        maxima: how many different maxima the starting points led to; above 1, be wary: another one
            may be as high.
        aliased: positions in `coefficients` of columns collinear with those before them.
        separated: which coefficients the plain likelihood drives to infinity, shape (p + 1,).
        one_outcome: every outcome of positive weight is the same. The slopes would have finite
            estimates, but made by the penalty; they are not given, and the intercept is that of the
            model without predictors, log {(events + 1/2) / (non-events + 1/2)}.
    """

    coefficients: Floats
    covariance: Floats
    covariance_logistf: Floats
    loglik: float
    penalised_loglik: float
    converged: bool
    max_abs_score: float
    condition_number: float
    iterations: int
    maxima: int
    aliased: tuple[int, ...]
    separated: Booleans
    one_outcome: bool
    _setup: Setup = field(repr=False)

    @property
    def standard_errors(self) -> Floats:
        """From `covariance` (Heinze & Schemper 2002, brglm2), shape (p + 1,)."""
        return np.sqrt(np.diag(self.covariance))

    @property
    def standard_errors_logistf(self) -> Floats:
        """From `covariance_logistf`, shape (p + 1,)."""
        return np.sqrt(np.diag(self.covariance_logistf))


@dataclass(frozen=True, eq=False)
class FirthMany:
    """R fits of one model under R sets of weights; the words are those of `FirthFit`.

    Attributes:
        coefficients, standard_errors: shape (R, p + 1), intercept first, NaN where not estimated.
        penalised_loglik, converged, max_abs_score, condition_number, one_outcome: shape (R,).
        aliased: shape (R, p + 1), which columns were aliased among the rows of positive weight.
    """

    coefficients: Floats
    standard_errors: Floats
    penalised_loglik: Floats
    converged: Booleans
    max_abs_score: Floats
    condition_number: Floats
    one_outcome: Booleans
    aliased: Booleans


def fit(y: ArrayLike, x: ArrayLike, weights: ArrayLike | None = None) -> FirthFit:
    """Fit by Newton's method on the modified score, with step-halving.

    Args:
        y: outcomes, 0 or 1, shape (n,).
        x: predictors without an intercept, shape (n, p); p may be 0.
        weights: non-negative frequency weights, shape (n,); 1 when omitted. Rows of weight 0 are
            left out entirely.

    Raises:
        ValueError: malformed input, or no row of positive weight.

    Two of two events against none of two:

    >>> fit([0, 0, 1, 1], [[0], [0], [1], [1]]).coefficients.round(4).tolist()
    [-1.6094, 3.2189]
    """
    outcome, predictors = checked(y, x)
    n = len(outcome)
    weight = np.ones(n) if weights is None else checked_weights(weights, n)
    used = weight > 0.0
    if not used.any():
        raise ValueError("There are no outcomes of positive weight.")
    outcome, predictors, weight = outcome[used], predictors[used], weight[used]
    p = predictors.shape[1]
    one_outcome = bool(outcome.min() == outcome.max())
    aliased = tuple(1 + j for j in ordinal.aliased(predictors))
    kept = (0,) if one_outcome else tuple(j for j in range(p + 1) if j not in aliased)
    setup = Setup.of(outcome, predictors, weight, kept)
    separated = np.zeros(p + 1, dtype=bool)
    if one_outcome:
        separated[[j for j in range(p + 1) if j not in aliased]] = True
    elif not _finite_without_penalty(setup):
        separated[list(kept)] = receding(setup)
    return _assemble(setup, every(setup.model, weight), aliased, separated, one_outcome)


def fit_many(y: ArrayLike, x: ArrayLike, counts: ArrayLike) -> FirthMany:
    """Fit one model under R sets of weights at once: bootstrap counts, or rows left out.

    A replicate that does not converge, or comes to lie between two maxima, is given to `fit`.

    Args:
        y, x: as in `fit`.
        counts: non-negative frequency weights, shape (R, n), each row with some positive one.

    Raises:
        ValueError: malformed input, or a row of `counts` without a positive weight.

    >>> rows = 1 - np.eye(6)
    >>> y, x = [0, 0, 1, 0, 1, 1], [[1], [2], [3], [4], [5], [6]]
    >>> fit_many(y, x, rows).coefficients[:, 1].round(3).tolist()
    [0.602, 0.521, 0.821, 0.821, 0.521, 0.602]
    """
    outcome, predictors = checked(y, x)
    weights = np.asarray(counts, dtype=float)
    if weights.ndim != 2 or weights.shape[1] != len(outcome):
        raise ValueError("The counts must have one row per replicate and one column per outcome.")
    if not np.isfinite(weights).all() or (weights < 0.0).any():
        raise ValueError("The counts must be finite and not negative.")
    if not (weights > 0.0).any(axis=1).all():
        raise ValueError("A replicate has no outcomes of positive weight.")
    replicates, width = len(weights), predictors.shape[1] + 1
    events = (weights @ outcome) > 0.0
    one_outcome = ~(events & ((weights @ (1.0 - outcome)) > 0.0))
    aliased = aliased_many(predictors, weights)
    kept = ~aliased
    kept[one_outcome, 1:] = False
    many = FirthMany(
        coefficients=np.full((replicates, width), np.nan),
        standard_errors=np.full((replicates, width), np.nan),
        penalised_loglik=np.full(replicates, np.nan),
        converged=np.zeros(replicates, dtype=bool),
        max_abs_score=np.full(replicates, np.nan),
        condition_number=np.full(replicates, np.inf),
        one_outcome=one_outcome,
        aliased=aliased,
    )
    patterns, group = np.unique(kept, axis=0, return_inverse=True)
    for number, pattern in enumerate(patterns):
        columns = np.flatnonzero(pattern)
        setup = Setup.of(outcome, predictors, np.ones(len(outcome)), tuple(columns))
        members = np.flatnonzero(group.ravel() == number)
        size = max(1, _CHUNK // max(len(outcome), len(columns) ** 3))
        for begin in range(0, len(members), size):
            chunk = members[begin : begin + size]
            _fill(many, setup, chunk, highest(setup.model, weights[chunk]))
    for row in np.flatnonzero(~many.converged):
        _refill(many, row, fit(outcome, predictors, weights[row]))
    return many


def profile_interval(fit: FirthFit, column: int, level: float = 0.95) -> tuple[float, float]:
    """Profile penalised-likelihood interval of one coefficient (Heinze & Schemper 2002).

    The ends solve 2 * (l*_max - l*_profile(b)) = the chi-squared quantile on one degree of freedom,
    where the profile maximises l* over the other coefficients and keeps the penalty of the full
    model: the highest of several maxima, as `captem.firth_profile` seeks it. Where it falls that
    far more than once, the outermost end is meant. An end is infinite where the profile does not
    fall that far, and both are where the coefficient is not estimated; NaN where the profile is not
    found.

    Args:
        fit: what `fit` returned.
        column: position in `coefficients`: 0 is the intercept.
        level: confidence level, in (0, 1).

    Raises:
        ValueError: no such coefficient, or a level outside (0, 1).

    >>> small = fit([0, 0, 0, 1, 1, 1], [[1], [2], [3], [4], [5], [6]])
    >>> [round(end, 3) for end in profile_interval(small, 1)]
    [0.002, 6.07]
    """
    if not 0.0 < level < 1.0:
        raise ValueError(f"The confidence level must lie between 0 and 1, not {level}.")
    position = _position(fit, column)
    if position is None:
        return -math.inf, math.inf
    if not fit.converged:
        return math.nan, math.nan
    error = float(fit.standard_errors[column])
    estimate = float(fit.coefficients[column])
    profile = _profile(fit, (position,), np.array([error]))
    low, high = profile.ends(math.sqrt(chdtri(1, 1.0 - level)))
    return estimate + error * low, estimate + error * high


def likelihood_ratio(fit: FirthFit, *columns: int) -> tuple[float, float]:
    """Penalised likelihood-ratio test that the coefficients are 0: (statistic, p).

    2 * (l*_max - l*_0) against chi-squared with one degree of freedom per coefficient, where l*_0
    holds the coefficients at 0 and keeps the penalty of the full model (Heinze & Schemper 2002, as
    logistf). Coefficients that are not estimated are passed over; without others it is (0, 1). NaN
    where the profile is not found.

    Args:
        fit: what `fit` returned.
        columns: positions in `coefficients`: 0 is the intercept.

    Raises:
        ValueError: no such coefficient.

    >>> small = fit([0, 0, 0, 1, 1, 1], [[1], [2], [3], [4], [5], [6]])
    >>> round(likelihood_ratio(small, 1)[0], 3)
    3.857
    """
    found = {_position(fit, column) for column in columns}
    held = tuple(sorted(position for position in found if position is not None))
    if not held:
        return 0.0, 1.0
    if not fit.converged:
        return math.nan, math.nan
    kept = [fit._setup.kept[position] for position in held]
    estimates, covariance = fit.coefficients[kept], fit.covariance[np.ix_(kept, kept)]
    # How many standard errors away 0 is, along the line to it.
    away = math.sqrt(estimates @ np.linalg.solve(covariance, estimates))
    if away == 0.0:
        return 0.0, 1.0
    profile = _profile(fit, held, -estimates / away)
    # numpy's maximum keeps NaN.
    statistic = 2.0 * float(np.maximum(0.0, fit.penalised_loglik - profile.height(away)))
    return statistic, float(chdtrc(len(held), statistic))


def _profile(fit: FirthFit, held: tuple[int, ...], direction: Floats) -> Profile:
    top = fit.coefficients[list(fit._setup.kept)]
    return Profile(fit._setup, held, top, fit.penalised_loglik, direction)


def _finite_without_penalty(setup: Setup) -> bool:
    """Whether the plain likelihood has a finite and unique maximum: no separation then."""
    scores = setup.y.astype(np.int64)
    return ordinal.fit(scores, scores, setup.x, setup.weights).converged


def _assemble(
    setup: Setup, peaks: Peaks, aliased: tuple[int, ...], separated: Booleans, one_outcome: bool
) -> FirthFit:
    """Bring the highest of some peaks from the standardised design to the coefficients."""
    order = np.where(peaks.converged, peaks.point.penalised, -np.inf)
    best = int(np.argmax(order if peaks.converged.any() else peaks.point.penalised))
    point = peaks.point
    information = setup.to_scaled.T @ point.information[best] @ setup.to_scaled
    kept = list(setup.kept)
    covariance = np.full((2, setup.columns, setup.columns), np.nan)
    if peaks.converged[best]:
        design, variance = setup.model.design, point.variance[best]
        inverse = np.linalg.inv(point.information[best])
        leverage = variance * np.einsum("ij,jk,ik->i", design, inverse, design)
        augmented = (design.T * (setup.weights * variance * (1.0 + leverage))) @ design
        for whole, matrix in zip(covariance, (inverse, np.linalg.inv(augmented)), strict=True):
            whole[np.ix_(kept, kept)] = setup.from_scaled @ matrix @ setup.from_scaled.T
    coefficients = np.full(setup.columns, np.nan)
    coefficients[kept] = setup.from_scaled @ point.parameters[best]
    return FirthFit(
        coefficients=coefficients,
        covariance=covariance[0],
        covariance_logistf=covariance[1],
        loglik=float(point.loglik[best]),
        penalised_loglik=float(point.penalised[best]) + setup.penalty,
        converged=bool(peaks.converged[best]),
        max_abs_score=float(np.abs(peaks.score[best] @ setup.to_scaled).max()),
        condition_number=condition_number(information),
        iterations=int(peaks.iterations[best]),
        maxima=_different(peaks.point.parameters[peaks.converged] @ setup.model.design.T),
        aliased=aliased,
        separated=separated,
        one_outcome=one_outcome,
        _setup=setup,
    )


def _different(predictors: Floats) -> int:
    """How many of some linear predictors (S, n) are more than 0.2 logits apart."""
    found: list[Floats] = []
    for row in predictors:
        if all(np.abs(row - other).max() > 0.2 for other in found):
            found.append(row)
    return len(found)


def _fill(many: FirthMany, setup: Setup, rows: NDArray[np.int64], peaks: Peaks) -> None:
    """Write the peaks that were reached into the rows of their replicates."""
    done = peaks.converged
    rows, kept = rows[done], np.array(setup.kept)
    parameters, information = peaks.point.parameters[done], peaks.point.information[done]
    covariance = setup.from_scaled @ np.linalg.inv(information) @ setup.from_scaled.T
    values = np.linalg.eigvalsh(setup.to_scaled.T @ information @ setup.to_scaled)
    known = values[:, 0] > 1e-16 * values[:, -1]
    many.coefficients[np.ix_(rows, kept)] = parameters @ setup.from_scaled.T
    many.standard_errors[np.ix_(rows, kept)] = np.sqrt(np.einsum("rjj->rj", covariance))
    many.penalised_loglik[rows] = peaks.point.penalised[done] + setup.penalty
    many.converged[rows] = True
    many.max_abs_score[rows] = np.abs(peaks.score[done] @ setup.to_scaled).max(axis=1)
    many.condition_number[rows[known]] = values[known, -1] / values[known, 0]


def _refill(many: FirthMany, row: np.int64, single: FirthFit) -> None:
    many.coefficients[row] = single.coefficients
    many.standard_errors[row] = single.standard_errors
    many.penalised_loglik[row] = single.penalised_loglik
    many.converged[row] = single.converged
    many.max_abs_score[row] = single.max_abs_score
    many.condition_number[row] = single.condition_number


def _position(fit: FirthFit, column: int) -> int | None:
    """Where a coefficient stands among the estimated ones; None where it is not estimated."""
    if not 0 <= column < len(fit.coefficients):
        raise ValueError(f"There is no coefficient {column}: the fit has {len(fit.coefficients)}.")
    return fit._setup.kept.index(column) if column in fit._setup.kept else None
