"""The log-likelihood of the cumulative link mixed model, by adaptive Gauss-Hermite quadrature.

Lesion j of patient i, given the patient's effect u_i = sigma * v_i with v_i ~ N(0, 1):

    logit P(Y_ij <= k | v_i) = theta_k - x_ij'beta - sigma * v_i

(Hedeker & Gibbons 1994, Biometrics 50:933-944). As in `captem.ordinal`, an outcome in `low..high`
contributes F(a) * F(-b) * (1 - exp(-(a - b))) with a = theta_high - eta and b = theta_{low-1} -
eta. The last factor is free of v_i as well as of eta, and leaves the integral. With one row r for
each finite end of an outcome, m_r its margin without the patient's effect (a, or -b), and z_r = -1
for an upper end and +1 for a lower one, the likelihood of patient i is

    L_i = integral of exp(g_i(v)) dv / sqrt(2 pi),    g_i(v) = sum_r log F(m_r + z_r sigma v)
                                                              - v^2 / 2.

g_i is strictly concave. With v^ its mode, H = -g''(v^), c = 1 / sqrt(H), and t_k, w_k the nodes and
weights of the Gauss-Hermite rule for a standard normal variable (sum w_k = 1), the adaptive rule is

    L_i = c * sum_k w_k exp(t_k^2 / 2) exp(g_i(v^ + c t_k))

(Liu & Pierce 1994, Biometrika 81:624-629; Pinheiro & Bates 1995, JCGS 4:12-35). One node gives
Laplace's approximation c * exp(g_i(v^)).

The gradient below is that of the rule itself: v^ and c move with the parameters. With f = F(-m),
w = f (1 - f) and w' = dw/dm = w (2 f - 1) at a row's end, the implicit function theorem gives

    dv^ = d(g')/H,    d log c = -dH / (2 H),    H = 1 + sigma^2 sum_r w_r.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_expit

from captem.ordinal_likelihood import Likelihood

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MOST_NODES = 200
_STEP = 1e-4
_MODE_ITERATIONS = 200
_NEARLY = 1e-9


class Value(NamedTuple):
    """The log-likelihood, its gradient in (theta, beta, sigma), and the modes v^ of the groups."""

    loglik: float
    gradient: Floats
    modes: Floats


@dataclass(frozen=True, eq=False)
class Panel:
    """Outcome ends sorted by group, and a quadrature rule.

    Attributes:
        likelihood: the ends and threshold gaps as `captem.ordinal` keeps them, rows sorted by
            group, without weights; q columns (theta, beta).
        side: z_r, shape (R,).
        owner: group of each row, 0..G-1 in rising order, shape (R,).
        first: first row of each group, shape (G,).
        nodes, log_weights: t_k and log w_k + t_k^2 / 2, shape (K,).
    """

    likelihood: Likelihood
    side: Floats
    owner: Integers
    first: Integers
    nodes: Floats
    log_weights: Floats

    def mapped(self, basis: Floats) -> Panel:
        """The same panel in the parameters xi, where (theta, beta) = basis @ xi."""
        return replace(self, likelihood=self.likelihood.mapped(basis))

    def without(self, index: int, value: float = 0.0) -> Panel:
        """The same panel with parameter `index` held at `value`."""
        offset = self.likelihood.offset + value * self.likelihood.design[:, index]
        return replace(self, likelihood=replace(self.likelihood.without(index), offset=offset))

    def with_nodes(self, count: int) -> Panel:
        """The same panel with another number of nodes."""
        nodes, log_weights = rule(count)
        return replace(self, nodes=nodes, log_weights=log_weights)

    def at(self, parameters: Floats) -> Value:
        """Log-likelihood, gradient and modes at (theta, beta, sigma), shape (q + 1,).

        sigma may be 0, where the model has no patient effect, or negative: the likelihood depends
        on its square alone. Where a threshold gap is not positive the log-likelihood is -inf.
        """
        widths = self.likelihood.gaps @ parameters[:-1]
        if widths.size and widths.min() <= 0.0:
            return Value(-math.inf, np.zeros(len(parameters)), np.zeros(len(self.first)))
        loglik, gradient, modes = (part[0] for part in self._integrated(parameters[None, :]))
        logs = self.likelihood.gap_weights @ np.log(-np.expm1(-widths))
        gradient[:-1] += (self.likelihood.gap_weights * _ratio(widths)) @ self.likelihood.gaps
        return Value(float(loglik) + float(logs), gradient, modes)

    def information(self, parameters: Floats) -> Floats:
        """Observed information in (theta, beta, sigma), shape (q + 1, q + 1).

        Central differences of the analytic gradient; the threshold gaps, whose curvature has no
        bound, are differentiated analytically.
        """
        moves = _STEP * np.eye(len(parameters))
        # The modes move little: those found here are where the searches around start.
        margins = (self.likelihood.design @ parameters[:-1] + self.likelihood.offset)[None, :]
        modes = self._modes(margins, parameters[-1:])
        around = parameters + np.vstack([-moves, moves])
        below, above = np.split(self._integrated(around, modes)[1], 2)
        found = (below - above) / (2.0 * _STEP)
        found = (found + found.T) / 2.0
        ratio = _ratio(self.likelihood.gaps @ parameters[:-1])
        slope = self.likelihood.gap_weights * ratio * (1.0 + ratio)
        found[:-1, :-1] += (self.likelihood.gaps.T * slope) @ self.likelihood.gaps
        return found

    def _integrated(
        self, parameters: Floats, near: Floats | None = None
    ) -> tuple[Floats, Floats, Floats]:
        """The part that depends on the patients, sum_i log L_i, for many parameters at once.

        Parameters
        ----------
        parameters : (M, q + 1) of M points.
        near : (1, G) where the searches of the modes start.

        Returns
        -------
        log-likelihood (M,), gradient (M, q + 1) and modes (M, G).
        """
        sigma = parameters[:, -1:]
        pulls = self.side * sigma
        margins = parameters[:, :-1] @ self.likelihood.design.T + self.likelihood.offset
        modes = self._modes(margins, parameters[:, -1], near)

        f = expit(-(margins + pulls * modes[:, self.owner]))
        w = f * (1.0 - f)
        w_slope = w * (2.0 * f - 1.0)
        total_w = self._summed(w)
        total_zw_slope = self._summed(self.side * w_slope)
        curvature = 1.0 + sigma**2 * total_w
        spread = 1.0 / np.sqrt(curvature)

        v = modes[:, :, None] + spread[:, :, None] * self.nodes
        ends = margins[:, :, None] + pulls[:, :, None] * v[:, self.owner]
        failure = expit(-ends)
        terms = self.log_weights + self._summed(log_expit(ends)) - v**2 / 2.0
        top = terms.max(axis=2, keepdims=True)
        shares = np.exp(terms - top)
        whole = shares.sum(axis=2, keepdims=True)
        shares /= whole
        loglik = np.sum(np.log(spread) + top[:, :, 0] + np.log(whole[:, :, 0]), axis=1)

        # d log L = sum_k share_k (explicit part) + on_mode * d(g') - on_curvature * (explicit dH).
        pull = self._summed(self.side[:, None] * failure)
        slope = sigma[:, :, None] * pull - v
        from_spread = (1.0 + spread * (shares * slope * self.nodes).sum(axis=2)) / 2.0
        on_curvature = from_spread / curvature
        along = (shares * slope).sum(axis=2) - on_curvature * sigma**3 * total_zw_slope
        on_mode = along / curvature

        rows = (shares[:, self.owner] * failure).sum(axis=2)
        rows -= pulls * w * on_mode[:, self.owner]
        rows -= sigma**2 * w_slope * on_curvature[:, self.owner]
        gradient = np.empty(parameters.shape)
        gradient[:, :-1] = rows @ self.likelihood.design
        mode_pull = self._summed(self.side * f) - sigma * modes * total_w
        curvature_rise = 2.0 * sigma * total_w + sigma**2 * modes * total_zw_slope
        gradient[:, -1] = np.sum(
            (shares * v * pull).sum(axis=2) + on_mode * mode_pull - on_curvature * curvature_rise,
            axis=1,
        )
        return loglik, gradient, modes

    def _modes(self, margins: Floats, sigma: Floats, near: Floats | None = None) -> Floats:
        """v^ of each group, shape (M, G): Newton's method inside a bracket, all groups at once.

        0 = g'(v) = sigma sum_r z_r F(-m_r - z_r sigma v) - v, so |v^| <= |sigma| * rows. The
        bracket is halved instead where Newton's step leaves it or is not half the one before.
        `margins` has the shape (M, R), `sigma` (M,).
        """
        sigma = sigma[:, None]
        high = abs(sigma) * self._summed(np.ones((1, len(self.owner))))
        low = -high
        modes = np.zeros(high.shape) if near is None else np.clip(near, low, high)
        before = high - low
        for _ in range(_MODE_ITERATIONS):
            f = expit(-(margins + self.side * sigma * modes[:, self.owner]))
            slope = sigma * self._summed(self.side * f) - modes
            step = slope / (1.0 + sigma**2 * self._summed(f * (1.0 - f)))
            low = np.where(slope > 0.0, modes, low)
            high = np.where(slope < 0.0, modes, high)
            ahead = modes + step
            slow = (ahead <= low) | (ahead >= high) | (np.abs(step) > before / 2.0)
            halved = slow & (np.abs(step) > _NEARLY)
            ahead = np.where(halved, (low + high) / 2.0, ahead)
            before = np.abs(ahead - modes)
            modes = ahead
            # Newton's error is squared by the step that is taken last.
            if np.abs(step).max(initial=0.0) <= _NEARLY:
                break
        return modes

    def _summed(self, rows: Floats) -> Floats:
        """Sums over the rows of each group; the rows are the second axis."""
        return np.add.reduceat(rows, self.first, axis=1)


@cache
def rule(count: int) -> tuple[Floats, Floats]:
    """Nodes t_k and log w_k + t_k^2 / 2 of the Gauss-Hermite rule for a standard normal variable.

    >>> nodes, log_weights = rule(3)
    >>> weights = np.exp(log_weights - nodes**2 / 2)
    >>> [round(float(weights @ nodes**power), 12) for power in (0, 1, 2, 4)]
    [1.0, 0.0, 1.0, 3.0]

    Raises:
        ValueError: not a whole number from 1 to 200.
    """
    if isinstance(count, bool) or int(count) != count or not 1 <= count <= MOST_NODES:
        raise ValueError(f"There must be 1 to {MOST_NODES} quadrature nodes, not {count}.")
    nodes, weights = np.polynomial.hermite_e.hermegauss(int(count))
    log_weights = np.log(weights) - math.log(2.0 * math.pi) / 2.0 + nodes**2 / 2.0
    nodes.flags.writeable = log_weights.flags.writeable = False
    return nodes, log_weights


def panel(likelihood: Likelihood, upper_ends: int, members: Integers, count: int) -> Panel:
    """Sort the ends of a fixed-effects likelihood by group.

    Args:
        likelihood: its rows are `upper_ends` upper ends followed by the lower ends.
        members: group of each row, any integers, shape (R,).
        count: number of quadrature nodes.
    """
    order = np.argsort(members, kind="stable")
    first, owner = np.unique(members[order], return_index=True, return_inverse=True)[1:]
    side = np.where(order < upper_ends, -1.0, 1.0)
    nodes, log_weights = rule(count)
    return Panel(
        replace(
            likelihood,
            design=likelihood.design[order],
            weights=likelihood.weights[order],
            offset=likelihood.offset[order],
        ),
        side,
        owner,
        first,
        nodes,
        log_weights,
    )


def _ratio(widths: Floats) -> Floats:
    """d log(1 - exp(-width)) / d width."""
    return np.asarray(1.0 / np.expm1(np.minimum(widths, 700.0)))
