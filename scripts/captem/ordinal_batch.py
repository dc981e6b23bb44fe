"""Proportional-odds fits of many replicates of one cohort at once, by maximum likelihood.

The replicates of a bootstrap, a leave-one-out or a permutation share their outcomes and
predictors; only weights, or the values of one predictor, differ. The model, its likelihood and what
is collapsed are those of `captem.ordinal`: with one row of a design for each finite end of an
outcome, the log-likelihood is sum w log F(margin) plus terms in the threshold gaps. Here the
weights have one column for each replicate, and Newton's method on the observed information
with step-halving runs on all columns together (derivatives are matrix products; the small systems
are solved by a Cholesky factorisation along the columns). Columns that have arrived leave.

Replicates are sorted by which categories they have, since a resample may lose some. What the
common search does not settle is given to `ordinal.fit`, one replicate at a time: this is rare.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from captem import batched_newton, ordinal
from captem.aliasing import aliased_many
from captem.batched_newton import Columns
from captem.ordinal_data import (
    Booleans,
    Cells,
    Floats,
    Integers,
    checked_predictors,
    checked_scores,
    marginal_thresholds,
)
from captem.ordinal_likelihood import likelihood_of, maximise
from captem.replicates import Cohort, Layout, filled, layouts, predictors_of

_BLOCK = 4096
_CHUNK = 100_000


@dataclass(frozen=True, eq=False)
class Fits:
    """R fits with p coefficients; each is one of converged, diverged or constant.

    Attributes:
        beta: coefficients, shape (R, p); NaN for aliased columns, and throughout where the fit
            did not converge.
        thresholds: theta at each of `cuts`, shape (R, len(cuts)). Where a category is lost or
            emptied its two thresholds are equal; where the lowest or the highest categories are
            lost, -inf and inf; NaN where the replicate cannot tell the two sides apart, and
            throughout where the fit did not converge.
        cuts: the scores j of the thresholds in logit P(Y <= j) = theta_j - x'beta.
        loglik: maximised log-likelihood, shape (R,); its supremum where the fit diverged; NaN for
            a constant replicate.
        converged: the Newton steps vanished at a finite maximum, shape (R,).
        diverged: separated, or so flat that the maximum cannot be located, shape (R,).
        constant: no outcomes, or outcomes that share one category, shape (R,).
        aliased: columns collinear with the intercept and the columns before them among the
            outcomes of a replicate, shape (R, p).
        categories: number of categories that hold probability, shape (R,).
    """

    beta: Floats
    thresholds: Floats
    cuts: tuple[int, ...]
    loglik: Floats
    converged: Booleans
    diverged: Booleans
    constant: Booleans
    aliased: Booleans
    categories: Integers


def fit_many(low: ArrayLike, high: ArrayLike, x: ArrayLike, counts: ArrayLike) -> Fits:
    """Fit replicates that weight the same outcomes differently.

    Args:
        low, high: lowest and highest possible score of each outcome, integers, shape (n,).
        x: predictors without an intercept, shape (n, p); p may be 0.
        counts: how often each outcome occurs in each replicate, shape (R, n), integers of at least
            0. `counts_of` makes them from drawn rows; 1 - identity leaves out one at a time.

    Raises:
        ValueError: malformed input.

        >>> score, predictor = [0, 1, 0, 1, 2, 2, 1], [[1], [1], [2], [3], [3], [5], [6]]
        >>> found = fit_many(score, score, predictor, 1 - np.eye(7, dtype=int))
        >>> bool(found.converged.all()), found.beta[:3, 0].round(3).tolist()
        (True, [0.4, 0.746, 0.551])
    """
    cohort = _checked(low, high, x)
    weights = _checked_counts(counts, len(cohort.low))
    return _gathered(_fitted(cohort, weights[part], None) for part in _blocks(len(weights)))


def fit_permuted(
    low: ArrayLike, high: ArrayLike, x: ArrayLike, column: int, values: ArrayLike
) -> Fits:
    """Fit replicates that differ in the values of one predictor, as in a permutation test.

    Args:
        low, high: lowest and highest possible score of each outcome, integers, shape (n,).
        x: predictors without an intercept, shape (n, p).
        column: the index in 0..p-1 of the predictor that is replaced.
        values: what replaces it in each replicate, shape (R, n).

    Raises:
        ValueError: malformed input, or no such column.
    """
    cohort = _checked(low, high, x)
    if not 0 <= column < cohort.x.shape[1]:
        raise ValueError(f"There is no column {column}: there are {cohort.x.shape[1]}.")
    replaced = checked_predictors(values)
    if replaced.shape[1] != len(cohort.low):
        raise ValueError("There must be one value for each outcome in each replicate.")

    def parts() -> Iterator[Fits]:
        for part in _blocks(len(replaced)):
            values = replaced[part]
            yield _fitted(cohort, np.ones(values.shape, dtype=np.int64), (column, values))

    return _gathered(parts())


def counts_of(rows: ArrayLike, n: int) -> Integers:
    """How often each of n outcomes occurs in each row of drawn indices.

    Args:
        rows: indices in 0..n-1, shape (R, draws).
        n: number of outcomes.

    Returns:
        Counts, shape (R, n).

    Raises:
        ValueError: `rows` is not a two-dimensional array of such indices.

        >>> counts_of([[0, 0, 2], [1, 2, 0]], 3).tolist()
        [[2, 0, 1], [1, 1, 1]]
    """
    drawn = np.asarray(rows)
    if drawn.ndim != 2 or (drawn.size and drawn.dtype.kind not in "iu"):
        raise ValueError("The drawn rows must be a two-dimensional array of integers.")
    if drawn.size and (drawn.min() < 0 or drawn.max() >= n):
        raise ValueError(f"The drawn rows must lie between 0 and {n - 1}.")
    places = drawn.astype(np.int64) + n * np.arange(len(drawn))[:, None]
    return np.bincount(places.ravel(), minlength=n * len(drawn)).reshape(len(drawn), n)


@dataclass(frozen=True, eq=False)
class _Ends:
    """Finite ends of the outcomes and gaps between them, as `ordinal` has them, without weights.

    `rows` and `signs` (ends,) say whose predictors an end has, and their sign; `gap_rows`, the
    outcomes of each gap; `alone` and `places`, the categories with outcomes of their own and which
    gaps are theirs.
    """

    design: Floats
    rows: Integers
    signs: Floats
    gaps: Floats
    gap_rows: list[Integers]
    alone: Integers
    places: Integers


def _checked(low: ArrayLike, high: ArrayLike, x: ArrayLike) -> Cohort:
    lowest, highest = checked_scores(low, high)
    predictors = checked_predictors(x)
    if len(predictors) != len(lowest):
        raise ValueError("There must be one row of predictors for each outcome.")
    if len(lowest) == 0:
        raise ValueError("There are no outcomes.")
    cuts = np.union1d(lowest - 1, highest)
    return Cohort(
        lowest,
        highest,
        predictors,
        cuts,
        np.searchsorted(cuts, lowest - 1),
        np.searchsorted(cuts, highest),
    )


def _checked_counts(counts: ArrayLike, n: int) -> Integers:
    array = np.asarray(counts)
    if array.ndim != 2 or array.shape[1] != n:
        raise ValueError("The counts must be two-dimensional, replicates by outcomes.")
    if array.size and (array.dtype.kind not in "biu" or array.min() < 0):
        raise ValueError("The counts must be integers of at least 0.")
    return array


def _blocks(size: int) -> Iterator[slice]:
    for start in range(0, max(size, 1), _BLOCK):
        yield slice(start, start + _BLOCK)


def _gathered(parts: Iterator[Fits]) -> Fits:
    found = list(parts)
    if len(found) == 1:
        return found[0]
    joined = {
        name: np.concatenate([getattr(part, name) for part in found])
        for name in Fits.__dataclass_fields__
        if name != "cuts"
    }
    return Fits(cuts=found[0].cuts, **joined)


def _fitted(cohort: Cohort, counts: Integers, varying: tuple[int, Floats] | None) -> Fits:
    """Fit one block: sort replicates by layout and by aliased columns, search, and write down."""
    size, p = len(counts), cohort.x.shape[1]
    found = Fits(
        beta=np.full((size, p), np.nan),
        thresholds=np.full((size, max(len(cohort.cuts) - 2, 0)), np.nan),
        cuts=tuple(cohort.cuts[1:-1].tolist()),
        loglik=np.full(size, np.nan),
        converged=np.zeros(size, dtype=bool),
        diverged=np.zeros(size, dtype=bool),
        constant=np.ones(size, dtype=bool),
        aliased=np.zeros((size, p), dtype=bool),
        categories=np.zeros(size, dtype=np.int64),
    )
    waiting: list[tuple[Layout, Integers, Booleans | None]] = [
        (layout, members, None) for layout, members in layouts(cohort, counts)
    ]
    while waiting:
        layout, members, dropped = waiting.pop()
        found.constant[members] = False
        if dropped is None:
            for pattern, chosen in _alias_patterns(cohort, layout, counts, members, varying):
                found.aliased[chosen] = pattern
                waiting.append((layout, chosen, pattern))
            continue
        problem = _Problem(cohort, layout, counts, members, dropped, varying)
        for chosen in _chunks(problem, members):
            for emptied, hitting in _searched(problem, chosen, found):
                waiting.append((emptied, hitting, dropped))
    return found


def _alias_patterns(
    cohort: Cohort,
    layout: Layout,
    counts: Integers,
    members: Integers,
    varying: tuple[int, Floats] | None,
) -> Iterator[tuple[Booleans, Integers]]:
    """Replicates by their aliased columns among the outcomes that say something."""
    lower, upper = layout.labels[cohort.begin], layout.labels[cohort.finish]
    useful = (lower >= 0) | (upper < layout.thresholds)
    x = cohort.x
    if varying is not None:
        column, values = varying
        x = np.repeat(x[None], len(members), axis=0)
        x[:, :, column] = values[members]
    patterns = aliased_many(x, np.asarray(counts[members] > 0) & useful)
    kinds, which = np.unique(patterns, axis=0, return_inverse=True)
    for number, kind in enumerate(kinds):
        yield kind, members[which.ravel() == number]


class _Problem:
    """Replicates with one layout and the same columns, in standardised predictors.

    Parameters are the thresholds, then the columns kept; one that varies comes last.
    """

    def __init__(
        self,
        cohort: Cohort,
        layout: Layout,
        counts: Integers,
        members: Integers,
        dropped: Booleans,
        varying: tuple[int, Floats] | None,
    ) -> None:
        self.cohort, self.layout, self.counts = cohort, layout, counts
        self.all_varying = varying
        self.varying = varying if varying is not None and not dropped[varying[0]] else None
        self.kept = [
            k for k in np.flatnonzero(~dropped).tolist() if varying is None or k != varying[0]
        ]
        used = cohort.x[:, self.kept]
        self.centre, self.scale = used.mean(axis=0), used.std(axis=0)
        self.x = (used - self.centre) / self.scale
        if self.varying is not None:
            column, values = self.varying
            self.kept.append(column)
            self.centre = np.append(self.centre, values[members].mean())
            self.scale = np.append(self.scale, values[members].std())
            self.x = np.column_stack([self.x, np.zeros(len(self.x))])
        self.occurring = (counts[members] > 0).any(axis=0)
        self.ends = self._ends(layout)
        self.start = self._start(counts[members].sum(axis=0, dtype=float))

    def _ends(self, layout: Layout) -> _Ends:
        m = layout.thresholds
        lower = layout.labels[self.cohort.begin]
        upper = layout.labels[self.cohort.finish]
        uppers = np.flatnonzero(self.occurring & (upper < m))
        lowers = np.flatnonzero(self.occurring & (lower >= 0))
        unit = np.eye(m)
        both = np.flatnonzero(self.occurring & (lower >= 0) & (upper < m))
        spans, place = np.unique(lower[both] * m + upper[both], return_inverse=True)
        begin, end = np.divmod(spans, m)
        wide = np.eye(m, m + self.x.shape[1])
        return _Ends(
            rows=np.concatenate([uppers, lowers]),
            signs=np.repeat([-1.0, 1.0], [len(uppers), len(lowers)]),
            design=np.vstack(
                [
                    np.hstack([unit[upper[uppers]], -self.x[uppers]]),
                    np.hstack([-unit[lower[lowers]], self.x[lowers]]),
                ]
            ),
            gaps=wide[end] - wide[begin],
            gap_rows=[both[place == k] for k in range(len(spans))],
            alone=begin[end == begin + 1],
            places=np.flatnonzero(end == begin + 1),
        )

    def columns(self, members: Integers, layout: Layout | None = None) -> Columns:
        """The likelihoods of some replicates, with the categories of this or another layout."""
        ends = self.ends if layout is None else self._ends(layout)
        m = (layout or self.layout).thresholds
        counts = self.counts[members].T.astype(float)
        gap_weights = np.empty((len(ends.gaps), len(members)))
        for k, rows in enumerate(ends.gap_rows):
            gap_weights[k] = counts[rows].sum(axis=0)
        free = np.ones((m - 1, len(members)), dtype=bool)
        free[ends.alone] = gap_weights[ends.places] == 0.0
        own = None
        if self.varying is not None:
            values = (self.varying[1][members] - self.centre[-1]) / self.scale[-1]
            own = values.T[ends.rows] * ends.signs[:, None]
        return Columns(ends.design, ends.gaps, counts[ends.rows], gap_weights, own, free)

    def _start(self, totals: Floats) -> Floats:
        """Where to begin: the maximum for all replicates together, if it is a plain one."""
        lower = self.layout.labels[self.cohort.begin]
        upper = self.layout.labels[self.cohort.finish]
        m = self.layout.thresholds
        useful = (totals > 0.0) & ((lower >= 0) | (upper < m))
        cells = Cells(((0, 0),) * (m + 1), lower[useful], upper[useful])
        fixed = len(self.kept) - (self.varying is not None)
        weights = totals[useful]
        thresholds = marginal_thresholds(cells.lower, cells.upper, m, weights)
        marginal = np.concatenate([thresholds, np.zeros(fixed)])
        likelihood = likelihood_of(cells, self.x[useful, :fixed], weights)
        peak = maximise(likelihood, marginal)
        plain = peak.converged and not peak.closed
        plain = plain and float(np.abs(likelihood.design @ peak.parameters).max()) < 15.0
        best = peak.parameters if plain else marginal
        return best if self.varying is None else np.append(best, 0.0)


def _chunks(problem: _Problem, members: Integers) -> Iterator[Integers]:
    """Parts small enough for the processor's cache."""
    size = max(32, _CHUNK // max(len(problem.ends.design), 1))
    for start in range(0, len(members), size):
        yield members[start : start + size]


def _searched(
    problem: _Problem, members: Integers, found: Fits
) -> Iterator[tuple[Layout, Integers]]:
    """Search, write down what was found, and return the replicates in which a category emptied."""
    layout = problem.layout
    columns = problem.columns(members)
    peak = batched_newton.maximise(columns, np.repeat(problem.start[:, None], len(members), axis=1))
    settled = peak.converged | peak.diverged
    if layout.before is not None:
        settled &= _stay_empty(problem, members, peak.parameters)
    _write(problem, members[settled], peak, settled, found)
    for member in members[~settled & (peak.hit < 0)]:
        _one(problem.cohort, int(member), problem.counts, problem.all_varying, found)
    for hit in np.unique(peak.hit[~settled & (peak.hit >= 0)]):
        hitting = members[~settled & (peak.hit == hit)]
        labels = filled(layout.labels - (layout.labels > hit))
        yield Layout(labels, layout.thresholds - 1, layout.before or layout), hitting


def _stay_empty(problem: _Problem, members: Integers, parameters: Floats) -> Booleans:
    """Whether the likelihood falls when an emptied category opens (Karush-Kuhn-Tucker).

    With thresholds i..k equal and their derivatives summing to 0, the multiplier of
    theta_j <= theta_{j+1} is the sum of the derivatives up to j.
    """
    layout, before = problem.layout, problem.layout.before
    assert before is not None
    place = np.full(before.thresholds, 0)
    finite = (before.labels >= 0) & (before.labels < before.thresholds)
    place[before.labels[finite]] = layout.labels[finite]
    spread = np.concatenate([parameters[place], parameters[layout.thresholds :]])
    slopes = batched_newton.gradients(problem.columns(members, before), spread)
    stays = np.ones(len(members), dtype=bool)
    total = np.zeros(len(members))
    for j in range(before.thresholds - 1):
        total = total + slopes[j]
        if place[j] == place[j + 1]:
            stays &= total >= -1e-8
        else:
            total = np.zeros(len(members))
    return stays


def _write(
    problem: _Problem,
    members: Integers,
    peak: batched_newton.Found,
    settled: Booleans,
    found: Fits,
) -> None:
    """Bring fits from standardised parameters to those of the data."""
    m = problem.layout.thresholds
    found.loglik[members] = np.minimum(peak.loglik[settled], 0.0)
    found.converged[members] = peak.converged[settled]
    found.diverged[members] = peak.diverged[settled]
    found.categories[members] = m + 1
    fine = members[peak.converged[settled]]
    parameters = peak.parameters[:, settled & peak.converged]
    beta = parameters[m:].T / problem.scale
    found.beta[fine[:, None], problem.kept] = beta
    theta = parameters[:m].T + (beta @ problem.centre)[:, None]
    infinite = np.full((len(fine), 1), np.inf)
    # In this order the labels -2 and -1 index from the end, and m the +inf.
    ends = np.hstack([theta, infinite, np.full_like(infinite, np.nan), -infinite])
    found.thresholds[fine] = ends[:, problem.layout.labels[1:-1]]


def _one(
    cohort: Cohort,
    member: int,
    counts: Integers,
    varying: tuple[int, Floats] | None,
    found: Fits,
) -> None:
    """One replicate by `ordinal.fit`."""
    x = predictors_of(cohort, member, varying)
    fit = ordinal.fit(cohort.low, cohort.high, x, counts[member])
    found.loglik[member] = fit.loglik
    found.converged[member] = fit.converged
    found.diverged[member] = not fit.converged
    found.categories[member] = len(fit.categories)
    if not fit.converged:
        return
    found.beta[member] = fit.beta
    ends = np.concatenate([[-np.inf], fit.thresholds, [np.inf]])
    for k, cut in enumerate(cohort.cuts[1:-1]):
        inside = any(low <= cut < high for low, high in fit.categories)
        below = sum(high <= cut for _, high in fit.categories)
        found.thresholds[member, k] = np.nan if inside else ends[below]
