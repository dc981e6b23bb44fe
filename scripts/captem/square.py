"""Tests of a square table of paired scores: rows are the baseline, columns the follow-up.

Bowker's test asks whether every change has its mirror image as often, the Stuart-Maxwell test
whether the two scans share one distribution, and the scored test whether the mean score moved.
All condition on who changed, so patients on the diagonal and scores nobody has count for nothing.
A patient whose scores are intervals may stand in several cells: `over_completions`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import chdtrc

from captem.proportions import heads

# Partial sums handled for one exact P of Bowker's test: below 0.1 s. Ten pairs of twenty patients
# still fit. One step costs as much as this many sums however few it has.
_BOWKER_WORK = 600_000
_WORK_PER_STEP = 400
# The sum of all changes up to which the sign flips are convolved: below 0.05 s.
_MOST_CHANGE = 10_000
# Simulated tables, fewer where there are many pairs, so that the draws stay below a million.
_DRAWS = 100_000
_FEWEST_DRAWS = 10_000
# What the completions of interval scores may cost: tables (fewer above seven scores), steps of
# the search, and sums or products for their exact P. Together below 0.5 s.
_MOST_TABLES = 2_000
_MOST_CELLS = 1_000_000
_SEARCH_STEPS = 200_000
_COMPLETIONS_WORK = 2_000_000
# Of a count while tables are built up, which _MOST_TABLES keeps below 2^16.
_BITS = 16
# Rounding, not data: a statistic this much below the observed one is the observed one.
_NEAR = 1e-9

_EXACT_BOWKER = "Bowker, exact conditional"
_SIMULATED_BOWKER = "Bowker, conditional by Monte Carlo"
_EXACT_SCORED = "scored marginal homogeneity, exact conditional"
_CHI_SQUARE_SCORED = "scored marginal homogeneity, chi-square"

_Values = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class SquareTest:
    """A test of a square table.

    `error` is the standard error of `p_value` where it was simulated, and 0 otherwise. Where
    nobody changed in a way that the test sees, `df` and `statistic` are 0 and `p_value` is 1.
    """

    statistic: float
    df: int
    p_value: float
    method: str
    error: float = 0.0


def bowker(counts: Any, *, seed: int = 1) -> SquareTest:
    """Bowker's test of symmetry with its conditional distribution instead of chi-square.

    The statistic is the sum over pairs i < j of (n_ij - n_ji)^2 / (n_ij + n_ji), and `df` the
    number of pairs with patients. Given the sum of each pair, n_ij is binomial(n_ij + n_ji, 1/2)
    independently of the other pairs; P is the chance of a statistic at least as large. It is summed
    over all tables, half of the pairs against the other half, while that takes 600,000 partial
    sums; beyond them it is simulated, as (b + 1) / (B + 1) from B = 100,000 tables (fewer above ten
    pairs). A simulated P cannot fall below 1 / (B + 1).

    Parameters
    ----------
    counts : (k, k) whole numbers of patients, k at least 1.
    seed : of the simulation; an exact P does not depend on it.

    Raises
    ------
    ValueError
        `counts` is not a square table of whole numbers from 0.

    Sources: Bowker 1948, J Am Stat Assoc 43:572; for sparse tables Krampe & Kuhnt 2007, Comput
    Stat Data Anal 51:4124.

    >>> test = bowker([[5, 9], [1, 5]])
    >>> test.statistic, test.df, test.p_value, test.method
    (6.4, 1, 0.021484375, 'Bowker, exact conditional')
    >>> bowker([[3, 0], [0, 4]]).p_value
    1.0
    """
    table = _table(counts)
    sums, steps = _pairs(table[None])
    statistic, df = (float(values[0]) for values in _bowker_values(table[None]))
    exact = _bowker_exact(sums, steps, _BOWKER_WORK)
    if exact is not None:
        return SquareTest(statistic, int(df), float(exact[0]), _EXACT_BOWKER)
    p_value, error = _bowker_simulated(np.sort(sums[sums > 0]), statistic, seed)
    return SquareTest(statistic, int(df), p_value, _SIMULATED_BOWKER, error)


def smallest_bowker_p(counts: Any) -> float:
    """Return the smallest exact P of Bowker's test, given how many changed between each pair.

    All changes of every pair go one way; which way does not matter for the statistic.

    >>> smallest_bowker_p([[0, 3, 1], [0, 0, 0], [0, 0, 0]])
    0.25
    """
    table = _table(counts)
    pairs = (table + table.T)[np.triu_indices(len(table), 1)]
    return float(np.prod(2.0 ** (1 - pairs[pairs > 0])))


def bowker_asymptotic(counts: Any) -> SquareTest:
    """Bowker's test of symmetry by chi-square with one df for each pair that has patients.

    Parameters, raises, sources: as `bowker`. With few changes the chi-square is a poor guide.

    >>> bowker_asymptotic([[35, 5, 0], [15, 20, 5], [10, 5, 5]]).statistic
    15.0
    """
    return _asymptotic(counts, _bowker_values, "Bowker, chi-square")


def stuart_maxwell(counts: Any) -> SquareTest:
    """Stuart-Maxwell test that baseline and follow-up have the same distribution of scores.

    The statistic is d' V^- d with d the row sums less the column sums and V^- a generalised
    inverse of their covariance V under the hypothesis: V_ii = n_i. + n_.i - 2 n_ii and
    V_ij = -(n_ij + n_ji). `df` is the rank of V. V is the Laplacian of the graph that joins two
    scores between which somebody moved, so its rank is the number of scores less the number of
    connected parts: counted, with no tolerance.

    Parameters
    ----------
    counts : (k, k) whole numbers of patients, k at least 1.

    Raises
    ------
    ValueError
        `counts` is not a square table of whole numbers from 0.

    Sources: Stuart 1955, Biometrika 42:412; Maxwell 1970, Br J Psychiatry 116:651; the example is
    Table 13.6 of Fleiss, Levin & Paik 2003.

    >>> test = stuart_maxwell([[35, 5, 0], [15, 20, 5], [10, 5, 5]])
    >>> round(test.statistic, 6), test.df, round(test.p_value, 6)
    (14.0, 2, 0.000912)
    """
    return _asymptotic(counts, _stuart_maxwell_values, "Stuart-Maxwell, chi-square")


def scored(counts: Any, scores: Sequence[float] | None = None) -> SquareTest:
    """Scored test of marginal homogeneity: did the mean score move? Chi-square with 1 df.

    With d the gain of a patient, follow-up less baseline, the statistic is (sum d)^2 / sum d^2.

    Parameters
    ----------
    counts : (k, k) whole numbers of patients, k at least 1.
    scores : the score of each category; 0 to k - 1 if not given.

    Raises
    ------
    ValueError
        `counts` is not a square table of whole numbers from 0, or there is not one number in
        `scores` for each category.

    Sources: Agresti 1983, Biometrics 39:505; it is the test of Stuart and Maxwell along the scores.

    >>> scored([[0, 4], [0, 0]]).statistic
    4.0
    """
    table = _table(counts)
    given = np.arange(len(table)) if scores is None else np.asarray(scores, dtype=float)
    if given.shape != (len(table),) or not np.isfinite(given).all():
        raise ValueError(f"scores must be {len(table)} numbers, one for each row of the table.")
    return _asymptotic(table, lambda tables: _scored_values(tables, given), _CHI_SQUARE_SCORED)


def scored_exact(counts: Any) -> SquareTest:
    """Scored test of marginal homogeneity, exact given the size of every patient's change.

    The statistic is that of `scored` with scores 0 to k - 1. Given |d| of every patient all signs
    are equally likely; P is the chance that |sum d| is at least as large as observed. It is a
    convolution of one binomial for each size of change. Where the changes sum to more than 10,000
    steps P is that of `scored`, and `method` says so.

    Parameters, raises: as `scored`. Source: the permutation test of paired differences, Fisher
    1935, The Design of Experiments, section 21.

    >>> scored_exact([[0, 0, 3], [0, 0, 1], [0, 0, 0]]).p_value
    0.125
    """
    table = _table(counts)
    statistic, df = _scored_values(table[None])
    sizes, total = _sizes_of_change(table[None])
    if _span(sizes)[0] > _MOST_CHANGE:
        return scored(table)
    p_value = _flipped(tuple(sizes[0].tolist()), total)[0]
    return SquareTest(float(statistic[0]), int(df[0]), float(p_value), _EXACT_SCORED)


def over_completions(
    test: Callable[..., SquareTest], certain: Any, rectangles: Any
) -> tuple[float, float]:
    """Return the smallest and the largest P over every completion; see `completed`."""
    low, high, _ = completed(test, certain, rectangles)
    return low, high


def completed(
    test: Callable[..., SquareTest], certain: Any, rectangles: Any
) -> tuple[float, float, str]:
    """Return the smallest and the largest P over every completion of interval scores, and how.

    The third is the words for the method: those of `test`, or what stands for it as below.

    Only the tables matter that differ in what `test` looks at, and patients with the same
    intervals are alike: these tables are built up patient by patient. P is then exactly that of
    `test`, with two exceptions for large tables.

    - Exact tests (`bowker`, `scored_exact`) take their chi-square P where their exact P would cost
      too much for all the tables together.
    - Where there are more than 2,000 tables (fewer above seven scores) or too many steps to find
      them, the ends are bounds that hold the chi-square P of every completion, `p_low` not above
      the smallest and `p_high` not below the largest; for an exact test, those of its chi-square
      form. P falls with the statistic X and rises with df, so bounds of both will do:

      `scored`, X = S^2 / Q with S the sum of the gains and Q that of their squares: X is convex in
      (S, Q), and the reachable points lie in the sum of one small polygon for each patient, whose
      edge is found by sorting slopes. X is largest at a corner of the edge with the smallest Q,
      each of which is a completion; the smallest X on the edge with the largest Q is a bound, and
      is 0, which is reached, if S can be 0.

      Stuart-Maxwell: X is the squared length of the projection of the vector (1, ..., 1) of the
      patients who changed onto the span of what their moves do to the margins, hence at most their
      number, at most Bowker's X (whose span holds this one), and, by Cauchy-Schwarz, at least the
      scored X for any scores: here 0 to k - 1, and 0 and 1 split at each score.

      Bowker: in each pair (a - b)^2 / (a + b) rises with the larger count and falls with the
      smaller, so it lies between its values with everybody who may fall on one side there. The
      bounds of Stuart-Maxwell hold as well.

      df grows with the cells that have patients: it lies between that of the certain patients and
      that of everybody in every cell that is open to them, and one patient adds at most 1.

    Parameters
    ----------
    test : `bowker`, `bowker_asymptotic`, `stuart_maxwell`, `scored` or `scored_exact`.
    certain : (k, k) counts of the patients whose two scores are points.
    rectangles : (m, 4) whole numbers, a row for each other patient: the lowest and highest score
        at baseline, the lowest and highest at follow-up, from 0 to k - 1, both ends included.

    Raises
    ------
    ValueError
        `test` is another function, or a table or interval is not as described.

    >>> completed(scored_exact, [[0, 3], [0, 0]], [[0, 1, 1, 1]])
    (0.125, 0.25, 'scored marginal homogeneity, exact conditional')
    """
    kind = _KINDS.get(test)
    if kind is None:
        raise ValueError(f"over_completions takes one of {', '.join(f.__name__ for f in _KINDS)}.")
    table = _table(certain).copy()
    boxes = _boxes(rectangles, len(table))
    points = (boxes[:, 0] == boxes[:, 1]) & (boxes[:, 2] == boxes[:, 3])
    np.add.at(table, (boxes[points, 0], boxes[points, 2]), 1)
    if points.all():
        told = test(table)
        return told.p_value, told.p_value, told.method
    boxes, copies = np.unique(boxes[~points], axis=0, return_counts=True)
    tables = _completions(table, boxes, copies, kind.looks_at)
    if tables is None:
        return *kind.bounds(table, boxes, copies), f"{kind.name}, bounds over completions"
    values = kind.exact(tables) if kind.exact else None
    method = _EXACT_BOWKER if test is bowker else _EXACT_SCORED
    if values is None:
        values, method = _chi_square(*kind.values(tables)), f"{kind.name}, chi-square"
    return float(values.min()), float(values.max()), method


def _table(counts: Any) -> np.ndarray:
    wrong = "counts must be a square table of whole numbers of patients, 0 or more in each cell"
    try:
        given = np.asarray(counts, dtype=float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{wrong}: there is a cell that is not a number.") from error
    if given.ndim != 2 or given.shape[0] != given.shape[1] or given.size == 0:
        raise ValueError(f"{wrong}, not an array of shape {given.shape}.")
    if not ((given >= 0) & (given == np.floor(given)) & np.isfinite(given)).all():
        raise ValueError(f"{wrong}.")
    return given.astype(np.int64)


def _boxes(rectangles: Any, k: int) -> np.ndarray:
    given = np.asarray(rectangles, dtype=float)
    if given.size == 0:
        return np.empty((0, 4), dtype=np.int64)
    if given.ndim != 2 or given.shape[1] != 4:
        raise ValueError(f"rectangles must have four columns, not the shape {given.shape}.")
    inside = (given == np.floor(given)) & (given >= 0) & (given < k)
    ordered = (given[:, 0] <= given[:, 1]) & (given[:, 2] <= given[:, 3])
    if not (inside.all() and ordered.all()):
        raise ValueError(f"rectangles must hold a low and a high score from 0 to {k - 1}, twice.")
    return given.astype(np.int64)


def _asymptotic(counts: Any, values: Callable[[np.ndarray], _Values], method: str) -> SquareTest:
    statistic, df = values(_table(counts)[None])
    return SquareTest(float(statistic[0]), int(df[0]), float(_chi_square(statistic, df)[0]), method)


def _chi_square(statistic: Any, df: Any) -> np.ndarray:
    """Return the upper tail; without degrees of freedom there is nothing to test: 1."""
    tail = np.maximum(chdtrc(np.maximum(df, 1), statistic), np.finfo(float).tiny)
    return np.where(np.asarray(df) > 0, tail, 1.0)


# What follows takes a stack of tables, (t, k, k), and returns a value for each.


def _pairs(tables: np.ndarray) -> _Values:
    """Return the sum and the absolute difference of each pair of mirrored cells, (t, pairs)."""
    rows, cols = np.triu_indices(tables.shape[1], 1)
    there, back = tables[:, rows, cols], tables[:, cols, rows]
    return there + back, np.abs(there - back)


def _bowker_values(tables: np.ndarray) -> _Values:
    sums, steps = _pairs(tables)
    return (steps.astype(float) ** 2 / np.maximum(sums, 1)).sum(axis=1), (sums > 0).sum(axis=1)


def _stuart_maxwell_values(tables: np.ndarray) -> _Values:
    k = tables.shape[1]
    moves = (tables + tables.swapaxes(1, 2)) * ~np.eye(k, dtype=bool)
    joined = _joined(moves)
    covariance = moves.sum(axis=2)[:, :, None] * np.eye(k) - moves
    gaps = (tables.sum(axis=2) - tables.sum(axis=1)).astype(float)
    # V has the indicators of the connected parts as its null space, and the gaps sum to 0 over
    # each part: adding their products makes V invertible and leaves d' V^- d as it is.
    solved = np.linalg.solve(covariance + joined, gaps[:, :, None])[:, :, 0]
    return np.maximum((gaps * solved).sum(axis=1), 0.0), _rank(joined)


def _joined(moves: np.ndarray) -> np.ndarray:
    """Say which categories are connected by moves, directly or through others."""
    k = moves.shape[1]
    joined = ((moves > 0) | np.eye(k, dtype=bool)).astype(float)
    for _ in range(k.bit_length()):
        joined = (joined @ joined > 0).astype(float)
    return joined


def _rank(joined: np.ndarray) -> np.ndarray:
    k = joined.shape[1]
    first_of_its_part = joined.argmax(axis=2) == np.arange(k)
    return k - first_of_its_part.sum(axis=1)


def _scored_values(tables: np.ndarray, scores: np.ndarray | None = None) -> _Values:
    scores = np.arange(tables.shape[1]) if scores is None else scores
    gains = np.subtract.outer(scores, scores).T
    total = (tables * gains).sum(axis=(1, 2)).astype(float)
    squares = (tables * gains.astype(float) ** 2).sum(axis=(1, 2))
    changed = squares > 0
    return total**2 / np.where(changed, squares, 1.0), changed.astype(int)


def _sizes_of_change(tables: np.ndarray) -> _Values:
    """Return how many changed by 1, 2, ... k - 1 steps, (t, k - 1), and |sum of gains|, (t,)."""
    k = tables.shape[1]
    up = np.stack([np.trace(tables, j, 1, 2) for j in range(1, k)] or [tables[:, 0, 0] * 0], 1)
    down = np.stack([np.trace(tables, -j, 1, 2) for j in range(1, k)] or [up[:, 0]], 1)
    return up + down, np.abs(((up - down) * np.arange(1, up.shape[1] + 1)).sum(axis=1))


def _span(sizes: np.ndarray) -> np.ndarray:
    return (sizes * np.arange(1, sizes.shape[1] + 1)).sum(axis=1)


def _flipped(sizes: tuple[int, ...], totals: np.ndarray) -> np.ndarray:
    """Return P(|sum of gains| >= total) under flips of all signs, for each of the totals."""
    chances = np.ones(1)
    for step, patients in enumerate(sizes, start=1):
        if patients:
            ups = np.zeros(step * patients + 1)
            ups[::step] = heads(patients)
            chances = np.convolve(chances, ups)
    # From the far end, so that a small tail is a sum of small terms.
    tails = np.cumsum(chances[::-1])[::-1]
    span = len(chances) - 1
    return np.where(totals > 0, np.minimum(1.0, 2 * tails[(span + totals) // 2]), 1.0)


def _all_flipped(tables: np.ndarray) -> np.ndarray | None:
    sizes, totals = _sizes_of_change(tables)
    groups = _groups(sizes)
    spans = np.array([sum(j * m for j, m in enumerate(key, start=1)) for key in groups])
    work = (spans.astype(float) ** 2 / 100 + _WORK_PER_STEP).sum()
    if spans.max() > _MOST_CHANGE or work > _COMPLETIONS_WORK:
        return None
    values = np.empty(len(tables))
    for key, rows in groups.items():
        values[rows] = _flipped(key, totals[rows])
    return values


def _groups(rows: np.ndarray) -> dict[tuple[int, ...], list[int]]:
    groups: dict[tuple[int, ...], list[int]] = {}
    for i, row in enumerate(rows.tolist()):
        groups.setdefault(tuple(row), []).append(i)
    return groups


def _bowker_exact(sums: np.ndarray, steps: np.ndarray, work: float) -> np.ndarray | None:
    """Return P(T >= t) for each row of pairs, or None where that costs more than `work`.

    Pairs of one patient add 1 whoever moved, so they are left out of both sides. Tables whose
    pairs have the same sums share one distribution.
    """
    counted = sums > 1
    base = int(sums.max(initial=0)) + 1
    # One number holds the sum and the difference of a pair, so that both are sorted together.
    packed = np.sort(np.where(counted, sums * base + steps, 0), axis=1)
    packed, which = np.unique(packed, axis=0, return_inverse=True)
    values = np.ones(len(packed))
    for key, rows in _groups(packed // base).items():
        filled = [i for i, m in enumerate(key) if m]
        ms, found = [key[i] for i in filled], packed[rows][:, filled] % base
        unit, slack = _unit(ms)
        halves = [(np.zeros(1), np.ones(1))] * 2
        for m in reversed(ms):
            smaller = int(len(halves[1][0]) < len(halves[0][0]))
            work -= _WORK_PER_STEP + len(halves[smaller][0]) * (m // 2 + 1)
            if work < 0:
                return None
            halves[smaller] = _folded(*halves[smaller], m, unit, exact=slack == 0)
        targets = sum(
            (_scaled(found[:, i], m, unit, exact=slack == 0) for i, m in enumerate(ms)),
            start=np.zeros(len(rows)),
        )
        work -= len(rows) * len(halves[0][0])
        if work < 0:
            return None
        values[rows] = [_upper_tail(halves[0], halves[1], target - slack) for target in targets]
    return values[which.ravel()]


def _unit(ms: Sequence[int]) -> tuple[int, int]:
    """Return what statistics are multiplied with, and how much lower a tie may come out.

    Multiplied with the common denominator they are whole numbers, equal only when they are equal.
    Where that passes the 53 bits of a float they are rounded to whole numbers instead.
    """
    total = max(1, sum(ms))
    unit = math.lcm(*set(ms))
    if unit * total < 2**53:
        return unit, 0
    return 2**52 // total, 3 * len(ms)


def _scaled(steps: np.ndarray, m: int, unit: int, *, exact: bool) -> np.ndarray:
    squares = steps.astype(float) ** 2
    return squares * (unit // m) if exact else np.rint(squares / m * unit)


def _folded(
    sums: np.ndarray, chances: np.ndarray, m: int, unit: int, *, exact: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Add one pair of m patients to a distribution, equal sums merged and in order."""
    steps = np.arange(m, -1, -2)
    both = np.where(steps > 0, 2.0, 1.0) * heads(m)[: m // 2 + 1]
    added = np.add.outer(sums, _scaled(steps, m, unit, exact=exact)).ravel()
    merged, place = np.unique(added, return_inverse=True)
    return merged, np.bincount(place.ravel(), np.multiply.outer(chances, both).ravel())


def _upper_tail(low: _Values, high: _Values, target: float) -> float:
    tails = np.append(np.cumsum(high[1][::-1])[::-1], 0.0)
    return min(1.0, float(low[1] @ tails[np.searchsorted(high[0], target - low[0])]))


def _bowker_simulated(sums: np.ndarray, statistic: float, seed: int) -> tuple[float, float]:
    generator = np.random.default_rng(seed)
    draws = max(_FEWEST_DRAWS, min(_DRAWS, 10 * _DRAWS // len(sums)))
    simulated = np.zeros(draws)
    for m in sums:
        simulated += (2.0 * generator.binomial(m, 0.5, draws) - m) ** 2 / m
    beyond = int(np.count_nonzero(simulated >= statistic * (1 - _NEAR)))
    p_value = (beyond + 1) / (draws + 1)
    return p_value, math.sqrt(p_value * (1 - p_value) / draws)


# What a test looks at in a patient of cell (row, col) of k by k: places, and what is added there.
_LooksAt = Callable[[int, int, int], list[tuple[int, int]]]


def _moves(k: int, row: int, col: int) -> list[tuple[int, int]]:
    return [] if row == col else [(row * k + col, 1)]


def _pairs_and_margins(k: int, row: int, col: int) -> list[tuple[int, int]]:
    if row == col:
        return []
    return [(row, 1), (col, -1), (k + min(row, col) * k + max(row, col), 1)]


def _gain_and_square(k: int, row: int, col: int) -> list[tuple[int, int]]:
    return [(0, col - row), (1, (col - row) ** 2)]


def _gain_and_size(k: int, row: int, col: int) -> list[tuple[int, int]]:
    return [] if row == col else [(0, col - row), (abs(col - row), 1)]


def _completions(
    certain: np.ndarray, boxes: np.ndarray, copies: np.ndarray, looks_at: _LooksAt
) -> np.ndarray | None:
    """Return a table for each reachable value of what a test looks at, or None if too many.

    What it looks at, and the cells, are digits of whole numbers: to add and compare in one go.
    """
    k, patients = len(certain), int(copies.sum())
    most = min(_MOST_TABLES, _MOST_CELLS // k**3)
    # Two neighbouring cells never look the same, and the sums of sets of whole vectors are at
    # least as many as the members of the sets together, less one for each sum.
    areas = (boxes[:, 1] - boxes[:, 0] + 1) * (boxes[:, 3] - boxes[:, 2] + 1)
    # Longer numbers take longer to add.
    cost = 1 + k * k // 64
    if patients + 1 > most or cost * int(areas.sum()) > _SEARCH_STEPS:
        return None
    base = 2 * patients * max(1, k - 1) ** 2 + 1
    reached, steps = {0: 0}, 0
    for (top, bottom, left, right), number in zip(boxes.tolist(), copies.tolist(), strict=True):
        cells = [(i, j) for i in range(top, bottom + 1) for j in range(left, right + 1)]
        options = {
            sum(amount * base**place for place, amount in looks_at(k, i, j)): 1
            << (_BITS * (i * k + j))
            for i, j in cells
        }
        for _ in range(number):
            steps += cost * len(reached) * len(options)
            if steps > _SEARCH_STEPS:
                return None
            reached = {
                seen + more: table + cell
                for seen, table in reached.items()
                for more, cell in options.items()
            }
            if len(reached) > most:
                return None
    joined = b"".join(table.to_bytes(k * k * _BITS // 8, "little") for table in reached.values())
    added = np.frombuffer(joined, dtype=f"<u{_BITS // 8}").reshape(-1, k, k)
    return certain + added.astype(np.int64)


def _scored_range(
    certain: np.ndarray, boxes: np.ndarray, copies: np.ndarray, scores: np.ndarray
) -> tuple[float, float]:
    """Bound S^2 / Q over the completions for whole scores whose neighbours differ by 0 or 1."""
    gains = np.subtract.outer(scores, scores).T
    total, squares = int((certain * gains).sum()), int((certain * gains**2).sum())
    low = scores[boxes[:, 2]] - scores[boxes[:, 1]]
    high = scores[boxes[:, 3]] - scores[boxes[:, 0]]
    if total + int((copies * high).sum()) < 0:
        total, low, high = -total, -high, -low
    start = total + int((copies * low).sum()), squares + int((copies * low**2).sum())

    # From gain d to d + 1 the square grows by 2 d + 1: in the order of d the squares stay smallest.
    gain = np.arange(-int(scores.max()), int(scores.max()))
    open_here = (low[:, None] <= gain) & (gain < high[:, None])
    lengths = (copies[:, None] * open_here).sum(axis=0)
    sums = start[0] + np.append(0, np.cumsum(lengths))
    least = start[1] + np.append(0, np.cumsum(lengths * (2 * gain + 1)))
    corners = sums[least > 0].astype(float) ** 2 / least[least > 0]
    largest = float(corners.max(initial=0.0))
    if sums[0] <= 0 <= sums[-1]:
        return 0.0, largest

    # From the lowest to the highest gain at once, the steepest first, they stay largest.
    steepest = np.argsort(-(low + high), kind="stable")
    slopes, lengths = (low + high)[steepest], (copies * (high - low))[steepest]
    sums = start[0] + np.append(0, np.cumsum(lengths))[:-1]
    most = start[1] + np.append(0, np.cumsum(lengths * slopes))[:-1]
    rising = np.where(slopes > 0, slopes, 1)
    along = np.where(slopes > 0, np.clip(sums - 2 * most / rising, 0, lengths), 0.0)
    return float(((sums + along) ** 2 / (most + slopes * along)).min()), largest


def _pairs_range(
    certain: np.ndarray, boxes: np.ndarray, copies: np.ndarray
) -> tuple[float, float, float]:
    """Return lower bounds of Stuart-Maxwell and of Bowker, and an upper bound of both."""
    k = len(certain)
    levels = [np.arange(k), *(np.arange(k) >= split for split in range(1, k))]
    margins = max(_scored_range(certain, boxes, copies, level.astype(int))[0] for level in levels)
    rows, cols = np.triu_indices(k, 1)
    may_come = _open_to(boxes, copies, k)
    there, back = certain[rows, cols], certain[cols, rows]
    to_there, to_back = may_come[rows, cols], may_come[cols, rows]
    all_there, all_back = _one_pair(there + to_there, back), _one_pair(there, back + to_back)
    crosses = (there - back - to_back <= 0) & (there - back + to_there >= 0)
    smallest = float(np.where(crosses, 0.0, np.minimum(all_there, all_back)).sum())
    largest = float(np.maximum(all_there, all_back).sum())
    changed = float(certain.sum() - np.trace(certain) + copies.sum())
    return margins, max(margins, smallest), min(largest, changed)


def _one_pair(there: np.ndarray, back: np.ndarray) -> np.ndarray:
    return (there - back).astype(float) ** 2 / np.maximum(there + back, 1)


def _open_to(boxes: np.ndarray, copies: np.ndarray, k: int) -> np.ndarray:
    """Return how many patients may stand in each cell."""
    corners = np.zeros((k + 1, k + 1), dtype=np.int64)
    for row, sign in ((0, 1), (1, -1)):
        for col, mirrored in ((2, 1), (3, -1)):
            at = boxes[:, row] + row % 2, boxes[:, col] + col % 2
            np.add.at(corners, at, sign * mirrored * copies)
    return corners.cumsum(axis=0).cumsum(axis=1)[:k, :k]


def _p_range(low: float, high: float, fewest: int, most: int, patients: int) -> tuple[float, float]:
    """Return the ends of P from those of the statistic and df, a little apart for rounding."""
    # Without degrees of freedom P is 1, which is no lower end where the statistic can be above 0.
    p_low = _chi_square(high * (1 + _NEAR), max(fewest, int(high > 0)))
    return float(p_low), float(_chi_square(low * (1 - _NEAR), min(most, fewest + patients)))


def _bowker_bounds(
    certain: np.ndarray, boxes: np.ndarray, copies: np.ndarray
) -> tuple[float, float]:
    _, low, high = _pairs_range(certain, boxes, copies)
    everybody = certain + _open_to(boxes, copies, len(certain))
    fewest, most = ((_pairs(table[None])[0] > 0).sum() for table in (certain, everybody))
    return _p_range(low, high, int(fewest), int(most), int(copies.sum()))


def _margins_bounds(
    certain: np.ndarray, boxes: np.ndarray, copies: np.ndarray
) -> tuple[float, float]:
    low, _, high = _pairs_range(certain, boxes, copies)
    everybody = certain + _open_to(boxes, copies, len(certain))
    fewest, most = (_rank(_joined((t + t.T)[None]))[0] for t in (certain, everybody))
    return _p_range(low, high, int(fewest), int(most), int(copies.sum()))


def _scored_bounds(
    certain: np.ndarray, boxes: np.ndarray, copies: np.ndarray
) -> tuple[float, float]:
    low, high = _scored_range(certain, boxes, copies, np.arange(len(certain)))
    return _p_range(low, high, 1, 1, 0)


@dataclass(frozen=True)
class _Kind:
    """How a test goes over many tables: what it looks at, its values, its exact P, its bounds."""

    name: str
    looks_at: _LooksAt
    values: Callable[[np.ndarray], _Values]
    bounds: Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[float, float]]
    exact: Callable[[np.ndarray], np.ndarray | None] | None = None


def _all_bowker(tables: np.ndarray) -> np.ndarray | None:
    return _bowker_exact(*_pairs(tables), _COMPLETIONS_WORK)


_BOWKER, _MARGINS, _SCORED = "Bowker", "Stuart-Maxwell", "scored marginal homogeneity"
_KINDS: dict[Callable[..., SquareTest], _Kind] = {
    bowker: _Kind(_BOWKER, _moves, _bowker_values, _bowker_bounds, _all_bowker),
    bowker_asymptotic: _Kind(_BOWKER, _moves, _bowker_values, _bowker_bounds),
    stuart_maxwell: _Kind(_MARGINS, _pairs_and_margins, _stuart_maxwell_values, _margins_bounds),
    scored: _Kind(_SCORED, _gain_and_square, _scored_values, _scored_bounds),
    scored_exact: _Kind(_SCORED, _gain_and_size, _scored_values, _scored_bounds, _all_flipped),
}
