"""The workbook for entering a cohort by hand: `entry_form.xlsx`, empty and checked as one types."""

from __future__ import annotations

import datetime as dt
import io
import re
import zipfile
from typing import TYPE_CHECKING, Any

from openpyxl import Workbook
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation

from captem.files import same_bytes_zip
from captem.form_fields import ALWAYS, OPTIONAL, PAIR, TABLES, Asked, asked

if TYPE_CHECKING:
    from openpyxl.worksheet.worksheet import Worksheet

ROWS = 500
# The first column of each table that scrolls away; the codes stay in sight.
_FROZEN = {"patients": "B2", "lesions": "C2"}
_COLOURS = {
    ALWAYS: ("1F4E79", "FFFFFF"),
    PAIR: ("9DC3E6", "000000"),
    OPTIONAL: ("E7E6E6", "000000"),
}
_MEANING = {
    ALWAYS: "must be filled in on every row",
    PAIR: "one pair is needed, of scores or of SUVmax, for the patient or the lesions",
    OPTIONAL: "leave empty what is not known; the analyses that need it say so",
}
_FORMATS = {"number": "General", "count": "0", "date": "yyyy-mm-dd"}
_TEXT = "@"
# The first day that Excel and LibreOffice number alike: 1 March 1900.
_FIRST_DAY = "61"
_MADE = dt.datetime(1980, 1, 1)
_LINE = Side(style="thin", color="BFBFBF")
_CODEBOOK = ("sheet", "column", "meaning", "unit", "allowed", "example of notation", "needed")
_FONT = "Calibri"
_READ_ME = {
    "How to fill in this workbook": (
        "One row a patient in the sheet patients, one row a lesion in the sheet lesions.",
        "patient_id is the study's own code: never a name, a date of birth or a hospital number.",
        "The list of which code is which patient stays in the hospital, outside this file.",
        "Leave the headings as they are. Leave a cell empty where a value is not known.",
        "Lesions are optional. A lesion keeps its lesion_id from baseline to follow-up.",
        "_pre is the PET before CAPTEM, _post the PET after it.",
    ),
    "What may stand in a cell": (
        "A cell says what it takes when you click on it; the sheet codebook lists it all.",
        "Scores and MIB1 may be intervals: 2-3, 0-1 for <=1, 7-8 for 7%-8%, >=20 for above 20.",
        "These cells are text, so that 3-4 does not become a date. Ignore Excel's green corners.",
        "Dates show as year-month-day, whatever your computer's own way.",
        f"Cells are checked down to row {ROWS + 1}. For more patients copy an empty row first.",
        "Pasting from another file can remove the checks: choose Paste values.",
    ),
    "Colours of the headings": (),
}


def workbook() -> bytes:
    """Return the workbook: sheets `patients`, `lesions`, `codebook` and `read me`.

    It holds no patient, and its bytes are the same on every call.
    """
    book = Workbook()
    book.remove(book.active)
    for table in TABLES:
        _entry_sheet(book.create_sheet(table), table)
    _codebook(book.create_sheet("codebook"))
    _read_me(book.create_sheet("read me"))
    book.properties.creator = "captem"
    book.properties.created = _MADE
    stream = io.BytesIO()
    book.save(stream)
    return same_bytes_zip(_without_clock(stream.getvalue()))


def _entry_sheet(sheet: Worksheet, table: str) -> None:
    for place, question in enumerate(asked(table), start=1):
        letter = get_column_letter(place)
        name, kind = question.field.name, question.field.kind
        _heading(sheet.cell(1, place, name), question.need)
        column = sheet.column_dimensions[letter]
        column.width = max(13, len(name) + 3)
        column.number_format = _FORMATS.get(kind, _TEXT)
        check = _check(question, table, letter)
        check.add(f"{letter}2:{letter}{ROWS + 1}")
        sheet.add_data_validation(check)
    sheet.row_dimensions[1].height = 24
    sheet.freeze_panes = _FROZEN[table]
    _printed(sheet, wide=False)


_SCORES = ("0", "1", "2", "3", "4", "0-1", "1-2", "2-3", "3-4", "0-2", "1-3", "2-4")


def _check(question: Asked, table: str, letter: str) -> DataValidation:
    """Return what a cell of a column refuses, and what it says when it is clicked on."""
    spec = question.field
    check = DataValidation(
        showInputMessage=True,
        promptTitle=spec.name[:32],
        prompt=_prompt(question),
        showErrorMessage=True,
        errorStyle="stop",
        errorTitle="Not allowed here",
        error=f"{spec.name}: {question.typed}. Or leave the cell empty."[:255],
        allow_blank=True,
    )
    if spec.choices:
        check.type, check.formula1 = "list", f'"{",".join(spec.choices)}"'
    elif spec.kind == "date":
        check.type, check.operator, check.formula1 = "date", "greaterThanOrEqual", _FIRST_DAY
    elif spec.kind in ("number", "count"):
        check.type = "whole" if spec.kind == "count" else "decimal"
        check.operator = "greaterThan" if question.above else "greaterThanOrEqual"
        check.formula1 = f"{question.low:g}"
        if question.high is not None:
            check.operator, check.formula2 = "between", f"{question.high:g}"
    elif spec.kind == "score":
        # Another notation may be meant: it is asked about and not refused.
        check.type, check.formula1 = "list", f'"{",".join(_SCORES)}"'
        check.errorStyle = "warning"
    elif spec.name == "patient_id":
        _check_code(check, table, letter)
    else:
        # Free text, and the notations of intervals: more than a rule of a spreadsheet can say.
        check.showErrorMessage = False
    return check


def _check_code(check: DataValidation, table: str, letter: str) -> None:
    """A patient has one row in `patients`, and the patients of `lesions` are chosen from there."""
    check.errorStyle = "warning"
    if table == "patients":
        codes = f"${letter}$2:${letter}${ROWS + 1}"
        # Not COUNTIF, to which 007 and 7 are one code.
        check.type, check.formula1 = "custom", f"SUMPRODUCT(--EXACT({codes},{letter}2))=1"
        check.error = "This code stands in another row already. One row a patient."
    else:
        check.type, check.formula1 = "list", f"patients!$A$2:$A${ROWS + 1}"
        check.allow_blank = False
        check.error = "This code is not in the sheet patients. Enter the patient there first."


def _prompt(question: Asked) -> str:
    need = "" if question.need == OPTIONAL else f" Needed: {_MEANING[question.need]}."
    return f"{question.meaning}: {question.typed}.{need}"[:255]


def _codebook(sheet: Worksheet) -> None:
    sheet.append(list(_CODEBOOK))
    for cell in sheet[1]:
        _heading(cell, ALWAYS)
    for table in TABLES:
        for question in asked(table):
            spec = question.field
            meaning = spec.description.replace("`", "")
            allowed, example = question.typed, question.example
            line = [table, spec.name, meaning, spec.unit, allowed, example, question.need]
            sheet.append(line)
            for cell in sheet[sheet.max_row]:
                cell.number_format = _TEXT
                cell.font = Font(name=_FONT, size=11)
                cell.border = Border(bottom=_LINE)
            _heading(sheet.cell(sheet.max_row, 2), question.need)
    # Wide enough for every line: programs differ in whether they make a wrapped row higher.
    for cells in sheet.columns:
        width = max(len(str(cell.value or "")) for cell in cells) + 3
        sheet.column_dimensions[get_column_letter(cells[0].column)].width = width
    sheet.freeze_panes = "C2"
    _printed(sheet, wide=True)


def _read_me(sheet: Worksheet) -> None:
    row = 0
    for title, lines in _READ_ME.items():
        row += 1
        sheet.cell(row, 1, title).font = Font(name=_FONT, bold=True, size=13)
        for line in lines:
            row += 1
            sheet.cell(row, 1, line).font = Font(name=_FONT, size=11)
        row += bool(lines)
    for need, text in _MEANING.items():
        row += 1
        _heading(sheet.cell(row, 1, text), need)
    sheet.column_dimensions["A"].width = 96
    sheet.sheet_view.showGridLines = False
    _printed(sheet, wide=True)


def _heading(cell: Any, need: str) -> None:
    fill, ink = _COLOURS[need]
    cell.fill = PatternFill("solid", fgColor=fill)
    cell.font = Font(name=_FONT, size=11, bold=need != OPTIONAL, color=ink)
    cell.alignment = Alignment(vertical="center")
    cell.border = Border(left=_LINE, right=_LINE, bottom=_LINE)


def _printed(sheet: Worksheet, *, wide: bool) -> None:
    sheet.page_setup.orientation = "landscape"
    sheet.page_setup.paperSize = sheet.PAPERSIZE_A4
    sheet.print_title_rows = "1:1"
    if wide:
        sheet.sheet_properties.pageSetUpPr.fitToPage = True
        sheet.page_setup.fitToHeight = 0


def _without_clock(data: bytes) -> bytes:
    """Put a fixed time where the library writes when the file was saved."""
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(packed, "w") as result:
        for member in source.infolist():
            content = source.read(member)
            if member.filename == "docProps/core.xml":
                made = _MADE.isoformat().encode() + b"Z"
                content = re.sub(rb"(<dcterms:modified[^>]*>)[^<]*", rb"\g<1>" + made, content)
            result.writestr(member, content)
    return packed.getvalue()
