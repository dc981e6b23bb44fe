"""What the check of the figures found, as lines of `preflight.csv` and as a table for the terminal.

Only the standard library: the terminal needs it before anything else is loaded.
"""

from __future__ import annotations

import csv
import shutil
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

OK, WARNING, FAIL, NOT_DRAWN = "ok", "warning", "fail", "not drawn"
# The columns of the table on the terminal, and the checks that each sums up.
_HEADINGS = {
    "files": ("file", "data"),
    "size": ("size",),
    "dpi": ("resolution",),
    "RGB": ("colour mode", "compression"),
    "fonts": ("fonts",),
    "text": ("smallest text", "raised signs"),
    "contrast": ("contrast",),
    "caption": ("caption",),
    "alt text": ("alt text",),
}
_WORST_FIRST = (FAIL, WARNING, OK)
_INDENT = " " * 9


@dataclass(frozen=True)
class Row:
    """One line of `preflight.csv`: one check of one file of a figure."""

    figure: str
    file: str
    check: str
    found: str
    allowed: str
    status: str
    mend: str = ""


COLUMNS = tuple(field.name for field in fields(Row))


def as_records(rows: Iterable[Row]) -> list[dict[str, str]]:
    """Return the rows of `preflight.csv`."""
    return [asdict(row) for row in rows]


def read(path: str | Path) -> list[Row]:
    """Read `preflight.csv`."""
    with Path(path).open(encoding="utf-8", newline="") as stream:
        return [Row(**row) for row in csv.DictReader(stream)]


def failing(rows: Iterable[Row]) -> list[Row]:
    """Return the rows for which a journal may send the figures back."""
    return [row for row in rows if row.status == FAIL]


def as_text(rows: Sequence[Row], width: int | None = None) -> str:
    """Return a table, figures by checks, and below it what is wrong and how to mend it.

    The same fault of several files is one entry.
    """
    width = max(width or min(shutil.get_terminal_size((100, 24)).columns, 120), 40)
    figures = list(dict.fromkeys(row.figure for row in rows))
    name = max([len(figure) for figure in figures] + [len("figure")])
    lines = [f"{'figure':<{name}}  {_spaced(_HEADINGS)}"]
    for figure in figures:
        of_figure = [row for row in rows if row.figure == figure]
        lines.append(f"{figure:<{name}}  {_cells(of_figure)}")
    entries: dict[tuple[str, str, str, str], list[Row]] = {}
    for status in (FAIL, WARNING):
        for row in rows:
            if row.status == status:
                key = (status, row.check, row.allowed, row.mend)
                entries.setdefault(key, []).append(row)
    for group in entries.values():
        lines += _entry(group, width)
    lines += textwrap.wrap(_summed(rows, len(figures)), width)
    return "\n".join(lines)


def _cells(rows: Sequence[Row]) -> str:
    for row in rows:
        if row.status == NOT_DRAWN:
            return f"not drawn: {row.found}"
    cells = []
    for checks in _HEADINGS.values():
        found = {row.status for row in rows if row.check in checks}
        worst = next((status for status in _WORST_FIRST if status in found), "-")
        cells.append({FAIL: "FAIL", WARNING: "warn"}.get(worst, worst))
    return _spaced(cells)


def _spaced(cells: Iterable[str]) -> str:
    """Put cells below their headings."""
    pairs = zip(cells, _HEADINGS, strict=True)
    return "  ".join(
        f"{cell:<{max(len(heading), len('FAIL'))}}" for cell, heading in pairs
    ).rstrip()


def _entry(group: Sequence[Row], width: int) -> list[str]:
    first = group[0]
    found = list(dict.fromkeys(row.found for row in group))
    more = f" | and {len(found) - 4} more" if len(found) > 4 else ""
    head = f"{first.status.upper():<{len(_INDENT) - 1}} {first.check}: "
    lines = _wrapped(head + ", ".join(row.file for row in group), width, "")
    lines += _wrapped(f"found: {' | '.join(found[:4])}{more}; allowed: {first.allowed}", width)
    return lines + _wrapped(f"To mend: {first.mend}", width)


def _wrapped(text: str, width: int, start: str = _INDENT) -> list[str]:
    return textwrap.wrap(
        text, width, initial_indent=start, subsequent_indent=f"{_INDENT}  ", break_on_hyphens=False,
        break_long_words=False, drop_whitespace=True,
    )  # fmt: skip


def _summed(rows: Sequence[Row], figures: int) -> str:
    fails = len(failing(rows))
    warnings = sum(row.status == WARNING for row in rows)
    said = [f"{count} {noun}{'' if count == 1 else 's'}" for count, noun in (
        (figures, "figure"), (fails, "fault"), (warnings, "warning"))]  # fmt: skip
    after = (
        "to be mended before they are sent"
        if fails
        else "check against the journal's own instructions"
    )
    return f"{said[0]}, {said[1]}, {said[2]}; {after}."
