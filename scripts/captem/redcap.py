"""What is particular to REDCap: coded choices, checkboxes, several rows a record, one file for all.

A project's data dictionary (a CSV file with REDCap's 18 columns, or what the API sends) says what
the codes stand for, which fields identify a person, and what the labels of a label export are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from captem import headings
from captem.headings import EVENT, INSTANCE, INSTRUMENT
from captem.source_table import NotReadableFile, SourceTable

# The dictionary as a file and as the API has it.
HEADINGS = {
    "Variable / Field Name": "field_name",
    "Form Name": "form_name",
    "Field Type": "field_type",
    "Field Label": "field_label",
    "Choices, Calculations, OR Slider Labels": "select_choices_or_calculations",
    "Identifier?": "identifier",
}
_CHECKBOX = re.compile(r"(.+?)(?:___(\w+)|\s*\(choice=(.+)\))", re.DOTALL)
_OWN = re.compile(r"\w+_complete|Complete\?|redcap_survey_timestamp|\w+_timestamp")
_JOINED = " (checkboxes)"
_TICKED = {"1": True, "checked": True, "0": False, "unchecked": False}
_FIXED_CODES = {"yesno": {"1": "yes", "0": "no"}, "truefalse": {"1": "yes", "0": "no"}}


def read_dictionary(table: SourceTable) -> list[dict[str, str]]:
    """Return a project's data dictionary from its CSV file, a dict a field, by the API's names.

    Raises
    ------
    NotReadableFile
        If the file is not a data dictionary of REDCap.
    """
    names = [HEADINGS.get(heading.strip().strip('"'), heading) for heading in table.header]
    if "field_name" not in names or "field_type" not in names:
        raise NotReadableFile(
            "not_a_dictionary", f"headings: {', '.join(table.header[:4])}",
            "the data dictionary of a REDCap project, with the heading Variable / Field Name",
            "in REDCap choose Project Setup, Data Dictionary, Download, and name that file under "
            "dictionary: in the config",
        )  # fmt: skip
    return [dict(zip(names, row, strict=True)) for row in table.rows]


def is_export(table: SourceTable) -> bool:
    """Return whether a table looks like an export of REDCap."""
    known = {found.name for found in map(_layout, table.header) if found}
    return bool(known & {EVENT, INSTRUMENT, INSTANCE}) or any(
        "___" in heading or "(choice=" in heading or heading.endswith("_complete")
        for heading in table.header
    )


def _layout(heading: str) -> headings.Meaning | None:
    found = headings.meaning(heading, "patients")
    return found if found and found.name in headings.LAYOUT else None


def prepared(
    table: SourceTable, dictionary: Sequence[Mapping[str, str]] = ()
) -> tuple[SourceTable, frozenset[str]]:
    """Return an export with its codes explained, and the headings that it marks as identifiers.

    Checkboxes become one column of the ticked choices, and the code of a patient that is given in
    one row of a record stands in all of them.
    """
    if not dictionary and not is_export(table):
        return table, frozenset()
    by_name = {field["field_name"]: field for field in dictionary}
    by_label = {field.get("field_label", ""): field for field in dictionary}
    own = [heading for heading in table.header if _OWN.fullmatch(heading)]
    table = _without(table, own) if own else table
    labels, codes, hidden = dict(table.labels), dict(table.codes), set()
    for heading in table.header:
        base = _base(heading)
        field = by_name.get(base) or by_label.get(base)
        if field is None:
            continue
        other = field["field_name"] if field["field_name"] != base else field.get("field_label", "")
        labels[heading] = re.sub(r"<[^>]+>", "", other).strip()
        if field.get("identifier", "").strip().lower() == "y":
            hidden.add(heading)
        if choices := _choices(field):
            codes[heading] = choices
    table = _with_ids(_with_checkboxes(replace(table, labels=labels, codes=codes), by_name))
    # The joined column of a checkbox field identifies whom its columns did.
    hidden |= {
        heading
        for heading in table.header
        if {heading, heading.removesuffix(_JOINED)} & {_base(name) for name in hidden}
    }
    repairs = [repair for repair in table.repairs if repair[1] not in hidden]
    return replace(table, repairs=repairs), frozenset(hidden)


def _base(heading: str) -> str:
    found = _CHECKBOX.fullmatch(heading)
    return found.group(1) if found else heading


def _choices(field: Mapping[str, str]) -> dict[str, str]:
    """Return code -> label of a field; of a field without choices nothing."""
    kind = field.get("field_type", "")
    if kind in _FIXED_CODES:
        return _FIXED_CODES[kind]
    if kind not in ("radio", "dropdown", "select", "checkbox"):
        return {}
    found = {}
    for choice in re.split(r"\||\n", field.get("select_choices_or_calculations", "")):
        code, sign, label = choice.partition(",")
        if sign and code.strip():
            found[code.strip()] = re.sub(r"<[^>]+>", "", label).strip()
    # A code that is its own label explains nothing, and is no repair.
    return {code: label for code, label in found.items() if code != label}


def _without(table: SourceTable, headings_out: Iterable[str]) -> SourceTable:
    out = set(headings_out)
    keep = [place for place, heading in enumerate(table.header) if heading not in out]
    return replace(
        table,
        header=[table.header[place] for place in keep],
        rows=[[row[place] for place in keep] for row in table.rows],
    )


def _with_checkboxes(table: SourceTable, by_name: Mapping[str, Mapping[str, str]]) -> SourceTable:
    """Join the columns of each checkbox field to one that holds the ticked choices in words."""
    groups: dict[str, list[tuple[int, str]]] = {}
    for place, heading in enumerate(table.header):
        if found := _CHECKBOX.fullmatch(heading):
            base, code, words = found.groups()
            known = _choices(by_name.get(base, {}))
            by_code = {key.lower().replace("-", "_"): label for key, label in known.items()}
            label = words or by_code.get((code or "").lower(), code or "")
            groups.setdefault(base, []).append((place, label))
    for base, columns in groups.items():
        ticks = [[_TICKED.get(row[place].strip().lower()) for place, _ in columns]
                 for row in table.rows]  # fmt: skip
        odd = any(
            row[place].strip() and row[place].strip().lower() not in _TICKED
            for row in table.rows for place, _ in columns
        )  # fmt: skip
        if odd:
            continue
        texts = [
            "; ".join(label for tick, (_, label) in zip(own, columns, strict=True) if tick)
            for own in ticks
        ]
        heading = base if base not in table.header else base + _JOINED
        written = [", ".join(table.header[place] for place, _ in columns)]
        repairs = [
            (number, heading, "; ".join(f"{table.header[place]}={row[place]}"
                                        for place, _ in columns if row[place].strip()),
             text, "checkboxes")
            for number, row, text in zip(table.numbers, table.rows, texts, strict=True) if text
        ]  # fmt: skip
        out = _without(table, [table.header[place] for place, _ in columns])
        table = replace(
            out,
            header=[*out.header, heading],
            rows=[[*row, text] for row, text in zip(out.rows, texts, strict=True)],
            labels={**out.labels, heading: out.labels.get(written[0].split(", ")[0], "")},
            repairs=[*out.repairs, *repairs],
        )
        return _with_checkboxes(table, by_name)
    return table


def _with_ids(table: SourceTable) -> SourceTable:
    """Give the code of a patient to every row of the record, where one row of it has the code."""
    if not {found.name for found in map(_layout, table.header) if found}:
        return table
    places = [
        place
        for place, heading in enumerate(table.header)
        if headings.plain(heading) == headings.plain("patient_id") and place > 0
    ]
    if len(places) != 1:
        return table
    place = places[0]
    codes: dict[str, set[str]] = {}
    for row in table.rows:
        if row[place].strip():
            codes.setdefault(row[0], set()).add(row[place].strip())
    rows = [
        [*row[:place], next(iter(codes[row[0]])), *row[place + 1 :]]
        if not row[place].strip() and len(codes.get(row[0], ())) == 1
        else row
        for row in table.rows
    ]
    return replace(table, rows=rows)


def split(table: SourceTable) -> tuple[SourceTable, SourceTable | None]:
    """Part an export with a repeating lesion instrument into its patients and its lesions.

    A row belongs to the lesions where its instrument is called so, or where it is a repeated row
    that holds values of lesion columns only.
    """
    place = next(
        (i for i, name in enumerate(table.header)
         if (found := _layout(name)) and found.name == INSTRUMENT), None,
    )  # fmt: skip
    if place is None:
        return table, None
    lesion_only = {
        i for i, heading in enumerate(table.header)
        if headings.meaning(heading, "lesions") and not headings.meaning(heading, "patients")
    }  # fmt: skip
    both = {
        i for i, heading in enumerate(table.header)
        if headings.meaning(heading, "lesions") and i not in lesion_only
    }  # fmt: skip
    of_lesions = []
    for row in table.rows:
        filled = {i for i, text in enumerate(row) if text.strip()}
        named = re.search(r"l(e|ae|ä)sion", row[place], re.IGNORECASE) is not None
        told = bool(filled & lesion_only) and filled <= lesion_only | both
        of_lesions.append(bool(row[place].strip()) and (named or told))
    if not any(of_lesions):
        return table, None
    patients = _some_rows(table, [not own for own in of_lesions])
    return patients, _with_lesion_ids(_some_rows(table, of_lesions))


def _some_rows(table: SourceTable, keep: list[bool]) -> SourceTable:
    """Return some rows of an export, without the columns that hold nothing in any of them."""
    rows = [row for row, wanted in zip(table.rows, keep, strict=True) if wanted]
    numbers = [number for number, wanted in zip(table.numbers, keep, strict=True) if wanted]
    empty = [
        heading for i, heading in enumerate(table.header)
        if not any(row[i].strip() for row in rows) and not _needed(heading)
    ]  # fmt: skip
    kept = set(numbers)
    part = replace(
        table, rows=rows, numbers=numbers,
        repairs=[repair for repair in table.repairs if repair[0] in kept],
        problems=[item for item in table.problems if not item.row or int(item.row) in kept],
    )  # fmt: skip
    return _without(part, empty)


def _needed(heading: str) -> bool:
    found = headings.meaning(heading, "patients")
    return found is not None and found.name in ("patient_id", *headings.LAYOUT)


def _with_lesion_ids(table: SourceTable) -> SourceTable:
    """Name lesions by the number of the repeated form where the project has no name for them."""
    found = {i: headings.meaning(name, "lesions") for i, name in enumerate(table.header)}
    names = {meaning.name: i for i, meaning in found.items() if meaning}
    if "lesion_id" in names or INSTANCE not in names:
        return table
    place = names[INSTANCE]
    return replace(
        table,
        header=[*table.header, "lesion_id"],
        rows=[[*row, f"L{row[place].strip()}"] for row in table.rows],
        repairs=[
            *table.repairs,
            *(
                (number, "lesion_id", row[place], f"L{row[place].strip()}", "lesion_by_number")
                for number, row in zip(table.numbers, table.rows, strict=True)
            ),
        ],
    )


def from_api(header: list[str], records: Sequence[Mapping[str, str]], name: str) -> SourceTable:
    """Return the records that the API sent as a table; rows are counted as in its CSV export."""
    return SourceTable(
        file=name,
        header=header,
        rows=[[record.get(heading, "") for heading in header] for record in records],
        numbers=list(range(2, len(records) + 2)),
    )
