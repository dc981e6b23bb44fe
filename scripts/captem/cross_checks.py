"""Named checks of one value against another; the config makes each an error, a warning or off.

None of them changes a value. What they rest on stands in the table below, and the number in
`suv_tolerance` is a setting, since none was measured for this purpose.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from captem import notation
from captem.between_scans import bare, is_therapy
from captem.lesions import NUMBER
from captem.problems import ERROR, WARNING, Problem

OFF = "off"
LEVELS = (ERROR, WARNING, OFF)
# PSMA PET: a within-subject variation of 12.1 % (Mol Imaging 2022;7056983) gives a repeatability
# coefficient of about 33.5 %. None was found for 68Ga-DOTATATE.
SUV_TOLERANCE = 33.5


@dataclass(frozen=True)
class Finding:
    """What a check found in one row: the column, what stands there, what it should agree with."""

    row: int
    column: str
    value: str
    allowed: str


@dataclass(frozen=True)
class Check:
    """A check of one table: its usual severity, what it asks, how to mend what it finds."""

    level: str
    asks: str
    mend: str
    finds: Callable[[pd.DataFrame, float], Iterator[Finding]]
    table: str = "patients"


def _texts(frame: pd.DataFrame, name: str) -> np.ndarray:
    """Return a column of texts, None where a cell or the column is missing."""
    if name not in frame:
        return np.full(len(frame), None, dtype=object)
    texts = frame[name].to_numpy(dtype=object, copy=True)
    texts[pd.isna(texts)] = None
    return texts


def _numbers(frame: pd.DataFrame, name: str) -> np.ndarray:
    if name not in frame:
        return np.full(len(frame), np.nan)
    return frame[name].to_numpy(dtype=float, na_value=np.nan)


def _both(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return np.array([a is not None and b is not None for a, b in zip(first, second, strict=True)])


def _places(mask: np.ndarray) -> list[int]:
    return [int(i) for i in np.flatnonzero(mask)]


def _later(first: str, second: str, strictly: bool) -> Callable:
    """Return a check that the date `second` is not before `first` (nor, strictly, the same)."""

    def finds(frame: pd.DataFrame, _: float) -> Iterator[Finding]:
        early, late = _texts(frame, first), _texts(frame, second)
        for i in _places(_both(early, late)):
            if late[i] < early[i] or (strictly and late[i] == early[i]):
                yield Finding(i, second, late[i], f"a day after {first}, {early[i]}")

    return finds


def _cycles_without_dates(frame: pd.DataFrame, _: float) -> Iterator[Finding]:
    dates = [name for name in ("captem_start", "captem_end") if name in frame]
    if not dates:
        return
    cycles = _numbers(frame, "captem_cycles")
    for i in _places((cycles > 0) & frame[dates].isna().all(axis=1).to_numpy()):
        yield Finding(
            i, "captem_cycles", notation.written(cycles[i], cycles[i]),
            "captem_start and captem_end of a patient who had cycles",
        )  # fmt: skip


def _scores_against_suv(frame: pd.DataFrame, tolerance: float) -> Iterator[Finding]:
    """3 is above liver and 4 above spleen, 2 at most liver; beyond the tolerance that is odd."""
    share = tolerance / 100
    for time in ("pre", "post"):
        low = _numbers(frame, f"krenning_{time}_low")
        high = _numbers(frame, f"krenning_{time}_high")
        suv = _numbers(frame, f"suvmax_{time}")
        liver = _numbers(frame, f"liver_suv_{time}")
        spleen = _numbers(frame, f"spleen_suv_{time}")
        most = np.select([suv < liver * (1 - share), suv < spleen * (1 - share)], [2, 3], 4)
        least = np.select([suv > spleen * (1 + share), suv > liver * (1 + share)], [4, 3], 0)
        known = ~np.isnan(suv) & ~(np.isnan(liver) & np.isnan(spleen)) & (high <= 4)
        for i in _places(known & ((low > most) | (high < least))):
            organs = [
                f"{name} {value:g}"
                for name, value in (("liver", liver[i]), ("spleen", spleen[i]))
                if not np.isnan(value)
            ]
            yield Finding(
                i, f"krenning_{time}", notation.written(low[i], high[i]),
                f"what SUVmax {suv[i]:g} with {' and '.join(organs)} gives: "
                + (f"at most {most[i]}" if low[i] > most[i] else f"at least {least[i]}"),
            )  # fmt: skip


_GRADE = re.compile(r"\b(?:net\s*)?(?:g|grade|grad)?\s*([1-3]|i{1,3})\b", re.IGNORECASE)


def _grade_against_mib1(frame: pd.DataFrame, _: float) -> Iterator[Finding]:
    """G1 below 3 %, G2 3 to 20 %, G3 above 20 %; mitoses may raise a grade, nothing lowers it."""
    low, high = _numbers(frame, "mib1_low"), _numbers(frame, "mib1_high")
    texts, mitoses = _texts(frame, "who_grade"), _texts(frame, "mitoses")
    named = {text: _grade(text) for text in dict.fromkeys(texts) if text is not None}
    grades = np.array([named.get(text, np.nan) for text in texts], dtype=float)
    least, most = (np.select([end < 3, end <= 20], [1, 2], 3) for end in (low, high))
    unraised = np.array([text is None for text in mitoses], dtype=bool)
    odd = (grades < least) | ((grades > most) & unraised)
    for i in _places(~np.isnan(low) & odd):
        yield Finding(
            i, "who_grade", texts[i],
            f"G{least[i]}{f' to G{most[i]}' if most[i] > least[i] else ''}, from MIB1 "
            f"{notation.written(low[i], high[i])} %"
            + (", where mitoses give no higher one" if grades[i] > most[i] else ""),
        )  # fmt: skip


def _grade(text: str) -> float:
    """Return the WHO grade that a text names, or nan."""
    found = _GRADE.search(text)
    if found is None:
        return np.nan
    said = found.group(1).lower()
    return int(said) if said.isdigit() else len(said)


def _suvmax_without_tumour(frame: pd.DataFrame, _: float) -> Iterator[Finding]:
    state = _texts(frame, "lesion_status_post")
    before, after = _numbers(frame, "suvmax_pre"), _numbers(frame, "suvmax_post")
    for i in _places(np.isin(state.astype(str), _NOT_THERE) & ~np.isnan(after)):
        yield Finding(
            i, "suvmax_post", f"{after[i]:g}",
            f"no SUVmax at follow-up of a lesion that is {state[i].replace('_', ' ')}",
        )  # fmt: skip
    for i in _places((state == "new") & ~np.isnan(before)):
        yield Finding(
            i, "suvmax_pre", f"{before[i]:g}",
            "no SUVmax at baseline of a lesion that is new at follow-up",
        )  # fmt: skip


_NOT_THERE = ("resolved", "not_assessable")


def _changed(name: str) -> Callable:
    """Return a check that something is the same at both scans."""

    def finds(frame: pd.DataFrame, _: float) -> Iterator[Finding]:
        before, after = _texts(frame, f"{name}_pre"), _texts(frame, f"{name}_post")
        plain = {text: bare(text) for text in {*before, *after} if text is not None}
        for i in _places(_both(before, after)):
            if plain[before[i]] != plain[after[i]]:
                yield Finding(i, f"{name}_post", after[i], f"as at baseline: {before[i]}")

    return finds


def _therapy_between(frame: pd.DataFrame, _: float) -> Iterator[Finding]:
    for i, text in enumerate(_texts(frame, "interval_therapy")):
        if text is not None and is_therapy(text):
            yield Finding(i, "interval_therapy", text, "none: CAPTEM alone between the scans")
    prrt, scan = _texts(frame, "prrt_after_date"), _texts(frame, "pet_date_post")
    for i in _places(_both(prrt, scan)):
        if prrt[i] < scan[i]:
            allowed = f"a day after the follow-up PET, {scan[i]}"
            yield Finding(i, "prrt_after_date", prrt[i], allowed)


_CORRECT = "correct the one that is wrong"
_KNOW = "nothing, if it is true: keep it in mind when the pair is read; else correct it"
CHECKS: dict[str, Check] = {
    "follow_up_before_baseline": Check(
        ERROR, "is the follow-up PET later than the baseline PET?", _CORRECT,
        _later("pet_date_pre", "pet_date_post", True),
    ),
    "captem_end_before_start": Check(
        ERROR, "does CAPTEM end after it starts?", _CORRECT,
        _later("captem_start", "captem_end", False),
    ),
    "cycles_without_dates": Check(
        WARNING, "has a patient with CAPTEM cycles dates of CAPTEM, where the table has them?",
        "fill in the dates", _cycles_without_dates,
    ),
    "score_against_suv": Check(
        WARNING, "does the score agree with SUVmax of tumour, liver and spleen (`suv_tolerance`)?",
        "look at the scan again; a reader's score is never changed by captem", _scores_against_suv,
    ),
    "lesion_score_against_suv": Check(
        WARNING, "the same of lesions, with the liver and spleen of the patient",
        "look at the scan again; a reader's score is never changed by captem", _scores_against_suv,
        "lesions",
    ),
    "grade_against_mib1": Check(
        WARNING, "does the reported grade agree with the MIB1 index?", _CORRECT,
        _grade_against_mib1,
    ),
    "suvmax_without_tumour": Check(
        WARNING, "has a lesion that is resolved, new or not assessable no SUVmax where it was not "
        "there?", "correct the state or remove the SUVmax", _suvmax_without_tumour, "lesions",
    ),
    "tracer_changed": Check(
        WARNING, "is the tracer the same at both scans?", _KNOW, _changed("tracer")
    ),
    "scanner_changed": Check(
        WARNING, "is the scanner the same at both scans?", _KNOW, _changed("scanner")
    ),
    "therapy_between_scans": Check(
        WARNING, "was CAPTEM the only treatment between the scans?", _KNOW, _therapy_between
    ),
}  # fmt: skip


def levelled(problems: list[Problem], levels: Mapping[str, str]) -> list[Problem]:
    """Give what a table's rows showed under the name of a check the severity of that check."""
    known = {name: levels.get(name, check.level) for name, check in CHECKS.items()}
    turned = [
        replace(problem, severity=known.get(problem.rule, problem.severity)) for problem in problems
    ]
    return [problem for problem in turned if problem.severity != OFF]


def listing() -> str:
    """Return the checks as a table in Markdown, a line a check."""
    lines = ["| check | asks | usually |", "|---|---|---|"]
    lines += [f"| `{name}` | {check.asks} | {check.level} |" for name, check in CHECKS.items()]
    return "\n".join(lines) + "\n"


_BOOK = ("_file", "_sheet", "_row", "_row_post")


def found(
    patients: pd.DataFrame,
    marks: pd.DataFrame,
    levels: Mapping[str, str],
    tolerance: float,
    heading: Callable[[str, str, str, str], str],
) -> list[Problem]:
    """Return what the checks find, each with the severity that the config gives it.

    Parameters
    ----------
    patients, marks : the canonical tables with captem's bookkeeping columns.
    levels : severity by name of the check, where the config changes it.
    tolerance : how far (percent) an SUV may be from an organ's before a score contradicts it.
    heading : gives the file's own heading of a column, for table, file, sheet and column.
    """
    organs = [name for name in patients if re.match(r"(liver|spleen)_suv_", name)]
    unique = patients.drop_duplicates(NUMBER).set_index(NUMBER)[organs]
    with_organs = marks.drop(columns=organs, errors="ignore").join(unique, on=NUMBER)
    problems = []
    for name, check in CHECKS.items():
        level = levels.get(name, check.level)
        if level == OFF:
            continue
        frame = patients if check.table == "patients" else with_organs
        book = {name: frame[name].to_numpy() for name in (*_BOOK, "patient_id")}
        for finding in check.finds(frame, tolerance):
            i = finding.row
            place = "_row_post" if "_post" in finding.column else "_row"
            where = book["_file"][i], book["_sheet"][i]
            problems.append(
                Problem(
                    level, name, *where, str(book[place][i]), str(book["patient_id"][i] or ""),
                    heading(check.table, *where, finding.column), finding.value,
                    finding.allowed, check.mend,
                )
            )  # fmt: skip
    return problems
