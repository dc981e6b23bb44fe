"""What the tables of a manuscript say, drawn from `statistics.csv` and never computed again.

The parts of a table are in `captem.table_parts`; tables with a module of their own are those of
characteristics and lesions, noise and readers, sensitivity, missing values, deviations, listing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from captem import looks_table, rounding
from captem import table_parts as parts
from captem.characteristics_table import characteristics, lesions
from captem.deviations_table import deviations
from captem.listing_table import listing
from captem.missing_table import missing
from captem.noise_tables import agreement, associations, noise
from captem.origin import RECORDED, data_kind
from captem.sensitivity_table import sensitivity
from captem.statistics import ALL, CONFIRMATORY
from captem.wording import ASKED_TERMS, BESIDE, METHOD_WORDS, MODEL_WORDS, TERM_LABELS

# The files that the tables are made from, by what `all_tables` calls them; the last two are for the
# listing, those before for a study whose plan is locked.
FILES = (
    "statistics", "matrix", "sources", "flow", "plan_deviations", "looks", "patients", "changes",
)  # fmt: skip
SPLIT = "†"
STEPS = range(5)


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
    lines.append(parts.Row(("Total", *totals, _cell(counts.sum(), 0.0))))
    notes = ["Patients scored at both scans; the diagonal holds those whose score stayed the same."]
    if np.nansum(split) > 0:
        notes.append(
            f"{SPLIT} Includes patients whose score is an interval: each is split evenly over the "
            "scores that the interval leaves open, for showing only. No test uses the split."
        )
    if np.isnan(counts).any():
        notes.append("Masked: counts that are too few to be shown, or that would give these away.")
    notes += _undetermined(statistics)
    columns = ["Krenning score", *(f"Follow-up {step}" for step in STEPS), "Total"]
    return parts.table(
        "transition_matrix", "Krenning score at baseline and at follow-up, patients", columns,
        lines, [*notes, parts.SINGLE_ARM], data,
    )  # fmt: skip


def _cell(count: float, split: float) -> str:
    if math.isnan(count):
        return parts.MASKED
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
        lines += _terms(group, footnotes)
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
    size = parts.size_heading(rows)
    columns = ["Term", "Estimate", f"{parts.level(rows)}CI", "P", size, "Role", "Method"]
    return parts.table(
        "models", "What goes with the value at follow-up", columns, lines, notes, data, wide=True,
        text_columns=(0, 5, 6),
    )  # fmt: skip


def _terms(rows: list[dict[str, Any]], footnotes: parts.Footnotes) -> list[parts.Row]:
    """Return a line a row; where a whole model is refused for one reason, one line says so."""
    reported = [row for row in rows if not _method_beside(row)]
    reasons = {row["reason"] for row in reported}
    refused = all(row["status"] == "not_estimable" for row in rows) and len(reasons) == 1
    if not refused or len(reported) < 2:
        return [_term(row, footnotes) for row in rows if _shown(row)]
    asked = next((row for row in reported if row["term"] in ASKED_TERMS), reported[0])
    cycles = any(row["term"] == "captem_cycles" for row in reported)
    words = "every term" + (footnotes.mark(parts.CYCLES) if cycles else "")
    return [_term(asked, footnotes, words)]


def _shown(row: dict[str, Any]) -> bool:
    """Whether the table has room for a row: all that are reported, and of the others what tells."""
    beside = _method_beside(row)
    if not beside:
        return True
    return row["term"] in ASKED_TERMS and (beside not in BESIDE or row["status"] != "not_estimable")


def _method_beside(row: dict[str, Any]) -> str:
    """Return the name of another method than the reported one, or nothing."""
    return "/".join(str(row["row_id"]).split("/")[4:])


def _term(row: dict[str, Any], footnotes: parts.Footnotes, words: str = "") -> parts.Row:
    cells = (
        words or _term_words(row, footnotes),
        parts.value(row, footnotes),
        parts.interval(row),
        parts.p_value(row, footnotes),
        parts.size(row),
        row["role"],
    )
    return parts.Row((*cells, parts.methods(row)), indent=True, status=row["status"])


def _term_words(row: dict[str, Any], footnotes: parts.Footnotes) -> str:
    fallback = ", ".join(filter(None, (row["term"].replace("_", " "), row["unit"])))
    words = TERM_LABELS.get(row["term"], fallback)
    if beside := _method_beside(row):
        words += f": {METHOD_WORDS.get(beside, beside.replace('_', ' '))}"
    if row["term"] == "captem_cycles":
        words += footnotes.mark(parts.CYCLES)
    return words


def all_tables(
    statistics: pd.DataFrame,
    matrix: pd.DataFrame,
    sources: pd.DataFrame,
    *,
    flow: pd.DataFrame,
    settings: Mapping[str, Any],
    defaults: Mapping[str, Any],
    plan_deviations: pd.DataFrame | None = None,
    looks: pd.DataFrame | None = None,
    patients: pd.DataFrame | None = None,
    changes: pd.DataFrame | None = None,
) -> list[parts.Table]:
    """Return every table of the study, in the order of a manuscript, numbered in their titles.

    Parameters
    ----------
    statistics, matrix, sources, flow : the files of these names.
    settings : of the study, as resolved; `tables.by` says what the columns of table 1 are.
    defaults : what the settings are where a study says nothing (`captem.config.defaults`).
    plan_deviations, looks : `plan/deviations.csv` and `plan/looks.csv`, where a plan is locked.
    patients, changes : `patients.csv` and `transitions.csv`, where the study lists its patients.
    """
    data = data_kind(sources)
    tables = [
        characteristics(statistics, data, settings["tables"]["by"]),
        transition_matrix(matrix, statistics, data),
        transitions(statistics, data),
        associations(statistics, data),
        models(statistics, data),
        sensitivity(statistics, data),
        noise(statistics, data),
        agreement(statistics, data),
        lesions(statistics, data),
        missing(statistics, flow, data),
        deviations(statistics, flow, settings, defaults, data, plan_deviations),
    ]
    if looks is not None:
        tables.append(looks_table.looks(looks, data))
    if patients is not None and changes is not None:
        tables.append(listing(patients, changes, data))
    return [
        replace(table, title=f"Table {number}. {table.title}")
        for number, table in enumerate(tables, start=1)
    ]
