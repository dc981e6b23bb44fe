"""The adjusted score of mean bias reduction for many replicates at once.

Formulas and words are those of `captem.adjusted_score`. Here they are sums over the thresholds of
each outcome's partition, which are few, and not over parameters. Let j count the k thresholds of a
partition, a_j = theta_j - eta with derivative z_j, F_j = F(a_j), f_j = f(a_j). The same for all
outcomes are r_j = 1 / (exp(theta_{j+1} - theta_j) - 1) and s_j = 1 + r_{j-1} + r_j; r_{-1} and
r_{k-1} are 0. In the a_j alone an outcome has

    expected information   B, tridiagonal: B_jj = s_j f_j, B_{j,j+1} = -(1 + r_j) b_j with
                           b_j = F_j (1 - F_{j+1}), and row sums f_j (pi_j + pi_{j+1}),
    adjusted score         t_j = N_j (1 - F_j + r_{j-1}) - N_{j+1} (F_j + r_j),
                           N_c = y_c + (k_c - k_{c-1}) / 2, k_j = f_j sigma_j h_j,

where sigma_j = 1 - 2 F_j and h_j = z_j' I^-1 z_j. Since z_j = (.., 1, .., -x), the sums over
outcomes are those of the bands of B, and of their row sums times x and x x'. All of them are matrix
products of (functions of F_j, outcomes) with products of x; the r_j stand outside.

For the derivative let

    G_{s,ab} = 1/2 sum w B_kj sigma_j z_ks z_ja z_jb,    K_abr = sum w pi_c g_ca g_cb g_cr.

Then dI_ab/dr = 2 G_{a,br} + 2 G_{b,ar} - K_abr, and

    d(U + A)_s/dr = sum w z_s'(T + B diag((1 - 6 f_j) h_j / 2)) z_r
                    - sum_ab (V G_s V)_ab (4 G_{b,ar} - K_abr),    V = I^-1,

where T = sum over cells of N_c d^2(log pi_c) is tridiagonal, with T_{j,j+1} = r_j (1 + r_j) N_{j+1}
and row sums -(N_j + N_{j+1}) f_j. In the a_j alone K has the elements

    K_jjj = s_j f_j (sigma_j + r_{j-1} - r_j),
    K_{j,j,j+1} = (1 + r_j) b_j (F_j + r_j),    K_{j,j+1,j+1} = -(1 + r_j) b_j (1 - F_{j+1} + r_j),

and what belongs to -x is the sum over the thresholds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations_with_replacement, permutations

import numpy as np

from captem.ordinal_data import Booleans, Floats, Integers

# Elements of the largest arrays, so that they stay in the processor's cache.
_CHUNK = 40_000
_CELL = np.int16
# Its exponential, and the product of two such, are no numbers that overflow.
_SURE = 300.0


@dataclass(frozen=True, eq=False)
class Partition:
    """The outcomes whose scale is cut at the same thresholds.

    Attributes:
        thresholds: where it is cut, ascending indices in 0..m-1, shape (k,).
        weights: shape (R, n); 0 where the outcome is absent, or has another partition.
        observed: the cell of each outcome, 0..k, shape (R, n).
        x: predictors by row, shape (p, n), or (R, p, n).
        products: `products_of` x; None where x has three dimensions.
    """

    thresholds: Integers
    weights: Floats
    observed: Integers
    x: Floats
    products: Floats | None

    def only(self, chosen: Booleans | Integers | slice) -> Partition:
        """Some of the replicates."""
        x = self.x[chosen] if self.x.ndim == 3 else self.x
        return Partition(
            self.thresholds, self.weights[chosen], self.observed[chosen], x, self.products
        )

    def linear(self, beta: Floats) -> Floats:
        """x'beta for beta (R, p), shape (R, n)."""
        if self.x.ndim == 2:
            return beta @ self.x
        found = np.zeros(self.weights.shape)
        for slope, x in zip(beta.T, self.x.swapaxes(0, 1), strict=True):
            found += slope[:, None] * x
        return found


@dataclass(frozen=True, eq=False)
class States:
    """Adjusted scores (R, q), expected informations and inverses (R, q, q), derivatives (R, q, q).

    `regular` (R,) is False where the information is singular; nothing else means anything there.
    Without `derivative` asked for, it is empty.
    """

    score: Floats
    information: Floats
    inverse: Floats
    derivative: Floats
    regular: Booleans


def partitions(lower: Integers, upper: Integers, m: int, x: Floats, w: Floats) -> list[Partition]:
    """Sort outcomes by partition, as `adjusted_score.partitions` cuts the scale.

    Args:
        lower, upper: index of the m thresholds at an outcome's two ends, -1 and m for an infinite
            one, shape (R, n).
        x: predictors, shape (n, p) or (R, n, p).
        w: weights, shape (R, n); 0 for an outcome that is absent.
    """
    present = w > 0.0
    point = upper - lower == 1
    kinds = [(present & point, np.arange(m), upper)]
    wide = present & ~point
    codes = np.where(wide, (lower + 1) * (m + 2) + upper, -1)
    for code in np.unique(codes[wide]):
        begin, end = int(code) // (m + 2) - 1, int(code) % (m + 2)
        cuts = np.array([j for j in range(m) if j <= begin or j >= end], dtype=np.int64)
        kinds.append((codes == code, cuts, np.full_like(upper, begin + 1)))
    found = []
    for where, cuts, observed in kinds:
        rows = np.flatnonzero(where.any(axis=0))
        if len(rows):
            seen = x if len(rows) == x.shape[-2] else x[..., rows, :]
            chosen = np.ascontiguousarray(seen.swapaxes(-1, -2))
            found.append(
                Partition(
                    thresholds=cuts,
                    weights=np.where(where, w, 0.0)[:, rows],
                    observed=observed[:, rows].astype(_CELL),
                    x=chosen,
                    products=products_of(chosen, 3) if x.ndim == 2 else None,
                )
            )
    return found


def products_of(x: Floats, degree: int) -> Floats:
    """1, x_a, x_a x_b with a <= b, and to the third degree x_a x_b x_c with a <= b <= c, by row.

    Args:
        x: shape (.., p, n).
        degree: 2 or 3.

    Returns:
        shape (.., products, n).
    """
    p, n = x.shape[-2:]
    second, third = _triangle(p)
    found = np.empty((*x.shape[:-2], 1 + p + len(second) + (len(third) if degree == 3 else 0), n))
    found[..., 0, :] = 1.0
    found[..., 1 : 1 + p, :] = x
    for at, (a, b) in enumerate(second, 1 + p):
        np.multiply(x[..., a, :], x[..., b, :], out=found[..., at, :])
    if degree == 3:
        for at, (a, pair) in enumerate(third, 1 + p + len(second)):
            np.multiply(x[..., a, :], found[..., 1 + p + pair, :], out=found[..., at, :])
    return found


@lru_cache
def _triangle(p: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """The pairs a <= b in order, and as (a, number of the pair b, c) the triples a <= b <= c."""
    pairs = list(combinations_with_replacement(range(p), 2))
    return pairs, [(a, at) for a in range(p) for at, (b, _) in enumerate(pairs) if b >= a]


@lru_cache
def _whole(p: int) -> tuple[Integers, Integers]:
    """Which product, within its degree, each element of x x' (p, p) and x x x' (p, p, p) is."""
    pairs, triples = _triangle(p)
    second, third = np.zeros((p, p), dtype=np.int64), np.zeros((p, p, p), dtype=np.int64)
    for at, pair in enumerate(pairs):
        for a, b in permutations(pair):
            second[a, b] = at
    for at, (first, pair_at) in enumerate(triples):
        for a, b, c in permutations((first, *pairs[pair_at])):
            third[a, b, c] = at
    return second, third


def states_at(parts: Sequence[Partition], m: int, parameters: Floats, derivative: bool) -> States:
    """Evaluate the formulas of the module docstring at parameters (R, q), thresholds first."""
    size, q = parameters.shape
    widest = sum(part.weights.shape[1] * (len(part.thresholds) + 1) for part in parts)
    step = max(8, _CHUNK // max(widest, 1))
    found = States(
        score=np.empty((size, q)),
        information=np.empty((size, q, q)),
        inverse=np.empty((size, q, q)),
        derivative=np.empty((size, q, q) if derivative else (0, q, q)),
        regular=np.empty(size, dtype=bool),
    )
    for start in range(0, size, step):
        rows = slice(start, start + step)
        _chunk([part.only(rows) for part in parts], m, parameters[rows], derivative, found, rows)
    return found


def _chunk(
    parts: Sequence[Partition],
    m: int,
    parameters: Floats,
    derivative: bool,
    found: States,
    rows: slice,
) -> None:
    size, q = parameters.shape
    information = np.zeros((q, q, size))
    ends = [_Ends(part, m, parameters, 3 if derivative else 2) for part in parts]
    for end in ends:
        end.add_information(information)
    swept, regular = inverses(information)
    score = np.zeros((q, size))
    for end in ends:
        end.add_score(swept, score)
    inverse = found.inverse[rows]
    inverse[:] = swept.transpose(2, 0, 1)
    found.information[rows], found.score[rows] = information.transpose(2, 0, 1), score.T
    found.regular[rows] = regular & np.isfinite(score).all(axis=0)
    if not derivative:
        return
    slope = np.zeros((q, q, size))
    bent, cubes = np.zeros((q, q, q, size)), np.zeros((q, q, q, size))
    for end in ends:
        end.add_slope(slope)
        end.add_bent_and_cubes(bent, cubes)
    change = _first(4.0 * bent.swapaxes(0, 1) - cubes).reshape(size, q * q, q)
    once = (_first(bent).reshape(size, q * q, q) @ inverse).reshape(size, q, q, q)
    twice = once.transpose(0, 1, 3, 2).reshape(size, q * q, q) @ inverse
    found.derivative[rows] = slope.transpose(2, 0, 1) - twice.reshape(size, q, q * q) @ change


def _first(values: Floats) -> Floats:
    """Replicates from the last axis to the first."""
    return np.ascontiguousarray(np.moveaxis(values, -1, 0))


class _Ends:
    """The ends of the outcomes of one partition; arrays are (k, R, n), functions of r (k, R).

    What is added up has the replicates last, so that one element of all of them lies in one piece.
    Names are those of the module docstring; `weighted`, `beside` and `total` are f, b and the row
    sums of B, each times the weights.
    """

    def __init__(self, part: Partition, m: int, parameters: Floats, degree: int) -> None:
        self.part, self.m, self.p = part, m, parameters.shape[1] - m
        self.at = part.thresholds
        self.products = products_of(part.x, degree) if part.products is None else part.products
        cuts = np.ascontiguousarray(parameters[:, self.at].T)
        odds = _odds(part.linear(parameters[:, m:]), cuts)
        self.below = below = 1.0 + odds
        np.divide(1.0, below, out=below)
        self.above = above = np.multiply(odds, below, out=odds)
        self.f = below * above
        self.weighted = self.f * part.weights
        self.beside = below[:-1] * above[1:]
        self.beside *= part.weights
        width = np.diff(cuts, axis=0)
        self.r = 1.0 / np.expm1(np.minimum(width, 700.0))
        self.s = np.ones_like(cuts)
        self.s[1:] += self.r
        self.s[:-1] += self.r
        inner = below[1:] * above[:-1]
        inner *= -np.expm1(-width)[:, :, None]
        total = np.empty_like(below)
        total[0] = below[0]
        total[1:] = inner
        total[:-1] += inner
        total[-1] += above[-1]
        total *= self.weighted
        self.total = total

    def add_information(self, information: Floats) -> None:
        """Add the expected information, (q, q, R)."""
        m, p, at = self.m, self.p, self.at
        information[at, at] += self.s * _sums(self.weighted)
        off = (1.0 + self.r) * _sums(self.beside)
        information[at[:-1], at[1:]] -= off
        information[at[1:], at[:-1]] -= off
        if p:
            moments = self._moments(self.total, 2)
            first = moments[:, 1 : 1 + p]
            information[at, m:] -= first
            information[m:, at] -= first.swapaxes(0, 1)
            information[m:, m:] += self._second(moments.sum(axis=0))

    def add_score(self, inverse: Floats, score: Floats) -> None:
        """Add the adjusted score (q, R), given the inverse of the whole information, (q, q, R)."""
        m, at, part = self.m, self.at, self.part
        self.h = self._leverages(inverse)
        self.sigma = self.above - self.below
        half = 0.5 * self.weighted
        half *= self.sigma
        half *= self.h
        self.counts = counts = np.empty((len(at) + 1, *half.shape[1:]))
        cells = np.arange(len(counts), dtype=part.observed.dtype)[:, None, None]
        np.equal(part.observed, cells, out=counts, casting="unsafe")
        counts *= part.weights
        counts[:-1] += half
        counts[1:] -= half
        self.count = _sums(counts)
        np.multiply(counts[:-1], self.above, out=half)
        half -= counts[1:] * self.below
        moments = self._moments(half, 1)
        score[at] += moments[:, 0]
        between = self.r * self.count[1:-1]
        score[at[1:]] += between
        score[at[:-1]] -= between
        score[m:] -= moments[:, 1:].sum(axis=0)

    def _leverages(self, inverse: Floats) -> Floats:
        """h of the module docstring."""
        m, p, at = self.m, self.p, self.at
        pairs, _ = _triangle(p)
        row = np.empty((len(at), 1 + p + len(pairs), inverse.shape[2]))
        row[:, 0] = inverse[at, at]
        row[:, 1 : 1 + p] = -2.0 * inverse[at, m:]
        for number, (a, b) in enumerate(pairs, 1 + p):
            row[:, number] = (1.0 if a == b else 2.0) * inverse[m + a, m + b]
        columns = self.products[..., : row.shape[1], :]
        if columns.ndim == 2:
            return np.asarray(np.ascontiguousarray(row.swapaxes(1, 2)) @ columns)
        found = np.empty_like(self.f)
        np.matmul(_first(row), columns, out=found.swapaxes(0, 1))
        return found

    def add_slope(self, slope: Floats) -> None:
        """Add the terms of T and of B, (q, q, R)."""
        m, p, at = self.m, self.p, self.at
        k, r = len(at), self.r
        y = -3.0 * self.f
        y += 0.5
        y *= self.h
        values = np.empty((4 * k - 2, *y.shape[1:]))
        np.add(self.counts[:-1], self.counts[1:], out=values[:k])
        values[:k] *= self.f
        np.multiply(self.weighted, y, out=values[k : 2 * k])
        np.multiply(self.beside, y[:-1], out=values[2 * k : 3 * k - 1])
        np.multiply(self.beside, y[1:], out=values[3 * k - 1 :])
        moments = self._moments(values, 2)
        plain, diagonal = moments[:k], self.s[:, None] * moments[k : 2 * k]
        diagonal -= plain
        low = (1.0 + r)[:, None] * moments[2 * k : 3 * k - 1]
        high = (1.0 + r)[:, None] * moments[3 * k - 1 :]
        both = r * (1.0 + r) * self.count[1:-1]
        slope[at, at] += diagonal[:, 0]
        slope[at[1:], at[1:]] -= both
        slope[at[:-1], at[:-1]] -= both
        slope[at[:-1], at[1:]] += both - high[:, 0]
        slope[at[1:], at[:-1]] += both - low[:, 0]
        if p:
            rows, columns = _by_row_and_column(diagonal, low, high)
            slope[at, m:] -= rows[:, 1 : 1 + p]
            slope[m:, at] -= columns[:, 1 : 1 + p].swapaxes(0, 1)
            slope[m:, m:] += self._second(columns.sum(axis=0))

    def add_bent_and_cubes(self, bent: Floats, cubes: Floats) -> None:
        """Add G and K of the module docstring, (q, q, q, R)."""
        k = len(self.at)
        values = np.empty((5 * k - 3, *self.f.shape[1:]))
        values[:k] = self.weighted
        values[k : 2 * k - 1] = self.beside
        np.multiply(self.weighted, self.sigma, out=values[2 * k - 1 : 3 * k - 1])
        np.multiply(self.beside, self.sigma[:-1], out=values[3 * k - 1 : 4 * k - 2])
        np.multiply(self.beside, self.sigma[1:], out=values[4 * k - 2 :])
        moments = self._moments(values, 3)
        # The halves of s f sigma, of (1 + r) b sigma at the lower and at the upper threshold.
        s, r = 0.5 * self.s[:, None], 0.5 * (1.0 + self.r)[:, None]
        plain, beside = moments[:k], moments[k : 2 * k - 1]
        diagonal = s * moments[2 * k - 1 : 3 * k - 1]
        low, high = r * moments[3 * k - 1 : 4 * k - 2], r * moments[4 * k - 2 :]
        self._add_bent(diagonal, low, high, bent)
        lean = np.zeros_like(self.s)
        lean[1:] += self.r
        lean[:-1] -= self.r
        half = r * (1.0 + 2.0 * self.r)[:, None] * beside
        cubic = 2.0 * (diagonal + s * lean[:, None] * plain)
        self._add_cubes(cubic, half - low, -half - high, cubes)

    def _add_bent(self, diagonal: Floats, low: Floats, high: Floats, bent: Floats) -> None:
        m, p, at = self.m, self.p, self.at
        lower, upper = at[:-1], at[1:]
        first = slice(1, 1 + p)
        for values, s, j in ((diagonal, at, at), (-high, lower, upper), (-low, upper, lower)):
            bent[s, j, j] += values[:, 0]
            if p:
                bent[s, j, m:] -= values[:, first]
                bent[s, m:, j] -= values[:, first]
        if not p:
            return
        rows, columns = _by_row_and_column(diagonal, low, high)
        bent[at, m:, m:] += self._second(rows)
        bent[m:, at, at] -= columns[:, first].swapaxes(0, 1)
        second = self._second(columns)
        bent[m:, at, m:] += second.swapaxes(0, 1)
        bent[m:, m:, at] += second.transpose(1, 2, 0, 3)
        bent[m:, m:, m:] -= self._third(columns.sum(axis=0))

    def _add_cubes(self, same: Floats, low: Floats, high: Floats, cubes: Floats) -> None:
        """`same`, `low` and `high` are the moments of K_jjj, K_{j,j,j+1} and K_{j,j+1,j+1}."""
        m, p, at = self.m, self.p, self.at
        left, right = at[:-1], at[1:]
        cubes[at, at, at] += same[:, 0]
        for i, j, k in ((left, right, right), (right, left, right), (right, right, left)):
            cubes[i, j, k] += high[:, 0]
        for i, j, k in ((left, left, right), (left, right, left), (right, left, left)):
            cubes[i, j, k] += low[:, 0]
        if not p:
            return
        same[:-1] += low
        same[1:] += high
        next_to = low + high
        for i, j, values in ((at, at, same), (left, right, next_to), (right, left, next_to)):
            first = values[:, 1 : 1 + p]
            cubes[i, j, m:] -= first
            cubes[i, m:, j] -= first
            cubes[m:, i, j] -= first.swapaxes(0, 1)
        same[:-1] += next_to
        same[1:] += next_to
        second = self._second(same)
        cubes[at, m:, m:] += second
        cubes[m:, at, m:] += second.swapaxes(0, 1)
        cubes[m:, m:, at] += second.transpose(1, 2, 0, 3)
        cubes[m:, m:, m:] -= self._third(same.sum(axis=0))

    def _moments(self, values: Floats, degree: int) -> Floats:
        """Sums over outcomes of values (c, R, n) times products of x, shape (c, products, R)."""
        pairs, triples = _triangle(self.p)
        count = 1 + self.p + (len(pairs) if degree > 1 else 0) + (len(triples) if degree > 2 else 0)
        columns = self.products[..., :count, :].swapaxes(-1, -2)
        if columns.ndim == 2:
            flat = values.reshape(-1, values.shape[2]) @ columns
            return np.ascontiguousarray(flat.reshape(*values.shape[:2], count).swapaxes(1, 2))
        return np.ascontiguousarray((values.swapaxes(0, 1) @ columns).transpose(1, 2, 0))

    def _second(self, moments: Floats) -> Floats:
        """Of moments (.., products, R) those of x x', shape (.., p, p, R)."""
        return moments[..., 1 + self.p + _whole(self.p)[0], :]

    def _third(self, moments: Floats) -> Floats:
        """Of moments (.., products, R) those of x x x', shape (.., p, p, p, R)."""
        pairs, _ = _triangle(self.p)
        return moments[..., 1 + self.p + len(pairs) + _whole(self.p)[1], :]


def _by_row_and_column(diagonal: Floats, low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """Row and column sums where -`low` is below and -`high` above the diagonal, (k, .., R)."""
    rows, columns = diagonal.copy(), diagonal.copy()
    rows[:-1] -= high
    rows[1:] -= low
    columns[:-1] -= low
    columns[1:] -= high
    return rows, columns


def _odds(eta: Floats, cuts: Floats) -> Floats:
    """exp(eta - cut) for eta (R, n) and cuts (k, R), shape (k, R, n)."""
    if max(np.abs(eta).max(initial=0.0), np.abs(cuts).max(initial=0.0)) < _SURE:
        return np.asarray(np.exp(-cuts)[:, :, None] * np.exp(eta))
    with np.errstate(invalid="ignore"):
        return np.exp(np.clip(eta - cuts[:, :, None], -700.0, 700.0))


def _sums(values: Floats) -> Floats:
    """Sums over outcomes, (j, R, n) to (j, R); none depends on the replicates beside it."""
    return np.asarray(np.einsum("jrn->jr", values))


def inverses(matrices: Floats) -> tuple[Floats, Booleans]:
    """Inverses of symmetric matrices (q, q, R), and which of them are positive definite.

    Pivots are swept one after the other. Those that are not positive definite have no inverse here.
    """
    left = np.array(matrices, order="C")
    regular = np.ones(left.shape[2], dtype=bool)
    with np.errstate(all="ignore"):
        for k in range(len(left)):
            pivot = left[k, k].copy()
            regular &= pivot > 0.0
            column = left[:, k].copy()
            row = left[k] / pivot
            left -= column[:, None] * row
            left[k] = row
            left[:, k] = column / -pivot
            left[k, k] = 1.0 / pivot
    return left, regular


def positive_definite(matrices: Floats) -> Booleans:
    """Which symmetric matrices (R, q, q) are positive definite, by the signs of their pivots."""
    left = np.array(matrices.transpose(1, 2, 0), order="C")
    found = np.ones(len(matrices), dtype=bool)
    with np.errstate(all="ignore"):
        for k in range(len(left)):
            found &= left[k, k] > 0.0
            left[k + 1 :, k + 1 :] -= left[k + 1 :, k, None] * (left[k, k + 1 :] / left[k, k])
    return found
