"""The formats of a table: CSV for machines, HTML for the page, Word for the manuscript.

All of them print the same cells. In a text, `[a]` is a footnote mark, `SUVmax` has its subscript
and a lone `P` is italic, `n = 5` does not break; `pieces` is the one place that knows.
"""

from __future__ import annotations

import csv
import datetime as dt
import html
import io
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from captem.files import same_bytes_zip
from captem.table_parts import Row, Table

if TYPE_CHECKING:
    from docx.document import Document

_TYPESET = re.compile(r"(?P<mark>\[[a-z]{1,2}\])|(?<=SUV)(?P<sub>max)\b|\b(?P<italic>P)\b(?![/\w])")
_NOTE = re.compile(r"\[([a-z]{1,2})\] ")


def pieces(text: str) -> Iterator[tuple[str, str]]:
    """Split a text into (kind, piece): `text`, `mark` (without brackets), `sub` or `italic`.

    >>> list(pieces("SUVmax[a]"))
    [('text', 'SUV'), ('sub', 'max'), ('mark', 'a')]
    """
    text = text.replace("n = ", "n\u00a0=\u00a0")
    end = 0
    for found in _TYPESET.finditer(text):
        if found.start() > end:
            yield "text", text[end : found.start()]
        kind = str(found.lastgroup)
        yield kind, found.group().strip("[]") if kind == "mark" else found.group()
        end = found.end()
    if end < len(text):
        yield "text", text[end:]


# CSV


def to_csv(table: Table) -> str:
    """Return the table as CSV: its cells, then the status and the notes of each row, and the data.

    The last column says on every row whether the data are recorded or synthetic.
    """
    lettered = {found.group(1): note[found.end() :] for note in table.notes
                if (found := _NOTE.match(note))}  # fmt: skip
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([*table.columns, "status", "note", "data"])
    for row in table.rows:
        marks = dict.fromkeys(
            piece for cell in row.cells for kind, piece in pieces(cell) if kind == "mark"
        )
        note = " ".join(lettered[mark] for mark in marks)
        status = "" if row.heading else row.status
        writer.writerow([*row.cells, status, note, table.data])
    return stream.getvalue()


# HTML

TABLE_CSS = """\
.table { margin: 1.5rem 0 2rem; break-inside: auto; }
.table .scroll { overflow-x: auto; }
.table .scroll:focus-visible { outline: 3px solid #0b5cad; outline-offset: 2px; }
.table table { border-collapse: collapse; border-top: 2px solid #1a1a1a;
  border-bottom: 2px solid #1a1a1a; font-size: .9rem; line-height: 1.35;
  font-variant-numeric: tabular-nums; }
.table caption { text-align: left; font-weight: 600; padding: 0 0 .5rem; font-size: 1rem; }
.table thead th { border-bottom: 1px solid #1a1a1a; vertical-align: bottom; }
.table th, .table td { padding: .28rem .7rem; text-align: right; vertical-align: top; }
.table td { white-space: nowrap; }
.table .left { text-align: left; white-space: normal; }
.table th:first-child { padding-left: .3rem; min-width: 11rem; }
.table tbody th { font-weight: 400; }
.table tbody th.group { font-weight: 600; padding-top: .7rem; }
.table th.group span { display: inline-block; position: sticky; left: .3rem; max-width: 86vw; }
.table td.left { min-width: 7.5rem; }
.table caption { max-width: calc(100vw - 2.5rem); }
.table tbody th.indent { padding-left: 1.4rem; }
.table tr.unstable, .table tr.not_estimable { color: #595959; font-style: italic; }
.table tr.unstable td, .table tr.not_estimable td,
.table tr.unstable th, .table tr.not_estimable th { background: #f4f1ea; }
.table sup a { color: inherit; padding: 0 .15em; }
.table .notes { font-size: .82rem; color: #404040; margin-top: .5rem; max-width: 52rem; }
.table .notes p { margin: .15rem 0; }
"""
_PAGE_CSS = """\
sup, sub { font-size: .75em; line-height: 0; }
body { font: 16px/1.5 system-ui, "Segoe UI", Roboto, Helvetica, Arial, sans-serif;
  color: #1a1a1a; background: #fff; margin: 1.5rem; }
"""


def typeset(text: str, anchor: str = "") -> str:
    """Return a text as HTML; marks link to the notes `<anchor>-<letter>` where there is one."""
    parts = []
    for kind, piece in pieces(text):
        said = html.escape(piece)
        if kind == "mark":
            said = f'<a href="#{anchor}-{said}">{said}</a>' if anchor else said
            said = f"<sup>{said}</sup>"
        parts.append({"sub": f"<sub>{said}</sub>", "italic": f"<i>{said}</i>"}.get(kind, said))
    return "".join(parts)


def to_html(table: Table) -> str:
    """Return the table as an HTML fragment: caption, scoped headings, linked footnotes."""
    anchor = html.escape(table.name, quote=True)
    heads = "".join(
        f'<th scope="col"{_classes(_side(table, i))}>{typeset(text)}</th>'
        for i, text in enumerate(table.columns)
    )
    bodies = "\n".join(_body(table, group) for group in _groups(table.rows))
    notes = "\n".join(_note(note, anchor) for note in table.notes)
    return (
        f'<div class="table" id="table-{anchor}">\n'
        f'<div class="scroll" role="region" tabindex="0" aria-labelledby="caption-{anchor}">\n'
        f'<table>\n<caption id="caption-{anchor}">{typeset(table.title)}</caption>\n'
        f"<thead><tr>{heads}</tr></thead>\n{bodies}\n</table>\n</div>\n"
        f'<div class="notes">\n{notes}\n</div>\n</div>\n'
    )


def _groups(rows: Sequence[Row]) -> list[list[Row]]:
    """Split the rows before each heading and after the indented rows under it."""
    groups: list[list[Row]] = []
    for row in rows:
        leaves = bool(groups) and groups[-1][0].heading and not row.indent
        if row.heading or leaves or not groups:
            groups.append([])
        groups[-1].append(row)
    return groups


def _body(table: Table, rows: Sequence[Row]) -> str:
    lines = [_row(table, row) for row in rows]
    return "<tbody>\n" + "\n".join(lines) + "\n</tbody>"


def _row(table: Table, row: Row) -> str:
    if row.heading:
        return (
            f'<tr><th scope="rowgroup" class="group left" colspan="{len(table.columns)}">'
            f"<span>{typeset(row.cells[0], table.name)}</span></th></tr>"
        )
    head = _classes("left", "indent" if row.indent else "")
    cells = "".join(
        f"<td{_classes(_side(table, i))}>{typeset(text, table.name)}</td>"
        for i, text in enumerate(row.cells[1:], start=1)
    )
    kind = _classes("" if row.status == "ok" else row.status)
    return f'<tr{kind}><th scope="row"{head}>{typeset(row.cells[0], table.name)}</th>{cells}</tr>'


def _side(table: Table, column: int) -> str:
    return "left" if column in table.text_columns else ""


def _classes(*names: str) -> str:
    said = " ".join(name for name in names if name)
    return f' class="{said}"' if said else ""


def _note(note: str, anchor: str) -> str:
    found = _NOTE.match(note)
    place = f' id="{anchor}-{found.group(1)}"' if found else ""
    return f"<p{place}>{typeset(note)}</p>"


def html_page(table: Table) -> str:
    """Return the table as a small HTML document of its own."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(table.title)}</title>\n<style>\n{_PAGE_CSS}{TABLE_CSS}</style>\n"
        f"</head>\n<body>\n<main>\n{to_html(table)}</main>\n</body>\n</html>\n"
    )


# Word

_FONT = "Arial"
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
    _set_properties(document, table)
    _add_styles(document)
    width = _set_page(document, table.wide)
    caption = document.add_paragraph(style="Caption")
    _write(caption, table.title)
    _add_table(document, table, width)
    for note in table.notes:
        _write(document.add_paragraph(style="Table note"), note)
    stream = io.BytesIO()
    document.save(stream)
    return same_bytes_zip(stream.getvalue())


def _set_properties(document: Document, table: Table) -> None:
    properties = document.core_properties
    properties.author = properties.last_modified_by = "captem"
    properties.title = table.title
    properties.subject = f"{table.data} data"
    properties.comments = ""
    properties.created = properties.modified = _MADE
    properties.revision = 1


def _add_styles(document: Document) -> None:
    """Define every look once, by name, so that an author changes a style and not each cell."""
    from docx.enum.style import WD_STYLE_TYPE
    from docx.enum.text import WD_ALIGN_PARAGRAPH
    from docx.oxml import parse_xml
    from docx.oxml.ns import nsdecls
    from docx.shared import Pt, RGBColor

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


def _set_page(document: Document, wide: bool) -> int:
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


def _add_table(document: Document, table: Table, width: int) -> None:
    from docx.shared import Twips

    grid = document.add_table(rows=0, cols=len(table.columns), style=_STYLE)
    grid.autofit = False
    widths = [Twips(part) for part in _widths(table, width)]
    for column, share in zip(grid.columns, widths, strict=True):
        column.width = share
    head = _fill(grid, table, Row(table.columns), widths, header=True)
    _flag(head, "w:tblHeader")
    for row in table.rows:
        _fill(grid, table, row, widths)
    _describe(grid, table.title)


def _fill(grid: Any, table: Table, row: Row, widths: Sequence[int], header: bool = False) -> Any:
    line = grid.add_row()
    _flag(line, "w:cantSplit")
    for i, (cell, share) in enumerate(zip(line.cells, widths, strict=True)):
        cell.width = share
        paragraph = cell.paragraphs[0]
        paragraph.style = _paragraph_style(table, row, i, header)
        _write(paragraph, row.cells[i], "" if row.status == "ok" else "Not to be read alone")
    if row.heading:
        _span(line)
    return line


def _span(line: Any) -> None:
    """Let a group heading run over the whole row."""
    merged = line.cells[0].merge(line.cells[-1])
    for extra in merged.paragraphs[1:]:
        extra._element.getparent().remove(extra._element)


def _paragraph_style(table: Table, row: Row, column: int, header: bool) -> str:
    text = column in table.text_columns
    if header:
        return "Table column heading" if text else "Table number heading"
    if row.heading:
        return "Table group heading"
    if column == 0 and row.indent:
        return "Table text indented"
    return "Table text" if text else "Table number"


def _write(paragraph: Any, text: str, style: str = "") -> None:
    named = {"mark": "Table mark", "sub": "SUV subscript", "italic": "P symbol"}
    for kind, piece in pieces(text):
        paragraph.add_run(piece, style=named.get(kind, style) or None)


def _flag(line: Any, name: str) -> None:
    from docx.oxml import OxmlElement

    line._tr.get_or_add_trPr().append(OxmlElement(name))


def _describe(grid: Any, title: str) -> None:
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    caption = OxmlElement("w:tblCaption")
    caption.set(qn("w:val"), title)
    grid._tbl.tblPr.append(caption)


def _widths(table: Table, width: int) -> list[int]:
    """Share the width of the page among the columns by their longest words and texts."""
    needs = []
    for i, heading in enumerate(table.columns):
        texts = [row.cells[i] for row in table.rows if not row.heading]
        longest = max((len(text) for text in texts), default=0)
        # A text may wrap; a number must not, nor the longest word of a heading.
        most = 34 if i in table.text_columns else 24
        word = max((len(part) for part in heading.split()), default=0)
        needs.append(max(6, word + 1, min(longest, most)))
    scale = width / sum(needs)
    return [int(need * scale) for need in needs]
