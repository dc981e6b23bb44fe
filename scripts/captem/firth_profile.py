"""The profile of Firth's penalised likelihood, and where it falls to the end of an interval.

Some coefficients are held at their estimates plus t times a direction, where 1 in t is about a
standard error; the profile at t is the highest l* over the others. Under separation l* can have
several maxima in those, and which of them is the highest changes along t. A search that goes on
from where the last one ended stays with one of them when another has become higher: the profile
then falls too fast, and the interval is too short. So

- the profile is first found at nodes, in blocks outwards from the estimate. At each node it is
  sought from fixed points (`Profile._fixed`), then from the maxima at the nodes on both sides,
  until no node of the block gains;
- between two nodes it is sought from fixed points and from the maxima at both.

Where searches differ, the highest counts. Nodes and fixed points depend on the fit alone, so the
profile at a value does not depend on which values were asked for before.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from captem.firth_newton import Booleans, Floats, maximise, plain_maxima
from captem.firth_setup import Setup
from captem.ordinal_data import Integers

# The first block reaches 3 standard errors; each later one reaches twice as far as the one before.
_BLOCK = np.arange(1, 7) / 2.0
_MAX_BLOCKS = 20
_MAX_ITERATIONS = 100
# A maximum is another one where l* differs by more than this.
_SAME = 1e-8
# The estimate was not the maximum where the profile comes above it by more than this.
_ABOVE = 1e-6
# Radii of the scan for starting points, as a share of how far the held coefficients are from 0.
_RADII = np.array([0.5, 1.0, 2.0, 4.0])
# How many of the points on each sphere are climbed from.
_SCANNED = 2


class Line(NamedTuple):
    """The profile at T values: t (T,), all k parameters there (T, k), l* and dl*/dt (T,)."""

    t: Floats
    parameters: Floats
    height: Floats
    slope: Floats

    def take(self, rows: Integers | Booleans) -> Line:
        """The profile at some of the values."""
        return Line(*(part[rows] for part in self))

    def joined(self, other: Line) -> Line:
        """Both, in the order of |t|; values that both have are those of `other`."""
        own = self.take(~np.isin(self.t, other.t))
        both = Line(*(np.concatenate(pair) for pair in zip(own, other, strict=True)))
        return both.take(np.argsort(np.abs(both.t)))


class Profile:
    """l* along a line of some coefficients, highest over the others; the penalty is that of all."""

    def __init__(
        self, setup: Setup, held: tuple[int, ...], top: Floats, height: float, direction: Floats
    ) -> None:
        """Prepare the profile; nothing is sought before it is asked for.

        Args:
            setup: rows and columns of the fit.
            held: places among the k estimated coefficients, in increasing order.
            top: the estimates, shape (k,).
            height: l* there.
            direction: of the held coefficients, in the order of `held`; about a standard error.
        """
        self._model, to_parameters = setup.ending(held)
        self._weights, self._penalty, self._height = setup.weights, setup.penalty, height
        self._free = len(top) - len(held)
        self._held = tuple(range(self._free, len(top)))
        self._top = to_parameters @ top
        self._along = to_parameters[self._free :, list(held)] @ direction
        origin = Line(np.zeros(1), self._top[None], np.array([height]), np.zeros(1))
        self._nodes = {-1: origin, 1: origin}

    def height(self, t: float) -> float:
        """l* of the profile at `t`; NaN where it is not found, or comes above the maximum."""
        if t == 0.0:
            return self._height
        side = 1 if t > 0.0 else -1
        while self._nodes[side].t[-1] * side < abs(t):
            if not self._extend(side):
                return math.nan
        found = self._between(self._nodes[side], t)
        above = self._above(self._nodes[side]) or self._above(found)
        return math.nan if above else float(found.height[0])

    def ends(self, root: float) -> tuple[float, float]:
        """Return t on both sides where the signed root of the likelihood-ratio statistic is `root`.

        Where the profile falls that far and rises again, it is the outermost such value that the
        nodes show: the interval leaves out nothing that the test keeps. Infinite where the profile
        never falls that far, NaN where it is not found or comes above the maximum.
        """
        if root == 0.0:
            return 0.0, 0.0
        lower, upper = self._end(-1, root), self._end(1, root)
        if self._above(self._nodes[-1]) or self._above(self._nodes[1]):
            return math.nan, math.nan
        return lower, upper

    def _end(self, side: int, root: float) -> float:
        """One end: the outermost nodes that enclose it, then Newton's method between them.

        What is solved is the signed root, nearly linear in t, with the slope that l* has in t at
        the maximum of the others (the envelope theorem). Every value tried becomes a node of this
        search. Where the enclosing values close in on a jump, the outer one was on a lower maximum:
        all nodes are sought again from those beside them.
        """
        line = self._nodes[side]
        tried = math.nan
        for _ in range(_MAX_ITERATIONS):
            excess = self._excess(line, root)
            last = int(np.flatnonzero(excess < 0.0)[-1]) + 1
            if last == len(line.t):
                if not self._extend(side):
                    return math.copysign(math.inf, side)
                line = self._settled(self._nodes[side].joined(line), 1)
                continue
            if math.isnan(excess[last]):
                return math.nan
            inner, outer = float(line.t[last - 1]), float(line.t[last])
            rise, beyond = float(excess[last - 1]), float(excess[last])
            ahead = inner - rise * (outer - inner) / (beyond - rise)
            near = last - 1 if inner == tried else last
            if line.t[near] == tried and line.slope[near] != 0.0:
                step = float(excess[near] * (excess[near] + root) / line.slope[near])
                if abs(step) < 1e-9 * (1.0 + abs(tried)):
                    return math.nan if self._above(line) else tried + step
                ahead = tried + step
            if abs(outer - inner) < 1e-11 * (1.0 + abs(outer)):
                again = self._settled(line, 1)
                if (again.height <= line.height + _SAME).all():
                    return math.nan
                line = again
                continue
            if not min(inner, outer) < ahead < max(inner, outer):
                ahead = (inner + outer) / 2.0
            tried = ahead
            line = line.joined(self._between(line, tried))
        return math.nan

    def _excess(self, line: Line, root: float) -> Floats:
        return np.asarray(np.sqrt(2.0 * np.maximum(0.0, self._height - line.height)) - root)

    def _above(self, line: Line) -> bool:
        """Whether the profile comes above what was taken for the maximum."""
        return bool((line.height > self._height + _ABOVE).any())

    def _extend(self, side: int) -> bool:
        """Add a block of nodes on one side; False where there are enough."""
        nodes = self._nodes[side]
        block = (len(nodes.t) - 1) // len(_BLOCK)
        if block >= _MAX_BLOCKS:
            return False
        t = side * _BLOCK if block == 0 else nodes.t[-1] + side * _BLOCK * 2.0 ** (block - 1)
        found = self._highest(t, self._fixed(t, scanned=True))
        begin = len(nodes.t)
        self._nodes[side] = self._settled(nodes.joined(found), begin)
        return True

    def _between(self, line: Line, t: float) -> Line:
        """The profile at one value that a line encloses."""
        outer = int(np.searchsorted(np.abs(line.t), abs(t)))
        beside = line.parameters[[outer - 1, outer]]
        value = np.array([t])
        beside[:, self._free :] = self._at(value)[:, self._free :]
        starts = np.concatenate([self._fixed(value, scanned=False), beside[None]], axis=1)
        return self._highest(value, starts)

    def _settled(self, line: Line, begin: int) -> Line:
        """Seek every node from `begin` on from the maxima beside it, until none gains."""
        line = Line(*(part.copy() for part in line))
        size = len(line.t)
        gained = np.arange(begin - 1, size)
        for _ in range(2 * size):
            source = np.concatenate([gained, gained])
            target = np.concatenate([gained - 1, gained + 1])
            inside = (begin <= target) & (target < size)
            source, target = source[inside], target[inside]
            if not len(target):
                break
            start = line.parameters[source]
            start[:, self._free :] = self._at(line.t[target])[:, self._free :]
            known = np.where(
                np.isfinite(line.height[target])[:, None], line.parameters[target], np.nan
            )
            new = self._climbed(line.t[target], start, known)
            better = []
            for row, place in enumerate(target):
                if new.height[row] > line.height[place] + _SAME or (
                    np.isfinite(new.height[row]) and np.isnan(line.height[place])
                ):
                    for old, part in zip(line, new, strict=True):
                        old[place] = part[row]
                    better.append(place)
            gained = np.unique(np.array(better, dtype=np.int64))
        return line

    def _at(self, t: Floats) -> Floats:
        """The parameters (T, k) with the held ones at t (T,) and the others as estimated."""
        points = np.tile(self._top, (len(t), 1))
        points[:, self._free :] += t[:, None] * self._along
        return points

    def _fixed(self, t: Floats, scanned: bool) -> Floats:
        """Starting points (T, S, k) at values t (T,).

        The other parameters as estimated, at 0, and towards the maximum of the plain likelihood;
        where `scanned`, also the best of some points on spheres. The columns are orthonormal, so
        that a radius is the size of linear predictors.
        """
        estimated = self._at(t)
        zero = estimated.copy()
        zero[:, : self._free] = 0.0
        if not self._free:
            return zero[:, None]
        weights = np.tile(self._weights, (len(t), 1))
        plain = plain_maxima(self._model, weights, zero, self._held)
        points = np.stack([estimated, zero, plain], axis=1)
        return np.concatenate([points, self._scanned(zero)], axis=1) if scanned else points

    def _scanned(self, zero: Floats) -> Floats:
        """The highest points (T, S, k) of some on spheres around `zero` (T, k).

        They lie in the directions of the free parameters' axes and of the diagonals between two
        axes. From each sphere come the highest two.
        """
        axes = np.eye(self._free)
        pairs = np.triu_indices(self._free, 1)
        diagonals = [(axes[pairs[0]] + sign * axes[pairs[1]]) / math.sqrt(2.0) for sign in (1, -1)]
        directions = np.vstack([axes, *diagonals])
        directions = np.vstack([directions, -directions])
        size = np.sqrt((zero**2).sum(axis=1))
        points = np.tile(zero[:, None, None], (1, len(_RADII), len(directions), 1))
        points[..., : self._free] = size[:, None, None, None] * _RADII[:, None, None] * directions
        flat = points.reshape(-1, zero.shape[1])
        height = self._model.at(flat, np.tile(self._weights, (len(flat), 1))).penalised
        order = np.argsort(-height.reshape(points.shape[:3]), axis=2, kind="stable")
        best = np.take_along_axis(points, order[:, :, :_SCANNED, None], axis=2)
        return np.asarray(best.reshape(len(zero), -1, zero.shape[1]))

    def _highest(self, t: Floats, starts: Floats) -> Line:
        """The highest of the maxima that starts (T, S, k) lead to; l* is NaN where none does."""
        count, each, k = starts.shape
        found = self._climbed(np.repeat(t, each), starts.reshape(-1, k))
        height = np.where(np.isnan(found.height), -np.inf, found.height).reshape(count, each)
        return found.take(np.argmax(height, axis=1) + each * np.arange(count))

    def _climbed(self, t: Floats, start: Floats, known: Floats | None = None) -> Line:
        """The maxima that starts (S, k) lead to, for values t (S,); NaN where none was reached."""
        weights = np.tile(self._weights, (len(start), 1))
        peaks = maximise(self._model, weights, start, self._held, known)
        reached = peaks.converged
        height = np.where(reached, peaks.point.penalised + self._penalty, np.nan)
        slope = np.full(len(t), np.nan)
        if reached.any():
            point = type(peaks.point)(*(part[reached] for part in peaks.point))
            score = self._model.derivatives(point, weights[reached])[0]
            slope[reached] = score[:, self._free :] @ self._along
        return Line(t, peaks.point.parameters, height, slope)
