"""A Word table is a real one: named styles, a header that repeats, rows that stay whole."""

from __future__ import annotations

import io
import re

import docx
from captem import word_tables
from captem.table_parts import Row, Table
from docx.oxml.ns import qn
from studies import Study

# What a paragraph or a run has beside its style is formatting by hand.
NO_HAND = {qn("w:pStyle"), qn("w:rStyle")}


def opened(table: Table):
    return docx.Document(io.BytesIO(word_tables.to_docx(table)))


def every_table(study: Study) -> list[Table]:
    listed = {"by": "direction", "listing": True}
    return [*study.tables(), *study.tables(tables=listed)[-1:], study.tables(tables=listed)[0]]


def test_nothing_is_formatted_by_hand(synthetic: Study) -> None:
    for table in every_table(synthetic):
        body = opened(table).element.body
        properties = [*body.iter(qn("w:pPr")), *body.iter(qn("w:rPr"))]
        assert len(properties) > 10
        for element in properties:
            by_hand = {child.tag for child in element} - NO_HAND - {qn("w:sectPr")}
            assert not by_hand, (table.name, by_hand)


def test_every_style_in_use_is_defined(synthetic: Study) -> None:
    for table in every_table(synthetic):
        document = opened(table)
        known = {style.style_id for style in document.styles}
        tags = (qn("w:pStyle"), qn("w:rStyle"), qn("w:tblStyle"))
        used = {element.get(qn("w:val")) for element in document.element.body.iter(*tags)}
        assert len(used) > 3 and used <= known


def test_no_row_breaks_over_pages_and_the_header_repeats(synthetic: Study) -> None:
    for table in every_table(synthetic):
        rows = opened(table).tables[0].rows
        assert all(row._tr.xpath("./w:trPr/w:cantSplit") for row in rows)
        assert [bool(row._tr.xpath("./w:trPr/w:tblHeader")) for row in rows] == [
            place == 0 for place in range(len(rows))
        ]


def test_the_columns_fill_the_page_and_no_more(synthetic: Study) -> None:
    for table in every_table(synthetic):
        document = opened(table)
        section, (grid,) = document.sections[0], document.tables
        room = section.page_width - section.left_margin - section.right_margin
        widths = [column.width for column in grid.columns]
        assert 0.97 * room < sum(widths) <= room
        assert min(widths) > 0


def test_the_alternative_text_names_the_columns(synthetic: Study) -> None:
    for table in synthetic.tables():
        properties = opened(table).tables[0]._tbl.tblPr
        said = {child.tag: child.get(qn("w:val")) for child in properties}
        assert said[qn("w:tblCaption")] == table.title
        assert all(column in said[qn("w:tblDescription")] for column in table.columns)


def styles(table: Table, column: int) -> list[str]:
    return [row.cells[column].paragraphs[0].style.name for row in opened(table).tables[0].rows[1:]]


def test_numbers_stand_under_one_another_at_the_point() -> None:
    cells = ["1.92[a]", "12.5", "<.001", "3", "—", "not estimable[a]", ">10000"]
    table = Table("x", "t", ("Term", "Estimate", "n/N (%)"),
                  tuple(Row(("a", cell, "1/2 (50%)")) for cell in cells))  # fmt: skip
    expected = ["Table decimal 4"] * 5 + ["Table text", "Table decimal 4"]
    assert styles(table, 1) == expected
    assert set(styles(table, 2)) == {"Table number"}
    stops = opened(table).styles["Table decimal 4"].paragraph_format.tab_stops
    assert [stop.alignment.name for stop in stops] == ["DECIMAL"]
    # Neither Word nor LibreOffice wants a tab character for it.
    assert not opened(table).element.body.xpath(".//w:tab[not(ancestor::w:tabs)]")


def test_shares_among_numbers_are_set_to_the_right() -> None:
    table = Table("x", "t", ("Term", "Estimate"), (Row(("a", "0.204")), Row(("b", "1/2 (50%)"))))
    assert styles(table, 1) == ["Table number"] * 2


def test_the_place_of_the_point_suits_what_stands_before_it() -> None:
    def style(cell: str) -> str:
        return styles(Table("x", "t", ("Term", "Estimate"), (Row(("a", cell)),)), 1)[0]

    assert style(".03") == "Table decimal 1"
    assert style("301.5") == "Table decimal 4"
    assert style("-12345.5") == "Table decimal 9"


def test_two_tables_fit_into_one_document(synthetic: Study) -> None:
    """As in a manuscript: the styles once, then tables."""
    document = docx.Document()
    word_tables.add_styles(document)
    made = synthetic.tables()[:2]
    for table in made:
        word_tables.add_table(document, table, 9000)
    again = io.BytesIO()
    document.save(again)
    captions = [p.text for p in docx.Document(again).paragraphs if p.style.name == "Caption"]
    assert captions == [table.title for table in made]


def test_lesion_counts_and_n_do_not_break(synthetic: Study) -> None:
    texts = [
        cell.text for table in synthetic.tables() for cell in opened(table).tables[0].rows[0].cells
    ]
    spaced = [text for text in texts if re.search(r"\(n.=|lesions\)$", text)]
    assert len(spaced) > 5
    assert all(re.search(r"\(n\u00a0=\u00a0\d+\)|n \(lesions\)|\d\u00a0lesions\)", text)
               for text in spaced)  # fmt: skip
