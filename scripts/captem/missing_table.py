"""The table of missing values: how many of each variable in use, and what each analysis loses.

The counts of missing values are rows `describe.*` with the term `missing`, those of the analyses
are in `flow.csv`.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from captem import rounding
from captem import table_parts as parts
from captem.origin import RECORDED
from captem.statistics import ALL
from captem.wording import ANALYSIS_WORDS

_SCORES, _SUVMAX = "every analysis of scores", "analyses of SUVmax"
_COVARIATE = "Table 1; covariate where the settings name it"
_CHANGED = "whether it changed between the scans"
_DERIVED = "scores derived from SUVs"
_READERS = "agreement of readers"
_DATES = "timeline, order of events"
_PATIENTS = {
    "krenning_pre": ("Krenning score at baseline", _SCORES),
    "krenning_post": ("Krenning score at follow-up", _SCORES),
    "suvmax_pre": ("SUVmax at baseline", _SUVMAX),
    "suvmax_post": ("SUVmax at follow-up", _SUVMAX),
    "mib1": ("MIB1 index, with an upper end", "all models, associations with MIB1"),
    "captem_cycles": ("CAPTEM cycles", "whatever is asked of cycles"),
    "age_years": ("Age", _COVARIATE),
    "sex": ("Sex", _COVARIATE),
    "primary_site": ("Primary site", _COVARIATE),
    "prior_prrt": ("PRRT before baseline", "covariate where the settings name it"),
    "interval_therapy": ("Other treatment between the scans", "sensitivity analyses without it"),
    "ssa_pre": ("Somatostatin analogue at baseline", _CHANGED),
    "ssa_post": ("Somatostatin analogue at follow-up", _CHANGED),
    "scanner_pre": ("Scanner at baseline", _CHANGED),
    "scanner_post": ("Scanner at follow-up", _CHANGED),
    "tracer_pre": ("Tracer at baseline", _CHANGED),
    "tracer_post": ("Tracer at follow-up", _CHANGED),
    "liver_suv_pre": ("Liver SUV at baseline", _DERIVED),
    "liver_suv_post": ("Liver SUV at follow-up", _DERIVED),
    "spleen_suv_pre": ("Spleen SUV at baseline", _DERIVED),
    "spleen_suv_post": ("Spleen SUV at follow-up", _DERIVED),
    "krenning_pre_reader2": ("Second reader's score at baseline", _READERS),
    "krenning_post_reader2": ("Second reader's score at follow-up", _READERS),
    "pet_date_pre": ("Date of the baseline PET", _DATES),
    "pet_date_post": ("Date of the follow-up PET", _DATES),
    "captem_start": ("Start of CAPTEM", _DATES),
    "captem_end": ("End of CAPTEM", _DATES),
}
_LESIONS = {
    "lesion_site": ("Site", "table of lesions"),
    "lesion_index": ("Index lesion, yes or no", "rule of the index lesion"),
    "lesion_status": ("State at follow-up", "which lesions are compared"),
    "lesion_krenning_pre": ("Krenning score at baseline", "lesion models of scores"),
    "lesion_krenning_post": ("Krenning score at follow-up", "lesion models of scores"),
    "lesion_suvmax_pre": ("SUVmax at baseline", "lesion models of SUVmax"),
    "lesion_suvmax_post": ("SUVmax at follow-up", "lesion models of SUVmax"),
    "lesion_diameter_mm_pre": ("Diameter at baseline", "sensitivity analysis by size"),
    "lesion_diameter_mm_post": ("Diameter at follow-up", "sensitivity analysis by size"),
}


def missing(statistics: pd.DataFrame, flow: pd.DataFrame, data: str = RECORDED) -> parts.Table:
    """Return how many values of each variable are missing, and what each analysis loses by it.

    Parameters
    ----------
    flow : `flow.csv`; a count that is masked there is missing.
    """
    rows = [row for row in parts.records(statistics) if row["analysis"].startswith("describe.")]
    found = {(row["analysis"], row["subset"], row["term"]): row for row in rows}
    subsets = parts.in_order(
        row["subset"] for row in rows if row["subset"] == ALL or row["subset"].startswith("source_")
    )
    footnotes = parts.Footnotes()
    blank = ("",) * len(subsets)

    def group(heading: str, variables: dict[str, tuple[str, str]]) -> list[parts.Row]:
        lines = [parts.Row((heading, *blank, ""), heading=True)]
        for name, (words, use) in variables.items():
            counted = [found.get((f"describe.{name}", subset, "missing")) for subset in subsets]
            if any(counted):
                cells = (rounding.EMPTY if row is None else _share(row, footnotes)
                         for row in counted)  # fmt: skip
                lines.append(parts.Row((words, *cells, use), indent=True))
        return lines

    lines = group("Patients: missing, n/N (%)", _PATIENTS)
    of_lesions = group("Lesions: missing, n/N (%)", _LESIONS)
    per_patient = found.get(("describe.lesions_per_patient", ALL, "median"))
    if per_patient and parts.count(per_patient["n_lesions"]) != 0:
        lines += of_lesions
    lines.append(parts.Row(("Analyses: analysed, n/N (%)", *blank, ""), heading=True))
    lines += _losses(flow, len(subsets))
    notes = [
        "A variable that no column of the tables gives is missing in everybody. At baseline new "
        "lesions do not count, at follow-up resolved ones do not.",
        "Analyses: of the patients included; each patient who is left out is counted once, for the "
        "first reason that applies. The reported rows of a model are those of complete cases; "
        "beside them stand those with missing terms imputed.",
        *footnotes.notes(),
    ]
    heads = [subset if subset == ALL else parts.source_words(subset) for subset in subsets]
    heads = ["All patients" if head == ALL else head[:1].upper() + head[1:] for head in heads]
    columns = ["Variable or analysis", *heads, "Needed for, or left out"]
    return parts.table(
        "missing", "Missing values and what they cost", columns, lines, notes, data, wide=True,
        text_columns=(0, len(columns) - 1),
    )  # fmt: skip


def _share(row: dict[str, Any], footnotes: parts.Footnotes) -> str:
    # Where there is nobody there is nothing to refuse either.
    if parts.count(row["n_lesions"] if pd.notna(row["n_lesions"]) else row["n_patients"]) == 0:
        return rounding.EMPTY
    return parts.share(row, footnotes)


def _losses(flow: pd.DataFrame, columns: int) -> list[parts.Row]:
    """Return a line for each analysis: how many are in it, and how many are not, and why."""
    steps = [row | {"n": parts.count(row["n"])} for row in flow.to_dict("records")]
    included = next((row["n"] for row in steps if row["step"] == "included"), None)
    lines = []
    for step in parts.in_order(row["step"] for row in steps if row["step"] in ANALYSIS_WORDS):
        own = [row for row in steps if row["step"] == step]
        analysed = next((row["n"] for row in own if row["reason"] == "analysed"), None)
        left_out = [
            f"{row['reason']}: {parts.MASKED if row['n'] is None else row['n']}"
            for row in own if row["reason"] != "analysed" and row["n"] != 0
        ]  # fmt: skip
        if included == 0:
            left_out, share = [rounding.EMPTY], rounding.EMPTY
        elif analysed is None or included is None:
            share = parts.MASKED
        else:
            share = rounding.share(analysed, included)
        cells = (ANALYSIS_WORDS[step], share, *("",) * (columns - 1), "; ".join(left_out))
        lines.append(parts.Row((*cells[:-1], cells[-1] or "nobody is left out"), indent=True))
    return lines
