"""Which sheet of a workbook holds the patients, and which the lesions: by their headings alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from captem import headings
from captem.errors import CaptemError
from captem.source_table import NotReadableFile
from captem.sources import read_source

_SCORES = ("krenning", "suvmax")
_ENOUGH = 2
_NAMED = re.compile(r"l(e|é|ae|ä)sion", re.IGNORECASE)


class SheetSeen(NamedTuple):
    """A sheet of a workbook: its name, whether it is hidden, and what its headings speak of.

    known : how many columns captem knows, as a table of patients or of lesions.
    scores : whether there are scores or SUVmax among them.
    lesions : whether its name or a heading says that it holds lesions.
    """

    name: str
    hidden: bool = False
    known: int = 0
    scores: bool = False
    lesions: bool = False


class Choice(NamedTuple):
    """The sheets taken for patients and lesions; empty where there is none."""

    patients: str = ""
    lesions: str = ""


def sheets_of(path: str) -> list[SheetSeen]:
    """Return the sheets of a workbook; of any other file, or of a damaged one, nothing.

    What is wrong with a file is said by its reader, which comes next.
    """
    try:
        data = Path(path).read_bytes()
    except (OSError, ValueError):
        return []
    if not data.startswith(b"PK"):
        return []
    from captem.xlsx_cells import Package

    try:
        hidden = Package(data).hidden
    except Exception:  # damaged XML fails in many ways; the reader of the file says so in words
        return []
    return [_seen(path, name, away) for name, away in hidden.items()]


def _seen(path: str, name: str, hidden: bool) -> SheetSeen:
    if hidden:
        return SheetSeen(name, hidden)
    try:
        header = read_source(path, path, sheet=name, is_heading=headings.is_heading).header
    except NotReadableFile:
        return SheetSeen(name)
    names = {found.name for text in header if (found := headings.meaning(text, "patients"))}
    marks = {found.name for text in header if (found := headings.meaning(text, "lesions"))}
    return SheetSeen(
        name,
        known=max(len(names), len(marks)),
        scores=bool(names & set(_SCORES)),
        lesions="lesion_id" in marks or _NAMED.search(name) is not None,
    )


def chosen(
    sheets: Sequence[SheetSeen], file: str, patients: str = "", lesions: str = "", *,
    elsewhere: bool = False,
) -> Choice:  # fmt: skip
    """Return which sheets of one workbook are meant.

    Parameters
    ----------
    patients, lesions : the sheets that the user named.
    elsewhere : the lesions are in another file.

    Raises
    ------
    CaptemError
        If several could be, so that the user has to say which.

    >>> chosen([SheetSeen("A", known=4, scores=True), SheetSeen("B", known=3, lesions=True)], "x")
    Choice(patients='A', lesions='B')
    """
    filled = [sheet for sheet in sheets if sheet.known >= _ENOUGH and sheet.name != lesions]
    others = [sheet for sheet in filled if not sheet.lesions]
    scored = [sheet for sheet in others if sheet.scores]
    # Where no sheet has known headings the reader takes the only filled one, or says what is wrong.
    patients = patients or _only(scored or others or filled, "the patients", "--sheet", file)
    if lesions or elsewhere:
        return Choice(patients, lesions)
    marks = [sheet for sheet in filled if sheet.lesions and sheet.name != patients]
    return Choice(patients, _only(marks, "the lesions", "--lesions-sheet", file))


def lesions_among(sheets: Sequence[SheetSeen], file: str) -> str:
    """Return the sheet with the lesions of a workbook that was given for them, or nothing.

    Raises
    ------
    CaptemError
        If several could be meant.
    """
    filled = [sheet for sheet in sheets if sheet.known >= _ENOUGH]
    marks = [sheet for sheet in filled if sheet.lesions] or filled
    return _only(marks, "the lesions", "--lesions-sheet", file)


def named(wanted: str, sheets: Sequence[SheetSeen], file: str) -> str:
    """Return the sheet that the user names, as the workbook spells it.

    Raises
    ------
    CaptemError
        If the file has no such sheet.
    """
    for sheet in sheets:
        if sheet.name.strip().lower() == wanted.strip().lower():
            return sheet.name
    if not sheets:
        raise CaptemError(f"{file} has no sheets to choose from: leave out the name {wanted!r}.")
    raise CaptemError(f"{file} has no sheet {wanted!r}. Its sheets: {_listed(sheets)}.")


def _only(sheets: Sequence[SheetSeen], what: str, option: str, file: str) -> str:
    if len(sheets) > 1:
        raise CaptemError(
            f"Several sheets of {file} could hold {what}: {_listed(sheets)}.\n"
            f"Say which one: make study SHEET={file} OPTIONS='{option} \"{sheets[0].name}\"'"
        )
    return sheets[0].name if sheets else ""


def _listed(sheets: Sequence[SheetSeen]) -> str:
    return ", ".join(f'"{sheet.name}"' for sheet in sheets)
