"""Residuals of the ordinal model: on which side of what the fit expects did each patient end?

The probability-scale residual (Li & Shepherd 2012, Biometrika 99:473-480; Shepherd, Li & Liu 2016,
Can J Stat 44:463-479) compares a score y with another draw Y from the fit at the same terms:

    r = P(Y < y) - P(Y > y),

from -1 to 1, above 0 where the score is higher than expected. An outcome known to lie in
`low..high` has the mean of r over the fit given that interval. With F the fitted distribution,
r(y) = F(y) + F(y - 1) - 1, and as p(y) (F(y) + F(y - 1)) = F(y)^2 - F(y - 1)^2, the mean is

    (F(high)^2 - F(low - 1)^2) / (F(high) - F(low - 1)) - 1 = P(Y < low) - P(Y > high),

the same formula with the ends in place of y. Its expectation is 0 where the model is right. With
the logistic link it is also the derivative of the patient's log-likelihood by the linear predictor,
so that at maximum likelihood residuals have sum 0, and sum 0 with each term; bias-reduced
estimates, which are reported, leave a little.

It has few values where scores and terms do, and its spread differs with the fit: bands of points
are no sign of anything, a drift of its mean along MIB1 is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.special import expit

from captem.model_parts import PRIMARY_TERM
from captem.ordinal_data import Floats, Integers

# Means of fewer residuals jump about by chance alone.
MIN_A_GROUP = 10
_MOST_GROUPS, _FEWEST_GROUPS = 5, 3


def of_patients(
    ids: Sequence[str],
    low: Integers,
    high: Integers,
    x: Floats,
    terms: Sequence[str],
    record: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """Return the residual of each patient of a fit, for `models/<model>.json`.

    Args:
        ids: the code of each patient, n of them.
        low, high: lowest and highest possible score of each, integers, shape (n,).
        x: the terms of the model, shape (n, p).
        terms: their names.
        record: of the fit, with `coefficients` by term and `thresholds` by label, as `3|4`.

    Returns:
        for each patient `patient`, `residual`, `expected` (the score the fit expects), `log2_mib1`
        and `interval`, whether the score is one.
    """
    eta = x @ np.array([record["coefficients"][term] for term in terms], dtype=float)
    sides = _sides(list(record["thresholds"]))
    below = _below(eta, list(record["thresholds"].values()))
    found = of_scores(low, high, below, sides)
    expected = expected_scores(below, sides, int(low.min()), int(high.max()))
    mib1 = x[:, list(terms).index(PRIMARY_TERM)]
    return [
        {
            "patient": code,
            "residual": float(found[i]),
            "expected": float(expected[i]),
            PRIMARY_TERM: float(mib1[i]),
            "interval": bool(low[i] < high[i]),
        }
        for i, code in enumerate(ids)
    ]


def of_scores(
    low: Integers, high: Integers, below: Floats, sides: Sequence[tuple[int, int]]
) -> Floats:
    """Return P(Y < low) - P(Y > high) of each outcome, shape (n,).

    Args:
        low, high: lowest and highest possible score, shape (n,).
        below: the chance that Y lies below each threshold, shape (n, m).
        sides: the scores at either side of each threshold, m pairs. A score between them shares
            its category with a neighbour, and an outcome with an end there has it on its own side.

    >>> below = expit(np.array([[-0.5, 0.5]]))
    >>> of_scores(np.array([2]), np.array([2]), below, [(0, 1), (1, 2)]).round(4).tolist()
    [0.6225]
    """
    n = len(low)
    ends = np.column_stack([np.zeros(n), below, np.ones(n)])
    lower = np.sum([left < low for left, _ in sides], axis=0, dtype=int)
    upper = len(sides) + 1 - np.sum([right > high for _, right in sides], axis=0, dtype=int)
    rows = np.arange(n)
    return np.asarray(ends[rows, lower] - (1.0 - ends[rows, upper]))


def expected_scores(
    below: Floats, sides: Sequence[tuple[int, int]], lowest: int, highest: int
) -> Floats:
    """Return the score that the fit expects, shape (n,).

    Scores from `lowest` to `highest`, the range of the outcomes; a category of several counts as
    their midpoint. `below` and `sides` as in `of_scores`.
    """
    starts = np.array([lowest, *(right for _, right in sides)], dtype=float)
    finishes = np.array([*(left for left, _ in sides), highest], dtype=float)
    n = len(below)
    chances = np.diff(np.column_stack([np.zeros(n), below, np.ones(n)]), axis=1)
    return np.asarray(chances @ ((starts + finishes) / 2.0))


def means(found: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the mean residual of groups of patients along MIB1; no groups of fewer than 10.

    Up to five groups about equally large, and none of them where there are not three: two means
    show no bend. Patients of one MIB1 index stay together.

    Returns:
        for each group, from low MIB1 to high, `patients`, the lowest and highest `log2_mib1` as
        `low` and `high`, and the mean `residual`.
    """
    values = np.array([[one[PRIMARY_TERM], one["residual"]] for one in found]).reshape(-1, 2)
    mib1, residual = values[np.argsort(values[:, 0], kind="stable")].T
    count = min(_MOST_GROUPS, len(mib1) // MIN_A_GROUP)
    # Where one index ends and the next begins; a group ends at the last of them within its share.
    borders = np.flatnonzero(np.diff(mib1) > 0.0) + 1
    ends = [0]
    for share in range(1, count):
        near = borders[(borders - ends[-1] >= MIN_A_GROUP)]
        if len(near):
            ends.append(int(near[np.abs(near - share * len(mib1) / count).argmin()]))
    ends = [end for end in dict.fromkeys(ends) if len(mib1) - end >= MIN_A_GROUP]
    if len(ends) < _FEWEST_GROUPS:
        return []
    return [
        {
            "patients": int(end - begin),
            "low": float(mib1[begin]),
            "high": float(mib1[end - 1]),
            "residual": float(residual[begin:end].mean()),
        }
        for begin, end in zip(ends, [*ends[1:], len(mib1)], strict=True)
    ]


def _sides(labels: Sequence[str]) -> list[tuple[int, int]]:
    """Return the scores at either side of each threshold from its label."""
    pairs = [label.split("|") for label in labels]
    return [(int(left), int(right)) for left, right in pairs]


def _below(eta: Floats, thresholds: Sequence[float]) -> Floats:
    return np.asarray(expit(np.array(thresholds, dtype=float) - eta[:, None]))
