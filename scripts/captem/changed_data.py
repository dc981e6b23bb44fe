"""What is other in the data of a new cut: patients, lesions, cells, each with what kind it is."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import pandas as pd

COLUMNS = ("table", "change", "patient_id", "lesion_id", "source", "column", "old", "new")
ADDED, REMOVED = "added", "removed"
TYPING, FOLLOW_UP, SCORE, INCLUSION, OTHER = (
    "typing repair", "new follow-up", "changed score", "changed inclusion", "other edit",
)  # fmt: skip
CLASSES = (REMOVED, SCORE, INCLUSION, OTHER, FOLLOW_UP, ADDED, TYPING)
_SCORE = re.compile(r"(krenning|suvmax)_(pre|post)(_low|_high|_reader2.*)?")
_AFTER = re.compile(
    r".*_post(_low|_high|_reader2.*)?|captem_end|captem_cycles|last_contact|last_captem_date"
    r"|prrt_after_date|best_response|vital_status|not_rescanned_reason|interval_therapy"
)
_Repairs = dict[tuple[str, str, str], list[tuple[str, str]]]
_KEYS = {"patients": ["patient_id"], "lesions": ["patient_id", "lesion_id"]}


def compare(old: dict[str, pd.DataFrame], new: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Return one row a patient or lesion that came or went, and one a cell that is other now.

    Parameters
    ----------
    old, new : `patients`, `lesions`, `repairs` and `eligibility` of each cut, as texts
        (`read_texts`), and `sources`, without which each repair is one of the patients' table.

    Returns
    -------
    DataFrame with `COLUMNS`, by class (`CLASSES`), then patient. An interval is one cell
    (`low-high`).
    """
    rows = [row for table in _KEYS for row in _table(table, old[table], new[table])]
    there = {(row["table"], row["patient_id"], row["column"]) for row in rows if "column" in row}
    rows += _typing(_repairs(old), _repairs(new), _both(old, new), there)
    rows += _inclusion(old["eligibility"], new["eligibility"])
    frame = pd.DataFrame(rows, columns=list(COLUMNS), dtype=object).fillna("")
    place = frame["change"].map({name: i for i, name in enumerate(CLASSES)})
    order = frame.assign(_place=place).sort_values(
        ["_place", "table", "patient_id", "lesion_id", "column"], kind="stable"
    )
    return frame.loc[order.index].reset_index(drop=True)


def _both(old: dict[str, pd.DataFrame], new: dict[str, pd.DataFrame]) -> set[tuple[str, str]]:
    """Return the patients of both cuts, for the lesions those with the same lesions in both."""
    found = set()
    for table in _KEYS:
        lines = [
            {code: sorted(rows["lesion_id"]) if table == "lesions" else []
             for code, rows in cut[table].groupby("patient_id")}
            for cut in (old, new)
        ]  # fmt: skip
        found |= {(table, code) for code, rows in lines[0].items() if lines[1].get(code) == rows}
    return found


def _keyed(table: str, frame: pd.DataFrame) -> dict[tuple[str, ...], dict[str, Any]]:
    keys = _KEYS[table]
    return {
        tuple(row.get(name, "") for name in keys): row for row in _merged(frame).to_dict("records")
    }


def _merged(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table with each interval in one column, as a sheet would have it."""
    frame = frame.copy()
    for low in [name for name in frame if name.endswith("_low")]:
        name, high = low.removesuffix("_low"), low.removesuffix("_low") + "_high"
        if high not in frame:
            continue
        same = frame[low].eq(frame[high])
        frame[name] = frame[low].where(same, frame[low] + "-" + frame[high])
        frame = frame.drop(columns=[low, high])
    return frame


def _table(table: str, old: pd.DataFrame, new: pd.DataFrame) -> Iterable[dict[str, Any]]:
    before, after = _keyed(table, old), _keyed(table, new)
    for key, row in after.items():
        if key not in before:
            yield _line(table, ADDED, key, row)
    for key, row in before.items():
        if key not in after:
            yield _line(table, REMOVED, key, row)
            continue
        now = after[key]
        for column in [*row, *(name for name in now if name not in row)]:
            then, value = row.get(column, ""), now.get(column, "")
            if then != value and column not in _KEYS[table]:
                yield _line(table, class_of(column, then, value), key, now) | {
                    "column": column, "old": then, "new": value
                }  # fmt: skip


def _line(table: str, change: str, key: tuple[str, ...], row: dict[str, Any]) -> dict[str, Any]:
    lesion = key[1] if len(key) > 1 else ""
    return {
        "table": table, "change": change, "patient_id": key[0], "lesion_id": lesion,
        "source": row.get("source", ""),
    }  # fmt: skip


def class_of(column: str, old: str, new: str) -> str:
    """Return the class of a cell that is other now.

    >>> class_of("krenning_post", "", "3"), class_of("krenning_pre", "1", "2")
    ('new follow-up', 'changed score')
    >>> class_of("primary_site", "Ileum", "ileum "), class_of("age_years", "61", "62")
    ('typing repair', 'other edit')
    >>> class_of("krenning_pre", "", "2"), class_of("primary_site", "SSTR+", "SSTR-")
    ('other edit', 'other edit')
    """
    if _plain(old) == _plain(new):
        return TYPING
    if not old and _AFTER.fullmatch(column):
        return FOLLOW_UP
    return SCORE if old and _SCORE.fullmatch(column) else OTHER


def _plain(text: str) -> str:
    try:
        return repr(float(text))
    except ValueError:
        return "".join(text.split()).casefold()


def _typing(
    before: _Repairs, after: _Repairs, both: set[tuple[str, str]], there: set[tuple[str, str, str]]
) -> Iterable[dict[str, Any]]:
    """Yield the cells that are written otherwise and read the same."""
    for key in sorted(set(before) | set(after)):
        table, patient, column = key
        if (table, patient) not in both or key in there:
            continue
        then, now = before.get(key, []), after.get(key, [])
        # Where one cut has no repair of the cells, they are written there as they are read.
        then = then or [(read, read) for _, read in now]
        now = now or [(read, read) for _, read in then]
        # A repair has no lesion: those of a patient are told apart by their order alone.
        if [read for _, read in then] != [read for _, read in now]:
            continue
        for (old, _), (new, _) in zip(then, now, strict=True):
            if old != new:
                yield {
                    "table": table, "change": TYPING, "patient_id": patient, "column": column,
                    "old": old, "new": new,
                }  # fmt: skip


def _repairs(cut: dict[str, pd.DataFrame]) -> _Repairs:
    """Return what was written and what was read, by table, patient and column."""
    sources = cut["sources"].to_dict("records") if "sources" in cut else []
    table_of = {row["file"]: row["table"] for row in sources}
    found: _Repairs = {}
    for row in cut["repairs"].to_dict("records"):
        # What is filled in from the lesions was not written by anybody.
        if row["rule"].startswith("from_lesions"):
            continue
        key = (table_of.get(row["file"], "patients"), row["patient_id"], row["column"])
        found.setdefault(key, []).append((row["written"], row["read"]))
    return found


def _inclusion(old: pd.DataFrame, new: pd.DataFrame) -> Iterable[dict[str, Any]]:
    """Yield who is let in now, or left out now, by the errors in their rows."""
    before = {row["patient_id"]: row for row in old.to_dict("records")}
    for row in new.to_dict("records"):
        then = before.get(row["patient_id"])
        if then and then["without_errors"] != row["without_errors"]:
            words = ["left out: " + (found["left_out_for"] or "errors")
                     if found["without_errors"] != "True" else "included"
                     for found in (then, row)]  # fmt: skip
            yield {
                "table": "patients", "change": INCLUSION, "patient_id": row["patient_id"],
                "source": row.get("source", ""), "column": "included", "old": words[0],
                "new": words[1],
            }  # fmt: skip


def read_texts(path: Any) -> pd.DataFrame:
    """Read a CSV with every cell as the text that stands there."""
    return pd.read_csv(path, dtype=str, keep_default_na=False)
