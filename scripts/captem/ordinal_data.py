"""Outcomes and predictors of an ordinal regression: checks, categories, columns, start values.

An outcome is known to lie in `low..high`; a point outcome has low = high. Scores that the data
cannot tell apart are collapsed into one category, the same way in every model of them.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]

_ALIAS_TOLERANCE = 1e-7
_CONSTANT_TOLERANCE = 1e-11


@dataclass(frozen=True, eq=False)
class Cells:
    """The categories that the data can tell apart, and each outcome's ends among their thresholds.

    `lower` and `upper` (n,) index the thresholds at an outcome's two ends; -1 and m stand for an
    infinite end.
    """

    categories: tuple[tuple[int, int], ...]
    lower: Integers
    upper: Integers


@dataclass(frozen=True, eq=False)
class Data:
    """The n outcomes that say something, their categories, and the k columns that are estimated.

    Attributes:
        low, high: score ends, shape (n,).
        x: all predictors, shape (n, p).
        weights: positive, shape (n,).
        cells: categories, and the ends of these outcomes.
        kept: indices of the columns that are not aliased, k of them.
        centre, scale: their means and standard deviations, shape (k,).
        standardised: the columns kept with mean 0 and standard deviation 1, shape (n, k).
    """

    low: Integers
    high: Integers
    x: Floats
    weights: Floats
    cells: Cells
    kept: tuple[int, ...]
    centre: Floats
    scale: Floats
    standardised: Floats

    @property
    def columns(self) -> int:
        """p, with the aliased ones."""
        return self.x.shape[1]

    @property
    def aliased(self) -> tuple[int, ...]:
        """Indices of the columns that are not estimated."""
        return tuple(column for column in range(self.columns) if column not in self.kept)

    def to_scaled(self, m: int) -> Floats:
        """Matrix (m + k, m + k) from (theta, beta) to those of the standardised columns.

        theta* = theta - centre'beta and beta* = scale beta.
        """
        matrix = np.eye(m + len(self.kept))
        matrix[:m, m:] = -self.centre
        matrix[m:, m:] = np.diag(self.scale)
        return matrix

    def covariance(self, m: int, inverse: Floats) -> Floats:
        """Covariance (m + p, m + p) from that of the standardised columns (m + k, m + k).

        NaN for aliased columns.
        """
        places = [*range(m), *(m + column for column in self.kept)]
        found = np.full((m + self.columns, m + self.columns), np.nan)
        back = np.linalg.inv(self.to_scaled(m))
        found[np.ix_(places, places)] = back @ inverse @ back.T
        return found

    def reported_categories(
        self, emptied: Collection[int]
    ) -> tuple[tuple[tuple[int, int], ...], tuple[int, ...]]:
        """Categories that hold probability, and the scores that do not stand alone.

        `emptied` are the indices of categories that do not.
        """
        categories = tuple(c for i, c in enumerate(self.cells.categories) if i not in emptied)
        alone = {low for low, high in categories if low == high}
        scores = range(int(self.low.min()), int(self.high.max()) + 1)
        return categories, tuple(score for score in scores if score not in alone)


def labels_of(categories: Sequence[tuple[int, int]]) -> tuple[str, ...]:
    """One label for each threshold, the scores on its two sides, as in "0|1"."""
    return tuple(f"{left[1]}|{right[0]}" for left, right in pairwise(categories))


def checked_scores(low: ArrayLike, high: ArrayLike) -> tuple[Integers, Integers]:
    """Return score ends (n,) as integers; ValueError where they are malformed."""
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


def checked_predictors(x: ArrayLike) -> Floats:
    """Return predictors (n, p) as finite numbers; ValueError where they are malformed."""
    try:
        array = np.asarray(x, dtype=float)
    except (TypeError, ValueError):
        raise ValueError("The predictors must be numbers.") from None
    if array.ndim != 2:
        raise ValueError("The predictors must be a two-dimensional array, outcomes by columns.")
    if not np.isfinite(array).all():
        raise ValueError("The predictors must be finite and not missing.")
    return array


def checked_weights(weights: ArrayLike, n: int) -> Floats:
    """Return weights (n,), finite and not negative; ValueError where they are malformed."""
    array = np.asarray(weights, dtype=float)
    if array.shape != (n,):
        raise ValueError("There must be one weight for each outcome.")
    if not np.all(np.isfinite(array)) or np.any(array < 0.0):
        raise ValueError("The weights must be finite and not negative.")
    return array


def cells_of(low: Integers, high: Integers) -> Cells:
    """Merge the cut points between scores until every category can hold probability.

    Shapes (n,), n at least 1. Cut j lies between scores j and j + 1. It can be raised for free
    where no outcome begins at it, and lowered for free where none ends at it.
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
    return Cells(categories, index[low - bottom], index[high - bottom + 1])


def marginal_thresholds(lower: Integers, upper: Integers, m: int, weights: Floats) -> Floats:
    """Cumulative logits of the category shares, from which every search starts.

    An interval is spread evenly over its categories.

    Args:
        lower, upper: index of the m thresholds at an outcome's two ends, -1 and m for an infinite
            one, shape (n,), or (R, n) for R replicates.
        weights: of the same shape; 0 for an outcome that is absent.

    Returns:
        shape (m,) or (R, m), strictly increasing.
    """
    part = weights / (upper - lower)
    shares = np.stack(
        [np.where((c > lower) & (c <= upper), part, 0.0).sum(axis=-1) for c in range(m + 1)],
        axis=-1,
    )
    # Half an outcome more in each category keeps the thresholds finite and apart.
    cumulative = np.cumsum(shares + 0.5, axis=-1)
    below = cumulative[..., :-1]
    return np.asarray(np.log(below / (cumulative[..., -1:] - below)))


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
    predictors = checked_predictors(x)
    n, p = predictors.shape
    if n == 0:
        return tuple(range(p))
    centred = predictors - predictors.mean(axis=0)
    size = np.abs(predictors).max(axis=0)
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


def condition_number(information: Floats) -> float:
    """Largest over smallest eigenvalue of an information (q, q); inf where it is singular."""
    if not np.isfinite(information).all():
        return math.inf
    values = np.linalg.eigvalsh(information)
    return float(values[-1] / values[0]) if values[0] > 1e-16 * values[-1] else math.inf


def prepared(low: ArrayLike, high: ArrayLike, x: ArrayLike, weights: ArrayLike | None) -> Data:
    """Check the data of a model, collapse categories, leave out what says nothing, standardise.

    Args:
        low, high: lowest and highest possible score of each outcome, integers, shape (n,).
        x: predictors without an intercept, shape (n, p); p may be 0.
        weights: not negative, shape (n,); None for 1 each.

    Raises:
        ValueError: malformed input, no outcome of positive weight, or outcomes that share one
            category, so that there is no threshold to estimate.
    """
    lowest, highest = checked_scores(low, high)
    predictors = checked_predictors(x)
    n = len(lowest)
    if len(predictors) != n:
        raise ValueError("There must be one row of predictors for each outcome.")
    weight = np.ones(n) if weights is None else checked_weights(weights, n)
    present = weight > 0.0
    lowest, highest, predictors = lowest[present], highest[present], predictors[present]
    cells = cells_of(lowest, highest)
    m = len(cells.categories) - 1
    if m < 1:
        raise ValueError("No threshold can be estimated: one category fits every outcome.")
    # An outcome that may be anything says nothing, so its predictors must not enter either.
    bounded = (cells.lower >= 0) | (cells.upper < m)
    predictors = predictors[bounded]
    dropped = aliased(predictors)
    kept = tuple(j for j in range(predictors.shape[1]) if j not in dropped)
    used = predictors[:, list(kept)]
    centre, scale = used.mean(axis=0), used.std(axis=0)
    return Data(
        low=lowest[bounded],
        high=highest[bounded],
        x=predictors,
        weights=weight[present][bounded],
        cells=replace(cells, lower=cells.lower[bounded], upper=cells.upper[bounded]),
        kept=kept,
        centre=centre,
        scale=scale,
        standardised=(used - centre) / scale,
    )
