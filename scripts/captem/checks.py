"""What has to hold of the cells that were read: required columns, codes, ranges, agreement."""

from __future__ import annotations

import difflib
import re
import unicodedata

import numpy as np
import pandas as pd
import pandera.pandas as pa

from captem import headings as known_headings
from captem import lesions, notation
from captem.headings import SCHEMAS
from captem.identity import identifies
from captem.lesions import NUMBER
from captem.parts import PAIRS, Part, Source
from captem.problems import ERROR, WARNING, Problem
from captem.schemas import fields, scans


def headings(source: Source, parts: list[Part]) -> list[Problem]:
    """Are the required columns there, and does `columns:` name columns that exist?"""
    readable = [part for part in parts if part.cells is not None]
    problems = []
    for part in readable:
        if "patient_id" not in part.names and not _said(part, "patient_id"):
            problems.append(_missing_column(part, "patient_id"))
        if part.table == "lesions" and "lesion_id" not in part.names:
            problems.append(_missing_column(part, "lesion_id"))
    given = {name for part in readable for name in part.names}
    pair = any(set(pair) <= part.names for part in readable for pair in PAIRS)
    if len(readable) == len(parts) and not pair and not _pair_is_doubtful(readable):
        half = [name for pair in PAIRS for name in pair if set(pair) & given and name not in given]
        problems.append(_missing_column(readable[0], half[0] if half else "krenning_pre"))
    return problems + _config(source, readable)


def _said(part: Part, name: str) -> bool:
    """Return whether a problem was already listed of the column that would be this one."""
    return any(
        problem.rule == "ambiguous_heading" and f"one column for {name}" == problem.allowed
        for problem in part.problems
    )


def _pair_is_doubtful(parts: list[Part]) -> bool:
    names = [name for pair in PAIRS for name in pair]
    return any(
        problem.rule == "which_scan" or (name in names and _said(part, name))
        for part in parts
        for problem in part.problems
        for name in names
    )


def _config(source: Source, readable: list[Part]) -> list[Problem]:
    """Does `columns:` name columns that captem knows and headings that the files have?"""
    problems = []
    known = {
        name
        for part in readable
        for name in (
            *fields(SCHEMAS[part.table]), *scans(SCHEMAS[part.table]), *known_headings.LAYOUT,
        )
    }  # fmt: skip
    file = ", ".join(dict.fromkeys(part.cells.file for part in readable if part.cells))
    found = {text for part in readable if part.cells for text in part.cells.header}
    for name, heading in source.columns.items():
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
        elif readable and heading.strip() and heading.strip() not in found:
            shown = sorted(text for text in found if text and not identifies(text))
            near = difflib.get_close_matches(heading, shown, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"found: {', '.join(shown)}"
            problems.append(
                Problem(
                    ERROR, "missing_column", file, column=heading, value="no such heading",
                    allowed="a heading of the file", mend=f"correct columns: in the config; {hint}",
                )
            )  # fmt: skip
        elif name != "patient_id" and identifies(heading, mapped=True):
            problems.append(
                Problem(
                    ERROR, "identity_mapped", file, column=heading,
                    allowed="a column that does not identify a person",
                    mend=f"give {name} from a column with the study's own values",
                )
            )  # fmt: skip
    return problems


def _missing_column(part: Part, name: str) -> Problem:
    assert part.cells is not None
    shown = [heading for heading in part.cells.header if not identifies(heading)]
    # Without a row of headings the first row is a patient's.
    found = f"none among {len(shown)} columns" if part.headless else ", ".join(shown)
    pair = next((pair for pair in PAIRS if name in pair), None)
    allowed = f"a column {name}"
    if pair:
        allowed = (
            "in the patient or the lesion table, the pair krenning_pre and krenning_post, "
            "or suvmax_pre and suvmax_post"
        )
    return Problem(
        ERROR, "missing_column", part.cells.file, part.cells.sheet, column=name,
        value=f"headings found: {found}", allowed=allowed,
        mend=f"add the column, or name its heading: columns: {{{name}: ...}}",
    )  # fmt: skip


def codes(part: Part) -> list[Problem]:
    """Has every row the code of a patient?"""
    return [
        Problem(
            ERROR, "no_patient_id", row["_file"], row["_sheet"], str(row["_row"]),
            column="patient_id", allowed="the code of a patient in every row",
            mend="fill in the code",
        )
        for row in part.frame[part.frame["patient_id"].eq("")].to_dict("records")
    ]  # fmt: skip


def empty_rows(part: Part) -> list[Problem]:
    """Does a row hold anything beside the code? A note below the table would be a patient."""
    assert part.cells is not None
    place = next((item.place for item in part.columns if item.name == "patient_id"), None)
    if place is None or len(part.cells.header) < 2 or part.long:
        return []
    bare = np.ones(len(part.frame), dtype=bool)
    for column in part.columns:
        for name in column.frame if column.place != place else ():
            if bare.any():
                bare &= part.frame[name].isna().to_numpy()
    rows = [(i, part.cells.rows[i]) for i in np.flatnonzero(bare)]
    return [
        Problem(
            WARNING, "only_a_code", part.cells.file, part.cells.sheet,
            str(part.cells.numbers[i]), part.frame["patient_id"].iloc[i] or "",
            part.cells.header[place], allowed="values of the patient beside the code",
            mend="nothing, if the patient has no data yet; else remove the row: it is counted as "
            "a patient",
        )
        for i, row in rows
        if row[place].strip() and not any(map(str.strip, [*row[:place], *row[place + 1 :]]))
    ]  # fmt: skip


_TOTAL = re.compile(r"(total|sum|summe|gesamt|mean|mittelwert|median|n\s*=)\b.*", re.IGNORECASE)


def totals(part: Part) -> list[Problem]:
    """Is a row a line of totals? It would be counted as a patient."""
    frame = part.frame
    codes = frame["patient_id"].dropna()
    totals = [code for code in codes.unique() if _TOTAL.fullmatch(code)]
    codes = codes[codes.isin(totals)] if totals else codes[:0]
    return [
        Problem(
            ERROR, "total_row", frame["_file"][i], frame["_sheet"][i], str(frame["_row"][i]),
            code, part.heading("patient_id"), code, "the code of a patient",
            "remove the line of totals from the table",
        )
        for i, code in codes.items()
    ]  # fmt: skip


def fewer_lesions(patients: pd.DataFrame, left_out: pd.DataFrame) -> list[Problem]:
    """Are lesions of a patient who stays left out, so that the others speak for the patient?"""
    gone = left_out["patient_id"].value_counts()
    return [
        Problem(
            WARNING, "lesions_left_out", row["_file"], row["_sheet"], str(row["_row"]),
            row["patient_id"], value=f"{gone[row['patient_id']]} left out because of errors",
            allowed="all lesions of the patient",
            mend="correct the errors of the lesions; until then the remaining ones speak for the "
            "patient",
        )
        for row in patients[patients["patient_id"].isin(gone.index)].to_dict("records")
    ]  # fmt: skip


def ids(patients: pd.DataFrame, marks: pd.DataFrame) -> list[Problem]:
    """Does each patient and each lesion stand once, and belong each lesion to a patient?"""
    problems = []
    problems += _repeated(patients, ["patient_id"], "duplicate_patient", "each patient in one row")
    if "lesion_id" in marks:
        unnamed = marks["lesion_id"].isna()
        problems += [
            Problem(
                ERROR, "no_lesion_id", row["_file"], row["_sheet"], str(row["_row"]),
                patient_id=row["patient_id"], column="lesion_id",
                allowed="a name for every lesion", mend="fill in a name, such as L1",
            )
            for row in marks[unnamed].to_dict("records")
        ]  # fmt: skip
        key = ["patient_id", "lesion_id"]
        problems += _repeated(
            marks[~unnamed], key, "duplicate_lesion", "each lesion of a patient in one row"
        )
    problems += _alike(patients)
    orphans = marks[marks[NUMBER].ge(0) & ~marks[NUMBER].isin(patients[NUMBER])]
    problems += [
        Problem(
            ERROR, "unknown_patient", row["_file"], row["_sheet"], str(row["_row"]),
            patient_id=row["patient_id"], column="patient_id", value=row["patient_id"],
            allowed="a patient of the patient table",
            mend="add the patient to the patient table, or correct the code",
        )
        for row in orphans.to_dict("records")
    ]  # fmt: skip
    return problems


def _alike(patients: pd.DataFrame) -> list[Problem]:
    """Are there codes that only look the same: with other blanks, widths or unseen signs?"""
    codes = pd.Series(patients.loc[patients[NUMBER].ge(0), "patient_id"].unique(), dtype=object)
    bare = codes.map(_bare_code)
    twins = set(codes[bare.duplicated(keep=False)])
    return [
        Problem(
            WARNING, "codes_look_alike", row["_file"], row["_sheet"], str(row["_row"]),
            row["patient_id"], "patient_id", row["patient_id"],
            "codes that differ to the eye from those of other patients",
            "write the code in one way if it is one patient",
        )
        for row in patients[patients["patient_id"].isin(twins)].to_dict("records")
    ]  # fmt: skip


def _bare_code(code: str) -> str:
    if code.isascii():
        return code.replace(" ", "")
    plain = unicodedata.normalize("NFKC", code)
    return "".join(sign for sign in plain if unicodedata.category(sign) not in ("Cf", "Zs"))


def _repeated(frame: pd.DataFrame, key: list[str], rule: str, allowed: str) -> list[Problem]:
    frame = frame[frame[NUMBER].ge(0)]
    twice = frame[frame.duplicated([NUMBER, *key[1:]], keep=False)]
    problems = []
    for _, rows in twice.groupby(key, sort=False):
        places = [_place(row) for row in rows.to_dict("records")]
        for i, row in enumerate(rows.to_dict("records")):
            others = ", ".join(places[:i] + places[i + 1 :])
            problems.append(
                Problem(
                    ERROR, rule, row["_file"], row["_sheet"], str(row["_row"]), row["patient_id"],
                    column=key[-1], value=str(row[key[-1]]),
                    allowed=f"{allowed} (also in {others})",
                    mend="remove the row that is not meant, or correct its code",
                )
            )  # fmt: skip
    return problems


def index_lesions(patients: pd.DataFrame, scored: pd.DataFrame, rule: str) -> list[Problem]:
    """Under the rule `index`, does each patient with matched lesions have one index lesion?"""
    if rule != "index":
        return []
    marks = scored.get("index_lesion", pd.Series(index=scored.index, dtype=object)).eq("yes")
    counts = marks.groupby(scored[NUMBER]).sum()
    wrong = counts[counts != 1]
    return [
        Problem(
            WARNING, "no_single_index_lesion", row["_file"], row["_sheet"], str(row["_row"]),
            patient_id=row["patient_id"], column="index_lesion",
            value=f"{wrong[row[NUMBER]]} of the matched lesions say yes",
            allowed="yes for one lesion of the patient that is scored at both scans",
            mend="mark one in the lesion table; until then the patient has no score by this rule",
        )
        for row in patients[patients[NUMBER].isin(wrong.index)].to_dict("records")
    ]  # fmt: skip


def _place(row: dict) -> str:
    sheet = f" sheet {row['_sheet']}" if row["_sheet"] else ""
    return f"{row['_file']}{sheet} row {row['_row']}"


def ranges(part: Part) -> list[Problem]:
    """Check the values that could be read against the ranges of the schema, in the file's rows."""
    schema: pa.DataFrameSchema = SCHEMAS[part.table]
    problems = []
    for column in part.columns:
        wrong = np.zeros(len(part.frame), dtype=bool)
        for name, target in zip(column.frame, column.spec.columns, strict=True):
            known = schema.columns.get(target) if name in part.frame else None
            limits = (known.metadata or {}).get("limits") if known else None
            if limits:
                values = part.frame[name].to_numpy(dtype=float, na_value=np.nan)
                wrong |= ~limits.kept(values)
        for i in np.flatnonzero(wrong):
            row = part.frame.iloc[i]
            ends = [row[name] for name in column.frame]
            problems.append(
                Problem(
                    ERROR, "out_of_range", row["_file"], row["_sheet"], str(row["_row"]),
                    row["patient_id"] or "", column.heading,
                    notation.written(float(ends[0]), float(ends[-1])),
                    column.spec.allowed, "correct the cell, or leave it empty",
                )
            )  # fmt: skip
    return problems


def against_lesions(patients: pd.DataFrame, scored: pd.DataFrame, rule: str) -> list[Problem]:
    """Do the scores of the patients agree with what the rule gives of their lesions?"""
    problems = []
    for name in PAIRS[0]:
        ends = [f"{name}_low", f"{name}_high"]
        ranked = lesions.patient_values(scored, tuple(ends), rule, NUMBER)
        own = patients[ends].astype(float)
        other = ranked.reindex(patients[NUMBER]).astype(float).set_axis(patients.index)
        apart = (other[ends[0]] > own[ends[1]]) | (other[ends[1]] < own[ends[0]])
        for row, low, high in zip(
            patients[apart].to_dict("records"), *(other.loc[apart, end] for end in ends),
            strict=True,
        ):  # fmt: skip
            problems.append(
                Problem(
                    WARNING, "lesions_disagree", row["_file"], row["_sheet"], str(row["_row"]),
                    row["patient_id"], name, notation.written(row[ends[0]], row[ends[1]]),
                    f"{notation.written(low, high)}, which the lesions give under the rule "
                    f"{rule!r}",
                    "if one is wrong, correct it; the patient's score is kept as given, and the "
                    "criterion is asked of the lesions (criterion: rule in the config)",
                )
            )  # fmt: skip
    return problems
