"""Rank correlations of the uptake gain with MIB1 or cycles, exact where that can be counted.

Three facts carry this module. Under permutation, the distribution of Kendall's S and of
Spearman's sum depends on the two variables only through how often each of their values occurs
(their `sizes`, in ascending order). Both statistics are whole numbers here (ranks are doubled and
centred), so that "as extreme as the observed one" needs no tolerance. And both are a sum over
pairs of patients,

    sum over x_i < x_j of (base + weight_j - weight_i) * sign(y_j - y_i),

with base 1 and weights 0 for S, base 0 and x's own rank as weight for Spearman's sum: each term
can only grow with y_j and fall with y_i, which bounds it where y is an interval.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Sizes = tuple[int, ...]
Tail = Callable[[float], float]

DRAWS = 19_999
_DRAWN_UP_TO = 500
# Patients times (this and the distinct values), over all completions: some 0.25 s of drawing.
_DRAWN_PER_PATIENT = 10
_DRAWN_WORK = 25_000
_DRAWN_AT_ONCE = 2_000
# Additions of the exact count, over all completions: some 0.15 s. That is up to 12 patients without
# ties, and about 20 to 25 with five values of the gain.
_EXACT_WORK = 150_000_000
# What a state costs before its additions, of which a third of the widest row is usual.
_WORK_PER_MOVE = 2_000
_USUAL_FILL = 1 / 3
# A P that underflows is small, not zero.
_LEAST_P = float(np.finfo(float).tiny)
# Completions of interval values, and patients times completions.
_COMPLETIONS = 4_096
_COMPLETED_CELLS = 250_000


@dataclass(frozen=True)
class Effort:
    """What a P may cost; it is one of its level under any.

    Attributes:
        exact: additions of the exact count, over all completions; never more than `_EXACT_WORK`.
        draws: permutations where the exact count would take more.
    """

    exact: float = math.inf
    draws: int = DRAWS


FULL = Effort()


@dataclass(frozen=True)
class Association:
    """A rank correlation with its two-sided P.

    Attributes:
        estimate: the coefficient; with interval values that of their midpoints; NaN where one
            variable (or every midpoint) is constant.
        p_value: the largest P over the completions of interval values, the same as `p_high`.
        p_low, p_high: range of P over the completions.
        method: coefficient and kind of P, in words.
        n: patients.
        smallest_p: the smallest P that these values could give in any arrangement (and any
            completion) where P is exact, else NaN.
    """

    estimate: float
    p_value: float
    p_low: float
    p_high: float
    method: str
    n: int
    smallest_p: float


def kendall(
    x: ArrayLike,
    y_low: ArrayLike,
    y_high: ArrayLike | None = None,
    *,
    seed: int = 1,
    effort: Effort = FULL,
) -> Association:
    """Return Kendall's tau-b of x and y with its two-sided P.

    tau-b = S / sqrt(pairs untied in x * pairs untied in y), S the concordant less the discordant
    pairs. P is the share of all permutations with |S| as large as observed: counted where that is
    feasible; else (b + 1) / (B + 1) from B = 19,999 seeded permutations, of which b are as extreme
    (Phipson & Smyth 2010, SAGMB 9:39); beyond 500 patients, or some 150 where neither variable has
    few values, the normal approximation with the variance of S under ties in both (Kendall 1970,
    Rank Correlation Methods, 4th ed., ch. 4), without continuity correction.

    Interval values: P is computed for every completion while these are few (4,096; from 60 patients
    250,000 / n), for all of them in the same one of the three ways, so that many completions also
    lead to the normal approximation. Beyond that p_low and p_high bound the P of the normal
    approximation over all completions (they need not be reached): S lies between the sums over
    x_i < x_j of sign(low_j - high_i) and of sign(high_j - low_i), and its variance falls with a
    convex function of how often each value of y occurs. That function grows by one step for each
    patient who joins a value, so the largest and the smallest of the steps that are open to the
    undetermined patients bound it.

    Args:
        x: shape (n,), finite.
        y_low, y_high: shape (n,), finite; lowest and highest possible value of y, whole numbers
            where they differ. Without `y_high` y is known: it may be continuous.
        seed: of the permutations.
        effort: what may be spent on P.

    Raises:
        ValueError: fewer than 2 patients, unequal lengths, values that are not finite, `y_low`
            above `y_high`, or an interval with an end that is not a whole number.

    >>> answer = kendall([3, 5, 12, 20, 30], [2, 1, 1, 0, -1])
    >>> round(answer.estimate, 3), round(answer.p_value, 4), answer.method
    (-0.949, 0.0333, 'Kendall tau-b, exact by enumeration')
    """
    return _associate(_Kendall(), x, y_low, y_high, seed, effort)


def spearman(
    x: ArrayLike,
    y_low: ArrayLike,
    y_high: ArrayLike | None = None,
    *,
    seed: int = 1,
    effort: Effort = FULL,
) -> Association:
    """Return Spearman's rho of x and y, by average ranks, with its two-sided P.

    rho is the correlation of the ranks, and P the share of all permutations with |rho| as large as
    observed. Arguments, errors and the ways to P are those of `kendall`; the normal approximation
    takes rho * sqrt(n - 1) as standard normal, which has the exact variance, ties included
    (Hotelling & Pabst 1936, Ann Math Stat 7:29-43).

    Interval values: as in `kendall`. The bounds take the rank of y as a sum of signs, so that the
    sum of products of ranks is one over pairs, (rank x_j - rank x_i) * sign(y_j - y_i).

    >>> answer = spearman([3, 5, 12, 20, 30], [2, 1, 1, 0, -1], [2, 1, 1, 1, -1])
    >>> round(answer.estimate, 3), round(answer.p_low, 4), round(answer.p_high, 4)
    (-0.975, 0.0333, 0.1)
    """
    return _associate(_Spearman(), x, y_low, y_high, seed, effort)


class _Kendall:
    """What is Kendall's own; `sizes` say how often each value occurs, in ascending order."""

    name = "Kendall tau-b"

    def base_and_weights(self, sizes: Sizes) -> tuple[int, Integers]:
        """Return what makes the statistic a sum over pairs, weights by value of x."""
        return 1, np.zeros(len(sizes), dtype=np.int64)

    def norm(self, sizes: Sizes) -> float:
        """Return one variable's share of the denominator: norm(x) * norm(y) under the root."""
        n = sum(sizes)
        return (n * (n - 1) - sum(t * (t - 1) for t in sizes)) / 2

    def statistics(self, x_sizes: Sizes, codes: Integers, y_sizes: Sizes) -> Integers:
        """Return S for each column of `codes`, shape (n, columns), rows in the order of x."""
        if len(codes) > _DRAWN_UP_TO:
            x = np.repeat(np.arange(len(x_sizes)), x_sizes)
            return np.array([self._by_halving(x, column) for column in codes.T], dtype=np.int64)
        return self._by_insertion(x_sizes, codes, len(y_sizes))

    def _by_halving(self, x: Integers, y: Integers) -> int:
        # S is symmetric, and the work grows with the values of the first.
        first, second = (x, y) if x.max() <= y.max() else (y, x)
        return _pair_sum(first, second, second, 1, np.zeros(len(x), dtype=np.int64))

    def _by_insertion(self, x_sizes: Sizes, codes: Integers, values: int) -> Integers:
        # `lead[c, v]`: patients of column c with a lower x whose y is below v, less those above.
        signs = np.sign(np.subtract.outer(np.arange(values), np.arange(values))).T.astype(np.int16)
        lead = np.zeros((codes.shape[1], values), dtype=np.int16)
        column = values * np.arange(codes.shape[1])
        total = np.zeros(codes.shape[1], dtype=np.int64)
        start = 0
        for size in x_sizes:
            tied = codes[start : start + size]
            for row in tied:
                total += lead.ravel().take(column + row)
            for row in tied:
                lead += signs.take(row, axis=0)
            start += size
        return total

    def gains(self, x_sizes: Sizes, y_sizes: Sizes) -> tuple[Callable, int, int]:
        """Return what a patient adds to a count, by value of y, and the statistic from that count.

        The first is a function of the group of x and of how often each value of y is used; the
        statistic is the third plus the second times the count.
        """

        def gain(group: int, used: Sizes) -> list[int]:
            below = list(itertools.accumulate(used, initial=0))
            return [below[v] - (below[-1] - below[v + 1]) for v in range(len(used))]

        return gain, 1, 0

    def width(self, x_sizes: Sizes, y_sizes: Sizes) -> float:
        """Return how many values the count of `gains` can take at most."""
        return 2 * min(self.norm(x_sizes), self.norm(y_sizes)) + 1

    def variance(self, x_sizes: Sizes) -> tuple[float, Callable]:
        """Return the variance without ties in y, and what u patients tied in y take off it."""
        n = sum(x_sizes)
        pairs, triples = float(n * (n - 1)), float(n * (n - 1) * (n - 2))
        of_pairs = (pairs - sum(t * (t - 1) for t in x_sizes)) / (2 * pairs)
        # With two patients there are no triples, tied or not.
        tied = sum(t * (t - 1) * (t - 2) for t in x_sizes)
        of_triples = (triples - tied) / (9 * triples or 1.0)

        def loss(u):
            return of_pairs * u * (u - 1) + of_triples * u * (u - 1) * (u - 2)

        return of_pairs * pairs + of_triples * triples, loss


class _Spearman:
    """What is Spearman's own; see `_Kendall`."""

    name = "Spearman rho"

    def base_and_weights(self, sizes: Sizes) -> tuple[int, Integers]:
        return 0, _ranks(sizes)

    def norm(self, sizes: Sizes) -> float:
        return float(np.sum(np.square(_ranks(sizes)) * np.array(sizes), dtype=float))

    def statistics(self, x_sizes: Sizes, codes: Integers, y_sizes: Sizes) -> Integers:
        """Return the sum of products of ranks; shapes as in `_Kendall.statistics`.

        In floating point, where sums of whole numbers are exact up to 2**53: 200,000 patients.
        """
        x = np.repeat(_ranks(x_sizes), x_sizes).astype(float)
        return np.rint(x @ _ranks(y_sizes).astype(float)[codes]).astype(np.int64)

    def gains(self, x_sizes: Sizes, y_sizes: Sizes) -> tuple[Callable, int, int]:
        # Counted from the lowest rank in the largest common steps, the sums are few.
        (x, x_step), (y, y_step) = (
            self._from_lowest(_ranks(sizes)) for sizes in (x_sizes, y_sizes)
        )
        shift = x_step * int(np.dot(x, x_sizes)) * int(_ranks(y_sizes)[0])

        def gain(group: int, used: Sizes) -> list[int]:
            return [x[group] * v for v in y]

        return gain, x_step * y_step, shift

    def _from_lowest(self, ranks: Integers) -> tuple[list[int], int]:
        above = ranks - ranks[0]
        step = int(np.gcd.reduce(above)) or 1
        return (above // step).tolist(), step

    def width(self, x_sizes: Sizes, y_sizes: Sizes) -> float:
        _, x_step = self._from_lowest(_ranks(x_sizes))
        _, y_step = self._from_lowest(_ranks(y_sizes))
        return 2 * math.sqrt(self.norm(x_sizes) * self.norm(y_sizes)) / (x_step * y_step) + 1

    def variance(self, x_sizes: Sizes) -> tuple[float, Callable]:
        n = sum(x_sizes)
        scale = self.norm(x_sizes) / (3 * (n - 1))

        def loss(u):
            return scale * (u * u * u - u)

        return scale * float(n**3 - n), loss


_Coefficient = _Kendall | _Spearman


def _ranks(sizes: Sizes) -> Integers:
    """Return twice the average rank of each value, less n + 1."""
    upto = np.cumsum(np.array(sizes, dtype=np.int64))
    return 2 * upto - np.array(sizes) - upto[-1]


def _associate(
    coefficient: _Coefficient,
    x: ArrayLike,
    y_low: ArrayLike,
    y_high: ArrayLike | None,
    seed: int,
    effort: Effort,
) -> Association:
    x, low, high = _checked(x, y_low, y_low if y_high is None else y_high)
    order = np.argsort(x, kind="stable")
    x, low, high = x[order], low[order], high[order]
    n = len(x)
    _, x_sizes = _coded(x)
    middle, middle_sizes = _coded((low + high) / 2)
    if len(x_sizes) == 1 or (len(middle_sizes) == 1 and np.array_equal(low, high)):
        which = "first" if len(x_sizes) == 1 else "second"
        method = f"{coefficient.name}, not defined: the {which} variable is constant"
        return Association(math.nan, 1.0, 1.0, 1.0, method, n, math.nan)

    estimate, observed = math.nan, 0
    if len(middle_sizes) > 1:
        observed = int(coefficient.statistics(x_sizes, middle[:, None], middle_sizes)[0])
        norms = coefficient.norm(x_sizes) * coefficient.norm(middle_sizes)
        estimate = min(1.0, max(-1.0, observed / math.sqrt(norms)))

    completed = _completions(x, low, high)
    if completed is None:
        p_low, p_high = _bounds(coefficient, x_sizes, low, high)
        smallest, kind = math.nan, "normal approximation, bounds over the intervals"
    else:
        found = {middle_sizes: {abs(observed)}}
        if completed.shape[1] > 1:
            found = _over_completions(coefficient, x_sizes, completed)
        tails, kind = _tails(coefficient, x_sizes, list(found), seed, effort)
        values = [
            tail(size)
            for (tail, _), sizes in zip(tails, found.values(), strict=True)
            for size in sorted(sizes)
        ]
        p_low, p_high, smallest = min(values), max(values), min(least for _, least in tails)
    return Association(estimate, p_high, p_low, p_high, f"{coefficient.name}, {kind}", n, smallest)


def _checked(x: ArrayLike, low: ArrayLike, high: ArrayLike) -> tuple[Floats, Floats, Floats]:
    columns = [np.asarray(column, dtype=float) for column in (x, low, high)]
    if any(column.ndim != 1 or len(column) != len(columns[0]) for column in columns):
        raise ValueError("The variables must be one-dimensional and of one length.")
    if len(columns[0]) < 2:
        raise ValueError("An association needs at least 2 patients.")
    if not all(np.isfinite(column).all() for column in columns):
        raise ValueError("The variables must be finite numbers; leave out patients without one.")
    x, low, high = columns
    if (low > high).any():
        raise ValueError("The lowest possible value is above the highest.")
    opened = low < high
    if (low[opened] % 1 != 0).any() or (high[opened] % 1 != 0).any():
        raise ValueError("The ends of an interval must be whole numbers.")
    return x, low, high


def _coded(values: Floats) -> tuple[Integers, Sizes]:
    """Return each value's place among the distinct ones, and how often each of these occurs."""
    _, codes, sizes = np.unique(values, return_inverse=True, return_counts=True)
    return codes.astype(np.int64), tuple(sizes.tolist())


def _completions(x: Floats, low: Floats, high: Floats) -> Floats | None:
    """Return the distinct completions, shape (n, completions), or None where they are many.

    Patients with the same x and the same interval can change places without effect, so only how
    many of them take each value counts.
    """
    alike: dict[tuple[float, int, int], list[int]] = defaultdict(list)
    for i in np.flatnonzero(low < high):
        alike[x[i], int(low[i]), int(high[i])].append(int(i))
    limit = max(1, min(_COMPLETIONS, _COMPLETED_CELLS // len(x)))
    number = 1
    for (_, first, last), members in alike.items():
        number *= math.comb(len(members) + last - first, len(members))
        if number > limit:
            return None
    completed = np.repeat(low[:, None], number, axis=1)
    rows = [i for members in alike.values() for i in members]
    choices = [
        list(itertools.combinations_with_replacement(range(first, last + 1), len(members)))
        for (_, first, last), members in alike.items()
    ]
    if rows:
        completed[rows] = np.array(
            [[value for part in parts for value in part] for parts in itertools.product(*choices)]
        ).T
    return completed


def _over_completions(
    coefficient: _Coefficient, x_sizes: Sizes, completed: Floats
) -> dict[Sizes, set[int]]:
    """Return every |statistic| that occurs, by the sizes of y: these share their distribution."""
    values, flat = np.unique(completed, return_inverse=True)
    codes = flat.reshape(completed.shape)
    number = completed.shape[1]
    cells = codes + len(values) * np.arange(number)
    counts = np.bincount(cells.ravel(), minlength=len(values) * number).reshape(number, -1)
    kinds, kind_of = np.unique(counts, axis=0, return_inverse=True)
    found: dict[Sizes, set[int]] = {}
    for i, kind in enumerate(kinds):
        sizes = tuple(kind[kind > 0].tolist())
        dense = np.cumsum(kind > 0) - 1
        columns = dense[codes[:, kind_of.ravel() == i]]
        reached = np.abs(coefficient.statistics(x_sizes, columns, sizes))
        # Sizes that stand at different values of y are one here.
        found.setdefault(sizes, set()).update(reached.tolist())
    return found


def _tails(
    coefficient: _Coefficient,
    x_sizes: Sizes,
    all_sizes: Sequence[Sizes],
    seed: int,
    effort: Effort,
) -> tuple[list[tuple[Tail, float]], str]:
    """Return P(|statistic| >= size) and the smallest P for each sizes of y, and how it is found."""
    n = sum(x_sizes)
    if n <= _DRAWN_UP_TO:
        if sum(_work(coefficient, x_sizes, sizes) for sizes in all_sizes) <= min(
            _EXACT_WORK, effort.exact
        ):
            exact = [_exact(coefficient, x_sizes, sizes) for sizes in all_sizes]
            return exact, "exact by enumeration"
        values = sum(min(len(x_sizes), len(sizes)) for sizes in all_sizes)
        if n * (_DRAWN_PER_PATIENT * len(all_sizes) + values) <= _DRAWN_WORK:
            drawn = _drawn(coefficient, x_sizes, all_sizes, seed, effort.draws)
            return [(tail, math.nan) for tail in drawn], f"permutation ({effort.draws:,} draws)"
    normal = [_normal(coefficient, x_sizes, sizes) for sizes in all_sizes]
    return [(tail, math.nan) for tail in normal], "normal approximation"


def _exact(coefficient: _Coefficient, x_sizes: Sizes, y_sizes: Sizes) -> tuple[Tail, float]:
    sums, ways = _distribution(coefficient, x_sizes, y_sizes)
    sizes, total = np.abs(sums), ways.sum()

    def tail(size: float) -> float:
        return min(1.0, float(ways[sizes >= size].sum() / total))

    return tail, tail(float(sizes[ways > 0].max()))


def _distribution(
    coefficient: _Coefficient, x_sizes: Sizes, y_sizes: Sizes
) -> tuple[Integers, Floats]:
    """Return every value of the statistic and how many permutations give it.

    Patients are dealt in the order of x, one tied group at a time; what matters later is only how
    often each value of y has been dealt (Streitberg & Roehmel 1986 do the same for rank sums). For
    each such state a row of ways by sum is kept, from the lowest sum that is reached.
    """
    x_sizes, y_sizes = _cheaper(x_sizes, y_sizes)
    gain, step, shift = coefficient.gains(x_sizes, y_sizes)
    table = {(0,) * len(y_sizes): (0, np.ones(1))}
    for group, size in enumerate(x_sizes):
        arriving = defaultdict(list)
        for used, (lowest, ways) in table.items():
            gained = gain(group, used)
            for after, more, orders in _deals(size, used, y_sizes, gained):
                arriving[after].append((lowest + more, ways if orders == 1 else ways * orders))
        table = {after: _merged(parts) for after, parts in arriving.items()}
    ((lowest, ways),) = table.values()
    return shift + step * (lowest + np.arange(len(ways))), ways


def _deals(
    size: int, used: Sizes, y_sizes: Sizes, gained: Sequence[int]
) -> Iterator[tuple[Sizes, int, float]]:
    """Yield for each way to deal `size` patients what is used after, the gain, and the orders."""
    if size == 1:  # the usual group, and the general way takes longer
        for v, many in enumerate(used):
            if many < y_sizes[v]:
                yield (*used[:v], many + 1, *used[v + 1 :]), gained[v], 1.0
        return
    # Orders are floats: beyond 2**63 whole numbers would turn the rows into objects.
    partial: list[tuple[Sizes, int, int, float]] = [((), size, 0, 1.0)]
    for v, many in enumerate(used):
        room = sum(y_sizes[v + 1 :]) - sum(used[v + 1 :])
        partial = [
            ((*after, many + k), left - k, more + k * gained[v], orders * math.comb(left, k))
            for after, left, more, orders in partial
            for k in range(max(0, left - room), min(left, y_sizes[v] - many) + 1)
        ]
    for after, _, more, orders in partial:
        yield after, more, orders


def _merged(parts: list[tuple[int, Floats]]) -> tuple[int, Floats]:
    if len(parts) == 1:
        return parts[0]
    lowest = min(start for start, _ in parts)
    merged = np.zeros(max(start + len(ways) for start, ways in parts) - lowest)
    for start, ways in parts:
        merged[start - lowest : start - lowest + len(ways)] += ways
    return lowest, merged


def _cheaper(a: Sizes, b: Sizes) -> tuple[Sizes, Sizes]:
    # The distribution is the same with the variables exchanged.
    return (a, b) if _moves(a, b) <= _moves(b, a) else (b, a)


def _work(coefficient: _Coefficient, x_sizes: Sizes, y_sizes: Sizes) -> float:
    moves = min(_moves(x_sizes, y_sizes), _moves(y_sizes, x_sizes))
    return moves * (_WORK_PER_MOVE + _USUAL_FILL * coefficient.width(x_sizes, y_sizes))


def _moves(x_sizes: Sizes, y_sizes: Sizes) -> float:
    """Return an upper bound of the deals over all states that `_distribution` visits."""
    if math.prod(size + 1 for size in y_sizes) > _EXACT_WORK:
        return math.inf
    states = np.ones(1)
    for size in y_sizes:
        states = np.convolve(states, np.ones(size + 1))
    dealt = itertools.accumulate(x_sizes, initial=0)
    values = len(y_sizes)
    return sum(
        float(states[before]) * math.comb(size + values - 1, size)
        for before, size in zip(dealt, x_sizes, strict=False)
    )


def _drawn(
    coefficient: _Coefficient, x_sizes: Sizes, all_sizes: Sequence[Sizes], seed: int, draws: int
) -> list[Tail]:
    """Return (b + 1) / (B + 1) from B seeded permutations, as a function of |statistic|.

    One for each sizes of y, all from the same permutations.
    """
    rng = np.random.default_rng(seed)
    patients = np.arange(sum(x_sizes))
    sizes = np.empty((len(all_sizes), draws))
    for start in range(0, draws, _DRAWN_AT_ONCE):
        stop = min(start + _DRAWN_AT_ONCE, draws)
        shuffled = rng.permuted(np.tile(patients, (stop - start, 1)), axis=1).T.copy()
        for i, y_sizes in enumerate(all_sizes):
            # Exchanging the variables leaves the distribution; few values to place are less work.
            few, many = sorted((y_sizes, x_sizes), key=len)
            codes = np.repeat(np.arange(len(few)), few).take(shuffled)
            sizes[i, start:stop] = np.abs(coefficient.statistics(many, codes, few))
    sizes.sort(axis=1)

    def tail_of(drawn: Floats) -> Tail:
        return lambda size: float(draws - np.searchsorted(drawn, size) + 1) / (draws + 1)

    return [tail_of(drawn) for drawn in sizes]


def _normal(coefficient: _Coefficient, x_sizes: Sizes, y_sizes: Sizes) -> Tail:
    untied, loss = coefficient.variance(x_sizes)
    variance = untied - float(loss(np.array(y_sizes, dtype=float)).sum())
    return lambda size: _two_sided(size, variance if len(y_sizes) > 1 else 0.0)


def _two_sided(size: float, variance: float) -> float:
    if size == 0:
        return 1.0
    if variance <= 0:
        return _LEAST_P
    return max(_LEAST_P, float(2 * ndtr(-size / math.sqrt(variance))))


def _bounds(
    coefficient: _Coefficient, x_sizes: Sizes, low: Floats, high: Floats
) -> tuple[float, float]:
    """Return bounds of the normal P over all completions; see `kendall`, rows in the order of x."""
    codes, _ = _coded(np.concatenate([low, high]))
    lows, highs = codes[: len(low)], codes[len(low) :]
    x = np.repeat(np.arange(len(x_sizes)), x_sizes)
    base, weights = coefficient.base_and_weights(x_sizes)
    least = _pair_sum(x, lows, highs, base, weights[x])
    most = -_pair_sum(x, -highs + highs.max(), -lows + highs.max(), base, weights[x])
    # Whatever the completion, S is between the two, which may have either sign.
    nearest = 0 if least <= 0 <= most else min(abs(least), abs(most))
    furthest = max(abs(least), abs(most))

    untied, loss = coefficient.variance(x_sizes)
    opened = low < high
    certain, counts = np.unique(low[~opened], return_counts=True)
    values = np.union1d(certain, np.arange(low[opened].min(), high[opened].max() + 1))
    settled = np.zeros(len(values))
    settled[np.searchsorted(values, certain)] = counts
    joined = np.bincount(np.searchsorted(values, low[opened]), minlength=len(values) + 1)
    left = np.bincount(np.searchsorted(values, high[opened]) + 1, minlength=len(values) + 1)
    may_join = np.cumsum(joined - left)[: len(values)]
    steps = [
        np.diff(loss(count + np.arange(more + 1)))
        for count, more in zip(settled, may_join, strict=True)
    ]
    ordered = np.sort(np.concatenate(steps))
    number = int(opened.sum())
    rest = untied - float(loss(settled).sum())
    smallest = rest - float(ordered[-number:].sum())
    largest = rest - float(ordered[:number].sum())
    return _two_sided(furthest, smallest), _two_sided(nearest, largest)


def _pair_sum(x: Integers, low: Integers, high: Integers, base: int, weight: Integers) -> int:
    """Return the sum of (base + weight_j - weight_i) * sign(low_j - high_i) over x_i < x_j.

    All are whole numbers from 0, shape (n,). Two values of x differ first, from the top, in one
    bit: for each bit, the patients without it are sorted within their common upper bits, and those
    with it find their place by bisection. So it takes n log n for each bit of x, and ties in x
    never meet.
    """
    span = int(max(low.max(), high.max())) + 1
    total = 0
    for bit in range(int(x.max()).bit_length()):
        block = (x >> (bit + 1)) * span
        upper = (x >> bit) & 1 == 1
        keys = (block + high)[~upper]
        order = np.argsort(keys)
        keys = keys[order]
        from_block, own = block[upper], (block + low)[upper]
        first, below = np.searchsorted(keys, from_block), np.searchsorted(keys, own)
        upto = np.searchsorted(keys, own, side="right")
        last = np.searchsorted(keys, from_block + span)
        sums = np.concatenate([[0], np.cumsum(weight[~upper][order])])
        total += int(((base + weight[upper]) * (below - first + upto - last)).sum())
        total -= int((sums[below] - sums[first] + sums[upto] - sums[last]).sum())
    return total
