"""The maximum of the cumulative link mixed model's log-likelihood over theta, beta and sigma >= 0.

The likelihood depends on sigma^2 alone, so its slope in sigma vanishes at 0 whatever the data are:
sigma = 0, where the model is that of `captem.ordinal`, is a candidate of its own, and is compared
with the best maximum at sigma > 0. The latter is sought by Newton's method on the observed
information from several values of sigma, with thresholds and coefficients stretched from sigma = 0
by sqrt(1 + 0.346 sigma^2) (Zeger, Liang & Albert 1988, Biometrics 44:1049-1060).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial

import numpy as np

from captem import mixed_likelihood
from captem.mixed_likelihood import Floats, Panel
from captem.ordinal_likelihood import Maximum, merging, room

# Patients then make up 99.2 % of the latent variance (the logistic has pi^2 / 3); beyond, the
# quadrature would need more nodes than there are.
LARGEST_SIGMA = 20.0
# Errors of the log-likelihood: nodes are added down to the first, no more than the second is borne.
QUADRATURE_GOAL = 1e-4
QUADRATURE_TOLERANCE = 1e-3
_STARTS = ((0.1, 0.4, 1.0), (2.5, 6.0))
# (16 sqrt(3) / (15 pi))^2: how a logistic curve flattens when a normal variable is averaged out.
_FLATTENING = 0.3458
_GAIN_OF_SIGMA = 1e-8
_MAX_ITERATIONS = 100
_LONGEST_STEP = 3.0
# After a step as short, where sigma is 1 or more, the next step uses the information once more.
_SHORT = 0.03


@dataclass(frozen=True, eq=False)
class Peak:
    """Where a search ended, in standardised parameters.

    `parameters` are (theta, beta, sigma) in full, sigma >= 0; `gradient` and `information` are in
    them after merging the categories that are `closed`, as rows of `order`.
    """

    parameters: Floats
    loglik: float
    gradient: Floats
    curvature: Callable[[], Floats] = field(repr=False)
    converged: bool
    iterations: int
    closed: tuple[int, ...] = ()

    @cached_property
    def information(self) -> Floats:
        """Observed information; a profile of the likelihood has no use for it."""
        return self.curvature()

    @property
    def sigma(self) -> float:
        return float(self.parameters[-1])


def maximum(panel: Panel, plain: Maximum, estimated: bool) -> tuple[Panel, Peak]:
    """The maximum, and the panel with as many nodes as it took.

    Nodes are doubled as long as `quadrature_error` exceeds its goal, unless there is one.

    Args:
        panel: the likelihood.
        plain: its maximum at sigma = 0.
        estimated: whether sigma > 0 is allowed.
    """
    peak = better(search(panel, plain) if estimated else None, plain)
    while len(panel.nodes) > 1 and quadrature_error(panel, peak) > QUADRATURE_GOAL:
        more = finer(panel)
        if more is None:
            break
        panel = more
        peak = better(search(panel, plain), plain)
    return panel, peak


def better(interior: Peak | None, plain: Maximum) -> Peak:
    """The maximum with patient effects if it is higher, else that without."""
    if interior is not None and interior.loglik > plain.loglik + _GAIN_OF_SIGMA:
        return interior
    return Peak(
        np.append(plain.parameters, 0.0),
        plain.loglik,
        plain.gradient,
        lambda: plain.information,
        plain.converged,
        plain.iterations + (interior.iterations if interior else 0),
        plain.closed,
    )


def search(panel: Panel, plain: Maximum, start: Floats | None = None) -> Peak:
    """The best maximum that is found from the fit without patient effects, or from `start`.

    In a few patients the likelihood may have a maximum at a small sigma, or at 0, and a higher one
    at a large sigma. So both sides are climbed, unless a `start` leads to a higher one than 0.
    """
    if start is not None and 0.0 < start[-1] < LARGEST_SIGMA:
        found = _maximise(panel, start, list(plain.closed))
        if found.loglik > plain.loglik + _GAIN_OF_SIGMA:
            return found
    peaks: list[Peak] = []
    for sigmas in _STARTS:
        points = [
            np.append(plain.parameters * math.sqrt(1.0 + _FLATTENING * sigma**2), sigma)
            for sigma in sigmas
        ]
        best = max(points, key=lambda point: panel.at(point).loglik)
        peaks.append(_maximise(panel, best, list(plain.closed), peaks[0] if peaks else None))
    return max(peaks, key=lambda peak: peak.loglik)


def finer(panel: Panel) -> Panel | None:
    """The panel with twice its nodes and one more; None where there are none."""
    count = 2 * len(panel.nodes) + 1
    return panel.with_nodes(count) if count <= mixed_likelihood.MOST_NODES else None


def quadrature_error(panel: Panel, peak: Peak) -> float:
    """By how much other nodes change the log-likelihood at a maximum."""
    if peak.sigma == 0.0:
        return 0.0
    other = finer(panel) or panel.with_nodes(len(panel.nodes) // 2)
    return abs(other.at(peak.parameters).loglik - peak.loglik)


def _maximise(panel: Panel, start: Floats, closed: list[int], known: Peak | None = None) -> Peak:
    """Newton's method inside, a primal active set of emptied categories around it.

    The set stays empty unless some category is occupied by no outcome alone.
    """
    likelihood = panel.likelihood
    iterations, parameters = 0, start
    for _ in range(20 * len(likelihood.order) + 1):
        basis, first = merging(likelihood, closed)
        inner = np.append(parameters[first], parameters[-1])
        same = known is not None and known.converged and tuple(sorted(closed)) == known.closed
        near = np.append(known.parameters[first], known.sigma) if known and same else None
        found, hit = _newton(panel.mapped(basis), inner, near)
        iterations += found.iterations
        parameters = np.append(basis @ found.parameters[:-1], found.sigma)
        peak = Peak(
            parameters,
            found.loglik,
            found.gradient,
            found.curvature,
            found.converged,
            iterations,
            tuple(sorted(closed)),
        )
        if hit is not None:
            closed = [*closed, hit]
            continue
        release = _wrongly_closed(panel, parameters, closed) if found.converged else None
        if release is None:
            break
        closed = [row for row in closed if row != release]
    return peak


def _wrongly_closed(panel: Panel, parameters: Floats, closed: list[int]) -> int | None:
    """The closed row of `order` with the most negative Lagrange multiplier, if there is one."""
    if not closed:
        return None
    gradient = panel.at(parameters).gradient[:-1]
    rows = panel.likelihood.order[closed]
    multipliers = np.linalg.lstsq(rows.T, -gradient, rcond=None)[0]
    worst = int(np.argmin(multipliers))
    return closed[worst] if multipliers[worst] < -1e-8 else None


def _newton(panel: Panel, start: Floats, known: Floats | None = None) -> tuple[Peak, int | None]:
    """Newton's method with step-halving; stops early where a step closes a row of `order`.

    Away from the maximum the log-likelihood need not be concave in sigma: eigenvalues of the
    information enter by their size (Dauphin et al. 2014, NeurIPS 27), so every step leads uphill.
    """
    point, at = start, panel.at(start)
    converged, hit, iteration, fresh = False, None, 0, True
    information = panel.information(point)
    while iteration < _MAX_ITERATIONS and abs(point[-1]) <= LARGEST_SIGMA:
        if known is not None and _beside(panel, point, known):
            break
        values, vectors = np.linalg.eigh(information)
        sizes = np.maximum(np.abs(values), 1e-10 * np.abs(values).max())
        step = vectors @ ((vectors.T @ at.gradient) / sizes)
        shift = np.abs(panel.likelihood.design @ step[:-1]).max(initial=0.0)
        moved = max(float(shift), abs(float(step[-1])))
        gain = float(at.gradient @ step)
        if moved < 1e-9 or (moved < 1e-5 and gain < 1e-16):
            converged = bool(values[0] > 1e-9 * values[-1])
            break
        if gain < 1e-12 and moved > 0.1:
            break
        iteration += 1
        step *= min(1.0, max(_LONGEST_STEP, abs(point[-1])) / moved)
        limit, nearest = room(panel.likelihood, point[:-1], step[:-1])
        if limit == 0.0:
            hit = nearest
            break
        ahead, length = _advance(panel, point, at, step, min(1.0, limit))
        if ahead is None:
            converged = bool(moved < 1e-5 and values[0] > 1e-9 * values[-1])
            break
        point, at = point + length * step, ahead
        if length == limit:
            hit = nearest
            break
        # Near 0 the information changes as much as sigma does; and it serves two steps at most.
        fresh = not fresh or length * moved > _SHORT * min(1.0, abs(float(point[-1])))
        if fresh and (known is None or not _beside(panel, point, known)):
            information = panel.information(point)
    curvature = partial(panel.information, point)
    point = np.append(point[:-1], abs(point[-1]))
    return Peak(point, at.loglik, at.gradient, curvature, converged, iteration), hit


def _advance(
    panel: Panel, point: Floats, at: mixed_likelihood.Value, step: Floats, length: float
) -> tuple[mixed_likelihood.Value | None, float]:
    """Halve the step until the likelihood rises enough; None where it does not."""
    gain = float(at.gradient @ step)
    for _ in range(30):
        ahead = panel.at(point + length * step)
        if ahead.loglik >= at.loglik + 1e-4 * length * gain - 1e-13 * (1.0 + abs(at.loglik)):
            return ahead, length
        length *= 0.5
    return None, 0.0


def _beside(panel: Panel, point: Floats, known: Floats) -> bool:
    """Whether a search has come to a maximum that is known: it would end there."""
    apart = np.abs(panel.likelihood.design @ (point - known)[:-1]).max(initial=0.0)
    return bool(max(apart, abs(abs(point[-1]) - known[-1])) < 0.1)
