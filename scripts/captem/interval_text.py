"""Intervals of scores as texts, in the notation of the canonical tables."""

from __future__ import annotations

import numpy as np
import pandas as pd

from captem import notation

_SCORES = 5


def cells(low: pd.Series, high: pd.Series) -> pd.Series:
    """Return intervals of whole steps 0 to 4 as texts, None where missing, in the rows of `low`.

    There are few of them, so each is printed once and looked up.
    """
    texts = [notation.written(a, b) for a in range(_SCORES) for b in range(_SCORES)]
    table = np.array([*texts, None], dtype=object)
    first, last = (ends.to_numpy(dtype=float, na_value=np.nan) for ends in (low, high))
    places = np.where(np.isnan(first) | np.isnan(last), len(texts), first * _SCORES + last)
    return pd.Series(table[places.astype(int)], index=low.index, dtype=object)
