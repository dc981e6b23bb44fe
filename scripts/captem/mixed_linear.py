"""Linear mixed model with a random intercept, by REML with Kenward-Roger inference.

    y_ij = beta_0 + x_ij'beta + u_i + e_ij,   u_i ~ N(0, tau2),  e_ij ~ N(0, sigma2),

row j of group i, all independent. With n_i rows in group i, J_i a matrix of ones, and the
variance ratio lambda = tau2 / sigma2, the rows of a group have the covariance
V_i = sigma2 * (I + lambda J_i) = sigma2 * H_i. H_i has the eigenvalue 1 within the group (on
deviations from the group mean) and 1 + lambda n_i between (on the mean), hence

    X'H^-1 X = S + sum_i n_i / (1 + lambda n_i) * m_i m_i',

S the cross product of deviations from group means, m_i the group means. Both terms are positive,
so nothing cancels, and no matrix of n rows and n columns is ever made.

With q coefficients that are not aliased, Q = (y - Xb)'H^-1 (y - Xb) at the generalised least
squares b, and sigma2 profiled out (Harville 1977, JASA 72:320-338),

    -2 log L_REML = sum log(1 + lambda n_i) + log|X'H^-1 X| + (n - q) (1 + log(2 pi Q / (n - q))),
    -2 log L_ML   = sum log(1 + lambda n_i)                 + n       (1 + log(2 pi Q / n)).

Standard errors and degrees of freedom are in `kenward_roger`. What may be reported is decided
elsewhere; here only malformed input is an error.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chdtrc

from captem import grouped
from captem.grouped import Floats, Integers
from captem.kenward_roger import Data, Solution, kenward_roger, least_squares, nothing_known

# Variance ratios between which every maximum is bracketed, three a decade; below 1e-6 the
# likelihood is flat against 0, above 1e16 the rows of a group are equal to double precision.
_RATIOS = np.concatenate([[0.0], np.logspace(-6.0, 16.0, 67)])
_NO_RESIDUAL = 1e-12
_RANK_TOLERANCE = 1e-7


@dataclass(frozen=True, eq=False)
class LinearMixedFit:
    """A random-intercept model at its restricted maximum likelihood.

    Coefficients are the intercept and one a column of x, k = 1 + p in all, NaN where aliased; in
    units of y over units of the column. Variances are in squared units of y.

    Four states, in the order in which they are looked for:

    - `identified` is False: the data cannot split the variance (one row a group, one group, as
      many group-level columns as groups, ...). The coefficients are those of least squares, and
      `group_variance` is NaN. With one row in every group least squares is right, and its
      covariance and n - q degrees of freedom are given; otherwise they are NaN.
    - `degenerate`: no variation is left within groups, the likelihood has no maximum; covariances
      and variances are NaN.
    - `boundary`: the group variance is estimated as exactly 0. The fit is least squares: the
      covariance is sigma2 (X'X)^-1 and both degrees of freedom are n - q, without adjustment.
    - none of these: the model of the module docstring.

    Attributes:
        beta: shape (k,).
        covariance: (X'V^-1 X)^-1, shape (k, k).
        kenward_roger_covariance: the same adjusted for small samples, shape (k, k).
        kenward_roger_df, satterthwaite_df: degrees of freedom of each coefficient, shape (k,).
        group_variance, residual_variance: tau2 and sigma2 by REML.
        icc: tau2 / (tau2 + sigma2).
        reml_criterion: -2 log L_REML; `null_criterion` the same with tau2 = 0.
        ml_loglik, ml_beta, ml_group_variance, ml_residual_variance: the maximum likelihood fit.
        group_labels, group_sizes, random_intercepts: per group in sorted order, shape (g,); the
            last are the best linear unbiased predictors of u.
        within_df, between_df: how the n - q residual degrees of freedom divide.
        converged: a maximum was found, inside or at the boundary.
        max_abs_gradient: largest absolute derivative of log L_REML in log tau2 and log sigma2
            (at the boundary in log sigma2).
        condition_number: of X'V^-1 X in the columns as given.
        local_maxima: maxima of log L_REML over lambda >= 0; the highest is reported.
        boundary, identified, degenerate: see above.
        aliased: indices of columns of x collinear with the intercept and the columns before them.
    """

    beta: Floats
    covariance: Floats
    kenward_roger_covariance: Floats
    kenward_roger_df: Floats
    satterthwaite_df: Floats
    group_variance: float
    residual_variance: float
    icc: float
    reml_criterion: float
    null_criterion: float
    ml_loglik: float
    ml_beta: Floats
    ml_group_variance: float
    ml_residual_variance: float
    group_labels: np.ndarray
    group_sizes: Integers
    random_intercepts: Floats
    within_df: int
    between_df: int
    converged: bool
    max_abs_gradient: float
    condition_number: float
    local_maxima: int
    boundary: bool
    identified: bool
    degenerate: bool
    aliased: tuple[int, ...]

    @property
    def standard_errors(self) -> Floats:
        """Square roots of the diagonal of `covariance`, shape (k,)."""
        return np.sqrt(np.diag(self.covariance))

    @property
    def kenward_roger_se(self) -> Floats:
        """Square roots of the diagonal of `kenward_roger_covariance`, shape (k,)."""
        return np.sqrt(np.diag(self.kenward_roger_covariance))


def fit(y: ArrayLike, x: ArrayLike, groups: ArrayLike) -> LinearMixedFit:
    """Fit the model of the module docstring.

    The derivative of the profiled criterion in lambda is evaluated on a grid, every fall through 0
    is closed in on by Brent's method, and the best of these maxima and lambda = 0 is taken.

    Args:
        y: outcome, shape (n,).
        x: predictors without an intercept, shape (n, p); p may be 0.
        groups: one label a row, shape (n,).

    Raises:
        ValueError: malformed input, or no more rows than coefficients.

    >>> found = fit([1.0, 2.0, 4.0, 5.0], np.empty((4, 0)), ["a", "a", "b", "b"])
    >>> round(found.group_variance, 6), round(found.residual_variance, 6)
    (4.25, 0.5)
    >>> found.beta.round(6), found.kenward_roger_df.round(6)
    (array([3.]), array([1.]))
    """
    design = grouped.design(x)
    n, q = design.matrix.shape
    outcome = grouped.response(y, n)
    if n <= q:
        raise ValueError(f"There are {n} rows for {q} coefficients and a residual variance.")
    members = grouped.groups(groups, n)
    # A constant moves only the intercept; without it the squares below keep their digits.
    level = float(outcome.mean())
    data = _data(design.matrix, outcome - level, members)
    between_df = n - q - data.within_df
    flat = _at(data, 0.0)
    nothing = _NO_RESIDUAL * float(np.sum((outcome - level) ** 2))
    identified = data.within_df > 0 and between_df > 0
    degenerate = flat.quadratic <= nothing or (
        data.within_df > 0 and data.within_residual <= nothing
    )
    split = identified and not degenerate
    # With one row in every group the two variances are one, and least squares is the model.
    known = not degenerate and (identified or len(members.sizes) == n)
    peak, maxima = _best(data, reml=True) if split else (flat, 0)
    ml = _best(data, reml=False)[0] if split else flat
    if not known:
        inference = nothing_known(design)
    elif split and peak.ratio > 0.0:
        inference = kenward_roger(data, design, peak)
    else:
        inference = least_squares(data, design, peak)
    sigma2, ml_sigma2 = peak.quadratic / (n - q), ml.quadratic / n
    return LinearMixedFit(
        beta=_shifted(design.to_given @ peak.beta, level),
        covariance=inference.covariance,
        kenward_roger_covariance=inference.adjusted,
        kenward_roger_df=inference.kenward_roger_df,
        satterthwaite_df=inference.satterthwaite_df,
        group_variance=peak.ratio * sigma2 if split else math.nan,
        residual_variance=sigma2 if known else math.nan,
        icc=peak.ratio / (1.0 + peak.ratio) if split else math.nan,
        reml_criterion=_criterion(data, peak) + 2.0 * design.log_scale if known else math.nan,
        null_criterion=_criterion(data, flat) + 2.0 * design.log_scale if known else math.nan,
        ml_loglik=-0.5 * _criterion(data, ml, reml=False) if known else math.nan,
        ml_beta=_shifted(design.to_given @ ml.beta, level),
        ml_group_variance=ml.ratio * ml_sigma2 if split else math.nan,
        ml_residual_variance=ml_sigma2 if known else math.nan,
        group_labels=members.labels,
        group_sizes=members.sizes,
        random_intercepts=_predicted(data, peak) if split else np.full(len(members.sizes), np.nan),
        within_df=data.within_df,
        between_df=between_df,
        converged=known and (maxima > 0 or not split),
        max_abs_gradient=inference.gradient,
        condition_number=inference.condition_number,
        local_maxima=maxima,
        boundary=split and peak.ratio == 0.0,
        identified=identified,
        degenerate=degenerate,
        aliased=design.aliased,
    )


def random_intercept_test(fit: LinearMixedFit) -> tuple[float, float]:
    """Restricted likelihood-ratio test of tau2 = 0: (statistic, P).

    Under tau2 = 0 the statistic is 0 half of the time and chi-squared on one degree of freedom
    otherwise (Self & Liang 1987, JASA 82:605-610), so P is half the chi-squared tail, and 1 where
    the statistic is 0. With few groups this is conservative (Crainiceanu & Ruppert 2004, JRSS B
    66:165-185). NaN where the variances are not identified.

    >>> found = fit([1.0, 2.0, 4.0, 5.0], np.empty((4, 0)), ["a", "a", "b", "b"])
    >>> [round(v, 4) for v in random_intercept_test(found)]
    [2.801, 0.0471]
    """
    if math.isnan(fit.group_variance):
        return math.nan, math.nan
    statistic = max(0.0, fit.null_criterion - fit.reml_criterion)
    return statistic, 1.0 if fit.boundary or statistic == 0.0 else 0.5 * float(chdtrc(1, statistic))


def t_test(
    fit: LinearMixedFit, coefficient: int, method: str = "kenward_roger"
) -> tuple[float, float, float]:
    """Test one coefficient against 0: (t, degrees of freedom, two-sided P).

    For a single coefficient Kenward and Roger's scale factor is exactly 1 and their F is t squared.

    Args:
        coefficient: 0 for the intercept, j + 1 for column j.
        method: "kenward_roger", or "satterthwaite" with the unadjusted standard error.

    Raises:
        ValueError: no such coefficient or method.

    >>> found = fit([1.0, 2.0, 4.0, 5.0], np.empty((4, 0)), ["a", "a", "b", "b"])
    >>> [round(v, 4) for v in t_test(found, 0)]
    [2.0, 1.0, 0.2952]
    """
    se, df = _scale(fit, coefficient, method)
    statistic = float(fit.beta[coefficient]) / se if se > 0.0 else math.nan
    return statistic, df, grouped.t_p_value(statistic, df)


def interval(
    fit: LinearMixedFit, coefficient: int, level: float = 0.95, method: str = "kenward_roger"
) -> tuple[float, float]:
    """Interval of one coefficient by its t quantile; arguments and errors as in `t_test`.

    >>> found = fit([1.0, 2.0, 4.0, 5.0], np.empty((4, 0)), ["a", "a", "b", "b"])
    >>> [round(v, 2) for v in interval(found, 0)]
    [-16.06, 22.06]
    """
    se, df = _scale(fit, coefficient, method)
    return grouped.t_interval(float(fit.beta[coefficient]), se, df, level)


def _data(matrix: Floats, y: Floats, members: grouped.Groups) -> Data:
    n, q = matrix.shape
    columns = np.column_stack([matrix, y])
    means = members.means(columns)
    deviations = columns - means[members.index]
    rank = int(
        np.linalg.matrix_rank(deviations[:, :q], tol=_RANK_TOLERANCE * math.sqrt(n)) if n else 0
    )
    padded = np.vstack([deviations, np.zeros((q + 1, q + 1))])
    left = np.linalg.svd(deviations[:, :q], full_matrices=False)[0][:, :rank]
    rest = deviations[:, q] - left @ (left.T @ deviations[:, q])
    return Data(
        within=grouped.triangular(padded),
        means=means,
        sizes=members.sizes,
        within_df=n - len(members.sizes) - rank,
        within_residual=float(rest @ rest),
        n=n,
        q=q,
    )


def _at(data: Data, ratio: float) -> Solution:
    roots, betas, quadratics = _solved(data, np.array([ratio]))
    return Solution(ratio, betas[0], roots[0], float(quadratics[0]))


def _solved(data: Data, ratios: Floats) -> tuple[Floats, Floats, Floats]:
    """Generalised least squares at each ratio: roots (r, q, q), b (r, q) and Q (r,).

    The triangular root of the within and the weighted between part, columns X then y, one below
    the other, holds the root of X'H^-1 X, its product with b, and the square root of Q.
    """
    q = data.q
    weights = np.sqrt(data.sizes / (1.0 + ratios[:, None] * data.sizes))
    within = np.broadcast_to(data.within, (len(ratios), *data.within.shape))
    between = weights[:, :, None] * data.means
    r = np.asarray(np.linalg.qr(np.concatenate([within, between], axis=1), mode="r"))
    roots = r[:, :q, :q]
    betas = np.linalg.solve(roots, r[:, :q, q:])[:, :, 0]
    return roots, betas, r[:, q, q] ** 2


def _criterion(data: Data, at: Solution, reml: bool = True) -> float:
    """-2 log L, in standardised columns."""
    value = float(np.log1p(at.ratio * data.sizes).sum())
    if reml:
        value += 2.0 * float(np.log(np.abs(np.diag(at.root))).sum())
    free = data.n - data.q if reml else data.n
    return value + free * (1.0 + math.log(2.0 * math.pi * at.quadratic / free))


def _slopes(data: Data, ratios: Floats, reml: bool) -> Floats:
    """Derivative of -2 log L in lambda at each ratio.

    dH_i/dlambda = J_i and 1'H_i^-1 = 1' / (1 + lambda n_i), so with s_i = X_i'1 and r = y - Xb
    it is the sum over groups of

        n_i / (1 + lambda n_i)
        - [s_i'(X'H^-1 X)^-1 s_i + free * (1'r_i)^2 / Q] / (1 + lambda n_i)^2,

    where maximum likelihood lacks the middle term, and free is n - q or n.
    """
    roots, betas, quadratics = _solved(data, ratios)
    inflation = 1.0 + ratios[:, None] * data.sizes
    sums = data.sizes[:, None] * data.means
    residuals = sums[:, -1] - betas @ sums[:, :-1].T
    free = data.n - data.q if reml else data.n
    taken = free / quadratics[:, None] * residuals**2
    if reml:
        half = np.linalg.solve(roots.transpose(0, 2, 1), sums[:, :-1].T)
        taken = taken + (half**2).sum(axis=1)
    return np.asarray((data.sizes / inflation - taken / inflation**2).sum(axis=1))


def _best(data: Data, reml: bool) -> tuple[Solution, int]:
    """The highest maximum over lambda >= 0, and the number of local maxima."""
    from scipy.optimize import brentq

    def slope(ratio: float) -> float:
        return float(_slopes(data, np.array([ratio]), reml)[0])

    slopes = _slopes(data, _RATIOS, reml)
    # The criterion is -2 log L: a maximum is where its slope turns from negative to positive.
    candidates = [0.0] if slopes[0] >= 0.0 else []
    for i in range(len(_RATIOS) - 1):
        if slopes[i] < 0.0 <= slopes[i + 1]:
            ends = float(_RATIOS[i]), float(_RATIOS[i + 1])
            candidates.append(float(brentq(slope, *ends, xtol=1e-18, rtol=1e-14)))
    solutions = [_at(data, ratio) for ratio in candidates or [float(_RATIOS[-1])]]
    best = min(solutions, key=lambda at: _criterion(data, at, reml))
    return best, len(candidates)


def _predicted(data: Data, at: Solution) -> Floats:
    """Best linear unbiased predictors: group means of the residuals, shrunken."""
    residual = data.means[:, -1] - data.means[:, :-1] @ at.beta
    return np.asarray(at.ratio * data.sizes / (1.0 + at.ratio * data.sizes) * residual)


def _shifted(beta: Floats, level: float) -> Floats:
    beta[0] += level
    return beta


def _scale(fit: LinearMixedFit, coefficient: int, method: str) -> tuple[float, float]:
    if not 0 <= coefficient < len(fit.beta):
        raise ValueError(f"There is no coefficient {coefficient}: the fit has {len(fit.beta)}.")
    if method == "kenward_roger":
        return float(fit.kenward_roger_se[coefficient]), float(fit.kenward_roger_df[coefficient])
    if method == "satterthwaite":
        return float(fit.standard_errors[coefficient]), float(fit.satterthwaite_df[coefficient])
    raise ValueError(f"There is no method {method!r}.")
