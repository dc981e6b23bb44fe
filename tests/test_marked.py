"""The copy of a user's table in which the faulty cells are marked."""

from __future__ import annotations

import datetime as dt
import io
import re
import zipfile

import pandas as pd
import pytest
from captem import marked
from captem.marked import Sheet, marked_copy
from captem.problems import Problem
from captem.source_table import SourceTable
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook, load_workbook
from openpyxl.comments import Comment
from openpyxl.styles import Font
from openpyxl.workbook.defined_name import DefinedName
from openpyxl.worksheet.datavalidation import DataValidation

COLUMNS = ["file", "sheet", "row", "patient_id", "column", "written", "read", "rule"]
NONE = pd.DataFrame(columns=COLUMNS)
RED, AMBER, BLUE, GREY = "00FFB3B3", "00FFE08A", "00D6E8FA", "00BFBFBF"


def table(
    rows: list[list[str]], header: list[str] | None = None, first: int = 2, **extra
) -> SourceTable:
    header = header or ["patient_id", "Name", "krenning_pre", "krenning_post"]
    numbers = list(range(first, first + len(rows)))
    return SourceTable(extra.pop("file", "cohort/p.csv"), header, rows, numbers, **extra)


def fault(severity="error", file="cohort/p.csv", **said) -> Problem:
    given = {"rule": "out_of_range", "value": "5", "allowed": "0 to 4", "mend": "correct the cell"}
    return Problem(severity, **({"file": file} | given | said))


def repair(**said) -> pd.DataFrame:
    row = dict.fromkeys(COLUMNS, "") | {"file": "cohort/p.csv"} | said
    return pd.DataFrame([row], columns=COLUMNS)


def opened(data: bytes) -> Workbook:
    return load_workbook(io.BytesIO(data))


def listed(book: Workbook) -> list[dict]:
    """The lines of the list, by its own headings."""
    rows = list(book.worksheets[0].iter_rows())
    top = next((i for i, row in enumerate(rows) if row[0].value == "severity"), None)
    if top is None:
        return []
    names = [cell.value for cell in rows[top]]
    lines = [dict(zip(names, row, strict=True)) for row in rows[top + 1 :]]
    return [line for line in lines if line["severity"].value]


def shown(book: Workbook) -> str:
    """All text of the list's sheet."""
    cells = (cell.value for row in book.worksheets[0].iter_rows() for cell in row)
    return "\n".join(str(value) for value in cells if value is not None)


def colour(cell) -> str | None:
    return cell.fill.start_color.rgb if cell.fill.fill_type == "solid" else None


def parts(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        return {name: packed.read(name) for name in packed.namelist()}


def leaks(data: bytes, *secrets: str) -> list[tuple[str, str]]:
    """Where a secret stands in any member of the file, or in a member's name."""
    return [
        (secret, name)
        for name, part in parts(data).items()
        for secret in secrets
        if secret.lower() in part.decode("utf-8", "replace").lower() or secret in name
    ]


ROWS = [["A", "Smith", "5", "3"], ["B", "Jones", "<=1", "2"], ["C", "Brown", "1", "x"]]


def user_workbook() -> Workbook:
    """A sheet as clinics have them: a title, a date, the table, remarks beside and below it."""
    book = Workbook()
    sheet = book.active
    sheet.title = "Cohort 2024"
    sheet["A1"] = "Uptake before and after CAPTEM"
    sheet["A1"].font = Font(name="Arial", size=16, bold=True)
    sheet.merge_cells("A1:D1")
    sheet["A2"], sheet["B2"] = "as of", dt.datetime(2024, 5, 1)
    for column, heading in enumerate(["patient_id", "Name", "krenning_pre", "krenning_post"], 1):
        sheet.cell(4, column, heading).font = Font(bold=True)
    for row, cells in enumerate(ROWS, start=5):
        for column, text in enumerate(cells, start=1):
            sheet.cell(row, column, int(text) if text.isdigit() else text)
    sheet["C5"].number_format = "0.0"
    sheet["D6"] = "=Lookup!A1"
    sheet.column_dimensions["C"].width = 23.5
    sheet.row_dimensions[1].height = 31
    return book


def saved(book: Workbook) -> bytes:
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def cohort(**extra) -> SourceTable:
    return table(ROWS, first=5, file="c.xlsx", sheet="Cohort 2024", **extra)


def copy_of(book: Workbook, problems=(), repairs=NONE, ids=None) -> bytes:
    sheet = Sheet(cohort(), frozenset({"Name"}), ids)
    return marked_copy([sheet], list(problems), repairs, saved(book))


# Where the marks are


def test_a_csv_is_marked_cell_by_cell():
    problems = [
        fault("warning", row="4", column="krenning_post", patient_id="C", rule="lesions_disagree"),
        fault(row="2", column="krenning_pre", patient_id="A"),
    ]
    repairs = repair(row="3", column="krenning_pre", written="<=1", read="0-1", rule="spelling")
    book = opened(marked_copy([Sheet(table(ROWS), frozenset(), None)], problems, repairs, None))
    assert book.sheetnames == ["captem problems", "p"]
    sheet = book["p"]
    assert [[cell.value for cell in row] for row in sheet.iter_rows(min_row=2)] == ROWS
    marks = {
        cell.coordinate: (colour(cell), cell.comment.text)
        for row in sheet.iter_rows()
        for cell in row
        if cell.comment
    }
    assert marks == {
        "C2": (
            RED,
            "ERROR: out of range\nFound: 5\nAllowed: 0 to 4\nTo mend: correct the cell",
        ),
        "D4": (
            AMBER,
            "WARNING: lesions disagree\nFound: 5\nAllowed: 0 to 4\nTo mend: correct the cell",
        ),
        "C3": (BLUE, "READ AS 0-1 (spelling)"),
    }
    assert colour(sheet["B2"]) is None


def test_the_list_is_worst_first_and_leads_to_the_cells():
    problems = [
        fault("warning", row="4", column="krenning_post", patient_id="C"),
        fault(row="2", column="krenning_pre", patient_id="A"),
    ]
    book = opened(marked_copy([Sheet(table(ROWS), frozenset(), None)], problems, NONE, None))
    lines = listed(book)
    assert [{name: cell.value for name, cell in line.items()} for line in lines] == [
        {"severity": "ERROR", "sheet": "p", "row": 2, "patient": "A", "column": "krenning_pre",
         "value": "5", "allowed": "0 to 4", "mend": "correct the cell"},
        {"severity": "WARNING", "sheet": "p", "row": 4, "patient": "C", "column": "krenning_post",
         "value": "5", "allowed": "0 to 4", "mend": "correct the cell"},
    ]  # fmt: skip
    assert [line["row"].hyperlink.location for line in lines] == ["'p'!C2", "'p'!D4"]
    first = book.worksheets[0]
    top = lines[0]["severity"].row - 1
    assert first.freeze_panes == f"A{top + 1}"
    assert first.auto_filter.ref == f"A{top}:H{top + 2}"
    assert "1 error, 1 warning" in shown(book)
    assert "mend the original file" in shown(book)


def test_a_workbook_is_marked_in_its_own_place_and_keeps_its_look():
    problems = [fault(row="5", column="krenning_pre", file="c.xlsx", sheet="Cohort 2024")]
    sheet = opened(copy_of(user_workbook(), problems))["Cohort 2024"]
    assert sheet["C5"].value == 5
    assert colour(sheet["C5"]) == RED
    assert sheet["C5"].comment.text.startswith("ERROR: out of range")
    assert sheet["C5"].number_format == "0.0"
    assert sheet["A1"].value == "Uptake before and after CAPTEM"
    assert (sheet["A1"].font.name, sheet["A1"].font.size) == ("Arial", 16)
    assert [str(span) for span in sheet.merged_cells.ranges] == ["A1:D1"]
    assert sheet["B2"].value == dt.datetime(2024, 5, 1)
    assert [cell.value for cell in sheet[4]] == cohort().header
    assert sheet.column_dimensions["C"].width == 23.5
    assert sheet.row_dimensions[1].height == 31


def test_rows_headings_and_files_that_a_problem_may_mean():
    problems = [
        fault(row="3", column="", rule="ragged_row"),
        fault(row="2", column="mib1"),
        fault(column="krenning_post", rule="repeated_heading"),
        fault(column="column 3", rule="no_heading"),
        fault(column="captem_cycles", rule="missing_column"),
        fault(row="not a row", column=""),
        fault(row="99999999999999999999", column="", file="cohort/p.csv"),
        fault(file="another.csv", row="2"),
    ]
    header = ["patient_id", "Name", "", "krenning_post"]
    sheets = [Sheet(table(ROWS, header), frozenset(), None)]
    book = opened(marked_copy(sheets, problems, NONE, None))
    sheet = book["p"]
    assert {cell.coordinate for row in sheet.iter_rows() for cell in row if cell.comment} == {
        "A3", "A2", "D1", "C1",
    }  # fmt: skip
    assert [colour(cell) for cell in sheet[3]] == [RED] * 4
    assert "Column: mib1" in sheet["A2"].comment.text
    links = {line["column"].value: line["row"].hyperlink for line in listed(book)}
    assert links["captem_cycles"].location == "'p'!A1"
    assert len(listed(book)) == len(problems)


def test_several_faults_of_one_cell_are_said_together_worst_first():
    problems = [
        fault("warning", row="2", column="krenning_pre", rule="lesions_disagree"),
        fault(row="2", column="krenning_pre"),
    ]
    repairs = repair(row="2", column="krenning_pre", read="", rule="missing_code")
    book = opened(marked_copy([Sheet(table(ROWS), frozenset(), None)], problems, repairs, None))
    cell = book["p"]["C2"]
    assert colour(cell) == RED
    assert re.findall("^(?:ERROR|WARNING|READ AS)", cell.comment.text, re.M) == [
        "ERROR", "WARNING", "READ AS",
    ]  # fmt: skip


def test_two_files_become_two_sheets_with_names_that_excel_takes():
    long = "x" * 40
    sheets = [
        Sheet(table(ROWS, file=f"a/{long}.csv"), frozenset(), None),
        Sheet(table(ROWS, file=f"b/{long.upper()}.csv"), frozenset(), None),
        Sheet(table(ROWS, file="b/le[si]on*s?.csv"), frozenset(), None),
        Sheet(table(ROWS, file="captem problems.csv"), frozenset(), None),
        Sheet(table(ROWS, file="'.csv"), frozenset(), None),
    ]
    problems = [
        fault(file=f"b/{long.upper()}.csv", row="3", column="krenning_pre"),
        fault(file="'.csv", row="3", column="krenning_pre"),
    ]
    book = opened(marked_copy(sheets, problems, NONE, None))
    names = book.sheetnames
    assert len({name.lower() for name in names}) == 6
    assert all(0 < len(name) <= 31 and not re.search(r"[\[\]:*?/\\]", name) for name in names)
    assert colour(book.worksheets[2]["C3"]) == RED
    assert colour(book.worksheets[1]["C3"]) is None
    assert {line["row"].hyperlink.location for line in listed(book)} == {
        f"'{names[2]}'!C3", f"'{names[5]}'!C3",
    }  # fmt: skip


def test_two_sheets_of_one_workbook_are_told_apart():
    book = user_workbook()
    other = book.create_sheet("Lesions")
    other.append(["patient_id", "lesion_id"])
    other.append(["A", "L1"])
    lesions = table([["A", "L1"]], ["patient_id", "lesion_id"], file="c.xlsx", sheet="Lesions")
    problems = [
        fault(file="c.xlsx", sheet="Lesions", row="2", column="patient_id"),
        fault(file="c.xlsx", row="2", column="lesion_id"),
        fault(file="c.xlsx", column="lesion_id", rule="repeated_heading"),
    ]
    sheets = [Sheet(cohort(), frozenset({"Name"}), None), Sheet(lesions, frozenset(), None)]
    copy = opened(marked_copy(sheets, problems, NONE, saved(book)))
    assert copy.sheetnames == ["captem problems", "Cohort 2024", "Lesions"]
    assert [colour(cell) for cell in copy["Lesions"][2]] == [RED, RED]
    assert [colour(cell) for cell in copy["Lesions"][1]] == [None, RED]
    assert not any(cell.comment for cell in copy["Cohort 2024"]["A"])


def test_columns_that_are_empty_and_headings_of_two_rows():
    book = Workbook()
    sheet = book.active
    sheet.title = "s"
    sheet.append([None, "patient_id", None, "Name", "Krenning score", None])
    sheet.merge_cells("E1:F1")
    sheet.merge_cells("B1:B2")
    sheet.append([None, None, None, None, "before", "after", None])
    sheet.append([None, "A", None, "Smith", 5, 3, "Jones", None, "Smith"])
    header = ["patient_id", "Name", "Krenning score before", "Krenning score after", ""]
    read = table([["A", "Smith", "5", "3", "Jones"]], header, first=3, file="c.xlsx", sheet="s")
    problems = [
        fault(file="c.xlsx", sheet="s", row="3", column="Krenning score before"),
        fault("warning", file="c.xlsx", sheet="s", column="column G", rule="no_heading"),
    ]
    data = marked_copy([Sheet(read, frozenset({"Name"}), None)], problems, NONE, saved(book))
    copy = opened(data)["s"]
    assert colour(copy["E3"]) == RED
    assert colour(copy["G2"]) == AMBER
    assert (copy["B1"].value, copy["E1"].value) == ("patient_id", "Krenning score")
    assert [copy.cell(3, column).value for column in range(1, 8)] == [
        None, "A", None, None, 5, 3, None,
    ]  # fmt: skip
    assert not leaks(data, "Smith", "Jones")


def test_a_group_over_a_column_without_a_heading_of_its_own():
    book = Workbook()
    sheet = book.active
    sheet.append(["patient_id", "Krenning score", None, "Sex"])
    sheet.merge_cells("B1:C1")
    sheet.append(["A", 5, 7, "f"])
    header = ["patient_id", "Krenning score", "", "Sex"]
    read = table([["A", "5", "7", "f"]], header, sheet="Sheet")
    copy = opened(marked_copy([Sheet(read, frozenset(), None)], [], NONE, saved(book)))["Sheet"]
    assert [cell.value for cell in copy[2]] == ["A", 5, None, "f"]


def test_a_sheet_whose_headings_are_not_those_read_is_made_of_its_cells():
    book = user_workbook()
    book.active["B4"], book.active["C4"] = "krenning_pre", "Name"
    data = copy_of(book, [fault(file="c.xlsx", row="5", column="krenning_pre")])
    sheet = opened(data)["Cohort 2024"]
    assert [cell.value for cell in sheet[5]] == ["A", None, "5", "3"]
    assert colour(sheet["C5"]) == RED
    assert not leaks(data, "Smith", "Jones")


def test_a_sheet_with_a_heading_that_was_not_read_is_made_of_its_cells():
    book = Workbook()
    book.active.append(["patient_id", "SECRET", "krenning_pre"])
    book.active.append(["A", "Smith", 5])
    read = table([["A", "5"]], ["patient_id", "krenning_pre"], sheet="Sheet")
    data = marked_copy([Sheet(read, frozenset(), None)], [], NONE, saved(book))
    assert [cell.value for cell in opened(data)["Sheet"][2]] == ["A", "5"]
    assert not leaks(data, "Smith", "SECRET")


def test_the_code_of_a_patient_is_marked_under_its_own_heading():
    header = ["Sex", "Code", "krenning_pre", "krenning_post"]
    rows = [["F", "KIM-1", "1", "2"]]
    sheet = Sheet(table(rows, header), frozenset(), ("Code", {"KIM-1": "h1"}))
    problems = [fault(row="2", column="patient_id", value="KIM-1", rule="duplicate_patient")]
    data = marked_copy([sheet], problems, NONE, None)
    assert colour(opened(data)["p"]["B2"]) == RED
    assert leaks(data, "KIM-1") == []


def test_a_source_without_a_row_of_headings_keeps_all_its_rows():
    read = table(ROWS, first=1)
    problems = [fault(row="1", column="krenning_pre")]
    book = opened(marked_copy([Sheet(read, frozenset(), None)], problems, NONE, None))
    assert [cell.value for cell in book["p"][1]] == read.header
    assert colour(book["p"]["C2"]) == RED
    assert listed(book)[0]["row"].hyperlink.location == "'p'!C2"


# What must not be in it


def test_nothing_that_was_not_read_is_in_the_copy():
    book = user_workbook()
    sheet = book.active
    sheet["A3"].comment = Comment("SECRETCOMMENT", "SECRETAUTHOR")
    sheet["C5"].comment = Comment("SECRETCOMMENT", "SECRETAUTHOR")
    sheet["F5"] = "SECRETRIGHT"
    sheet["A12"] = "SECRETBELOW"
    sheet["C6"].hyperlink = "mailto:SECRETLINK@example.org"
    sheet["D8"] = "SECRETROW"
    sheet.oddHeader.center.text = "SECRETHEADER"
    sheet.auto_filter.ref = "A4:D7"
    sheet.auto_filter.add_filter_column(1, ["SECRETFILTER"])
    choice = DataValidation(type="list", formula1='"SECRETCHOICE,other"')
    choice.add("D5")
    sheet.add_data_validation(choice)
    hidden = book.create_sheet("SECRETSHEET")
    hidden["A1"] = "SECRETCELL"
    hidden["A1"].number_format = '0 "SECRETFORMAT"'
    sheet["C5"].number_format = '0.0 "SECRETFORMAT"'
    sheet["D5"].number_format = r"dd\.mm\.yyyy [$SECRETMONEY-407]"
    sheet["B2"] = "ask SECRETWARD, +49 30 1234567"
    book.defined_names["SECRETNAME"] = DefinedName("SECRETNAME", attr_text="SECRETSHEET!$A$1")
    book.properties.creator = book.properties.lastModifiedBy = "SECRETPERSON"
    book.properties.title = book.properties.keywords = "SECRETTITLE"
    data = copy_of(book, [fault(file="c.xlsx", row="5", column="krenning_pre")])
    assert leaks(saved(book), "SECRETCOMMENT", "SECRETNAME", "Smith")
    assert leaks(data, "SECRET", "Smith", "Jones", "Brown", "Lookup", "externalLink") == []
    copy = opened(data)
    assert copy.sheetnames == ["captem problems", "Cohort 2024"]
    assert copy["Cohort 2024"]["C5"].number_format == "0.0"
    assert copy["Cohort 2024"]["D5"].number_format == r"dd\.mm\.yyyy"
    assert copy["Cohort 2024"]["D6"].value == "2"  # the text that was read, not the formula
    assert (copy.properties.creator, copy.properties.lastModifiedBy) == ("captem", "captem")


@pytest.mark.parametrize("original", [None, b"PK no workbook", "workbook"])
def test_names_are_left_out_whatever_the_source(original):
    original = saved(user_workbook()) if original == "workbook" else original
    problems = [
        fault(file="c.xlsx", row="5", column="Name", value="Smith", mend="correct 'Smith'"),
        fault(file="c.xlsx", row="6", column="", rule="ragged_row", value="4 cells"),
    ]
    repairs = repair(file="c.xlsx", row="6", column="Name", written="Jones", read="Jones ")
    sheets = [Sheet(cohort(), frozenset({"Name"}), None)]
    data = marked_copy(sheets, problems, repairs, original)
    assert leaks(data, "Smith", "Jones", "Brown") == []
    heading = opened(data)["Cohort 2024"]["B4"]
    assert (heading.value, colour(heading)) == ("Name", GREY)
    assert heading.comment.text == "left out: identifies a person"


def test_a_column_without_heading_is_left_out():
    header = ["patient_id", "", "krenning_pre", "krenning_post"]
    data = marked_copy([Sheet(table(ROWS, header), frozenset(), None)], [], NONE, None)
    assert leaks(data, "Smith", "Jones") == []
    book = user_workbook()
    book.active["B4"] = None
    sheet = table(ROWS, header, first=5, file="c.xlsx", sheet="Cohort 2024")
    data = marked_copy([Sheet(sheet, frozenset(), None)], [], NONE, saved(book))
    assert opened(data)["Cohort 2024"]["A1"].value == "Uptake before and after CAPTEM"
    assert leaks(data, "Smith", "Jones") == []


@pytest.mark.parametrize("original", [False, True])
def test_codes_are_replaced_wherever_they_show(original):
    read = [["KIM-1", "Smith", "5", "3"], ["KIM-2 ", "Jones", "1", "2"], ["KIM-3", "B", "1", "2"]]
    book = user_workbook()
    for row, cells in enumerate(read, start=5):
        book.active.cell(row, 1, cells[0])
    known = {"KIM-1": "h1", "KIM-2": "h2"}
    sheet = Sheet(
        table(read, first=5, file="c.xlsx", sheet="Cohort 2024"),
        frozenset({"Name"}), ("patient_id", known),
    )  # fmt: skip
    problems = [
        fault(file="c.xlsx", row="5", column="krenning_pre", patient_id="KIM-1"),
        fault(file="c.xlsx", row="6", column="patient_id", value="KIM-2", patient_id="h2"),
        fault(file="c.xlsx", row="7", column="patient_id", value="KIM-3", patient_id="KIM-3",
              mend="remove (KIM-3)"),
    ]  # fmt: skip
    repairs = repair(file="c.xlsx", row="6", column="patient_id", written="KIM-2 ", read="KIM-2")
    data = marked_copy([sheet], problems, repairs, saved(book) if original else None)
    assert leaks(data, "KIM-") == []
    copy = opened(data)
    assert [copy["Cohort 2024"].cell(row, 1).value for row in (5, 6, 7)] == ["h1", "h2", None]
    assert [line["patient"].value for line in listed(copy)] == ["h1", "h2", None]
    assert copy["Cohort 2024"]["A6"].comment.text.count("h2") == 2


def test_patients_above_the_headings_do_not_come_along_as_a_title():
    book = Workbook()
    sheet = book.active
    sheet.title = "s"
    rows = [["K", "Secret", 1, 2], ["L", "Meyer", 1, 3], cohort().header, ["A", "Smith", 5, 3]]
    for row in rows:
        sheet.append(row)
    read = table([["A", "Smith", "5", "3"]], first=4, file="c.xlsx", sheet="s")
    problems = [
        fault(file="c.xlsx", sheet="s", row="1", rule="rows_above_headings"),
        fault(file="c.xlsx", sheet="s", row="2", column="krenning_pre"),
    ]
    data = marked_copy([Sheet(read, frozenset({"Name"}), None)], problems, NONE, saved(book))
    assert leaks(data, "Secret", "Meyer", "Smith") == []
    copy = opened(data)["s"]
    assert [colour(cell) for cell in copy[1]] == [RED] * 4
    assert [cell.value for cell in copy[2]] == [None] * 4


@pytest.mark.parametrize("text", ["=1+1", "+1", "-2", "@SUM(A1)", '=HYPERLINK("http://x","y")'])
def test_a_text_is_never_a_formula(text):
    header = ["patient_id", text]
    read = table([["A", text]], header, note=[text])
    problems = [fault(row="2", column=text, value=text, allowed=text, mend=text, patient_id=text)]
    repairs = repair(row="2", column=text, written=text, read=text, rule="spelling")
    data = marked_copy([Sheet(read, frozenset(), None)], problems, repairs, None)
    cells = [cell for sheet in opened(data) for row in sheet.iter_rows() for cell in row]
    assert [cell.data_type for cell in cells if cell.value == text] == ["s"] * 7
    assert not any(b"<f>" in part for part in parts(data).values())
    assert opened(data)["p"]["B2"].quotePrefix
    book = Workbook()
    book.active.append(header)
    book.active.append(["A", text])
    for row in (1, 2):
        book.active.cell(row, 2).data_type = "s"
    read = table([["A", text]], header, sheet="Sheet")
    data = marked_copy([Sheet(read, frozenset(), None)], [], NONE, saved(book))
    assert not any(b"<f>" in part for part in parts(data).values())
    assert opened(data)["Sheet"]["B2"].value == text
    assert opened(data)["Sheet"]["B2"].quotePrefix
    assert not opened(data)["Sheet"]["A2"].quotePrefix


# Sizes, odd content, sameness


@pytest.mark.parametrize("original", [False, True])
def test_the_same_table_gives_the_same_bytes(original):
    book = saved(user_workbook()) if original else None
    problems = [fault(file="c.xlsx", row="5", column="krenning_pre")]
    sheets = [Sheet(cohort(), frozenset({"Name"}), None)]
    first = marked_copy(sheets, problems, NONE, book)
    assert marked_copy(sheets, list(reversed(problems)), NONE, book) == first
    assert b"1980-01-01T00:00:00Z" in parts(first)["docProps/core.xml"]
    assert {m.date_time for m in zipfile.ZipFile(io.BytesIO(first)).infolist()} == {
        (1980, 1, 1, 0, 0, 0)
    }


def test_nothing_wrong_is_said():
    book = opened(marked_copy([Sheet(table(ROWS), frozenset(), None)], [], NONE, None))
    assert listed(book) == []
    assert "No problems" in shown(book)


@pytest.mark.parametrize("original", [False, True])
def test_a_table_without_rows(original):
    book = Workbook()
    book.active.append(["patient_id", "krenning_pre"])
    sheet = Sheet(table([], ["patient_id", "krenning_pre"], sheet="Sheet"), frozenset(), None)
    problems = [fault(column="krenning_post", rule="missing_column")]
    copy = opened(marked_copy([sheet], problems, NONE, saved(book) if original else None))
    assert [cell.value for cell in copy["Sheet"][1]] == ["patient_id", "krenning_pre"]
    assert listed(copy)[0]["column"].value == "krenning_post"


def test_a_file_that_could_not_be_read_has_only_the_list():
    problems = [fault(file="x/lost.csv", rule="missing_file", value="no such file")]
    book = opened(marked_copy([], problems, NONE, None))
    assert book.sheetnames == ["captem problems"]
    assert [line["value"].value for line in listed(book)] == ["no such file"]
    assert listed(book)[0]["row"].hyperlink is None
    assert "lost.csv" in shown(book)


def test_a_long_table_shows_only_the_rows_with_something_to_see(monkeypatch):
    monkeypatch.setattr(marked, "MOST_ROWS", 10)
    rows = [[f"P{i}", "n", "1", "2"] for i in range(11)]
    problems = [fault(row="4", column="krenning_pre")]
    repairs = repair(row="9", column="krenning_post", read="2", rule="spelling")
    sheets = [Sheet(table(rows), frozenset(), None)]
    book = opened(marked_copy(sheets, problems, repairs, None))
    filled = [row[0].row for row in book["p"].iter_rows() if row[0].value is not None]
    assert filled == [1, 4, 9]
    assert "11 rows: only the 2" in shown(book)
    short = [Sheet(table(rows[:10]), frozenset(), None)]
    assert opened(marked_copy(short, problems, repairs, None))["p"].max_row == 11


def test_too_many_problems_and_repairs_are_counted(monkeypatch):
    monkeypatch.setattr(marked, "MOST_LISTED", 3)
    monkeypatch.setattr(marked, "MOST_REPAIRS", 2)
    problems = [fault("warning", row=str(i), column="krenning_pre") for i in range(2, 6)]
    problems.append(fault(row="5", column="krenning_post"))
    repairs = pd.concat([repair(row=str(i), column="Name", read="x") for i in range(2, 6)])
    rows = [["A", "n", "1", "2"]] * 5
    book = opened(marked_copy([Sheet(table(rows), frozenset(), None)], problems, repairs, None))
    assert [line["severity"].value for line in listed(book)] == ["ERROR", "WARNING", "WARNING"]
    assert "2 more are in problems.csv" in shown(book)
    assert "2 more cells that were read differently" in shown(book)
    assert [colour(book["p"].cell(row, 2)) for row in range(2, 6)] == [BLUE, BLUE, None, None]


def test_texts_that_a_workbook_cannot_hold_are_cut_or_cleaned():
    header = ["patient_id", *(f"c{i}" for i in range(17_000))]
    rows = [["A\x00\x0b\ud800\uffff", "x" * 40_000, *([""] * 16_999)]]
    problems = [fault(row="2", column="c0\x01", value="\x02" * 40_000, allowed="\ud800" * 9_000)]
    book = opened(
        marked_copy([Sheet(table(rows, header), frozenset(), None)], problems, NONE, None)
    )
    sheet = book["p"]
    assert sheet.max_column == 16_384
    assert sheet["A2"].value.startswith("A ")
    assert len(sheet["B2"].value) == 32_767
    assert sheet["B2"].value.endswith("...")
    assert len(sheet["A2"].comment.text) <= 2_000


def test_a_workbook_too_large_to_load_is_made_of_its_cells(monkeypatch):
    monkeypatch.setattr(marked, "_MOST_BYTES", 100)
    sheet = opened(copy_of(user_workbook()))["Cohort 2024"]
    assert sheet["A1"].value is None
    assert sheet["C5"].value == "5"


TEXT = st.text(max_size=12) | st.sampled_from(["=A1", "\x00", "\ud800", "column 2", "2", "-1"])


@given(
    header=st.lists(TEXT, max_size=4),
    body=st.lists(st.lists(TEXT, min_size=4, max_size=4), max_size=3),
    said=st.lists(st.tuples(TEXT, TEXT, TEXT), max_size=3),
    file=TEXT,
)
@settings(max_examples=30, deadline=None)
def test_odd_content_never_fails(header, body, said, file):
    rows = [row[: len(header)] for row in body]
    sheet = Sheet(
        SourceTable(file, header, rows, list(range(1, len(rows) + 1)), ragged=[(9, 3)]),
        frozenset(header[:1]), (header[-1], {}) if header else None,
    )  # fmt: skip
    problems = [
        fault(file=file, row=row, column=column, value=value) for row, column, value in said
    ]
    repairs = pd.DataFrame(
        [{"file": file, "sheet": None, "row": 1, "column": column, "written": value, "read": value,
          "rule": row, "patient_id": float("nan")} for row, column, value in said],
        columns=COLUMNS, dtype=object,
    )  # fmt: skip
    book = opened(marked_copy([sheet], problems, repairs, None))
    assert len(listed(book)) == len(problems)
