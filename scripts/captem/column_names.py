"""Which column of a table is which: by the config, by its exact name, by synonym, by its cells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from captem import headings, identity, notation
from captem.headings import DATE, LAYOUT, SCHEMAS, Meaning
from captem.parts import Column, Part, of_file, stem_of
from captem.problems import ERROR
from captem.schemas import fields, scans
from captem.visits import visit_number

_MOST_VISITS = 20
PAIRED = ("krenning", "suvmax", "krenning_reader2")


def name_columns(part: Part) -> None:
    """Find out what each heading stands for: by the config, by its exact name, or by synonym."""
    assert part.cells is not None
    header = part.cells.header
    for heading in sorted({name for name in header if name and header.count(name) > 1}):
        part.problems.append(
            of_file(
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
                of_file(
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
        frame = tuple(stem_of(column, part.table) for column in spec.columns)
        return [Column(found.name, place, heading, spec, frame, found.unit)]
    if part.long or len(sides) < 2 or not _holds_pairs(part, place, heading, found):
        return []
    return [
        Column(sides[scan], place, heading, known[sides[scan]], known[sides[scan]].columns,
               found.unit, side)
        for side, scan in enumerate(("pre", "post"))
    ]  # fmt: skip


def _holds_pairs(part: Part, place: int, heading: str, found: Meaning) -> bool:
    """Return whether the cells of a column hold the values of both scans."""
    assert part.cells is not None
    texts = {row[place] for row in part.cells.rows if not notation.is_missing(row[place])}
    pairs = [text for text in texts if notation.before_and_after(text)]
    if pairs or found.scan == "both":
        return found.name in PAIRED
    if texts and found.name in PAIRED:
        part.problems.append(
            of_file(
                part, ERROR, "which_scan", column=heading, value=heading,
                allowed=f"{found.name}_pre and {found.name}_post, or both in one cell as 1/3",
                mend="say under columns: in the config which scan the column belongs to",
            )
        )  # fmt: skip
    return False
