"""The tables of what else could give the result: associations, noise and selection, readers."""

from __future__ import annotations

from typing import Any

import pandas as pd

from captem import rounding
from captem import table_parts as parts
from captem.origin import RECORDED
from captem.wording import OCCASION_WORDS, PREDICTOR_WORDS

_SETTING_WORDS = {"observed": "observed", "tipping": "reliability that would give all of it"}
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
    n = parts.count(row["n_patients"])
    size = rounding.EMPTY if n is None else str(n)
    method = parts.methods(row) if row["p_method"] else row["estimand"]
    cells = (
        words,
        parts.value(row, footnotes),
        parts.p_value(row, footnotes),
        size,
        row["role"],
        method,
    )
    return parts.Row(cells, indent=True, status=row["status"])


def noise(statistics: pd.DataFrame, data: str = RECORDED) -> parts.Table:
    """Return what would be seen without any effect, and with readers who err, a line a setting."""
    rows = [
        row for row in parts.records(statistics)
        if row["analysis"].startswith("bias.") or row["analysis"] == "sensitivity.reader_error"
    ]  # fmt: skip
    footnotes = parts.Footnotes()
    lines: list[parts.Row] = []
    for subset in parts.in_order(row["subset"] for row in rows):
        chosen = [row for row in rows if row["subset"] == subset]
        for words, begins in (
            ("No effect of the treatment, noise and selection alone", "bias."),
            ("This study, its scores read again with errors", "sensitivity."),
        ):
            group = [row for row in chosen if row["analysis"].startswith(begins)]
            if not group:
                continue
            lines.append(
                parts.Row((f"{words}, {parts.subset_words(subset)}", *("",) * 5), heading=True)
            )
            # The same refusal for every setting would be the same line many times.
            if all(row["status"] == "not_estimable" for row in group):
                cells = (f"any{parts.mark(group[0], footnotes)}", *(rounding.EMPTY,) * 5)
                lines.append(parts.Row(cells, indent=True, status="not_estimable"))
                continue
            for term in parts.in_order(row["term"] for row in group):
                lines.append(_setting([row for row in group if row["term"] == term], footnotes))
    said = parts.in_order(
        row["reason"] for row in rows
        if row["status"] == "ok" and row["analysis"] == "bias.regression_to_mean"
    )  # fmt: skip
    notes = [
        "Reliability: correlation of two readings of the same unchanged tumour. Neither it nor the "
        "rate of errors is known for the Krenning score, so both are swept; none of their values "
        "is claimed.",
        *(f"Noise and selection: {text}." for text in said if text),
        "Without any effect the follow-up scores are second readings of unchanged tumours with the "
        "baseline scores of this study. In brackets: the 2.5th and 97.5th percentile of the "
        "simulated studies; of a share, its 95% CI.",
        *footnotes.notes(),
    ]
    columns = ["Assumed", "Mean gain, steps", "Net improvement", "P ≤ .05 in", "P, median",
               "Gain the criterion"]  # fmt: skip
    return parts.table(
        "noise", "What noise and selection alone would give", columns, lines, notes, data,
        wide=True,
    )  # fmt: skip


def _setting(group: list[dict[str, Any]], footnotes: parts.Footnotes) -> parts.Row:
    """Return the line of one assumption; the rows of `group` share their term."""
    name, _, value = group[0]["term"].rpartition("_")
    words = {
        "reliability": f"reliability {value}",
        "rate": f"one step off, rate {value}",
    }.get(name, _SETTING_WORDS.get(group[0]["term"], group[0]["term"]))
    found = {(row["analysis"], row["outcome"], _variant(row)): row for row in group}
    mean = found.get(("bias.regression_to_mean", "krenning", ""))
    cells = (
        words,
        _gain(mean, found, footnotes),
        _simulated(found.get(("sensitivity.reader_error", "krenning", "net_improvement")), 2),
        _simulated_share(
            found.get(("bias.no_effect", "krenning", ""))
            or found.get(("sensitivity.reader_error", "krenning", ""))
        ),
        _simulated_p(found.get(("sensitivity.reader_error", "krenning", "p"))),
        _simulated(found.get(("bias.no_effect", "criterion", "")), 1),
    )
    return parts.Row(cells, indent=True, status=mean["status"] if mean else "ok")


def _variant(row: dict[str, Any]) -> str:
    names = row["row_id"].split("/")
    return names[4] if len(names) > 4 else ""


def _gain(
    row: dict[str, Any] | None,
    found: dict[tuple[str, str, str], dict[str, Any]],
    notes: parts.Footnotes,
) -> str:
    """Return a mean gain, or the reliability that gives it, and what interval scores leave."""
    if row is None:
        return rounding.EMPTY
    if row["status"] == "not_estimable":
        return f"{parts.STATUS_WORDS[row['status']]}{parts.mark(row, notes)}"
    ends = [found.get((row["analysis"], row["outcome"], variant)) for variant in ("low", "high")]
    text = rounding.fixed(row["estimate"], 2)
    if any(end is None or end["status"] == "not_estimable" for end in ends):
        return text
    low, high = sorted(end["estimate"] for end in ends if end)
    return f"{text} ({rounding.fixed(low, 2)} to {rounding.fixed(high, 2)})"


def _simulated(row: dict[str, Any] | None, places: int) -> str:
    if row is None or row["status"] == "not_estimable":
        return rounding.EMPTY
    ends = [rounding.measure(row[end], places) for end in ("conf_low", "conf_high")]
    return f"{rounding.fixed(row['estimate'], places)} ({ends[0]} to {ends[1]})"


def _simulated_share(row: dict[str, Any] | None) -> str:
    if row is None or row["status"] == "not_estimable":
        return rounding.EMPTY
    ends = rounding.percent_interval(row["conf_low"], row["conf_high"], 100)
    return f"{rounding.fixed(100 * row['estimate'], 1)}% ({ends})"


def _simulated_p(row: dict[str, Any] | None) -> str:
    if row is None or row["status"] == "not_estimable":
        return rounding.EMPTY
    median, low, high = (rounding.p_cell(row[name]) for name in _P_RANGE)
    return f"{median} ({low} to {high})"


def agreement(statistics: pd.DataFrame, data: str = RECORDED) -> parts.Table:
    """Return whether readers agree, with one another and with what the SUVs alone would say."""
    rows = [
        row for row in parts.records(statistics)
        if row["analysis"].startswith("agreement.")
        or row["analysis"] == "sensitivity.fixed_reference"
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
        lines += [_occasion(row, footnotes) for row in group]
    notes = [
        "The score derived from SUVs is a declared surrogate and never takes the place of a "
        "reader's: above liver 3, above spleen 4, else 0 to 2 unless the config draws finer lines.",
        "With the organs of baseline at both scans, a change of liver or spleen alone, as by a "
        "somatostatin analogue, cannot move the derived score.",
        *footnotes.notes(),
    ]
    columns = ["Finding", "Where", "n/N (%) or estimate", "95% CI", "n", "Method"]
    return parts.table(
        "agreement", "Readers, and what the SUVs alone would say", columns, lines, notes, data,
        wide=True, text_columns=(0, 1, 5),
    )  # fmt: skip


def _occasion(row: dict[str, Any], footnotes: parts.Footnotes) -> parts.Row:
    words = row["estimand"][:1].upper() + row["estimand"][1:]
    if row["estimand"] == "proportion":
        words = "Share of patients"
    n = parts.count(row["n_patients"])
    cells = (
        words,
        OCCASION_WORDS.get(row["term"], row["term"]),
        parts.value(row, footnotes),
        parts.interval(row),
        rounding.EMPTY if n is None else str(n),
        parts.methods(row),
    )
    return parts.Row(cells, indent=True, status=row["status"])
