"""From source files to clean tables: nothing is lost, nothing is guessed, everything is listed.

`ingest` reads every source (`captem.reading`), checks what was read (`captem.checks`), fills in
patient-level values from the lesions (`captem.patient_level`) and counts who is where
(`captem.flow`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pandas as pd

from captem import checks, flow, patient_level
from captem.problems import COLUMNS, ERROR, Problem, as_records
from captem.reading import SCHEMAS, Part, Source, joined, read_part
from captem.sources import SourceTable, read_csv

REPAIR_COLUMNS = ("file", "sheet", "row", "patient_id", "column", "written", "read", "rule")


@dataclass(frozen=True)
class Cohort:
    """What ingest gives: the clean tables and all that was noticed on the way."""

    patients: pd.DataFrame
    lesions: pd.DataFrame
    problems: list[Problem]
    repairs: pd.DataFrame
    flow: pd.DataFrame
    sources: pd.DataFrame

    def problem_frame(self) -> pd.DataFrame:
        """Return `problems.csv`."""
        return pd.DataFrame(as_records(self.problems), columns=list(COLUMNS), dtype=object)


def ingest(
    sources: Iterable[Source],
    *,
    threshold: float,
    rule: str,
    on_problem: str,
    read: Callable[[str, str], SourceTable] = read_csv,
) -> Cohort:
    """Read all sources into the canonical tables; never raises for what a file holds.

    Parameters
    ----------
    sources : the entries of the config, in order.
    threshold, rule : the SSTR criterion (see `captem.lesions`).
    on_problem : `stop`, or `exclude_row` to leave out the rows with errors.
    read : reader of one file, given its path and the name to show.
    """
    sources = list(sources)
    parts = [
        read_part(source, table, path, read)
        for source in sources
        for table, path in (("patients", source.patients), ("lesions", source.lesions))
        if path
    ]
    problems = [problem for part in parts for problem in part.problems]
    for source in sources:
        own = [part for part in parts if part.source == source.name]
        problems += checks.headings(source, own)
    repairs = [repair for part in parts for repair in part.repairs]

    patients = joined(parts, "patients")
    marks = joined(parts, "lesions")
    problems += checks.ids(patients, marks)
    problems += checks.ranges(patients, "patients", parts)
    problems += checks.ranges(marks, "lesions", parts)
    if on_problem == "exclude_row":
        patients, marks = _without_errors(patients, marks, problems)
    derived, notes, derivations = patient_level.from_lesions(patients, marks, rule)
    problems += notes
    repairs += derivations
    return Cohort(
        patients=_canonical(derived, "patients"),
        lesions=_canonical(marks, "lesions"),
        problems=problems,
        repairs=pd.DataFrame(repairs, columns=list(REPAIR_COLUMNS)),
        flow=flow.count(flow.recorded(parts), derived, marks, threshold, rule),
        sources=_source_frame(parts),
    )


def _without_errors(
    patients: pd.DataFrame, marks: pd.DataFrame, problems: list[Problem]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    bad = {(problem.file, problem.row) for problem in problems if problem.severity == ERROR}

    def good(frame: pd.DataFrame) -> pd.DataFrame:
        places = zip(frame["_file"], frame["_row"].astype(str), strict=True)
        keep = pd.Series([place not in bad for place in places], index=frame.index, dtype=bool)
        return frame[keep]

    patients, marks = good(patients), good(marks)
    return patients, marks[marks["patient_id"].isin(patients["patient_id"])]


def _canonical(frame: pd.DataFrame, table: str) -> pd.DataFrame:
    """Order the columns as the schema has them; then what the sheet has besides."""
    schema = SCHEMAS[table]
    known = [name for name in schema.columns if name in frame]
    others = [name for name in frame if name not in schema.columns and not name.startswith("_")]
    return frame[[*known, *[name for name in others if name != "synthetic"], "synthetic"]]


def _source_frame(parts: list[Part]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "source": part.source,
                "table": part.table,
                "file": part.cells.file,
                "rows": len(part.cells.rows) + len(part.cells.ragged),
                "synthetic": "yes" if part.cells.synthetic else "no",
                "note": "\n".join(part.cells.note),
            }
            for part in parts
            if part.cells is not None
        ],
        columns=["source", "table", "file", "rows", "synthetic", "note"],
    )
