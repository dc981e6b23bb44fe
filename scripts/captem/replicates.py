"""Which replicates of a cohort have the same categories and the same aliased columns.

Replicates weight the same outcomes differently, or replace the values of one predictor. Those with
one layout and the same columns have likelihoods of one form, and can be fitted together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from captem import ordinal
from captem.ordinal import Booleans, Floats, Integers

_UNDEFINED = -2
# Share of a column's variance that the columns before it leave: below, `ordinal.aliased` decides.
_NEARLY_ALIASED = 1e-8
# The same for its variance in a replicate, beside its squared range in all of them.
_NEARLY_CONSTANT = 1e-12


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
    cells = ordinal._cells(cuts[begin] + 1, cuts[finish])
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


def alias_patterns(
    cohort: Cohort,
    layout: Layout,
    counts: Integers,
    members: Integers,
    varying: tuple[int, Floats] | None,
) -> Iterator[tuple[Booleans, Integers]]:
    """Replicates by their aliased columns, from the moments of the outcomes that say something."""
    p = cohort.x.shape[1]
    if p == 0:
        yield np.zeros(0, dtype=bool), members
        return
    lower, upper = layout.labels[cohort.begin], layout.labels[cohort.finish]
    useful = (lower >= 0) | (upper < layout.thresholds)
    used: Booleans = np.asarray(counts[members] > 0) & useful
    everywhere = np.asarray(used.any(axis=0))
    x, blurred = _to_unit_size(np.where(everywhere[:, None], cohort.x, np.nan), axis=0)
    share = used / used.sum(axis=1, keepdims=True)
    mean = share @ x
    pairs = np.tril_indices(p)
    second = share @ (x[:, pairs[0]] * x[:, pairs[1]])
    if varying is not None:
        column, values = varying
        own, blurred[column] = _to_unit_size(
            np.where(everywhere, values[members], np.nan), axis=None
        )
        mean[:, column] = (share * own).sum(axis=1)
        for k, (i, j) in enumerate(zip(*(side.tolist() for side in pairs), strict=True)):
            if column in (i, j):
                other = own if i == j else x[:, i + j - column]
                second[:, k] = (share * own * other).sum(axis=1)
    moments = (second - mean[:, pairs[0]] * mean[:, pairs[1]]).T
    left = _left_over(moments, p)
    suspects = np.flatnonzero(blurred.any() | ~(left > _NEARLY_ALIASED).all(axis=0))
    patterns = np.zeros((len(members), p), dtype=bool)
    for suspect in suspects:
        x_used = predictors_of(cohort, int(members[suspect]), varying)[used[suspect]]
        patterns[suspect, list(ordinal._aliased(x_used))] = True
    kinds, which = np.unique(patterns, axis=0, return_inverse=True)
    for number, kind in enumerate(kinds):
        yield kind, members[which.ravel() == number]


def _to_unit_size(x: Floats, axis: int | None) -> tuple[Floats, Booleans]:
    """Values centred and scaled to a largest of 1, 0 for NaN; whether rounding is most of them."""
    size = np.nanmax(np.abs(x), axis=axis)
    centred = np.nan_to_num(x - np.nanmean(x, axis=axis))
    spread = np.abs(centred).max(axis=axis)
    blurred = spread <= 1e-9 * size
    return centred / np.where(blurred, 1.0, spread), np.asarray(blurred)


def _left_over(moments: Floats, p: int) -> Floats:
    """Share of each column's variance that the columns before it leave, shape (p, R)."""
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
        cells = ordinal._cells(lows[pairs] + base, highs[pairs] + base)
        thresholds[number] = upper[number] = len(cells.categories) - 1
        lower[number, pairs], upper[number, pairs] = cells.lower, cells.upper
    # `which` is that of replicates; each of its outcomes is looked up in its replicate's table.
    return Labels(
        np.where(present, lower[which[:, None], index], -1),
        np.where(present, upper[which[:, None], index], thresholds[which][:, None]),
        thresholds[which],
    )


def marginal_thresholds(lower: Integers, upper: Integers, m: int, weights: Floats) -> Floats:
    """Cumulative logits of the category shares in each replicate, shape (R, m).

    As `ordinal` starts: an interval is spread evenly over its categories, and each category has
    half an outcome more. Shapes (R, n); weights are 0 for an outcome that is absent.
    """
    part = weights / (upper - lower)
    shares = np.stack(
        [np.where((c > lower) & (c <= upper), part, 0.0).sum(axis=1) for c in range(m + 1)], axis=1
    )
    cumulative = np.cumsum(shares + 0.5, axis=1)
    return np.log(cumulative[:, :-1] / (cumulative[:, -1:] - cumulative[:, :-1]))
