"""Standardised differences: how far apart two groups are, in units of the spread within them.

They describe, and test nothing: unlike a P value they do not grow with the number of patients.

==============  =====================================================================
a measure       (mean a - mean b) / sqrt((var a + var b) / 2), variances with n - 1
                (Austin 2009, Stat Med 28:3083)
a category      sqrt(d' S^-1 d): d the differences of the shares of all levels but
                one, S the mean of their covariance matrices (Yang and Dalton 2012,
                SAS Global Forum, paper 335)
==============  =====================================================================

Both are given without a sign, which for a category has no meaning. Missing values are left out.
"""

from __future__ import annotations

import math
from collections.abc import Sized

import numpy as np
import pandas as pd

from captem.statistics import not_estimable

MIN_KNOWN = 2
# Of fewer patients the spread within a group is hardly known, and differences of several SD are
# chance.
STABLE_KNOWN = 10


def of_measure(a: pd.Series, b: pd.Series) -> dict[str, object]:
    """Return `estimate`, or why there is none, for the values of two groups; NaN is missing."""
    first, second = (group.dropna().to_numpy(dtype=float) for group in (a, b))
    if min(len(first), len(second)) < MIN_KNOWN:
        return _too_few()
    apart = abs(float(first.mean() - second.mean()))
    spread = math.sqrt((first.var(ddof=1) + second.var(ddof=1)) / 2)
    if spread == 0:
        equal = {"estimate": 0.0} | _few(first, second)
        return equal if apart == 0 else not_estimable("no group has any spread")
    return {"estimate": apart / spread} | _few(first, second)


def of_category(a: pd.Series, b: pd.Series) -> dict[str, object]:
    """Return `estimate`, or why there is none, for the levels of two groups; None is missing."""
    first, second = a.dropna(), b.dropna()
    if min(len(first), len(second)) < MIN_KNOWN:
        return _too_few()
    levels = sorted({*first, *second})
    if not set(first) & set(second):
        return not_estimable("the groups have no level in common")
    # The shares add up to 1, so that one level says nothing new; which one does not matter.
    shares = [
        np.array([group.eq(level).mean() for level in levels[1:]]) for group in (first, second)
    ]
    apart = shares[0] - shares[1]
    covariance = sum(np.diag(share) - np.outer(share, share) for share in shares) / 2
    if not len(apart):
        return {"estimate": 0.0} | _few(first, second)
    squared = float(apart @ np.linalg.solve(covariance, apart))
    return {"estimate": math.sqrt(max(0.0, squared))} | _few(first, second)


def unstable(reason: str) -> dict[str, object]:
    """Return what a difference says that is given and not to be relied on."""
    return {"status": "unstable", "reason": reason}


def _few(first: Sized, second: Sized) -> dict[str, object]:
    if min(len(first), len(second)) >= STABLE_KNOWN:
        return {}
    return unstable(f"a group has fewer than {STABLE_KNOWN} patients with a value")


def _too_few() -> dict[str, object]:
    return not_estimable(f"a group has fewer than {MIN_KNOWN} patients with a value")
