"""Read the files of a source, cell by cell, each by the notation of its column.

Nothing is guessed: what cannot be read is a `Problem`, what is read differently from how it was
written is a repair, and a column that identifies a person is dropped before anything else sees it.
The result is still in the layout of the file; `captem.layout` makes one row a patient of it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from captem import cells, headings, identity, notation
from captem.headings import DATE, LAYOUT, SCHEMAS, Meaning
from captem.problems import ERROR, WARNING, Problem
from captem.schemas import Field, fields, scans
from captem.source_table import SourceTable
from captem.visits import visit_number

# What captem adds to the cells of a file: where each row stood, and whether it is synthetic. A row
# of two scans stands in two rows of a file that has one row a scan.
BOOKKEEPING = ("synthetic", "_file", "_sheet", "_row", "_row_post", "_follow_ups")
PAIRS = (("krenning_pre", "krenning_post"), ("suvmax_pre", "suvmax_post"))
_MOST_VISITS = 20
PAIRED = ("krenning", "suvmax", "krenning_reader2")


@dataclass(frozen=True)
class Source:
    """One entry of `sources:` in the config; see there for what each setting means."""

    name: str
    patients: str = ""
    lesions: str | None = None
    sheet: str = ""
    lesions_sheet: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    dictionary: str | None = None
    redcap: Mapping[str, Any] | None = None
    visits: Mapping[str, list[str]] = field(default_factory=dict)
    missing_codes: tuple[str, ...] = ()
    date_order: str = ""
    units: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Column:
    """A column of the file that captem reads.

    name : what it is called while it has the layout of the file: `krenning_pre`, `mib1`, or
        `krenning` in a table with one row a scan, `krenning_post#2` for a second follow-up.
    spec : how its cells are read.
    frame : the columns it fills.
    side : 0 or 1 where each cell holds the values of both scans and this is the first or second.
    """

    name: str
    place: int
    heading: str
    spec: Field
    frame: tuple[str, ...]
    unit: str = ""
    side: int | None = None


@dataclass
class Part:
    """One table while it is read: its cells, what is known of its columns, problems, repairs."""

    source: Source
    table: str
    cells: SourceTable | None
    frame: pd.DataFrame
    columns: list[Column] = field(default_factory=list)
    layout: dict[str, int] = field(default_factory=dict)
    long: bool = False
    visits: list[str] = field(default_factory=list)
    hidden: set[str] = field(default_factory=set)
    rewritten: bool = False
    sealed: bool = False
    problems: list[Problem] = field(default_factory=list)
    repairs: list[dict[str, Any]] = field(default_factory=list)
    _by_column: list[tuple[str, ...]] | None = None
    _distinct: dict[int, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)

    def distinct_texts(self, place: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the distinct cells of a column, and which of them stands in each row."""
        if place not in self._distinct:
            codes, distinct = pd.factorize(self.cell_texts(place))
            self._distinct[place] = codes, distinct
        return self._distinct[place]

    def cell_texts(self, place: int) -> np.ndarray:
        """Return the cells of one column of the file."""
        if self._by_column is None:
            assert self.cells is not None
            rows = self.cells.rows
            self._by_column = (
                list(zip(*rows, strict=True)) if rows else [()] * len(self.cells.header)
            )
        texts = np.empty(len(self._by_column[place]), dtype=object)
        texts[:] = self._by_column[place]
        return texts

    @property
    def headless(self) -> bool:
        """True where no heading is known: the first row may be a patient's, and is not shown."""
        if self.cells is None or self.columns or self.layout:
            return False
        chosen = {text.strip() for text in self.source.columns.values()}
        labels = self.cells.labels
        return not any(
            heading in chosen
            or headings.meaning(heading, self.table)
            or headings.meaning(labels.get(heading, ""), self.table)
            for heading in self.cells.header
        )

    @property
    def names(self) -> set[str]:
        """The input columns that the table gives, by captem's names."""
        given = {column.name.split("#")[0] for column in self.columns}
        if self.long:
            sides = scans(SCHEMAS[self.table])
            given |= {name for stem in given for name in sides.get(stem, {}).values()}
        return given

    def heading(self, name: str) -> str:
        """Return the file's own heading of an input column, or its name where it has none."""
        for wanted in (name, _stem(name, self.table)):
            for column in self.columns:
                if column.name == wanted:
                    return column.heading
        return name


def read_part(
    source: Source,
    table: str,
    given: SourceTable,
    key: str | None = None,
    hidden: frozenset[str] = frozenset(),
) -> Part:
    """Read the table of a source; what is wrong with it is listed in the result, never raised.

    Parameters
    ----------
    key : with it, the codes of patients are replaced by hashes before anything else sees them.
    hidden : headings that the file's own dictionary marks as identifiers.
    """
    part = Part(source, table, given, _empty(), hidden=set(hidden))
    part.problems += [_with_place(problem, given) for problem in given.problems]
    _name_columns(part)
    ids = _ids(part, key)
    _hide(part, ids, key)
    part.frame = _read_cells(part, ids)
    _explain_ragged(part)
    return part


def _hide(part: Part, ids: list[str | None], key: str | None) -> None:
    """Take out of the cells what identifies a person, before anything is made of them.

    With a key the codes of the patients are replaced wherever they stand. An e-mail address or a
    telephone number in a cell is blanked, and listed.
    """
    assert part.cells is not None
    place = next((item.place for item in part.columns if item.name == "patient_id"), None)
    if part.headless:
        # The headings may be the cells of a patient.
        part.hidden |= set(part.cells.header)
        part.sealed = True
        part.problems = [item for item in part.problems if item.rule != "repeated_heading"]
    # With a key and no column of codes, any other column may hold them.
    part.sealed |= key is not None and place is None
    part.rewritten |= part.sealed or key is not None
    told = _blank_addresses(part, ids, place)
    codes: identity.Codes | None = None
    changed: dict[int, np.ndarray] = {}
    if key is not None and place is not None:
        texts, stand_ins = part.cell_texts(place), np.array([code or "" for code in ids], object)
        printed = map(notation.printable, texts)
        codes = identity.Codes(dict(zip(printed, stand_ins, strict=True)))
        changed[place] = stand_ins
    changed |= told
    if key is not None and place is None:
        changed |= _without_words(part, key)
    if codes is not None:
        for at in range(len(part.cells.header)):
            if at != place:
                changed[at] = _without_codes(part, at, changed.get(at), codes, ids)
    if changed:
        columns = [changed.get(at, part.cell_texts(at)) for at in range(len(part.cells.header))]
        rows = [list(row) for row in zip(*columns, strict=True)]
        part.cells, part.rewritten = replace(part.cells, rows=rows), True
        part._by_column, part._distinct = None, {}
    _hide_notes(part, codes)


def _without_words(part: Part, key: str) -> dict[int, np.ndarray]:
    """Return the columns of words empty, for any may hold a code; lesions are still told apart."""
    result = {}
    for item in part.columns:
        texts = part.cell_texts(item.place)
        if item.name.split("#")[0] == "lesion_id":
            texts[:] = [identity.hashed(text.strip(), key) for text in texts]
        elif item.spec.kind == "text":
            texts[:] = ""
        else:
            continue
        result[item.place] = texts
    return result


def _blank_addresses(part: Part, ids: list[str | None], place: int | None) -> dict[int, np.ndarray]:
    """Return the columns with an address in some cell, without it; list each cell."""
    assert part.cells is not None
    table = part.cells
    kinds = {item.place: item.spec.kind for item in part.columns}
    found: dict[int, np.ndarray] = {}
    for at, heading in enumerate(table.header):
        if at == place or part.sealed:
            continue
        codes, distinct = part.distinct_texts(at)
        kind = kinds.get(at, "")
        # A column that is dropped as a whole says so once.
        if at not in kinds and at not in part.layout.values() and _looks(part, at):
            continue
        exact = kind in ("score", "count", "percent")
        whole = kind in ("text", "choice", "")
        odd = np.array(
            [not identity.without_address(text, exact=exact) or (whole and _telephone(text))
             for text in distinct], bool,
        )  # fmt: skip
        if not odd.any():
            continue
        texts = part.cell_texts(at).copy()
        for i in np.flatnonzero(odd[codes]):
            texts[i] = ""
            part.problems.append(
                Problem(
                    WARNING, "identity_removed", table.file, table.sheet, str(table.numbers[i]),
                    ids[i] or "", heading,
                    allowed="no e-mail address or telephone number",
                    mend="nothing: the cell was left out; better remove it from the file",
                )
            )  # fmt: skip
        found[at] = texts
    return found


def _telephone(text: str) -> bool:
    return len(text) > 7 and identity.is_telephone(text)


def _without_codes(
    part: Part, at: int, given: np.ndarray | None, codes: identity.Codes, ids: list[str | None]
) -> np.ndarray:
    """Return the cells of a column with the codes of patients replaced."""
    texts = part.cell_texts(at) if given is None else given
    column = next((item for item in part.columns if item.place == at), None)
    free = column is None and at not in part.layout.values()
    mark = column is not None and column.name.split("#")[0] == "lesion_id"
    numbers = free or (column is not None and column.spec.kind == "text")
    places, distinct = pd.factorize(texts)
    new = np.empty(len(distinct), dtype=object)
    new[:] = [codes.out_of(text, numbers=numbers, first=mark) for text in distinct]
    if numbers and not mark:
        # A column that repeats the codes: in any other a short one may be any number.
        whole = [codes.whole(text) for text in distinct]
        filled = np.array([bool(text.strip()) for text in distinct], bool)[places]
        same = sum(whole[i] == own for i, own in zip(places, ids, strict=True) if whole[i])
        if 2 * same > filled.sum():
            new[:] = [code or text for code, text in zip(whole, new, strict=True)]
    return new[places]


def _hide_notes(part: Part, codes: identity.Codes | None) -> None:
    """Leave out of the lines above the headings what identifies a person."""
    assert part.cells is not None
    note = []
    for line in part.cells.note:
        if part.sealed or not identity.without_address(line):
            # That the data are synthetic stays said.
            note += [line[: len("synthetic")]] if line.lower().startswith("synthetic") else []
        else:
            note.append(codes.out_of(line) if codes is not None else line)
    if note != part.cells.note:
        part.cells, part.rewritten = replace(part.cells, note=note), True


def _looks(part: Part, place: int) -> str:
    """Return from what an unused column seems to identify a person, in words; or nothing."""
    assert part.cells is not None
    heading = part.cells.header[place]
    label = part.cells.labels.get(heading, "")
    if identity.identifies(heading):
        return "its heading"
    if heading in part.hidden:
        return "the data dictionary of the project"
    if identity.identifies(label):
        return "its label"
    _, distinct = part.distinct_texts(place)
    found = [headings.meaning(text, part.table) for text in (heading, label) if text]
    meant = any(item is not None and item.name == "patient_id" for item in found)
    if meant or identity.of_patients(heading):
        return identity.kind_of_codes(distinct)
    return identity.kind_of(distinct)


def unreadable(source: Source, table: str, problem: Problem) -> Part:
    """Return the part of a file that cannot be read at all."""
    return Part(source, table, None, _empty(), problems=[problem])


def _empty() -> pd.DataFrame:
    return pd.DataFrame({"patient_id": pd.Series(dtype=object)})


def _with_place(problem: Problem, given: SourceTable) -> Problem:
    return replace(problem, file=given.file, sheet=given.sheet)


def _explain_ragged(part: Part) -> None:
    assert part.cells is not None
    part.problems += [
        Problem(
            ERROR, "ragged_row", part.cells.file, part.cells.sheet, str(number),
            value=f"{found} cells",
            allowed=f"{len(part.cells.header)} cells, as many as there are headings",
            mend="put a text that contains a comma in quotation marks, or write a decimal point",
        )
        for number, found in part.cells.ragged
    ]  # fmt: skip


# --- what each heading stands for ---------------------------------------------------------------


def _name_columns(part: Part) -> None:
    """Find out what each heading stands for: by the config, by its exact name, or by synonym."""
    assert part.cells is not None
    header = part.cells.header
    for heading in sorted({name for name in header if name and header.count(name) > 1}):
        part.problems.append(
            _of_file(
                part, ERROR, "repeated_heading", column=heading, value=heading,
                allowed="each heading once", mend="rename or remove the column that is not meant",
            )
        )  # fmt: skip
    chosen = _chosen(part)
    meanings = _meanings(part, chosen)
    if (place := _visits_by_content(part, meanings)) is not None:
        meanings[place] = Meaning(headings.VISIT)
        part.repairs.append(_heading_repair(part, header[place], headings.VISIT))
    part.long = _is_long(part, meanings)
    for place, found in meanings.items():
        heading = header[place]
        if found.name in LAYOUT:
            part.layout[found.name] = place
        elif found.name == DATE and part.table == "lesions":
            if part.long:
                spec = fields(SCHEMAS["patients"])["pet_date_pre"]
                part.columns.append(Column(DATE, place, heading, spec, (DATE,)))
        else:
            part.columns += _columns(part, place, heading, found)
    read = {column.heading for column in part.columns} | {header[i] for i in part.layout.values()}
    part.repairs = [repair for repair in part.repairs if repair["column"] in read]
    if not part.long:
        # A visit says nothing where each row holds both scans: it is kept like any other column.
        part.layout = {}


def _chosen(part: Part) -> dict[str, int | None]:
    """Return the place of each column that the config names; None where it says there is none."""
    assert part.cells is not None
    known = {*fields(SCHEMAS[part.table]), *scans(SCHEMAS[part.table]), *LAYOUT}
    chosen: dict[str, int | None] = {}
    for name, text in part.source.columns.items():
        heading = text.strip()
        if name not in known:
            continue
        if not heading:
            chosen[name] = None
        elif heading in part.cells.header:
            chosen[name] = part.cells.header.index(heading)
    return chosen


def _meanings(part: Part, chosen: Mapping[str, int | None]) -> dict[int, Meaning]:
    """Return what stands in each place of the header, one place a meaning."""
    assert part.cells is not None
    result: dict[int, Meaning] = {}
    for name, place in chosen.items():
        if place is not None:
            found = headings.meaning(name, part.table) or Meaning(name)
            unit = headings.unit_of(part.cells.header[place])
            result[place] = found._replace(unit=unit)
    taken = {found._replace(unit="") for found in result.values()}
    taken |= {headings.meaning(name, part.table) or Meaning(name) for name in chosen}
    ranks: dict[Meaning, dict[int, list[int]]] = {}
    units: dict[int, str] = {}
    found_in = [_meaning(part, heading) for heading in part.cells.header]
    one = _one_follow_up([*result.values(), *(found for found in found_in if found)])
    for place, heading in enumerate(part.cells.header):
        own = found_in[place] if place not in result else None
        if own is not None and one:
            own = own._replace(number=1)
        if own is None or own._replace(unit="") in taken:
            continue
        bare = own._replace(unit="")
        units[place] = own.unit
        ranks.setdefault(bare, {}).setdefault(_rank(heading, bare, part.table), []).append(place)
    for bare, by_rank in ranks.items():
        places = by_rank[min(by_rank)]
        if bare.name == "patient_id" and len(places) > 1:
            # Beside a code of the study, a number of the patient is the hospital's.
            codes = [i for i in places if not identity.identifies(part.cells.header[i])]
            places = codes or places
        names = [part.cells.header[place] for place in places]
        if len(set(names)) > 1:
            part.problems.append(
                _of_file(
                    part, ERROR, "ambiguous_heading", column=", ".join(names),
                    value=", ".join(names),
                    allowed=f"one column for {_canonical(bare, part.table)}",
                    mend="say which one under columns: in the config, such as "
                    f"columns: {{{_canonical(bare, part.table)}: {names[0]!r}}}",
                )
            )  # fmt: skip
            continue
        result[places[0]] = bare._replace(unit=units[places[0]])
        if min(by_rank):
            part.repairs.append(_heading_repair(part, names[0], _canonical(bare, part.table)))
    return result


def _one_follow_up(found: Iterable[Meaning]) -> bool:
    """Return whether headings speak of one follow-up, whatever number stands in some of them.

    `Krenning FU 12` beside `SUVmax FU` is the same scan, after 12 months perhaps; with
    `Krenning FU 3` there are two.
    """
    numbers: dict[str, set[int]] = {}
    for item in found:
        if item.scan == "post":
            numbers.setdefault(item.name, set()).add(item.number)
    return all(len(own) == 1 for own in numbers.values())


def _heading_repair(part: Part, heading: str, name: str) -> dict[str, str]:
    assert part.cells is not None
    return {
        "file": part.cells.file, "sheet": part.cells.sheet, "row": "", "patient_id": "",
        "column": heading, "written": heading, "read": name, "rule": "heading",
    }  # fmt: skip


def _visits_by_content(part: Part, meanings: Mapping[int, Meaning]) -> int | None:
    """Return the one column whose cells name scans, where no heading says that it is the visit."""
    assert part.cells is not None
    named = {found.name for found in meanings.values()}
    stems = scans(SCHEMAS[part.table])
    loose = any(found.name in stems and not found.scan for found in meanings.values())
    if not loose or named & {headings.VISIT, headings.EVENT} or not part.cells.rows:
        return None
    fit = []
    for place in range(len(part.cells.header)):
        _, distinct = part.distinct_texts(place)
        words = [text.strip() for text in distinct if text.strip()] if place not in meanings else []
        if not words or len(words) > _MOST_VISITS:
            continue
        numbers = {visit_number(word, part.source.visits) for word in words}
        if None not in numbers and 0.0 in numbers and len(numbers) > 1:
            fit.append(place)
    return fit[0] if len(fit) == 1 else None


def _meaning(part: Part, heading: str) -> Meaning | None:
    """Return what a heading stands for, or the second name that the file gives the column."""
    assert part.cells is not None
    found = headings.meaning(heading, part.table)
    if found is None and heading in part.cells.labels:
        found = headings.meaning(part.cells.labels[heading], part.table)
    # A heading that means the code of a patient is judged by what stands under it.
    if found is not None and found.name in (*LAYOUT, "patient_id"):
        return found
    if identity.identifies(heading):
        return None
    # The file's label of a column says what it is, where its heading does not.
    named = headings.meaning(heading, part.table) is not None
    label = part.cells.labels.get(heading, "")
    return None if not named and identity.identifies(label) else found


def _rank(heading: str, found: Meaning, table: str) -> int:
    """Return 0 for a name of captem's own or of REDCap's, 1 for any other spelling of it."""
    name = _canonical(found, table)
    # The forms that captem writes for REDCap have one name a project: lesion_suvmax.
    if heading in (name, f"lesion_{name}", f"redcap_repeat_{name}", f"redcap_{name}_name"):
        return 0
    return 1


def _canonical(found: Meaning, table: str) -> str:
    name = headings.canonical(found, table) or found.name
    return name if found.number == 1 else f"{name}_{found.number}"


def _is_long(part: Part, meanings: Mapping[int, Meaning]) -> bool:
    """Return whether the table has a row a scan: columns of a scan, and several rows of someone."""
    assert part.cells is not None
    stems = scans(SCHEMAS[part.table])
    names = {found.name: place for place, found in meanings.items()}
    loose = [found for found in meanings.values() if found.name in stems and not found.scan]
    if headings.EVENT in names or headings.INSTRUMENT in names:
        return True
    keys = [names[name] for name in ("patient_id", "lesion_id") if name in names]
    if not loose or "patient_id" not in names:
        return False
    rows = [tuple(row[place].strip() for place in keys) for row in part.cells.rows]
    tells = headings.VISIT in names or DATE in names
    return tells and (len(set(rows)) < len(rows) or _all_visits(part, names))


def _all_visits(part: Part, names: Mapping[str, int]) -> bool:
    """Return whether the column of visits holds nothing but names of scans."""
    assert part.cells is not None
    if headings.VISIT not in names or not part.cells.rows:
        return False
    texts = {row[names[headings.VISIT]].strip() for row in part.cells.rows}
    return all(visit_number(text, part.source.visits) is not None for text in texts if text)


def _columns(part: Part, place: int, heading: str, found: Meaning) -> list[Column]:
    """Return the columns that a heading's cells fill; of one scan, both scans, or any scan."""
    known = fields(SCHEMAS[part.table])
    name = headings.canonical(found, part.table)
    if name and found.number == 1:
        return [Column(name, place, heading, known[name], known[name].columns, found.unit)]
    if name:
        if found.name == name:
            return []
        spec, tag = known[name], f"#{found.number}"
        frame = tuple(column + tag for column in spec.columns)
        return [Column(name + tag, place, heading, spec, frame, found.unit)]
    sides = scans(SCHEMAS[part.table]).get(found.name, {})
    if part.long and not found.scan:
        spec = known[sides["pre"] if "pre" in sides else sides["post"]]
        frame = tuple(_stem(column, part.table) for column in spec.columns)
        return [Column(found.name, place, heading, spec, frame, found.unit)]
    if part.long or len(sides) < 2 or not _holds_pairs(part, place, heading, found):
        return []
    return [
        Column(sides[scan], place, heading, known[sides[scan]], known[sides[scan]].columns,
               found.unit, side)
        for side, scan in enumerate(("pre", "post"))
    ]  # fmt: skip


def _stem(name: str, table: str) -> str:
    """Return a name without the scan: `krenning_pre_low` is `krenning_low`."""
    for time in ("_pre", "_post"):
        head, sign, tail = name.partition(time)
        if sign and (not tail or tail.startswith("_")):
            return head + tail
    return name


def _holds_pairs(part: Part, place: int, heading: str, found: Meaning) -> bool:
    """Return whether the cells of a column hold the values of both scans."""
    assert part.cells is not None
    texts = {row[place] for row in part.cells.rows if not notation.is_missing(row[place])}
    pairs = [text for text in texts if notation.before_and_after(text)]
    if pairs or found.scan == "both":
        return found.name in PAIRED
    if texts and found.name in PAIRED:
        part.problems.append(
            _of_file(
                part, ERROR, "which_scan", column=heading, value=heading,
                allowed=f"{found.name}_pre and {found.name}_post, or both in one cell as 1/3",
                mend="say under columns: in the config which scan the column belongs to",
            )
        )  # fmt: skip
    return False


# --- the cells -----------------------------------------------------------------------------------


def _read_cells(part: Part, ids: list[str | None]) -> pd.DataFrame:
    assert part.cells is not None
    table = part.cells
    shown = [code or "" for code in ids]
    columns: dict[str, Any] = {}
    for column in part.columns:
        if column.name != "patient_id":  # a code is a code, also where it reads NA
            columns |= _read_column(part, column, shown)
    index = range(len(table.rows))
    # Before the unknown columns: these are kept only where no person is identified.
    unknown = _unknown_columns(part)
    frame = pd.DataFrame(columns | unknown, index=index)
    frame["patient_id"] = pd.Series(ids, dtype=object, index=index)
    frame["source"] = pd.Series(part.source.name, dtype=object, index=index)
    frame["synthetic"] = pd.Series("yes" if table.synthetic else "no", dtype=object, index=index)
    frame["_file"] = pd.Series(table.file, dtype=object, index=index)
    frame["_sheet"] = pd.Series(table.sheet, dtype=object, index=index)
    frame["_row"] = pd.Series(table.numbers, dtype=object, index=index)
    by_row = dict(zip(map(str, table.numbers), shown, strict=True))
    percents = {item.heading for item in part.columns if item.spec.kind == "percent"}
    part.repairs += [
        {
            "file": table.file, "sheet": table.sheet, "row": str(row), "column": column,
            "patient_id": by_row[str(row)], "written": written, "read": said,
            "rule": rule,
        }
        for row, column, written, said, rule in table.repairs
        # A cell that shows 7% is read as 7, which is listed with the reading.
        if column not in part.hidden and not (rule == "percent_format" and column in percents)
    ]  # fmt: skip
    part.problems = [
        problem if problem.patient_id or problem.row not in by_row
        else replace(problem, patient_id=by_row[problem.row])
        for problem in part.problems
    ]  # fmt: skip
    return frame


def _ids(part: Part, key: str | None) -> list[str | None]:
    """Return the patients' codes, or their hashes; None where the whole column is missing."""
    assert part.cells is not None
    column = next((item for item in part.columns if item.name == "patient_id"), None)
    if column is None:
        return [None] * len(part.cells.rows)
    codes = [notation.printable(row[column.place]) for row in part.cells.rows]
    if key is not None:
        hashes = {code: identity.hashed(code, key) for code in dict.fromkeys(codes)}
        return [hashes[code] for code in codes]
    # What the heading does not say the file's label may.
    meant = headings.meaning(column.heading, part.table)
    said = (column.heading, part.cells.labels.get(column.heading, ""))
    clear = meant is None and any(
        identity.identifies(text, mapped=True) and headings.meaning(text, part.table) is None
        for text in said
    )
    looks = "an identity" if clear else ""
    if looks := looks or identity.kind_of_codes(codes):
        part.hidden.add(column.heading)
        part.problems.append(
            _of_file(
                part, ERROR, "identity_as_code", column=column.heading,
                allowed=f"the study's own codes, which this column does not hold: it looks like "
                f"{looks}",
                mend="give patient_id from a column with codes, or let captem replace what stands "
                "here: patient_ids: hash in the config",
            )
        )  # fmt: skip
        # The codes would name people in every file that is written; the rows are told apart.
        return [None] * len(codes)
    return list(codes)


def _setting(part: Part, column: Column) -> cells.Setting:
    assert part.cells is not None
    table, heading = part.cells, column.heading
    unit = column.unit
    if column.spec.kind == "percent":
        unit = ""
    return cells.Setting(
        given=unit if unit != column.spec.unit else "",
        codes=table.codes.get(heading, {}),
        missing=frozenset(part.source.missing_codes) | table.missing.get(heading, frozenset()),
        decimal_comma=table.decimal_comma,
        date_order=part.source.date_order,
        day_zero=table.day_zero,
        mib1_unit=part.source.units.get(column.spec.name, ""),
    )


def _read_column(part: Part, column: Column, ids: list[str]) -> dict[str, Any]:
    """Read one column; each distinct text is read once, and only what is odd is looked at again."""
    assert part.cells is not None
    spec = column.spec
    codes, distinct = part.distinct_texts(column.place)
    texts = [str(text) for text in distinct]
    parted = _sides(texts, column) if column.side is not None else {}
    readings = cells.read([parted.get(text, text) for text in texts], spec, _setting(part, column))
    none = notation.Interval(None, None) if len(spec.columns) == 2 else notation.Word(None)
    values, odd = [], np.zeros(len(texts), dtype=bool)
    for i, text in enumerate(texts):
        cell = parted.get(text, text)
        # Of both scans, a cell with one value says nothing of either.
        lone = column.side is not None and text not in parted
        values.append(none if lone else readings.found.get(cell, none))
        odd[i] = lone or text in parted or cell in readings.faults or cell in readings.doubtful
        odd[i] |= bool(readings.found.get(cell, none).rule)
    for place in np.flatnonzero(odd[codes]) if len(texts) else ():
        text = texts[codes[place]]
        cell = parted.get(text, text)
        _explain(part, column, int(place), ids[place], text, cell, readings, parted)
    # An interval fills two columns, its ends; everything else fills one, the first of a reading.
    return {
        name: _array([value[i] for value in values], spec.kind, codes)
        for i, name in enumerate(column.frame)
    }


def _sides(texts: list[str], column: Column) -> dict[str, str]:
    """Return the value of this column's scan for each cell that holds both."""
    assert column.side is not None
    found = {}
    for text in texts:
        if parts := notation.before_and_after(text):
            found[text] = parts[column.side]
    return found


def _explain(
    part: Part, column: Column, i: int, patient: str, text: str, cell: str,
    readings: cells.Readings, parted: Mapping[str, str],
) -> None:  # fmt: skip
    """List what is to be said of one cell: a problem, a repair, or both."""
    assert part.cells is not None
    spec = column.spec
    where = {
        "file": part.cells.file,
        "sheet": part.cells.sheet,
        "row": str(part.cells.numbers[i]),
        "patient_id": patient,
        "column": column.heading,
    }
    if column.side is not None and text not in parted:
        # Said once, with the first of the two scans.
        if column.side == 1 or not text.strip():
            return
        if notation.is_missing(text):
            part.repairs.append({**where, "written": text, "read": "", "rule": "missing_code"})
            return
    fault = readings.faults.get(cell)
    if column.side is not None and text not in parted:
        fault = "only one value where the column holds those of both scans, as 1/3"
    if fault:
        part.problems.append(
            Problem(
                ERROR, "not_readable", value=text, allowed=spec.allowed,
                mend=f"correct the cell ({fault}) or leave it empty", **where,
            )
        )  # fmt: skip
        return
    if cell in readings.doubtful:
        part.problems.append(
            Problem(
                ERROR, "fraction_or_percent", value=text, allowed=spec.allowed,
                mend="say for the whole column in the config whether it holds percents or "
                "fractions: units: {mib1: percent} or {mib1: fraction}"
                if readings.throughout
                else f"other cells of the column are above 1, so is this {text} % or a fraction? "
                f"write it with its percent sign: {text}%, or a hundred times as much", **where,
            )
        )  # fmt: skip
    reading = readings.found[cell]
    both = column.side is not None
    if rule := "before_and_after" if both else reading.rule:
        said = f"{column.name}: {_said(reading)}" if both else _said(reading)
        part.repairs.append({**where, "written": text, "read": said, "rule": rule})


def _array(values: list[Any], kind: str, codes: np.ndarray) -> Any:
    if not values:
        dtype = {"score": "Int64", "count": "Int64", "percent": float, "number": float}
        return pd.Series(values, dtype=dtype.get(kind, object))
    if kind in ("score", "count"):
        return pd.array(values, dtype="Int64").take(codes)
    if kind in ("percent", "number"):
        floats = np.array([np.nan if value is None else float(value) for value in values])
        return floats[codes]
    return pd.Series(np.array(values, dtype=object)[codes], dtype=object)


def _said(reading: notation.Interval | notation.Word) -> str:
    if isinstance(reading, notation.Interval):
        return notation.written(reading.low, reading.high)
    return reading.value or ""


# --- what the dictionary does not know ------------------------------------------------------------


def _unknown_columns(part: Part) -> dict[str, Any]:
    """Keep what the dictionary does not know as text; drop and list what identifies a person."""
    assert part.cells is not None
    taken = {column.place for column in part.columns} | set(part.layout.values())
    schema = SCHEMAS[part.table]
    reserved = {*schema.columns, *fields(schema), *scans(schema), *BOOKKEEPING}
    reserved |= {name for column in part.columns for name in column.frame}
    kept: dict[str, Any] = {}
    explained = _named_already(part)
    if part.headless:
        return {}
    for place, heading in enumerate(part.cells.header):
        if place in taken:
            continue
        texts = [row[place] for row in part.cells.rows]
        if not heading:
            part.problems += _without_heading(part, place, texts)
            continue
        looks = _looks(part, place)
        if part.sealed:
            looks = looks or "patient_ids: hash, and no column that is known to hold the codes"
        if looks:
            part.hidden.add(heading)
            part.problems.append(
                _of_file(
                    part, WARNING, "identity_dropped", column=heading,
                    allowed=f"columns that do not identify a person (seen from {looks})",
                    mend="nothing: the column was left out of every result; "
                    "better remove it from the file",
                )
            )  # fmt: skip
            continue
        name = heading
        while name in reserved or name in kept or name.startswith("_"):
            name = f"{name.lstrip('_')} (as given)"
        printed = [notation.printable(text) or None for text in texts]
        kept[name] = pd.Series(printed, dtype=object)
        if heading in explained:
            continue
        near = difflib.get_close_matches(heading.lower(), fields(schema), 1, 0.8)
        hint = f"if it is {near[0]}, say so" if near else "if captem should use it, say so"
        part.problems.append(
            _of_file(
                part, WARNING, "unknown_column", column=heading,
                allowed="the columns of the data dictionary (config/README.md)",
                mend=f"nothing: the column is kept as it is; {hint} under columns: in the config",
            )
        )  # fmt: skip
    return kept


def _named_already(part: Part) -> set[str]:
    """Return the headings of which an error says already why they are not read."""
    rules = ("ambiguous_heading", "repeated_heading", "which_scan")
    return {
        name
        for problem in part.problems
        if problem.rule in rules
        for name in (problem.value, *problem.value.split(", "))
    }


def _without_heading(part: Part, place: int, texts: list[str]) -> list[Problem]:
    """Return a warning where cells stand under no heading at all: they are not read."""
    if not any(text.strip() for text in texts):
        return []
    return [
        _of_file(
            part, WARNING, "no_heading", column=f"column {place + 1}",
            allowed="a heading above every column that holds values",
            mend="give the column a heading; without one it is not read",
        )
    ]  # fmt: skip


def _of_file(part: Part, severity: str, rule: str, **words: str) -> Problem:
    """Return a problem of a table as a whole."""
    assert part.cells is not None
    return Problem(severity, rule, part.cells.file, part.cells.sheet, **words)


# --- the parts together ---------------------------------------------------------------------------


def joined(frames: list[pd.DataFrame], table: str) -> pd.DataFrame:
    """Return the rows of all sources in one table, with the columns that it always has."""
    needed = [name for name, spec in SCHEMAS[table].columns.items() if spec.required]
    frame = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
    return with_columns(frame, [*needed, *BOOKKEEPING])


def with_columns(frame: pd.DataFrame, names: Iterable[str]) -> pd.DataFrame:
    """Return the table with the columns `names`, empty where it had none, of their right type."""
    frame = frame.copy()
    for name in names:
        if name not in frame:
            frame[name] = pd.Series(None, index=frame.index, dtype=_dtype(name))
    return frame


def _dtype(name: str) -> str:
    """Return the type of a canonical column; what no schema knows is text."""
    known = [schema.columns[name] for schema in SCHEMAS.values() if name in schema.columns]
    return str(known[0].dtype) if known and known[0].dtype else "object"
