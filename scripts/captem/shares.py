"""Rows of a proportion: with its Wilson interval, and beside it Clopper and Pearson's."""

from __future__ import annotations

from typing import Any

from captem import limits, proportions, statistics

LEVEL = 0.95
_METHODS = (
    ("", "Wilson", proportions.wilson),
    ("exact", "Clopper-Pearson", proportions.clopper_pearson),
)


def rows(
    analysis: str,
    outcome: str,
    subset: str,
    least: tuple[int, int],
    most: tuple[int, int] | None = None,
    *,
    term: str = "",
    role: str,
    smallest: tuple[int, int] | None = None,
) -> list[dict[str, Any]]:
    """Return both rows of a proportion.

    Parameters
    ----------
    least : the certain count, and the n it is out of; the estimate.
    smallest, most : count and n of the completions of interval scores with the smallest and the
        largest proportion, where these differ from `least`. The interval then reaches from the
        lower end of the one to the upper end of the other: both methods are monotone, so it holds
        the interval of every completion.
    """
    count, n = least
    smallest, most = smallest or least, most or least
    certain = smallest == most == least
    found = []
    for variant, name, interval in _METHODS:
        values: dict[str, Any] = {"n_patients": n, "n_events": count}
        among = max(n, smallest[1], most[1]) if n else 0
        if refusal := limits.no_interval(among):
            # One patient is described, and nothing is inferred from the description.
            described = n > 0 and not variant
            status = "unstable" if described else "not_estimable"
            values |= {"status": status, "reason": refusal}
            values |= {"estimate": count / n} if described else {"n_events": None}
        else:
            values |= {
                "estimate": count / n,
                "conf_low": interval(*smallest, LEVEL)[0],
                "conf_high": interval(*most, LEVEL)[1],
                "conf_level": LEVEL,
                "interval_method": name if certain else f"{name}, over all completions",
            }
            if caution := limits.few_for_interval(n):
                values |= {"status": "unstable", "reason": caution}
        found.append(
            statistics.row(
                analysis, outcome, subset, "proportion", term=term, variant=variant, role=role,
                **values,
            )
        )  # fmt: skip
    return found
