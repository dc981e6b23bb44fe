"""Boundaries for looking at a study before its end: two-sided group-sequential tests.

At look k the statistic Z_k, standard normal without an effect, is held against a boundary c_k; Z_k
and Z_l are correlated by the square root of their ratio of information. Information is here the
number of patients with both scans, as a fraction of the number at the planned end.

Alpha spending (Lan & DeMets) needs neither equal steps nor a number of looks that is kept: at each
look as much of alpha is used up as the spending function says for the information then, so that a
look that is left out, or comes a few patients late, is allowed. The classical boundaries of O'Brien
& Fleming and of Pocock hold for the looks just as planned, and are given beside them.

Sources: Lan & DeMets 1983, Biometrika 70:659; O'Brien & Fleming 1979, Biometrics 35:549; Pocock
1977, Biometrika 64:191; the recursion over looks: Armitage, McPherson & Rowe 1969, J R Stat Soc A
132:235; repeated confidence intervals: Jennison & Turnbull 1989, J R Stat Soc B 51:305.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

OBRIEN_FLEMING, POCOCK = "obrien_fleming", "pocock"
SHAPES = (OBRIEN_FLEMING, POCOCK)
# A statistic this far out has a P below 1e-300: no finite boundary is needed beyond it.
_FARTHEST, _TINY = 37.0, 1e-300
# Nodes of Gauss's rule on each stretch of the recursion, and the length of a stretch in standard
# deviations of the step to the next look: against R's rpact all boundaries agree to 1e-8.
_NODES, _STRETCH = 24, 2.0
# What a standard normal statistic does beyond this changes no boundary in its tenth digit.
_RANGE = 9.0


def spent(information: float, alpha: float, shape: str) -> float:
    """Return how much of alpha may be used up at a fraction of the information (two-sided).

    Parameters
    ----------
    information : above 0; from 1 on all of alpha is spent.
    shape : one of `SHAPES`; O'Brien-Fleming-type spends little early, Pocock-type about evenly.

    >>> [round(spent(t, 0.05, OBRIEN_FLEMING), 4) for t in (0.25, 0.5, 1)]
    [0.0, 0.0031, 0.05]
    >>> [round(spent(t, 0.05, POCOCK), 4) for t in (0.25, 0.5, 1)]
    [0.0179, 0.031, 0.05]
    """
    if information >= 1:
        return alpha
    if shape == OBRIEN_FLEMING:
        return float(4 * ndtr(ndtri(alpha / 4) / math.sqrt(information)))
    return alpha * math.log1p((math.e - 1) * information)


def spending_boundaries(
    information: Sequence[float],
    alpha: float = 0.05,
    shape: str = OBRIEN_FLEMING,
    *,
    ended: bool = False,
    held: Sequence[float] = (),
) -> list[float]:
    """Return c_k of each look, so that alpha is spent as `spent` says; two-sided.

    Parameters
    ----------
    information : rising fractions of the information at the end, of the looks taken so far.
    ended : whether the last of them is the end: it spends what is left, with however many patients.
    held : boundaries that the first of these looks were held against, where these stand already:
        what they used up is counted, and the others follow.

    Raises
    ------
    ValueError
        If the fractions do not rise, or alpha or the shape is none.

    >>> [round(c, 2) for c in spending_boundaries([0.2, 0.4, 0.6, 0.8, 1])]
    [4.88, 3.36, 2.68, 2.29, 2.03]
    """
    information = _checked(information, alpha, shape)
    found = list(held)
    used = crossed(information[: len(held)], held) if held else 0.0
    for place, share in enumerate(information[len(held) :], start=len(held)):
        last = ended and place == len(information) - 1
        now = alpha if last else spent(share, alpha, shape)
        wanted, used = now - used, max(now, used)
        found.append(_boundary(_Under(information[:place], found, share), wanted))
    return found


def classical_boundaries(
    information: Sequence[float], alpha: float = 0.05, shape: str = OBRIEN_FLEMING
) -> list[float]:
    """Return the boundaries of O'Brien & Fleming or of Pocock for looks just as planned.

    c_k is the same at each look (Pocock), or falls with the square root of the information
    (O'Brien-Fleming: the sum of the steps is held against the same limit at each look).

    Parameters and errors: see `spending_boundaries`.

    >>> [round(c, 2) for c in classical_boundaries([0.2, 0.4, 0.6, 0.8, 1])]
    [4.56, 3.23, 2.63, 2.28, 2.04]
    >>> round(classical_boundaries([0.2, 0.4, 0.6, 0.8, 1], shape=POCOCK)[0], 2)
    2.41
    """
    information = _checked(information, alpha, shape)
    last = information[-1]

    def at(constant: float) -> list[float]:
        if shape == POCOCK:
            return [constant] * len(information)
        return [constant * math.sqrt(last / share) for share in information]

    def excess(constant: float) -> float:
        return crossed(information, at(constant)) - alpha

    alone = float(-ndtri(alpha / 2))
    # No more than if each look had its share of alpha for itself alone.
    most = float(-ndtri(alpha / 2 / len(information)))
    if excess(alone) <= 0:
        return at(alone)
    return at(float(brentq(excess, alone, most + 1e-9, xtol=1e-12)))


def crossed(information: Sequence[float], boundaries: Sequence[float]) -> float:
    """Return the chance that some look is beyond its boundary where there is no effect."""
    return sum(
        _Under(information[:place], boundaries[:place], share).beyond(boundaries[place])
        for place, share in enumerate(information)
    )


def p_of(boundary: float) -> float:
    """Return the two-sided P at a boundary: a look crosses where its P is not above this.

    >>> f"{p_of(4.56):.1e}"
    '5.1e-06'
    """
    return float(2 * ndtr(-boundary))


def repeated_level(boundary: float) -> float:
    """Return the confidence level of the repeated interval of a look: 1 less P at its boundary.

    Intervals of this level at each look hold the truth at all looks together as often as planned.
    """
    return 1 - p_of(boundary)


def differences_needed(p: float) -> int:
    """Return how many differences, all one way, an exact test of signs or signed ranks needs for P.

    The smallest P that m differences can give is 2 ** (1 - m).

    >>> differences_needed(0.05), differences_needed(p_of(4.56))
    (6, 19)
    """
    return max(1, math.ceil(1 - math.log2(p) - 1e-12))


class _Under:
    """Where the statistic is that no look has found beyond its boundary, before a next look.

    Kept is the sum Z * sqrt(information), whose steps are independent and normal: its values at
    nodes of Gauss's rule, each weighted with its probability.
    """

    def __init__(
        self, information: Sequence[float], boundaries: Sequence[float], share: float
    ) -> None:
        self.sums, self.weights = np.zeros(1), np.ones(1)
        self.share = share
        steps = np.sqrt(np.diff([0.0, *information, share]))
        self.step = float(steps[-1])
        for place, boundary in enumerate(boundaries):
            half = min(boundary, _RANGE) * math.sqrt(information[place])
            sums, weights = _gauss(half, min(steps[place], steps[place + 1]))
            z = (sums[:, None] - self.sums) / steps[place]
            density = np.exp(-0.5 * z**2) @ self.weights / (steps[place] * math.sqrt(2 * math.pi))
            self.sums, self.weights = sums, weights * density

    def beyond(self, boundary: float) -> float:
        """Return the chance that the next look is the first to cross; each tail is the same."""
        tail = ndtr(-(boundary * math.sqrt(self.share) - self.sums) / self.step)
        return float(2 * tail @ self.weights)


def _gauss(half: float, step: float) -> tuple[np.ndarray, np.ndarray]:
    """Return nodes and weights for an integral from -half to half, in stretches of a few steps."""
    stretches = max(1, math.ceil(2 * half / (_STRETCH * step)))
    edges = np.linspace(-half, half, stretches + 1)
    x, w = np.polynomial.legendre.leggauss(_NODES)
    middles, halves = (edges[1:] + edges[:-1]) / 2, np.diff(edges) / 2
    nodes = (middles[:, None] + halves[:, None] * x).ravel()
    return nodes, (halves[:, None] * w).ravel()


def _boundary(under: _Under, wanted: float) -> float:
    def excess(boundary: float) -> float:
        return math.log(max(under.beyond(boundary), _TINY) / wanted)

    if wanted <= _TINY or excess(_FARTHEST) >= 0:
        return math.inf
    return float(brentq(excess, 0.0, _FARTHEST, xtol=1e-11))


def _checked(information: Sequence[float], alpha: float, shape: str) -> list[float]:
    information = [float(share) for share in information]
    if not information or information[0] <= 0 or any(np.diff(information) <= 0):
        raise ValueError("the fractions of the information have to rise from above 0")
    if not 0 < alpha < 1:
        raise ValueError("alpha is a number between 0 and 1")
    if shape not in SHAPES:
        raise ValueError(f"no shape {shape!r}; there are {', '.join(SHAPES)}")
    return information
