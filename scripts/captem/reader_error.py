"""Would the primary result survive readers who are one step off now and then?

Every score of the study is read again, in simulation: with a stated rate a reading is one step off,
up or down as likely, and stays on the scale of 0 to 4. The rate is not known for the Krenning
score, so it is a setting and swept (`noise: reader_error`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from captem import drawn, limits
from captem.result import Result

STUDIES = 1000
_PERCENTILES = "2.5th and 97.5th percentile of simulated readings"


def misreading(rate: float) -> np.ndarray:
    """Return the (5, 5) chances that a score (row) is read as another (column).

    >>> misreading(0.2)[0]
    array([0.9, 0.1, 0. , 0. , 0. ])
    """
    chances = np.eye(5) * (1 - rate)
    for score in range(5):
        # ASSUME: beyond the ends of the scale there is no score, so such a reading is not off.
        chances[score, max(score - 1, 0)] += rate / 2
        chances[score, min(score + 1, 4)] += rate / 2
    return chances


def read_again(
    before: np.ndarray, after: np.ndarray, rate: float, studies: int, seed: int
) -> np.ndarray:
    """Return (studies, 5, 5) tables of the scores as they are read again.

    Parameters
    ----------
    before, after : (n, 2) lower and upper ends of the scores.
    """
    chances = misreading(rate)
    ends, counts = np.unique(np.hstack([before, after]).astype(int), axis=0, return_counts=True)

    def spread(low: int, high: int) -> np.ndarray:
        # ASSUME: a score that is an interval is each of its scores as likely, in simulation only.
        return chances[low : high + 1].mean(axis=0)

    kinds = [
        (int(n), np.outer(spread(a, b), spread(c, d)))
        for (a, b, c, d), n in zip(ends, counts, strict=True)
    ]
    return drawn.tables(kinds, studies, seed)


def rows(
    before: np.ndarray,
    after: np.ndarray,
    rates: Sequence[float],
    seed: int,
    subset: str,
    role: Callable[[str], str],
) -> list[dict[str, Any]]:
    """Return the rows `sensitivity.reader_error` of one subset.

    For each rate: in which share of the repeated readings P <= .05, the median P and the median net
    improvement with their 2.5th and 97.5th percentile.
    """
    n = len(before)
    intervals = int(((before[:, 0] != before[:, 1]) | (after[:, 0] != after[:, 1])).sum())
    asked = (
        ("", "share of repeated readings with P <= .05"),
        ("p", "P of the primary test, median of repeated readings"),
        ("net_improvement", "net improvement, median of repeated readings"),
    )
    found = []
    for place, rate in enumerate(rates):
        blank = [
            Result("sensitivity.reader_error", estimand, term=f"rate_{rate:g}", variant=variant,
                   n_patients=n)
            for variant, estimand in asked
        ]  # fmt: skip
        if refusal := limits.too_few_pairs(n):
            found += [result.refused(refusal) for result in blank]
            continue
        tables = read_again(before, after, rate, STUDIES, seed + place)
        p = drawn.p_values(tables)
        said = f"{STUDIES} repeated readings"
        if refusal := limits.no_small_p(n):
            found.append(blank[0].refused(refusal))
        else:
            found.append(drawn.rejections(blank[0], p, "readings", said, intervals))
        for result, values in zip(blank[1:], (p, drawn.net_improvements(tables)), strict=True):
            ends = np.quantile(values, [0.025, 0.5, 0.975])
            found.append(replace(
                result, estimate=float(ends[1]), conf_low=float(ends[0]),
                conf_high=float(ends[2]), conf_level=drawn.LEVEL, interval_method=_PERCENTILES,
                reason=said,
            ))  # fmt: skip
    return [result.row(subset, role("sensitivity")) for result in found]
