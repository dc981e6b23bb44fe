"""Standard errors and degrees of freedom of the random-intercept model for small samples.

Kenward & Roger 1997, Biometrics 53:983-997; Satterthwaite's degrees of freedom as in Giesbrecht &
Burns 1985, Biometrics 41:477-486. The model and its notation are in `mixed_linear`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from captem import grouped
from captem.grouped import Floats, Integers


@dataclass(frozen=True, eq=False)
class Data:
    """The sufficient statistics, columns X then y.

    `within` (q + 1, q + 1) is a triangular root of the cross product of deviations from group
    means, `means` (g, q + 1) are the group means, `sizes` (g,).
    """

    within: Floats
    means: Floats
    sizes: Integers
    within_df: int
    within_residual: float
    n: int
    q: int


@dataclass(frozen=True, eq=False)
class Solution:
    """Generalised least squares at one variance ratio, in standardised columns.

    `root` is triangular with root'root = X'H^-1 X; `quadratic` is Q.
    """

    ratio: float
    beta: Floats
    root: Floats
    quadratic: float


@dataclass(frozen=True, eq=False)
class Inference:
    """What `mixed_linear.LinearMixedFit` says under the same names, for the columns as given."""

    covariance: Floats
    adjusted: Floats
    kenward_roger_df: Floats
    satterthwaite_df: Floats
    gradient: float
    condition_number: float


def kenward_roger(data: Data, design: grouped.Design, at: Solution) -> Inference:
    """Return Kenward and Roger's covariance and degrees of freedom, and Satterthwaite's.

    `at` is the REML solution with a positive variance ratio.

    V = theta_1 G_1 + theta_2 G_2 with G_1 = tau2 ZZ' and G_2 = sigma2 I at their estimates, so that
    theta = (1, 1): linear in theta, as the paper's formulas without second derivatives ask. In the
    paper's notation, with Phi = (X'V^-1 X)^-1,

        P_r = -X'V^-1 G_r V^-1 X,    Q_rs = X'V^-1 G_r V^-1 G_s V^-1 X,
        2 I_rs = tr(V^-1 G_r V^-1 G_s) - tr(2 Phi Q_rs - Phi P_r Phi P_s),    W = I^-1,
        Phi_A = Phi + 2 Phi [sum_rs W_rs (Q_rs - P_r Phi P_s)] Phi.

    For one coefficient c'beta, A_1 = A_2 = A, their moment equations give the scale 1 and
    m = 2 / A degrees of freedom,

        A = sum_rs W_rs (c'Phi P_r Phi c) (c'Phi P_s Phi c) / (c'Phi c)^2.

    Satterthwaite's have the observed instead of the expected information I,
    I_obs = -I + y'P G_r P G_s P y, with P = V^-1 - V^-1 X Phi X'V^-1.

    In a group, V^-1 G_r has the same eigenvectors as V: the value is 0 (r = 1) or 1 (r = 2) within,
    and d_1 = n_i tau2 / (sigma2 + n_i tau2) or d_2 = 1 - d_1 between. That is `parts` and `shares`.
    """
    q, sizes = data.q, data.sizes
    sigma2 = at.quadratic / (data.n - q)
    a = 1.0 / sigma2
    b = a / (1.0 + at.ratio * sizes)
    parts = np.array([0.0, 1.0])
    shares = np.vstack([at.ratio * sizes, np.ones(len(sizes))]) / (1.0 + at.ratio * sizes)

    means, residual_means = data.means[:, :q], data.means[:, q] - data.means[:, :q] @ at.beta
    inner = data.within[:, :q]
    residual_within = data.within[:, q] - inner @ at.beta
    cross = inner.T @ inner

    def between(weights: Floats) -> Floats:
        return np.asarray((means.T * (weights * sizes)) @ means)

    phi = _inverse(at.root) * sigma2
    p = [-(parts[r] * a * cross + between(b * shares[r])) for r in (0, 1)]
    expected, observed = np.empty((2, 2)), np.empty((2, 2))
    bias = np.empty((2, 2, q, q))
    # X'V^-1 G_r V^-1 (y - Xb).
    tilt = [
        means.T @ (sizes * b * shares[r] * residual_means)
        + parts[r] * a * inner.T @ residual_within
        for r in (0, 1)
    ]
    squares = float(residual_within @ residual_within)
    for r in (0, 1):
        for s in (0, 1):
            both, product = parts[r] * parts[s], shares[r] * shares[s]
            q_rs = both * a * cross + between(b * product)
            bias[r, s] = q_rs - p[r] @ phi @ p[s]
            trace = both * (data.n - len(sizes)) + product.sum()
            trace -= np.trace(2.0 * phi @ q_rs - phi @ p[r] @ phi @ p[s])
            expected[r, s] = 0.5 * trace
            quadratic = float(np.sum(sizes * b * product * residual_means**2)) + both * a * squares
            observed[r, s] = quadratic - tilt[r] @ phi @ tilt[s] - 0.5 * trace
    w = np.linalg.inv(expected)
    adjusted = phi + 2.0 * phi @ np.einsum("rs,rsij->ij", w, bias) @ phi

    t = design.to_given
    variance = np.einsum("ki,ij,kj->k", t, phi, t)
    # Derivatives of c'Phi c in theta, one row a coefficient.
    change = np.column_stack([np.einsum("ki,ij,kj->k", t, -phi @ p[r] @ phi, t) for r in (0, 1)])
    gradient = [
        0.5
        * (
            np.sum(sizes * b * shares[r] * residual_means**2)
            + parts[r] * (a * squares - (data.n - len(sizes)))
            - shares[r].sum()
            - np.trace(phi @ p[r])
        )
        for r in (0, 1)
    ]
    return Inference(
        covariance=t @ phi @ t.T,
        adjusted=t @ adjusted @ t.T,
        kenward_roger_df=_df(variance, change, w),
        satterthwaite_df=_df(variance, change, np.linalg.inv(observed)),
        gradient=float(np.abs(gradient).max()),
        condition_number=design.condition_number(at.root.T @ at.root),
    )


def _df(variance: Floats, change: Floats, w: NDArray) -> Floats:
    """2 (c'Phi c)^2 / var(c'Phi c), the variance by the delta method."""
    return np.asarray(2.0 * variance**2 / np.einsum("kr,rs,ks->k", change, w, change))


def least_squares(data: Data, design: grouped.Design, at: Solution) -> Inference:
    """Return the covariance sigma2 (X'X)^-1 and n - q degrees of freedom of least squares."""
    free = data.n - data.q
    t = design.to_given
    covariance = t @ (_inverse(at.root) * at.quadratic / free) @ t.T
    df = np.where(np.isnan(t).any(axis=1), np.nan, float(free))
    condition = design.condition_number(at.root.T @ at.root)
    return Inference(covariance, covariance, df, df, 0.0, condition)


def nothing_known(design: grouped.Design) -> Inference:
    """Return NaN for everything."""
    k = len(design.to_given)
    empty = np.full((k, k), np.nan)
    return Inference(empty, empty, empty[0], empty[0], math.nan, math.nan)


def _inverse(root: Floats) -> Floats:
    """(root'root)^-1 of a triangular root."""
    half = np.linalg.inv(root)
    return np.asarray(half @ half.T)
