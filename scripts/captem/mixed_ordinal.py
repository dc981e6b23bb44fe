"""Proportional-odds regression of lesions within patients, with a random patient effect.

    logit P(Y_ij <= k | u_i) = theta_k - x_ij'beta - u_i,    u_i ~ N(0, sigma^2)

A positive coefficient goes with a higher score, and so does a positive u_i; coefficients are
conditional on the patient, so they lie further from 0 than those of `captem.ordinal`. How the
integral over u_i is taken is in `captem.mixed_likelihood`; here it is maximised over theta, beta
and sigma >= 0, as `captem.mixed_search` does it.

What may be reported from a fit is decided elsewhere; here only malformed input is an error.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtrc, chdtri

from captem import mixed_likelihood, mixed_search, ordinal
from captem.mixed_likelihood import Floats, Integers, Panel
from captem.ordinal_data import cells_of, checked_scores, condition_number, labels_of
from captem.ordinal_likelihood import maximise, merging
from captem.profile_bound import profile_bound

_MAX_DOUBLINGS = 40


@dataclass(frozen=True, eq=False)
class MixedFit:
    """A cumulative link mixed model at its maximum likelihood.

    `m` thresholds, `p` coefficients, `g` patients. Where `converged` is False, `covariance` is NaN
    throughout and the estimates are where the search stopped.

    Attributes:
        thresholds, threshold_labels: theta and its labels, as in `ordinal.OrdinalFit`.
        beta: coefficients, shape (p,); NaN for aliased columns.
        sigma: standard deviation of the patient effects; NaN where it is not `identified`.
        covariance: inverse observed information in (theta, beta, log sigma), shape (m + p + 1,
            m + p + 1). NaN for aliased columns; at the boundary, and where sigma is not identified,
            NaN for log sigma, and for the rest that of the model without patient effects.
        loglik: maximised log-likelihood.
        converged: the Newton steps vanished at a finite maximum, and, unless Laplace's
            approximation was asked for, the quadrature is exact to 0.001 in the log-likelihood.
        max_abs_gradient: largest absolute derivative of the log-likelihood in (theta, beta, log
            sigma), without log sigma at the boundary.
        condition_number: largest over smallest eigenvalue of the observed information, in the same
            parameters; `inf` where it is singular or the search did not end at a maximum.
        iterations: Newton steps taken.
        categories, collapsed, aliased: as in `ordinal.OrdinalFit`.
        upward, downward: shape (p,), the coefficient may go to +inf or -inf without loss of
            likelihood (`ordinal.recession`): separation. It does so for every value of the patient
            effects, so it is the same in this model as in the one without them.
        boundary: sigma = 0 is the maximum; the fit is `fixed`.
        identified: some patient has two outcomes or more that say something. Otherwise sigma would
            rest on the shape of the logistic curve alone: it is not estimated, and the fit is
            `fixed`.
        unbounded: the search was stopped at sigma = 20 with the likelihood still rising: patients
            explain the outcomes as far as can be seen. Never `converged`.
        nodes: of the quadrature that was used.
        quadrature_error: by how much `loglik` changes with twice the nodes and one more, or, where
            those are more than 200, with half of them.
        patients: labels of the groups, in the order in which they appear, length g.
        modes: most likely u_i given the outcomes of patient i, shape (g,); 0 for a patient
            without an outcome that says something, NaN where sigma is not identified.
        repeated: number of patients with two outcomes or more that say something.
        fixed: the same model without patient effects.
    """

    thresholds: Floats
    threshold_labels: tuple[str, ...]
    beta: Floats
    sigma: float
    covariance: Floats
    loglik: float
    converged: bool
    max_abs_gradient: float
    condition_number: float
    iterations: int
    categories: tuple[tuple[int, int], ...]
    collapsed: tuple[int, ...]
    aliased: tuple[int, ...]
    upward: NDArray[np.bool_]
    downward: NDArray[np.bool_]
    boundary: bool
    identified: bool
    unbounded: bool
    nodes: int
    quadrature_error: float
    patients: tuple[Hashable, ...]
    modes: Floats
    repeated: int
    fixed: ordinal.OrdinalFit
    _panel: Panel = field(repr=False)
    _peak: mixed_search.Peak = field(repr=False)

    @property
    def standard_errors(self) -> Floats:
        """Square roots of the diagonal of `covariance`, shape (m + p + 1,)."""
        return np.sqrt(np.diag(self.covariance))

    @property
    def separated(self) -> NDArray[np.bool_]:
        """Whether each coefficient recedes to infinity, shape (p,)."""
        return self.upward | self.downward


def fit(
    low: ArrayLike, high: ArrayLike, x: ArrayLike, groups: Iterable[Hashable], nodes: int = 10
) -> MixedFit:
    """Fit the model by maximum likelihood.

    Scores that the data cannot tell apart are collapsed as in `ordinal.fit`. The model without
    patient effects is fitted first, and is kept unless some sigma > 0 raises the log-likelihood by
    more than 1e-8. R's `ordinal::clmm` is the same model with the same quadrature.

    Args:
        low, high: lowest and highest possible score of each lesion, integers, shape (n,).
        x: predictors without an intercept, shape (n, p); p may be 0.
        groups: the patient of each lesion, n labels.
        nodes: of the adaptive Gauss-Hermite rule, 1 to 200. They are doubled, up to 200, as long
            as that changes the log-likelihood by more than 0.0001, which takes a sigma above 2 or
            so. 1 is Laplace's approximation and stays as it is.

    >>> score = [0, 1, 1, 2, 0, 0, 1, 0, 2, 2, 2, 1]
    >>> late = [[0], [1], [0], [1], [0], [1], [1], [0], [0], [1], [0], [1]]
    >>> patient = ["A"] * 4 + ["B"] * 4 + ["C"] * 4
    >>> found = fit(score, score, late, patient)
    >>> round(found.sigma, 2), found.converged, found.boundary
    (1.6, True, False)

    Raises:
        ValueError: malformed input, or outcomes that share one category, so that there is no
            threshold to estimate.
    """
    setup = ordinal.prepare(low, high, x, None)
    patients, place = _labels(groups, len(np.asarray(low)))
    panel, outcomes = _panel(setup, low, high, place, nodes)
    plain = maximise(setup.likelihood, setup.start)
    fixed = ordinal.assemble(setup, plain)
    repeated = int(np.sum(np.bincount(outcomes) > 1))
    panel, peak = mixed_search.maximum(panel, plain, estimated=repeated > 0)
    upward, downward = np.zeros((2, setup.columns), dtype=bool)
    if not fixed.converged:
        found = ordinal.recession(setup.low, setup.high, setup.x)
        upward, downward = found.upward, found.downward
    return _assembled(
        panel, peak, fixed, setup, patients, np.unique(outcomes), repeated, upward, downward
    )


def random_effect_test(fit: MixedFit) -> tuple[float, float]:
    """Likelihood-ratio test of sigma = 0: (statistic, p).

    sigma = 0 is the end of its range, and the statistic is then, for many patients, an even mixture
    of 0 and of chi-squared on one degree of freedom (Self & Liang 1987, JASA 82:605-610): p is half
    the tail of the latter, and 1 at the boundary. NaN where sigma is not identified.
    """
    if not fit.identified:
        return math.nan, math.nan
    if fit.boundary:
        return 0.0, 1.0
    # The order matters: NaN is to stay NaN.
    statistic = 2.0 * max(fit.loglik - fit.fixed.loglik, 0.0)
    return statistic, float(chdtrc(1, statistic)) / 2.0


def likelihood_ratio(fit: MixedFit, column: int) -> tuple[float, float]:
    """Likelihood-ratio test of one coefficient: (statistic, p) on one degree of freedom.

    sigma is estimated with and without the coefficient. Under separation the statistic uses the
    supremum of the likelihood. For an aliased column it is 0 with p = 1; NaN where the likelihood
    rises without bound in sigma.

    Raises:
        ValueError: no such column.
    """
    position = ordinal.position_of(fit.fixed, column)
    if position is None:
        return 0.0, 1.0
    if fit.unbounded:
        return math.nan, math.nan
    # The order matters: NaN is to stay NaN.
    statistic = 2.0 * max(fit.loglik - _Profile(fit, position).loglik(0.0), 0.0)
    return statistic, float(chdtrc(1, statistic))


def profile_interval(fit: MixedFit, column: int, level: float = 0.95) -> tuple[float, float]:
    """Profile-likelihood interval of one coefficient; see `ordinal.profile_interval`.

    The other coefficients, the thresholds and sigma >= 0 are estimated anew for each value. Ends
    are infinite as there; both are NaN where the likelihood rises without bound in sigma.

    Raises:
        ValueError: no such column, or a level outside (0, 1).
    """
    if not 0.0 < level < 1.0:
        raise ValueError(f"The confidence level must lie between 0 and 1, not {level}.")
    position = ordinal.position_of(fit.fixed, column)
    if position is None:
        return -math.inf, math.inf
    if fit.unbounded:
        return math.nan, math.nan
    profile = _Profile(fit, position)
    root = math.sqrt(chdtri(1, 1.0 - level))
    scale = float(fit.fixed._setup.scale[position])
    return (
        -math.inf if fit.downward[column] else profile.bound(-1.0, root) / scale,
        math.inf if fit.upward[column] else profile.bound(1.0, root) / scale,
    )


def _labels(groups: Iterable[Hashable], n: int) -> tuple[tuple[Hashable, ...], Integers]:
    """The distinct labels in the order in which they appear, and the place of each row's."""
    labels = list(groups)
    if len(labels) != n:
        raise ValueError("There must be one patient for each outcome.")
    places: dict[Hashable, int] = {}
    try:
        # A label that does not equal itself is a missing one.
        if any(label is None or not bool(label == label) for label in labels):
            raise ValueError("The patient of an outcome is missing.")
        found = [places.setdefault(label, len(places)) for label in labels]
    except TypeError:
        raise ValueError("The patient of an outcome is missing, or is no plain label.") from None
    return tuple(places), np.array(found, dtype=np.int64)


def _panel(
    setup: ordinal.Setup, low: ArrayLike, high: ArrayLike, place: Integers, nodes: int
) -> tuple[Panel, Integers]:
    """The ends by patient, and the patient of each outcome that says something."""
    cells = cells_of(*checked_scores(low, high))
    has_upper = cells.upper < len(cells.categories) - 1
    has_lower = cells.lower >= 0
    members = np.concatenate([place[has_upper], place[has_lower]])
    panel = mixed_likelihood.panel(setup.likelihood, int(has_upper.sum()), members, nodes)
    return panel, place[has_upper | has_lower]


def _assembled(
    panel: Panel,
    peak: mixed_search.Peak,
    fixed: ordinal.OrdinalFit,
    setup: ordinal.Setup,
    patients: tuple[Hashable, ...],
    seen: Integers,
    repeated: int,
    upward: NDArray[np.bool_],
    downward: NDArray[np.bool_],
) -> MixedFit:
    """Bring a maximum from merged and standardised parameters to those of the data."""
    identified = repeated > 0
    inside = peak.sigma > 0.0
    categories, collapsed = setup.reported(peak.closed)
    p, m, cuts = setup.columns, len(categories) - 1, setup.likelihood.thresholds
    coefficients = peak.parameters[cuts:-1] / setup.scale
    thresholds = peak.parameters[:cuts] + setup.centre @ coefficients
    thresholds = thresholds[merging(setup.likelihood, list(peak.closed))[1][:m]]
    beta = np.full(p, np.nan)
    beta[list(setup.kept)] = coefficients

    estimated = [*range(m), *(m + column for column in setup.kept), *([m + p] if inside else [])]
    to_scaled = np.eye(len(estimated))
    q = m + len(setup.kept)
    to_scaled[:q, :q] = setup.to_scaled(m)
    if inside:
        to_scaled[q, q] = peak.sigma
    information = to_scaled.T @ peak.information @ to_scaled
    error = mixed_search.quadrature_error(panel, peak)
    exact = len(panel.nodes) == 1 or error <= mixed_search.QUADRATURE_TOLERANCE
    converged = peak.converged and exact and not (upward | downward).any()
    covariance = np.full((m + p + 1, m + p + 1), np.nan)
    if converged:
        from_scaled = np.linalg.inv(to_scaled)
        inverse = from_scaled @ np.linalg.inv(peak.information) @ from_scaled.T
        covariance[np.ix_(estimated, estimated)] = inverse

    modes = np.full(len(patients), 0.0 if identified else np.nan)
    if inside:
        modes[seen] = peak.sigma * panel.at(peak.parameters).modes
    return MixedFit(
        thresholds=thresholds,
        threshold_labels=labels_of(categories),
        beta=beta,
        sigma=peak.sigma if identified else math.nan,
        covariance=covariance,
        loglik=peak.loglik,
        converged=converged,
        max_abs_gradient=float(np.abs(peak.gradient @ to_scaled).max()),
        condition_number=condition_number(information),
        iterations=peak.iterations,
        categories=categories,
        collapsed=collapsed,
        aliased=fixed.aliased,
        upward=upward,
        downward=downward,
        boundary=identified and not inside,
        identified=identified,
        unbounded=peak.sigma > mixed_search.LARGEST_SIGMA,
        nodes=len(panel.nodes),
        quadrature_error=error,
        patients=patients,
        modes=modes,
        repeated=repeated,
        fixed=fixed,
        _panel=panel,
        _peak=peak,
    )


class _Profile:
    """The profile log-likelihood of one standardised coefficient."""

    def __init__(self, fit: MixedFit, position: int) -> None:
        cuts = fit._panel.likelihood.thresholds
        self._index = cuts + position
        self._panel = fit._panel
        self._identified = fit.identified
        self._maximum = fit.loglik
        self._start = np.delete(fit.fixed._setup.start, self._index)
        column = fit.fixed._setup.kept[position]
        variance = fit.covariance[len(fit.thresholds) + column, len(fit.thresholds) + column]
        scale = float(fit.fixed._setup.scale[position])
        self._step = math.sqrt(variance) * scale if variance > 0.0 else 0.5
        receding = fit.upward[column] or fit.downward[column]
        self._peak = float(fit._peak.parameters[self._index])
        self._known = [(self._peak, np.delete(fit._peak.parameters, self._index))]
        # Where the coefficient ran off to infinity, walk from 0: nothing is accurate near its end.
        self._origin = 0.0 if receding else self._peak

    def loglik(self, value: float) -> float:
        """Log-likelihood maximised over the other parameters with the coefficient at `value`."""
        panel = self._panel.without(self._index, value)
        plain = maximise(panel.likelihood, self._start)
        interior = (
            mixed_search.search(panel, plain, self._ahead(value)) if self._identified else None
        )
        found = mixed_search.better(interior, plain)
        if found.converged and found.sigma > 0.0:
            self._known = [*self._known[-1:], (value, found.parameters)]
        return found.loglik

    def _ahead(self, value: float) -> Floats:
        """Where the other parameters are to be expected, on a line through the last two found."""
        (first, before), (last, start) = self._known[0], self._known[-1]
        if first == last:
            return start
        # Far away a line says little.
        part = min(max((value - last) / (last - first), -2.0), 2.0)
        ahead = start + part * (start - before)
        return ahead if ahead[-1] > 0.0 else start

    def bound(self, sign: float, root: float) -> float:
        """Where the signed root of the likelihood-ratio statistic reaches `root` on one side."""
        return profile_bound(
            self.loglik,
            (self._peak, self._maximum),
            (self._origin, self._step),
            sign * root,
            tolerance=1e-6,
            doublings=_MAX_DOUBLINGS,
        )
