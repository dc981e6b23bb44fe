"""The adjusted score of mean bias reduction for many replicates at once.

Formulas and words are those of `captem.adjusted_score`. Here they are sums over the thresholds of
each outcome's partition, which are few, and not over parameters. Let j count the k thresholds of a
partition, a_j = theta_j - eta with derivative z_j, f_j = f(a_j), u_j = f_j / pi_j for the cell
below threshold j and l_j = f_j / pi_{j+1} for the cell above it. In the a_j alone an outcome has

    expected information   B, tridiagonal: B_jj = f_j (u_j + l_j), B_{j,j+1} = -f_j u_{j+1},
                           with row sums f_j (pi_j + pi_{j+1}),
    adjusted score         t_j = N_j u_j - N_{j+1} l_j,
                           N_c = y_c + (k_c - k_{c-1}) / 2, k_j = f_j sigma_j h_j,

where sigma_j = 1 - 2 F(a_j) and h_j = z_j' I^-1 z_j. Since z_j = (.., 1, .., -x), the sums over
outcomes are those of the bands of B, and of their row sums times x and x x'. All of them are matrix
products of (replicates, outcomes) with moments of x that the replicates share.

For the derivative let

    G_{s,ab} = 1/2 sum w B_kj sigma_j z_ks z_ja z_jb,    K_abr = sum w pi_c g_ca g_cb g_cr.

Then dI_ab/dr = 2 G_{a,br} + 2 G_{b,ar} - K_abr, and

    d(U + A)_s/dr = sum w z_s'(T + B diag((1 - 6 f_j) h_j / 2)) z_r
                    - sum_ab (V G_s V)_ab (4 G_{b,ar} - K_abr),    V = I^-1,

where T = sum over cells of N_c d^2(log pi_c).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from captem.ordinal_data import Booleans, Floats, Integers

# Elements of the largest arrays, so that they stay in the processor's cache.
_CHUNK = 20_000


@dataclass(frozen=True, eq=False)
class Partition:
    """The outcomes whose scale is cut at the same thresholds.

    Attributes:
        thresholds: where it is cut, ascending indices in 0..m-1, shape (k,).
        weights: shape (R, n); 0 where the outcome is absent, or has another partition.
        observed: the cell of each outcome, 0..k, shape (R, n).
        x: predictors, shape (n, p), or (R, n, p).
        powers: 1, x, x x' and x x x' side by side, shape (n, 1 + p + p^2 + p^3); None where x has
            three dimensions.
    """

    thresholds: Integers
    weights: Floats
    observed: Integers
    x: Floats
    powers: Floats | None

    def only(self, chosen: Booleans | Integers | slice) -> Partition:
        """Some of the replicates."""
        x = self.x[chosen] if self.x.ndim == 3 else self.x
        return Partition(
            self.thresholds, self.weights[chosen], self.observed[chosen], x, self.powers
        )

    def linear(self, beta: Floats) -> Floats:
        """x'beta for beta (R, p), shape (R, n)."""
        return _each(beta, self.x)

    def moments(self) -> Floats:
        """`powers`, computed where each replicate has its own."""
        return powers(self.x) if self.powers is None else self.powers


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
            chosen = x[..., rows, :]
            found.append(
                Partition(
                    thresholds=cuts,
                    weights=np.where(where, w, 0.0)[:, rows],
                    observed=observed[:, rows].astype(np.int16),
                    x=chosen,
                    powers=powers(chosen) if x.ndim == 2 else None,
                )
            )
    return found


def powers(x: Floats) -> Floats:
    """1, x, x x' and x x x' of each outcome side by side, shape (.., n, 1 + p + p^2 + p^3)."""
    outer = x[..., :, None] * x[..., None, :]
    triple = outer[..., None] * x[..., None, None, :]
    ones = np.ones((*x.shape[:-1], 1))
    rows, p = x.shape[:-1], x.shape[-1]
    flat = outer.reshape(*rows, p * p), triple.reshape(*rows, p * p * p)
    return np.concatenate([ones, x, *flat], axis=-1)


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
    information = np.zeros((size, q, q))
    ends = [_Ends(part, m, parameters) for part in parts]
    for end in ends:
        end.add_information(information)
    inverse, regular = _inverses(information)
    score = np.zeros((size, q))
    for end in ends:
        end.add_score(inverse, score)
    found.information[rows], found.inverse[rows], found.score[rows] = information, inverse, score
    found.regular[rows] = regular & np.isfinite(score).all(axis=1)
    if not derivative:
        return
    slope = np.zeros((size, q, q))
    bent, cubes = np.zeros((size, q, q, q)), np.zeros((size, q, q, q))
    for end in ends:
        end.add_derivatives(slope, bent, cubes)
    once = (bent.reshape(size, q * q, q) @ inverse).reshape(size, q, q, q)
    twice = (once.transpose(0, 1, 3, 2).reshape(size, q * q, q) @ inverse).reshape(size, q, q * q)
    change = 4.0 * bent.transpose(0, 2, 1, 3) - cubes
    found.derivative[rows] = slope - twice @ change.reshape(size, q * q, q)


class _Ends:
    """The ends of the outcomes of one partition; arrays are (k, R, n), thresholds first."""

    def __init__(self, part: Partition, m: int, parameters: Floats) -> None:
        self.part, self.m, self.p = part, m, parameters.shape[1] - m
        self.at = part.thresholds
        self.moments = part.moments()
        cuts = parameters[:, self.at].T
        eta = _each(parameters[:, m:], part.x)
        odds = np.exp(np.clip(eta - cuts[:, :, None], -700.0, 700.0))
        self.below = below = 1.0 / (1.0 + odds)
        self.above = above = odds * below
        self.f = below * above
        width = np.diff(cuts, axis=0)[:, :, None]
        ratio = 1.0 / np.expm1(np.minimum(width, 700.0))
        self.u, self.l = above.copy(), below.copy()
        self.u[1:] += ratio
        self.l[:-1] += ratio
        inner = below[1:] * above[:-1]
        inner *= -np.expm1(-width)
        self.share = np.concatenate([below[:1], inner, above[-1:]])
        self.weighted = self.f * part.weights
        self.diagonal = self.weighted * (self.u + self.l)
        self.beside = self.weighted[:-1] * self.u[1:]
        self.total = self.weighted * (self.share[:-1] + self.share[1:])

    def add_information(self, information: Floats) -> None:
        """Add the expected information."""
        m, at = self.m, self.at
        information[:, at, at] += _sums(self.diagonal).T
        off = _sums(self.beside).T
        information[:, at[:-1], at[1:]] -= off
        information[:, at[1:], at[:-1]] -= off
        if self.p:
            cross = _moment(self.total, self.part.x).transpose(1, 0, 2)
            information[:, at, m:] -= cross
            information[:, m:, at] -= cross.transpose(0, 2, 1)
            information[:, m:, m:] += self._second(self.total.sum(axis=0))

    def add_score(self, inverse: Floats, score: Floats) -> None:
        """Add the adjusted score, given the inverse of the whole information."""
        m, p, at, x = self.m, self.p, self.at, self.part.x
        self.h = np.repeat(inverse[:, at, at].T[:, :, None], x.shape[-2], axis=2)
        if p:
            own = inverse[:, m:, m:].reshape(len(inverse), p * p)
            outer = self.moments[..., 1 + p : 1 + p + p * p]
            self.h += _each(own, outer)
            lines = np.ascontiguousarray(inverse[:, at, m:].transpose(1, 0, 2))
            for line, h in zip(lines, self.h, strict=True):
                h -= 2.0 * _each(line, x)
        self.sigma = self.above - self.below
        half = 0.5 * self.f * self.sigma
        half *= self.h
        counts = np.empty_like(self.share)
        counts[:-1] = half
        counts[-1] = 0.0
        counts[1:] -= half
        for cell, count in enumerate(counts):
            count += self.part.observed == cell
        counts *= self.part.weights
        self.counts = counts
        self.up, self.down = counts[:-1] * self.u, counts[1:] * self.l
        score[:, at] += _sums(self.up - self.down).T
        self.d = np.concatenate(
            [self.above[:1], self.above[1:] - self.below[:-1], -self.below[-1:]]
        )
        if p:
            sums = np.einsum("crn,crn->rn", counts, self.d)
            score[:, m:] -= _moment(sums[None], x)[0]

    def add_derivatives(self, slope: Floats, bent: Floats, cubes: Floats) -> None:
        """Add the terms of T and of B, then G and K of the module docstring."""
        self._add_slope(slope)
        self._add_bent(bent)
        self._add_cubes(cubes)

    def _add_slope(self, slope: Floats) -> None:
        m, at, x = self.m, self.at, self.part.x
        y = (0.5 - 3.0 * self.f) * self.h
        leaning = self.sigma * (self.up - self.down)
        diagonal = leaning - self.up * self.u - self.down * self.l + self.diagonal * y
        both = self.up[1:] * self.l[:-1]
        above, below = self.beside * y[1:], self.beside * y[:-1]
        slope[:, at, at] += _sums(diagonal).T
        slope[:, at[:-1], at[1:]] += _sums(both - above).T
        slope[:, at[1:], at[:-1]] += _sums(both - below).T
        if self.p:
            plain = leaning - self.up * self.d[:-1] + self.down * self.d[1:]
            columns = plain + self.total * y
            rows = plain + self.diagonal * y
            rows[:-1] -= above
            rows[1:] -= below
            slope[:, at, m:] -= _moment(rows, x).transpose(1, 0, 2)
            slope[:, m:, at] -= _moment(columns, x).transpose(1, 2, 0)
            slope[:, m:, m:] += self._second(columns.sum(axis=0))

    def _add_bent(self, bent: Floats) -> None:
        m, p, at, x = self.m, self.p, self.at, self.part.x
        half = 0.5 * self.sigma
        diagonal = self.diagonal * half
        above, below = -self.beside * half[1:], -self.beside * half[:-1]
        for values, s, j in (
            (diagonal, at, at),
            (above, at[:-1], at[1:]),
            (below, at[1:], at[:-1]),
        ):
            bent[:, s, j, j] += _sums(values).T
            if p:
                first = _moment(values, x)
                bent[:, s, j, m:] -= first.transpose(1, 0, 2)
                # Here numpy puts the indices that are parted by a slice first.
                bent[:, s, m:, j] -= first
        if not p:
            return
        columns = self.total * half
        rows = diagonal
        rows[:-1] += above
        rows[1:] += below
        bent[:, at, m:, m:] += self._second(rows).transpose(1, 0, 2, 3)
        bent[:, m:, at, at] -= _moment(columns, x).transpose(1, 2, 0)
        second = self._second(columns)
        bent[:, m:, at, m:] += second.transpose(1, 2, 0, 3)
        bent[:, m:, m:, at] += second.transpose(1, 2, 3, 0)
        bent[:, m:, m:, m:] -= self._third(columns.sum(axis=0))

    def _add_cubes(self, cubes: Floats) -> None:
        m, p, at, x = self.m, self.p, self.at, self.part.x
        left, right = at[:-1], at[1:]
        weighted, u, l, d = self.weighted, self.u, self.l, self.d  # noqa: E741
        cubes[:, at, at, at] += _sums(weighted * (u * u - l * l)).T
        high, low = -_sums(self.beside * u[1:]).T, _sums(self.beside * l[:-1]).T
        for i, j, k in ((left, right, right), (right, left, right), (right, right, left)):
            cubes[:, i, j, k] += high
        for i, j, k in ((left, left, right), (left, right, left), (right, left, left)):
            cubes[:, i, j, k] += low
        if not p:
            return
        same = -_moment(weighted * (u * d[:-1] + l * d[1:]), x)
        next_to = _moment(self.beside * d[1:-1], x)
        for i, j, first in ((at, at, same), (left, right, next_to), (right, left, next_to)):
            cubes[:, i, j, m:] += first.transpose(1, 0, 2)
            cubes[:, i, m:, j] += first
            cubes[:, m:, i, j] += first.transpose(1, 2, 0)
        squares = d * d
        second = self._second(weighted * (squares[:-1] - squares[1:]))
        cubes[:, at, m:, m:] += second.transpose(1, 0, 2, 3)
        cubes[:, m:, at, m:] += second.transpose(1, 2, 0, 3)
        cubes[:, m:, m:, at] += second.transpose(1, 2, 3, 0)
        skew = np.einsum("crn,crn,crn->rn", self.share, squares, d)
        cubes[:, m:, m:, m:] -= self._third(self.part.weights * skew)

    def _second(self, values: Floats) -> Floats:
        """Sums over outcomes of values (.., R, n) times x x', shape (.., R, p, p)."""
        p = self.p
        outer = self.moments[..., 1 + p : 1 + p + p * p]
        return _moment(values, outer).reshape(*values.shape[:-1], p, p)

    def _third(self, values: Floats) -> Floats:
        """Sums over outcomes of values (R, n) times x x x', shape (R, p, p, p)."""
        p = self.p
        triple = self.moments[..., 1 + p + p * p :]
        return _moment(values, triple).reshape(len(values), p, p, p)


def _sums(values: Floats) -> Floats:
    """Sums over outcomes, (.., R, n) to (.., R)."""
    return values @ np.ones(values.shape[-1])


def _moment(values: Floats, columns: Floats) -> Floats:
    """Sums over outcomes of values (.., R, n) times columns (n, c) or (R, n, c): (.., R, c)."""
    if columns.ndim == 2:
        return values @ columns
    if values.ndim == 2:
        return (values[:, None, :] @ columns)[:, 0]
    return (values.swapaxes(0, 1) @ columns).swapaxes(0, 1)


def _each(coefficients: Floats, columns: Floats) -> Floats:
    """Columns (n, c) or (R, n, c) times the coefficients (R, c) of a replicate, shape (R, n)."""
    if columns.ndim == 2:
        return coefficients @ columns.T
    return (columns @ coefficients[:, :, None])[:, :, 0]


def _inverses(matrices: Floats) -> tuple[Floats, Booleans]:
    """Inverses of positive definite matrices (R, q, q), and which of them are."""
    regular = np.ones(len(matrices), dtype=bool)
    try:
        factors = np.linalg.cholesky(matrices)
    except np.linalg.LinAlgError:
        factors = np.repeat(np.eye(matrices.shape[1])[None], len(matrices), axis=0)
        for r, matrix in enumerate(matrices):
            try:
                factors[r] = np.linalg.cholesky(matrix)
            except np.linalg.LinAlgError:
                regular[r] = False
    factors = np.linalg.inv(factors)
    return factors.transpose(0, 2, 1) @ factors, regular
