"""From an entry of `sources:` to its tables of cells, whatever file or server holds them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from captem import headings, redcap
from captem.parts import Source
from captem.problems import ERROR, Problem
from captem.source_table import NotReadableFile, SourceTable
from captem.sources import read_source


@dataclass(frozen=True)
class Taken:
    """One table of a source as it came, or the problem that there is none.

    path : the file it is from; empty for the API of REDCap.
    hidden : headings that the project's own dictionary marks as identifiers.
    """

    table: str
    path: str
    cells: SourceTable | None
    problem: Problem | None = None
    hidden: frozenset[str] = frozenset()


def taken(source: Source, environment: Mapping[str, str]) -> list[Taken]:
    """Read what a source names; a file that cannot be read is a problem and no exception.

    `environment` holds the token of a REDCap project, under the name that the config gives.
    """
    if source.redcap:
        return _from_api(source, environment)
    names = headings_of(source)
    found = []
    wanted = [("patients", source.patients, source.sheet)]
    if lesions := source.lesions or (source.patients if source.lesions_sheet else None):
        wanted.append(("lesions", lesions, source.lesions_sheet))
    dictionary: list[dict[str, str]] = []
    for table, path, sheet in wanted:
        try:
            if source.dictionary and not dictionary:
                dictionary = _dictionary(source.dictionary)
            given = read_source(path, path, sheet=sheet, is_heading=names)
        except NotReadableFile as error:
            file = path if error.rule != "not_a_dictionary" else source.dictionary or path
            found.append(Taken(table, path, None, _problem(error, file)))
            continue
        given, hidden = redcap.prepared(given, dictionary)
        patients, marks = given, None
        if table == "patients" and len(wanted) == 1:
            patients, marks = redcap.split(given)
        found.append(Taken(table, path, patients, hidden=hidden))
        if marks is not None:
            found.append(Taken("lesions", path, marks, hidden=hidden))
    return _synthetic_as_a_whole(found)


def _synthetic_as_a_whole(found: list[Taken]) -> list[Taken]:
    """Say of every table of a file what one sheet of it says: that its data are synthetic."""
    said: dict[str, list[str]] = {}
    for item in found:
        if item.cells is not None and item.cells.synthetic:
            said.setdefault(item.path, item.cells.synthetic_lines)
    return [
        replace(item, cells=replace(item.cells, note=[*said[item.path], *item.cells.note]))
        if item.cells is not None and item.path in said and not item.cells.synthetic
        else item
        for item in found
    ]


def headings_of(source: Source) -> Callable[[str], bool]:
    """Return what says whether a text is a heading that this source or captem knows."""
    own = {heading.strip() for heading in source.columns.values()}
    return lambda text: text.strip() in own or headings.is_heading(text.strip())


def _dictionary(path: str) -> list[dict[str, str]]:
    table = read_source(path, path, is_heading=lambda text: text.strip('"') in redcap.HEADINGS)
    return redcap.read_dictionary(table)


def _from_api(source: Source, environment: Mapping[str, str]) -> list[Taken]:
    from captem import redcap_api

    assert source.redcap is not None
    url = source.redcap["url"]
    try:
        token = redcap_api.token_from(environment, source.redcap["token_env"])
        export = redcap_api.fetch(url, token)
        given = redcap.from_api(export.header, export.records, url)
    except NotReadableFile as error:
        return [Taken("patients", "", None, _problem(error, url))]
    given, hidden = redcap.prepared(given, export.dictionary)
    given = replace(given, problems=[*given.problems, *_withheld(export.withheld, url)])
    patients, marks = redcap.split(given)
    found = [Taken("patients", "", patients, hidden=hidden)]
    return found if marks is None else [*found, Taken("lesions", "", marks, hidden=hidden)]


def _withheld(names: tuple[str, ...], url: str) -> list[Problem]:
    if not names:
        return []
    return [
        Problem(
            "warning", "identity_dropped", url, column=", ".join(names),
            allowed="fields that hold values and do not identify a person",
            mend="nothing: these fields were not asked for, and never left the server",
        )
    ]  # fmt: skip


def _problem(error: NotReadableFile, file: str) -> Problem:
    return Problem(
        ERROR, error.rule, file, value=error.value, allowed=error.allowed, mend=error.mend
    )
