"""Newton's method for many proportional-odds likelihoods at once, one column for each.

The likelihood is that of `captem.ordinal`: with margins a = design @ parameters at the finite ends
of outcomes and widths d = gaps @ parameters between the two ends of an outcome,

    l = sum w log F(a) + sum w log(1 - exp(-d)),

so that the gradient is design' (w F(-a)) + gaps' (w r) and the observed information
design' diag(w F(a) F(-a)) design + gaps' diag(w r (1 + r)) gaps, with r = 1/(exp(d) - 1).

Near the maximum no logarithm is needed to know that a full step rises. The third derivative of
log F(a) is at most its second in size, so over a move of at most 1 the curvature of a term grows at
most e^t-fold, and the second-order term of its Taylor expansion at most (e - 2) / (1/2)-fold. For
log(1 - exp(-d)) the third derivative is coth(d/2) times the second, and over a move of at most 1/2
and 2/5 of d the curvature grows at most exp(t/2) / (1 - 2t/5)^2-fold, the second-order term less
than 1.8-fold. A Newton step promises the gain G = gradient'step = step'information step; it then
keeps at least G - 1.8 G / 2 = G / 10.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from captem.ordinal_data import Booleans, Floats, Integers

_MAX_ITERATIONS = 100
_MAX_HALVINGS = 12


@dataclass(frozen=True, eq=False)
class Columns:
    """R likelihoods with q parameters, the first m of them thresholds.

    Attributes:
        design: shape (ends, q).
        gaps: shape (g, q), each the difference of two thresholds.
        weights: shape (ends, R).
        gap_weights: shape (g, R).
        varying: where the last parameter has a design column of its own in each likelihood, that
            column, shape (ends, R); the last column of `design` is then 0.
        free: shape (m - 1, R), thresholds k and k + 1 are kept apart by nothing.
    """

    design: Floats
    gaps: Floats
    weights: Floats
    gap_weights: Floats
    varying: Floats | None
    free: Booleans

    def only(self, chosen: Booleans | Integers) -> Columns:
        """Some of the likelihoods."""
        return Columns(
            self.design,
            self.gaps,
            self.weights[:, chosen],
            self.gap_weights[:, chosen],
            None if self.varying is None else self.varying[:, chosen],
            self.free[:, chosen],
        )

    def margins(self, parameters: Floats) -> Floats:
        """Ends of the outcomes, shape (ends, R), linear in the parameters (q, R)."""
        ends = self.design @ parameters
        if self.varying is not None:
            ends += self.varying * parameters[-1]
        return ends

    def widths(self, parameters: Floats) -> Floats:
        """Threshold gaps, shape (g, R)."""
        return self.gaps @ parameters


class Found(NamedTuple):
    """Where each search ended.

    `parameters` (q, R), `loglik` (R,); `converged`, `diverged` (R,), neither where the search gave
    up; `hit` (R,) is k where a step would have brought free thresholds k and k + 1 together, or -1.
    """

    parameters: Floats
    loglik: Floats
    converged: Booleans
    diverged: Booleans
    hit: Integers


def maximise(columns: Columns, start: Floats) -> Found:
    """Maximise every likelihood from `start` (q, R).

    The stopping rules are those of `ordinal`: progress is measured on the margins, and steps that
    still move them by more than 0.1 while the likelihood gains nothing mean separation. A step that
    moves them by less than 1e-6 is taken and is the last, since the next would be its square.
    """
    q, size = start.shape
    found = Found(
        np.full((q, size), np.nan),
        np.full(size, np.nan),
        np.zeros(size, dtype=bool),
        np.zeros(size, dtype=bool),
        np.full(size, -1, dtype=np.int64),
    )
    pairs = np.tril_indices(q)
    end_products = (columns.design[:, pairs[0]] * columns.design[:, pairs[1]]).T.copy()
    gap_products = (columns.gaps[:, pairs[0]] * columns.gaps[:, pairs[1]]).T.copy()
    names = np.arange(size)
    parameters = start
    margins, widths = columns.margins(parameters), columns.widths(parameters)
    odds = _odds(margins)
    for _ in range(_MAX_ITERATIONS):
        slope, bend, ratio, curve = _slopes(columns, widths, odds)
        gradient = columns.design.T @ slope + columns.gaps.T @ ratio
        packed = end_products @ bend + gap_products @ curve
        if columns.varying is not None:
            tilted = bend * columns.varying
            gradient[-1] = np.einsum("er,er->r", slope, columns.varying)
            packed[-q:] = columns.design.T @ tilted
            packed[-1] = np.einsum("er,er->r", tilted, columns.varying)
        step = solve(packed, gradient)
        gain = np.einsum("qr,qr->r", gradient, step)
        shift, change = columns.margins(step), columns.widths(step)
        moved = np.maximum(shift.max(axis=0, initial=0.0), -shift.min(axis=0, initial=0.0))
        # Outcomes that a replicate does not have cannot hold it back; they matter only at the end.
        late = np.flatnonzero((gain < 1e-10) & (moved >= 1e-6))
        if len(late):
            present = columns.weights[:, late] > 0.0
            moved[late] = np.abs(shift[:, late] * present).max(axis=0, initial=0.0)

        lost = ~(gain >= 0.0)
        crossing = _crossing(columns, parameters, step)
        arrived = ~lost & (crossing < 0) & (moved < 1e-6)
        arrived |= ~lost & (crossing < 0) & (moved < 1e-5) & (gain < 1e-20)
        astray = ~lost & ~arrived & (gain <= 1e-13) & (moved > 0.1)
        stopped = lost | arrived | astray | (crossing >= 0)
        if stopped.any():
            where = names[stopped]
            found.parameters[:, where] = parameters[:, stopped] + np.where(
                arrived[stopped], step[:, stopped], 0.0
            )
            found.loglik[where] = _value(
                columns.only(stopped), widths[:, stopped], odds[:, stopped]
            )
            found.converged[where] = arrived[stopped]
            found.diverged[where] = astray[stopped]
            found.hit[where] = np.where(lost, -1, crossing)[stopped]
            going = ~stopped
            if not going.any():
                return found
            columns, names = columns.only(going), names[going]
            parameters, step, gain = parameters[:, going], step[:, going], gain[going]
            margins, shift, moved = margins[:, going], shift[:, going], moved[going]
            widths, change, odds = widths[:, going], change[:, going], odds[:, going]

        length = np.ones(len(names))
        unsure = np.flatnonzero(~_surely_rises(moved, widths, change))
        if len(unsure):
            length[unsure] = _lengths(
                columns.only(unsure),
                margins[:, unsure],
                widths[:, unsure],
                shift[:, unsure],
                change[:, unsure],
                gain[unsure],
            )
        parameters = parameters + length * step
        margins, widths = margins + length * shift, widths + length * change
        odds = _odds(margins)
        going = length > 0.0
        if not going.all():
            # No length was enough: given up, neither converged nor diverged.
            if not going.any():
                return found
            columns, names, parameters = columns.only(going), names[going], parameters[:, going]
            margins, widths, odds = margins[:, going], widths[:, going], odds[:, going]
    return found


def gradients(columns: Columns, parameters: Floats) -> Floats:
    """Derivatives of every log-likelihood in the parameters of `design`, shape (q, R)."""
    margins, widths = columns.margins(parameters), columns.widths(parameters)
    slope, _, ratio, _ = _slopes(columns, widths, _odds(margins))
    return np.asarray(columns.design.T @ slope + columns.gaps.T @ ratio)


def solve(packed: Floats, right: Floats) -> Floats:
    """Solve A y = b for every column by a Cholesky factorisation.

    Args:
        packed: the lower triangle of A by rows, shape (q (q + 1) / 2, R).
        right: b, shape (q, R).

    Returns:
        y, shape (q, R); NaN where A is not positive definite.
    """
    q, size = right.shape
    factor = np.empty((q + 1, q, size))
    # b as one more row of A comes out of the factorisation solved forwards.
    factor[q] = right
    at = 0
    for row in range(q):
        factor[row, : row + 1] = packed[at : at + row + 1]
        at += row + 1
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        for j in range(q):
            below = factor[j:, j]
            if j:
                below -= np.einsum("ikr,kr->ir", factor[j:, :j], factor[j, :j])
            below /= np.sqrt(np.where(below[0] > 0.0, below[0], np.nan))
        solution = factor[q].copy()
        for j in reversed(range(q)):
            solution[j] /= factor[j, j]
            if j:
                solution[:j] -= factor[j, :j] * solution[j]
    return solution


def _odds(margins: Floats) -> Floats:
    """F(-a)/F(a) = exp(-a), of which every other function of a margin is made."""
    odds = np.minimum(-margins, 700.0)
    return np.exp(odds, out=odds)


def _value(columns: Columns, widths: Floats, odds: Floats) -> Floats:
    """The log-likelihoods; NaN where a width that is needed is negative."""
    value = -np.einsum("er,er->r", columns.weights, np.log(1.0 + odds))
    with np.errstate(invalid="ignore", divide="ignore"):
        logs = np.log(-np.expm1(-widths))
    value += np.where(columns.gap_weights > 0.0, columns.gap_weights * logs, 0.0).sum(axis=0)
    return np.asarray(value)


def _surely_rises(moved: Floats, widths: Floats, change: Floats) -> Booleans:
    """Whether a full step is so short that the likelihood must rise; see the module docstring."""
    size = np.abs(change)
    small = (size <= 0.5) & (size <= 0.4 * widths)
    return np.asarray((moved <= 1.0) & small.all(axis=0))


def _lengths(
    columns: Columns, margins: Floats, widths: Floats, shift: Floats, change: Floats, gain: Floats
) -> Floats:
    """Halve steps until the likelihood rises by a part of what the gradient promises; else 0."""
    value = _value(columns, widths, _odds(margins))
    length = np.ones(len(gain))
    short = np.arange(len(gain))
    for _ in range(_MAX_HALVINGS):
        part = columns if len(short) == len(gain) else columns.only(short)
        ends = margins[:, short] + length[short] * shift[:, short]
        gaps = widths[:, short] + length[short] * change[:, short]
        ahead = _value(part, gaps, _odds(ends))
        before = value[short]
        enough = before + 1e-4 * length[short] * gain[short] - 1e-13 * (1.0 + np.abs(before))
        # NaN is not enough.
        short = short[~(ahead >= enough)]
        if not len(short):
            return length
        length[short] *= 0.5
    length[short] = 0.0
    return length


def _slopes(
    columns: Columns, widths: Floats, odds: Floats
) -> tuple[Floats, Floats, Floats, Floats]:
    """First derivatives and curvatures of the terms, at the ends and at the gaps."""
    success = 1.0 / (1.0 + odds)
    slope = odds * success
    slope *= columns.weights
    bend = slope * success
    apart = np.where(columns.gap_weights > 0.0, np.minimum(widths, 700.0), 1.0)
    plain = 1.0 / np.expm1(apart)
    ratio = columns.gap_weights * plain
    return slope, bend, ratio, ratio * (1.0 + plain)


def _crossing(columns: Columns, parameters: Floats, step: Floats) -> Integers:
    """The first pair of free thresholds that a full step would bring together, or -1."""
    size = parameters.shape[1]
    if not columns.free.any():
        return np.full(size, -1, dtype=np.int64)
    m = len(columns.free) + 1
    slack, change = np.diff(parameters[:m], axis=0), np.diff(step[:m], axis=0)
    closes = columns.free & (change < 0.0) & (slack + change <= 0.0)
    lengths = np.where(closes, slack / np.where(closes, -change, 1.0), np.inf)
    return np.where(closes.any(axis=0), lengths.argmin(axis=0), -1)
