"""The formats of a table: CSV for machines and HTML for the page; Word is in `captem.word_tables`.

All of them print the same cells. In a text, `[a]` behind a word or at the start of a note is a
footnote mark, `SUVmax` has its subscript and a lone `P` is italic, `n = 5` does not break; `pieces`
is the one place that knows.
"""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Iterator, Sequence

from captem.table_parts import Row, Table

# Behind a word, or first in a note; a bracket that stands alone is the user's own, as in
# `segment [a] of the liver`.
_MARK = r"(?:(?<=\S)|^(?=\[[a-z]{1,2}\](?: [^a-z]|\[|$)))\[[a-z]{1,2}\]"
_TYPESET = re.compile(rf"(?P<mark>{_MARK})|(?<=SUV)(?P<sub>max)\b|\b(?P<italic>P)\b(?![-/\w]|\.\d)")
# Spaces at which no line ends: of `n = 5` and of `(191 lesions)`.
_TOGETHER = re.compile(r"(?<=\bn) (?== )|(?<=\bn =) |(?<=\d) (?=lesions\))")
_NOTE = re.compile(r"\[([a-z]{1,2})\] ")


def pieces(text: str) -> Iterator[tuple[str, str]]:
    """Split a text into (kind, piece): `text`, `mark` (without brackets), `sub` or `italic`.

    >>> list(pieces("SUVmax[a]"))
    [('text', 'SUV'), ('sub', 'max'), ('mark', 'a')]
    >>> list(pieces("segment [a]"))
    [('text', 'segment [a]')]
    """
    text = _TOGETHER.sub("\u00a0", text)
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
        note = " ".join(lettered[mark] for mark in marks if mark in lettered)
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
