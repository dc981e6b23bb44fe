"""The table of deviations from the plan: what was planned, what was done, and why.

The plan is what captem lays down for every study (`captem.planned_models` and the roles of the
paired questions) with the settings of this one. What became of it is read from `statistics.csv`,
`flow.csv` and the settings.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from captem import rounding
from captem import table_parts as parts
from captem.model_parts import PRIMARY_TERM
from captem.origin import RECORDED
from captem.planned_models import OF_LESIONS, OF_PATIENTS
from captem.statistics import ALL, CONFIRMATORY
from captem.wording import MODEL_WORDS, TERM_LABELS, TERM_WORDS, reason_words

# What is planned as primary or secondary beside the models (`transition_rows`, `criterion_rows`).
PLANNED = {
    "transition.signed_rank": "primary",
    "transition.net_improvement": "secondary",
    "transition.win_odds": "secondary",
    "transition.suvmax_ratio": "secondary",
    "criterion.gained": "secondary",
    "criterion.mcnemar": "secondary",
    "criterion.difference": "secondary",
} | {
    model.analysis: model.planned for model in (*OF_PATIENTS, *OF_LESIONS)
    if model.planned in ("primary", "secondary")
}  # fmt: skip
DROPPED = "dropped from the model: "
LOCKED = "The locked plan"
# They say what the study is and how it looks, and not how it is analysed.
_NO_CHOICE = (
    "study", "cut", "sources", "confirmatory_sources", "figures", "tables", "manuscript",
    "disclosure", "patient_ids", "plan",
)  # fmt: skip
_DONE = {
    "unstable": "shown; to be read as exploratory",
    "not_estimable": "not estimable, no number is given",
}


def deviations(
    statistics: pd.DataFrame,
    flow: pd.DataFrame,
    settings: Mapping[str, Any],
    defaults: Mapping[str, Any],
    data: str = RECORDED,
    plan_deviations: pd.DataFrame | None = None,
) -> parts.Table:
    """Return what was done otherwise than planned; where nothing was, the table says so.

    Parameters
    ----------
    settings : of the study, as resolved.
    defaults : the same keys as captem has them where a study says nothing.
    plan_deviations : `plan/deviations.csv`, where the study has locked a plan of its own.
    """
    rows = parts.records(statistics)
    groups = {} if plan_deviations is None else {LOCKED: list(_from_plan(plan_deviations))}
    groups |= {
        "Roles": list(_roles(settings)),
        "Patients": list(_patients(flow)),
        "Planned questions": list(_questions(rows)),
        "Terms of models": list(_terms(rows)),
        "Settings other than the default": list(_settings(settings, defaults)),
    }
    lines: list[parts.Row] = []
    for heading, found in groups.items():
        lines.append(parts.Row((heading, "", ""), heading=True))
        lines += [parts.Row(cells, indent=True) for cells in found or [("none", "", "")]]
    notes = [
        "The plan is the one that captem has for every study, with the settings of this one; "
        "whether those were chosen before the data were seen, this table cannot know."
    ]
    if plan_deviations is not None:
        notes = [
            f"{LOCKED}: what the study laid down and locked, with the day in the chain of the "
            "study. The rest holds the study against the plan that captem has for every study."
        ]
    columns = ["What was planned", "What was done", "Why"]
    return parts.table(
        "deviations", "Deviations from the plan", columns, lines, notes, data, wide=True,
        text_columns=(0, 1, 2),
    )  # fmt: skip


Cells = Iterator[tuple[str, str, str]]


def _from_plan(found: pd.DataFrame) -> Cells:
    """Yield the deviations from the locked plan; a reason that explains nothing is left out."""
    for row in found[found["explained"].ne("of nothing")].to_dict("records"):
        reason = row["reason"] if row["explained"] == "yes" else "no reason is given"
        yield str(row["planned"]), str(row["done"]), str(reason)


def _roles(settings: Mapping[str, Any]) -> Cells:
    if not settings["confirmatory_sources"]:
        yield (
            "The primary and the secondary questions",
            "all of them are exploratory",
            "no source is named as confirmatory (confirmatory_sources of the settings)",
        )


def _patients(flow: pd.DataFrame) -> Cells:
    steps = [row | {"n": parts.count(row["n"])} for row in flow.to_dict("records")]
    recorded = next((row["n"] for row in steps if row["step"] == "recorded"), None)
    every = "All patients recorded"
    if recorded is not None:
        every += f" (n = {recorded})"
    for row in steps:
        if row["step"] == "excluded" and row["n"] != 0:
            said = parts.MASKED if row["n"] is None else row["n"]
            yield every, f"left out: {said}", str(row["reason"])


def _questions(rows: list[dict[str, Any]]) -> Cells:
    """Yield each planned question whose answer may not be read as planned.

    Asked of the confirmatory sources where they are apart; of all patients otherwise.
    """
    apart = any(row["subset"] == CONFIRMATORY for row in rows)
    subset = CONFIRMATORY if apart else ALL
    told = set()
    for row in rows:
        of_model = row["analysis"].startswith("model.")
        asked = (
            row["analysis"] in PLANNED
            and row["subset"] == subset
            and (of_model or not row["outcome"].startswith("lesion_"))
            and row["term"] == (PRIMARY_TERM if of_model else "")
        )
        if not asked or parts.key(row) in told:
            continue
        told.add(parts.key(row))
        if row["status"] != "ok":
            done = _DONE[row["status"]]
            masked = parts.refused_words(row) == parts.MASKED
            yield (
                f"{_question(row)} ({PLANNED[row['analysis']]})",
                parts.MASKED if masked else done,
                reason_words(row["reason"]),
            )


def _question(row: dict[str, Any]) -> str:
    if row["analysis"] in MODEL_WORDS:
        return f"{MODEL_WORDS[row['analysis']]}: {TERM_WORDS[PRIMARY_TERM]}"
    words = parts.CHANGE_WORDS.get((row["analysis"], ""), parts.analysis_words(row["analysis"]))
    outcome = parts.OUTCOME_WORDS.get(row["outcome"], row["outcome"])
    return words if words.startswith(outcome) else f"{outcome}: {words}"


def _terms(rows: list[dict[str, Any]]) -> Cells:
    for row in rows:
        if row["analysis"].startswith("model.") and str(row["reason"]).startswith(DROPPED):
            model = MODEL_WORDS.get(row["analysis"], row["analysis"])
            label = TERM_LABELS.get(row["term"], row["term"].replace("_", " "))
            yield (
                f"{model}, {parts.subset_words(row['subset'])}: {label}",
                "the model does without it",
                reason_words(row["reason"].removeprefix(DROPPED)),
            )


def _settings(settings: Mapping[str, Any], defaults: Mapping[str, Any]) -> Cells:
    used, plain = _flat(settings), _flat(defaults)
    for name, value in used.items():
        if name.split(".")[0] not in _NO_CHOICE and value != plain.get(name):
            said = "not set" if name not in plain else f"{plain[name]}"
            yield f"{name}: {said}", f"{name}: {value}", "set in the config of the study"


def _flat(settings: Mapping[str, Any], above: str = "") -> dict[str, str]:
    """Return settings by their path, as texts.

    >>> _flat({"criterion": {"threshold": 3.0, "rule": "most"}})
    {'criterion.threshold': '3', 'criterion.rule': 'most'}
    """
    found: dict[str, str] = {}
    for name, value in settings.items():
        path = f"{above}{name}"
        if isinstance(value, Mapping):
            found |= _flat(value, f"{path}.")
        else:
            found[path] = _said(value)
    return found


def _said(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "not set"}[value]
    if isinstance(value, int | float):
        return rounding.measure(float(value), 6)
    if isinstance(value, list):
        return ", ".join(map(_said, value)) or "none"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
