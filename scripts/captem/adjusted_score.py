"""The adjusted score of mean bias reduction in the proportional-odds model.

The model is logit P(Y <= j) = theta_j - x'beta; the adjusted score is U + A (Firth 1993,
Biometrika 80:27-38; Kosmidis & Firth 2009, Biometrika 96:793-804; for cumulative links Kosmidis
2014, JRSS B 76:169-196).

An outcome is a multinomial over the cells of a partition of the scale. Cell c lies between two
thresholds and has probability pi_c = F(a_c) - F(b_c), with a_c = theta_upper - eta and
b_c = theta_lower - eta; the derivatives of a_c and b_c in the parameters are the constant vectors
z_c and v_c, as in (0, .., 1, .., 0, -x). With f = F' and primes for derivatives in the parameters,

    g_c    = pi_c' / pi_c = (f(a_c) z_c - f(b_c) v_c) / pi_c,
    pi_c'' = f'(a_c) z_c z_c' - f'(b_c) v_c v_c'.

Let y_c be 1 in the cell that was observed and 0 elsewhere. Then, summing over outcomes and cells,

    U = sum y_c g_c,    I = sum pi_c g_c g_c'  (expected information),
    A_t = 1/2 tr{I^-1 (P_t + Q_t)},    P_t = E(U U' U_t),    Q_t = E(-J U_t), J observed.

Since the outcomes are independent and E(U) = 0 for each of them, the expectations are sums over
outcomes, and over the cells of each one, of pi_c g_c g_c' g_ct and of
(pi_c''/pi_c - g_c g_c') pi_c g_ct. The cubes cancel:

    P_t + Q_t = sum pi_c'' g_ct,    so    A = sum s_c g_c,
    s_c = 1/2 tr(I^-1 pi_c'') = 1/2 {f'(a_c) z_c' I^-1 z_c - f'(b_c) v_c' I^-1 v_c}.

The adjusted score is the score of the counts y_c + s_c, Kosmidis's pseudo-responses. An outcome of
weight w counts w times in every sum.

Nothing above asks for the same partition in every outcome. An outcome of known score
has every category as a cell. For one known only to lie in `low..high`, these categories are one
cell and every category outside is a cell of its own: had the score been outside, it would have been
known. This is a statement about what else could have been recorded, which the likelihood does not
need and an expectation cannot do without.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from captem.ordinal_data import Floats, Integers


@dataclass(frozen=True, eq=False)
class Partitions:
    """The cells of all outcomes, one after another; q parameters, thresholds first.

    `lower` and `upper` (cells,) count thresholds from 1; 0 and m + 1 stand for the infinite ones.
    `z` and `v` (cells, q) are the derivatives of the two ends, 0 for an infinite end.
    """

    rows: Integers
    lower: Integers
    upper: Integers
    observed: Floats
    weights: Floats
    z: Floats
    v: Floats
    x: Floats
    thresholds: int


@dataclass(frozen=True, eq=False)
class State:
    """Adjusted score, expected information and its inverse, log-likelihood; derivative if asked."""

    score: Floats
    information: Floats
    inverse: Floats
    loglik: float
    derivative: Floats | None


def partitions(lower: Integers, upper: Integers, m: int, x: Floats, w: Floats) -> Partitions:
    """Cut the scale at every threshold, but for those inside what an outcome may be.

    `lower` and `upper` (n,) index the m thresholds at an outcome's two ends, -1 and m stand for an
    infinite end; x is (n, p), w (n,).
    """
    edges = np.arange(-1, m)
    rows, first = np.nonzero((edges <= lower[:, None]) | (edges >= upper[:, None]))
    begin = first - 1
    observed = begin == lower[rows]
    end = np.where(observed, upper[rows], begin + 1)
    unit = np.vstack([np.zeros(m), np.eye(m), np.zeros(m)])

    def derivatives(thresholds: Integers) -> Floats:
        finite = (thresholds >= 0) & (thresholds < m)
        return np.hstack([unit[thresholds + 1], np.where(finite[:, None], -x[rows], 0.0)])

    return Partitions(
        rows=rows,
        lower=begin + 1,
        upper=end + 1,
        observed=observed.astype(float),
        weights=w[rows],
        z=derivatives(end),
        v=derivatives(begin),
        x=x,
        thresholds=m,
    )


def state_at(cells: Partitions, parameters: Floats, derivative: bool = False) -> State | None:
    """Evaluate the formulas of the module docstring; None where the information is singular.

    f(a)/pi = F(-a) + r and f(b)/pi = F(b) + r with r = 1/(exp(a - b) - 1), where a - b is a
    difference of thresholds: nothing nearly equal is subtracted. f' = f (1 - 2F) and
    f'' = f (1 - 6f).
    """
    m = cells.thresholds
    cuts = np.concatenate([[-np.inf], parameters[:m], [np.inf]])
    eta = (cells.x @ parameters[m:])[cells.rows]
    a, b = cuts[cells.upper] - eta, cuts[cells.lower] - eta
    width = cuts[cells.upper] - cuts[cells.lower]
    r = 1.0 / np.expm1(np.minimum(width, 700.0))
    below_a, above_a, below_b, above_b = expit(a), expit(-a), expit(b), expit(-b)
    share = below_a * above_b * -np.expm1(-width)
    u, l = above_a + r, below_b + r  # noqa: E741
    z, v, w = cells.z, cells.v, cells.weights
    g = u[:, None] * z - l[:, None] * v
    information = (g.T * (w * share)) @ g
    try:
        factor = np.linalg.inv(np.linalg.cholesky(information))
    except np.linalg.LinAlgError:
        return None
    inverse = factor.T @ factor
    tilted_z, tilted_v = z @ inverse, v @ inverse
    leverage_a, leverage_b = (tilted_z * z).sum(axis=1), (tilted_v * v).sum(axis=1)
    f_a, f_b = below_a * above_a, below_b * above_b
    skew_a, skew_b = above_a - below_a, above_b - below_b
    s = 0.5 * (f_a * skew_a * leverage_a - f_b * skew_b * leverage_b)
    count = w * (cells.observed + s)
    score = count @ g
    if not np.isfinite(score).all():
        return None
    seen = cells.observed > 0.0
    loglik = float(w[seen] @ np.log(share[seen]))
    if not derivative:
        return State(score, information, inverse, loglik, None)

    # I' = sum (pi'' g' + g pi'' - pi g g' g), then (z' I^-1 z)' = -z' I^-1 I' I^-1 z.
    weighted = w[:, None] * g
    q = len(parameters)
    bent = _triple(weighted, z, (f_a * skew_a)[:, None] * z)
    bent -= _triple(weighted, v, (f_b * skew_b)[:, None] * v)
    slope = bent + bent.transpose(1, 0, 2) - _triple(weighted * share[:, None], g, g)
    flat = slope.reshape(q * q, q)
    shift_a = -(tilted_z[:, :, None] * tilted_z[:, None, :]).reshape(-1, q * q) @ flat
    shift_b = -(tilted_v[:, :, None] * tilted_v[:, None, :]).reshape(-1, q * q) @ flat
    s_slope = 0.5 * (
        (f_a * (1.0 - 6.0 * f_a) * leverage_a)[:, None] * z
        - (f_b * (1.0 - 6.0 * f_b) * leverage_b)[:, None] * v
        + (f_a * skew_a)[:, None] * shift_a
        - (f_b * skew_b)[:, None] * shift_b
    )
    hessian = (
        weighted.T @ s_slope
        + (z.T * (count * u * skew_a)) @ z
        - (v.T * (count * l * skew_b)) @ v
        - (g.T * count) @ g
    )
    return State(score, information, inverse, loglik, hessian)


def _triple(first: Floats, second: Floats, third: Floats) -> Floats:
    """Sum over cells of first_a second_b third_r, shape (q, q, q)."""
    q = first.shape[1]
    pairs = (second[:, :, None] * third[:, None, :]).reshape(-1, q * q)
    return (first.T @ pairs).reshape(q, q, q)
