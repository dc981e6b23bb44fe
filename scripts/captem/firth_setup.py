"""The rows and columns of a logistic regression: checks, orthonormal design, separation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from captem import aliasing
from captem.firth_newton import Booleans, Floats, Model
from captem.ordinal_data import checked_predictors
from captem.separation import RECESSION_TOLERANCE, Bounds, vertex


@dataclass(frozen=True, eq=False)
class Setup:
    """The rows and columns of a fit, and the orthonormal design that the search works on.

    `kept` holds the positions of the k coefficients that are estimated, the intercept first; `x`
    (n, k - 1) has the columns of the others.
    """

    y: Floats
    x: Floats
    weights: Floats
    kept: tuple[int, ...]
    columns: int

    @classmethod
    def of(cls, y: Floats, x: Floats, weights: Floats, kept: tuple[int, ...]) -> Setup:
        """Take from `x` (n, p) the columns `kept`, which are not aliased."""
        used = x[:, [position - 1 for position in kept[1:]]]
        return cls(y, used, weights, kept, x.shape[1] + 1)

    def ending(self, last: tuple[int, ...] = ()) -> tuple[Model, Floats]:
        """A model in orthonormal columns, and the matrix from coefficients to its parameters.

        The columns of z are taken in order, those of `last` (places among the k) at the end, and
        z = QR. So the last parameters depend on the last coefficients alone. Columns are centred
        first, which changes only the parameter of the intercept, unless it is among the last.
        """
        n, k = len(self.y), len(self.kept)
        centre = np.zeros(k - 1) if 0 in last else self.x.mean(axis=0)
        scale = self.x.std(axis=0)
        standard = np.column_stack([np.ones(n), (self.x - centre) / scale])
        to_standard = np.diag(np.concatenate([[1.0], scale]))
        to_standard[0, 1:] = centre
        order = [place for place in range(k) if place not in last] + list(last)
        q, r = np.linalg.qr(standard[:, order])
        size = np.sqrt(n)
        return Model.of(self.y, q * size), (r / size) @ to_standard[order]

    @cached_property
    def _whole(self) -> tuple[Model, Floats]:
        return self.ending()

    @property
    def model(self) -> Model:
        """The model of the search for the maximum."""
        return self._whole[0]

    @property
    def to_scaled(self) -> Floats:
        """The matrix (k, k) from coefficients to the parameters of `model`."""
        return self._whole[1]

    @cached_property
    def from_scaled(self) -> Floats:
        """The inverse of `to_scaled`."""
        return np.asarray(np.linalg.inv(self.to_scaled), dtype=float)

    @cached_property
    def penalty(self) -> float:
        """1/2 log |I| of the coefficients, less that of the parameters of any model of these."""
        return float(np.linalg.slogdet(self.to_scaled)[1])


def checked(y: ArrayLike, x: ArrayLike) -> tuple[Floats, Floats]:
    """Return outcomes (n,) and predictors (n, p); ValueError where they are malformed."""
    try:
        outcome = np.asarray(y, dtype=float)
    except (TypeError, ValueError):
        raise ValueError("The outcomes must be 0 or 1.") from None
    if outcome.ndim != 1:
        raise ValueError("The outcomes must be one-dimensional.")
    if not np.isin(outcome, (0.0, 1.0)).all():
        raise ValueError("The outcomes must be 0 or 1, and not missing.")
    predictors = checked_predictors(x)
    if len(predictors) != len(outcome):
        raise ValueError("There must be one row of predictors for each outcome.")
    return outcome, predictors


def receding(setup: Setup) -> Booleans:
    """Return which coefficients (k,) the plain likelihood drives to infinity.

    Along t * d the likelihood never falls iff (2 y_i - 1) z_i'd >= 0 for all i; a coefficient
    recedes where some such d moves it (Albert & Anderson 1984, Biometrika 71:1-10; Konis 2007).
    """
    ends = (2.0 * setup.y - 1.0)[:, None] * setup.model.design
    bounds: Bounds = [(None, None)] + [(-1.0, 1.0)] * (len(setup.kept) - 1)
    found = np.zeros(len(setup.kept), dtype=bool)
    for position, objective in enumerate(setup.from_scaled):
        size = np.abs(objective).max()
        for side in (objective / size, -objective / size):
            found[position] |= side @ vertex(side, ends, bounds) > RECESSION_TOLERANCE
    return found


def aliased_many(x: Floats, weights: Floats) -> Booleans:
    """Return which of the intercept and columns (R, p + 1) are aliased in each replicate.

    x is (n, p); rows count where their weight (R, n) is positive. See `aliasing.aliased_many`.
    """
    found = aliasing.aliased_many(x, weights > 0.0)
    return np.column_stack([np.zeros(len(found), dtype=bool), found])
