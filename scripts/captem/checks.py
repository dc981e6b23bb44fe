"""What has to hold of the cells that were read: required columns, codes, ranges, agreement."""

from __future__ import annotations

import difflib

import pandas as pd
import pandera.pandas as pa
from pandera.errors import SchemaErrors

from captem import lesions, notation
from captem.problems import ERROR, WARNING, Problem
from captem.reading import SCHEMAS, Part, Source, identifies
from captem.schemas import fields

PAIRS = (("krenning_pre", "krenning_post"), ("suvmax_pre", "suvmax_post"))


def headings(source: Source, parts: list[Part]) -> list[Problem]:
    """Are the required columns there, and does `columns:` name columns that exist?"""
    readable = [part for part in parts if part.cells is not None]
    problems = []
    for part in readable:
        if "patient_id" not in part.mapped:
            problems.append(_missing_column(part, "patient_id"))
        if part.table == "lesions" and "lesion_id" not in part.mapped:
            problems.append(_missing_column(part, "lesion_id"))
    if len(readable) == len(parts) and not any(
        set(pair) <= set(part.mapped) for part in readable for pair in PAIRS
    ):
        given = {name for part in readable for name in part.mapped}
        half = [name for pair in PAIRS for name in pair if set(pair) & given and name not in given]
        problems.append(_missing_column(readable[0], half[0] if half else "krenning_pre"))
    known = {name for part in readable for name in fields(SCHEMAS[part.table])}
    for name, heading in source.columns.items():
        file = ", ".join(part.cells.file for part in readable if part.cells)
        headings = {text for part in readable if part.cells for text in part.cells.header}
        if readable and name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]}?" if near else "see config/README.md"
            problems.append(
                Problem(
                    ERROR, "unknown_name", file, column=name, value=name,
                    allowed="under columns: the names of the data dictionary",
                    mend=f"correct the name in the config; {hint}",
                )
            )  # fmt: skip
        elif readable and heading.strip() not in headings:
            near = difflib.get_close_matches(heading, headings, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"found: {', '.join(sorted(headings))}"
            problems.append(
                Problem(
                    ERROR, "missing_column", file, column=heading, value="no such heading",
                    allowed="a heading of the file", mend=f"correct columns: in the config; {hint}",
                )
            )  # fmt: skip
    return problems


def _missing_column(part: Part, name: str) -> Problem:
    assert part.cells is not None
    found = ", ".join(heading for heading in part.cells.header if not identifies(heading))
    pair = next((pair for pair in PAIRS if name in pair), None)
    allowed = f"a column {name}"
    if pair:
        allowed = (
            "in the patient or the lesion table, the pair krenning_pre and krenning_post, "
            "or suvmax_pre and suvmax_post"
        )
    return Problem(
        ERROR, "missing_column", part.cells.file, column=name, value=f"headings found: {found}",
        allowed=allowed, mend=f"add the column, or name its heading: columns: {{{name}: ...}}",
    )  # fmt: skip


def ids(patients: pd.DataFrame, marks: pd.DataFrame) -> list[Problem]:
    problems = []
    for frame in (patients, marks):
        problems += [
            Problem(
                ERROR, "no_patient_id", row["_file"], row=str(row["_row"]), column="patient_id",
                allowed="the code of a patient in every row", mend="fill in the code",
            )
            for row in frame[frame["patient_id"].eq("")].to_dict("records")
        ]  # fmt: skip
    problems += _repeated(patients, ["patient_id"], "duplicate_patient", "each patient in one row")
    if "lesion_id" in marks:
        unnamed = marks["lesion_id"].isna()
        problems += [
            Problem(
                ERROR, "no_lesion_id", row["_file"], row=str(row["_row"]),
                patient_id=row["patient_id"], column="lesion_id",
                allowed="a name for every lesion", mend="fill in a name, such as L1",
            )
            for row in marks[unnamed].to_dict("records")
        ]  # fmt: skip
        key = ["patient_id", "lesion_id"]
        problems += _repeated(
            marks[~unnamed], key, "duplicate_lesion", "each lesion of a patient in one row"
        )
    named = marks["patient_id"].notna() & marks["patient_id"].ne("")
    orphans = marks[named & ~marks["patient_id"].isin(patients["patient_id"])]
    problems += [
        Problem(
            ERROR, "unknown_patient", row["_file"], row=str(row["_row"]),
            patient_id=row["patient_id"], column="patient_id", value=row["patient_id"],
            allowed="a patient of the patient table",
            mend="add the patient to the patient table, or correct the code",
        )
        for row in orphans.to_dict("records")
    ]  # fmt: skip
    return problems


def _repeated(frame: pd.DataFrame, key: list[str], rule: str, allowed: str) -> list[Problem]:
    frame = frame[frame["patient_id"].notna() & frame["patient_id"].ne("")]
    twice = frame[frame.duplicated(key, keep=False)]
    problems = []
    for _, rows in twice.groupby(key, sort=False):
        places = [f"{row['_file']} row {row['_row']}" for row in rows.to_dict("records")]
        for i, row in enumerate(rows.to_dict("records")):
            others = ", ".join(places[:i] + places[i + 1 :])
            problems.append(
                Problem(
                    ERROR, rule, row["_file"], row=str(row["_row"]), patient_id=row["patient_id"],
                    column=key[-1], value=row[key[-1]], allowed=f"{allowed} (also in {others})",
                    mend="remove the row that is not meant, or correct its code",
                )
            )  # fmt: skip
    return problems


def index_lesions(patients: pd.DataFrame, scored: pd.DataFrame, rule: str) -> list[Problem]:
    """Under the rule `index`, does each patient with matched lesions have one index lesion?"""
    if rule != "index":
        return []
    marks = scored.get("index_lesion", pd.Series(index=scored.index, dtype=object)).eq("yes")
    counts = marks.groupby(scored["patient_id"]).sum()
    wrong = counts[counts != 1]
    return [
        Problem(
            WARNING, "no_single_index_lesion", row["_file"], row=str(row["_row"]),
            patient_id=row["patient_id"], column="index_lesion",
            value=f"{wrong[row['patient_id']]} of the matched lesions say yes",
            allowed="yes for one lesion of the patient that is scored at both scans",
            mend="mark one in the lesion table; until then the patient has no score by this rule",
        )
        for row in patients[patients["patient_id"].isin(wrong.index)].to_dict("records")
    ]  # fmt: skip


def ranges(frame: pd.DataFrame, table: str, parts: list[Part]) -> list[Problem]:
    """Check the values that could be read against the ranges of the schema."""
    schema: pa.DataFrameSchema = SCHEMAS[table]
    given = [name for name in schema.columns if name in frame.columns]
    try:
        schema.select_columns(given).validate(frame[given], lazy=True)
    except SchemaErrors as error:
        failures = error.failure_cases
    else:
        return []
    by_column = {column: spec for spec in fields(schema).values() for column in spec.columns}
    headings = {
        (part.cells.file, name): part.cells.header[place]
        for part in parts
        if part.cells and part.table == table
        for name, place in part.mapped.items()
    }
    problems, seen = [], set()
    for case in failures.to_dict("records"):
        if case["index"] is None or pd.isna(case["index"]):
            raise AssertionError(f"the clean {table} table is not of its schema: {case}")
        row, spec = frame.loc[int(case["index"])], by_column[case["column"]]
        if (int(case["index"]), spec.name) in seen:
            continue
        seen.add((int(case["index"]), spec.name))
        ends = [row[column] for column in spec.columns]
        problems.append(
            Problem(
                ERROR, "out_of_range", row["_file"], row=str(row["_row"]),
                patient_id=row["patient_id"],
                column=headings.get((row["_file"], spec.name), spec.name),
                value=notation.written(float(ends[0]), float(ends[-1])),
                allowed=spec.allowed, mend="correct the cell, or leave it empty",
            )
        )  # fmt: skip
    return problems


def against_lesions(patients: pd.DataFrame, scored: pd.DataFrame, rule: str) -> list[Problem]:
    problems = []
    for name in PAIRS[0]:
        ends = (f"{name}_low", f"{name}_high")
        ranked = lesions.patient_values(scored, ends, rule)
        both = patients[patients[ends[0]].notna() & patients["patient_id"].isin(ranked.index)]
        for row in both.to_dict("records"):
            low, high = ranked.loc[row["patient_id"]]
            if low <= row[ends[1]] and high >= row[ends[0]]:
                continue
            said = notation.written(low, high)
            problems.append(
                Problem(
                    WARNING, "lesions_disagree", row["_file"],
                    row=str(row["_row"]), patient_id=row["patient_id"], column=name,
                    value=notation.written(row[ends[0]], row[ends[1]]),
                    allowed=f"{said}, which the lesions give under the rule {rule!r}",
                    mend="nothing: the patient's score is kept as given, the criterion is asked of "
                    "the lesions; correct the one that is wrong",
                )
            )  # fmt: skip
    return problems
