"""Which replicates of a cohort have the same categories.

Replicates weight the same outcomes differently, or replace the values of one predictor. Those with
one layout and the same columns have likelihoods of one form, and can be fitted together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from captem.ordinal_data import Booleans, Floats, Integers, cells_of

_UNDEFINED = -2


@dataclass(frozen=True, eq=False)
class Cohort:
    """What all replicates share. `cuts` includes the one below the lowest score and the highest."""

    low: Integers
    high: Integers
    x: Floats
    cuts: Integers
    begin: Integers
    finish: Integers


@dataclass(frozen=True, eq=False)
class Layout:
    """Categories of some replicates: for each cut its threshold, -1 and m for infinite ones.

    `labels` (cuts,) are -2 for a cut that these replicates cannot place. Where categories were
    emptied, `before` is the layout that still has them.
    """

    labels: Integers
    thresholds: int
    before: Layout | None = None


def layouts(cohort: Cohort, counts: Integers) -> Iterator[tuple[Layout, Integers]]:
    """Replicates by the categories that they can tell apart; those without a threshold are left."""
    pairs, index = np.unique(cohort.begin * len(cohort.cuts) + cohort.finish, return_inverse=True)
    begin, finish = np.divmod(pairs, len(cohort.cuts))
    present = np.stack([(counts[:, index == k] > 0).any(axis=1) for k in range(len(pairs))], axis=1)
    codes = np.zeros(len(counts), dtype=np.int64)
    for k in range(len(pairs)):
        codes = 2 * codes + present[:, k]
        if k % 40 == 39:
            codes = np.unique(codes, return_inverse=True)[1]
    _, first, which = np.unique(codes, return_index=True, return_inverse=True)
    groups: dict[tuple[int, ...], list[int]] = {}
    for number, seen in enumerate(present[first]):
        labels = _labels(cohort.cuts, begin[seen], finish[seen])
        if labels is not None:
            groups.setdefault(tuple(labels.tolist()), []).append(number)
    for key, numbers in groups.items():
        members = np.flatnonzero(np.isin(which, numbers))
        yield Layout(np.array(key), max(key)), members


def _labels(cuts: Integers, begin: Integers, finish: Integers) -> Integers | None:
    """The threshold of each cut, given the pairs of cuts between which outcomes lie."""
    if not len(begin):
        return None
    cells = cells_of(cuts[begin] + 1, cuts[finish])
    m = len(cells.categories) - 1
    if m < 1:
        return None
    labels = np.full(len(cuts), _UNDEFINED)
    labels[begin], labels[finish] = cells.lower, cells.upper
    labels[: begin.min()] = -1
    labels[finish.max() :] = m
    return filled(labels)


def filled(labels: Integers) -> Integers:
    """Labels in which a cut that cannot be placed has that of its neighbours, where they agree."""
    labels = labels.copy()
    known = np.flatnonzero(labels != _UNDEFINED)
    for left, right in pairwise(known):
        if labels[left] == labels[right]:
            labels[left:right] = labels[left]
    return labels


def predictors_of(cohort: Cohort, member: int, varying: tuple[int, Floats] | None) -> Floats:
    """The predictors of one replicate, shape (n, p)."""
    if varying is None:
        return cohort.x
    column, values = varying
    x = cohort.x.copy()
    x[:, column] = values[member]
    return x


def distinct(rows: NDArray[np.generic]) -> tuple[Integers, Integers]:
    """Index of the first of each kind of row (R, c), shape (kinds,), and the kind of each, (R,)."""
    width = rows.shape[1] * rows.itemsize
    if not rows.size:
        return np.arange(min(len(rows), 1)), np.zeros(len(rows), dtype=np.int64)
    whole = np.ascontiguousarray(rows).view(np.dtype((np.void, width))).ravel()
    _, first, which = np.unique(whole, return_index=True, return_inverse=True)
    return first, which


@dataclass(frozen=True, eq=False)
class Labels:
    """The categories that each replicate can tell apart.

    Attributes:
        lower, upper: which of the replicate's thresholds is at an outcome's two ends, -1 and the
            number of thresholds for an infinite end, shape (R, n). An outcome that is absent has
            -1 and the number of thresholds.
        thresholds: how many there are, shape (R,); 0 where one category fits every outcome, or
            there are none.
    """

    lower: Integers
    upper: Integers
    thresholds: Integers


def labelled(low: Integers, high: Integers, present: Booleans) -> Labels:
    """Collapse in each replicate the scores that its outcomes cannot tell apart.

    Args:
        low, high: score ends, shape (n,), or (R, n) with outcomes of its own for each replicate.
        present: the outcomes that a replicate has, shape (R, n).
    """
    size = len(present)
    base, top = int(low.min()), int(high.max())
    span = top - base + 1
    codes, index = np.unique((low - base) * span + (high - base), return_inverse=True)
    lows, highs = np.divmod(codes, span)
    index = np.broadcast_to(index.reshape(low.shape), present.shape)
    places = index + len(codes) * np.arange(size)[:, None]
    counts = np.bincount(places[present], minlength=size * len(codes))
    seen = counts.reshape(size, len(codes)) > 0
    first, which = distinct(np.packbits(seen, axis=1))
    lower = np.full((len(first), len(codes)), -1)
    upper = np.zeros_like(lower)
    thresholds = np.zeros(len(first), dtype=np.int64)
    for number, pairs in enumerate(seen[first]):
        if not pairs.any():
            continue
        cells = cells_of(lows[pairs] + base, highs[pairs] + base)
        thresholds[number] = upper[number] = len(cells.categories) - 1
        lower[number, pairs], upper[number, pairs] = cells.lower, cells.upper
    # `which` is that of replicates; each of its outcomes is looked up in its replicate's table.
    return Labels(
        np.where(present, lower[which[:, None], index], -1),
        np.where(present, upper[which[:, None], index], thresholds[which][:, None]),
        thresholds[which],
    )
