"""What is wrong with a cohort table, as lines of `problems.csv` and as a table for the terminal.

Only the standard library: the gate and the terminal need it before anything else is loaded.
"""

from __future__ import annotations

import csv
import shutil
import textwrap
from collections import Counter
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
        row = (_number(problem.row), problem.row)
        return (problem.severity != ERROR, not problem.stops, problem.file, row, problem.column)

    return sorted(problems, key=rank)


def _number(row: str) -> int:
    """Return a row as a number; what is none, such as the key of a record, counts as 0."""
    text = row.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


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
    """Return the problems as a short table for the terminal, worst first.

    The same fault of several rows is one entry that lists the rows, and columns that are merely
    noticed are one entry a file. Each entry says where, what was found, what is allowed, and how to
    mend it; after `most` entries the number of problems left out is said.
    """
    width = max(width or min(shutil.get_terminal_size((100, 24)).columns, 120), 40)
    errors = sum(problem.severity == ERROR for problem in problems)
    lines = [f"{_counted(errors, 'error')}, {_counted(len(problems) - errors, 'warning')}"]
    groups = _folded(problems)
    for group in groups[:most]:
        lines += _entry(group, width)
    left_out = sum(len(group) for group in groups[most:])
    if left_out:
        lines.append(f"... and {left_out} more in problems.csv")
    return "\n".join(lines)


# What happens to a column that is only noticed: it is said once for all such columns of a file.
_OF_COLUMNS = {"unknown_column": "kept as they are", "identity_dropped": "left out of every result"}
_INDENT = " " * 9


def _folded(problems: Iterable[Problem]) -> list[list[Problem]]:
    """Put together what differs only in row, patient and value; worst first."""
    groups: dict[tuple, list[Problem]] = {}
    for problem in in_order(problems):
        key: tuple = (problem.severity, problem.rule, problem.file, problem.sheet)
        if problem.rule not in _OF_COLUMNS or problem.row:
            # What belongs to a file or a column as a whole is not one fault with that of a row.
            key += (problem.column, problem.allowed, problem.mend, bool(problem.row))
        groups.setdefault(key, []).append(problem)
    return list(groups.values())


def _entry(group: Sequence[Problem], width: int) -> list[str]:
    first = group[0]
    columns = list(dict.fromkeys(_clipped(problem.column, 80) for problem in group))
    rows = list(dict.fromkeys(_clipped(problem.row, 20) for problem in group if problem.row))
    file = ", ".join(
        [_clipped(first.file), *([f"sheet {_clipped(first.sheet)}"] * bool(first.sheet))]
    )
    cell = []
    if rows:
        cell.append(f"row {rows[0]}" if len(rows) == 1 else f"rows {_listed(rows, 10)}")
    if first.patient_id and len(rows) < 2 and len({p.patient_id for p in group}) == 1:
        cell.append(f"patient {_clipped(first.patient_id, 40)}")
    if first.column and len(columns) == 1:
        cell.append(f"column {columns[0]}")
    said = []
    if len(columns) > 1:
        said.append(f"{_OF_COLUMNS[first.rule]}: {_listed(columns, 30)}")
    values = list(dict.fromkeys(problem.value for problem in group if problem.value))
    if len(values) == 1:
        said.append(f"found: {_clipped(values[0])}")
    elif values:
        said.append(f"found: {_listed([_clipped(value, 40) for value in values], 6, ' | ')}")
    mends = Counter(problem.mend for problem in group if problem.mend)
    usual = mends.most_common(1)[0][0] if mends else ""
    advice = [f"To mend: {_clipped(usual, 600)}"] if usual else []
    advice += [
        f"{_clipped(problem.column, 80)}: {_clipped(problem.mend, 600)}"
        for problem in group
        if problem.mend and problem.mend != usual
    ]
    allowed = list(dict.fromkeys(problem.allowed for problem in group if problem.allowed))
    if allowed:
        said.append(f"allowed: {_clipped(' | '.join(allowed), 600)}")
    lines = _where(first.severity, file, ", ".join(cell), width)
    for text in ("; ".join(said), *advice):
        lines += _wrapped(text, width)
    return lines


def _where(severity: str, file: str, cell: str, width: int) -> list[str]:
    """Say where on one line, or, where that is too long, the file and the cell on one line each."""
    head = f"{_clipped(severity, 9).upper():<{len(_INDENT) - 1}} "
    line = f"{head}{file}{', ' if cell else ''}{cell}"
    if len(line) <= width or not cell:
        return [line]
    return [f"{head}{file},", *_wrapped(cell, width)]


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(
        text, width, initial_indent=_INDENT, subsequent_indent=f"{_INDENT}  ",
        break_on_hyphens=False,
    )  # fmt: skip


def _listed(texts: Sequence[str], most: int, between: str = ", ") -> str:
    """List texts, and say how many more there are after `most` of them."""
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return between.join(texts[:most]) + more


def _clipped(value: str, most: int = 200) -> str:
    """Return a value short enough for the terminal, without its control characters."""
    clean = "".join(sign if sign.isprintable() else " " for sign in value)
    return clean if len(clean) <= most else f"{clean[:most]} ..."


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
