"""Rubin's rules: one estimate, interval and P from the fits to several imputed data sets.

Notation of Rubin (1987, Multiple Imputation for Nonresponse in Surveys, sections 3.3 and 3.4). The
fit to imputation l of m gives the estimate Q_l and its variance U_l; nu_com are the degrees of
freedom that the analysis would have without missing values. Then

    Q = mean of Q_l,    U = mean of U_l,    B = sum (Q_l - Q)^2 / (m - 1),    T = U + (1 + 1/m) B,
    r = (1 + 1/m) B / U,    lambda = (1 + 1/m) B / T,

and (Q - true value) / sqrt(T) is referred to t with the degrees of freedom of Barnard & Rubin
(1999, Biometrika 86:948-955), which never exceed nu_com, as those of 1987 do:

    nu_m = (m - 1) / lambda^2,    nu_obs = (nu_com + 1) / (nu_com + 3) * nu_com * (1 - lambda),
    nu = 1 / (1 / nu_m + 1 / nu_obs).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtrc, fdtrc, stdtr, stdtrit

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Pooled:
    """Estimates pooled over imputations; every array has the shape of one imputation's estimates.

    Attributes:
        imputations: m.
        estimate: Q, the mean over imputations.
        within: U, the mean variance of a fit.
        between: B, the variance of the estimates over imputations.
        total: T, the variance of the pooled estimate.
        riv: r, the relative increase in variance due to missing values.
        lambda_: share of the total variance due to missing values.
        fmi: fraction of missing information, (r + 2 / (nu + 3)) / (r + 1).
        df: nu of Barnard & Rubin.
        statistic: t of the hypothesis that the true value is 0.
        p_value: two-sided P by t.
        conf_low, conf_high: interval by t.
        level: confidence level.
        failed: imputations whose estimate or variance is not finite (a fit that did not converge,
            an aliased column). Where there is one, all of the above are NaN: leaving those
            imputations out would pool a selection.
    """

    imputations: int
    estimate: Floats
    within: Floats
    between: Floats
    total: Floats
    riv: Floats
    lambda_: Floats
    fmi: Floats
    df: Floats
    statistic: Floats
    p_value: Floats
    conf_low: Floats
    conf_high: Floats
    level: float
    failed: Integers

    @property
    def standard_error(self) -> Floats:
        """Square root of the total variance."""
        return np.sqrt(self.total)


@dataclass(frozen=True)
class Wald:
    """The pooled Wald test that several coefficients are all 0.

    Attributes:
        statistic: D1, referred to F.
        df1, df2: its degrees of freedom; `df2` is NaN where nu_com is too small for Reiter's.
        p_value: P by F, NaN with `df2`.
        riv: the average relative increase in variance.
    """

    statistic: float
    df1: int
    df2: float
    p_value: float
    riv: float


def pool(
    estimates: ArrayLike, variances: ArrayLike, df_complete: float, level: float = 0.95
) -> Pooled:
    """Pool estimates over imputations by Rubin's rules.

    Where the imputations agree (B = 0), lambda is 0 and nu is nu_obs, a little below `df_complete`:
    (nu_com + 1) / (nu_com + 3) * nu_com.

    Args:
        estimates: one row an imputation, shape (m,) or (m, q), on the scale where they are about
            normal (log odds ratios, not odds ratios).
        variances: squared standard errors, of the same shape.
        df_complete: nu_com, residual degrees of freedom without missing values, n - p for least
            squares; `inf` for a test by the normal distribution.
        level: confidence level, in (0, 1).

    Raises:
        ValueError: fewer than 2 imputations, shapes that differ, a variance that is 0 or negative,
            degrees of freedom that are not positive, or a level outside (0, 1).

    >>> pooled = pool([1.0, 1.2, 1.4], [0.16, 0.20, 0.18], df_complete=20)
    >>> round(float(pooled.total), 4), round(float(pooled.df), 3)
    (0.2333, 10.298)
    """
    q, u = _checked(estimates, variances, df_complete)
    if not 0.0 < level < 1.0:
        raise ValueError(f"The confidence level must lie between 0 and 1, not {level}.")
    m = len(q)
    usable = np.isfinite(q) & np.isfinite(u)
    if np.any(u[usable] <= 0.0):
        raise ValueError("A variance must be positive.")
    failed = np.asarray(m - usable.sum(axis=0), dtype=np.int64)
    whole = usable.all(axis=0)
    q, u = np.where(whole, q, np.nan), np.where(whole, u, np.nan)

    estimate, within = q.mean(axis=0), u.mean(axis=0)
    between = q.var(axis=0, ddof=1)
    total = within + (1 + 1 / m) * between
    riv = (1 + 1 / m) * between / within
    share = (1 + 1 / m) * between / total
    # 1 / nu_m is 0 without variation between imputations, 1 / nu_obs is 0 for infinite nu_com.
    with np.errstate(divide="ignore"):
        df = 1 / (share**2 / (m - 1) + 1 / (_observed_df(df_complete) * (1 - share)))
    statistic = estimate / np.sqrt(total)
    half = stdtrit(df, (1 + level) / 2) * np.sqrt(total)
    return Pooled(
        imputations=m,
        estimate=estimate,
        within=within,
        between=between,
        total=total,
        riv=riv,
        lambda_=share,
        fmi=(riv + 2 / (df + 3)) / (riv + 1),
        df=df,
        statistic=statistic,
        p_value=2 * stdtr(df, -np.abs(statistic)),
        conf_low=estimate - half,
        conf_high=estimate + half,
        level=level,
        failed=failed,
    )


def wald(estimates: ArrayLike, covariances: ArrayLike, df_complete: float) -> Wald:
    """Test that all k coefficients are 0, by the pooled Wald statistic D1.

    Li, Raghunathan & Rubin (1991, JASA 86:1065-1073): with U the mean covariance, B the covariance
    of the estimates over imputations and r = (1 + 1/m) trace(B U^-1) / k,

        D1 = Q' U^-1 Q / (k (1 + r)).

    Its denominator degrees of freedom are those of Reiter (2007, Biometrika 94:502-508), who does
    for several coefficients what Barnard & Rubin did for one; for infinite `df_complete` they are
    those of 1991. For one coefficient, `pool` gives the test.

    Args:
        estimates: shape (m, k).
        covariances: shape (m, k, k).
        df_complete: residual degrees of freedom without missing values.

    Raises:
        ValueError: malformed input, numbers that are not finite, a mean covariance that is not
            positive definite, or k (m - 1) <= 4, too few imputations for these degrees of freedom.

    >>> test = wald([[1, 2], [2, 1], [1, 1], [2, 2]], [[[1, 0], [0, 1]]] * 4, df_complete=30)
    >>> round(test.statistic, 4), round(test.p_value, 4)
    (1.5882, 0.2587)
    """
    q, u = np.asarray(estimates, dtype=float), np.asarray(covariances, dtype=float)
    if q.ndim != 2 or u.shape != (*q.shape, q.shape[1]) or not q.shape[1]:
        raise ValueError("There must be m by k estimates, and a k by k covariance for each row.")
    if not df_complete > 0.0:
        raise ValueError("The degrees of freedom must be positive.")
    if not (np.isfinite(q).all() and np.isfinite(u).all()):
        raise ValueError("The estimates and covariances must be finite.")
    m, k = q.shape
    t = k * (m - 1)
    if t <= 4:
        raise ValueError(f"{m} imputations are too few to test {k} coefficients together.")
    estimate, within = q.mean(axis=0), u.mean(axis=0)
    try:
        np.linalg.cholesky(within)
    except np.linalg.LinAlgError:
        raise ValueError("The mean covariance must be positive definite.") from None
    between = (q - estimate).T @ (q - estimate) / (m - 1)
    r = (1 + 1 / m) * float(np.trace(np.linalg.solve(within, between))) / k
    statistic = float(estimate @ np.linalg.solve(within, estimate)) / (k * (1 + r))
    df2 = _reiter_df(t, r, df_complete)
    # F with infinitely many denominator degrees of freedom is chi-squared over k.
    p = chdtrc(k, k * statistic) if math.isinf(df2) else fdtrc(k, df2, statistic)
    return Wald(statistic, k, df2, float(p), r)


def _observed_df(df_complete: float) -> float:
    """Barnard & Rubin's nu_obs for lambda = 0."""
    if math.isinf(df_complete):
        return math.inf
    return (df_complete + 1) / (df_complete + 3) * df_complete


def _reiter_df(t: int, r: float, df_complete: float) -> float:
    """Reiter's degrees of freedom 4 + 1/z, with t = k (m - 1) and a = r t / (t - 2).

    z is an expansion in 1 / (t - 4) and in 1 / (v - 4 (1 + a)), v being nu_obs at lambda = 0; it
    means nothing where that is not positive.
    """
    if math.isinf(df_complete):
        return 4 + (t - 4) * (1 + (1 - 2 / t) / r) ** 2 if r > 0.0 else math.inf
    a, v = r * t / (t - 2), _observed_df(df_complete)
    c0, c1, c2 = 1 / (t - 4), v - 2 * (1 + a), v - 4 * (1 + a)
    if c2 <= 0.0:
        return math.nan
    z = 1 / c2 + c0 * (
        a**2 * c1 / ((1 + a) ** 2 * c2)
        + 8 * a**2 * c1 / ((1 + a) * c2**2)
        + 4 * a**2 / ((1 + a) * c2)
        + 4 * a**2 / (c2 * c1)
        + 16 * a**2 * c1 / c2**3
        + 8 * a**2 / c2**2
    )
    return 4 + 1 / z


def _checked(
    estimates: ArrayLike, variances: ArrayLike, df_complete: float
) -> tuple[Floats, Floats]:
    q, u = np.asarray(estimates, dtype=float), np.asarray(variances, dtype=float)
    if q.ndim not in (1, 2) or q.shape != u.shape:
        raise ValueError("Estimates and variances must have the same shape, a row an imputation.")
    if len(q) < 2:
        raise ValueError("Pooling needs at least 2 imputations.")
    if not df_complete > 0.0:
        raise ValueError("The degrees of freedom must be positive.")
    return q, u
