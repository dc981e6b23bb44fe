"""Read text whose cells are separated by a sign: CSV of any country, tab-separated, old encodings.

The encoding and the sign are found from the content. What is a guess about the letters is a
warning; what could move a value into another column is never guessed.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from captem.header_row import (
    Headings,
    find_headings,
    header_note,
    rows_above,
    without_empty_columns,
)
from captem.problems import ERROR, WARNING, Problem
from captem.source_table import WANTED, IsHeading, NotReadableFile, SourceTable

# The likely ones first: where two read a file equally well, the first is taken.
_DELIMITERS = (",", ";", "\t", "|", "^", "~", ":")
# Excel writes a line such as `sep=;` on top, and takes any sign.
_SEPARATOR = re.compile(r"\"?sep=([^\w\s\"]|\t)\"?[\s,;]*", re.IGNORECASE)
# A `#` before the headings themselves is a slip.
_HEADINGS = re.compile(r"\"?patient_id\b", re.IGNORECASE)
_LINE_END = re.compile(r"\r\n|\r|\n")
_POINT = re.compile(r"\s*-?\d+\.\d+\s*")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x19\x1b-\x1f\x7f]")
# The longest cell that is read; a longer one is a broken file.
_LONGEST_LINE = 1_000_000
csv.field_size_limit(_LONGEST_LINE)


@dataclass(frozen=True)
class _Reading:
    """A file read with one delimiter; `fault` where its quotation marks are broken."""

    delimiter: str
    rows: list[list[str]]
    numbers: list[int]
    fault: str
    found: Headings

    @property
    def rank(self) -> tuple[int, bool, float, int]:
        """How well the delimiter fits: known headings, then rows as wide as the headings."""
        width = len(self.rows[self.found.place])
        same = sum(len(row) == width for row in self.rows) / len(self.rows)
        return (self.found.known, width > 1, round(same, 2), width)


def read_delimited(data: bytes, name: str, is_heading: IsHeading) -> SourceTable:
    """Read a text file of cells; `name` is the path as the config gives it.

    Rows are numbered as a spreadsheet numbers them: a line break in a quoted cell starts none. A
    row wider or narrower than the headings is `ragged`, since in a comma-separated file a decimal
    comma moves all cells behind it.

    Raises
    ------
    NotReadableFile
        If the file is empty, not text, has broken quotation marks or no line of headings.
    """
    text, problems = _decoded(data, name)
    if not text.strip():
        raise NotReadableFile(
            "empty_file", "an empty file", WANTED,
            "fill in the file, or name another one in the config",
        )  # fmt: skip
    note, delimiter, skipped, body = _top(text, is_heading)
    tried = [delimiter] if delimiter else [sign for sign in _DELIMITERS if sign in body] or [","]
    readings = [_read(body, sign, skipped, is_heading) for sign in tried]
    best = max((reading for reading in readings if reading), key=lambda r: r.rank, default=None)
    if best is None:
        raise NotReadableFile(
            "empty_file", "no headings", WANTED,
            "fill in the file, or name another one in the config",
        )  # fmt: skip
    _check(best)
    above = best.rows[: best.found.place - best.found.grouped]
    problems += rows_above(best.rows, best.numbers, best.found, name)
    header, rows, numbers, ragged = _table(best)
    problems += _swallowed(header, rows, numbers, best.delimiter, name) if '"' in body else []
    header, rows, _ = without_empty_columns(header, rows)
    comma = best.delimiter == ";" and not any(
        _POINT.fullmatch(cell) for row in rows for cell in row
    )
    return SourceTable(
        file=name,
        header=header,
        rows=rows,
        numbers=numbers,
        note=note + header_note(above),
        ragged=ragged,
        decimal_comma=comma,
        problems=problems,
    )


def _decoded(data: bytes, name: str) -> tuple[str, list[Problem]]:
    """Return the text, with a warning where its letters are a guess."""
    encoding = _encoding(data)
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        raise _not_text() from None
    # Programs of the DOS time end a file with Ctrl-Z.
    text = text.rstrip("\x1a")
    if "\0" in text:
        raise _not_text()
    if encoding != "cp1252":
        return text, []
    if _CONTROL.search(text):
        raise _not_text()
    letters = sorted({sign for sign in text if not sign.isascii()})
    return text, [
        Problem(
            WARNING, "encoding_windows_1252", name, value=" ".join(letters[:12]),
            allowed="letters as you know them: the file was read as Windows-1252, as Excel saves",
            mend="nothing, if these letters are right; if not, save the file again as CSV UTF-8",
        )
    ]  # fmt: skip


def _encoding(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if b"\0" in data:
        # Plain letters in UTF-16 have every second byte empty.
        even, odd = data[::2].count(0), data[1::2].count(0)
        if odd > 4 * even and 4 * odd > len(data[1::2]):
            return "utf-16-le"
        if even > 4 * odd and 4 * even > len(data[::2]):
            return "utf-16-be"
        raise _not_text()
    try:
        data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8-sig"


def _not_text() -> NotReadableFile:
    return NotReadableFile(
        "not_text", "not text in any encoding that captem reads (UTF-8, UTF-16, Windows)",
        "an Excel workbook (.xlsx), a CSV file, an SPSS file (.sav) or Parquet",
        "save the table as an Excel workbook (.xlsx) or as CSV UTF-8",
    )  # fmt: skip


def _top(text: str, is_heading: IsHeading) -> tuple[list[str], str, int, str]:
    """Take the lines with `#` and `sep=` from the top; return also how many rows those were."""
    note: list[str] = []
    delimiter, rows, start = "", 0, 0
    while start < len(text):
        end, after = _line(text, start)
        line = text[start:end]
        if (found := _SEPARATOR.fullmatch(line)) and not delimiter:
            delimiter = found.group(1)
        elif line.lstrip(' "').startswith("#"):
            # A quoted note may go on over several lines, and is one row all the same.
            while line.lstrip().startswith('"') and line.count('"') % 2 and after < len(text):
                end, after = _line(text, after)
                line = text[start:end]
            bare = line.strip().lstrip('"# ').strip()
            cells = [cell.strip(' "') for cell in re.split(r"[,;\t|]", bare)]
            if _HEADINGS.match(bare) or sum(is_heading(cell) for cell in cells if cell) > 1:
                break
            note += [part.strip() for part in _LINE_END.split(bare.rstrip('",;\t| '))]
        else:
            break
        rows, start = rows + 1, after
    return note, delimiter, rows, text[start:]


def _line(text: str, start: int) -> tuple[int, int]:
    """Return where the line at `start` ends, and where the next one begins."""
    found = _LINE_END.search(text, start)
    return found.span() if found else (len(text), len(text))


def _read(body: str, delimiter: str, skipped: int, is_heading: IsHeading) -> _Reading | None:
    """Read with one delimiter, as far as the quotation marks allow; None where there is no row."""
    rows, numbers, fault = [], [], ""
    reader = _rows(body, delimiter)
    number = skipped
    try:
        for cells in reader:
            number += 1
            if any(map(str.strip, cells)):
                rows.append(cells)
                numbers.append(number)
    except csv.Error as error:
        fault = f"row {number + 1}: {error}"
        # The broken row stands for itself, so that a file of one row has headings to compare.
        rows.append(_LINE_END.split(body)[min(number - skipped, body.count("\n"))].split(delimiter))
        numbers.append(number + 1)
    if not rows:
        return None
    return _Reading(delimiter, rows, numbers, fault, find_headings(rows, numbers, is_heading))


def _rows(body: str, delimiter: str) -> Iterable[list[str]]:
    """Part a text into rows of cells; without quotation marks every line is a row, as it stands."""
    lines = body.replace("\r\n", "\n")
    if '"' in body or "\r" in lines or max(map(len, lines.split("\n"))) > _LONGEST_LINE:
        return csv.reader(io.StringIO(body, newline=""), delimiter=delimiter, strict=True)
    return (line.split(delimiter) for line in lines.removesuffix("\n").split("\n"))


def _check(reading: _Reading) -> None:
    if reading.fault:
        raise NotReadableFile(
            "not_csv", f"broken quotation marks, or a cell without end ({reading.fault})",
            "a CSV file", "close every quotation mark, or save the file again from the "
            "spreadsheet program",
        )  # fmt: skip
    texts = [text for text in reading.found.texts if text]
    if len(texts) == 1 and not reading.found.known and re.search(r"[,;\t|]", texts[0]):
        raise NotReadableFile(
            "not_csv", "one column only: every line as a whole stands in quotation marks",
            "cells separated by commas, semicolons or tabs",
            "open the file in the spreadsheet program, part the text into columns, and save it",
        )  # fmt: skip


def _table(
    reading: _Reading,
) -> tuple[list[str], list[list[str]], list[int], list[tuple[int, int]]]:
    """Return headings, rows, row numbers and the rows that do not fit."""
    header = list(reading.found.texts)
    rows = reading.rows[reading.found.place + 1 :]
    widths = {len(header)}
    while header and not header[-1]:
        header.pop()
    # A row is as wide as the line of headings, with or without the empty ones at its end: a cell
    # more or less, empty or not, may mean that a decimal comma has moved all that follows.
    widths.add(len(header))
    if reading.delimiter != ",":
        # No decimal comma moves a cell here: empty cells at the end of a row say nothing, and
        # values under the empty headings are a column without a heading.
        full = [len(row) - _empty_end(row) for row in rows if len(row) in widths]
        header += [""] * (max([len(header), *full]) - len(header))
        rows = [row[: len(header)] if _fits_cut(row, len(header)) else row for row in rows]
        # Excel may leave out the empty cells at the end of a row.
        widths.update(range(1, len(header) + 1))
    numbers = reading.numbers[reading.found.place + 1 :]
    if set(map(len, rows)) == {len(header)}:
        return header, rows, numbers, []
    kept: list[list[str]] = []
    numbers = []
    ragged: list[tuple[int, int]] = []
    for number, cells in zip(reading.numbers[reading.found.place + 1 :], rows, strict=True):
        if len(cells) == len(header):
            kept.append(cells)
            numbers.append(number)
        elif len(cells) not in widths or any(map(str.strip, cells[len(header) :])):
            ragged.append((number, len(cells)))
        else:
            kept.append(cells[: len(header)] + [""] * (len(header) - len(cells)))
            numbers.append(number)
    return header, kept, numbers, ragged


def _swallowed(
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    numbers: Iterable[int],
    delimiter: str,
    name: str,
) -> list[Problem]:
    """Return the rows with a cell that holds whole rows: two stray quotation marks do that."""
    needed = len(header) - 1
    return [
        Problem(
            ERROR, "rows_in_a_cell", name, row=str(number), column=heading,
            allowed="the text of one cell",
            mend="look at the quotation marks in this row: between two of them stand whole rows",
        )
        for number, row in zip(numbers, rows, strict=True)
        for heading, cell in zip(header, row, strict=False)
        if needed and "\n" in cell
        and any(line.count(delimiter) >= needed for line in cell.splitlines())
    ]  # fmt: skip


def _empty_end(row: Sequence[str]) -> int:
    """Count the empty cells at the end of a row."""
    return next((i for i, cell in enumerate(reversed(row)) if cell.strip()), len(row))


def _fits_cut(row: Sequence[str], width: int) -> bool:
    return len(row) > width >= len(row) - _empty_end(row)
