"""Which columns of many replicates are collinear with an intercept and the columns before them.

Replicates use different rows of the same predictors, or predictors of their own. The moments of the
rows used show which replicates may have such a column; `ordinal.aliased` decides on those.
"""

from __future__ import annotations

import numpy as np

from captem.ordinal_data import Booleans, Floats, aliased
from captem.replicates import distinct

# Share of a column's variance that the columns before it leave: below, `ordinal.aliased` decides.
_NEARLY_ALIASED = 1e-8
# The same for its variance in a replicate, beside its squared range in all of them.
_NEARLY_CONSTANT = 1e-12


def aliased_many(x: Floats, used: Booleans) -> Booleans:
    """Return for each replicate which columns `ordinal.aliased` calls aliased among its rows.

    Args:
        x: predictors without an intercept, shape (n, p), or (R, n, p) with some for each replicate.
        used: the rows of each replicate, shape (R, n).

    Returns:
        shape (R, p).
    """
    size, p = len(used), x.shape[-1]
    found = np.zeros((size, p), dtype=bool)
    if size == 0 or p == 0:
        return found
    own = x.ndim == 3
    columns = np.ascontiguousarray(x.swapaxes(-1, -2))
    scaled, blurred = _to_unit_size(columns, used if own else np.asarray(used.any(axis=0)))
    share = used / np.maximum(used.sum(axis=1, keepdims=True), 1)
    i, j = np.tril_indices(p)
    if own:
        mean = (scaled @ share[:, :, None])[:, :, 0]
        second = ((scaled * share[:, None]) @ scaled.swapaxes(1, 2))[:, i, j]
    else:
        mean, second = share @ scaled.T, share @ (scaled[i] * scaled[j]).T
    left = _left_over((second - mean[:, i] * mean[:, j]).T, p)
    suspects = np.flatnonzero(blurred | ~(left > _NEARLY_ALIASED).all(axis=0))
    if own:
        for r in suspects:
            found[r, list(aliased(x[r, used[r]]))] = True
        return found
    first, which = distinct(np.packbits(used[suspects], axis=1))
    supports = used[suspects][first]
    named = np.zeros((len(supports), p), dtype=bool)
    for number, support in enumerate(supports):
        named[number, list(aliased(x[support]))] = True
    found[suspects] = named[which]
    return found


def _to_unit_size(x: Floats, used: Booleans) -> tuple[Floats, Booleans]:
    """Columns centred and scaled to a largest of 1 among the rows used, and 0 in the others.

    x is (.., p, n), `used` (.., n). The second value tells where rounding is most of some column,
    shape () or (R,).
    """
    rows = used[..., None, :]
    inside = x if used.all() else np.where(rows, x, 0.0)
    size = np.maximum(inside.max(axis=-1), -inside.min(axis=-1))
    mean = inside.sum(axis=-1) / np.maximum(rows.sum(axis=-1), 1)
    centred = inside - mean[..., None]
    centred *= rows
    spread = np.maximum(centred.max(axis=-1), -centred.min(axis=-1))
    blurred = spread <= 1e-9 * size
    centred /= np.where(blurred, 1.0, spread)[..., None]
    return centred, np.asarray(blurred.any(axis=-1))


def _left_over(moments: Floats, p: int) -> Floats:
    """Share of each column's variance that the columns before it leave, shape (p, R).

    `moments` (p (p + 1) / 2, R) is the lower triangle of the covariance matrices by rows.
    """
    matrix = np.empty((p, p, moments.shape[1]))
    matrix[np.tril_indices(p)] = moments
    left = np.empty((p, moments.shape[1]))
    with np.errstate(invalid="ignore", divide="ignore"):
        for j in range(p):
            # A column whose spread is lost in rounding is suspect as well.
            whole = np.where(matrix[j, j] > _NEARLY_CONSTANT, matrix[j, j], np.nan)
            below = matrix[j:, j] - (matrix[j:, :j] * matrix[j, :j]).sum(axis=1)
            left[j] = below[0] / whole
            matrix[j:, j] = below / np.sqrt(np.where(below[0] > 0.0, below[0], np.nan))
    return left
