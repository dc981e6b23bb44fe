"""What is wrong with a cohort table, as lines of `problems.csv` and as a table for the terminal.

Only the standard library: the gate and the terminal need it before anything else is loaded.
"""

from __future__ import annotations

import csv
import shutil
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

ERROR, WARNING = "error", "warning"


@dataclass(frozen=True)
class Problem:
    """One line of `problems.csv`; `row` is the row that the spreadsheet shows, empty for a file."""

    severity: str
    rule: str
    file: str
    sheet: str = ""
    row: str = ""
    patient_id: str = ""
    column: str = ""
    value: str = ""
    allowed: str = ""
    mend: str = ""

    @property
    def stops(self) -> bool:
        """True for an error that leaving rows out cannot mend."""
        return self.severity == ERROR and not self.row


COLUMNS = tuple(field.name for field in fields(Problem))


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """Sort worst first: whole files, then errors, then warnings; by file and row within these."""

    def rank(problem: Problem) -> tuple:
        row = int(problem.row) if problem.row else 0
        return (problem.severity != ERROR, not problem.stops, problem.file, row, problem.column)

    return sorted(problems, key=rank)


def as_records(problems: Iterable[Problem]) -> list[dict[str, str]]:
    """Return the problems as rows of `problems.csv`, worst first."""
    return [asdict(problem) for problem in in_order(problems)]


def read(path: str | Path) -> list[Problem]:
    """Read `problems.csv`."""
    with Path(path).open(encoding="utf-8", newline="") as stream:
        return [Problem(**row) for row in csv.DictReader(stream)]


def stopping(problems: Iterable[Problem], on_problem: str) -> list[Problem]:
    """Return the problems that stop the run: all errors, or those of whole files only.

    With `on_problem: exclude_row` the rows with errors are left out, and the flow shows them; an
    error that belongs to no row (a file or a column is missing) stops the run all the same.
    """
    if on_problem == "exclude_row":
        return [problem for problem in problems if problem.stops]
    return [problem for problem in problems if problem.severity == ERROR]


def as_text(problems: Sequence[Problem], width: int | None = None, most: int = 40) -> str:
    """Return the problems for the terminal, each with where, what, what is allowed and the mend."""
    width = width or min(shutil.get_terminal_size((100, 24)).columns, 120)
    errors = sum(problem.severity == ERROR for problem in problems)
    lines = [f"{_counted(errors, 'error')}, {_counted(len(problems) - errors, 'warning')}"]
    for problem in in_order(problems)[:most]:
        place = [problem.file]
        place += [f"sheet {problem.sheet}"] if problem.sheet else []
        place += [f"row {problem.row}"] if problem.row else []
        place += [f"patient {_clipped(problem.patient_id, 40)}"] if problem.patient_id else []
        place += [f"column {_clipped(problem.column, 80)}"] if problem.column else []
        lines.append(f"{problem.severity.upper()} {', '.join(place)}")
        said = f"found: {_clipped(problem.value)}; " if problem.value else ""
        text = f"{said}allowed: {problem.allowed}. To mend: {problem.mend}."
        lines += textwrap.wrap(text, width, initial_indent="    ", subsequent_indent="    ")
    if len(problems) > most:
        lines.append(f"... and {len(problems) - most} more in problems.csv")
    return "\n".join(lines)


def _clipped(value: str, most: int = 200) -> str:
    """Return a value short enough for the terminal, without its control characters."""
    clean = "".join(sign if sign.isprintable() else " " for sign in value)
    return clean if len(clean) <= most else f"{clean[:most]} ..."


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
