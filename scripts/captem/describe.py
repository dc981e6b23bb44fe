"""Who the patients are: counts, medians and quartiles, and how much is missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from captem import between_scans, statistics

MEASURES = {
    "age_years": "years",
    "mib1": "%",
    "captem_cycles": "cycles",
    "krenning_pre": "step",
    "krenning_post": "step",
    "suvmax_pre": "SUV",
    "suvmax_post": "SUV",
}
CATEGORIES = ("sex", "primary_site", "interval_therapy")
PAIRS = {"ssa": "somatostatin analogue", "scanner": "scanner", "tracer": "tracer"}


def groups(patients: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the patients overall and by source; a single source is the whole."""
    sources = list(dict.fromkeys(patients["source"]))
    chosen = {statistics.ALL: patients}
    if len(sources) > 1:
        chosen |= {f"source_{name}": patients[patients["source"].eq(name)] for name in sources}
    return chosen


def midpoint(patients: pd.DataFrame, name: str) -> pd.Series:
    """Return a measure as one number: an interval at its midpoint, an open one as missing."""
    if f"{name}_low" not in patients:
        known = patients.get(name, pd.Series(np.nan, index=patients.index))
        return known.astype(float)
    low, high = patients[f"{name}_low"].astype(float), patients[f"{name}_high"].astype(float)
    return ((low + high) / 2).where(np.isfinite(high))


def describe(
    patients: pd.DataFrame, chosen_groups: Mapping[str, pd.DataFrame] | None = None
) -> pd.DataFrame:
    """Return the rows `describe.*` of the patients, by default overall and by source.

    Quartiles interpolate between the two nearest values (as R's type 7). Intervals count at their
    midpoint; an interval without an upper end counts as missing here.

    Parameters
    ----------
    patients : canonical table, whose categories have their levels in every group.
    chosen_groups : patients of it by the name of their subset.
    """
    rows: list[dict[str, Any]] = []
    for subset, chosen in (groups(patients) if chosen_groups is None else chosen_groups).items():
        rows.append(_count("describe.patients", subset, "", len(chosen), len(chosen)))
        for name, unit in MEASURES.items():
            rows += _measure(name, unit, subset, midpoint(chosen, name))
        for name in CATEGORIES:
            if name in patients:
                levels = sorted(set(patients[name].dropna()))
                rows += _levels(name, subset, chosen[name], levels)
        for name in PAIRS:
            if f"{name}_pre" in patients and f"{name}_post" in patients:
                changed = between_scans.changed(chosen, name)
                rows += [
                    _count(f"describe.{name}_changed", subset, term, int(mask.sum()), n)
                    for term, mask, n in (
                        ("yes", changed.fillna(False), int(changed.notna().sum())),
                        ("missing", changed.isna(), len(chosen)),
                    )
                ]
    return statistics.frame(rows)


def _measure(name: str, unit: str, subset: str, values: pd.Series) -> list[dict[str, Any]]:
    known = values.dropna().to_numpy()
    analysis = f"describe.{name}"
    missing = _count(analysis, subset, "missing", len(values) - len(known), len(values))
    points = {"median": 0.5, "quartile_1": 0.25, "quartile_3": 0.75}
    rows = []
    for term, share in points.items():
        found: dict[str, Any] = {"n_patients": len(known)}
        if len(known):
            found["estimate"] = float(np.quantile(known, share))
        else:
            found |= statistics.not_estimable("no patient has a value")
        rows.append(
            statistics.row(analysis, "characteristics", subset, term, term=term, unit=unit, **found)
        )
    return [*rows, missing]


def _levels(name: str, subset: str, values: pd.Series, levels: list[str]) -> list[dict[str, Any]]:
    known = int(values.notna().sum())
    analysis = f"describe.{name}"
    rows = [_count(analysis, subset, level, int(values.eq(level).sum()), known) for level in levels]
    return [*rows, _count(analysis, subset, "missing", len(values) - known, len(values))]


def _count(analysis: str, subset: str, term: str, count: int, n: int) -> dict[str, Any]:
    found: dict[str, Any] = {"n_patients": n, "n_events": count}
    if n:
        found["estimate"] = count / n
    else:
        found |= statistics.not_estimable("no patient has a value")
    return statistics.row(analysis, "characteristics", subset, "proportion", term=term, **found)
