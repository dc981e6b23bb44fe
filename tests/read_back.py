"""Reads tables and pages as a reader meets them: from csv, HTML, Word and Excel, never the source.

Marks of footnotes are left out, so that a cell is its text alone.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from decimal import Decimal
from html.parser import HTMLParser

import docx
import openpyxl
from openpyxl.cell.rich_text import CellRichText, TextBlock

_MARK = re.compile(r"\[[a-z]{1,2}\]")
_BLOCKS = ("p", "div", "li", "dd", "dt", "h1", "h2", "h3", "h4", "figcaption", "summary", "td",
           "th", "caption", "title", "option", "button", "label", "section", "br")  # fmt: skip
_UNREAD = ("style", "script", "svg", "head")


@dataclass(frozen=True)
class Grid:
    """A table that was read: its title, columns, rows of cells, and the texts below."""

    title: str
    columns: list[str]
    rows: list[list[str]]
    notes: list[str]


def _bare(text: str) -> str:
    return _MARK.sub("", text).replace("\u00a0", " ").strip()


def from_csv(text: str) -> Grid:
    """Read a table's csv; its last three columns are the status, the note and the kind of data."""
    head, *rows = list(csv.reader(io.StringIO(text)))
    assert head[-3:] == ["status", "note", "data"]
    cells = [[_bare(cell) for cell in row[:-3]] for row in rows]
    return Grid("", head[:-3], cells, [_bare(row[-2]) for row in rows if row[-2]])


class _Html(HTMLParser):
    """Collects the tables of a page, and the text outside of them by the id it stands under."""

    def __init__(self, page: str):
        super().__init__()
        self.grids: list[Grid] = []
        self.texts: list[tuple[tuple[str, ...], str]] = []
        self.alts: list[str] = []
        self._open: list[tuple[str, str]] = []
        self._cells: list[list[str]] = []
        self._title, self._said = "", ""
        self.feed(page)
        self._flush()

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.alts += [found[name] for name in ("alt", "aria-label") if found.get(name)]
        if tag in _BLOCKS:
            self._flush()
        if tag not in ("meta", "img", "br", "link", "input", "hr", "col"):
            names = (found.get(name) for name in ("id", "aria-labelledby", "class"))
            self._open.append((tag, next(filter(None, names), "")))
        if tag == "table":
            self._cells, self._title = [], ""
        if tag == "tr":
            self._cells.append([])

    def handle_endtag(self, tag):
        if tag in _BLOCKS:
            self._flush()
        while self._open and self._open.pop()[0] != tag:
            pass
        if tag == "table":
            head, *rows = self._cells
            wide = [row + [""] * (len(head) - len(row)) for row in rows]
            self.grids.append(Grid(self._title, head, wide, []))

    def handle_data(self, data):
        tags = [tag for tag, _ in self._open]
        if not {"sup", *_UNREAD} & set(tags):
            self._said += data

    def _flush(self):
        text, self._said = _bare(re.sub(r"\s+", " ", self._said)), ""
        tags = [tag for tag, _ in self._open]
        if "table" in tags and self._open[-1][0] in ("td", "th"):
            self._cells[-1].append(text)
        elif "table" in tags and self._open[-1][0] == "caption":
            self._title = text
        elif text:
            self.texts.append((tuple(name for _, name in self._open if name), text))


def from_html(page: str) -> Grid:
    """Read a page that holds one table."""
    read = _Html(page)
    (grid,) = read.grids
    return Grid(grid.title, grid.columns, grid.rows, [text for _, text in read.texts])


def page(text: str) -> _Html:
    """Read any page: `grids`, `texts` with the ids they stand under, `alts`."""
    return _Html(text)


def word_text(paragraph) -> str:
    """Return the text of a paragraph without its marks."""
    # The name of a style is looked up slowly; its id stands at the run.
    runs = [run.text for run in paragraph.runs if run._r.style != "Tablemark"]
    return _bare("".join(runs) if runs else paragraph.text)


def word_grid(table, title: str = "", notes: tuple[str, ...] = ()) -> Grid:
    """Read a table of a Word document; a cell that runs over the row is a heading."""
    rows = []
    for line in table.rows:
        cells = [" ".join(word_text(part) for part in cell.paragraphs) for cell in line.cells]
        if len({id(cell._tc) for cell in line.cells}) == 1:
            cells = [cells[0], *("",) * (len(cells) - 1)]
        rows.append(cells)
    return Grid(title, rows[0], rows[1:], list(notes))


def from_docx(content: bytes) -> Grid:
    """Read a document that holds one table: its first paragraph is the caption."""
    document = docx.Document(io.BytesIO(content))
    title, *notes = [word_text(part) for part in document.paragraphs]
    (table,) = document.tables
    return word_grid(table, title, tuple(notes))


def from_xlsx(content: bytes) -> dict[str, Grid]:
    """Read the sheets of a workbook; a number is printed as the format of its cell shows it."""
    book = openpyxl.load_workbook(io.BytesIO(content), rich_text=True)
    grids = {}
    for sheet in book.worksheets[1:]:
        lines = [[_cell(cell) for cell in line] for line in sheet.iter_rows()]
        title, head, body = lines[0][0], lines[2], lines[3:]
        end = next((i for i, line in enumerate(body) if not any(line)), len(body))
        notes = [line[0] for line in body[end:] if line[0]]
        grids[sheet.title] = Grid(title, head, body[:end], notes)
    return grids


def marked(value) -> str:
    """Return the text of a cell with its raised marks in brackets, as the tables hold them."""
    if not isinstance(value, CellRichText):
        return value or ""
    parts = (
        f"[{part.text}]" if isinstance(part, TextBlock) and part.font.vertAlign == "superscript"
        else str(part)
        for part in value
    )  # fmt: skip
    return "".join(parts).replace("\u00a0", " ")


def _cell(cell) -> str:
    if cell.value is None:
        return ""
    if isinstance(cell.value, CellRichText):
        return _bare(marked(cell.value))
    if isinstance(cell.value, str):
        return _bare(cell.value)
    whole, _, places = cell.number_format.partition(".")
    text = f"{Decimal(repr(float(cell.value))):.{len(places)}f}"
    return text if whole.endswith("0") else text.replace("0.", ".", 1)
