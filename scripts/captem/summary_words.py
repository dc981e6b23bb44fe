"""How the sentences of the page are put: counts, shares, ranges, and what is masked.

Every number comes from a row of `statistics.csv`. Where small counts are masked, a row has the
status `not_estimable` and a reason that begins with `masked`; its numbers are missing, and the
sentence says so in their place.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from captem import rounding
from captem.statistics import ALL, CONFIRMATORY
from captem.table_parts import find

Rows = list[dict[str, Any]]
Statistic = Mapping[str, Any]

MASKED = "masked"
MASKED_COUNT = "a masked number"


def masked(row: Statistic | None) -> bool:
    """Return whether a row is masked because it would show a small count."""
    return (
        row is not None
        and row["status"] == "not_estimable"
        and str(row["reason"]).startswith(MASKED)
    )


def hidden(row: Statistic | None, name: str) -> bool:
    """Return whether a count of a row is masked."""
    if row is None or not pd.isna(row[name]):
        return False
    # A share always has both counts, unless there is nobody.
    counted = row["estimand"] == "proportion" and row["status"] != "not_estimable"
    return masked(row) or counted


def count(row: Statistic | None, name: str) -> int:
    """Return a count as a number, 0 where there is none."""
    return 0 if row is None or pd.isna(row[name]) else int(row[name])


def told(row: Statistic | None, name: str) -> str:
    """Print a count, or that it is masked."""
    return MASKED_COUNT if hidden(row, name) else str(count(row, name))


def patients(row: Statistic | None, name: str = "n_patients") -> str:
    """Print a count of patients, as in `1 patient`."""
    if hidden(row, name):
        return f"{MASKED_COUNT} of patients"
    n = count(row, name)
    return f"{n} patient{'' if n == 1 else 's'}"


def listed(parts: Sequence[str]) -> str:
    """Join parts as in `a, b and c`."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def begun(text: str) -> str:
    """Return a text as the start of a sentence."""
    return text[:1].upper() + text[1:]


def joined(*sentences: str) -> str:
    """Join sentences that are not empty."""
    return " ".join(filter(None, sentences))


def share(row: Statistic) -> str:
    """Print the percentage of a proportion row, of lesions where it counts lesions."""
    n = count(row, "n_patients" if pd.isna(row["n_lesions"]) else "n_lesions")
    return rounding.percent(count(row, "n_events"), n)


def ends(row: Statistic) -> str:
    """Print the two ends of the interval of a proportion row."""
    return rounding.percent_interval(row["conf_low"], row["conf_high"], count(row, "n_patients"))


def percentage(value: float, n: int) -> str:
    """Print a share that is not a count of patients, without decimals where n is below 100.

    >>> percentage(0.4815, 54), percentage(0.4815, 540)
    ('48%', '48.2%')
    """
    return f"{rounding.fixed(100 * value, 0 if n < 100 else 1)}%"


def has_interval(row: Statistic) -> bool:
    """Return whether a row has an interval."""
    return not math.isnan(row["conf_low"])


def two_places(value: float) -> str:
    """Print a number of steps."""
    return rounding.fixed(value, 2)


def one_place(value: float) -> str:
    """Print an expected number of patients."""
    return rounding.fixed(value, 1)


def whole(value: float) -> str:
    """Print a number of patients that was computed."""
    return rounding.fixed(value, 0)


def estimates(rows: Sequence[Statistic], printed: Callable[[float], str]) -> str:
    """Print from where to where the estimates of a sweep go, one number where they are alike."""
    values = [row["estimate"] for row in rows]
    return " to ".join(dict.fromkeys((printed(min(values)), printed(max(values)))))


# Rows that several sentences ask for


def included(rows: Rows) -> Statistic | None:
    """Return the row that counts all patients of the study."""
    return find(rows, "describe.patients", "characteristics", ALL)


def direction(rows: Rows, subset: str, way: str = "up") -> Statistic | None:
    """Return the row of the patients whose score went that way."""
    return find(rows, "transition.proportion", "krenning", subset, way)


def scored(rows: Rows, subset: str) -> int:
    """Return how many patients have a score at both scans, 0 where that is masked."""
    return count(direction(rows, subset), "n_patients")


def has_planned(rows: Rows) -> bool:
    """Return whether some, and not all, of the sources are confirmatory."""
    return any(row["subset"] == CONFIRMATORY for row in rows)


def claimed(rows: Rows) -> str:
    """Return the subset on which the answer rests: the confirmatory one as soon as it can."""
    return CONFIRMATORY if scored(rows, CONFIRMATORY) > 1 else ALL


def without_effect(rows: Rows, outcome: str, subset: str, variant: str = "") -> Rows:
    """Return what studies without any effect give, a row a reliability that is assumed."""
    start = f"bias.no_effect/{outcome}/{subset}/reliability_"
    return [
        row
        for row in rows
        if row["row_id"].startswith(start)
        and row["row_id"].removeprefix(start).partition("/")[2] == variant
        and row["status"] != "not_estimable"
    ]


def observed_gain(rows: Rows, subset: str) -> dict[str, float]:
    """Return the mean gain of the study, with `low` and `high` where interval scores leave it open.

    Keys are `observed` and, in that case, `low` and `high`; empty where there is no gain.
    """
    return {
        row["row_id"].rpartition("/")[2]: row["estimate"]
        for row in rows
        if row["analysis"] == "bias.regression_to_mean"
        and row["subset"] == subset
        and row["term"] == "observed"
        and not math.isnan(row["estimate"])
    }


def printed_gain(gain: Mapping[str, float]) -> str:
    """Print the mean gain, as a range where interval scores leave it open.

    >>> printed_gain({"observed": 0.7037, "low": 0.6296, "high": 0.7778})
    '0.63 to 0.78'
    """
    if "low" in gain:
        return " to ".join(dict.fromkeys(two_places(gain[end]) for end in ("low", "high")))
    return two_places(gain["observed"])
