"""All rows `describe.*`: patients by group, how far groups are apart, what is missing, lesions.

Groups are the sources, and the directions of change of the patients scored at both scans.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import combinations
from typing import Any

import pandas as pd

from captem import between_scans, lesion_description, standardised, statistics
from captem.describe import CATEGORIES, MEASURES, PAIRS, describe, groups, midpoint
from captem.transitions import direction

DIRECTIONS = ("up", "same", "down", "undetermined")
# What analyses use beside what describes the patients, so that what is missing of it can be said.
ALSO_USED = (
    "ssa_pre", "ssa_post", "scanner_pre", "scanner_post", "tracer_pre", "tracer_post",
    "liver_suv_pre", "liver_suv_post", "spleen_suv_pre", "spleen_suv_post",
    "krenning_pre_reader2", "krenning_post_reader2", "pet_date_pre", "pet_date_post",
    "captem_start", "captem_end", "prior_prrt",
)  # fmt: skip


def estimate(patients: pd.DataFrame, lesions: pd.DataFrame) -> pd.DataFrame:
    """Return the rows `describe.*` of `statistics.csv` for the canonical tables.

    Their subsets: `all`, `source_<name>` where there are several, and `direction_<way>` of those
    scored at both scans; of `describe.difference` `sources` and `directions`.
    """
    of_sources, of_directions = groups(patients), by_direction(patients)
    known = {name: chosen for name, chosen in of_directions.items()
             if name != "direction_undetermined"}  # fmt: skip
    rows: list[dict[str, Any]] = []
    sources = {name: chosen for name, chosen in of_sources.items() if name != statistics.ALL}
    for subset, compared in (("sources", sources), ("directions", known)):
        rows += differences(patients, compared, subset)
    for subset, chosen in of_sources.items():
        rows += _missing(chosen, subset)
        rows += lesion_description.rows(chosen, lesions, subset)
    parts = [describe(patients), describe(patients, of_directions), statistics.frame(rows)]
    return statistics.combine(parts)


def by_direction(patients: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the patients of each direction of change that is seen, by the name of the subset."""
    ways = direction(patients)
    return {f"direction_{way}": patients[ways.eq(way)] for way in DIRECTIONS if ways.eq(way).any()}


def differences(
    patients: pd.DataFrame, chosen: Mapping[str, pd.DataFrame], subset: str
) -> list[dict[str, Any]]:
    """Return the rows `describe.difference` of two or more groups, none of fewer.

    Of more than two groups the reported row is the largest difference of any two, and the rows of
    the pairs stand beside it.
    """
    pairs = list(combinations(chosen, 2))
    rows: list[dict[str, Any]] = []
    for name, values, how in _compared(patients) if pairs else []:
        found = {
            f"{a}_{b}": how(values(chosen[a]), values(chosen[b]))
            | {"n_patients": int(values(chosen[a]).notna().sum() + values(chosen[b]).notna().sum())}
            for a, b in pairs
        }
        several = len(pairs) > 1
        rows.append(_difference(name, subset, "", _largest(list(found.values())), several))
        if several:
            rows += [_difference(name, subset, pair, told) for pair, told in found.items()]
    return rows


def _largest(found: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the largest of the differences; it is unstable where one of them cannot be given."""
    largest = max(found, key=lambda pair: pair.get("estimate", -1.0))
    refused = [pair["reason"] for pair in found if pair.get("status") == "not_estimable"]
    if not refused or len(refused) == len(found):
        return largest
    return largest | standardised.unstable(f"of one pair it cannot be given: {refused[0]}")


def _difference(
    name: str, subset: str, variant: str, found: dict[str, Any], largest: bool = False
) -> dict[str, Any]:
    estimand = "absolute standardised difference"
    return statistics.row(
        "describe.difference", "characteristics", subset,
        f"largest {estimand} of two groups" if largest else estimand,
        term=name, variant=variant, unit="SD", **found,
    )  # fmt: skip


Values = Callable[[pd.DataFrame], pd.Series]


def _compared(patients: pd.DataFrame) -> list[tuple[str, Values, Callable[..., Any]]]:
    """Return what is compared: its name, its values in a group of patients, and the formula."""

    def measure(name: str) -> Values:
        return lambda group: midpoint(group, name)

    def category(name: str) -> Values:
        return lambda group: group[name]

    def change(name: str) -> Values:
        return lambda group: between_scans.changed(group, name).astype(object)

    found: list[tuple[str, Values, Callable[..., Any]]] = [
        (name, measure(name), standardised.of_measure) for name in MEASURES
    ]
    found += [(name, category(name), standardised.of_category)
              for name in CATEGORIES if name in patients]  # fmt: skip
    return found + [
        (f"{name}_changed", change(name), standardised.of_category)
        for name in PAIRS if f"{name}_pre" in patients and f"{name}_post" in patients
    ]  # fmt: skip


def _missing(patients: pd.DataFrame, subset: str) -> list[dict[str, Any]]:
    """Return how many patients lack a value that is used and not described otherwise."""
    absent = tuple(name for name in CATEGORIES if name not in patients)
    rows = []
    for name in (*absent, *ALSO_USED):
        given = patients.get(name, patients.get(f"{name}_low"))
        missing = len(patients) if given is None else int(given.isna().sum())
        said = (
            {"estimate": missing / len(patients)}
            if len(patients)
            else statistics.not_estimable("no patient has a value")
        )
        rows.append(
            statistics.row(
                f"describe.{name}", "characteristics", subset, "proportion", term="missing",
                n_patients=len(patients), n_events=missing, **said,
            )
        )  # fmt: skip
    return rows
