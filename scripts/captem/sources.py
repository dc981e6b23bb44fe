"""Read a source file as the text of its cells, with the row numbers a spreadsheet shows."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, field
from pathlib import Path

from captem.problems import Problem

# A `#` before the headings themselves is a slip, and Excel writes a line such as `sep=,` on top.
_HEADINGS = re.compile(r"\"?patient_id\b", re.IGNORECASE)
_SEPARATOR = re.compile(r"sep=.\s*$", re.IGNORECASE)
# The longest cell that is read; a longer one is a broken file.
csv.field_size_limit(1_000_000)
_WANTED = "one line of headings, then one line a patient or lesion"


class NotReadableFile(ValueError):  # noqa: N818 - its attributes are a line of problems.csv
    """The file as a whole cannot be read; `rule`, `allowed` and `mend` say why in words."""

    def __init__(self, rule: str, value: str, allowed: str, mend: str):
        super().__init__(f"{value}: {allowed}")
        self.rule, self.value, self.allowed, self.mend = rule, value, allowed, mend


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
        return any(line.lower().startswith("synthetic") for line in self.note)


def read_csv(path: str | Path, name: str) -> SourceTable:
    """Read a comma-separated UTF-8 file; `name` is the path as the config gives it.

    Raises
    ------
    NotReadableFile
        If the file is missing, empty, not text, or has no line of headings.
    """
    text = _text(Path(path))
    note, first = _header_note(text)
    body = "\n".join(text.split("\n")[first:])
    records = [(first + i, cells) for i, cells in enumerate(_records(body), start=1)]
    filled = [(number, cells) for number, cells in records if any(cell.strip() for cell in cells)]
    if not filled:
        raise NotReadableFile(
            "empty_file", "no headings", _WANTED,
            "fill in the file, or name another one in the config",
        )  # fmt: skip
    header = [cell.strip() for cell in filled[0][1]]
    widths = {len(header)}
    while header and not header[-1]:
        header.pop()
    # A row is as wide as the line of headings, with or without the empty ones at its end: a cell
    # more or less, empty or not, may mean that a decimal comma has moved all that follows.
    widths.add(len(header))
    if len(header) == 1 and any(mark in header[0] for mark in ";\t|"):
        raise NotReadableFile(
            "not_csv", "one column only: the cells are separated by another sign than a comma",
            "cells separated by commas, numbers with a decimal point",
            "in the spreadsheet program choose Save as, CSV UTF-8 (comma delimited), "
            "with English number format",
        )  # fmt: skip
    rows, numbers, ragged = [], [], []
    for number, cells in filled[1:]:
        beyond = any(cell.strip() for cell in cells[len(header) :])
        if len(cells) not in widths or beyond:
            ragged.append((number, len(cells)))
        else:
            rows.append(cells[: len(header)])
            numbers.append(number)
    return SourceTable(name, header, rows, numbers, note, ragged)


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise NotReadableFile(
            "missing_file", "no such file", "a file that exists",
            "correct the path in the config (it is relative to the folder you work in), "
            "or put the file there",
        ) from None  # fmt: skip
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or "cannot be opened"
        raise NotReadableFile(
            "unreadable_file", said, "a file you may read",
            "close it in other programs, or change its permissions",
        ) from None  # fmt: skip
    if data[:2] == b"PK" or path.suffix.lower() in {".xlsx", ".xls", ".ods"}:
        raise NotReadableFile(
            "not_csv", "a workbook", "a CSV file",
            "in the spreadsheet program choose Save as, CSV UTF-8 (comma delimited)",
        )  # fmt: skip
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise NotReadableFile(
            "not_utf8", "not UTF-8 text", "a CSV file saved as UTF-8",
            "save it again as CSV UTF-8 (comma delimited)",
        )  # fmt: skip
    if not text.strip():
        raise NotReadableFile(
            "empty_file", "an empty file", _WANTED,
            "fill in the file, or name another one in the config",
        )  # fmt: skip
    return text


def _header_note(text: str) -> tuple[list[str], int]:
    note: list[str] = []
    for line in text.split("\n"):
        bare = line.strip().lstrip('"#').strip()
        if _HEADINGS.match(bare) or not (
            line.lstrip('"').startswith("#") or _SEPARATOR.match(line)
        ):
            break
        note.append(bare.rstrip('",'))
    return note, len(note)


def _records(body: str) -> list[list[str]]:
    try:
        return list(csv.reader(io.StringIO(body, newline=""), strict=True))
    except csv.Error as error:
        raise NotReadableFile(
            "not_csv", f"broken quotation marks, or a cell without end ({error})", "a CSV file",
            "close every quotation mark, or save the file again from the spreadsheet program",
        ) from None  # fmt: skip
