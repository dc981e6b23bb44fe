"""What a manuscript in Word is made with: pandoc's styles together with those of the tables.

The reference document and the tables in it use one set of styles, so that an author who changes a
style changes every table of the manuscript.
"""

from __future__ import annotations

import io
from functools import cache
from typing import Any

from captem.documents import pandoc
from captem.files import same_bytes_zip
from captem.table_parts import Table
from captem.word_tables import add_styles, add_table

_W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
# A4 in twips, with margins of 20 mm.
_SHORT, _LONG, _MARGIN = 11906, 16838, 1134


@cache
def reference() -> bytes:
    """Return the document that pandoc takes the styles and the page from."""
    import docx
    from docx.shared import Pt, RGBColor, Twips

    document = docx.Document(
        io.BytesIO(pandoc(["--print-default-data-file", "reference.docx"], b""))
    )
    styles: Any = document.styles
    for style in styles:
        # Pandoc writes the name of Word's own style with a capital, python-docx as Word does.
        if style.name == "Caption" and style.style_id == "Caption":
            style.element.name_val = "caption"
    add_styles(document)
    for style in styles:
        if style.name.startswith(("Heading", "Title", "Subtitle", "Author", "Date", "Abstract")):
            style.font.name = "Arial"
            style.font.color.rgb = RGBColor(0, 0, 0)
            _without_theme(style)
    styles["Image Caption"].font.size = Pt(9)
    styles["Image Caption"].font.bold = styles["Image Caption"].font.italic = False
    section = document.sections[0]
    section.page_width, section.page_height = Twips(_SHORT), Twips(_LONG)
    section.left_margin = section.right_margin = Twips(_MARGIN)
    section.top_margin = section.bottom_margin = Twips(_MARGIN)
    stream = io.BytesIO()
    document.save(stream)
    return same_bytes_zip(stream.getvalue())


def _without_theme(style: Any) -> None:
    fonts = style.element.rPr.rFonts
    for name in [name for name in fonts.attrib if name.endswith("Theme")]:
        del fonts.attrib[name]


def table_xml(table: Table, width_twips: int) -> str:
    """Return caption, table and notes as the XML of a Word document with the styles above."""
    import docx
    from lxml import etree

    document = docx.Document(io.BytesIO(reference()))
    body = document.element.body
    for element in list(body):
        if not element.tag.endswith("}sectPr"):
            body.remove(element)
    add_table(document, table, width_twips)
    parts = [element for element in body if not element.tag.endswith("}sectPr")]
    return "\n".join(etree.tostring(part, encoding="unicode") for part in parts)


def page_break(across: bool) -> str:
    """Return the paragraph that ends a section: one that stood across, or upright."""
    width, height = (_LONG, _SHORT) if across else (_SHORT, _LONG)
    turned = ' w:orient="landscape"' if across else ""
    margins = " ".join(f'w:{side}="{_MARGIN}"' for side in ("top", "right", "bottom", "left"))
    return (
        f'<w:p {_W}><w:pPr><w:sectPr><w:type w:val="nextPage"/>'
        f'<w:pgSz w:w="{width}" w:h="{height}"{turned}/>'
        f'<w:pgMar {margins} w:header="567" w:footer="567" w:gutter="0"/>'
        "</w:sectPr></w:pPr></w:p>"
    )
