"""The cells of an xlsx workbook as text, straight from its XML.

openpyxl gives a formula or its value and not both, builds a cell for every place up to the last
one that was ever coloured, and refuses the whole workbook for a chart it does not understand. A
table needs less: the cells, their number formats, merged cells and hidden rows, in one pass.
"""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from posixpath import dirname, join, normpath
from typing import NamedTuple
from xml.etree.ElementTree import Element, TreeBuilder, XMLParser

from captem.cell_text import clock_text, moment_text, number_text, yes_no
from captem.source_table import NotReadableFile

# Far more than a cohort needs: 5,000 rows of 60 columns are 20 MB. What is larger when unpacked
# would fill the memory.
MOST_BYTES = 256 * 1024 * 1024
_SHOWN_DIGITS = 15  # a spreadsheet shows no more, and computes with errors behind them
_DATE_1900, _DATE_1904 = datetime(1899, 12, 30), datetime(1904, 1, 1)
# Number formats that a workbook need not spell out (ECMA-376 part 1, 18.8.30).
_DATES = frozenset({*range(14, 23), *range(27, 37), 45, 47, *range(50, 59)})
_ELAPSED = frozenset({46})
_PERCENTS = frozenset({9, 10})
_LITERAL = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?!h+\]|m+\]|s+\])[^\]]*\]', re.IGNORECASE)
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_REFERENCE = re.compile(r"\$?([A-Z]{1,3})\$?([0-9]{1,7})")


class Cell(NamedTuple):
    """A cell: its text, what is wrong with it, and its stored form where the text differs.

    fault : `formula_error`, `formula_without_value` or empty.
    """

    text: str
    fault: str = ""
    stored: str = ""


@dataclass
class Sheet:
    """The filled cells of a sheet by row (from 1) and column (from 0), and its layout.

    merged : top, left, bottom, right of the merged cells, counted in the same way.
    """

    name: str
    hidden: bool
    cells: dict[int, dict[int, Cell]] = field(default_factory=dict)
    merged: list[tuple[int, int, int, int]] = field(default_factory=list)
    hidden_rows: set[int] = field(default_factory=set)

    @property
    def filled(self) -> bool:
        return any(cell.text.strip() or cell.fault for row in self.cells.values() for cell in
                   row.values())  # fmt: skip


class Package:
    """An xlsx file: its sheets by name, each parsed when it is asked for."""

    def __init__(self, data: bytes):
        """Open the workbook; raises NotReadableFile if it is too large, anything if damaged."""
        self._archive = zipfile.ZipFile(io.BytesIO(data))
        self._names = {name.lower(): name for name in self._archive.namelist()}
        self._left = MOST_BYTES
        main = self._main_part()
        book = self._part(main)
        properties = _child(book, "workbookPr")
        mac = properties is not None and properties.get("date1904") in ("1", "true")
        self.epoch = _DATE_1904 if mac else _DATE_1900
        targets = self._relations(main)
        self._strings = self._shared_strings(targets)
        self._formats = self._number_formats(targets)
        self._paths: dict[str, str] = {}
        self.hidden: dict[str, bool] = {}
        for node in _children(_child(book, "sheets"), "sheet"):
            link = next(value for key, value in node.items() if key.endswith("}id"))
            kind, path = targets[link]
            if kind == "worksheet":
                name = node.get("name", "")
                self._paths[name] = path
                self.hidden[name] = node.get("state", "visible") != "visible"

    def sheet(self, name: str) -> Sheet:
        """Parse one sheet."""
        root = self._part(self._paths[name])
        found = Sheet(name, self.hidden[name])
        number = 0
        for row in _children(_child(root, "sheetData"), "row"):
            number = int(row.get("r", number + 1))
            if row.get("hidden") in ("1", "true"):
                found.hidden_rows.add(number)
            column = -1
            for node in row:
                column = _place(node.get("r"), number)[1] if node.get("r") else column + 1
                cell = self._cell(node)
                if cell.text or cell.fault:
                    found.cells.setdefault(number, {})[column] = cell
        for node in _children(_child(root, "mergeCells"), "mergeCell"):
            ends = [_place(end, 0) for end in node.get("ref", "").split(":")]
            found.merged.append((*ends[0], *ends[-1]))
        return found

    def _cell(self, node: Element) -> Cell:
        kind, value, formula, text = node.get("t", "n"), None, False, None
        for child in node:
            tag = _local(child)
            if tag == "v":
                value = child.text
            elif tag == "f":
                formula = True
            elif tag == "is":
                text = _string(child)
        if kind == "inlineStr":
            return Cell(text or "")
        if not value:
            # The empty text is a value that a formula can have; a number is not empty.
            return Cell("", "formula_without_value" if formula and kind != "str" else "")
        if kind == "s":
            return Cell(self._strings[int(value)])
        if kind == "str":
            return Cell(_unescaped(value))
        if kind == "e":
            return Cell("", "formula_error", value)
        if kind == "b":
            return Cell(yes_no(value.strip() in ("1", "true")))
        if kind == "d":
            return Cell(value.strip().removesuffix("Z").removesuffix("T00:00:00"))
        return self._number(value, self._formats.get(node.get("s", "0"), ""))

    def _number(self, stored: str, kind: str) -> Cell:
        # An identifier of 16 digits is a whole number and stays one.
        value = int(stored) if re.fullmatch(r"\s*-?[0-9]{1,300}\s*", stored) else float(stored)
        text = number_text(value, _SHOWN_DIGITS)
        if kind == "percent":
            return Cell(f"{number_text(float(value) * 100, _SHOWN_DIGITS)}%", stored=text)
        if kind == "elapsed":
            return Cell(clock_text(float(value) * 86400))
        if kind == "date":
            # A sheet shows #### for a day before its first or after its last one.
            return Cell(self._moment(float(value)) if 0 <= value < 2_958_466 else text)
        return Cell(text)

    def _moment(self, days: float) -> str:
        seconds = round(days * 86400)
        if days < 1 and seconds < 86400:
            return clock_text(seconds)
        # The first sheets counted a 29 February 1900 that never was.
        before = self.epoch == _DATE_1900 and days < 60
        return moment_text(self.epoch + timedelta(days=int(before), seconds=seconds))

    def _main_part(self) -> str:
        for kind, path in self._relations("").values():
            if kind == "officeDocument":
                return path
        raise KeyError("officeDocument")

    def _relations(self, part: str) -> dict[str, tuple[str, str]]:
        """Return id -> (kind, path) of the parts that a part refers to."""
        folder, _, base = part.rpartition("/")
        path = normpath(join(folder, "_rels", f"{base}.rels"))
        found = {}
        for node in _children(self._part(path), "Relationship"):
            target = node.get("Target", "")
            within = target.lstrip("/") if target.startswith("/") else join(dirname(part), target)
            kind = node.get("Type", "").rpartition("/")[2]
            found[node.get("Id", "")] = (kind, normpath(within))
        return found

    def _part(self, path: str) -> Element:
        """Parse a part; what it declares about its size holds, zipfile reads no more than that."""
        info = self._archive.getinfo(self._names[path.lower()])
        self._left -= info.file_size
        if self._left < 0:
            raise NotReadableFile(
                "too_large", f"more than {MOST_BYTES // 1024**2} MB when unpacked",
                "a workbook with one table of patients",
                "delete what is not the table, also formats far below and beside it, and save it",
            )  # fmt: skip
        parser = XMLParser(target=_Builder())
        parser.feed(self._archive.read(info))
        return parser.close()

    def _shared_strings(self, targets: dict[str, tuple[str, str]]) -> list[str]:
        for kind, path in targets.values():
            if kind == "sharedStrings":
                return [_string(node) for node in _children(self._part(path), "si")]
        return []

    def _number_formats(self, targets: dict[str, tuple[str, str]]) -> dict[str, str]:
        """Return style number -> `date`, `elapsed` or `percent`; other styles are left out."""
        path = next((path for kind, path in targets.values() if kind == "styles"), None)
        if path is None:
            return {}
        styles = self._part(path)
        own = {
            int(node.get("numFmtId", "0")): _format_kind(node.get("formatCode", ""))
            for node in _children(_child(styles, "numFmts"), "numFmt")
        }
        kinds = {}
        for place, node in enumerate(_children(_child(styles, "cellXfs"), "xf")):
            number = int(node.get("numFmtId", "0"))
            kind = own[number] if number in own else _builtin_kind(number)
            if kind:
                kinds[str(place)] = kind
        return kinds


class _Builder(TreeBuilder):
    """Refuses a document type: entities declared in one can grow without bound."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise ValueError("a document type in a sheet")


def _builtin_kind(number: int) -> str:
    if number in _PERCENTS:
        return "percent"
    return "date" if number in _DATES else "elapsed" if number in _ELAPSED else ""


def _format_kind(code: str) -> str:
    r"""Say what a number format shows.

    >>> [_format_kind(code) for code in ("0.0%", 'yyyy\\-mm\\-dd', "[h]:mm", '0.0" SUVmax"')]
    ['percent', 'date', 'elapsed', '']
    """
    shown = _LITERAL.sub("", code.split(";")[0]).lower()
    if "general" in shown:
        return ""
    if "%" in shown:
        return "percent"
    if "[" in shown:
        return "elapsed"
    return "date" if re.search("[dmyhs]", shown) else ""


def _place(reference: str | None, number: int) -> tuple[int, int]:
    """Return the row and the column of `B7`, the column counted from 0."""
    found = _REFERENCE.fullmatch(reference or "")
    if not found:
        raise ValueError(f"not a place in a sheet: {reference}")
    column = 0
    for letter in found.group(1):
        column = 26 * column + ord(letter) - 64
    return number or int(found.group(2)), column - 1


def column_letters(column: int) -> str:
    """Return the letters of a column counted from 0.

    >>> column_letters(0), column_letters(25), column_letters(26), column_letters(701)
    ('A', 'Z', 'AA', 'ZZ')
    """
    letters, column = "", column + 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def _local(node: Element) -> str:
    """The name of a node without its namespace: a "strict" workbook has another one."""
    return node.tag.rpartition("}")[2]


def _children(node: Element | None, tag: str) -> list[Element]:
    return [] if node is None else [child for child in node if _local(child) == tag]


def _child(node: Element, tag: str) -> Element | None:
    return next(iter(_children(node, tag)), None)


def _string(node: Element) -> str:
    """Return the plain text of a string, without how its parts look and are pronounced."""
    texts = []
    for child in node:
        tag = _local(child)
        if tag == "t":
            texts.append(child.text or "")
        elif tag == "r":
            texts += [part.text or "" for part in child if _local(part) == "t"]
    return _unescaped("".join(texts))


def _unescaped(text: str) -> str:
    """Excel writes signs that XML cannot hold as `_x000D_`."""
    if "_x" not in text:
        return text
    return _ESCAPED.sub(lambda found: chr(int(found.group(1), 16)), text).replace("\r\n", "\n")
