"""What single patients do to an estimate; least squares with standard errors for unequal spread.

`ols` fits y = b_0 + x'b + e. Write z_i = (1, x_i), A = (Z'Z)^-1, e_i for the residual,
h_i = z_i'A z_i for the leverage, k for the number of coefficients and s^2 = sum e_i^2 / (n - k).

    HC3 covariance    A {sum z_i z_i' e_i^2 / (1 - h_i)^2} A
    b without row i   b - A z_i e_i / (1 - h_i)
    s_(i)^2           {(n - k) s^2 - e_i^2 / (1 - h_i)} / (n - k - 1)
    rstudent          e_i / {s_(i) sqrt(1 - h_i)}
    Cook's distance   e_i^2 h_i / {k s^2 (1 - h_i)^2}
    dfbetas           A z_i e_i / (1 - h_i) / {s_(i) sqrt(A_jj)}

HC3 is due to MacKinnon & White (1985, J Econometrics 29:305-325); Long & Ervin (2000, Am Stat
54:217-224) recommend it below n = 250. The rest is Belsley, Kuh & Welsch (1980) in the conventions
of R's `influence.measures`. A row of leverage 1 fits
itself: its residual is 0 but for rounding, and e_i / (1 - h_i) is noise.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtr, stdtrit

from captem import ordinal
from captem.ordinal_data import checked_predictors

Floats = NDArray[np.float64]

# Above 1 less this, a leverage is 1: rounding in e is beyond 1e-8 of e / (1 - h) from here on.
_LEVERAGE_ROOM = 1e-8
# Residuals below this part of the outcomes are rounding.
_NO_RESIDUAL = 1e-12


@dataclass(frozen=True, eq=False)
class LeaveOneOut:
    """The estimates with one row left out at a time.

    Attributes:
        estimates: shape (n, q), row i without row i of the data.
        low, high: lowest and highest finite estimate, shape (q,); NaN where there is none.
        low_without, high_without: the row whose absence gives it, the first of several, shape (q,);
            -1 where there is none.
        not_finite: how many of the n are NaN or infinite, shape (q,).
    """

    estimates: Floats
    low: Floats
    high: Floats
    low_without: NDArray[np.int64]
    high_without: NDArray[np.int64]
    not_finite: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class OlsFit:
    """A least-squares fit with its diagnostics.

    Arrays over coefficients have the intercept first, then the p columns of `x`; NaN stands for
    aliased columns.

    Attributes:
        coefficients: shape (p + 1,).
        covariance: s^2 A, shape (p + 1, p + 1); NaN without residual degrees of freedom.
        covariance_hc3: shape (p + 1, p + 1); NaN throughout where a leverage is 1, without residual
            degrees of freedom, and where the fit is perfect.
        residuals, leverage: shape (n,).
        sigma: s; NaN without residual degrees of freedom.
        df: n - k, the residual degrees of freedom.
        leverage_one: rows of leverage 1 (within 1e-8): HC3 is refused with any such row.
        perfect: all residuals are rounding; no standard error means anything then.
        condition_number: of Z'Z, largest over smallest eigenvalue, in the units given.
        aliased: positions in `coefficients` of columns collinear with those before them.
        rstudent, cooks_distance: shape (n,); NaN in rows of leverage 1.
        dfbetas: shape (n, p + 1); NaN in rows of leverage 1.
        without: the coefficients without each row, shape (n, p + 1); NaN in rows of leverage 1.
    """

    coefficients: Floats
    covariance: Floats
    covariance_hc3: Floats
    residuals: Floats
    leverage: Floats
    sigma: float
    df: int
    leverage_one: tuple[int, ...]
    perfect: bool
    condition_number: float
    aliased: tuple[int, ...]
    rstudent: Floats
    cooks_distance: Floats
    dfbetas: Floats
    without: Floats

    @property
    def standard_errors_hc3(self) -> Floats:
        """Square roots of the diagonal of `covariance_hc3`, shape (p + 1,)."""
        return np.sqrt(np.diag(self.covariance_hc3))


def leave_one_out(estimates_many: Callable[[Floats], ArrayLike], n: int) -> LeaveOneOut:
    """Leave out each of n rows in turn.

    Args:
        estimates_many: takes weights (R, n) of 0 and 1 and returns R estimates, shape (R,) or
            (R, q); see `by_rows` for a function that knows only rows.
        n: number of rows, at least 2.

    Raises:
        ValueError: fewer than 2 rows, or not one estimate for each set of weights.

    >>> values = np.array([1.0, 2.0, 6.0])
    >>> found = leave_one_out(lambda w: w @ values / w.sum(axis=1), 3)
    >>> found.low.tolist(), found.low_without.tolist(), found.high.tolist()
    ([1.5], [2], [4.0])
    """
    if n < 2:
        raise ValueError("Leaving one row out needs at least two.")
    estimates = np.asarray(estimates_many(1.0 - np.eye(n)), dtype=float)
    if estimates.ndim == 1:
        estimates = estimates[:, None]
    if estimates.ndim != 2 or len(estimates) != n:
        raise ValueError("There must be one estimate for each row that is left out.")
    finite = np.isfinite(estimates)
    some = finite.any(axis=0)
    lowest = np.where(finite, estimates, np.inf)
    highest = np.where(finite, estimates, -np.inf)
    return LeaveOneOut(
        estimates=estimates,
        low=np.where(some, lowest.min(axis=0), np.nan),
        high=np.where(some, highest.max(axis=0), np.nan),
        low_without=np.where(some, lowest.argmin(axis=0), -1),
        high_without=np.where(some, highest.argmax(axis=0), -1),
        not_finite=(~finite).sum(axis=0),
    )


def by_rows(estimate: Callable[[NDArray[np.int64]], ArrayLike]) -> Callable[[Floats], Floats]:
    """Turn a function of row numbers (m,) into one of weights (R, n), called once for each.

    A row of weight 2 is given twice; weights are whole numbers.

    >>> by_rows(lambda rows: rows.sum())(np.array([[1.0, 0.0, 2.0], [1.0, 1.0, 0.0]])).tolist()
    [4.0, 1.0]
    """

    def many(weights: Floats) -> Floats:
        counts = np.asarray(weights).astype(np.int64)
        every = np.arange(counts.shape[1])
        return np.array([estimate(np.repeat(every, row)) for row in counts], dtype=float)

    return many


def ols(y: ArrayLike, x: ArrayLike) -> OlsFit:
    """Fit by least squares, with HC3 and the influence of each row.

    Args:
        y: outcomes, finite, shape (n,), n at least 1.
        x: predictors without an intercept, shape (n, p); p may be 0.

    Raises:
        ValueError: malformed input.

    >>> fit = ols([1.0, 3.0, 2.0, 5.0], [[0.0], [1.0], [2.0], [3.0]])
    >>> fit.coefficients.round(2).tolist(), fit.leverage.round(2).tolist()
    ([1.1, 1.1], [0.7, 0.3, 0.3, 0.7])
    """
    outcome, predictors = _checked(y, x)
    n, width = len(outcome), predictors.shape[1] + 1
    aliased = tuple(1 + j for j in ordinal.aliased(predictors))
    kept = [j for j in range(width) if j not in aliased]
    k = len(kept)
    used = predictors[:, [j - 1 for j in kept[1:]]]
    centre = used.mean(axis=0)
    scale = used.std(axis=0)
    q, r = np.linalg.qr(np.column_stack([np.ones(n), (used - centre) / scale]))
    to_standard = np.diag(np.concatenate([[1.0], scale]))
    to_standard[0, 1:] = centre
    # Z = Q T with Q'Q = 1, so that A = T^-1 T^-1' and A z_i = T^-1 q_i.
    inverse = np.linalg.inv(r @ to_standard)
    residuals = outcome - q @ (q.T @ outcome)
    leverage = np.minimum(np.einsum("ij,ij->i", q, q), 1.0)
    alone = leverage > 1.0 - _LEVERAGE_ROOM
    perfect = bool(np.abs(residuals).max() <= _NO_RESIDUAL * np.abs(outcome).max())
    df = n - k
    room = np.where(alone, np.nan, 1.0 - leverage)
    squares = float(residuals @ residuals)
    variance = squares / df if df > 0 and not perfect else math.nan
    rest = squares - residuals**2 / room
    sigma_without = np.sqrt(np.maximum(rest, 0.0) / (df - 1)) if df > 1 else np.full(n, np.nan)
    if perfect:
        sigma_without = np.full(n, np.nan)
    change = (inverse @ (q * (residuals / room)[:, None]).T).T
    unscaled = inverse @ inverse.T
    coefficients = inverse @ (q.T @ outcome)
    covariance_hc3 = np.full((k, k), np.nan)
    if df > 0 and not alone.any() and not perfect:
        covariance_hc3 = change.T @ change
    with np.errstate(divide="ignore", invalid="ignore"):
        rstudent = residuals / (sigma_without * np.sqrt(room))
        cooks_distance = residuals**2 * leverage / (k * variance * room**2)
        dfbetas = change / (sigma_without[:, None] * np.sqrt(np.diag(unscaled)))
    values = np.linalg.svd(r @ to_standard, compute_uv=False)
    return OlsFit(
        coefficients=_placed(coefficients, kept, width),
        covariance=_square(variance * unscaled, kept, width),
        covariance_hc3=_square(covariance_hc3, kept, width),
        residuals=residuals,
        leverage=leverage,
        sigma=math.sqrt(variance),
        df=df,
        leverage_one=tuple(int(row) for row in np.flatnonzero(alone)),
        perfect=perfect,
        condition_number=float((values[0] / values[-1]) ** 2),
        aliased=aliased,
        rstudent=rstudent,
        cooks_distance=cooks_distance,
        dfbetas=_placed(dfbetas, kept, width),
        without=_placed(coefficients - change, kept, width),
    )


def hc3_interval(fit: OlsFit, column: int, level: float = 0.95) -> tuple[float, float]:
    """Interval of one coefficient: b -+ t se with HC3 and n - k degrees of freedom.

    Long & Ervin 2000. NaN where HC3 is refused or the column is aliased.

    Args:
        fit: what `ols` returned.
        column: position in `coefficients`: 0 is the intercept.
        level: confidence level, in (0, 1).

    Raises:
        ValueError: no such coefficient, or a level outside (0, 1).

    >>> fit = ols([1.0, 3.0, 2.0, 5.0, 4.0], [[0.0], [1.0], [2.0], [3.0], [4.0]])
    >>> [round(end, 3) for end in hc3_interval(fit, 1)]
    [-0.522, 2.122]
    """
    if not 0.0 < level < 1.0:
        raise ValueError(f"The confidence level must lie between 0 and 1, not {level}.")
    estimate, error = _estimate(fit, column)
    if math.isnan(error):
        return math.nan, math.nan
    half = float(stdtrit(fit.df, (1.0 + level) / 2.0)) * error
    return estimate - half, estimate + half


def hc3_test(fit: OlsFit, column: int) -> tuple[float, float]:
    """Test of one coefficient: t = b / se with HC3, and two-sided P with n - k degrees of freedom.

    NaN where HC3 is refused or the column is aliased. Arguments and errors as in `hc3_interval`.
    """
    estimate, error = _estimate(fit, column)
    if math.isnan(error):
        return math.nan, math.nan
    t = estimate / error
    return t, float(2.0 * stdtr(fit.df, -abs(t)))


def _estimate(fit: OlsFit, column: int) -> tuple[float, float]:
    if not 0 <= column < len(fit.coefficients):
        raise ValueError(f"There is no coefficient {column}: the fit has {len(fit.coefficients)}.")
    error = math.sqrt(fit.covariance_hc3[column, column])
    return float(fit.coefficients[column]), error if error > 0.0 else math.nan


def _checked(y: ArrayLike, x: ArrayLike) -> tuple[Floats, Floats]:
    try:
        outcome = np.asarray(y, dtype=float)
    except (TypeError, ValueError):
        raise ValueError("The outcomes must be numbers.") from None
    if outcome.ndim != 1:
        raise ValueError("The outcomes must be one-dimensional.")
    if not np.isfinite(outcome).all():
        raise ValueError("The outcomes must be finite and not missing.")
    predictors = checked_predictors(x)
    if len(predictors) != len(outcome):
        raise ValueError("There must be one row of predictors for each outcome.")
    if not len(outcome):
        raise ValueError("There are no outcomes.")
    return outcome, predictors


def _placed(values: Floats, kept: list[int], width: int) -> Floats:
    whole = np.full((*values.shape[:-1], width), np.nan)
    whole[..., kept] = values
    return whole


def _square(values: Floats, kept: list[int], width: int) -> Floats:
    whole = np.full((width, width), np.nan)
    whole[np.ix_(kept, kept)] = values
    return whole
