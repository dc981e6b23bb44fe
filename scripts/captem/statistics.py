"""Rows of `statistics.csv`: one estimate a row, in a stable order, under a stable name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from captem.errors import CaptemError
from captem.multiplicity import holm

COLUMNS = (
    "row_id", "analysis", "outcome", "subset", "term", "role", "estimand", "unit", "estimate",
    "conf_low", "conf_high", "conf_level", "interval_method", "statistic", "df", "p_value",
    "p_low", "p_high", "p_adjusted", "p_method", "n_patients", "n_lesions", "n_events", "status",
    "reason",
)  # fmt: skip
_COUNTS = ("n_patients", "n_lesions", "n_events")
_NUMBERS = (
    "estimate", "conf_low", "conf_high", "conf_level", "statistic", "df", "p_value", "p_low",
    "p_high", "p_adjusted",
)  # fmt: skip
ALL, CONFIRMATORY = "all", "confirmatory"


def row(
    analysis: str,
    outcome: str,
    subset: str,
    estimand: str,
    *,
    term: str = "",
    variant: str = "",
    role: str = "descriptive",
    **values: Any,
) -> dict[str, Any]:
    """Return one row; columns not given are missing.

    `variant` tells rows apart that report one estimate by several methods; it is the last part of
    `row_id`, which is `analysis/outcome/subset[/term][/variant]`.
    """
    unknown = set(values) - set(COLUMNS)
    if unknown:
        raise TypeError(f"no columns of statistics.csv: {', '.join(sorted(unknown))}")
    parts = [part for part in (analysis, outcome, subset, term, variant) if part]
    return {
        "row_id": "/".join(parts),
        "analysis": analysis,
        "outcome": outcome,
        "subset": subset,
        "term": term,
        "role": role,
        "estimand": estimand,
        "status": "ok",
        "reason": "",
    } | values


def not_estimable(reason: str) -> dict[str, Any]:
    """Return what a row says where nothing honest can be estimated."""
    return {"status": "not_estimable", "reason": reason}


def frame(rows: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """Return rows as a table with all columns in order and their types."""
    table = pd.DataFrame(list(rows), columns=list(COLUMNS))
    for name in COLUMNS:
        if name in _COUNTS:
            table[name] = table[name].astype("Int64")
        elif name in _NUMBERS:
            table[name] = table[name].astype(float)
        else:
            table[name] = table[name].astype(object).where(table[name].ne(""), None)
    return table


def combine(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Join the rows of the chapters, in the order given.

    Raises
    ------
    CaptemError
        If two rows have the same name.
    """
    table = frame(record for part in tables for record in part.to_dict("records"))
    twice = table.loc[table["row_id"].duplicated(), "row_id"]
    if len(twice):
        raise CaptemError(f"statistics.csv would hold two rows named {', '.join(sorted(twice))}")
    return adjusted(table)


def adjusted(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with `p_adjusted`: Holm's P within the secondary family of each subset.

    The family are the rows with the role `secondary` that have a P. A primary row is tested by
    itself, and the rest claims nothing.
    """
    table = table.copy()
    family = table["role"].eq("secondary") & table["p_value"].notna()
    for _, rows in table[family].groupby("subset"):
        table.loc[rows.index, "p_adjusted"] = holm(rows["p_value"])
    return table


def subsets(sources: pd.Series, confirmatory: Sequence[str]) -> dict[str, pd.Series]:
    """Return the patients of each subset that is analysed, as masks: all, and the confirmatory.

    Where every patient comes from a confirmatory source, the two are one and `all` stands alone.
    """
    planned = sources.isin(list(confirmatory))
    chosen = {ALL: pd.Series(True, index=sources.index)}
    if confirmatory and not planned.all():
        chosen[CONFIRMATORY] = planned
    return chosen


def role(planned: str, subset: str, sources: pd.Series, confirmatory: Sequence[str]) -> str:
    """Return the role of a row: what the plan says, or exploratory where it may claim nothing.

    Rows that use patients from sources that are not confirmatory are exploratory.
    """
    if planned == "descriptive":
        return planned
    claims = subset == CONFIRMATORY or (bool(confirmatory) and sources.isin(confirmatory).all())
    return planned if claims else "exploratory"


def find(table: pd.DataFrame, row_id: str) -> pd.Series:
    """Return the row of that name.

    Raises
    ------
    CaptemError
        If there is none; the nearest names are given.
    """
    rows = table[table["row_id"].eq(row_id)]
    if len(rows) != 1:
        import difflib

        near = difflib.get_close_matches(row_id, list(table["row_id"]), 3)
        raise CaptemError(f"statistics.csv has no row {row_id!r}; nearest: {', '.join(near)}")
    return rows.iloc[0]
