"""Find the row of headings among the first rows of a table, whatever titles stand above it.

A sheet made by hand has a title, a date and an empty row on top, and often two rows of headings: a
group ("Krenning score") over its members ("before", "after"). The headings that captem knows decide
which row it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from captem.problems import ERROR, Problem
from captem.source_table import IsHeading

# So many rows are looked at: a row of headings further down has other tables above it.
_LOOKED_AT = 20
_NUMBER = re.compile(r"[<>=~ ]*\d+([.,]\d+)?[ %]*")
Row = Sequence[str]
# Top, left, bottom, right of merged cells: rows as the file counts them, columns from 0.
Merged = tuple[int, int, int, int]


@dataclass(frozen=True)
class Headings:
    """The row of headings: its place among the rows, its texts, and how many of them are known.

    grouped : the row above belongs to the headings and is no title.
    """

    place: int
    texts: list[str]
    known: int
    grouped: bool = False


def find_headings(
    rows: Sequence[Row],
    numbers: Sequence[int],
    is_heading: IsHeading,
    merged: Sequence[Merged] = (),
) -> Headings:
    """Return the row of headings of a table.

    Parameters
    ----------
    rows, numbers : the rows that hold anything, at least one, and their row numbers.
    is_heading : says whether a text is a heading that is known.
    merged : the merged cells of the sheet.

    It is the first row with two known headings or more, or else with one. Where none is known it is
    the first row with more than half as many cells as the fullest one: not "as many", since a
    decimal comma makes rows of a comma-separated file longer than their headings.
    """
    tried: list[Headings] = []
    for place in range(min(len(rows), _LOOKED_AT)):
        one = _single(rows[place], place, is_heading)
        two = _double(rows, numbers, place, is_heading, merged)
        tried.append(two if two and _rank(two) > _rank(one) else one)
    for least in (2, 1):
        for best in tried:
            if best.known < least:
                continue
            # A group row that knows headings by itself: those that have no second row.
            below = tried[best.place + 1] if best.place + 1 < len(tried) else best
            return below if below.grouped and below.known > best.known else best
    widest = max(_filled(row) for row in rows)
    for row, best in zip(rows, tried, strict=False):
        if 2 * _filled(row) > widest and not row[_first(row)].lstrip(' "').startswith("#"):
            return best
    return tried[0]


def header_note(rows: Sequence[Row]) -> list[str]:
    """Return the note among the rows above the headings: lines with `#`, and what says synthetic.

    Other text above the headings is a title. That data are synthetic must show wherever they do.
    """
    lines = [" ".join(cell.strip() for cell in row if cell.strip()) for row in rows]
    bare = [line.lstrip('"# ').rstrip('" ') for line in lines]
    return [
        text
        for line, text in zip(lines, bare, strict=True)
        if line.lstrip('" ').startswith("#") or text.lower().startswith("synthetic")
    ]


def rows_above(
    rows: Sequence[Row], numbers: Sequence[int], found: Headings, file: str, sheet: str = ""
) -> list[Problem]:
    """Return an error for each row above the headings that looks like a row of the table.

    Headings that were sorted into the table would otherwise cost the patients above them.
    """
    above = range(found.place - found.grouped)
    wanted = max(2, sum(bool(text) for text in found.texts) / 2)
    return [
        Problem(
            ERROR, "rows_above_headings", file, sheet, str(numbers[place]),
            value=f"{_filled(rows[place])} filled cells above the headings in row "
            f"{numbers[found.place]}",
            allowed="only a title above the headings",
            mend="move the row of headings above all patients, or remove this row",
        )
        for place in above
        if _filled(rows[place]) > wanted
        and any(_NUMBER.fullmatch(cell.strip()) for cell in rows[place])
    ]  # fmt: skip


def without_empty_columns(
    header: list[str], rows: list[list[str]]
) -> tuple[list[str], list[list[str]], list[int]]:
    """Leave out the columns that have neither a heading nor a value; say which are left."""
    kept = [
        place
        for place, heading in enumerate(header)
        if heading or any(row[place].strip() for row in rows)
    ]
    if len(kept) == len(header):
        return header, rows, kept
    return [header[i] for i in kept], [[row[i] for i in kept] for row in rows], kept


def tidy(text: str) -> str:
    """Return a heading as the eye sees it: a line break or two blanks are one blank."""
    return " ".join(text.split())


def _filled(row: Row) -> int:
    return sum(bool(cell.strip()) for cell in row)


def _first(row: Row) -> int:
    return next((place for place, cell in enumerate(row) if cell.strip()), 0)


def _rank(found: Headings) -> tuple[int, int]:
    filled = [text for text in found.texts if text]
    return found.known, len(set(filled)) - len(filled)


def _counted(texts: list[str], is_heading: IsHeading) -> int:
    return sum(bool(text) and is_heading(text) for text in texts)


def _single(row: Row, place: int, is_heading: IsHeading) -> Headings:
    texts = [tidy(cell) for cell in row]
    # A `#` before the first heading is a slip, where it is not part of the heading.
    if texts and texts[0].startswith("#") and not is_heading(texts[0]):
        bare = texts[0].lstrip("# ")
        texts[0] = bare if is_heading(bare) else texts[0]
    return Headings(place, texts, _counted(texts, is_heading))


def _double(
    rows: Sequence[Row],
    numbers: Sequence[int],
    place: int,
    is_heading: IsHeading,
    merged: Sequence[Merged],
) -> Headings | None:
    """Read a row together with the row right above it; None where there is none."""
    if place == 0 or numbers[place - 1] != numbers[place] - 1:
        return None
    width = max(len(rows[place]), len(rows[place - 1]))
    above, below = (
        [tidy(cell) for cell in rows[i]] + [""] * (width - len(rows[i])) for i in (place - 1, place)
    )
    groups = _groups(above, below, numbers[place - 1], merged)
    texts = []
    for over, group, sub in zip(above, groups, below, strict=True):
        joined = f"{group} {sub}".strip()
        value = any(sign.isdigit() for sign in sub) and not any(sign.isalpha() for sign in sub)
        if not sub:
            texts.append(over)
        elif not group or value:
            texts.append(sub)
        elif is_heading(joined):
            texts.append(sub if is_heading(sub) and below.count(sub) == 1 else joined)
        else:
            texts.append(joined if below.count(sub) > 1 and not is_heading(sub) else sub)
    return Headings(place, texts, _counted(texts, is_heading), grouped=True)


def _groups(above: list[str], below: list[str], number: int, merged: Sequence[Merged]) -> list[str]:
    """Return the group heading over each column: merged cells, or a text and the blanks after it.

    A title over the whole width of the table is no group.
    """
    groups = list(above)
    spans = [(left, right) for top, left, _, right in merged if top == number and right > left]
    if not spans:
        starts = [place for place, text in enumerate(above) if text]
        ends = [*(start - 1 for start in starts[1:]), len(above) - 1]
        spans = list(zip(starts, ends, strict=True)) if starts else []
    members = {place for place, text in enumerate(below) if text}
    for left, right in spans:
        covered = set(range(left, min(right, len(above) - 1) + 1))
        title = members <= covered
        for place in covered:
            groups[place] = "" if title else above[left]
    return groups
