"""From source files to clean tables: nothing is lost, nothing is guessed, everything is listed.

`ingest` takes every source in (`captem.intake`), reads its cells (`captem.reading`), makes one row
a patient of them (`captem.layout`), checks what was read (`captem.checks`, `captem.cross_checks`),
fills in patient-level values from the lesions (`captem.patient_level`) and counts who is where
(`captem.flow`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from captem import checks, cross_checks, flow, intake, layout, patient_level, withdrawal
from captem.headings import SCHEMAS
from captem.intake import Taken
from captem.lesions import NUMBER, numbered
from captem.parts import Part, Source, unreadable
from captem.problems import COLUMNS, ERROR, Problem, in_order
from captem.reading import joined, read_part

REPAIR_COLUMNS = ("file", "sheet", "row", "patient_id", "column", "written", "read", "rule")


@dataclass(frozen=True)
class Cohort:
    """What ingest gives: the clean tables and all that was noticed on the way."""

    patients: pd.DataFrame
    lesions: pd.DataFrame
    problems: list[Problem]
    repairs: pd.DataFrame
    flow: pd.DataFrame
    eligibility: pd.DataFrame
    sources: pd.DataFrame
    parts: list[Part] = field(default_factory=list)

    def problem_frame(self) -> pd.DataFrame:
        """Return `problems.csv`."""
        rows = [[getattr(item, name) for name in COLUMNS] for item in in_order(self.problems)]
        return pd.DataFrame(rows, columns=list(COLUMNS), dtype=object)


def ingest(
    sources: Iterable[Source],
    *,
    threshold: float = 3,
    rule: str = "most",
    on_problem: str = "stop",
    follow_up: str = "last",
    levels: Mapping[str, str] | None = None,
    tolerance: float = cross_checks.SUV_TOLERANCE,
    key: str | None = None,
    environment: Mapping[str, str] | None = None,
    covariates: Sequence[str] = (),
    withdrawn: Sequence[Mapping[str, str]] = (),
) -> Cohort:
    """Read all sources into the canonical tables; what a file holds is no exception but one.

    Parameters
    ----------
    sources : the entries of the config, in order.
    threshold, rule : the SSTR criterion (see `captem.lesions`).
    on_problem : `stop`, or `exclude_row` to leave out the rows with errors.
    follow_up : which PET counts where there are several (see `captem.layout`).
    levels, tolerance : settings of the cross-checks.
    key : with it, the codes of patients are replaced by keyed hashes in all that is returned.
    environment : where the token of a REDCap project is found.
    covariates : those of the models, for the flow.
    withdrawn : salt and digest of patients who withdrew consent (see `captem.withdrawal`).

    Raises
    ------
    CaptemError
        If a table holds a patient who withdrew: nothing of theirs is written anywhere.
    """
    levels, environment = levels or {}, environment or {}
    parts: list[Part] = []
    frames: dict[str, list[pd.DataFrame]] = {"patients": [], "lesions": []}
    problems: list[Problem] = []
    for source in sources:
        own, arranged = _read(source, follow_up, key, environment)
        parts += own
        for part, frame in zip(own, arranged, strict=True):
            frames[part.table].append(frame)
        problems += checks.headings(source, own)
    found = [problem for part in parts for problem in part.problems]
    problems = cross_checks.levelled(found, levels) + problems
    repairs = [repair for part in parts for repair in part.repairs]

    patients = joined(frames["patients"], "patients")
    marks = joined(frames["lesions"], "lesions")
    if withdrawn:
        withdrawal.refuse([patients, marks], withdrawn)
    patients, marks = numbered(patients, marks)
    headings = _Headings(parts)
    problems += checks.ids(patients, marks)
    problems += cross_checks.found(patients, marks, levels, tolerance, headings.of)
    recorded = len(marks) + flow.unplaced(parts)["lesions"]
    reasons = _reasons(patients, problems, on_problem, "patients")
    kept = patients[reasons.eq("")]
    left_out = _reasons(marks, problems, on_problem, "lesions")
    problems += checks.fewer_lesions(kept, marks[left_out.ne("")])
    marks = marks[left_out.eq("")]
    if on_problem == "exclude_row":
        marks = marks[marks[NUMBER].isin(kept[NUMBER])]
    derived, notes, derivations = patient_level.from_lesions(kept, marks, rule)
    problems += notes
    everyone = pd.concat([derived, patients[reasons.ne("")]]).sort_index()
    of_lesions = marks.groupby(NUMBER)["_follow_ups"].agg(["max", "size"])
    of_lesions = of_lesions.reindex(everyone[NUMBER]).set_axis(everyone.index)
    seen = of_lesions["max"].fillna(0)
    everyone["_follow_ups"] = everyone["_follow_ups"].fillna(0).clip(lower=seen)
    table = flow.answered(everyone, marks, reasons, threshold, rule, covariates)
    counts = {"recorded": recorded, "patients": flow.unplaced(parts)["patients"]}
    return Cohort(
        patients=_canonical(derived, "patients"),
        lesions=_canonical(marks, "lesions"),
        problems=problems,
        repairs=_repair_frame(repairs, derivations),
        flow=flow.count(table, of_lesions["size"], counts, len(marks), follow_up, covariates),
        eligibility=table,
        sources=_source_frame(parts),
        parts=parts,
    )


def _read(
    source: Source, follow_up: str, key: str | None, environment: Mapping[str, str]
) -> tuple[list[Part], list[pd.DataFrame]]:
    """Read the tables of a source, and give each a row a patient or lesion."""
    parts, frames = [], []
    known = layout.Known()
    for given in intake.taken(source, environment):
        part = _part(source, given, key)
        frame = layout.arranged(part, follow_up, known)
        if part.table == "patients":
            known = layout.known_of(frame)
        parts.append(part)
        frames.append(frame)
    return parts, frames


def _part(source: Source, given: Taken, key: str | None) -> Part:
    if given.cells is None:
        assert given.problem is not None
        return unreadable(source, given.table, given.problem)
    part = read_part(source, given.table, given.cells, key, given.hidden)
    part.problems += checks.codes(part) + checks.empty_rows(part)
    part.problems += checks.totals(part) + checks.ranges(part)
    return part


class _Headings:
    """The files' own headings of the input columns."""

    def __init__(self, parts: Sequence[Part]):
        self._parts = {
            (part.cells.file, part.cells.sheet, part.table): part for part in parts if part.cells
        }

    def of(self, table: str, file: str, sheet: str, name: str) -> str:
        """Return the heading under which a file has an input column."""
        part = self._parts.get((file, sheet, table))
        return part.heading(name) if part else name


def _reasons(
    frame: pd.DataFrame, problems: Sequence[Problem], on_problem: str, table: str
) -> pd.Series:
    """Return for each row the error for which it is left out, in words; empty where it stays."""
    reasons = pd.Series("", index=frame.index, dtype=object)
    if on_problem != "exclude_row":
        return reasons
    bad: dict[tuple[str, str, str], str] = {}
    untold: dict[str, str] = {}
    for problem in problems:
        if problem.severity == ERROR and problem.row:
            place = (problem.file, problem.sheet, problem.row)
            bad.setdefault(place, problem.rule.replace("_", " "))
            if problem.rule in layout.UNTOLD:
                untold.setdefault(problem.patient_id, problem.rule.replace("_", " "))
    if not bad:
        return reasons
    if untold and table == "patients":
        # Which scan is which cannot be told: no row of the patient can be used.
        reasons = frame["patient_id"].map(untold).fillna("").astype(object)
    for name in ("_row_post", "_row"):
        places = zip(frame["_file"], frame["_sheet"], frame[name].astype(str), strict=True)
        found = pd.Series([bad.get(place, "") for place in places], index=frame.index, dtype=object)
        reasons = reasons.mask(found.ne(""), found)
    return reasons


def _repair_frame(repairs: list[dict], derivations: pd.DataFrame) -> pd.DataFrame:
    read = pd.DataFrame(repairs, columns=list(REPAIR_COLUMNS), dtype=object)
    if derivations.empty:
        return read
    return pd.concat([read, derivations], ignore_index=True)


def _canonical(frame: pd.DataFrame, table: str) -> pd.DataFrame:
    """Order the columns as the schema has them; then what the sheet has besides."""
    schema = SCHEMAS[table]
    known = [name for name in schema.columns if name in frame]
    others = [name for name in frame if name not in schema.columns and not name.startswith("_")]
    return frame[[*known, *[name for name in others if name != "synthetic"], "synthetic"]]


def _source_frame(parts: Sequence[Part]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "source": part.source.name,
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


__all__ = ["Cohort", "Source", "ingest"]
