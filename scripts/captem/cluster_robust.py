"""Covariances of regression coefficients that are robust to correlation within clusters.

For cluster i with n_i rows: D_i (n_i, q) the derivatives of the means in the coefficients, V_i the
working covariance of the outcomes, e_i the residuals, and M = (sum_i D_i'V_i^-1 D_i)^-1. Then

    cov(b) = M [sum_i D_i'V_i^-1 A_i e_i e_i'A_i'V_i^-1 D_i] M,

with A_i = I (CR0: Liang & Zeger 1986, Biometrika 73:13-22), or an adjustment for the shrinkage of
residuals, whose covariance under the working model is G_i = V_i - D_i M D_i' instead of V_i:

    CR2: A_i = L_i B_i^{-1/2} L_i,  B_i = L_i G_i L_i,  L_i = V_i^{1/2},  so that A_i G_i A_i = V_i
         (Bell & McCaffrey 2002, Survey Methodology 28:169-181; Pustejovsky & Tipton 2018,
         J Bus Econ Stat 36:672-683; for generalised linear models with D and V at the estimate);
    CR3: A_i = V_i G_i^-1 = (I - D_i M D_i'V_i^-1)^-1
         (Mancl & DeRouen 2001, Biometrics 57:126-134).

Satterthwaite's degrees of freedom of one coefficient c'b under the working model (Pustejovsky &
Tipton 2018): with q_i = A_i'V_i^-1 D_i M c and the cluster by cluster matrix

    P_ij = q_i'(delta_ij V_i - D_i M D_j') q_j,    df = (tr P)^2 / sum_ij P_ij^2.

A common factor in all V_i, the scale, cancels everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from captem.grouped import Floats

_FULL_LEVERAGE = 1e-8
_VANISHED = 1e-14


@dataclass(frozen=True, eq=False)
class Cluster:
    """The rows of one cluster.

    Attributes:
        derivatives: D_i, shape (n_i, q).
        working: V_i up to a common factor, shape (n_i, n_i), positive definite.
        residuals: e_i, shape (n_i,).
    """

    derivatives: Floats
    working: Floats
    residuals: Floats


@dataclass(frozen=True, eq=False)
class Robust:
    """A covariance with degrees of freedom for c'b, c the rows of `contrasts` (k, q).

    Attributes:
        covariance: shape (k, k).
        df: Satterthwaite's degrees of freedom, shape (k,).
        support: tr P / c'Mc, shape (k,): the expected estimate of the variance under the working
            model over that variance. It is 1 for CR2 wherever every residual can vary, and below
            1 where some cannot, because a cluster alone decides a coefficient: the standard
            error is then too small, or 0.
    """

    covariance: Floats
    df: Floats
    support: Floats

    @property
    def standard_errors(self) -> Floats:
        """Square roots of the diagonal of `covariance`, shape (k,)."""
        return np.sqrt(np.diag(self.covariance))


@dataclass(frozen=True, eq=False)
class Sandwiches:
    """The three covariances, and the positions of clusters that decide some coefficient alone.

    With such a cluster G_i is singular: CR2 takes the generalised inverse, as clubSandwich does,
    and CR3 does not exist (NaN).
    """

    cr0: Robust
    cr2: Robust
    cr3: Robust
    full_leverage: tuple[int, ...]


def sandwiches(clusters: Sequence[Cluster], contrasts: Floats) -> Sandwiches:
    """Return CR0, CR2 and CR3 of the contrasts (k, q), with degrees of freedom.

    Args:
        clusters: all clusters of a fit whose sum of D_i'V_i^-1 D_i is positive definite.
        contrasts: rows c; a row of NaN gives NaN.

    Three independent outcomes with a common mean, each its own cluster: CR2 is the variance of a
    mean and has its 2 degrees of freedom.

    >>> one = [Cluster(np.ones((1, 1)), np.eye(1), np.array([e])) for e in (-1.0, 0.0, 1.0)]
    >>> found = sandwiches(one, np.eye(1))
    >>> found.cr2.covariance.round(6), found.cr2.df.round(6), found.cr2.support.round(6)
    (array([[0.333333]]), array([2.]), array([1.]))
    """
    weighted = [np.asarray(np.linalg.solve(c.working, c.derivatives)) for c in clusters]
    information = sum(c.derivatives.T @ w for c, w in zip(clusters, weighted, strict=True))
    model = np.asarray(np.linalg.inv(information))
    adjusted2: list[Floats] = []
    adjusted3: list[Floats | None] = []
    full: list[int] = []
    for position, (cluster, w) in enumerate(zip(clusters, weighted, strict=True)):
        second, third = _adjusted(cluster, w, model)
        adjusted2.append(second)
        adjusted3.append(third)
        if third is None:
            full.append(position)
    third_scores = [a for a in adjusted3 if a is not None]
    return Sandwiches(
        cr0=_robust(clusters, weighted, model, contrasts),
        cr2=_robust(clusters, adjusted2, model, contrasts),
        cr3=_unknown(contrasts) if full else _robust(clusters, third_scores, model, contrasts),
        full_leverage=tuple(full),
    )


def _adjusted(cluster: Cluster, weighted: Floats, model: Floats) -> tuple[Floats, Floats | None]:
    """A_i'V_i^-1 D_i, shape (n_i, q), for CR2 and CR3; None where G_i is singular."""
    values, vectors = np.linalg.eigh(cluster.working)
    root = (vectors * np.sqrt(values)) @ vectors.T
    inverse_root = (vectors / np.sqrt(values)) @ vectors.T
    standard = inverse_root @ cluster.derivatives
    # L^-1 G L^-1 has its eigenvalues in [0, 1] whatever the units: what is free to vary there.
    free = np.eye(len(root)) - standard @ model @ standard.T
    shrinkage, directions = np.linalg.eigh(free)
    held = int(np.sum(shrinkage < _FULL_LEVERAGE))

    values, vectors = np.linalg.eigh(cluster.working @ free @ cluster.working)
    # Where outcomes hardly vary under the model, rounding leaves no positive eigenvalue.
    held = max(held, int(np.sum(values <= _VANISHED * values[-1])))
    vectors = vectors[:, held:]
    half = (vectors / np.sqrt(values[held:])) @ vectors.T
    second = root @ half @ root @ weighted
    if held:
        return second, None
    # A'V^-1 D = G^-1 D = L^-1 free^-1 L^-1 D.
    third = inverse_root @ ((directions / shrinkage) @ directions.T) @ standard
    return second, third


def _robust(
    clusters: Sequence[Cluster], scores: Sequence[Floats], model: Floats, contrasts: Floats
) -> Robust:
    """The covariance and degrees of freedom from A_i'V_i^-1 D_i of each cluster."""
    meat = np.array([s.T @ c.residuals for c, s in zip(clusters, scores, strict=True)])
    bread = contrasts @ model
    variance = np.einsum("kq,kq->k", bread, contrasts)
    trace, squares = np.zeros(len(contrasts)), np.zeros(len(contrasts))
    # q_i'V_i q_i and D_i'q_i for every contrast: (g, k) and (g, k, q).
    own = np.empty((len(clusters), len(contrasts)))
    shared = np.empty((len(clusters), *contrasts.shape))
    for i, (cluster, score) in enumerate(zip(clusters, scores, strict=True)):
        q = score @ bread.T
        own[i] = np.einsum("nk,nm,mk->k", q, cluster.working, q)
        shared[i] = q.T @ cluster.derivatives
    for k in range(len(contrasts)):
        p = np.diag(own[:, k]) - shared[:, k] @ model @ shared[:, k].T
        trace[k], squares[k] = np.trace(p), np.sum(p * p)
    with np.errstate(divide="ignore", invalid="ignore"):
        df = trace**2 / squares
    rotated = meat @ bread.T
    return Robust(rotated.T @ rotated, df, trace / variance)


def _unknown(contrasts: Floats) -> Robust:
    k = len(contrasts)
    return Robust(np.full((k, k), np.nan), np.full(k, np.nan), np.full(k, np.nan))
