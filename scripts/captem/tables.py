"""What the tables of a manuscript say, drawn from `statistics.csv` and never computed again.

The parts of a table are in `captem.table_parts`, the tables of noise and readers in
`captem.noise_tables`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd

from captem import rounding
from captem import table_parts as parts
from captem.noise_tables import agreement, associations, noise
from captem.origin import RECORDED, data_kind
from captem.sensitivity_table import sensitivity
from captem.statistics import ALL, CONFIRMATORY
from captem.wording import ASKED_TERMS, BESIDE, METHOD_WORDS, MODEL_WORDS, TERM_LABELS

SPLIT = "†"
STEPS = range(5)


# Table 1


def characteristics(statistics: pd.DataFrame, data: str = RECORDED) -> parts.Table:
    """Return who the patients are, overall and by source, from the rows `describe.*`."""
    rows = [
        row for row in parts.records(statistics)
        if row["analysis"].startswith("describe.")
        and (row["subset"] == ALL or row["subset"].startswith("source_"))
    ]  # fmt: skip
    subsets = parts.in_order(row["subset"] for row in rows) or [ALL]
    found = {(row["analysis"], row["subset"], row["term"]): row for row in rows}
    footnotes = parts.Footnotes()
    lines: list[parts.Row] = []
    for analysis in parts.in_order(row["analysis"] for row in rows):
        if analysis == "describe.patients":
            continue
        terms = parts.in_order(row["term"] for row in rows if row["analysis"] == analysis)
        by_subset = [{term: found.get((analysis, subset, term)) for term in terms}
                     for subset in subsets]  # fmt: skip
        lines += _described(analysis.removeprefix("describe."), terms, by_subset, footnotes)
    notes = [
        "Intervals such as 7%-8% count at their midpoint; an interval without an upper end counts "
        "as missing. Where no line says missing, no value is missing.",
        f"CAPTEM cycles are shown as a description; whatever goes with them is {parts.CYCLES}.",
        *footnotes.notes(),
    ]
    columns = ["Characteristic", *(_heading(subset, found) for subset in subsets)]
    return parts.table(
        "characteristics", "Characteristics of the patients", columns, lines, notes, data
    )


def _heading(subset: str, found: dict[tuple[str, str, str], dict[str, Any]]) -> str:
    words = "All patients" if subset == ALL else parts.source_words(subset)
    row = found.get(("describe.patients", subset, ""))
    n = parts.count(row["n_patients"]) if row else None
    return f"{words[:1].upper()}{words[1:]}" + (f" (n = {n})" if n is not None else "")


def _described(
    name: str,
    terms: list[str],
    by_subset: list[dict[str, dict[str, Any] | None]],
    footnotes: parts.Footnotes,
) -> list[parts.Row]:
    """Return the rows of one characteristic: a median, or a count for each of its levels."""
    words = parts.MEASURE_WORDS.get(name, parts.analysis_words(name))
    levels = [term for term in terms if term != "missing"]
    if "median" in levels:
        cells, statuses = zip(*(_median(group, footnotes) for group in by_subset), strict=True)
        lines = [parts.Row((f"{words}, median (quartiles)", *cells), status=parts.worst(statuses))]
    elif levels == ["yes"]:
        lines = [_shares(f"{words}, n/N (%)", "yes", by_subset, footnotes)]
    else:
        blank = ("",) * len(by_subset)
        lines = [parts.Row((f"{words}, n/N (%)", *blank), heading=True)]
        lines += [_shares(level, level, by_subset, footnotes, True) for level in levels]
    if any((parts.count((group.get("missing") or {}).get("n_events")) or 0) for group in by_subset):
        lines.append(_shares("Missing", "missing", by_subset, footnotes, True))
    return lines


def _median(group: dict[str, dict[str, Any] | None], footnotes: parts.Footnotes) -> tuple[str, str]:
    middle, low, high = (group.get(name) for name in ("median", "quartile_1", "quartile_3"))
    if middle is None:
        return rounding.EMPTY, "ok"
    mark = parts.mark(middle, footnotes)
    if middle["status"] == "not_estimable":
        return f"{rounding.EMPTY}{mark}", middle["status"]
    if parts.count(middle["n_patients"]) == 1 or low is None or high is None:
        return f"{rounding.measure(middle['estimate'])}{mark}", middle["status"]
    text = rounding.spread(middle["estimate"], low["estimate"], high["estimate"])
    return f"{text}{mark}", middle["status"]


def _shares(
    words: str,
    term: str,
    by_subset: list[dict[str, dict[str, Any] | None]],
    footnotes: parts.Footnotes,
    indent: bool = False,
) -> parts.Row:
    cells, statuses = [], []
    for group in by_subset:
        row = group.get(term)
        if row is None:
            cells.append(rounding.EMPTY)
            continue
        statuses.append(row["status"])
        cells.append(parts.share(row, footnotes))
    return parts.Row((words, *cells), indent=indent, status=parts.worst(statuses))


# Transitions


def transition_matrix(
    matrix: pd.DataFrame, statistics: pd.DataFrame | None = None, data: str = RECORDED
) -> parts.Table:
    """Return the scores at baseline (rows) against those at follow-up, with the totals.

    Counts to which patients with interval scores contribute a part are marked with a dagger.
    """
    ordered = matrix.set_index("score_pre").loc[list(STEPS)]
    counts = ordered[[str(step) for step in STEPS]].to_numpy(dtype=float)
    split = ordered[[f"split_{step}" for step in STEPS]].to_numpy(dtype=float)
    lines = [
        parts.Row(
            (
                f"Baseline {step}",
                *(_cell(counts[i, j], split[i, j]) for j in STEPS),
                _cell(counts[i].sum(), split[i].sum()),
            )
        )
        for i, step in enumerate(STEPS)
    ]
    totals = [_cell(counts[:, j].sum(), split[:, j].sum()) for j in STEPS]
    lines.append(parts.Row(("Total", *totals, rounding.measure(counts.sum(), 2))))
    notes = ["Patients scored at both scans; the diagonal holds those whose score stayed the same."]
    if split.sum() > 0:
        notes.append(
            f"{SPLIT} Includes patients whose score is an interval: each is split evenly over the "
            "scores that the interval leaves open, for showing only. No test uses the split."
        )
    notes += _undetermined(statistics)
    columns = ["Krenning score", *(f"Follow-up {step}" for step in STEPS), "Total"]
    return parts.table(
        "transition_matrix", "Krenning score at baseline and at follow-up, patients", columns,
        lines, [*notes, parts.SINGLE_ARM], data,
    )  # fmt: skip


def _cell(count: float, split: float) -> str:
    return rounding.measure(count, 2) + (SPLIT if split > 0 else "")


def _undetermined(statistics: pd.DataFrame | None) -> list[str]:
    if statistics is None:
        return []
    row = parts.find(
        parts.records(statistics), "transition.proportion", "krenning", ALL, "undetermined"
    )
    count = parts.count(row["n_events"]) if row else None
    if not count:
        return []
    noun = "patient" if count == 1 else "patients"
    return [f"In {count} {noun} the interval leaves open whether uptake rose, stayed or fell."]


def transitions(statistics: pd.DataFrame, data: str = RECORDED) -> parts.Table:
    """Return how often uptake and the SSTR criterion changed, and the tests of that."""
    rows = [
        row for row in parts.records(statistics)
        if row["analysis"].startswith(("transition.", "criterion."))
        and row["subset"] in (ALL, CONFIRMATORY)
    ]  # fmt: skip
    rows = parts.reported(rows)
    footnotes = parts.Footnotes()
    lines: list[parts.Row] = []
    for subset, outcome in parts.in_order((row["subset"], row["outcome"]) for row in rows):
        group = [row for row in rows if (row["subset"], row["outcome"]) == (subset, outcome)]
        words = parts.OUTCOME_WORDS.get(outcome, outcome.replace("_", " "))
        heading = f"{words}, {parts.subset_words(subset)}"
        lines.append(parts.Row((heading, *("",) * 5), heading=True))
        lines += [_change(row, footnotes) for row in group if not _nothing_open(row)]
    notes = [
        parts.SINGLE_ARM,
        "SSTR criterion met speaks of uptake alone; it is necessary for PRRT and not sufficient.",
        "Lesions of one patient are not independent, so their shares have no interval here."
        if any(row["outcome"].startswith("lesion_") for row in rows) else "",
        "CI, confidence interval. All tests are two-sided. Other methods for the same question "
        "(exact beside mid-P, Tango beside Newcombe, chi-square beside exact) are in "
        "statistics.csv.",
        "Over all completions: the interval allows for whatever the scores given as an interval "
        "may be; the share counts what is certain."
        if any("completions" in str(row["interval_method"]) for row in rows) else "",
        *footnotes.notes(),
    ]  # fmt: skip
    columns = ["Finding", "n/N (%) or estimate", f"{parts.level(rows)}CI", "P", "Role", "Method"]
    return parts.table(
        "transitions", "Change from baseline to follow-up", columns, lines, notes, data, wide=True,
        text_columns=(0, 4, 5),
    )  # fmt: skip


def _nothing_open(row: dict[str, Any]) -> bool:
    """Say whether a line tells only that the scores leave the criterion open in nobody."""
    of_criterion = row["analysis"].startswith("criterion.") and row["term"] == "undetermined"
    return of_criterion and not parts.count(row["n_events"])


def _change(row: dict[str, Any], footnotes: parts.Footnotes) -> parts.Row:
    words = parts.CHANGE_WORDS.get((row["analysis"], row["term"]))
    if row["row_id"].endswith("/scored_exact"):
        words = "Is the mean score the same at both scans?"
    if words is None:
        words = ": ".join(filter(None, (parts.analysis_words(row["analysis"]), row["term"])))
    cells = (
        words,
        parts.value(row, footnotes),
        parts.interval(row),
        parts.p_value(row, footnotes),
        row["role"],
    )
    return parts.Row((*cells, parts.methods(row)), indent=True, status=row["status"])


# Models


def models(statistics: pd.DataFrame, data: str = RECORDED) -> parts.Table:
    """Return the terms of every model; one that could not be fitted is there with its reason."""
    rows = [row for row in parts.records(statistics) if row["analysis"].startswith("model.")]
    footnotes = parts.Footnotes()
    lines: list[parts.Row] = []
    for analysis, subset in parts.in_order((row["analysis"], row["subset"]) for row in rows):
        group = [row for row in rows if (row["analysis"], row["subset"]) == (analysis, subset)]
        words = MODEL_WORDS.get(analysis, parts.analysis_words(analysis))
        heading = f"{words} ({group[0]['estimand']}), {parts.subset_words(subset)}"
        lines.append(parts.Row((heading, *("",) * 6), heading=True))
        lines += [_term(row, footnotes) for row in group if _shown(row)]
    notes = [
        parts.SINGLE_ARM,
        "Odds ratio: the factor by which the odds of a higher follow-up score differ per unit of "
        "the term, for the same values of the other terms. Ratio: the factor by which SUVmax at "
        "follow-up differs.",
        "CI, confidence interval; HC3, standard errors that allow unequal variances; CR2, the same "
        "for lesions that cluster in patients. All tests are two-sided. A method beside the "
        "reported one is shown for the terms in question and where it gives an estimate; "
        "statistics.csv has the others, and why.",
        *footnotes.notes(),
    ]
    columns = ["Term", "Estimate", f"{parts.level(rows)}CI", "P", "n", "Role", "Method"]
    return parts.table(
        "models", "What goes with the value at follow-up", columns, lines, notes, data, wide=True,
        text_columns=(0, 5, 6),
    )  # fmt: skip


def _shown(row: dict[str, Any]) -> bool:
    """Whether the table has room for a row: all that are reported, and of the others what tells."""
    beside = _method_beside(row)
    if not beside:
        return True
    return row["term"] in ASKED_TERMS and (beside not in BESIDE or row["status"] != "not_estimable")


def _method_beside(row: dict[str, Any]) -> str:
    """Return the name of another method than the reported one, or nothing."""
    return "/".join(str(row["row_id"]).split("/")[4:])


def _term(row: dict[str, Any], footnotes: parts.Footnotes) -> parts.Row:
    fallback = ", ".join(filter(None, (row["term"].replace("_", " "), row["unit"])))
    words = TERM_LABELS.get(row["term"], fallback)
    if beside := _method_beside(row):
        words += f": {METHOD_WORDS.get(beside, beside.replace('_', ' '))}"
    if row["term"] == "captem_cycles":
        words += footnotes.mark(parts.CYCLES)
    n, lesions = parts.count(row["n_patients"]), parts.count(row["n_lesions"])
    size = rounding.EMPTY if n is None else str(n)
    size += f" ({lesions} lesions)" if lesions is not None else ""
    cells = (
        words,
        parts.value(row, footnotes),
        parts.interval(row),
        parts.p_value(row, footnotes),
        size,
        row["role"],
    )
    return parts.Row((*cells, parts.methods(row)), indent=True, status=row["status"])


def all_tables(
    statistics: pd.DataFrame, matrix: pd.DataFrame, sources: pd.DataFrame
) -> list[parts.Table]:
    """Return every table of the study, in the order of a manuscript, numbered in their titles."""
    data = data_kind(sources)
    tables = [
        characteristics(statistics, data),
        transition_matrix(matrix, statistics, data),
        transitions(statistics, data),
        associations(statistics, data),
        models(statistics, data),
        sensitivity(statistics, data),
        noise(statistics, data),
        agreement(statistics, data),
    ]
    return [
        replace(table, title=f"Table {number}. {table.title}")
        for number, table in enumerate(tables, start=1)
    ]
