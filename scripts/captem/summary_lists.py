"""The small tables and lists of the page: who is counted, repairs, refusals, methods, versions.

A count that is masked (missing in `flow.csv` or `sources.csv`) is printed as `masked`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from captem import rounding
from captem.lesions import RULE_WORDS
from captem.origin import RECORDED
from captem.summary_words import MASKED, begun, masked
from captem.table_parts import (
    CHANGE_WORDS,
    MEASURE_WORDS,
    NOISE_WORDS,
    Row,
    Table,
    analysis_words,
    records,
    subset_words,
    titled,
)
from captem.wording import (
    ALTERNATIVE_WORDS,
    BESIDE,
    MODEL_WORDS,
    OCCASION_WORDS,
    PREDICTED_WORDS,
    PREDICTOR_WORDS,
    TERM_WORDS,
    reason_words,
)

MASKED_REASON = f"{MASKED}, as it would show a small count or give one away"
_STEP_WORDS = {
    "recorded": "Patients and lesions in the source files",
    "excluded": "Left out",
    "included": "Patients included",
    "follow_up_pet": "Follow-up PET",
    "transition": "Change of the Krenning score",
    "criterion": "SSTR criterion",
    "transition.suvmax_ratio": "Change of SUVmax",
    "association.mib1": "Gain of the Krenning score against MIB1 index",
    "association.mib1_suvmax": "Change of SUVmax against MIB1 index",
    "association.cycles": "Gain of the Krenning score against CAPTEM cycles",
    "association.cycles_suvmax": "Change of SUVmax against CAPTEM cycles",
    "model.suvmax": "Model of SUVmax at follow-up",
    "model.criterion": "Model of the SSTR criterion gained",
    "model.criterion_cycles": "The same model with CAPTEM cycles",
    "model.suvmax_cycles": "The same model with CAPTEM cycles",
    "model.krenning": "Model of the Krenning score at follow-up",
    "model.krenning_cycles": "The same model with CAPTEM cycles",
    "model.lesion_krenning": "Model of the Krenning score of lesions",
    "model.lesion_krenning_cycles": "The same model with CAPTEM cycles",
    "model.lesion_suvmax": "Model of SUVmax of lesions",
    "model.lesion_suvmax_cycles": "The same model with CAPTEM cycles",
}
_CHECK_WORDS = {
    "censored": "a bound such as <=1 or >20, kept as an interval",
    "interval": "a range such as 7%-8%, kept as an interval",
    "roman": "a Roman numeral",
    "roman_interval": "a range of Roman numerals such as III-IV, kept as an interval",
    "percent_sign": "a percent sign left out",
    "spelling": "spelling made uniform",
    "missing_code": "a code for a missing value",
    "unknown_column": "column that the data dictionary does not know, kept as it is",
    "identity_dropped": "column that may identify a person, left out",
    "different_lesions": "score and SUVmax of a patient come from different lesions",
    "lesions_disagree": "score of the patient is not what the lesions give",
    "not_readable": "cell that could not be read",
    "out_of_range": "value outside what is allowed",
}
_ASSOCIATION_WORDS = {name: f"Uptake gain with {words}" for name, words in PREDICTOR_WORDS.items()}


def flow_table(flow: pd.DataFrame, data: str = RECORDED) -> Table:
    """Return `flow.csv` as a table: who is in which analysis, and why the others are not."""
    lines: list[Row] = []
    above = ""
    for row in flow.to_dict("records"):
        reason = "" if pd.isna(row["reason"]) else str(row["reason"])
        step = _STEP_WORDS.get(row["step"], analysis_words(row["step"]))
        cells = (_count(row["n"]), _count(row["n_lesions"]))
        if row["step"] in ("recorded", "excluded", "included") or not reason:
            lines.append(Row((f"{step}: {reason}" if reason else step, *cells)))
            continue
        if row["step"] != above:
            lines.append(Row((step, "", ""), heading=True))
            above = row["step"]
        lines.append(Row((reason, *cells), indent=True))
    return Table(
        "flow", titled("Patients and lesions in each analysis", data),
        ("Step", "Patients", "All lesions of these patients"), tuple(lines), data=data,
    )  # fmt: skip


def _count(value: Any) -> str:
    return MASKED if pd.isna(value) else str(int(value))


def counted(frame: pd.DataFrame, name: str, title: str, data: str = RECORDED) -> Table:
    """Return how often each rule of `problems.csv` or `repairs.csv` applied, never to whom.

    Parameters
    ----------
    frame : one row a problem or repair; or, where small counts are masked, one row a rule with the
        column `n`, missing where it is masked.
    name, title : of the table.
    data : whether the data are synthetic, as in `captem.origin`.
    """
    keys = ["severity", "rule"] if "severity" in frame else ["rule"]
    sizes: Any = {}
    if len(frame):
        groups = frame.groupby(keys, sort=True)
        sizes = groups["n"].first() if "n" in frame else groups.size()
    lines = []
    for key, count in sizes.items():
        *severity, rule = key if isinstance(key, tuple) else (key,)
        words = ": ".join([*severity, _check_words(rule)])
        lines.append(Row((begun(words), _count(count))))
    return Table(name, titled(title, data), ("What", "How often"), tuple(lines), data=data)


def _check_words(rule: str) -> str:
    if rule.startswith("from_lesions_"):
        return f"taken from the lesions (rule: {rule.removeprefix('from_lesions_')})"
    return _CHECK_WORDS.get(rule, rule.replace("_", " "))


def unanswered(statistics: pd.DataFrame) -> list[tuple[str, list[str]]]:
    """Return every question without an answer, in words, grouped by the reason why.

    A question asked again in another way, or answered by another method, is not a question more;
    the tables of models and of sensitivity, and `statistics.csv`, have those.
    """
    groups: dict[str, list[str]] = {}
    for row in records(statistics):
        # That nothing explains the gain is an answer.
        if row["status"] == "not_estimable" and row["term"] != "tipping" and not _again(row):
            reason = MASKED_REASON if masked(row) else reason_words(row["reason"])
            questions = groups.setdefault(reason, [])
            if (question := _question(row)) not in questions:
                questions.append(question)
    return list(groups.items())


def _again(row: Mapping[str, Any]) -> bool:
    """Whether a row answers what another row asks first."""
    if row["analysis"] in ALTERNATIVE_WORDS or row["analysis"] == "sensitivity.source":
        return True
    if row["analysis"] in PREDICTED_WORDS:
        return True
    method = str(row["row_id"]).rpartition("/")[2]
    return row["analysis"].startswith("model.") and method in BESIDE


def _question(row: Mapping[str, Any]) -> str:
    analysis, term = row["analysis"], row["term"]
    family, _, name = analysis.partition(".")
    if family == "describe":
        words = MEASURE_WORDS.get(name, analysis_words(analysis))
        # Median and quartiles are missing together, and are one question.
        named = MEASURE_WORDS.get(term, term.replace("_", " "))
        detail = "" if term in ("median", "quartile_1", "quartile_3") else named
    elif family == "model":
        words = MODEL_WORDS.get(analysis, analysis_words(analysis))
        detail = TERM_WORDS.get(term, term)
    elif analysis in PREDICTOR_WORDS:
        words = _ASSOCIATION_WORDS[analysis]
        detail = "SUVmax" if row["outcome"] == "suvmax" else ""
    elif analysis in NOISE_WORDS:
        # Every value of a sweep is refused for the same reason, and is one question.
        words, detail = NOISE_WORDS[analysis], OCCASION_WORDS.get(term, "")
    else:
        known = CHANGE_WORDS.get((analysis, term))
        words, detail = known or analysis_words(analysis), "" if known else term
        if row["outcome"].startswith("lesion_"):
            words = f"Lesions: {words}"
    where = subset_words(row["subset"])
    return f"{': '.join(filter(None, (words, detail)))} ({where})"


def methods(statistics: pd.DataFrame) -> list[tuple[str, str]]:
    """Return which methods gave the intervals and P values, by question."""
    found: dict[str, list[str]] = {}
    for row in records(statistics):
        names = [name for name in (row["interval_method"], row["p_method"]) if name]
        names = list(dict.fromkeys(names))
        if not names:
            continue
        key = (row["analysis"], row["term"])
        named = MODEL_WORDS | PREDICTED_WORDS | NOISE_WORDS | _ASSOCIATION_WORDS
        words = named.get(row["analysis"]) or (
            "Direction of change" if row["analysis"] == "transition.proportion"
            else CHANGE_WORDS.get(key, analysis_words(row["analysis"]))
        )  # fmt: skip
        if row["analysis"] in ALTERNATIVE_WORDS or row["analysis"] == "sensitivity.source":
            words = "The primary question asked in other ways"
        kept = found.setdefault(words, [])
        kept += [name for name in names if name not in kept]
    return [(words, "; ".join(names)) for words, names in found.items()]


def source_notes(sources: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the files with the notes at their top; files with the same note stand together."""
    groups: dict[str, dict[str, Any]] = {}
    for row in sources.to_dict("records"):
        note = "" if pd.isna(row["note"]) else str(row["note"])
        group = groups.setdefault(note, {"note": note, "files": []})
        kind = "synthetic" if row["synthetic"] == "yes" else "recorded"
        group["files"].append(
            f"{row['source']}, {row['table']}: {row['file']} (rows: {_count(row['rows'])}; {kind})"
        )
    return list(groups.values())


def flattened(provenance: Mapping[str, Any], above: str = "") -> list[tuple[str, str]]:
    """Return nested settings as lines of a name and a text."""
    lines: list[tuple[str, str]] = []
    for key, value in provenance.items():
        name = f"{above} / {key}" if above else str(key)
        if isinstance(value, Mapping):
            lines += flattened(value, name)
        elif isinstance(value, list | tuple) and any(isinstance(item, Mapping) for item in value):
            for number, item in enumerate(value, start=1):
                lines += flattened(item, f"{name} / {number}")
        elif isinstance(value, list | tuple):
            lines.append((name, ", ".join(map(str, value)) or "none"))
        else:
            lines.append((name, str(value)))
    return lines


def criterion_words(criterion: Mapping[str, Any] | None) -> str:
    """Return what `SSTR criterion met` means in this study."""
    if not criterion:
        return ""
    where = RULE_WORDS[criterion["rule"]]
    score = rounding.measure(float(criterion["threshold"]))
    return (
        f"a Krenning score of {score} or more, {where}, "
        "or of the patient where no lesion is scored at both scans"
    )
