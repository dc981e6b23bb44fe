"""Where a profile log-likelihood falls to the end of an interval."""

from __future__ import annotations

import math
from collections.abc import Callable

_MAX_DOUBLINGS = 60


def profile_bound(
    loglik: Callable[[float], float],
    peak: tuple[float, float],
    walk: tuple[float, float],
    root: float,
    tolerance: float = 1e-11,
    doublings: int = _MAX_DOUBLINGS,
) -> float:
    """Return where the signed root of the likelihood-ratio statistic reaches `root`.

    Brent's method on sqrt(2 (l_max - l(b))), which is nearly linear in b.

    Args:
        loglik: the profile log-likelihood l(b); called with neighbouring values in turn.
        peak: (b, l_max) at the maximum.
        walk: where to start, and the first step as a share of `root`. Steps double; a start beyond
            the end is walked back towards the peak.
        root: negative for the lower end, positive for the upper.
        tolerance: absolute and relative, in b.
        doublings: of the step before the profile is taken never to fall that far.

    Returns:
        the end; -inf or +inf where the profile never falls that far, NaN where a value of it was
        not found.
    """
    from scipy.optimize import brentq

    size, sign = abs(root), math.copysign(1.0, root)
    at, maximum = peak
    known = {at: -size}

    def excess(value: float) -> float:
        if value not in known:
            # The order matters: NaN is to stay NaN.
            drop = max(maximum - loglik(value), 0.0)
            known[value] = math.sqrt(2.0 * drop) - size
        return known[value]

    def checked(end: float) -> float:
        return math.nan if any(map(math.isnan, known.values())) else end

    inner, step = walk[0], walk[1] * size
    # From inside the interval walk outwards; from beyond its end, back towards the peak.
    outside = excess(inner) >= 0.0
    direction = -sign if outside else sign
    for _ in range(doublings):
        outer = inner + direction * step
        if (excess(outer) >= 0.0) != outside:
            return checked(float(brentq(excess, inner, outer, xtol=tolerance, rtol=tolerance)))
        inner, step = outer, 2.0 * step
    return checked(sign * math.inf)
