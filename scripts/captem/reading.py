"""Read the files of a source, cell by cell, each by the notation of its column.

Nothing is guessed: what cannot be read is a `Problem`, what is read differently from how it was
written is a repair, and a column that identifies a person is dropped before anything else sees it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from captem import notation
from captem.problems import ERROR, WARNING, Problem
from captem.schemas import LESIONS, PATIENTS, Field, fields
from captem.sources import NotReadableFile, SourceTable

SCHEMAS = {"patients": PATIENTS, "lesions": LESIONS}
# What captem adds to the cells of a file: where each row stood, and whether it is synthetic.
BOOKKEEPING = ("synthetic", "_file", "_row")
# Words of a heading that mean a person's identity, in the languages sheets were seen in. A column
# that is dropped by mistake costs a renamed heading; one that is kept by mistake costs a name.
_IDENTITY_WORDS = frozenset(
    """
    name names surname forename firstname lastname fullname initials dob birth birthday birthdate
    mrn nhs nhsnumber ssn uhid aadhaar passport phone telephone tel mobile mail email address
    postcode zip kin accession nachname vorname geburtsdatum geburtstag geb patientennummer
    fallnummer adresse telefon nom prenom prénom naissance nombre apellido apellidos nacimiento
    cognome nascita
    """.split()  # noqa: SIM905
)
_IDENTITY_PHRASES = re.compile(
    r"\b(d o b|social security|instance uid|"
    r"(record|hospital|mr|cr|reg|registration|case|file|chart|contact|insurance) "
    r"(id|no|nr|num|number))\b"
)


# Beside the code of a study, a number of the patient is the hospital's.
_PATIENT_NUMBER = re.compile(r"\b(pat|patient|patienten) (id|no|nr|num|number)\b|\bpatnr\b")


def identifies(heading: str, *, mapped: bool = False) -> bool:
    """Say whether a heading looks like a column that identifies a person.

    With `mapped`, for a heading that the config names: `Patient No` may then be the study's code.

    >>> [identifies(text) for text in ("PatientName", "D.O.B.", "Name, Vorname", "MR No")]
    [True, True, True, True]
    >>> [identifies(text) for text in ("lesion_site", "captem_start", "comment")]
    [False, False, False]
    """
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", heading)
    words = re.sub(r"[\W\d_]+", " ", parted).strip().lower()
    return bool(
        _IDENTITY_WORDS & set(words.split())
        or _IDENTITY_PHRASES.search(words)
        or (not mapped and _PATIENT_NUMBER.search(words))
    )


@dataclass(frozen=True)
class Source:
    """One entry of `sources:` in the config."""

    name: str
    patients: str
    lesions: str | None = None
    columns: dict[str, str] = field(default_factory=dict)


@dataclass
class Part:
    """One file while it is read: its cells so far, its problems, its repairs."""

    source: str
    table: str
    cells: SourceTable | None
    frame: pd.DataFrame
    mapped: dict[str, int]
    problems: list[Problem]
    repairs: list[dict[str, str]]


def read_part(
    source: Source, table: str, path: str, read: Callable[[str, str], SourceTable]
) -> Part:
    """Read one file of a source; what is wrong with it is listed in the result, never raised."""
    empty = pd.DataFrame({"patient_id": pd.Series(dtype=object)})
    try:
        cells = read(path, path)
    except NotReadableFile as error:
        problem = Problem(
            ERROR, error.rule, path, value=error.value, allowed=error.allowed, mend=error.mend
        )
        return Part(source.name, table, None, empty, {}, [problem], [])
    part = Part(source.name, table, cells, empty, {}, [], [])
    part.mapped = _map_headings(part, source)
    part.frame = _read_cells(part)
    part.problems += [
        Problem(
            ERROR, "ragged_row", cells.file, row=str(number), value=f"{found} cells",
            allowed=f"{len(cells.header)} cells, as many as there are headings",
            mend="put a text that contains a comma in quotation marks, or write a decimal point",
        )
        for number, found in cells.ragged
    ]  # fmt: skip
    return part


def _map_headings(part: Part, source: Source) -> dict[str, int]:
    """Return the place of each input column in the file, by canonical name."""
    assert part.cells is not None
    header = part.cells.header
    known = fields(SCHEMAS[part.table])
    for heading in sorted({name for name in header if name and header.count(name) > 1}):
        part.problems.append(
            Problem(
                ERROR, "repeated_heading", part.cells.file, column=heading, value=heading,
                allowed="each heading once", mend="rename or remove the column that is not meant",
            )
        )  # fmt: skip
    wanted = {name: heading.strip() for name, heading in source.columns.items()}
    part.problems += [
        Problem(
            ERROR, "identity_mapped", part.cells.file, column=heading,
            allowed="a column that does not identify a person",
            mend=f"give {name} from a column with the study's own codes or values",
        )
        for name, heading in wanted.items()
        if heading in header and identifies(heading, mapped=True)
    ]  # fmt: skip
    mapped = {}
    for name in known:
        heading = wanted.get(name, name)
        if heading in header:
            mapped[name] = header.index(heading)
        elif name in header and name not in wanted.values():
            mapped[name] = header.index(name)
    return mapped


def _read_cells(part: Part) -> pd.DataFrame:
    assert part.cells is not None
    cells = part.cells
    known = fields(SCHEMAS[part.table])
    place = part.mapped.get("patient_id")
    # None where the whole column is missing, which is one problem and not one a row.
    ids = [None if place is None else notation.printable(row[place]) for row in cells.rows]
    columns: dict[str, Any] = {}
    for name, place in part.mapped.items():
        if name == "patient_id":
            continue  # a code is a code, also where it reads NA
        columns |= _read_column(part, known[name], [row[place] for row in cells.rows], ids)
    columns |= _unknown_columns(part)
    frame = pd.DataFrame(columns, index=range(len(cells.rows)))
    frame["patient_id"] = pd.Series(ids, dtype=object, index=frame.index)
    frame["source"] = pd.Series(part.source, dtype=object, index=frame.index)
    answer = "yes" if cells.synthetic else "no"
    frame["synthetic"] = pd.Series(answer, dtype=object, index=frame.index)
    frame["_file"] = pd.Series(cells.file, dtype=object, index=frame.index)
    frame["_row"] = pd.Series(cells.numbers, dtype=object, index=frame.index)
    return frame


def _read_column(
    part: Part, spec: Field, texts: list[str], ids: list[str | None]
) -> dict[str, Any]:
    """Read one column's cells; each distinct text is read once."""
    assert part.cells is not None
    heading = part.cells.header[part.mapped[spec.name]]
    readings: dict[str, Any] = {}
    faults: dict[str, str] = {}
    for cell in dict.fromkeys(texts):
        try:
            readings[cell] = _reading(spec, cell)
        except notation.NotReadable as error:
            faults[cell] = str(error)
    none = notation.Interval(None, None) if len(spec.columns) == 2 else notation.Word(None)
    for i, cell in enumerate(texts):
        where = {
            "file": part.cells.file,
            "row": str(part.cells.numbers[i]),
            "patient_id": ids[i] or "",
            "column": heading,
        }
        if cell in faults:
            part.problems.append(
                Problem(
                    ERROR, "not_readable", value=cell, allowed=spec.allowed,
                    mend=f"correct the cell ({faults[cell]}) or leave it empty", **where,
                )
            )  # fmt: skip
        elif readings[cell].rule:
            part.repairs.append(
                {**where, "sheet": "", "written": cell, "read": _said(readings[cell]),
                 "rule": readings[cell].rule}
            )  # fmt: skip
    values = [readings.get(cell, none) for cell in texts]
    # An interval fills two columns, its ends; everything else fills one, the first of a reading.
    return {
        column: _array([value[i] for value in values], spec.kind)
        for i, column in enumerate(spec.columns)
    }


def _array(values: list[Any], kind: str) -> Any:
    if kind in ("score", "count"):
        return pd.array(values, dtype="Int64")
    if kind in ("percent", "number"):
        return np.array([np.nan if value is None else float(value) for value in values])
    return pd.Series(values, dtype=object)


def _reading(spec: Field, cell: str) -> notation.Interval | notation.Word:
    if spec.kind == "choice":
        return notation.choice(cell, spec.choices)
    readers: dict[str, Callable[[str], Any]] = {
        "score": notation.score,
        "percent": notation.percent,
        "number": notation.number,
        "count": notation.count,
        "date": notation.day,
        "text": notation.text,
    }
    return readers[spec.kind](cell)


def _said(reading: notation.Interval | notation.Word) -> str:
    if isinstance(reading, notation.Interval):
        return notation.written(reading.low, reading.high)
    return reading.value or ""


def _unknown_columns(part: Part) -> dict[str, Any]:
    """Keep what the dictionary does not know as text; drop and list what identifies a person."""
    assert part.cells is not None
    taken = set(part.mapped.values())
    schema = SCHEMAS[part.table]
    reserved = set(schema.columns) | set(fields(schema)) | set(BOOKKEEPING)
    kept: dict[str, Any] = {}
    for place, heading in enumerate(part.cells.header):
        if place in taken:
            continue
        if not heading:
            part.problems += _without_heading(part, place)
            continue
        if identifies(heading):
            part.problems.append(
                Problem(
                    WARNING, "identity_dropped", part.cells.file, column=heading,
                    allowed="columns that do not identify a person",
                    mend="nothing: the column was left out of every result; "
                    "better remove it from the file",
                )
            )  # fmt: skip
            continue
        name = heading
        while name in reserved or name in kept or name.startswith("_"):
            name = f"{name.lstrip('_')} (as given)"
        texts = [notation.printable(row[place]) or None for row in part.cells.rows]
        kept[name] = pd.Series(texts, dtype=object)
        near = difflib.get_close_matches(heading.lower(), fields(SCHEMAS[part.table]), 1, 0.8)
        hint = f"if it is {near[0]}, say so" if near else "if captem should use it, say so"
        part.problems.append(
            Problem(
                WARNING, "unknown_column", part.cells.file, column=heading,
                allowed="the columns of the data dictionary (config/README.md)",
                mend=f"nothing: the column is kept as it is; {hint} under columns: in the config",
            )
        )  # fmt: skip
    return kept


def _without_heading(part: Part, place: int) -> list[Problem]:
    """Return a warning where cells stand under no heading at all: they are not read."""
    assert part.cells is not None
    if not any(row[place].strip() for row in part.cells.rows):
        return []
    return [
        Problem(
            WARNING, "no_heading", part.cells.file, column=f"column {place + 1}",
            allowed="a heading above every column that holds values",
            mend="give the column a heading; without one it is not read",
        )
    ]  # fmt: skip


def joined(parts: list[Part], table: str) -> pd.DataFrame:
    frames = [part.frame for part in parts if part.table == table and part.cells is not None]
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
