"""Bias-reduced proportional-odds fits of many replicates at once.

Replicates weight the same outcomes differently (a bootstrap, leave-one-out, inverse probabilities),
or have predictors or outcomes of their own (permutation, imputation, simulation). Model, estimate
and search are those of `captem.bias_reduced`: the same steps from the same start until one is near
a root, so that among several roots it is the same one. Well attracting roots can be more than one
where patients are few (8 patients, four scores), so no better start would do. The units in which
predictors are held differ, and neither scoring nor Newton's method depends on them.

Replicates with the same number of thresholds and the same columns are searched together, whichever
their categories are. What cannot be done together (singular information, predictors far from their
usual scale, a very long search) is given to `bias_reduced.fit`, one replicate at a time: this is
rare.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike

from captem import bias_reduced
from captem.aliasing import aliased_many
from captem.batched_scoring import problem_of, search
from captem.ordinal_data import (
    Booleans,
    Floats,
    Integers,
    checked_predictors,
    checked_scores,
    checked_weights,
    marginal_thresholds,
)
from captem.replicates import Labels, distinct, labelled

_BLOCK = 2048
# Variance of a column in a replicate, beside its mean square in all: below, rounding would tell.
_SMALL_SPREAD = 1e-6


@dataclass(frozen=True, eq=False)
class Fits:
    """R fits with p coefficients.

    Attributes:
        beta: coefficients, shape (R, p); NaN for aliased columns, and throughout where the fit did
            not converge.
        standard_errors: of `beta`, from the expected information, shape (R, p); NaN as in `beta`.
        converged: the steps vanished at a root of the adjusted score, shape (R,).
        constant: no outcomes of positive weight, or one category fits every outcome, shape (R,).
        aliased: columns collinear with the intercept and the columns before them among the outcomes
            of a replicate, shape (R, p).
    """

    beta: Floats
    standard_errors: Floats
    converged: Booleans
    constant: Booleans
    aliased: Booleans


def fit_many(low: ArrayLike, high: ArrayLike, x: ArrayLike, weights: ArrayLike) -> Fits:
    """Fit every replicate as `bias_reduced.fit(low, high, x, weights[r])` would.

    Args:
        low, high: lowest and highest possible score of each outcome, integers, shape (n,), or
            (R, n) with outcomes of its own for each replicate.
        x: predictors without an intercept, shape (n, p), or (R, n, p) with predictors of its own
            for each replicate; p may be 0.
        weights: not negative, shape (R, n). Rows of weight 0 are left out entirely.

    Raises:
        ValueError: malformed input. Replicates without a threshold to estimate are `constant`.

        >>> score, predictor = [0, 1, 0, 1, 2, 2, 1], [[1], [1], [2], [3], [3], [5], [6]]
        >>> found = fit_many(score, score, predictor, 1 - np.eye(7))
        >>> bool(found.converged.all()), found.beta[:3, 0].round(3).tolist()
        (True, [0.269, 0.501, 0.356])
    """
    cohort = _checked(low, high, x, weights)
    which = np.arange(len(cohort.weights))
    if cohort.low.ndim == 1 and cohort.x.ndim == 2:
        first, which = distinct(cohort.weights)
        cohort = cohort.only(first)
    parts = [_fitted(cohort.only(part)) for part in _blocks(len(cohort.weights))]
    return Fits(
        *(np.concatenate([getattr(part, f.name) for part in parts])[which] for f in fields(Fits))
    )


@dataclass(frozen=True, eq=False)
class _Cohort:
    """Scores (n,) or (R, n), predictors (n, p) or (R, n, p), weights (R, n)."""

    low: Integers
    high: Integers
    x: Floats
    weights: Floats

    def only(self, chosen: Integers | slice) -> _Cohort:
        """Some of the replicates."""
        own = self.low.ndim == 2
        return _Cohort(
            self.low[chosen] if own else self.low,
            self.high[chosen] if own else self.high,
            self.predictors(chosen),
            self.weights[chosen],
        )

    def predictors(self, chosen: Integers | slice) -> Floats:
        """The predictors of some replicates, (n, p) where all have the same."""
        return self.x[chosen] if self.x.ndim == 3 else self.x


def _checked(low: ArrayLike, high: ArrayLike, x: ArrayLike, weights: ArrayLike) -> _Cohort:
    weight = np.asarray(weights, dtype=float)
    if weight.ndim != 2:
        raise ValueError("The weights must be two-dimensional, replicates by outcomes.")
    size, n = weight.shape
    if n == 0:
        raise ValueError("There are no outcomes.")
    checked_weights(weight.ravel(), size * n)
    ends = np.asarray(low), np.asarray(high)
    flat = [end.ravel() if end.ndim == 2 else end for end in ends]
    lowest, highest = checked_scores(*flat)
    values = np.asarray(x)
    if values.ndim == 3:
        rows = values.reshape(len(values) * values.shape[1], values.shape[2])
        predictors = checked_predictors(rows).reshape(values.shape)
    else:
        predictors = checked_predictors(values)
    if ends[0].shape != ends[1].shape or ends[0].shape not in ((n,), (size, n)):
        raise ValueError("There must be one weight for each outcome.")
    if predictors.shape[:-1] not in ((n,), (size, n)):
        raise ValueError("There must be one row of predictors for each outcome.")
    shape = ends[0].shape
    return _Cohort(lowest.reshape(shape), highest.reshape(shape), predictors, weight)


def _blocks(size: int) -> Iterator[slice]:
    for start in range(0, max(size, 1), _BLOCK):
        yield slice(start, start + _BLOCK)


def _fitted(cohort: _Cohort) -> Fits:
    """Fit one block: sort replicates by number of thresholds and by aliased columns, and search."""
    size, p = len(cohort.weights), cohort.x.shape[-1]
    found = Fits(
        beta=np.full((size, p), np.nan),
        standard_errors=np.full((size, p), np.nan),
        converged=np.zeros(size, dtype=bool),
        constant=np.ones(size, dtype=bool),
        aliased=np.zeros((size, p), dtype=bool),
    )
    labels = labelled(cohort.low, cohort.high, cohort.weights > 0.0)
    m = labels.thresholds
    # An outcome that may be anything says nothing, so its predictors must not enter either.
    bounded = (labels.lower >= 0) | (labels.upper < m[:, None])
    weights = np.where(bounded, cohort.weights, 0.0)
    some = np.flatnonzero(m > 0)
    found.constant[some] = False
    found.aliased[some] = aliased_many(cohort.predictors(some), weights[some] > 0.0)
    kinds, which = np.unique(
        np.column_stack([m[some], found.aliased[some]]), axis=0, return_inverse=True
    )
    for number, kind in enumerate(kinds):
        members = some[which.ravel() == number]
        kept = np.flatnonzero(kind[1:] == 0)
        x = cohort.predictors(members)[..., kept]
        scaled, scale, fine = _standardised(x, weights[members] > 0.0)
        for member in members[~fine]:
            _one(cohort, int(member), found)
        if not fine.any():
            continue
        if x.ndim == 3:
            scaled, scale = scaled[fine], scale[fine]
        members = members[fine]
        group = _Group(members, kept, int(kind[0]), scaled, scale)
        own = Labels(labels.lower[members], labels.upper[members], m[members])
        _solve(cohort, group, own, weights[members], found)
    return found


@dataclass(frozen=True, eq=False)
class _Group:
    """Replicates with as many thresholds, and the same columns, in units `scale` of a column.

    x is (n, k) or (R, n, k), scale (k,) or (R, k).
    """

    members: Integers
    kept: Integers
    thresholds: int
    x: Floats
    scale: Floats


def _standardised(x: Floats, used: Booleans) -> tuple[Floats, Floats, Booleans]:
    """Predictors with mean 0 and standard deviation 1, their scale, and where that serves.

    Where replicates share x, the mean is over every row that some replicate uses. It does not serve
    those replicates in which a column hardly varies in these units.
    """
    if x.ndim == 3:
        count = used.sum(axis=1)[:, None]
        columns = np.ascontiguousarray(x.swapaxes(1, 2))
        mean = (columns @ used[:, :, None].astype(float))[:, :, 0] / count
        centred = columns - mean[:, :, None]
        centred *= used[:, None]
        scale = np.sqrt((centred * centred).sum(axis=2) / count)
        centred /= scale[:, :, None]
        return centred.swapaxes(1, 2), scale, np.ones(len(used), dtype=bool)
    rows = np.asarray(used.any(axis=0))
    centred = np.where(rows[:, None], x - x[rows].mean(axis=0), 0.0)
    scale = centred[rows].std(axis=0)
    scaled = centred / scale
    share = used / used.sum(axis=1, keepdims=True)
    mean, square = share @ scaled, share @ (scaled * scaled)
    serves = square - mean * mean > _SMALL_SPREAD * square
    return scaled, scale, np.asarray(serves.all(axis=1))


def _solve(cohort: _Cohort, group: _Group, labels: Labels, weights: Floats, found: Fits) -> None:
    """Search; where a category empties on the way, go on without it."""
    members, m, x = group.members, group.thresholds, group.x
    lower, upper = labels.lower, labels.upper
    flat = np.zeros((len(members), len(group.kept)))
    scale = group.scale + flat
    start = np.hstack([marginal_thresholds(lower, upper, m, weights), flat])
    while len(members):
        end = search(problem_of(lower, upper, m, x, weights), start)
        for member in members[end.given_up]:
            _one(cohort, int(member), found)
        done = end.converged
        where = members[done][:, None]
        found.converged[members] |= done
        found.beta[where, group.kept] = end.parameters[done, m:] / scale[done]
        variance = np.diagonal(end.inverse[done], axis1=1, axis2=2)[:, m:]
        found.standard_errors[where, group.kept] = np.sqrt(variance) / scale[done]
        rest = end.emptied > 0
        emptied = end.emptied[rest][:, None]
        members, lower, upper, weights = members[rest], lower[rest], upper[rest], weights[rest]
        x, scale = x[rest] if x.ndim == 3 else x, scale[rest]
        # Category c lies between thresholds c - 1 and c, which are now one.
        stays = np.arange(start.shape[1]) != emptied
        start = end.parameters[rest][stays].reshape(len(members), start.shape[1] - 1)
        lower, upper = lower - (lower >= emptied), upper - (upper >= emptied)
        m -= 1


def _one(cohort: _Cohort, member: int, found: Fits) -> None:
    """One replicate by `bias_reduced.fit`."""
    own = cohort.only(np.array([member]))
    low, high = own.low.reshape(-1), own.high.reshape(-1)
    x = own.x[0] if own.x.ndim == 3 else own.x
    fit = bias_reduced.fit(low, high, x, own.weights[0])
    found.converged[member] = fit.converged
    if fit.converged:
        found.beta[member] = fit.beta
        found.standard_errors[member] = fit.standard_errors[len(fit.thresholds) :]
