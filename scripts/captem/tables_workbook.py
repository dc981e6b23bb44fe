"""All tables as one workbook: a sheet that lists them, then a sheet a table.

A cell that is a plain number is one in the workbook too, with the places that it is printed with;
all else is text, and never a formula.
"""

from __future__ import annotations

import datetime as dt
import io
import re
import zipfile
from collections.abc import Sequence
from typing import Any

from captem.files import same_bytes_zip
from captem.table_formats import pieces
from captem.table_parts import Row, Table

# What Excel allows, and what captem leaves of it.
_LONGEST_NAME, _WIDEST, _NARROWEST = 31, 60, 8
_NUMBER = re.compile(r"-?(\d*)(?:\.(\d+))?")
_MADE = dt.datetime(1980, 1, 1)
CONTENTS = "Contents"


def to_xlsx(tables: Sequence[Table]) -> bytes:
    """Return the tables as an Excel workbook; the same tables give the same bytes."""
    from openpyxl import Workbook
    from openpyxl.styles import Alignment, Font, NamedStyle
    from openpyxl.writer.excel import ExcelWriter

    workbook = Workbook()
    properties = workbook.properties
    properties.creator = properties.lastModifiedBy = "captem"
    properties.title = "Tables"
    if tables:
        properties.subject = f"{tables[0].data} data"
    properties.created = properties.modified = _MADE
    top = Alignment(vertical="top")
    looks = {
        "Table title": (Font(bold=True, size=12), top),
        "Table heading": (Font(bold=True), Alignment(vertical="bottom", wrap_text=True)),
        "Table group": (Font(bold=True), top),
        "Table text": (Font(), Alignment(vertical="top", wrap_text=True)),
        "Table indented": (Font(), Alignment(vertical="top", wrap_text=True, indent=1)),
        "Table number": (Font(), Alignment(vertical="top", horizontal="right")),
        "Table note": (Font(size=9), top),
    }
    for name, (font, alignment) in looks.items():
        workbook.add_named_style(NamedStyle(name=name, font=font, alignment=alignment))
    _contents(workbook.active, tables)
    for table in tables:
        _sheet(workbook.create_sheet(sheet_name(table)), table)
    stream = io.BytesIO()
    # Not by `workbook.save`, which writes the time of day into the properties.
    ExcelWriter(workbook, zipfile.ZipFile(stream, "w")).save()
    return same_bytes_zip(stream.getvalue())


def sheet_name(table: Table) -> str:
    """Return the name of a table's sheet."""
    return table.name[:_LONGEST_NAME]


def _contents(sheet: Any, tables: Sequence[Table]) -> None:
    from openpyxl.worksheet.hyperlink import Hyperlink

    sheet.title = CONTENTS
    _write(sheet.cell(1, 1), "Tables", "Table title")
    for column, heading in enumerate(("Sheet", "Title", "Data"), start=1):
        _write(sheet.cell(3, column), heading, "Table heading")
    for line, table in enumerate(tables, start=4):
        name = sheet.cell(line, 1)
        _write(name, sheet_name(table), "Table text")
        name.hyperlink = Hyperlink(ref="", location=f"'{sheet_name(table)}'!A1")
        _write(sheet.cell(line, 2), table.title, "Table text")
        _write(sheet.cell(line, 3), table.data, "Table text")
    for letter, width in (("A", 20), ("B", 80), ("C", 18)):
        sheet.column_dimensions[letter].width = width
    sheet.freeze_panes = "A4"


def _sheet(sheet: Any, table: Table) -> None:
    """Write the title, the header, the rows and the notes; the header stays in sight."""
    from openpyxl.utils import get_column_letter

    _write(sheet.cell(1, 1), table.title, "Table title")
    for column, heading in enumerate(table.columns, start=1):
        _write(sheet.cell(3, column), heading, "Table heading")
    for line, row in enumerate(table.rows, start=4):
        _row(sheet, line, row, table)
    below = 5 + len(table.rows)
    for line, note in enumerate(table.notes, start=below):
        _write(sheet.cell(line, 1), note, "Table note")
    widths = _widths(table)
    sheet.freeze_panes = "B4"
    for column in range(1, len(widths) + 1):
        sheet.column_dimensions[get_column_letter(column)].width = widths[column - 1]
    sheet.page_setup.orientation = "landscape" if table.wide else "portrait"
    sheet.page_setup.paperSize = sheet.PAPERSIZE_A4
    sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = 1, 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True
    sheet.print_title_rows = "3:3"


def _row(sheet: Any, line: int, row: Row, table: Table) -> None:
    for column, text in enumerate(row.cells):
        style = "Table text" if column in table.text_columns else "Table number"
        if row.heading:
            style = "Table group"
        elif column == 0 and row.indent:
            style = "Table indented"
        cell = sheet.cell(line, column + 1)
        number = None if column in table.text_columns else _number(text)
        if number is None:
            _write(cell, text, style)
            continue
        cell.style = style
        cell.value, cell.number_format = number


def _write(cell: Any, text: str, style: str) -> None:
    """Write a text as text: one that begins with =, +, - or @ must not become a formula."""
    cell.style = style
    if text:
        cell.value = _raised(text)
        cell.data_type = "s"
        cell.quotePrefix = text[:1] in tuple("=+-@")


def _raised(text: str) -> Any:
    """Return a text as it is, or with its footnote marks raised where it has some."""
    from openpyxl.cell.rich_text import CellRichText, TextBlock
    from openpyxl.cell.text import InlineFont

    parts = list(pieces(text))
    if all(kind != "mark" for kind, _ in parts):
        return text
    raised = InlineFont(vertAlign="superscript")
    return CellRichText(
        [TextBlock(raised, piece) if kind == "mark" else piece for kind, piece in parts]
    )


def _number(text: str) -> tuple[float, str] | None:
    """Return the value of a plain number and the format that prints it as it was, or None.

    >>> _number("1.20"), _number(".03"), _number("54"), _number("29/54 (54%)")
    ((1.2, '0.00'), (0.03, '.00'), (54, '0'), None)
    """
    found = _NUMBER.fullmatch(text)
    if not found or not (found[1] or found[2]):
        return None
    whole = "0" if found[1] else ""
    if found[2] is None:
        return int(text), whole
    return float(text), f"{whole}.{'0' * len(found[2])}"


def _widths(table: Table) -> list[int]:
    """Return the width of each column in characters, so that numbers stand whole."""
    found = []
    for column, heading in enumerate(table.columns):
        texts = [row.cells[column] for row in table.rows if not row.heading]
        word = max((len(part) for part in heading.split()), default=0)
        most = _WIDEST if column in table.text_columns else _WIDEST // 2
        longest = max((len(text) for text in texts), default=0)
        found.append(max(_NARROWEST, word + 2, min(longest + 2, most)))
    return found
