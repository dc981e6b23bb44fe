"""Generalised estimating equations for rows in clusters, as lesions in patients.

The mean of an outcome is mu = g^-1(b_0 + x'b), its variance phi * v(mu):

    gaussian: g(mu) = mu, v = 1;        binomial: g(mu) = logit mu, v = mu (1 - mu), y in {0, 1}.

The working correlation of two rows of a cluster is 0 (independence) or alpha (exchangeable):
V_i = S_i R_i(alpha) S_i, S_i = diag(v^{1/2}). The coefficients solve (Liang & Zeger 1986,
Biometrika 73:13-22)

    sum_i D_i'V_i^-1 (y_i - mu_i) = 0,    D_i = dmu_i/db' (both links are canonical: v(mu) x'),

and with Pearson residuals r = (y - mu) / v^{1/2}, N rows and q coefficients, the moments are

    phi = sum r^2 / (N - q),
    alpha = sum_i sum_{j<k} r_ij r_ik / (phi (sum_i n_i (n_i - 1) / 2 - q)).

The coefficients are consistent whatever the true correlation; their covariances are those of
`cluster_robust`, with t and Satterthwaite's degrees of freedom, never z, for a few clusters are
the rule (Li & Redden 2015, Stat Med 34:281-296). What may be reported is decided elsewhere; here
only malformed input is an error.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, log_expit

from captem import cluster_robust, grouped, ordinal
from captem.grouped import Floats, Integers

Family = Literal["gaussian", "binomial"]
Working = Literal["independence", "exchangeable"]

_MAX_ITERATIONS = 200
_TOLERANCE = 1e-10
_NO_RESIDUAL = 1e-20
_ROUNDING = 1e-14
# Logits beyond this have run away; in the gaussian family, standard deviations of y.
_FAR = 100.0


@dataclass(frozen=True, eq=False)
class ClusteredFit:
    """Estimating equations at their solution.

    Coefficients are the intercept and one a column of x, k = 1 + p in all, NaN where aliased.
    Where `converged` is False, coefficients and covariances are NaN; only an exact fit
    (`degenerate`) keeps its coefficients.

    Attributes:
        beta: shape (k,).
        cr2: the covariance to report, with its degrees of freedom; see `cluster_robust`.
        cr0, cr3: the plain sandwich, which tends to be too small with few clusters, and Mancl and
            DeRouen's, which tends to be too large.
        naive_covariance: phi (sum D_i'V_i^-1 D_i)^-1, right only if the working model is.
        scale: phi.
        alpha: moment estimate of the correlation; 0 by definition where independence was asked
            for, NaN where it cannot be estimated.
        family: as asked for.
        working: what was used. "independence" although "exchangeable" was asked for where alpha
            cannot be estimated, or its estimate makes no correlation matrix for the largest
            cluster (then `alpha` shows it). Independence is valid there, only less efficient.
        cluster_labels, cluster_sizes: in sorted order, shape (g,).
        singletons: clusters of one row.
        largest_share: rows of the largest cluster over all rows.
        full_leverage: labels of clusters that decide some coefficient alone; where `cr2.support`
            is below 1 the standard error of that coefficient is made of noise.
        converged: the last step changed no linear predictor by more than 1e-10 (gaussian: of the
            standard deviation of y).
        iterations: steps taken after the independence fit.
        max_abs_score: largest absolute estimating equation, in standardised columns.
        condition_number: of the sum of D_i'V_i^-1 D_i in the columns as given.
        aliased: indices of columns of x collinear with the intercept and the columns before them.
        separated: indices of coefficients that recede to infinity (0: all outcomes are equal).
        degenerate: gaussian, and nothing of y is left to explain.
    """

    beta: Floats
    cr0: cluster_robust.Robust
    cr2: cluster_robust.Robust
    cr3: cluster_robust.Robust
    naive_covariance: Floats
    scale: float
    alpha: float
    family: Family
    working: Working
    cluster_labels: NDArray
    cluster_sizes: Integers
    singletons: int
    largest_share: float
    full_leverage: tuple[object, ...]
    converged: bool
    iterations: int
    max_abs_score: float
    condition_number: float
    aliased: tuple[int, ...]
    separated: tuple[int, ...]
    degenerate: bool

    @property
    def n_clusters(self) -> int:
        """How many clusters there are."""
        return len(self.cluster_sizes)


def fit(
    y: ArrayLike,
    x: ArrayLike,
    clusters: ArrayLike,
    family: Family = "gaussian",
    working: Working = "independence",
) -> ClusteredFit:
    """Solve the estimating equations of the module docstring by Fisher scoring.

    Args:
        y: outcome, shape (n,); 0 or 1 for the binomial family.
        x: predictors without an intercept, shape (n, p); p may be 0.
        clusters: one label a row, shape (n,).
        family, working: see the module docstring.

    Raises:
        ValueError: malformed input, or no more rows than coefficients.

    The mean of cluster means 1.5 and 4.5, each of two rows:

    >>> found = fit([1.0, 2.0, 4.0, 5.0], np.empty((4, 0)), ["a", "a", "b", "b"])
    >>> found.beta.round(6), found.cr2.standard_errors.round(6), found.cr2.df.round(6)
    (array([3.]), array([1.5]), array([1.]))
    """
    if family not in ("gaussian", "binomial"):
        raise ValueError(f"There is no family {family!r}.")
    if working not in ("independence", "exchangeable"):
        raise ValueError(f"There is no working correlation {working!r}.")
    design = grouped.design(x)
    n, q = design.matrix.shape
    outcome = grouped.response(y, n)
    if n <= q:
        raise ValueError(f"There are {n} rows for {q} coefficients and a scale.")
    members = grouped.groups(clusters, n)
    separated: tuple[int, ...] = ()
    # What is a step worth mentioning; and a constant that moves only the intercept is taken out.
    unit, level = 1.0, 0.0
    if family == "binomial":
        if np.any((outcome != 0.0) & (outcome != 1.0)):
            raise ValueError("A binomial outcome must be 0 or 1.")
        separated = _separated(outcome, np.asarray(x, dtype=float))
    else:
        unit, level = float(np.std(outcome)), float(np.mean(outcome))
    equations = _Equations(design.matrix, outcome - level, level, members, family, 0.0)
    if separated:
        return _assembled(equations, design, _nowhere(q), "independence", math.nan, separated)
    start = _solved(equations, np.zeros(q), unit)
    nothing = _NO_RESIDUAL * unit**2 + (_ROUNDING * level) ** 2
    degenerate = family == "gaussian" and _scale(equations, start.beta) <= nothing
    if working == "independence":
        return _assembled(equations, design, start, working, 0.0, degenerate=degenerate)
    if degenerate or not start.converged:
        return _assembled(equations, design, start, "independence", math.nan, degenerate=degenerate)
    at, alpha = _exchangeable(equations, start, unit)
    if at is None:
        return _assembled(equations, design, start, "independence", alpha)
    return _assembled(replace(equations, alpha=alpha), design, at, "exchangeable", alpha)


def t_test(
    fit: ClusteredFit, coefficient: int, robust: cluster_robust.Robust | None = None
) -> tuple[float, float, float]:
    """Test one coefficient against 0: (t, degrees of freedom, two-sided P).

    Args:
        coefficient: 0 for the intercept, j + 1 for column j.
        robust: `fit.cr2` when omitted, or another covariance of the fit.

    Raises:
        ValueError: no such coefficient.

    >>> found = fit([1.0, 2.0, 4.0, 5.0], np.empty((4, 0)), ["a", "a", "b", "b"])
    >>> [round(v, 4) for v in t_test(found, 0)]
    [2.0, 1.0, 0.2952]
    """
    estimate, se, df = _numbers(fit, coefficient, robust)
    statistic = estimate / se if se > 0.0 else math.nan
    return statistic, df, grouped.t_p_value(statistic, df)


def interval(
    fit: ClusteredFit,
    coefficient: int,
    level: float = 0.95,
    robust: cluster_robust.Robust | None = None,
) -> tuple[float, float]:
    """Interval of one coefficient by its t quantile; arguments and errors as in `t_test`.

    >>> found = fit([1.0, 2.0, 4.0, 5.0], np.empty((4, 0)), ["a", "a", "b", "b"])
    >>> [round(v, 2) for v in interval(found, 0)]
    [-16.06, 22.06]
    """
    return grouped.t_interval(*_numbers(fit, coefficient, robust), level)


@dataclass(frozen=True, eq=False)
class _Equations:
    """The data with a working correlation; coefficients are those of standardised columns.

    `level` (gaussian) has been taken out of `y`.
    """

    matrix: Floats
    y: Floats
    level: float
    members: grouped.Groups
    family: Family
    alpha: float

    def mean(self, eta: Floats) -> Floats:
        return np.asarray(expit(eta)) if self.family == "binomial" else eta

    def variance(self, eta: Floats) -> Floats:
        if self.family == "binomial":
            return np.asarray(expit(eta) * expit(-eta))
        return np.ones(len(eta))

    def pearson(self, beta: Floats) -> Floats:
        """(y - mu) / v^{1/2}, shape (n,)."""
        eta = self.matrix @ beta
        return (self.y - self.mean(eta)) / np.sqrt(self.variance(eta))

    def unweighted(self, values: Floats) -> Floats:
        """R^-1 applied to the rows of each cluster of `values` (n, k).

        R_i^-1 = (I - alpha / (1 + (n_i - 1) alpha) J_i) / (1 - alpha).
        """
        if self.alpha == 0.0:
            return values
        sizes = self.members.sizes
        shrink = self.alpha * sizes / (1.0 + (sizes - 1) * self.alpha)
        pulled = shrink[:, None] * self.members.means(values)
        return (values - pulled[self.members.index]) / (1.0 - self.alpha)

    def score(self, beta: Floats) -> tuple[Floats, Floats]:
        """The estimating equations (q,) and sum D'V^-1 D (q, q), without the scale."""
        eta = self.matrix @ beta
        root = np.sqrt(self.variance(eta))
        scaled = root[:, None] * self.matrix
        weighted = self.unweighted(scaled)
        return weighted.T @ ((self.y - self.mean(eta)) / root), scaled.T @ weighted

    def clusters(self, beta: Floats) -> list[cluster_robust.Cluster]:
        eta = self.matrix @ beta
        variance = self.variance(eta)
        derivatives = variance[:, None] * self.matrix
        residuals = self.y - self.mean(eta)
        found = []
        for rows in self.members.rows():
            root = np.sqrt(variance[rows])
            correlation = np.full((len(rows), len(rows)), self.alpha)
            np.fill_diagonal(correlation, 1.0)
            found.append(
                cluster_robust.Cluster(
                    derivatives[rows], root[:, None] * correlation * root, residuals[rows]
                )
            )
        return found


@dataclass(frozen=True, eq=False)
class _Solution:
    beta: Floats
    converged: bool
    iterations: int


def _nowhere(q: int) -> _Solution:
    return _Solution(np.full(q, np.nan), False, 0)


def _separated(y: Floats, x: Floats) -> tuple[int, ...]:
    if np.all(y == y[0]):
        return (0,)
    return tuple(1 + int(j) for j in np.flatnonzero(ordinal.separated(y, y, x)))


def _solved(equations: _Equations, start: Floats, unit: float) -> _Solution:
    """Working independence: maximum likelihood, by Newton's method with step-halving."""

    def loglik(beta: Floats) -> float:
        eta = equations.matrix @ beta
        if equations.family == "gaussian":
            return -0.5 * float(np.sum((equations.y - eta) ** 2))
        return float(np.sum(log_expit(np.where(equations.y == 1.0, eta, -eta))))

    beta, value = start, loglik(start)
    for _ in range(_MAX_ITERATIONS):
        score, information = equations.score(beta)
        step = _step(score, information)
        if step is None:
            break
        moved = float(np.abs(equations.matrix @ step).max())
        if moved <= _TOLERANCE * unit:
            return _Solution(beta + step, True, 0)
        length, ahead = 1.0, loglik(beta + step)
        while ahead < value - 1e-12 * (1.0 + abs(value)) and length > 1e-6:
            length *= 0.5
            ahead = loglik(beta + length * step)
        beta, value = beta + length * step, ahead
    return _nowhere(len(beta))


def _exchangeable(
    equations: _Equations, start: _Solution, unit: float
) -> tuple[_Solution | None, float]:
    """Alternate the moment estimate of alpha and one scoring step until neither moves.

    No solution where alpha is not estimable (NaN) or makes no correlation matrix.
    """
    largest = int(equations.members.sizes.max())
    lowest = -1.0 / (largest - 1) if largest > 1 else 0.0
    beta = start.beta
    alpha = _alpha(equations, beta)
    for iteration in range(_MAX_ITERATIONS):
        if not lowest < alpha < 1.0:
            return None, alpha
        score, information = replace(equations, alpha=alpha).score(beta)
        step = _step(score, information)
        if step is None or not np.isfinite(step).all():
            break
        moved = float(np.abs(equations.matrix @ step).max())
        beta = beta + step
        if np.abs(equations.matrix @ beta).max() > _FAR * unit:
            break
        updated = _alpha(equations, beta)
        if moved <= _TOLERANCE * unit and abs(updated - alpha) <= _TOLERANCE:
            return _Solution(beta, True, iteration + 1), alpha
        # Where the two chase each other for ever, smaller changes of alpha let them meet.
        alpha = updated if iteration < _MAX_ITERATIONS // 4 else 0.5 * (alpha + updated)
    return replace(_nowhere(len(beta)), iterations=iteration + 1), alpha


def _step(score: Floats, information: Floats) -> Floats | None:
    try:
        return np.asarray(np.linalg.solve(information, score), dtype=float)
    except np.linalg.LinAlgError:
        return None


def _scale(equations: _Equations, beta: Floats) -> float:
    residuals = equations.pearson(beta)
    n, q = equations.matrix.shape
    return float(residuals @ residuals) / (n - q)


def _alpha(equations: _Equations, beta: Floats) -> float:
    """The moment estimate; NaN where there are no more pairs of rows than coefficients."""
    residuals = equations.pearson(beta)
    sizes = equations.members.sizes
    pairs = float(np.sum(sizes * (sizes - 1))) / 2.0 - equations.matrix.shape[1]
    scale = _scale(equations, beta)
    if pairs <= 0.0 or scale == 0.0:
        return math.nan
    sums = sizes * equations.members.means(residuals[:, None])[:, 0]
    products = 0.5 * float(sums @ sums - residuals @ residuals)
    return products / (scale * pairs)


def _assembled(
    equations: _Equations,
    design: grouped.Design,
    at: _Solution,
    working: Working,
    alpha: float,
    separated: tuple[int, ...] = (),
    degenerate: bool = False,
) -> ClusteredFit:
    members, contrasts = equations.members, design.to_given
    k = len(contrasts)
    known = at.converged and not degenerate
    nothing = np.full((k, k), np.nan)
    unknown = cluster_robust.Robust(nothing, nothing[0], nothing[0])
    cr0 = cr2 = cr3 = unknown
    naive, scale, score, condition = nothing, math.nan, math.nan, math.inf
    full: tuple[object, ...] = ()
    if known:
        equation, information = equations.score(at.beta)
        found = cluster_robust.sandwiches(equations.clusters(at.beta), contrasts)
        cr0, cr2, cr3 = found.cr0, found.cr2, found.cr3
        full = tuple(members.labels[list(found.full_leverage)].tolist())
        scale = _scale(equations, at.beta)
        naive = scale * (contrasts @ np.linalg.inv(information) @ contrasts.T)
        score = float(np.abs(equation).max())
        condition = design.condition_number(information)
    beta = contrasts @ at.beta
    beta[0] += equations.level
    return ClusteredFit(
        beta=beta,
        cr0=cr0,
        cr2=cr2,
        cr3=cr3,
        naive_covariance=naive,
        scale=scale,
        alpha=alpha,
        family=equations.family,
        working=working,
        cluster_labels=members.labels,
        cluster_sizes=members.sizes,
        singletons=int(np.sum(members.sizes == 1)),
        largest_share=float(members.sizes.max() / members.sizes.sum()),
        full_leverage=full,
        converged=known,
        iterations=at.iterations,
        max_abs_score=score,
        condition_number=condition,
        aliased=design.aliased,
        separated=separated,
        degenerate=degenerate,
    )


def _numbers(
    fit: ClusteredFit, coefficient: int, robust: cluster_robust.Robust | None
) -> tuple[float, float, float]:
    if not 0 <= coefficient < len(fit.beta):
        raise ValueError(f"There is no coefficient {coefficient}: the fit has {len(fit.beta)}.")
    chosen = fit.cr2 if robust is None else robust
    se = float(chosen.standard_errors[coefficient])
    return float(fit.beta[coefficient]), se, float(chosen.df[coefficient])
