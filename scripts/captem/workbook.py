"""Read one sheet of an Excel workbook (.xlsx) as a table of texts."""

from __future__ import annotations

import difflib

from captem.header_row import (
    Headings,
    find_headings,
    header_note,
    rows_above,
    without_empty_columns,
)
from captem.problems import ERROR, WARNING, Problem
from captem.source_table import WANTED, IsHeading, NotReadableFile, SourceTable, check_size
from captem.xlsx_cells import Cell, Package, Sheet, column_letters

_EMPTY = Cell("")
_MENDS = {
    "formula_error": (
        "a value",
        "correct the formula, or leave the cell empty if the value is not known",
    ),
    "formula_without_value": (
        "a formula that has been calculated",
        "open the workbook in Excel, let it calculate, and save it",
    ),
}


def read_workbook(data: bytes, name: str, sheet: str, is_heading: IsHeading) -> SourceTable:
    """Read a sheet of a workbook; `name` is the path as the config gives it.

    With `sheet` empty it is the only visible sheet that holds anything, or the only one with two
    known headings. Numbers are given as a spreadsheet shows them at most, with 15 digits; dates as
    ISO text; percent-formatted cells as `7%`, with their stored value among the repairs.

    Raises
    ------
    NotReadableFile
        If the workbook is damaged, too large, empty, or it is not clear which sheet is meant.
    """
    try:
        package = Package(data)
        return _table(_chosen(package, sheet, is_heading), package, name, is_heading)
    except NotReadableFile:
        raise
    except Exception as error:  # damaged XML fails in many ways, none of them foreseen one by one
        raise NotReadableFile(
            "broken_workbook", f"a damaged or incomplete workbook ({type(error).__name__})",
            "an Excel workbook (.xlsx)",
            "open it in Excel and save it again, or copy the file again from where it came",
        ) from None  # fmt: skip


def _chosen(package: Package, sheet: str, is_heading: IsHeading) -> Sheet:
    names = list(package.hidden)
    if sheet.strip():
        wanted = {name.strip().lower(): name for name in reversed(names)}
        if sheet.strip().lower() not in wanted:
            near = difflib.get_close_matches(sheet.strip().lower(), wanted, 1, 0.5)
            raise NotReadableFile(
                "missing_sheet", sheet.strip(), f"one of the sheets {_listed(names)}",
                f"write sheet: {_quoted(wanted[near[0]] if near else names[0])} in the config"
                if names else "name another file in the config",
            )  # fmt: skip
        return package.sheet(wanted[sheet.strip().lower()])
    visible = [package.sheet(name) for name in names if not package.hidden[name]]
    filled = [found for found in visible if found.filled]
    if not filled:
        unseen = [name for name in names if package.hidden[name]]
        raise NotReadableFile(
            "empty_file", "no visible sheet holds anything", WANTED,
            f"fill in a sheet, or show the hidden one ({_listed(unseen)})" if unseen
            else "fill in the file, or name another one in the config",
        )  # fmt: skip
    if len(filled) == 1:
        return filled[0]
    known = [found for found in filled if _headings(found, is_heading)[2].known > 1]
    if len(known) == 1:
        return known[0]
    raise NotReadableFile(
        "which_sheet", f"{len(filled)} sheets: {_listed([found.name for found in filled])}",
        "one sheet with known headings, or its name in the config",
        "name the sheet with the table under sheet: in the config",
    )  # fmt: skip


def _quoted(name: str) -> str:
    return f'"{name}"'


def _listed(names: list[str]) -> str:
    return ", ".join(map(_quoted, names))


def _headings(sheet: Sheet, is_heading: IsHeading) -> tuple[list[list[str]], list[int], Headings]:
    """Return the rows that hold anything as texts, their numbers, and the row of headings."""
    numbers = [
        number
        for number, row in sorted(sheet.cells.items())
        # A row of nothing but #DIV/0! is a formula drawn down below the table.
        if any(cell.text.strip() or cell.fault == "formula_without_value" for cell in row.values())
    ]
    if not numbers:
        raise NotReadableFile(
            "empty_file", f"sheet {_quoted(sheet.name)} is empty", WANTED,
            "fill in the sheet, or name another one in the config",
        )  # fmt: skip
    # Columns are counted among those that hold anything, however far to the right they stand.
    columns = _columns(sheet, numbers)
    check_size(len(numbers), len(columns))
    rows = [[sheet.cells[n].get(c, _EMPTY).text for c in columns] for n in numbers]
    places = {column: place for place, column in enumerate(columns)}
    merged = [
        (top, min(within), bottom, max(within))
        for top, left, bottom, right in sheet.merged
        if (within := [places[c] for c in columns if left <= c <= right])
    ]
    return rows, numbers, find_headings(rows, numbers, is_heading, merged)


def _columns(sheet: Sheet, numbers: list[int]) -> list[int]:
    return sorted({column for number in numbers for column in sheet.cells[number]})


def _table(sheet: Sheet, package: Package, name: str, is_heading: IsHeading) -> SourceTable:
    texts, numbers, found = _headings(sheet, is_heading)
    columns = _columns(sheet, numbers)
    start = found.place - found.grouped
    header = found.texts + [""] * (len(columns) - len(found.texts))
    headings = {
        column: heading or f"column {column_letters(column)}"
        for column, heading in zip(columns, header, strict=True)
    }
    problems = rows_above(texts, numbers, found, name, sheet.name)
    data = numbers[found.place + 1 :]
    problems += _faults(sheet, numbers[start:], headings, name)
    problems += _merged(sheet, set(data), headings, name)
    hidden = sheet.hidden_rows & set(data)
    if hidden:
        problems.append(
            Problem(
                WARNING, "hidden_rows", name, sheet.name, value=f"hidden rows: {len(hidden)}",
                allowed="every row in sight",
                mend="nothing: hidden and filtered rows are read like all others; "
                "delete those that do not belong to the study",
            )
        )  # fmt: skip
    repairs = [
        (number, headings[column], cell.stored, cell.text, "percent_format")
        for number in data
        for column, cell in sorted(sheet.cells[number].items())
        if cell.text and cell.stored
    ]
    header, rows, _ = without_empty_columns(header, texts[found.place + 1 :])
    return SourceTable(
        file=name,
        header=header,
        rows=rows,
        numbers=data,
        sheet=sheet.name,
        note=header_note(texts[:start]),
        day_zero=package.epoch.date().isoformat(),
        problems=problems,
        repairs=repairs,
    )


def _faults(sheet: Sheet, numbers: list[int], headings: dict[int, str], name: str) -> list[Problem]:
    return [
        Problem(
            ERROR, cell.fault, name, sheet.name, str(number), column=headings[column],
            value=cell.stored or f"cell {column_letters(column)}{number}",
            allowed=_MENDS[cell.fault][0], mend=_MENDS[cell.fault][1],
        )
        for number in numbers
        for column, cell in sorted(sheet.cells[number].items())
        if cell.fault
    ]  # fmt: skip


def _merged(sheet: Sheet, data: set[int], headings: dict[int, str], name: str) -> list[Problem]:
    """Return an error for each row of merged cells: whose the value is cannot be known."""
    problems = []
    for top, left, bottom, right in sorted(sheet.merged):
        covered = [number for number in sorted(data) if top <= number <= bottom]
        value = sheet.cells.get(top, {}).get(left, _EMPTY).text
        if not covered or not value.strip() or (top, left) == (bottom, right):
            continue
        place = f"{column_letters(left)}{top}:{column_letters(right)}{bottom}"
        rows = f"rows {top} to {bottom}" if bottom > top else f"row {top}"
        problems += [
            Problem(
                ERROR, "merged_cells", name, sheet.name, str(number),
                column=headings.get(left, f"column {column_letters(left)}"),
                value=f"merged cells {place} ({rows})", allowed="one cell a patient and column",
                mend="unmerge and fill in every row" if bottom > top
                else "unmerge and fill in every column",
            )
            for number in covered
        ]  # fmt: skip
    return problems
