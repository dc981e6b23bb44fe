"""Tables in Word: named styles and no direct formatting, for a table file or any other document.

`add_styles` defines the looks once in a document, `add_table` puts a table into it with its caption
and notes, and `to_docx` makes a document of one table. The cells are those of every other format.

Columns of numbers are aligned at the decimal point, by a decimal tab stop in their style: in the
cells of a table Word and LibreOffice align to it without a tab character.
"""

from __future__ import annotations

import datetime as dt
import io
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from captem.files import same_bytes_zip
from captem.table_formats import pieces
from captem.table_parts import Row, Table

if TYPE_CHECKING:
    from docx.document import Document

_FONT = "Arial"
# A number that has a decimal point to be aligned at, and what may stand in its column instead.
_DECIMAL = re.compile(r"[<>]?-?\d*\.\d+(\[[a-z]{1,2}\])*")
_WHOLE = re.compile(r"[<>]?-?\d+(\[[a-z]{1,2}\])*|[—-]?")
# How far the point is from the left of the cell, in twips, where so many signs stand before it.
_POINTS = {1: 200, 4: 500, 9: 1000}
# The margins of a cell, in letters.
_MARGIN = 2
_MADE = dt.datetime(1980, 1, 1)
_STYLE = "Table Captem"
_TABLE_STYLE = """\
<w:style {ns} w:type="table" w:customStyle="1" w:styleId="TableCaptem">
<w:name w:val="Table Captem"/><w:basedOn w:val="TableNormal"/><w:uiPriority w:val="99"/>
<w:tblPr><w:tblBorders><w:top w:val="single" w:sz="12" w:space="0" w:color="000000"/>
<w:bottom w:val="single" w:sz="12" w:space="0" w:color="000000"/></w:tblBorders>
<w:tblCellMar><w:left w:w="100" w:type="dxa"/><w:right w:w="100" w:type="dxa"/></w:tblCellMar>
</w:tblPr><w:tblStylePr w:type="firstRow"><w:tcPr><w:tcBorders>
<w:bottom w:val="single" w:sz="6" w:space="0" w:color="000000"/></w:tcBorders></w:tcPr>
</w:tblStylePr></w:style>"""


def to_docx(table: Table) -> bytes:
    """Return the table as a Word document: named styles, repeated header row, lettered notes.

    The same table gives the same bytes: no clock enters the document.
    """
    import docx

    document = docx.Document()
    set_properties(document, table)
    add_styles(document)
    add_table(document, table, set_page(document, table.wide))
    stream = io.BytesIO()
    document.save(stream)
    return same_bytes_zip(stream.getvalue())


def set_properties(document: Document, table: Table) -> None:
    properties = document.core_properties
    properties.author = properties.last_modified_by = "captem"
    properties.title = table.title
    properties.subject = f"{table.data} data"
    properties.comments = ""
    properties.created = properties.modified = _MADE
    properties.revision = 1


def add_styles(document: Document) -> None:
    """Define every look once, by name, so that an author changes a style and not each cell."""
    from docx.enum.style import WD_STYLE_TYPE
    from docx.enum.text import WD_ALIGN_PARAGRAPH, WD_TAB_ALIGNMENT
    from docx.oxml import parse_xml
    from docx.oxml.ns import nsdecls
    from docx.shared import Pt, RGBColor, Twips

    styles: Any = document.styles
    grey, black = RGBColor(0x59, 0x59, 0x59), RGBColor(0, 0, 0)
    _set_font(styles["Normal"], 10)
    caption = styles["Caption"]
    _set_font(caption, 10)
    caption.font.bold, caption.font.color.rgb = True, black
    caption.paragraph_format.space_after = Pt(4)
    caption.paragraph_format.keep_with_next = True

    def paragraph(name: str, size: float = 9) -> Any:
        style = styles.add_style(name, WD_STYLE_TYPE.PARAGRAPH)
        style.base_style = styles["Normal"]
        style.font.size = Pt(size)
        style.paragraph_format.space_before = style.paragraph_format.space_after = Pt(1.5)
        return style

    paragraph("Table text")
    paragraph("Table text indented").paragraph_format.left_indent = Pt(10)
    paragraph("Table number").paragraph_format.alignment = WD_ALIGN_PARAGRAPH.RIGHT
    paragraph("Table column heading").font.bold = True
    for signs, place in _POINTS.items():
        stops = paragraph(_decimal_style(signs)).paragraph_format.tab_stops
        stops.add_tab_stop(Twips(place), WD_TAB_ALIGNMENT.DECIMAL)
    number_heading = paragraph("Table number heading")
    number_heading.font.bold = True
    number_heading.paragraph_format.alignment = WD_ALIGN_PARAGRAPH.RIGHT
    group = paragraph("Table group heading")
    group.font.bold = True
    group.paragraph_format.space_before, group.paragraph_format.keep_with_next = Pt(5), True
    paragraph("Table note", 8)

    def character(name: str) -> Any:
        return styles.add_style(name, WD_STYLE_TYPE.CHARACTER)

    character("Table mark").font.superscript = True
    character("SUV subscript").font.subscript = True
    character("P symbol").font.italic = True
    unstable = character("Not to be read alone")
    unstable.font.italic, unstable.font.color.rgb = True, grey
    styles.element.append(parse_xml(_TABLE_STYLE.format(ns=nsdecls("w"))))


def _set_font(style: Any, size: float) -> None:
    from docx.oxml.ns import qn
    from docx.shared import Pt

    style.font.name, style.font.size = _FONT, Pt(size)
    fonts = style.element.rPr.rFonts
    for name in list(fonts.attrib):
        if name.endswith("Theme"):
            del fonts.attrib[name]
    for script in ("w:hAnsi", "w:cs", "w:eastAsia"):
        fonts.set(qn(script), _FONT)


def set_page(document: Document, wide: bool) -> int:
    """Set A4, across where the table is wide; return the width between the margins in twips."""
    from docx.enum.section import WD_ORIENT
    from docx.shared import Mm

    section = document.sections[0]
    short, long = Mm(210), Mm(297)
    section.page_width, section.page_height = (long, short) if wide else (short, long)
    section.orientation = WD_ORIENT.LANDSCAPE if wide else WD_ORIENT.PORTRAIT
    section.left_margin = section.right_margin = Mm(20)
    section.top_margin = section.bottom_margin = Mm(20)
    return int((section.page_width - section.left_margin - section.right_margin) / 635)


def add_table(document: Document, table: Table, width_twips: int) -> None:
    """Add a table at the end of a document: its caption, the table, its notes.

    The document has the styles of `add_styles`; `width_twips` is between the margins of its page.
    """
    from docx.shared import Twips

    # By their ids: python-docx looks a style up by its name among all others for every cell.
    ids = {style.name: style.style_id for style in document.styles}
    _write(document.add_paragraph(style="Caption"), table.title, ids)
    grid = document.add_table(rows=0, cols=len(table.columns), style=_STYLE)
    grid.autofit = False
    widths = [Twips(part) for part in _widths(table, width_twips)]
    for column, share in zip(grid.columns, widths, strict=True):
        column.width = share
    decimals = _decimal_columns(table)
    head = _fill(grid, table, Row(table.columns), widths, decimals, ids, header=True)
    _flag(head, "w:tblHeader")
    for row in table.rows:
        _fill(grid, table, row, widths, decimals, ids)
    _describe(grid, table)
    for note in table.notes:
        _write(document.add_paragraph(style="Table note"), note, ids)


def _decimal_columns(table: Table) -> dict[int, str]:
    """Return the columns that are aligned at the decimal point, with the style of their cells.

    In such a column there are numbers with a point, and beside them whole numbers, blanks and words
    but nothing like `29/54 (54%)`, which has no point to be aligned at.
    """
    found = {}
    for column in range(len(table.columns)):
        cells = [row.cells[column] for row in table.rows if not row.heading]
        decimals = [cell for cell in cells if _DECIMAL.fullmatch(cell)]
        others = [cell for cell in cells if not _DECIMAL.fullmatch(cell)]
        if column in table.text_columns or not decimals:
            continue
        if any(re.search(r"\d", cell) and not _WHOLE.fullmatch(cell) for cell in others):
            continue
        before = max(len(cell.partition(".")[0]) for cell in decimals)
        signs = next((most for most in _POINTS if before <= most), max(_POINTS))
        found[column] = _decimal_style(signs)
    return found


def _decimal_style(signs: int) -> str:
    return f"Table decimal {signs}"


def _fill(
    grid: Any,
    table: Table,
    row: Row,
    widths: Sequence[int],
    decimals: Mapping[int, str],
    ids: Mapping[str, str],
    header: bool = False,
) -> Any:
    line = grid.add_row()
    _flag(line, "w:cantSplit")
    for i, (cell, share) in enumerate(zip(line.cells, widths, strict=True)):
        cell.width = share
        paragraph = cell.paragraphs[0]
        paragraph._p.style = ids[_paragraph_style(table, row, i, decimals, header)]
        _write(paragraph, row.cells[i], ids, "" if row.status == "ok" else "Not to be read alone")
    if row.heading:
        _span(line)
    return line


def _span(line: Any) -> None:
    """Let a group heading run over the whole row."""
    merged = line.cells[0].merge(line.cells[-1])
    for extra in merged.paragraphs[1:]:
        extra._element.getparent().remove(extra._element)


def _paragraph_style(
    table: Table, row: Row, column: int, decimals: Mapping[int, str], header: bool
) -> str:
    # Numbers aligned at their point stand near the left of their column, and its words with them.
    text = column in table.text_columns or column in decimals
    if header:
        return "Table column heading" if text else "Table number heading"
    if row.heading:
        return "Table group heading"
    if column == 0 and row.indent:
        return "Table text indented"
    number = _DECIMAL.fullmatch(row.cells[column]) or _WHOLE.fullmatch(row.cells[column])
    if column in decimals and number:
        return decimals[column]
    return "Table text" if text else "Table number"


def _write(paragraph: Any, text: str, ids: Mapping[str, str], style: str = "") -> None:
    named = {"mark": "Table mark", "sub": "SUV subscript", "italic": "P symbol"}
    for kind, piece in pieces(text):
        run = paragraph.add_run(piece)
        if name := named.get(kind, style):
            run._r.style = ids[name]


def _flag(line: Any, name: str) -> None:
    from docx.oxml import OxmlElement

    line._tr.get_or_add_trPr().append(OxmlElement(name))


def _describe(grid: Any, table: Table) -> None:
    """Give the table its alternative text: the title, and what its columns are."""
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    named = ", ".join(column for column in table.columns if column)
    said = {"w:tblCaption": table.title, "w:tblDescription": f"A table with the columns {named}."}
    for name, text in said.items():
        element = OxmlElement(name)
        element.set(qn("w:val"), text)
        grid._tbl.tblPr.append(element)


def _widths(table: Table, width: int) -> list[int]:
    """Share the width of the page among the columns by their longest words and texts."""
    needs = []
    for i, heading in enumerate(table.columns):
        texts = [row.cells[i] for row in table.rows if not row.heading]
        longest = max((len(text) for text in texts), default=0)
        # A text may wrap; a number must not, nor the longest word of a heading.
        most = 34 if i in table.text_columns else 24
        # Headings are bold, and a capital is wider than a small letter.
        words = [1 + len(part) + sum(map(str.isupper, part)) / 3 for part in heading.split()]
        if i in table.text_columns:
            words += [len(part) for text in texts for part in text.split() if len(part) <= most]
        needs.append(max([4, *words, min(longest, most)]) + _MARGIN)
    scale = width / sum(needs)
    return [int(need * scale) for need in needs]
