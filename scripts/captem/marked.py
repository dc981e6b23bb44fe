"""A copy of the user's table in which the faulty cells are coloured and say what is wrong.

The copy is a new workbook. Only what was read and checked goes into it, cell by cell, so that
nothing of the original that nobody looked at (other sheets, comments, names, links, the author)
can come along.
"""

from __future__ import annotations

import io
import re
import textwrap
import warnings
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from pathlib import PurePath
from typing import Any

import pandas as pd

from captem import notation
from captem.files import same_bytes_zip
from captem.identity import without_address
from captem.problems import ERROR, Problem, in_order
from captem.source_table import SourceTable

MOST_LISTED = 2_000
MOST_REPAIRS = 10_000
# A longer table is not shown whole: a spreadsheet program takes long to open it.
MOST_ROWS = 5_000
# A workbook that unpacks to more than this takes openpyxl longer than a user waits.
_MOST_BYTES = 12_000_000
_LOWEST_HEADING = 200
# A title has few cells: what it is, and when it was made.
_MOST_IN_TITLE = 2
_LAST_ROW, _LAST_COLUMN, _LONGEST = 1_048_576, 16_384, 32_767
_LONGEST_COMMENT = 2_000
# Lines above the headings that may stay on the screen while the table is scrolled.
_MOST_FROZEN = 6
_USUAL_WIDTH = 8.43
_LIST = "captem problems"
_MADE = datetime(1980, 1, 1)
# What XML cannot hold; a workbook with one of these in it does not open.
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_UNFIT = re.compile(r"[\[\]:*?/\\\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]+")
# In a format of numbers: quoted, after a sign that escapes a letter, or in place of a currency.
_OWN_TEXT = re.compile(r'"[^"]*("|$)|[\\_*][^\W\d_]|\[\$(?![^\]]{0,3}(?:-[0-9A-Fa-f]+)?\])[^\]]*\]')
_NTH = re.compile(r"column (?:([0-9]{1,5})|([A-Z]{1,3}))")

_ERROR, _WARNING, _REPAIR, _LEFT_OUT, _BLANK, _PLAIN = range(6)
_LEVELS = {ERROR: _ERROR}
_FILLS = {
    _ERROR: "FFB3B3",
    _WARNING: "FFE08A",
    _REPAIR: "D6E8FA",
    _LEFT_OUT: "BFBFBF",
    _BLANK: "EFEFEF",
}
_COLUMNS = (
    ("severity", 11), ("sheet", 16), ("row", 9), ("patient", 14), ("column", 22), ("value", 24),
    ("allowed", 42), ("mend", 48),
)  # fmt: skip
_LEGEND = (
    (1, 3, _ERROR, "ERROR: has to be mended"),
    (4, 5, _WARNING, "WARNING: please look at it"),
    (6, 7, _REPAIR, "READ AS: understood, but not as it is written"),
    (8, 8, _LEFT_OUT, "left out: identifies a person"),
)
_LOOKING = "This copy is for looking: mend the original file, then run captem again."


@dataclass(frozen=True)
class Sheet:
    """One table that was read, and what of it must not be shown.

    hidden : headings of the columns that identify a person; their cells are left out.
    headless : the first row was not known for headings, and may be a patient's: no cell is shown.
    ids : heading of the column of codes, and what stands for each of its cells; None where the
        codes are shown as they are.
    """

    table: SourceTable
    hidden: frozenset[str]
    ids: tuple[str, Mapping[str, str]] | None
    headless: bool = False


@dataclass
class _Marks:
    """What is to be shown on one sheet: colours of rows and cells, and what the cells say."""

    rows: dict[int, int] = field(default_factory=dict)
    cells: dict[tuple[int, int], int] = field(default_factory=dict)
    said: dict[tuple[int, int], list[str]] = field(default_factory=dict)

    def add(self, places: Iterable[tuple[int, int]], level: int, text: str) -> None:
        for place in places:
            self.cells[place] = min(level, self.cells.get(place, level))
            self.said.setdefault(place, []).append(text)

    def add_row(self, row: int, level: int) -> None:
        self.rows[row] = min(level, self.rows.get(row, level))


@dataclass(frozen=True)
class _Page:
    """Where one table lies on its sheet of the copy: `old` is the user's sheet, where it is copied.

    heading : the row of the headings.
    columns : the column of each heading, counted from 1; the table has none for an empty column.
    shift : what is added to row numbers of a source that has no row for its headings.
    """

    sheet: Sheet
    title: str
    old: Any
    heading: int
    columns: list[int]
    shift: int
    header: list[str]
    marks: _Marks = field(default_factory=_Marks)

    @cached_property
    def hidden(self) -> frozenset[str]:
        """Headings of the columns whose cells are not shown; nobody checked one without heading."""
        return frozenset(
            heading
            for heading in self.header
            if not self.is_id(heading) and (not heading or heading in self.sheet.hidden)
        )

    @property
    def first_column(self) -> int:
        return self.columns[0] if self.columns else 1

    def row(self, number: int) -> int:
        return number + self.shift

    def is_id(self, heading: str) -> bool:
        return self.sheet.ids is not None and heading == self.sheet.ids[0]

    def shown_as_row(self, row: int) -> bool:
        """True for a row that a problem is about, wherever it stands."""
        return row in self.marks.rows or any(place[0] == row for place in self.marks.cells)

    def text(self, heading: str, cell: str) -> str:
        """Return what the copy shows for a cell of the table."""
        if heading in self.hidden:
            return ""
        return _stand_in(cell, self.sheet) if self.is_id(heading) else cell


def marked_copy(
    sheets: Sequence[Sheet],
    problems: Sequence[Problem],
    repairs: pd.DataFrame,
    original: bytes | None,
) -> bytes:
    """Return an xlsx workbook: a list of the problems, then the tables with the cells marked.

    Never raises for what the tables hold. The same arguments give the same bytes.

    Parameters
    ----------
    sheets : the tables of one file (or of a pair of CSV files), in the order to show them; none
        where the file could not be read.
    problems : all problems of these tables.
    repairs : one row for each value read differently from how it is written; columns `file, sheet,
        row, patient_id, column, written, read, rule`.
    original : the bytes of the workbook where the tables come from one: its look is kept. Without,
        or where it cannot be loaded or is too large, the sheets are made of the cells alone.
    """
    from openpyxl import Workbook

    source = _loaded(original)
    book = Workbook()
    pages = _pages(sheets, source)
    listed = in_order(problems)[:MOST_LISTED]
    lines = [_line(problem, pages) for problem in listed]
    for line in lines:
        _mark_problem(line)
    unmarked = _mark_repairs(repairs, pages)
    styles = _Styles(book)
    first = book.worksheets[0]
    first.title = _free(_LIST, [page.title for page in pages])
    notes = [note for page in pages for note in _fill(book.create_sheet(page.title), page, styles)]
    if unmarked:
        notes.append(f"{unmarked:,} more cells that were read differently are not marked.")
    if len(problems) > len(listed):
        more = len(problems) - len(listed)
        notes.append(
            f"The worst {len(listed):,} problems are listed and marked; "
            f"{more:,} more are in problems.csv."
        )
    names = dict.fromkeys(
        PurePath(file).name
        for file in ([sheet.table.file for sheet in sheets] or [p.file for p in problems])
    )
    _fill_list(first, lines, problems, len(repairs), " and ".join(names), notes, styles)
    return _saved(book)


def _pages(sheets: Sequence[Sheet], source: Any) -> list[_Page]:
    pages: list[_Page] = []
    for sheet in sheets:
        table = sheet.table
        taken = [page.title for page in pages]
        wanted = table.sheet or PurePath(table.file).stem
        title = _free(_UNFIT.sub(" ", wanted).strip(" '") or "table", taken)
        header = table.header[:_LAST_COLUMN]
        first = min([*table.numbers, *(number for number, _ in table.ragged)], default=0)
        old = _sheet_of(source, table)
        found = _place_of(old, table, first) if old is not None else None
        if found:
            pages.append(_Page(sheet, title, old, *found, 0, header))
            continue
        heading = max(1, first - 1) if first else len(table.note) + 1
        columns = list(range(1, len(header) + 1))
        pages.append(_Page(sheet, title, None, heading, columns, int(first == 1), header))
    return pages


def _free(wanted: str, taken: Iterable[str]) -> str:
    """Return a name of a sheet that is short enough and not yet taken, in whatever case."""
    lower = {name.lower() for name in taken} | {"history"}
    name, number = wanted[:31], 1
    while name.lower() in lower:
        number += 1
        end = f" ({number})"
        name = wanted[: 31 - len(end)] + end
    return name


# The original


def _loaded(original: bytes | None) -> Any:
    """Return the user's workbook with values in place of formulas; None where it cannot be had."""
    if original is None:
        return None
    from openpyxl import load_workbook

    try:
        with zipfile.ZipFile(io.BytesIO(original)) as packed:
            size = sum(m.file_size for m in packed.infolist() if m.filename.endswith(".xml"))
        if size > _MOST_BYTES:
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return load_workbook(io.BytesIO(original), data_only=True, keep_links=False)
    except Exception:  # a broken file may fail in any way; its cells were read by other means
        return None


def _sheet_of(source: Any, table: SourceTable) -> Any:
    if source is None:
        return None
    if table.sheet:
        return next((sheet for sheet in source.worksheets if sheet.title == table.sheet), None)
    return source.worksheets[0] if len(source.worksheets) == 1 else None


def _place_of(old: Any, table: SourceTable, first: int) -> tuple[int, list[int]] | None:
    """Find the headings on the user's sheet: their row, and the column of each.

    None where they are not found as they were read: the columns to be left out could be others.
    """
    merged = {
        place: (span.min_row, span.min_col)
        for span in old.merged_cells.ranges
        if span.max_row <= _LOWEST_HEADING and span.max_col <= _LAST_COLUMN
        for place in span.cells
    }

    def text(row: int, column: int) -> str:
        return _plain(old.cell(*merged.get((row, column), (row, column))).value) if row else ""

    # Only cells that exist: asking for all others up to the last one would make them.
    filled = [cell.column for cell in old._cells.values() if cell.value is not None]
    used = sorted(set(filled))
    wanted = [_plain(heading) for heading in table.header]
    if not any(wanted):
        return None
    lowest = min(first - 1 if first else old.max_row, _LOWEST_HEADING)
    # From below: of two rows of headings the lower one is nearer to the patients.
    for row in range(lowest, 0, -1):
        if any(old.cell(row, column).value is not None for column in used):
            columns = _aligned(old, row, used, wanted, table.numbers, text)
            if columns:
                return row, columns
    return None


def _aligned(
    old: Any,
    row: int,
    used: list[int],
    wanted: list[str],
    numbers: list[int],
    text: Callable[[int, int], str],
) -> list[int] | None:
    """Return the column of each heading, or None where the row holds others than those wanted.

    A heading may have taken a group from the row above it, and a column that has neither heading
    nor value is not in the table.
    """
    columns: list[int] = []
    for column in used:
        if len(columns) == len(wanted):
            break
        heading, shown = wanted[len(columns)], text(row, column)
        own = _plain(old.cell(row, column).value)
        if heading and shown:
            fits = shown in heading or heading in shown
        elif heading:
            fits = text(row - 1, column) == heading
        else:
            fits = not own and any(_plain(old.cell(number, column).value) for number in numbers)
        if fits:
            columns.append(column)
        elif own:
            return None
    return columns if len(columns) == len(wanted) else None


def _plain(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if value is None else " ".join(str(value).split()).casefold()


# The marks


@dataclass(frozen=True)
class _Line:
    """One problem without what identifies a person, its page and the cells that it means."""

    problem: Problem
    page: _Page | None
    places: list[tuple[int, int]]
    whole_row: int = 0


def _line(problem: Problem, pages: Sequence[_Page]) -> _Line:
    page = _page_of(problem.file, problem.sheet, problem.row, problem.column, pages)
    problem = _discreet(problem, page, pages)
    if page is None:
        return _Line(problem, None, [])
    return _Line(problem, page, *_places(page, problem.row, problem.column))


def _page_of(file: str, sheet: str, row: str, column: str, pages: Sequence[_Page]) -> _Page | None:
    own = [
        page
        for page in pages
        if page.sheet.table.file == file and sheet in ("", page.sheet.table.sheet)
    ]
    if len(own) < 2:
        return own[0] if own else None
    number = _number(row)
    return max(own, key=lambda page: (column in page.header, number in page.sheet.table.numbers))


def _number(row: str) -> int:
    """Return the row that a text means; 0 where it means none that a spreadsheet has."""
    text = row.strip()
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0
    return number if number <= _LAST_ROW else 0


def _places(page: _Page, row: str, column: str) -> tuple[list[tuple[int, int]], int]:
    """Return the cells that a row and a column mean, and the row where it is meant as a whole."""
    header, number = page.header, _number(row)
    if column == "patient_id" and column not in header and page.sheet.ids is not None:
        column = page.sheet.ids[0]
    columns = [
        place
        for place, heading in zip(page.columns, header, strict=True)
        if column and heading == column
    ] or _nth(page, column)
    if not number:
        return [(page.heading, place) for place in columns], 0
    place = min(page.row(number), _LAST_ROW)
    return [(place, i) for i in columns[:1] or [page.first_column]], 0 if column else place


def _nth(page: _Page, column: str) -> list[int]:
    """Return the column that is named by its number or letters, as one without heading is."""
    from openpyxl.utils import column_index_from_string

    found = _NTH.fullmatch(column)
    if not found:
        return []
    number, letters = found.groups()
    if number:
        return page.columns[int(number) - 1 : int(number)] if int(number) else []
    # In a sheet made of the cells alone the letters may be others.
    wanted = column_index_from_string(letters) if page.old is not None else 0
    return [place for place in page.columns if place == wanted]


def _mark_problem(line: _Line) -> None:
    page, problem = line.page, line.problem
    if page is None:
        return
    level = _LEVELS.get(problem.severity, _WARNING)
    parts = [f"{problem.severity.upper()}: {_words(problem.rule)}"]
    if problem.column and problem.column not in page.header:
        parts.append(f"Column: {problem.column}")
    parts += [
        f"{label}: {text}"
        for label, text in (
            ("Found", problem.value), ("Allowed", problem.allowed), ("To mend", problem.mend),
        )
        if text
    ]  # fmt: skip
    page.marks.add(line.places, level, "\n".join(parts))
    if line.whole_row:
        page.marks.add_row(line.whole_row, level)


def _mark_repairs(repairs: pd.DataFrame, pages: Sequence[_Page]) -> int:
    """Mark the cells that were read differently; return how many are too many to mark."""
    records = repairs.iloc[:MOST_REPAIRS].astype(object).to_dict("records")
    for record in records:
        row = {key: "" if _is_missing(value) else str(value) for key, value in record.items()}
        page = _page_of(row["file"], row["sheet"], row["row"], row["column"], pages)
        if page is None or row["column"] in page.hidden:
            continue
        places, _ = _places(page, row["row"], row["column"])
        read = _stand_in(row["read"], page.sheet) if page.is_id(row["column"]) else row["read"]
        text = f"READ AS {read or 'empty: not known'} ({_words(row['rule'])})"
        if row["column"] not in page.header:
            text += f"\nColumn: {row['column']}"
        page.marks.add(places, _REPAIR, text)
    return len(repairs) - len(records)


def _is_missing(value: Any) -> bool:
    return value is None or value is pd.NA or value != value


def _words(rule: str) -> str:
    return rule.replace("_", " ")


# What must not be shown


def _stand_in(cell: str, sheet: Sheet) -> str:
    """Return what stands for a code; nothing where it is not known what does."""
    if sheet.ids is None:
        return cell
    known = sheet.ids[1]
    for text in (cell, cell.strip(), notation.printable(cell)):
        if text in known:
            return known[text]
    return cell if cell in known.values() else ""


def _discreet(problem: Problem, page: _Page | None, pages: Sequence[_Page]) -> Problem:
    """Return the problem without the cells of columns left out, and with codes replaced."""
    own = [page] if page else list(pages)
    value, patient = problem.value, problem.patient_id
    if any(problem.column in p.sheet.hidden and not p.is_id(problem.column) for p in own):
        value = ""
    for p in own:
        if p.sheet.ids is None:
            continue
        patient = _stand_in(patient, p.sheet)
        if problem.column == "patient_id" or p.is_id(problem.column):
            value = _stand_in(value, p.sheet)
    allowed, mend = problem.allowed, problem.mend
    # The advice may quote the cell.
    for secret, shown in ((problem.value, value), (problem.patient_id, patient)):
        if secret.strip() and secret != shown:
            quoted = re.compile(rf"(?<!\w){re.escape(secret.strip())}(?!\w)")
            allowed, mend = (quoted.sub(lambda _: "...", text) for text in (allowed, mend))
    return replace(problem, value=value, patient_id=patient, allowed=allowed, mend=mend)


# The sheets


class _Styles:
    """The looks of the copy, each made once: thousands of cells share a few of them."""

    def __init__(self, book: Any):
        from openpyxl.cell.cell import Cell

        self._new = lambda: Cell(book.worksheets[0], row=1, column=1)
        self._made: dict[tuple, Any] = {}

    def put(self, cell: Any, value: Any, level: int = _PLAIN, **look: Any) -> None:
        """Write a value in a look of the copy's own."""
        quote = _write(cell, value)
        key = (level, quote, *look.items())
        if key not in self._made:
            self._made[key] = self._make(level, quote, None, **look)
        cell._style = self._made[key]

    def put_as(self, old: Any, cell: Any, value: Any, level: int = _PLAIN) -> None:
        """Write a value in the look of a cell of the user's."""
        quote = _write(cell, value)
        if old.data_type == "e" and cell.value is not None:
            cell.data_type = "e"
        key = (level, quote, old._style.tobytes() if old.has_style else None)
        if key not in self._made:
            self._made[key] = self._make(level, quote, old)
        cell._style = self._made[key]

    def _make(
        self, level: int, quote: bool, old: Any, *, bold: bool = False, size: int = 11,
        wrap: bool = False, link: bool = False, fill: str = "", grey: bool = False,
        middle: bool = False, ruled: bool = False,
    ) -> Any:  # fmt: skip
        from openpyxl.styles import Alignment, Border, Font, PatternFill, Side

        cell = self._new()
        if old is not None and old.has_style:
            cell.font, cell.border = copy(old.font), copy(old.border)
            cell.alignment, cell.number_format = copy(old.alignment), _format(old.number_format)
            if level == _PLAIN:
                cell.fill = copy(old.fill)
        else:
            colour = "0B5394" if link else "595959" if grey else "000000"
            cell.font = Font(
                name="Calibri", size=size, bold=bold, color=colour,
                underline="single" if link else None,
            )  # fmt: skip
            if old is None:
                cell.alignment = Alignment(
                    horizontal="left", vertical="center" if middle else "top", wrap_text=wrap
                )
            if ruled:
                cell.border = Border(bottom=Side("thin", color="D9D9D9"))
        colour = _FILLS.get(level, fill)
        if colour:
            cell.fill = PatternFill("solid", start_color=colour, end_color=colour)
            # The user's own letters may be white on dark.
            if level != _PLAIN and not link:
                font = copy(cell.font)
                font.color = "000000"
                cell.font = font
        cell.quotePrefix = quote
        return cell._style


def _format(given: str) -> str:
    """Return a format of numbers and dates without the texts of the user's own in it."""
    return _OWN_TEXT.sub("", given).strip() or "General"


def _write(cell: Any, value: Any) -> bool:
    """Write a value, a text never as a formula; say whether it would become one when edited."""
    if isinstance(value, float) and value - value != 0:
        value = str(value)
    if not isinstance(value, str):
        cell.value = value
        return False
    value = _legal(value)
    if not value:
        return False
    cell.value = value
    cell.data_type = "s"
    return value[0] in "=+-@"


def _legal(text: str) -> str:
    text = _ILLEGAL.sub(" ", text)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def _fill(new: Any, page: _Page, styles: _Styles) -> list[str]:
    """Write one table to its sheet; return what the reader should be told about it."""
    table = page.sheet.table
    for column, heading in zip(page.columns, page.header, strict=True):
        if heading and heading in page.hidden:
            place = (page.heading, column)
            page.marks.said.setdefault(place, []).insert(0, "left out: identifies a person")
            # That it was left out says more than the warning that it was.
            if page.marks.cells.get(place) != _ERROR:
                page.marks.cells[place] = _LEFT_OUT
    _fill_above(new, page, styles)
    for i, heading in enumerate(page.header):
        place = (page.heading, page.columns[i])
        level = page.marks.cells.get(place, _PLAIN)
        if page.old is not None:
            old = page.old.cell(*place)
            above = page.old.cell(page.heading - 1, place[1]) if page.heading > 1 else old
            own = heading if _plain(above.value) != _plain(heading) else None
            styles.put_as(old, new.cell(*place), own if old.value is None else old.value, level)
        else:
            fill = "DDE3EA" if heading else ""
            shown = "" if page.sheet.headless else heading
            styles.put(new.cell(*place), shown, level, bold=True, wrap=True, fill=fill)
    notes = []
    rows = list(zip(table.numbers, table.rows, strict=True))
    if page.old is None and len(rows) > MOST_ROWS:
        marked = set(page.marks.rows) | {row for row, _ in page.marks.cells}
        rows = [(number, row) for number, row in rows if page.row(number) in marked]
        notes.append(
            f"{page.title} has {len(table.rows):,} rows: only the {len(rows):,} with something "
            "to see are in this copy, each in its own row."
        )
    for number, cells in rows:
        if page.row(number) <= _LAST_ROW:
            _fill_row(new, page, page.row(number), cells, styles)
    _fill_unread(new, page, styles)
    _add_comments(new, page)
    _set_view(new, page)
    return notes


def _fill_above(new: Any, page: _Page, styles: _Styles) -> None:
    """Write what stands above the headings: the user's own title, or the note of a CSV file."""
    if page.old is None:
        for row, line in enumerate(page.sheet.table.note[: page.heading - 1], start=1):
            styles.put(new.cell(row, 1), f"# {line}", grey=True)
        return
    last = page.columns[-1]
    private = {
        column
        for column, heading in zip(page.columns, page.header, strict=True)
        if heading in page.hidden or page.is_id(heading)
    }
    for row in range(1, page.heading):
        cells = [page.old.cell(row, column) for column in range(1, last + 1)]
        # With more in it than a title it may be a row of patients that the headings were put under.
        crowded = sum(cell.value is not None for cell in cells) > _MOST_IN_TITLE
        if page.shown_as_row(row):
            continue
        for old in cells:
            if not (crowded and old.column in private) and (old.value is not None or old.has_style):
                styles.put_as(old, new.cell(row, old.column), _without_people(old.value))
    for span in page.old.merged_cells.ranges:
        right = min(span.max_col, last)
        rows = range(span.min_row, span.max_row + 1)
        if rows[-1] >= page.heading or any(page.shown_as_row(row) for row in rows):
            continue
        if right > span.min_col or (right == span.min_col and len(rows) > 1):
            new.merge_cells(
                start_row=rows[0], end_row=rows[-1], start_column=span.min_col, end_column=right
            )


def _without_people(value: Any) -> Any:
    """Return what a cell above the headings holds; nothing where it holds an address or a name."""
    return None if value is not None and not without_address(str(value)) else value


def _fill_row(new: Any, page: _Page, row: int, cells: list[str], styles: _Styles) -> None:
    marked, whole = page.marks.cells, page.marks.rows.get(row, _PLAIN)
    for column, heading, text in zip(page.columns, page.header, cells, strict=False):
        level = marked.get((row, column), whole)
        cell = new.cell(row, column)
        if heading in page.hidden:
            styles.put(cell, None, level if level != _PLAIN else _BLANK)
        elif page.old is None:
            styles.put(cell, page.text(heading, text), level)
        else:
            old = page.old.cell(row, column)
            value = page.text(heading, text) if page.is_id(heading) else old.value
            # A workbook that no program has calculated holds no values of its formulas.
            styles.put_as(old, cell, text if value is None else value, level)


def _fill_unread(new: Any, page: _Page, styles: _Styles) -> None:
    """Colour the marked rows that are not in the table, such as those that do not fit it."""
    read = {page.row(number) for number in page.sheet.table.numbers} | {page.heading}
    for row, level in page.marks.rows.items():
        if row not in read:
            for column in page.columns or [1]:
                styles.put(new.cell(row, column), None, level)
    for place, level in page.marks.cells.items():
        if place[0] not in read and place[0] not in page.marks.rows:
            styles.put(new.cell(*place), None, level)


def _add_comments(new: Any, page: _Page) -> None:
    from openpyxl.comments import Comment

    for place, texts in page.marks.said.items():
        text = _ILLEGAL.sub(" ", "\n\n".join(dict.fromkeys(texts)))
        if len(text) > _LONGEST_COMMENT:
            text = text[: _LONGEST_COMMENT - 3] + "..."
        lines = sum(1 + len(line) // 46 for line in text.split("\n"))
        height = min(24 + 18 * lines, 480)
        new.cell(*place).comment = Comment(text, "captem", height=height, width=340)


def _set_view(new: Any, page: _Page) -> None:
    from openpyxl.utils import get_column_letter

    below = f"{get_column_letter(page.first_column + 1)}{page.heading + 1}"
    if page.old is None:
        texts = [page.header, *page.sheet.table.rows[:200]]
        for i in range(len(page.header)):
            longest = max(len(row[i]) for row in texts if i < len(row))
            letter = get_column_letter(page.columns[i])
            new.column_dimensions[letter].width = min(max(longest + 3, 9), 32)
        if page.header:
            widths = [new.column_dimensions[get_column_letter(c)].width for c in page.columns]
            new.row_dimensions[page.heading].height = _height(page.header, widths)
        if page.heading > _MOST_FROZEN:
            # A long note is folded away, to be opened with the + at its side.
            new.row_dimensions.group(1, page.heading - 1, hidden=True)
        new.freeze_panes = below
        return
    old, last = page.old, page.columns[-1]
    for span in old.column_dimensions.values():
        if span.width and span.min and span.customWidth:
            for column in range(span.min, min(span.max or span.min, last) + 1):
                new.column_dimensions[get_column_letter(column)].width = span.width
    bottom = max(page.sheet.table.numbers, default=page.heading)
    for row, height in ((row, old.row_dimensions[row].height) for row in list(old.row_dimensions)):
        if height and row <= bottom:
            new.row_dimensions[row].height = height
    letters = [get_column_letter(column) for column in page.columns]
    sizes = new.column_dimensions
    widths = [sizes[letter].width if letter in sizes else _USUAL_WIDTH for letter in letters]
    wrapped = [
        heading if old.cell(page.heading, column).alignment.wrap_text else ""
        for column, heading in zip(page.columns, page.header, strict=True)
    ]
    if any(wrapped) and not old.row_dimensions[page.heading].height:
        new.row_dimensions[page.heading].height = _height(wrapped, widths) + 2
    new.sheet_format = copy(old.sheet_format)
    view, own = new.sheet_view, old.sheet_view
    view.rightToLeft, view.showGridLines = own.rightToLeft, own.showGridLines
    view.zoomScale = own.zoomScale
    if page.heading <= _MOST_FROZEN:
        new.freeze_panes = below


# The list


def _fill_list(
    new: Any, lines: Sequence[_Line], problems: Sequence[Problem], repaired: int, name: str,
    notes: Sequence[str], styles: _Styles,
) -> None:  # fmt: skip
    from openpyxl.utils import get_column_letter

    for column, (_, width) in enumerate(_COLUMNS, start=1):
        new.column_dimensions[get_column_letter(column)].width = width
    styles.put(new.cell(1, 1), f"What captem found in {name or 'the table'}", bold=True, size=14)
    errors = sum(problem.severity == ERROR for problem in problems)
    counts = [(errors, "error"), (len(problems) - errors, "warning")]
    said = ", ".join(f"{n:,} {noun}{'' if n == 1 else 's'}" for n, noun in counts)
    if repaired:
        cells = "1 value was" if repaired == 1 else f"{repaired:,} values were"
        said += f"; {cells} read differently from how they are written"
    styles.put(new.cell(2, 1), said if problems or repaired else "Nothing is wrong here.")
    styles.put(new.cell(3, 1), _LOOKING, bold=True)
    for first, last, level, text in _LEGEND:
        for column in range(first, last + 1):
            value = text if column == first else None
            styles.put(new.cell(4, column), value, level, middle=True)
        if last > first:
            new.merge_cells(start_row=4, end_row=4, start_column=first, end_column=last)
    new.row_dimensions[1].height, new.row_dimensions[4].height = 24, 20
    for row, note in enumerate(notes, start=5):
        styles.put(new.cell(row, 1), note)
    heading = 6 + len(notes)
    if lines:
        for column, (title, _) in enumerate(_COLUMNS, start=1):
            styles.put(new.cell(heading, column), title, bold=True, fill="DDE3EA")
        for row, line in enumerate(lines, start=heading + 1):
            _list_line(new, row, line, styles)
        end = new.cell(heading + len(lines), len(_COLUMNS)).coordinate
        new.auto_filter.ref = f"A{heading}:{end}"
        new.freeze_panes = f"A{heading + 1}"
    elif not problems:
        styles.put(new.cell(heading, 1), "No problems: no cell has to be mended.", bold=True)
    new.page_setup.orientation = "landscape"
    new.page_setup.fitToHeight = 0
    new.sheet_properties.pageSetUpPr.fitToPage = True
    new.sheet_view.showGridLines = False


def _height(texts: Iterable[Any], widths: Iterable[float]) -> float:
    """Return the height of a row of wrapped texts: not all programs find it by themselves."""
    lines = max(
        (len(textwrap.wrap(str(text), max(int(width) - 2, 4))) or 1)
        for text, width in zip(texts, widths, strict=False)
    )
    return 15.0 * min(max(lines, 1), 12)


def _list_line(new: Any, row: int, line: _Line, styles: _Styles) -> None:
    from openpyxl.utils import get_column_letter
    from openpyxl.worksheet.hyperlink import Hyperlink

    problem, page = line.problem, line.page
    level = _LEVELS.get(problem.severity, _WARNING)
    number = _number(problem.row)
    where: Any = number or problem.row or ("heading" if line.places else "all")
    sheet = page.title if page else problem.sheet or PurePath(problem.file).name
    texts = (
        problem.severity.upper(), sheet, where, problem.patient_id, problem.column,
        problem.value, problem.allowed, problem.mend,
    )  # fmt: skip
    for column, text in enumerate(texts, start=1):
        first = column == 1
        linked = column == 3 and page is not None
        styles.put(
            new.cell(row, column), text, level if first else _PLAIN,
            bold=first, wrap=not first, link=linked, ruled=True,
        )  # fmt: skip
    new.row_dimensions[row].height = _height(texts, [width for _, width in _COLUMNS])
    if page is not None:
        place = line.places[0] if line.places else (page.heading, page.first_column)
        target = f"{get_column_letter(place[1])}{place[0]}"
        quoted = page.title.replace("'", "''")
        new.cell(row, 3).hyperlink = Hyperlink(ref="", location=f"'{quoted}'!{target}")


# The file


def _saved(book: Any) -> bytes:
    from openpyxl.packaging.core import DocumentProperties
    from openpyxl.writer.excel import ExcelWriter

    book.properties = DocumentProperties(
        creator="captem", lastModifiedBy="captem", title="captem problems",
        created=_MADE, modified=_MADE,
    )  # fmt: skip
    written, packed = io.BytesIO(), io.BytesIO()
    ExcelWriter(book, zipfile.ZipFile(written, "w")).save()
    with zipfile.ZipFile(written) as parts, zipfile.ZipFile(packed, "w") as result:
        for name in parts.namelist():
            result.writestr(name, _without_triangles(name, parts.read(name)))
    return same_bytes_zip(packed.getvalue())


def _without_triangles(name: str, part: bytes) -> bytes:
    """Tell Excel not to mark numbers that are texts: the marks of this copy are captem's."""
    if not name.startswith("xl/worksheets/sheet"):
        return part
    quiet = (
        b'<ignoredErrors><ignoredError sqref="A1:XFD1048576" numberStoredAsText="1"/>'
        b"</ignoredErrors>"
    )
    ends = (b"<legacyDrawing", b"</worksheet>")
    end = next(end for end in ends if end in part)
    before, _, after = part.rpartition(end)
    return before + quiet + end + after
