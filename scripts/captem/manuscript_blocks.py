"""Tables and figures of a manuscript in each form it has: Markdown, Word, HTML and Typst.

In Word a table is the same real table as in `tables/<name>.docx`, in HTML that of the page. A wide
table turns its page in Word and PDF.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace

from captem.captions import NOT_DRAWN
from captem.table_formats import pieces, to_html, typeset
from captem.table_parts import Row, Table

MARKDOWN, WORD, HTML, TYPST = "md", "docx", "html", "typst"
# Quotation marks too: pandoc would turn them.
_SPECIAL = "\\`*_{}[]<>#|~^$@&\"'"
# The page of the Word document: A4 with margins of 20 mm.
_TEXT_WIDTH_MM, _TEXT_HEIGHT_MM = 170.0, 190.0
_TWIPS_PER_MM = 1440 / 25.4


@dataclass(frozen=True)
class Figure:
    """A figure with its legend and alt text; without a picture the legend says why."""

    name: str
    legend: str
    alt: str
    png: bytes = b""

    @property
    def drawn(self) -> bool:
        return not self.legend.startswith(NOT_DRAWN) and bool(self.png)


Block = Table | Figure


def numbered(block: Block, number: int) -> Block:
    """Return a block with its number in this manuscript in its title or legend."""
    if isinstance(block, Table):
        title = block.title.partition(". ")[2] if block.title.startswith("Table ") else block.title
        return replace(block, title=f"Table {number}. {title}")
    return replace(block, legend=f"Figure {number}. {block.legend}")


def files(blocks: Sequence[Block]) -> dict[str, bytes]:
    """Return the pictures of a document, by name."""
    figures = [block for block in blocks if isinstance(block, Figure) and block.png]
    return {f"{figure.name}.png": figure.png for figure in figures}


def written(blocks: Sequence[Block], form: str) -> str:
    """Return neighbouring blocks as Markdown for pandoc, or for a reader where `form` is `md`."""
    if form == WORD:
        return _in_word(blocks)
    one = {MARKDOWN: _in_markdown, HTML: _in_html, TYPST: _in_typst}[form]
    return "\n\n".join(one(block) for block in blocks)


# Markdown


def _in_markdown(block: Block) -> str:
    if isinstance(block, Figure):
        picture = f"![{escaped(block.alt)}](../figures/{block.name}.png)\n\n" if block.png else ""
        return picture + _legend(block)
    return _pipes(block)


def _legend(figure: Figure) -> str:
    head, _, rest = figure.legend.partition(". ")
    return f"**{head}.** {_typeset_markdown(rest)}"


def _pipes(table: Table) -> str:
    sides = [":---" if i in table.text_columns else "---:" for i in range(len(table.columns))]
    lines = [_line(table.columns), "|" + "|".join(sides) + "|"]
    lines += [_line(row.cells, row) for row in table.rows]
    notes = [_typeset_markdown(note) for note in table.notes]
    return "\n\n".join([f"**{_typeset_markdown(table.title)}**", "\n".join(lines), *notes])


def _line(cells: Sequence[str], row: Row | None = None) -> str:
    said = [_typeset_markdown(cell) for cell in cells]
    if row is not None and row.heading:
        said[0] = f"**{said[0]}**"
    elif row is not None and row.indent:
        said[0] = f"\u2003{said[0]}"
    return "| " + " | ".join(said) + " |"


def escaped(text: str) -> str:
    """Return a text as Markdown that shows it as it is."""
    return "".join(f"\\{sign}" if sign in _SPECIAL else sign for sign in text)


def _typeset_markdown(text: str) -> str:
    around = {"mark": "^", "sub": "~", "italic": "*"}
    return "".join(
        f"{around.get(kind, '')}{escaped(piece)}{around.get(kind, '')}"
        for kind, piece in pieces(text)
    )


def _raw(form: str, text: str) -> str:
    """Return what pandoc takes over as it is."""
    fence = "`" * 8
    return f"{fence}{{={form}}}\n{text.strip()}\n{fence}"


# HTML


def _in_html(block: Block) -> str:
    if isinstance(block, Table):
        return _raw("html", to_html(block))
    head, _, rest = block.legend.partition(". ")
    legend = f"<figcaption><strong>{head}.</strong> {typeset(rest)}</figcaption>"
    picture = ""
    if block.png:
        alt = typeset(block.alt).replace('"', "&quot;")
        alt = alt.replace("<sub>", "").replace("</sub>", "").replace("<i>", "").replace("</i>", "")
        picture = f'<img src="{block.name}.png" alt="{alt}">\n'
    return _raw("html", f'<figure id="figure-{block.name}">\n{picture}{legend}\n</figure>')


# Word


def _in_word(blocks: Sequence[Block]) -> str:
    """Return blocks for the Word document, wide tables on pages across."""
    from captem.word_document import page_break, table_xml

    said: list[str] = []
    across = False
    for block in blocks:
        wide = isinstance(block, Table) and block.wide
        if wide != across:
            said.append(_raw("openxml", page_break(across)))
            across = wide
        if isinstance(block, Table):
            width = 257 if wide else _TEXT_WIDTH_MM
            said.append(_raw("openxml", table_xml(block, int(width * _TWIPS_PER_MM))))
        else:
            said.append(_figure_in_word(block))
    if across:
        said.append(_raw("openxml", page_break(True)))
    return "\n\n".join(said)


def _figure_in_word(figure: Figure) -> str:
    legend = f'::: {{custom-style="Image Caption"}}\n{_legend(figure)}\n:::'
    if not figure.png:
        return legend
    picture = f"![{escaped(figure.alt)}]({figure.name}.png){{width={_width_mm(figure):.1f}mm}}"
    return f'::: {{custom-style="Captioned Figure"}}\n{picture}\n:::\n\n{legend}'


def _width_mm(figure: Figure) -> float:
    """Return how wide a figure is printed: as made, or as the page allows."""
    width, height = _size_mm(figure.png)
    return width * min(1.0, _TEXT_WIDTH_MM / width, _TEXT_HEIGHT_MM / height)


def _size_mm(png: bytes) -> tuple[float, float]:
    """Return width and height of a PNG as printed; without a density it fills the page."""
    width, height = struct.unpack(">II", png[16:24])
    at = png.find(b"pHYs")
    per_metre = struct.unpack(">I", png[at + 4 : at + 8])[0] if at > 0 else 0
    if not per_metre:
        return _TEXT_WIDTH_MM, _TEXT_WIDTH_MM * height / width
    return 1000 * width / per_metre, 1000 * height / per_metre


# Typst


def _in_typst(block: Block) -> str:
    if isinstance(block, Figure):
        return _raw("typst", _figure_in_typst(block))
    text = _table_in_typst(block)
    return _raw("typst", f"#page(flipped: true)[\n{text}\n]" if block.wide else text)


def _string(text: str) -> str:
    """Return a text as a string of Typst's code, which shows every sign as it is."""
    escaped_text = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
    return f'"{escaped_text}"'


def _typeset_typst(text: str) -> str:
    around = {"mark": "#super", "sub": "#sub", "italic": "#emph"}
    return "".join(f"{around.get(kind, '#text')}({_string(piece)})"
                   if kind == "text" else f"{around[kind]}[#text({_string(piece)})]"
                   for kind, piece in pieces(text))  # fmt: skip


def _figure_in_typst(figure: Figure) -> str:
    head, _, rest = figure.legend.partition(". ")
    legend = f"#block(below: 1.6em)[#strong[{head}.] {_typeset_typst(rest)}]"
    if not figure.png:
        return legend
    name, alt = _string(f"{figure.name}.png"), _string(figure.alt)
    picture = f"#align(center, image({name}, alt: {alt}, width: {_width_mm(figure):.1f}mm))"
    return f"#block(breakable: false)[\n{picture}\n]\n{legend}"


def _table_in_typst(table: Table) -> str:
    sides = ["left" if i in table.text_columns else "right" for i in range(len(table.columns))]
    widths = ", ".join(f"{share}fr" for share in _shares(table))
    heads = ", ".join(f"[#strong[{_typeset_typst(text)}]]" for text in table.columns)
    lines = [_row_in_typst(table, row) for row in table.rows]
    notes = "\n".join(f"#block(above: 0.5em)[{_typeset_typst(note)}]" for note in table.notes)
    title = _typeset_typst(table.title)
    return (
        f"#block(sticky: true, above: 1.2em, below: 0.7em)[#strong[{title}]]\n"
        "#{\nset text(size: 8pt)\nset par(justify: false)\n"
        f"table(columns: ({widths}), align: ({', '.join(sides)},), stroke: none,\n"
        "inset: (x: 3pt, y: 2.5pt),\n"
        f"table.hline(stroke: 1pt), table.header({heads}), table.hline(stroke: 0.5pt),\n"
        + "\n".join(lines)
        + "\ntable.hline(stroke: 1pt))\n}\n"
        f"#block(below: 1.6em)[#set text(size: 7.5pt)\n{notes}]"
    )


def _row_in_typst(table: Table, row: Row) -> str:
    if row.heading:
        head = f"#strong[{_typeset_typst(row.cells[0])}]"
        return f"table.cell(colspan: {len(table.columns)}, align: left, inset: (top: 6pt))[{head}],"
    cells = [_typeset_typst(cell) for cell in row.cells]
    if row.status != "ok":
        cells = [f"#emph[{cell}]" for cell in cells]
    if row.indent:
        cells[0] = f"#h(8pt){cells[0]}"
    return " ".join(f"[{cell}]," for cell in cells)


def _shares(table: Table) -> list[int]:
    """Share the width among the columns by their longest texts and words."""
    shares = []
    for i, heading in enumerate(table.columns):
        longest = max((len(row.cells[i]) for row in table.rows if not row.heading), default=0)
        word = max((len(part) for part in heading.split()), default=0)
        shares.append(max(6, word + 1, min(longest, 34 if i in table.text_columns else 24)))
    return shares
