"""What identifies a person is taken out of a table before anything is made of its cells."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from captem import headings, identity, notation
from captem.parts import Part, of_file
from captem.problems import ERROR, WARNING, Problem


def read_ids(part: Part, key: str | None) -> list[str | None]:
    """Return the patients' codes, or their hashes; None where the whole column is missing."""
    assert part.cells is not None
    column = next((item for item in part.columns if item.name == "patient_id"), None)
    if column is None:
        return [None] * len(part.cells.rows)
    places, distinct = part.distinct_texts(column.place)
    printed = [notation.printable(text) for text in distinct]
    if key is not None:
        return _spread([identity.hashed(code, key) for code in printed], places)
    # What the heading does not say the file's label may.
    meant = headings.meaning(column.heading, part.table)
    said = (column.heading, part.cells.labels.get(column.heading, ""))
    clear = meant is None and any(
        identity.identifies(text, mapped=True) and headings.meaning(text, part.table) is None
        for text in said
    )
    looks = "an identity" if clear else ""
    if looks := looks or identity.kind_of_codes(printed):
        part.hidden.add(column.heading)
        part.problems.append(
            of_file(
                part, ERROR, "identity_as_code", column=column.heading,
                allowed=f"the study's own codes, which this column does not hold: it looks like "
                f"{looks}",
                mend="give patient_id from a column with codes, or let captem replace what stands "
                "here: patient_ids: hash in the config",
            )
        )  # fmt: skip
        # The codes would name people in every file that is written; the rows are told apart.
        return [None] * len(places)
    return _spread(printed, places)


def _spread(distinct: list[str], places: np.ndarray) -> list[str | None]:
    """Return the text of each row from the distinct ones."""
    texts = np.empty(len(distinct), dtype=object)
    texts[:] = distinct
    return texts[places].tolist()


def hide(part: Part, ids: list[str | None], key: str | None) -> None:
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
        part.rewrite(rows)
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
        if at not in kinds and at not in part.layout.values() and looks_like(part, at):
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


def looks_like(part: Part, place: int) -> str:
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
