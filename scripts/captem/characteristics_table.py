"""Table 1, who the patients are, and the table of lesions: both from the rows `describe.*`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from captem import rounding
from captem import table_parts as parts
from captem.origin import RECORDED
from captem.statistics import ALL

# The subsets that the columns beside all patients are, and of which their differences are.
GROUPS = {"source": ("source_", "sources"), "direction": ("direction_", "directions")}
_NOT_OF_PATIENTS = ("describe.patients", "describe.difference")
_LESION_WORDS = {
    "lesions_per_patient": "Lesions per patient who has any",
    "lesion_site": "Site",
    "lesion_index": "Index lesion",
    "lesion_status": "State at follow-up",
    "lesion_compared": "Present at both scans, with both values",
    "lesion_krenning_pre": "Krenning score at baseline",
    "lesion_krenning_post": "Krenning score at follow-up",
    "lesion_suvmax_pre": "SUVmax at baseline",
    "lesion_suvmax_post": "SUVmax at follow-up",
    "lesion_diameter_mm_pre": "Diameter at baseline, mm",
    "lesion_diameter_mm_post": "Diameter at follow-up, mm",
    "lesion_direction": "Change of the Krenning score of these",
}
_LEVEL_WORDS = {
    "describe.lesion_status": {"not_assessable": "not assessable"},
    "describe.lesion_compared": {"krenning": "Krenning score", "suvmax": "SUVmax"},
    "describe.lesion_direction": {
        "up": "rose", "same": "stayed the same", "down": "fell",
        "undetermined": "left open by interval scores",
    },
}  # fmt: skip
_IQR = "IQR, interquartile range: the first and the third quartile."
Found = Mapping[tuple[str, str, str], dict[str, Any]]


def characteristics(
    statistics: pd.DataFrame, data: str = RECORDED, by: str = "source"
) -> parts.Table:
    """Return who the patients are: overall and by `source` or by `direction` of change, or `none`.

    Raises
    ------
    ValueError
        If `by` is none of these.
    """
    if by not in (*GROUPS, "none"):
        raise ValueError(f"columns of table 1 by {by!r}: source, direction or none")
    prefix, compared = GROUPS.get(by, ("", ""))
    rows = [
        row for row in parts.records(statistics)
        if row["analysis"].startswith("describe.")
        and not row["analysis"].startswith("describe.lesion")
    ]  # fmt: skip
    subsets = [ALL, *_subsets(rows, prefix)]
    found = {(row["analysis"], row["subset"], row["term"]): row for row in rows}
    apart = {row["term"]: row for row in reversed(rows)
             if row["analysis"] == "describe.difference" and row["subset"] == compared}  # fmt: skip
    footnotes = parts.Footnotes()
    lines: list[parts.Row] = []
    for analysis in parts.in_order(row["analysis"] for row in rows if row["subset"] == ALL):
        if analysis in _NOT_OF_PATIENTS or not _levels(rows, analysis):
            continue
        name = analysis.removeprefix("describe.")
        words = parts.MEASURE_WORDS.get(name, parts.analysis_words(name))
        described = _described(words, analysis, rows, subsets, found, footnotes)
        lines += _with_difference(described, apart.get(name), footnotes) if apart else described
    notes = [
        f"{_IQR} Intervals such as 7%-8% count at their midpoint; an interval without an upper end "
        "counts as missing. Where no line says missing, no value is missing.",
        f"CAPTEM cycles are shown as a description; whatever goes with them is {parts.CYCLES}.",
        "The groups by direction hold the patients scored at both scans; the first column holds "
        "all patients." if by == "direction" else "",
        _difference_note(list(apart.values()), by) if apart else "",
        *footnotes.notes(),
    ]  # fmt: skip
    columns = ["Characteristic", *(_heading(subset, found) for subset in subsets)]
    columns += ["Standardised difference"] if apart else []
    return parts.table(
        "characteristics", "Characteristics of the patients", columns, lines, notes, data,
        wide=len(columns) > 5,
    )  # fmt: skip


def _difference_note(rows: Sequence[dict[str, Any]], by: str) -> str:
    several = any(row["estimand"].startswith("largest") for row in rows)
    return (
        "Standardised difference: how far two groups are apart, in standard deviations within "
        "them (Austin 2009; of categories, Yang and Dalton 2012), without a sign"
        + ("; of more than two groups the largest of any two" if several else "")
        + ("; those whose direction is left open are not compared" if by == "direction" else "")
        + ". It describes the groups and tests nothing."
    )


def lesions(statistics: pd.DataFrame, data: str = RECORDED) -> parts.Table:
    """Return what the lesions are and what became of them, overall and by source."""
    rows = [
        row for row in parts.records(statistics) if row["analysis"].startswith("describe.lesion")
    ]
    subsets = [ALL, *_subsets(rows, "source_")]
    found = {(row["analysis"], row["subset"], row["term"]): row for row in rows}
    footnotes = parts.Footnotes()
    having = [found.get(("describe.lesion_patients", subset, "yes")) for subset in subsets]
    lines = [_shares("Patients with lesions in the table, n/N (%)", having, footnotes)]
    any_lesion = having[0] is not None and parts.count(having[0]["n_events"]) != 0
    for name, words in _LESION_WORDS.items() if any_lesion else ():
        lines += _described(words, f"describe.{name}", rows, subsets, found, footnotes)
    notes = [
        "Lesions of one patient are not independent: these numbers describe, no test uses them, "
        "and the models of lesions allow for it.",
        f"{_IQR} At baseline new lesions do not count, at follow-up resolved ones do not; a lesion "
        "that is resolved has no score, and only lesions present at both scans are compared."
        if any_lesion else "No table of lesions was given, or it is empty.",
        *footnotes.notes(),
    ]  # fmt: skip
    columns = ["Finding", *(_lesion_heading(subset, found) for subset in subsets)]
    return parts.table("lesions", "Lesions", columns, lines, notes, data)


def _subsets(rows: Sequence[dict[str, Any]], prefix: str) -> list[str]:
    if not prefix:
        return []
    return parts.in_order(row["subset"] for row in rows if row["subset"].startswith(prefix))


def _heading(subset: str, found: Found) -> str:
    row = found.get(("describe.patients", subset, ""))
    n = parts.count(row["n_patients"]) if row else None
    said = f"n = {n}" if n is not None else f"n {parts.blank(row)}"
    return f"{_begun(subset)} ({said})" if row else _begun(subset)


def _lesion_heading(subset: str, found: Found) -> str:
    row = found.get(("describe.lesions_per_patient", subset, "median"))
    n = parts.count(row["n_lesions"]) if row else None
    return f"{_begun(subset)} ({n} lesions)" if n else _begun(subset)


def _begun(subset: str) -> str:
    of_source = subset.startswith("source_")
    words = parts.source_words(subset) if of_source else parts.subset_words(subset)
    return words[:1].upper() + words[1:]


def _levels(rows: Sequence[dict[str, Any]], analysis: str) -> list[str]:
    """Return the terms of an analysis but `missing`: a variable with that alone has no line."""
    return [term for term in parts.in_order(row["term"] for row in rows
                                            if row["analysis"] == analysis)
            if term != "missing"]  # fmt: skip


def _described(
    words: str,
    analysis: str,
    rows: Sequence[dict[str, Any]],
    subsets: Sequence[str],
    found: Found,
    footnotes: parts.Footnotes,
) -> list[parts.Row]:
    """Return the rows of one characteristic: a median, or a count for each of its levels."""
    by_subset = [
        {term: row for (name, of, term), row in found.items() if name == analysis and of == subset}
        for subset in subsets
    ]

    def of(term: str) -> list[dict[str, Any] | None]:
        return [group.get(term) for group in by_subset]

    levels = _levels(rows, analysis)
    if "median" in levels:
        cells, statuses = zip(*(_median(group, footnotes) for group in by_subset), strict=True)
        lines = [parts.Row((f"{words}, median (IQR)", *cells), status=parts.worst(statuses))]
    elif levels == ["yes"]:
        lines = [_shares(f"{words}, n/N (%)", of("yes"), footnotes)]
    else:
        said = _LEVEL_WORDS.get(analysis, {})
        lines = [parts.Row((f"{words}, n/N (%)", *("",) * len(subsets)))]
        lines += [_shares(said.get(level, level), of(level), footnotes, True) for level in levels]
    if any(_some(row) for row in of("missing")):
        lines.append(_shares("Missing", of("missing"), footnotes, True))
    return lines


def _some(row: dict[str, Any] | None) -> bool:
    """Whether a row counts anybody, or hides how many."""
    if row is None:
        return False
    return bool(parts.count(row["n_events"])) or parts.blank(row) == parts.MASKED


def _with_difference(
    lines: list[parts.Row], row: dict[str, Any] | None, footnotes: parts.Footnotes
) -> list[parts.Row]:
    """Add the last cell: the difference on the first line of a characteristic."""
    if row is None:
        said = rounding.EMPTY
    elif row["status"] == "not_estimable":
        said = f"{parts.blank(row)}{parts.mark(row, footnotes)}"
    else:
        said = f"{rounding.fixed(row['estimate'], 2)}{parts.mark(row, footnotes)}"
    first, *rest = lines
    return [
        parts.Row((*first.cells, said), first.heading, first.indent, first.status),
        *(parts.Row((*line.cells, ""), line.heading, line.indent, line.status) for line in rest),
    ]


def _median(group: Mapping[str, dict[str, Any]], footnotes: parts.Footnotes) -> tuple[str, str]:
    middle, low, high = (group.get(name) for name in ("median", "quartile_1", "quartile_3"))
    if middle is None:
        return rounding.EMPTY, "ok"
    mark = parts.mark(middle, footnotes)
    if middle["status"] == "not_estimable":
        return f"{parts.blank(middle)}{mark}", middle["status"]
    alone = parts.count(middle["n_patients"]) == 1 and parts.count(middle["n_lesions"]) in (None, 1)
    if alone or low is None or high is None:
        return f"{rounding.measure(middle['estimate'])}{mark}", middle["status"]
    text = rounding.spread(middle["estimate"], low["estimate"], high["estimate"])
    return f"{text}{mark}", middle["status"]


def _shares(
    words: str,
    rows: Sequence[dict[str, Any] | None],
    footnotes: parts.Footnotes,
    indent: bool = False,
) -> parts.Row:
    cells = [rounding.EMPTY if row is None else parts.share(row, footnotes) for row in rows]
    status = parts.worst(row["status"] for row in rows if row is not None)
    return parts.Row((words, *cells), indent=indent, status=status)
