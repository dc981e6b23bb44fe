"""How far a long run is, in words. No imports but the standard library: the workflow reads this."""

from __future__ import annotations


def said(name: str, what: str, done: float, left: float, seconds: float) -> str:
    """Return how much is done of a run, and how long the rest takes on one core.

    >>> said("Planning", "replicates", 2000, 8000, 600)
    'Planning: 2,000 of 10,000 replicates done (20%); about 10 min left on one core.'
    >>> said("Planning", "replicates", 10, 0, 0)
    'Planning: 10 of 10 replicates done.'
    """
    told = f"{name}: {done:,.0f} of {done + left:,.0f} {what} done"
    if not left:
        return f"{told}."
    return f"{told} ({done / (done + left):.0%}); about {_span(seconds)} left on one core."


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{seconds / 3600:.1f} h"
