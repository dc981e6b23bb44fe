"""The workbook holds every table, with numbers as numbers and nothing that Excel would compute."""

from __future__ import annotations

import io
import re

import openpyxl
from captem import tables_workbook
from captem.table_parts import Row, Table
from read_back import marked
from studies import Study


def opened(tables: list[Table]) -> openpyxl.Workbook:
    content = io.BytesIO(tables_workbook.to_xlsx(tables))
    return openpyxl.load_workbook(content, rich_text=True)


def printed(cell) -> str:
    """Return a cell as its format prints it."""
    if cell.value is None or isinstance(cell.value, str | list):
        return marked(cell.value)
    places = len(cell.number_format.partition(".")[2])
    text = f"{cell.value:.{places}f}"
    return text if cell.number_format.startswith("0") else text.replace("0.", ".", 1)


def test_every_sheet_has_the_cells_of_its_table(study: Study) -> None:
    made = study.tables(tables={"by": "direction", "listing": True})
    workbook = opened(made)
    assert workbook.sheetnames == ["Contents", *(table.name for table in made)]
    assert all(len(name) <= 31 for name in workbook.sheetnames)
    for table in made:
        sheet = workbook[table.name]
        rows = [[printed(cell) for cell in row] for row in sheet.iter_rows()]
        assert rows[0][0] == table.title
        width = len(table.columns)
        assert rows[2][:width] == list(table.columns)
        body = rows[3 : 3 + len(table.rows)]
        assert [tuple(row[:width]) for row in body] == [row.cells for row in table.rows]
        notes = [row[0] for row in rows[4 + len(table.rows) :]]
        assert notes == list(table.notes)


def test_plain_numbers_are_numbers(synthetic: Study) -> None:
    sheet = opened(synthetic.tables())["models"]
    estimate, p, n = (sheet.cell(5, column) for column in (2, 4, 5))
    assert (estimate.value, estimate.number_format) == (5.48, "0.00")
    assert (p.value, n.value) == ("<.001", 50)
    p = sheet.cell(6, 4)
    assert (p.value, p.number_format) == (0.01, ".00")


def test_marks_are_raised_and_brackets_of_the_user_stay() -> None:
    rows = (Row(("segment [a]", "1.92[a]")),)
    table = Table("x", "X", ("Site", "OR"), rows, ("[a] Why.",))
    sheet = opened([table])["x"]
    assert sheet.cell(4, 1).value == "segment [a]"
    assert [str(part) for part in sheet.cell(4, 2).value] == ["1.92", "a"]
    assert sheet.cell(4, 2).value[1].font.vertAlign == "superscript"
    assert [str(part) for part in sheet.cell(6, 1).value] == ["a", " Why."]


def test_a_text_is_never_a_formula() -> None:
    texts = ['=HYPERLINK("http://x")', "+1+2", "-1-2", "@SUM(A1)", "=1+1", "007", "1e5", "-"]
    table = Table("x", "=1+1", ("=2", "n"), tuple(Row((text, text)) for text in texts), ("=3",))
    sheet = opened([table])["x"]
    assert {cell.data_type for row in sheet.iter_rows() for cell in row if cell.value} <= {"s", "n"}
    for line, text in enumerate(texts, start=4):
        assert sheet.cell(line, 1).value == text and sheet.cell(line, 1).data_type == "s"
        assert sheet.cell(line, 1).quotePrefix == (text[0] in "=+-@")
    # In a column of texts a code stays a code.
    assert sheet.cell(9, 1).value == "007"


def test_the_contents_list_the_tables(synthetic: Study) -> None:
    made = synthetic.tables()
    sheet = opened(made)["Contents"]
    rows = [[cell.value for cell in row] for row in sheet.iter_rows(min_row=4)]
    assert rows == [[table.name, table.title, "synthetic"] for table in made]
    assert sheet["A4"].hyperlink.location == "'characteristics'!A1"


def test_the_header_stays_and_columns_are_wide_enough(synthetic: Study) -> None:
    workbook = opened(synthetic.tables())
    for sheet in workbook.worksheets[1:]:
        assert sheet.freeze_panes == "B4"
        assert sheet.print_title_rows == "$3:$3"
        assert all(8 <= sheet.column_dimensions[cell.column_letter].width <= 62
                   for cell in sheet[3])  # fmt: skip


def test_the_same_bytes_and_no_clock(synthetic: Study) -> None:
    made = synthetic.tables()
    first = tables_workbook.to_xlsx(made)
    assert first == tables_workbook.to_xlsx(made)
    properties = opened(made).properties
    assert properties.created.year == properties.modified.year == 1980
    assert properties.creator == "captem" and properties.subject == "synthetic data"
    assert not re.search(rb"20\d\d-\d\d-\d\dT", first)
