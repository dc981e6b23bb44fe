"""The tables of what else could give the result: associations, noise and selection, readers."""

from __future__ import annotations

from typing import Any

import pandas as pd

from captem import rounding
from captem import table_parts as parts
from captem.origin import RECORDED
from captem.wording import OCCASION_WORDS, PREDICTOR_WORDS

_SETTING_WORDS = {"observed": "observed", "tipping": "what would give all of the observed gain"}
_P_RANGE = ("estimate", "conf_low", "conf_high")


def associations(statistics: pd.DataFrame, data: str = RECORDED) -> parts.Table:
    """Return whether uptake gain goes with MIB1, with cycles: rank correlations."""
    rows = [row for row in parts.records(statistics) if row["analysis"].startswith("association.")]
    footnotes = parts.Footnotes()
    lines: list[parts.Row] = []
    for subset, outcome in parts.in_order((row["subset"], row["outcome"]) for row in rows):
        group = [row for row in rows if (row["subset"], row["outcome"]) == (subset, outcome)]
        words = "Ratio of SUVmax" if outcome == "suvmax" else "Gain of the Krenning score, steps"
        lines.append(
            parts.Row((f"{words}, {parts.subset_words(subset)}", *("",) * 5), heading=True)
        )
        lines += [_correlation(row, footnotes) for row in group]
    notes = [
        parts.SINGLE_ARM,
        "A change falls where the baseline is high, whatever the treatment; the models, which hold "
        "the baseline fixed, are the better answer.",
        *footnotes.notes(),
    ]
    columns = ["With", "Correlation", "P", "n", "Role", "Method"]
    return parts.table(
        "associations", "What goes with uptake gain", columns, lines, notes, data, wide=True,
        text_columns=(0, 4, 5),
    )  # fmt: skip


def _correlation(row: dict[str, Any], footnotes: parts.Footnotes) -> parts.Row:
    words = PREDICTOR_WORDS.get(row["analysis"], parts.analysis_words(row["analysis"]))
    if row["analysis"] == "association.cycles":
        words += footnotes.mark(parts.CYCLES)
    method = parts.methods(row) if row["p_method"] else row["estimand"]
    cells = (
        words,
        parts.value(row, footnotes),
        parts.p_value(row, footnotes),
        parts.size(row),
        row["role"],
        method,
    )
    return parts.Row(cells, indent=True, status=row["status"])


def noise(statistics: pd.DataFrame, data: str = RECORDED) -> parts.Table:
    """Return what would be seen without any effect of the treatment, a line an assumption."""
    rows = [row for row in parts.records(statistics) if row["analysis"].startswith("bias.")]
    footnotes = parts.Footnotes()
    lines: list[parts.Row] = []
    for subset in parts.in_order(row["subset"] for row in rows):
        group = [row for row in rows if row["subset"] == subset]
        words = parts.subset_words(subset)
        # The assumption goes with the numbers, also where a table is read as CSV.
        assumed = "".join(
            footnotes.mark(f"the table {text}")
            for text in parts.in_order(
                row["reason"] for row in group
                if row["status"] == "ok" and row["term"].startswith("reliability_")
                and row["analysis"] == "bias.regression_to_mean"
            )
        )  # fmt: skip
        heading = f"{words[:1].upper()}{words[1:]}{assumed}"
        lines.append(parts.Row((heading, "", "", ""), heading=True))
        # The same refusal for every assumption would be the same line many times.
        if all(row["status"] == "not_estimable" for row in group):
            cells = (f"any{parts.mark(group[0], footnotes)}", *(parts.blank(group[0]),) * 3)
            lines.append(parts.Row(cells, indent=True, status="not_estimable"))
            continue
        for term in parts.in_order(row["term"] for row in group):
            chosen = {
                (row["outcome"], _variant(row)): row for row in group
                if row["term"] == term and row["analysis"] == "bias.no_effect"
            }  # fmt: skip
            means = [
                row for row in group
                if row["term"] == term and row["analysis"] == "bias.regression_to_mean"
            ]  # fmt: skip
            lines.append(_assumption(term, means, chosen, footnotes))
    notes = [
        "Without any effect the follow-up scores are second readings of unchanged tumours, with "
        "the baseline scores of this study. Reliability: correlation of two such readings before "
        "they are cut into scores; beside it how often two readings of a screened patient then "
        "give the same score, and the linear kappa. It is not known for the Krenning score, so it "
        "is swept; none of its values is claimed.",
        "In brackets: where 95% of the simulated studies lie; of a share, its 95% CI; of what was "
        "observed, what interval scores leave open.",
        *footnotes.notes(),
    ]
    columns = ["", "Mean gain, steps", "Studies with P ≤ .05", "Patients who gain the criterion"]
    return parts.table(
        "noise", "What noise and selection alone would give", columns, lines, notes, data
    )


def _assumption(
    term: str,
    means: list[dict[str, Any]],
    chosen: dict[tuple[str, str], dict[str, Any]],
    footnotes: parts.Footnotes,
) -> parts.Row:
    """Return the line of one assumption, of what was observed, or of the tipping value."""
    name, _, value = term.rpartition("_")
    words = _SETTING_WORDS.get(term, term)
    if name == "reliability":
        same, kappa = (chosen.get(("krenning", variant)) for variant in ("same_score", "kappa"))
        words = f"reliability {value}"
        if same and kappa and "not_estimable" not in (same["status"], kappa["status"]):
            words += (
                f" (same score {rounding.fixed(100 * same['estimate'], 0)}%, "
                f"kappa {rounding.fixed(kappa['estimate'], 2)})"
            )
    spread = chosen.get(("krenning", "mean_gain"))
    gain = _observed(means, footnotes) if spread is None else _simulated(spread, 2)
    gained = chosen.get(("criterion", ""))
    cells = (
        words,
        gain,
        _simulated_share(chosen.get(("krenning", "")), footnotes),
        _counted(gained) if term == "observed" else _simulated(gained, 1),
    )
    return parts.Row(cells, indent=True)


def _variant(row: dict[str, Any]) -> str:
    names = row["row_id"].split("/")
    return names[4] if len(names) > 4 else ""


def _observed(means: list[dict[str, Any]], footnotes: parts.Footnotes) -> str:
    """Return a mean gain, or the reliability that gives it, and what interval scores leave open."""
    found = {_variant(row): row for row in means}
    row = found.get("")
    if row is None:
        return rounding.EMPTY
    if row["status"] == "not_estimable":
        masked = parts.refused_words(row) == parts.MASKED
        return f"{parts.MASKED if masked else 'none'}{footnotes.mark(row['reason'])}"
    if row["term"] == "tipping":
        return f"reliability {rounding.fixed(row['estimate'], 2)}"
    text = rounding.fixed(row["estimate"], 2)
    given = [found[name] for name in ("low", "high") if name in found]
    ends = sorted(end["estimate"] for end in given if end["status"] != "not_estimable")
    if len(ends) < 2:
        return text
    return f"{text} ({rounding.fixed(ends[0], 2)} to {rounding.fixed(ends[1], 2)})"


def _counted(row: dict[str, Any] | None) -> str:
    if row is None or row["status"] == "not_estimable":
        return parts.blank(row)
    return rounding.measure(row["estimate"], 0)


def _simulated(row: dict[str, Any] | None, places: int) -> str:
    if row is None or row["status"] == "not_estimable":
        return parts.blank(row)
    ends = [rounding.measure(row[end], places) for end in ("conf_low", "conf_high")]
    return f"{rounding.fixed(row['estimate'], places)} ({ends[0]} to {ends[1]})"


def _simulated_share(row: dict[str, Any] | None, footnotes: parts.Footnotes) -> str:
    if row is None:
        return rounding.EMPTY
    if row["status"] == "not_estimable":
        return f"{parts.blank(row)}{footnotes.mark(row['reason'])}"
    ends = rounding.percent_interval(row["conf_low"], row["conf_high"], 100)
    mark = parts.mark(row, footnotes)
    return f"{rounding.fixed(100 * row['estimate'], 1)}% ({ends}){mark}"


def agreement(statistics: pd.DataFrame, data: str = RECORDED) -> parts.Table:
    """Return whether readers agree, with one another and with what the SUVs alone would say."""
    rows = [
        row for row in parts.records(statistics)
        if row["analysis"].startswith("agreement.") or row["analysis"] in parts.READER_ROWS
    ]  # fmt: skip
    rows = parts.reported(rows)
    footnotes = parts.Footnotes()
    lines: list[parts.Row] = []
    for subset, analysis in parts.in_order((row["subset"], row["analysis"]) for row in rows):
        group = [row for row in rows if (row["subset"], row["analysis"]) == (subset, analysis)]
        words = parts.NOISE_WORDS.get(analysis, parts.analysis_words(analysis))
        lines.append(
            parts.Row((f"{words}, {parts.subset_words(subset)}", *("",) * 5), heading=True)
        )
        if all(row["status"] == "not_estimable" for row in group):
            group = group[:1]
        lines += [_occasion(row, footnotes) for row in group]
    notes = [
        "Readings repeated with errors: every score of the study read again in simulation, one "
        "step off at the stated rate; 1,000 times; with the 2.5th and 97.5th percentile.",
        "The score derived from SUVs is a declared surrogate and never takes the place of a "
        "reader's: above liver 3, above spleen 4, else 0 to 2 unless the config draws finer lines. "
        "It contradicts a reader's where the two have no step in common, without the tolerance of "
        "the check of the tables.",
        "With the organs of baseline at both scans, a change of liver or spleen alone, as by a "
        "somatostatin analogue, cannot move the derived score.",
        *footnotes.notes(),
    ]
    columns = ["Finding", "Where", "n/N (%) or estimate", "95% CI or range", "n", "Method"]
    return parts.table(
        "agreement", "Readers, their errors, and what the SUVs alone would say", columns, lines,
        notes, data, wide=True, text_columns=(0, 1, 5),
    )  # fmt: skip


def _occasion(row: dict[str, Any], footnotes: parts.Footnotes) -> parts.Row:
    words = (row["estimand"][:1].upper() + row["estimand"][1:]).replace("<=", "≤")
    if row["estimand"] == "proportion":
        words = "Share of patients"
    name, _, value = row["term"].rpartition("_")
    where = OCCASION_WORDS.get(row["term"], row["term"])
    if name == "rate":
        where = f"one step off in {rounding.measure(100 * float(value))}% of readings"
    estimate, interval = parts.value(row, footnotes), parts.interval(row)
    if row["estimand"].startswith("share") and row["status"] != "not_estimable":
        share = rounding.fixed(100 * row["estimate"], 1)
        estimate = f"{share}%{parts.mark(row, footnotes)}"
        interval = rounding.percent_interval(row["conf_low"], row["conf_high"], 100)
    elif row["estimand"].startswith("P of") and row["status"] != "not_estimable":
        estimate, low, high = (rounding.p_cell(row[part]) for part in _P_RANGE)
        interval = f"{low} to {high}"
    cells = (words, where, estimate, interval, parts.size(row), parts.methods(row))
    return parts.Row(cells, indent=True, status=row["status"])
