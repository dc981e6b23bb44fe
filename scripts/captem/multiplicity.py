"""P values of a family of questions, corrected for how many there are."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Return Holm's adjusted P values, in the order given.

    With m values in ascending order, the i-th becomes max over j <= i of (m - j + 1) p_(j), at most
    1; rejecting where it is at most alpha keeps the chance of any false rejection below alpha
    (Holm 1979, Scand J Stat 6:65-70). NaN stays NaN and does not count in m, as in R's `p.adjust`.

    Args:
        p_values: shape (m,), each in [0, 1] or NaN.

    Raises:
        ValueError: not one-dimensional, or a value outside [0, 1].

    >>> holm([0.01, 0.04, float("nan"), 0.03]).round(4).tolist()
    [0.03, 0.06, nan, 0.06]
    """
    p = np.asarray(p_values, dtype=float)
    if p.ndim != 1:
        raise ValueError("The P values must be one-dimensional.")
    if ((p < 0.0) | (p > 1.0)).any():
        raise ValueError("A P value lies outside 0 to 1.")
    known = np.flatnonzero(~np.isnan(p))
    ascending = known[np.argsort(p[known], kind="stable")]
    factors = np.arange(len(ascending), 0, -1)
    adjusted = np.full(len(p), np.nan)
    adjusted[ascending] = np.minimum(1.0, np.maximum.accumulate(factors * p[ascending]))
    return adjusted
