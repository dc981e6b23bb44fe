"""Excel workbooks: written by openpyxl, with the parts it cannot write put into the XML by hand."""

from __future__ import annotations

import datetime as dt
import io
import zipfile

import pytest
from captem import xlsx_cells
from captem.problems import ERROR, WARNING
from captem.source_table import NotReadableFile, SourceTable
from captem.workbook import read_workbook
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.cell.rich_text import CellRichText, TextBlock
from openpyxl.cell.text import InlineFont
from openpyxl.utils.datetime import CALENDAR_MAC_1904
from source_files import is_heading, patched, read, refused, workbook

HEAD = ["patient_id", "krenning_pre", "krenning_post"]
SHEET = "xl/worksheets/sheet1.xml"


def column(folder, *cells, **options):
    """Return the texts of a column of cells (each a value, or a value and its number format)."""

    def shape(book):
        for row, cell in enumerate(cells, start=2):
            value, form = cell if isinstance(cell, tuple) else (cell, None)
            place = book.active.cell(row, 2, value)
            if form:
                place.number_format = form
        options.get("shape", lambda book: None)(book)

    table = read(folder, workbook(["patient_id", "sex"], *[["A"] for _ in cells], shape=shape))
    return [row[1] for row in table.rows]


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (7, "7"), (7.0, "7"), (9.09, "9.09"), (-1.5, "-1.5"), (0, "0"), (0.00002, "0.00002"),
        (0.1 + 0.2, "0.3"), (9.0900000000000016, "9.09"), (1e15, "1000000000000000"),
        (4509876543210987, "4509876543210987"),
        ((7, "0.00"), "7"), ((9.09, "0"), "9.09"), ((1234.5, "#,##0.00"), "1234.5"),
        ((12.5, '0.0" mm"'), "12.5"), ((12.5, "[Red]0.0"), "12.5"), ((12.5, "0.0_m"), "12.5"),
        ((5, "General"), "5"), ((12.5, "0.0;-0%"), "12.5"),
        ((0.07, "0%"), "7%"), ((0.075, "0.0%"), "7.5%"), ((0.285, "0%"), "28.5%"),
        ((0.5, '0.0"%"'), "0.5"), ((0.5, "0\\%"), "0.5"),
        (True, "yes"), (False, "no"),
        (dt.date(2026, 3, 31), "2026-03-31"), (dt.datetime(2026, 3, 31), "2026-03-31"),
        (dt.datetime(2026, 3, 31, 10, 20), "2026-03-31T10:20:00"),
        (dt.datetime(2026, 3, 31, 23, 59, 59), "2026-03-31T23:59:59"),
        ((46112, "d.m.yy"), "2026-03-31"), ((46112, "[$-407]mmm yyyy"), "2026-03-31"),
        (dt.time(9, 5), "09:05"), ((0.5, "h:mm:ss"), "12:00"), ((1.25, "[h]:mm"), "30:00"),
        ((1, "yyyy-mm-dd"), "1900-01-01"), ((-3, "yyyy-mm-dd"), "-3"),
        ((1e9, "yyyy-mm-dd"), "1000000000"),
        ("007", "007"), ("9,09", "9,09"), (" <=1 ", " <=1 "), ("III-IV", "III-IV"),
        ("two\nlines", "two\nlines"), ("7%", "7%"), ("ü ≤", "ü ≤"), ("", ""),
        (CellRichText("SUV", TextBlock(InlineFont(b=True), "max")), "SUVmax"),
    ],
)  # fmt: skip
def test_cells_as_text(tmp_path, cell, text):
    assert column(tmp_path, cell) == [text]


def test_a_percent_is_listed_with_its_stored_number(tmp_path):
    def shape(book):
        book.active["B3"].number_format = "0.0%"

    found = read(tmp_path, workbook(["patient_id", "mib1"], ["A", 7], ["B", 0.07], shape=shape))
    assert found.rows == [["A", "7"], ["B", "7%"]]
    assert found.repairs == [(3, "mib1", "0.07", "7%", "percent_format")]


def test_the_days_of_old_macs(tmp_path):
    def shape(book):
        book.epoch = CALENDAR_MAC_1904

    found = read(tmp_path, workbook(HEAD, ["A", dt.date(2026, 3, 31), 44650], shape=shape))
    assert found.rows == [["A", "2026-03-31", "44650"]]
    assert found.day_zero == "1904-01-01"
    assert dt.date(1904, 1, 1) + dt.timedelta(44650) == dt.date(2026, 3, 31)


def test_days_count_from_1899(tmp_path):
    found = read(tmp_path, workbook(HEAD, ["A", dt.date(2026, 3, 31), 46112]))
    assert found.day_zero == "1899-12-30"
    assert dt.date(1899, 12, 30) + dt.timedelta(46112) == dt.date(2026, 3, 31)


def test_titles_above_and_gaps_keep_the_rows_of_the_sheet(tmp_path):
    def shape(book):
        book.active.merge_cells("A1:C1")

    found = read(
        tmp_path,
        workbook(["Krenning score in 2026"], [], ["# by AB"], ["SYNTHETIC data"], HEAD,
                 ["A", 1, 3], [], ["B", 2, 4], shape=shape),
    )  # fmt: skip
    assert (found.header, found.numbers) == (HEAD, [6, 8])
    assert found.rows == [["A", "1", "3"], ["B", "2", "4"]]
    assert (found.note, found.synthetic) == (["by AB", "SYNTHETIC data"], True)
    assert (found.file, found.sheet, found.problems) == ("cohort.xyz", "Sheet", [])


def test_groups_over_merged_cells(tmp_path):
    def shape(book):
        sheet = book.active
        for cells in ("A1:F1", "A2:A3", "B2:C2", "D2:E2", "F2:F3"):
            sheet.merge_cells(cells)

    found = read(
        tmp_path,
        workbook(["Cohort"], ["patient_id", "Baseline", None, "Follow-up", None, "sex"],
                 [None, "SUVmax", "Krenning", "SUVmax", "Krenning"], ["A", 9, 1, 11, 3, "f"],
                 shape=shape),
    )  # fmt: skip
    assert found.header == [
        "patient_id", "Baseline SUVmax", "Baseline Krenning", "Follow-up SUVmax",
        "Follow-up Krenning", "sex",
    ]  # fmt: skip
    assert (found.rows, found.numbers, found.problems) == (
        [["A", "9", "1", "11", "3", "f"]], [4], [],
    )  # fmt: skip


def test_a_merged_title_is_no_group(tmp_path):
    def shape(book):
        book.active.merge_cells("A1:C1")

    found = read(
        tmp_path,
        workbook(["Krenning score"], ["before", "after", "patient_id"], [1, 2, "A"], shape=shape),
    )
    assert found.header == ["before", "after", "patient_id"]


def test_columns_without_headings(tmp_path):
    found = read(tmp_path, workbook(["patient_id", None, "sex", None, None],
                                    ["A", None, "f", None, "x"]))  # fmt: skip
    assert (found.header, found.rows) == (["patient_id", "sex", ""], [["A", "f", "x"]])


def test_a_format_at_the_far_end_of_the_sheet_costs_nothing(tmp_path):
    def shape(book):
        book.active["XFD1048576"].number_format = "0%"

    found = read(tmp_path, workbook(HEAD, ["A", 1, 3], shape=shape))
    assert (found.header, found.rows) == (HEAD, [["A", "1", "3"]])


def with_formula(cell):
    """Return a workbook whose cell B2 is this XML, as another program would write it."""
    return patched(workbook(HEAD, ["A", 1, 3]), SHEET, (b'<c r="B2" t="n"><v>1</v></c>', cell))


@pytest.mark.parametrize(
    ("cell", "text", "rule"),
    [
        (b'<c r="B2"><f>1+1</f><v>2</v></c>', "2", ""),
        (b'<c r="B2" t="str"><f>"a"</f><v>III-IV</v></c>', "III-IV", ""),
        (b'<c r="B2" t="str"><f>IF(1,"")</f><v></v></c>', "", ""),
        (b'<c r="B2" t="b"><f>TRUE()</f><v>1</v></c>', "yes", ""),
        (b'<c r="B2"><f t="shared" si="0"/><v>2</v></c>', "2", ""),
        (b'<c r="B2" t="e"><f>1/0</f><v>#DIV/0!</v></c>', "", "formula_error"),
        (b'<c r="B2" t="e"><v>#N/A</v></c>', "", "formula_error"),
        (b'<c r="B2"><f>C2*2</f></c>', "", "formula_without_value"),
        (b'<c r="B2"><f>C2*2</f><v/></c>', "", "formula_without_value"),
        (b'<c r="B2"/>', "", ""),
        (b'<c r="B2" t="inlineStr"><is><t xml:space="preserve"> 2 </t></is></c>', " 2 ", ""),
        (b'<c r="B2" t="d"><v>2026-03-31T00:00:00</v></c>', "2026-03-31", ""),
        (b'<c t="n"><v>2</v></c>', "2", ""),
    ],
)
def test_formulas_and_cells_of_other_programs(tmp_path, cell, text, rule):
    found = read(tmp_path, with_formula(cell))
    assert found.rows == [["A", text, "3"]]
    assert [problem.rule for problem in found.problems] == ([rule] if rule else [])
    for problem in found.problems:
        assert (problem.severity, problem.sheet, problem.row) == (ERROR, "Sheet", "2")
        assert problem.column == "krenning_pre" and problem.value and problem.mend


def test_formulas_of_a_program_that_does_not_calculate(tmp_path):
    found = read(tmp_path, workbook(HEAD, ["A", "=C2-1", 3], ["=A2", "=B2", "=C2"]))
    assert [(p.rule, p.row) for p in found.problems] == [
        ("formula_without_value", row) for row in "2333"
    ]
    assert "Excel" in found.problems[0].mend
    assert found.rows == [["A", "", "3"], ["", "", ""]]


def test_formulas_drawn_down_below_the_table_are_no_patients(tmp_path):
    error = b'<c r="B3" t="e"><v>#DIV/0!</v></c>'
    data = patched(
        workbook(HEAD, ["A", 1, 3], [None, 1]), SHEET, (b'<c r="B3" t="n"><v>1</v></c>', error)
    )
    found = read(tmp_path, data)
    assert (found.numbers, found.problems) == ([2], [])


def test_merged_cells_in_the_data_are_never_filled_down(tmp_path):
    def shape(book):
        book.active.merge_cells("B2:B3")
        book.active.merge_cells("A5:C5")
        book.active.merge_cells("C2:C3")

    found = read(
        tmp_path,
        workbook(HEAD, ["A", 1, None], ["B", None, None], ["C", 1, 2], ["a remark"], shape=shape),
    )
    assert found.rows == [["A", "1", ""], ["B", "", ""], ["C", "1", "2"], ["a remark", "", ""]]
    assert [(p.severity, p.rule, p.row, p.column, p.value) for p in found.problems] == [
        (ERROR, "merged_cells", "2", "krenning_pre", "merged cells B2:B3 (rows 2 to 3)"),
        (ERROR, "merged_cells", "3", "krenning_pre", "merged cells B2:B3 (rows 2 to 3)"),
        (ERROR, "merged_cells", "5", "patient_id", "merged cells A5:C5 (row 5)"),
    ]


def test_hidden_rows_are_read_and_counted(tmp_path):
    def shape(book):
        for row in (1, 3, 4, 9):
            book.active.row_dimensions[row].hidden = True

    found = read(tmp_path, workbook(HEAD, ["A", 1, 3], ["B", 1, 3], ["C", 1, 3], shape=shape))
    assert [row[0] for row in found.rows] == ["A", "B", "C"]
    (problem,) = found.problems
    assert (problem.severity, problem.rule, problem.row) == (WARNING, "hidden_rows", "")
    assert problem.value == "hidden rows: 2"


def test_headings_below_patients_are_an_error(tmp_path):
    found = read(tmp_path, workbook(["A", 1, 3], HEAD, ["B", 2, 3]))
    assert [(p.severity, p.rule, p.sheet, p.row) for p in found.problems] == [
        (ERROR, "rows_above_headings", "Sheet", "1")
    ]


def sheets(**rows):
    """Return a workbook of these sheets; one whose name starts with `hidden` is hidden."""

    def shape(book):
        book.remove(book.active)
        for name, content in rows.items():
            sheet = book.create_sheet(name)
            for row in content:
                sheet.append(row)
            if name.startswith("hidden"):
                sheet.sheet_state = "veryHidden" if name.endswith("very") else "hidden"

    return workbook(shape=shape)


@pytest.mark.parametrize(
    ("book", "wanted", "chosen"),
    [
        ({"Empty": [], "Data": [HEAD]}, "", "Data"),
        ({"Read me": [["text"]], "Data": [HEAD]}, "", "Data"),
        ({"hidden": [HEAD], "hidden very": [HEAD], "Data": [["x"]]}, "", "Data"),
        ({"One": [HEAD], "Two": [HEAD]}, " two ", "Two"),
        ({"Data": [HEAD], "hidden": [HEAD]}, "Hidden", "hidden"),
        ({"Read me": [["sex"]], "Data ": [["Title"], HEAD]}, "", "Data "),
    ],
)
def test_which_sheet(tmp_path, book, wanted, chosen):
    assert read(tmp_path, sheets(**book), sheet=wanted).sheet == chosen


@pytest.mark.parametrize(
    ("book", "wanted", "rule", "said"),
    [
        ({"One": [HEAD], "Two": [HEAD]}, "", "which_sheet", '"One", "Two"'),
        ({"One": [["x"]], "Two": [["y"]]}, "", "which_sheet", '"One", "Two"'),
        ({"Patients": [HEAD], "Lesions": [HEAD]}, "Lesion", "missing_sheet", 'sheet: "Lesions"'),
        ({"Patients": [HEAD]}, "xyz", "missing_sheet", '"Patients"'),
        ({"Empty": [], "hidden": [HEAD]}, "", "empty_file", '"hidden"'),
        ({"Empty": []}, "Empty", "empty_file", '"Empty"'),
    ],
)
def test_sheets_that_are_not_clear(tmp_path, book, wanted, rule, said):
    error = refused(tmp_path, sheets(**book), sheet=wanted)
    assert error.rule == rule
    assert said in f"{error.value} {error.allowed} {error.mend}"


MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
# As Excel writes it: shared strings, absolute and relative paths, styles by number.
PARTS = {
    "_rels/.rels": f'<Relationships xmlns="{PACKAGE}"><Relationship Id="a" '
    f'Type="{OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}">'
    f'<Relationship Id="b" Type="{OFFICE}/worksheet" Target="/xl/worksheets/sheet1.xml"/>'
    f'<Relationship Id="c" Type="{OFFICE}/sharedStrings" Target="sharedStrings.xml"/>'
    f'<Relationship Id="d" Type="{OFFICE}/styles" Target="styles.xml"/></Relationships>',
    "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>'
    '<sheet name="Data" sheetId="1" r:id="b"/></sheets></workbook>',
    "xl/sharedStrings.xml": f'<sst xmlns="{MAIN}"><si><t>patient_id</t></si><si><r><t>SUV</t></r>'
    '<r><rPr><b/></rPr><t>max</t></r><rPh sb="0" eb="1"><t>spoken</t></rPh></si>'
    '<si><t>sex</t></si><si><t xml:space="preserve"> A_x000D_&#10;1 </t></si></sst>',
    "xl/styles.xml": f'<styleSheet xmlns="{MAIN}"><numFmts><numFmt numFmtId="164" '
    'formatCode="dd/mm/yyyy"/></numFmts><cellXfs><xf numFmtId="0"/><xf numFmtId="164"/>'
    '<xf numFmtId="9"/></cellXfs></styleSheet>',
    SHEET: f'<worksheet xmlns="{MAIN}"><sheetData><row><c t="s"><v>0</v></c><c t="s"><v>1</v></c>'
    '<c t="s"><v>2</v></c></row><row r="5"><c r="A5" t="s"><v>3</v></c>'
    '<c r="B5" s="1"><v>46112</v></c><c r="C5" s="2"><v>7.0000000000000007E-2</v></c></row>'
    "</sheetData></worksheet>",
}


def packed(parts=PARTS):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return stream.getvalue()


SOUND = packed()


def test_shared_strings_and_numbered_styles(tmp_path):
    found = read(tmp_path, SOUND)
    assert found.header == ["patient_id", "SUVmax", "sex"]
    assert (found.rows, found.numbers) == ([[" A\n1 ", "2026-03-31", "7%"]], [5])
    assert (found.sheet, found.day_zero) == ("Data", "1899-12-30")


@pytest.mark.parametrize("part", PARTS)
def test_a_missing_part(tmp_path, part):
    error = refused(tmp_path, packed({name: PARTS[name] for name in PARTS if name != part}))
    assert error.rule == ("unknown_format" if part == "xl/workbook.xml" else "broken_workbook")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entities_are_refused(tmp_path, encoding):
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>'
    sheet = PARTS[SHEET].replace("<v>3</v>", "<v>&b;</v>").replace('t="s"><v>&', 't="str"><v>&')
    head = f'<?xml version="1.0" encoding="{encoding}"?>'
    assert refused(
        tmp_path, packed(PARTS | {SHEET: (head + bomb + sheet).encode(encoding)})
    ).rule == ("broken_workbook")
    plain = (head + PARTS[SHEET]).encode(encoding)
    assert read(tmp_path, packed(PARTS | {SHEET: plain})).rows == read(tmp_path, SOUND).rows


def test_what_unpacks_beyond_measure(tmp_path, monkeypatch):
    monkeypatch.setattr(xlsx_cells, "MOST_BYTES", 1000)
    assert refused(tmp_path, SOUND).rule == "too_large"


def test_a_table_beyond_measure(tmp_path, monkeypatch):
    monkeypatch.setattr("captem.source_table.MOST_CELLS", 5)
    assert refused(tmp_path, SOUND).rule == "too_large"


def test_parts_that_no_table_needs_may_be_broken(tmp_path):
    data = patched(workbook(HEAD, ["A", 1, 3]), "docProps/core.xml", (b"<", b"&"))
    assert read(tmp_path, data).rows == [["A", "1", "3"]]


def test_a_strict_workbook(tmp_path):
    strict = {
        name: content.replace(MAIN, "http://purl.oclc.org/ooxml/spreadsheetml/main").replace(
            OFFICE, "http://purl.oclc.org/ooxml/officeDocument/relationships"
        )
        for name, content in PARTS.items()
    }
    assert read(tmp_path, packed(strict)).rows == read(tmp_path, SOUND).rows


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_xml_is_a_table_or_refused(data):
    """The parts themselves are damaged, not the archive: its check sums would notice that."""
    part = data.draw(st.sampled_from(list(PARTS)))
    content = PARTS[part].encode()
    start = data.draw(st.integers(0, len(content) - 1))
    length = data.draw(st.integers(0, 12))
    new = data.draw(st.binary(max_size=4) | st.text('0129<>/&"rstc-', max_size=4).map(str.encode))
    acceptable(packed(PARTS | {part: content[:start] + new + content[start + length :]}))


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(SOUND) - 1), st.binary(min_size=1, max_size=4), st.booleans())
def test_damaged_archive_is_a_table_or_refused(place, new, cut):
    acceptable(SOUND[:place] if cut else SOUND[:place] + new + SOUND[place + len(new) :])


def acceptable(data):
    try:
        found = read_workbook(data, "f", "", is_heading)
    except NotReadableFile as error:
        assert error.rule and error.mend
    else:
        assert isinstance(found, SourceTable)
        assert all(len(row) == len(found.header) for row in found.rows)
