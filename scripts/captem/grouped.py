"""Rows in groups, as lesions in patients: what `mixed_linear` and `clustered` have in common.

Designs come without an intercept; it is added and stands first, so coefficient 0 is the intercept
and coefficient j + 1 belongs to column j. Inside, columns are centred and divided by their root
mean square, which changes no estimate and keeps dates and small shares equally accurate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtr, stdtrit

from captem import ordinal

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Groups:
    """Which row belongs to which group.

    Attributes:
        labels: the distinct labels in sorted order, shape (g,).
        index: position in `labels` of each row, shape (n,).
        sizes: rows in each group, shape (g,).
    """

    labels: NDArray
    index: Integers
    sizes: Integers

    def means(self, values: Floats) -> Floats:
        """Group means of the columns of `values` (n, k), shape (g, k)."""
        sums = np.zeros((len(self.sizes), values.shape[1]))
        np.add.at(sums, self.index, values)
        return sums / self.sizes[:, None]

    def rows(self) -> list[Integers]:
        """The row numbers of each group, in the order of `labels`."""
        order = np.argsort(self.index, kind="stable")
        return np.split(order, np.cumsum(self.sizes)[:-1])


@dataclass(frozen=True, eq=False)
class Design:
    """An intercept and the standardised columns that are not aliased.

    With q coefficients inside (b) and 1 + p outside (beta), beta = to_given @ b.

    Attributes:
        matrix: shape (n, q), a column of ones first.
        to_given: shape (1 + p, q); rows of aliased columns are NaN.
        aliased: indices of columns of x collinear with the intercept and the columns before them.
        log_scale: sum of the logarithms of the divisors, so that
            log|X'X| = log|matrix'matrix| + 2 * log_scale for the columns as they were given.
    """

    matrix: Floats
    to_given: Floats
    aliased: tuple[int, ...]
    log_scale: float

    @property
    def from_given(self) -> Floats:
        """The inverse of `to_given` for the coefficients that are not aliased, shape (q, q)."""
        kept = ~np.isnan(self.to_given).any(axis=1)
        return np.asarray(np.linalg.inv(self.to_given[kept]))

    def condition_number(self, information: Floats) -> float:
        """Largest over smallest eigenvalue of an information, in the columns as they were given."""
        if not np.isfinite(information).all():
            return math.inf
        back = self.from_given
        values = np.linalg.eigvalsh(back.T @ information @ back)
        return float(values[-1] / values[0]) if values[0] > 1e-16 * values[-1] else math.inf


def groups(labels: ArrayLike, n: int) -> Groups:
    """Return the groups of `n` rows.

    Args:
        labels: one label a row, text or numbers, shape (n,).

    Raises:
        ValueError: not one label a row, a missing label, or labels that have no order.

    >>> groups(["b", "a", "b"], 3).sizes
    array([1, 2])
    """
    array = np.asarray(labels)
    if array.shape != (n,):
        raise ValueError("There must be one group label for each row.")
    if any(label is None or label != label for label in array.tolist()):
        raise ValueError("A group label is missing.")
    try:
        found, index, sizes = np.unique(array, return_inverse=True, return_counts=True)
    except TypeError:
        raise ValueError("The group labels must be all text or all numbers.") from None
    return Groups(found, index.astype(np.int64), sizes.astype(np.int64))


def design(x: ArrayLike) -> Design:
    """Return the standardised design of predictors `x` (n, p) without an intercept; p may be 0.

    Raises:
        ValueError: `x` is not a finite two-dimensional array.

    >>> design([[1.0, 2.0], [2.0, 4.0], [4.0, 8.0]]).aliased
    (1,)
    """
    dropped = ordinal.aliased(x)
    given = np.asarray(x, dtype=float)
    n, p = given.shape
    kept = [j for j in range(p) if j not in dropped]
    centre = given[:, kept].mean(axis=0) if n else np.zeros(len(kept))
    centred = given[:, kept] - centre
    scale = np.sqrt((centred * centred).mean(axis=0)) if n else np.ones(len(kept))
    to_given = np.full((1 + p, 1 + len(kept)), np.nan)
    to_given[[0, *(1 + j for j in kept)]] = np.eye(1 + len(kept))
    to_given[0, 1:] = -centre / scale
    for position, j in enumerate(kept):
        to_given[1 + j, 1 + position] = 1.0 / scale[position]
    matrix = np.column_stack([np.ones(n), centred / scale])
    return Design(matrix, to_given, dropped, float(np.log(scale).sum()))


def response(y: ArrayLike, n: int) -> Floats:
    """Return an outcome as numbers, shape (n,).

    Raises:
        ValueError: not one finite number for each of the n rows.

    >>> response([1, 2], 2)
    array([1., 2.])
    """
    try:
        array = np.asarray(y, dtype=float)
    except (TypeError, ValueError):
        raise ValueError("The outcome must be numbers.") from None
    if array.shape != (n,):
        raise ValueError("There must be one outcome for each row of predictors.")
    if not np.isfinite(array).all():
        raise ValueError("The outcome must be finite and not missing.")
    return array


def triangular(matrix: Floats) -> Floats:
    """Return R, upper triangular, with R'R = matrix'matrix; no fewer rows than columns.

    >>> abs(triangular(np.array([[3.0], [4.0]])))
    array([[5.]])
    """
    return np.asarray(np.linalg.qr(matrix, mode="r"), dtype=float)


def t_p_value(statistic: float, df: float) -> float:
    """Return the two-sided P of a t statistic; NaN where either is NaN.

    >>> round(t_p_value(2.0, 10.0), 6)
    0.073388
    """
    return float(2.0 * stdtr(df, -abs(statistic)))


def t_interval(estimate: float, se: float, df: float, level: float) -> tuple[float, float]:
    """Return estimate -/+ the t quantile times its standard error.

    Raises:
        ValueError: a level outside (0, 1).

    >>> t_interval(1.0, 0.0, 5.0, 0.95)
    (1.0, 1.0)
    """
    if not 0.0 < level < 1.0:
        raise ValueError(f"The confidence level must lie between 0 and 1, not {level}.")
    half = float(stdtrit(df, (1.0 + level) / 2.0)) * se
    return estimate - half, estimate + half
