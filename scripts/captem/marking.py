"""The marked copies of a study's files: which table, problems and codes go into each."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from captem.cohort import Cohort
from captem.marked import Sheet, marked_copy
from captem.parts import Part

# Readings that leave no doubt: marked, they would bury the others. All are in repairs.csv.
_PLAIN = frozenset(
    """
    spelling date_spelling date_day_first date_month_first date_in_words decimal_comma vocabulary
    percent_sign missing_code label unit
    """.split()  # noqa: SIM905
)


def workbooks(cohort: Cohort, files: Iterable[str]) -> list[bytes]:
    """Return a marked workbook for each of the files that the config names, readable or not."""
    return [_workbook(cohort, file) for file in files]


def _workbook(cohort: Cohort, file: str) -> bytes:
    parts = [part for part in cohort.parts if part.cells is not None and part.cells.file == file]
    own = cohort.repairs["file"].eq(file) & ~cohort.repairs["rule"].isin(_PLAIN)
    repairs = cohort.repairs[own]
    problems = [problem for problem in cohort.problems if problem.file == file]
    original = None
    # What was taken out of the cells still stands in the original.
    whole = not any(part.rewritten for part in parts)
    if whole and any(part.cells.sheet for part in parts if part.cells is not None):
        try:
            original = Path(file).read_bytes()
        except OSError:
            original = None
    return marked_copy([_sheet(part) for part in parts], problems, repairs, original)


def _sheet(part: Part) -> Sheet:
    assert part.cells is not None
    return Sheet(part.cells, frozenset(part.hidden), None, part.headless)
