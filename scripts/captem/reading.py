"""Read the files of a source, cell by cell, each by the notation of its column.

Nothing is guessed: what cannot be read is a `Problem`, what is read differently from how it was
written is a repair, and a column that identifies a person is dropped before anything else sees it.
The result is still in the layout of the file; `captem.layout` makes one row a patient of it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from captem import cells, notation
from captem.column_names import name_columns
from captem.headings import SCHEMAS
from captem.hiding import hide, looks_like, read_ids
from captem.parts import BOOKKEEPING, Column, Part, Source, no_rows, of_file
from captem.problems import ERROR, WARNING, Problem
from captem.schemas import fields, scans
from captem.source_table import SourceTable


def read_part(
    source: Source,
    table: str,
    given: SourceTable,
    key: str | None = None,
    hidden: frozenset[str] = frozenset(),
) -> Part:
    """Read the table of a source; what is wrong with it is listed in the result, never raised.

    Parameters
    ----------
    key : with it, the codes of patients are replaced by hashes before anything else sees them.
    hidden : headings that the file's own dictionary marks as identifiers.
    """
    part = Part(source, table, given, no_rows(), hidden=set(hidden))
    part.problems += [_with_place(problem, given) for problem in given.problems]
    name_columns(part)
    ids = read_ids(part, key)
    hide(part, ids, key)
    part.frame = _read_cells(part, ids)
    _explain_ragged(part)
    return part


def _with_place(problem: Problem, given: SourceTable) -> Problem:
    return replace(problem, file=given.file, sheet=given.sheet)


def _explain_ragged(part: Part) -> None:
    assert part.cells is not None
    part.problems += [
        Problem(
            ERROR, "ragged_row", part.cells.file, part.cells.sheet, str(number),
            value=f"{found} cells",
            allowed=f"{len(part.cells.header)} cells, as many as there are headings",
            mend="put a text that contains a comma in quotation marks, or write a decimal point",
        )
        for number, found in part.cells.ragged
    ]  # fmt: skip


def _read_cells(part: Part, ids: list[str | None]) -> pd.DataFrame:
    assert part.cells is not None
    table = part.cells
    shown = [code or "" for code in ids]
    columns: dict[str, Any] = {}
    for column in part.columns:
        if column.name != "patient_id":  # a code is a code, also where it reads NA
            columns |= _read_column(part, column, shown)
    index = range(len(table.rows))
    # Before the unknown columns: these are kept only where no person is identified.
    unknown = _unknown_columns(part)
    frame = pd.DataFrame(columns | unknown, index=index)
    frame["patient_id"] = pd.Series(ids, dtype=object, index=index)
    frame["source"] = pd.Series(part.source.name, dtype=object, index=index)
    frame["synthetic"] = pd.Series("yes" if table.synthetic else "no", dtype=object, index=index)
    frame["_file"] = pd.Series(table.file, dtype=object, index=index)
    frame["_sheet"] = pd.Series(table.sheet, dtype=object, index=index)
    frame["_row"] = pd.Series(table.numbers, dtype=object, index=index)
    by_row = dict(zip(map(str, table.numbers), shown, strict=True))
    percents = {item.heading for item in part.columns if item.spec.kind == "percent"}
    part.repairs += [
        {
            "file": table.file, "sheet": table.sheet, "row": str(row), "column": column,
            "patient_id": by_row[str(row)], "written": written, "read": said,
            "rule": rule,
        }
        for row, column, written, said, rule in table.repairs
        # A cell that shows 7% is read as 7, which is listed with the reading.
        if column not in part.hidden and not (rule == "percent_format" and column in percents)
    ]  # fmt: skip
    part.problems = [
        problem if problem.patient_id or problem.row not in by_row
        else replace(problem, patient_id=by_row[problem.row])
        for problem in part.problems
    ]  # fmt: skip
    return frame


def _setting(part: Part, column: Column) -> cells.Setting:
    assert part.cells is not None
    table, heading = part.cells, column.heading
    unit = column.unit
    if column.spec.kind == "percent":
        unit = ""
    return cells.Setting(
        given=unit if unit != column.spec.unit else "",
        codes=table.codes.get(heading, {}),
        missing=frozenset(part.source.missing_codes) | table.missing.get(heading, frozenset()),
        decimal_comma=table.decimal_comma,
        date_order=part.source.date_order,
        day_zero=table.day_zero,
        mib1_unit=part.source.units.get(column.spec.name, ""),
    )


def _read_column(part: Part, column: Column, ids: list[str]) -> dict[str, Any]:
    """Read one column; each distinct text is read once, and only what is odd is looked at again."""
    assert part.cells is not None
    spec = column.spec
    codes, distinct = part.distinct_texts(column.place)
    texts = [str(text) for text in distinct]
    parted = _sides(texts, column) if column.side is not None else {}
    readings = cells.read([parted.get(text, text) for text in texts], spec, _setting(part, column))
    none = notation.Interval(None, None) if len(spec.columns) == 2 else notation.Word(None)
    values, odd = [], np.zeros(len(texts), dtype=bool)
    for i, text in enumerate(texts):
        cell = parted.get(text, text)
        # Of both scans, a cell with one value says nothing of either.
        lone = column.side is not None and text not in parted
        values.append(none if lone else readings.found.get(cell, none))
        odd[i] = lone or text in parted or cell in readings.faults or cell in readings.doubtful
        odd[i] |= bool(readings.found.get(cell, none).rule)
    for place in np.flatnonzero(odd[codes]) if len(texts) else ():
        text = texts[codes[place]]
        cell = parted.get(text, text)
        _explain(part, column, int(place), ids[place], text, cell, readings, parted)
    # An interval fills two columns, its ends; everything else fills one, the first of a reading.
    return {
        name: _array([value[i] for value in values], spec.kind, codes)
        for i, name in enumerate(column.frame)
    }


def _sides(texts: list[str], column: Column) -> dict[str, str]:
    """Return the value of this column's scan for each cell that holds both."""
    assert column.side is not None
    found = {}
    for text in texts:
        if parts := notation.before_and_after(text):
            found[text] = parts[column.side]
    return found


def _explain(
    part: Part, column: Column, i: int, patient: str, text: str, cell: str,
    readings: cells.Readings, parted: Mapping[str, str],
) -> None:  # fmt: skip
    """List what is to be said of one cell: a problem, a repair, or both."""
    assert part.cells is not None
    spec = column.spec
    where = {
        "file": part.cells.file,
        "sheet": part.cells.sheet,
        "row": str(part.cells.numbers[i]),
        "patient_id": patient,
        "column": column.heading,
    }
    if column.side is not None and text not in parted:
        # Said once, with the first of the two scans.
        if column.side == 1 or not text.strip():
            return
        if notation.is_missing(text):
            part.repairs.append({**where, "written": text, "read": "", "rule": "missing_code"})
            return
    fault = readings.faults.get(cell)
    if column.side is not None and text not in parted:
        fault = "only one value where the column holds those of both scans, as 1/3"
    if fault:
        part.problems.append(
            Problem(
                ERROR, "not_readable", value=text, allowed=spec.allowed,
                mend=f"correct the cell ({fault}) or leave it empty", **where,
            )
        )  # fmt: skip
        return
    if cell in readings.doubtful:
        part.problems.append(
            Problem(
                ERROR, "fraction_or_percent", value=text, allowed=spec.allowed,
                mend="say for the whole column in the config whether it holds percents or "
                "fractions: units: {mib1: percent} or {mib1: fraction}"
                if readings.throughout
                else f"other cells of the column are above 1, so is this {text} % or a fraction? "
                f"write it with its percent sign: {text}%, or a hundred times as much", **where,
            )
        )  # fmt: skip
    reading = readings.found[cell]
    both = column.side is not None
    if rule := "before_and_after" if both else reading.rule:
        said = f"{column.name}: {_said(reading)}" if both else _said(reading)
        part.repairs.append({**where, "written": text, "read": said, "rule": rule})


def _array(values: list[Any], kind: str, codes: np.ndarray) -> Any:
    if not values:
        dtype = {"score": "Int64", "count": "Int64", "percent": float, "number": float}
        return pd.Series(values, dtype=dtype.get(kind, object))
    if kind in ("score", "count"):
        return pd.array(values, dtype="Int64").take(codes)
    if kind in ("percent", "number"):
        floats = np.array([np.nan if value is None else float(value) for value in values])
        return floats[codes]
    return pd.Series(np.array(values, dtype=object)[codes], dtype=object)


def _said(reading: notation.Interval | notation.Word) -> str:
    if isinstance(reading, notation.Interval):
        return notation.written(reading.low, reading.high)
    return reading.value or ""


def _unknown_columns(part: Part) -> dict[str, Any]:
    """Keep what the dictionary does not know as text; drop and list what identifies a person."""
    assert part.cells is not None
    taken = {column.place for column in part.columns} | set(part.layout.values())
    schema = SCHEMAS[part.table]
    reserved = {*schema.columns, *fields(schema), *scans(schema), *BOOKKEEPING}
    reserved |= {name for column in part.columns for name in column.frame}
    kept: dict[str, Any] = {}
    explained = _named_already(part)
    if part.headless:
        return {}
    for place, heading in enumerate(part.cells.header):
        if place in taken:
            continue
        texts = [row[place] for row in part.cells.rows]
        if not heading:
            part.problems += _without_heading(part, place, texts)
            continue
        looks = looks_like(part, place)
        if part.sealed:
            looks = looks or "patient_ids: hash, and no column that is known to hold the codes"
        if looks:
            part.hidden.add(heading)
            part.problems.append(
                of_file(
                    part, WARNING, "identity_dropped", column=heading,
                    allowed=f"columns that do not identify a person (seen from {looks})",
                    mend="nothing: the column was left out of every result; "
                    "better remove it from the file",
                )
            )  # fmt: skip
            continue
        name = heading
        while name in reserved or name in kept or name.startswith("_"):
            name = f"{name.lstrip('_')} (as given)"
        printed = [notation.printable(text) or None for text in texts]
        kept[name] = pd.Series(printed, dtype=object)
        if heading in explained:
            continue
        near = difflib.get_close_matches(heading.lower(), fields(schema), 1, 0.8)
        hint = f"if it is {near[0]}, say so" if near else "if captem should use it, say so"
        part.problems.append(
            of_file(
                part, WARNING, "unknown_column", column=heading,
                allowed="the columns of the data dictionary (config/README.md)",
                mend=f"nothing: the column is kept as it is; {hint} under columns: in the config",
            )
        )  # fmt: skip
    return kept


def _named_already(part: Part) -> set[str]:
    """Return the headings of which an error says already why they are not read."""
    rules = ("ambiguous_heading", "repeated_heading", "which_scan")
    return {
        name
        for problem in part.problems
        if problem.rule in rules
        for name in (problem.value, *problem.value.split(", "))
    }


def _without_heading(part: Part, place: int, texts: list[str]) -> list[Problem]:
    """Return a warning where cells stand under no heading at all: they are not read."""
    if not any(text.strip() for text in texts):
        return []
    return [
        of_file(
            part, WARNING, "no_heading", column=f"column {place + 1}",
            allowed="a heading above every column that holds values",
            mend="give the column a heading; without one it is not read",
        )
    ]  # fmt: skip


def joined(frames: list[pd.DataFrame], table: str) -> pd.DataFrame:
    """Return the rows of all sources in one table, with the columns that it always has."""
    needed = [name for name, spec in SCHEMAS[table].columns.items() if spec.required]
    frame = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
    return with_columns(frame, [*needed, *BOOKKEEPING])


def with_columns(frame: pd.DataFrame, names: Iterable[str]) -> pd.DataFrame:
    """Return the table with the columns `names`, empty where it had none, of their right type."""
    frame = frame.copy()
    for name in names:
        if name not in frame:
            frame[name] = pd.Series(None, index=frame.index, dtype=_dtype(name))
    return frame


def _dtype(name: str) -> str:
    """Return the type of a canonical column; what no schema knows is text."""
    known = [schema.columns[name] for schema in SCHEMAS.values() if name in schema.columns]
    return str(known[0].dtype) if known and known[0].dtype else "object"
