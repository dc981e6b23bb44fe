"""What every reader of a source file gives: one table of texts, or why there is none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from captem.problems import Problem

# Says whether a text is a heading that captem knows.
IsHeading = Callable[[str], bool]
WANTED = "one line of headings, then one line a patient or lesion"

# Far more than a cohort: what holds more would fill the memory, and is another file or a trap.
MOST_CELLS = 20_000_000


class NotReadableFile(ValueError):  # noqa: N818 - its attributes are a line of problems.csv
    """The file as a whole cannot be read; `rule`, `allowed` and `mend` say why in words."""

    def __init__(self, rule: str, value: str, allowed: str, mend: str):
        super().__init__(f"{value}: {allowed}")
        self.rule, self.value, self.allowed, self.mend = rule, value, allowed, mend


def check_size(rows: int, columns: int) -> None:
    """Raise NotReadableFile for a table with more cells than any cohort has."""
    if rows * columns > MOST_CELLS:
        raise NotReadableFile(
            "too_large", f"{rows} rows of {columns} columns", "one table of patients or lesions",
            "name the file that holds this table, or delete what does not belong to it",
        )  # fmt: skip


@dataclass(frozen=True)
class SourceTable:
    """The cells of one table as text, in the layout that the file has.

    `rows[i]` has one text per entry of `header` and stood in row `numbers[i]` of the file, counted
    from 1 as a spreadsheet counts, lines above the headings included. Cells that a file holds as
    numbers, dates or truth values are given as the text that stands for them (`9.09`, `2026-03-31`,
    `yes`), and nothing is rounded.

    note : the lines above the headings that start with `#`, without it.
    ragged : (row number, cells found) of the rows that do not fit the headings.
    labels : heading -> a second name that the file itself gives the column.
    codes : heading -> what each of its codes stands for, in the words of the file.
    missing : heading -> the codes that the file itself declares to mean "not known".
    decimal_comma : the file's format says that numbers are written with a decimal comma.
    day_zero : what day the number 0 is where a date may be stored as a number of days, as ISO text;
        empty where the file stores no dates that way.
    problems : what the reader noticed, by row and heading; the patient is filled in later.
    repairs : cells that the reader itself gives differently from how they are stored, as
        (row number, heading, written, read, rule).
    """

    file: str
    header: list[str]
    rows: list[list[str]]
    numbers: list[int]
    sheet: str = ""
    note: list[str] = field(default_factory=list)
    ragged: list[tuple[int, int]] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    missing: dict[str, frozenset[str]] = field(default_factory=dict)
    decimal_comma: bool = False
    day_zero: str = ""
    problems: list[Problem] = field(default_factory=list)
    repairs: list[tuple[int, str, str, str, str]] = field(default_factory=list)

    @property
    def synthetic(self) -> bool:
        """True where a line of the file's own header note begins with the word synthetic."""
        return bool(self.synthetic_lines)

    @property
    def synthetic_lines(self) -> list[str]:
        """The lines of the file's own header note that begin with the word synthetic."""
        return [line for line in self.note if line.lower().startswith("synthetic")]
