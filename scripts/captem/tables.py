"""What the tables of a manuscript say, drawn from `statistics.csv` and never computed again.

Every cell is text, rounded by `captem.rounding`. A footnote mark stands in brackets, `[a]`, so that
the same text serves every format; `captem.table_formats` raises it. A row that is `unstable` or
`not_estimable` carries its status and a footnote with the reason.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pandas as pd

from captem import rounding
from captem.origin import MIXED, RECORDED, SYNTHETIC, data_kind
from captem.statistics import ALL, CONFIRMATORY
from captem.statistics import frame as statistics_frame
from captem.wording import (
    MODEL_WORDS,
    OCCASION_WORDS,
    PREDICTOR_WORDS,
    SUBSET_WORDS,
    TERM_LABELS,
    reason_words,
)

DATA_NOTES = {
    RECORDED: "",
    SYNTHETIC: "Synthetic data: every value is invented.",
    MIXED: "Partly synthetic data: the values of some sources are invented.",
}
SINGLE_ARM = "A single arm does not show a drug effect."
CYCLES = "association only: cycles are counted after baseline and responders are given more"
SPLIT = "†"
STEPS = range(5)
NOISE_WORDS = {
    "agreement.readers": "Two readers",
    "agreement.surrogate": "Reader's score contradicted by the SUVs alone",
    "sensitivity.fixed_reference": "Score derived from SUVs",
    "bias.regression_to_mean": "Gain expected from noise and selection alone",
    "bias.no_effect": "What would be seen without any effect",
    "sensitivity.reader_error": "Readings repeated with errors",
}
_SETTING_WORDS = {"observed": "observed", "tipping": "reliability that would give all of it"}
_P_RANGE = ("estimate", "conf_low", "conf_high")
_STATUS_WORDS = {"unstable": "unstable", "not_estimable": "not estimable"}

MEASURE_WORDS = {
    "patients": "patients",
    "age_years": "Age, years",
    "mib1": "MIB1 index, %",
    "captem_cycles": "CAPTEM cycles",
    "krenning_pre": "Krenning score at baseline",
    "krenning_post": "Krenning score at follow-up",
    "suvmax_pre": "SUVmax at baseline",
    "suvmax_post": "SUVmax at follow-up",
    "sex": "Sex",
    "primary_site": "Primary site",
    "interval_therapy": "Other treatment between the scans",
    "ssa_changed": "Somatostatin analogue begun or stopped between the scans",
    "scanner_changed": "Scanner changed between the scans",
    "tracer_changed": "Tracer changed between the scans",
}
OUTCOME_WORDS = {
    "krenning": "Krenning score",
    "criterion": "SSTR criterion",
    "suvmax": "SUVmax",
    "lesion_krenning": "Krenning score of lesions",
    "lesion_suvmax": "SUVmax of lesions",
}
CHANGE_WORDS = {
    ("transition.proportion", "up"): "Uptake rose",
    ("transition.proportion", "same"): "Uptake stayed the same",
    ("transition.proportion", "down"): "Uptake fell",
    ("transition.proportion", "undetermined"): "Direction left open by interval scores",
    ("transition.signed_rank", ""): "Did uptake change? (size of the change counted)",
    ("transition.net_improvement", ""): "Net improvement, (rose - fell) / n",
    ("transition.win_odds", ""): "Odds of a rise over a fall, unchanged counted half to each",
    ("transition.sign_test", ""): "As many up as down?",
    ("transition.symmetry", ""): "Is each change as frequent as its reverse?",
    ("transition.marginal_homogeneity", ""): "Are the scores distributed alike at both scans?",
    ("criterion.before", ""): "SSTR criterion met before",
    ("criterion.after", ""): "SSTR criterion met after",
    ("criterion.gained", ""): "SSTR criterion gained, of those who did not meet it before",
    ("criterion.before", "undetermined"): "Before: left open by interval scores",
    ("criterion.after", "undetermined"): "After: left open by interval scores",
    ("criterion.gained", "undetermined"): "Gained: left open by interval scores",
    ("criterion.mcnemar", ""): "As many gained as lost?",
    ("criterion.difference", ""): "Difference of the shares meeting it, after less before",
    ("transition.suvmax_ratio", ""): "SUVmax at follow-up over baseline",
}


@dataclass(frozen=True)
class Row:
    """One row: its cells, and whether it heads a group, is indented, and may be read."""

    cells: tuple[str, ...]
    heading: bool = False
    indent: bool = False
    status: str = "ok"


@dataclass(frozen=True)
class Table:
    """A table as it is shown; `text_columns` are set to the left, all others hold numbers."""

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    wide: bool = False
    data: str = RECORDED
    text_columns: tuple[int, ...] = (0,)


@dataclass
class _Footnotes:
    """Hands out one letter for each distinct text."""

    texts: list[str] = field(default_factory=list)

    def mark(self, text: str) -> str:
        if text not in self.texts:
            self.texts.append(text)
        return f"[{_letters(self.texts.index(text))}]"

    def notes(self) -> list[str]:
        return [f"[{_letters(i)}] {_sentence(text)}" for i, text in enumerate(self.texts)]


def _letters(place: int) -> str:
    first, last = divmod(place, 26)
    return (chr(96 + first) if first else "") + chr(97 + last)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."


def titled(title: str, data: str) -> str:
    """Return a heading that says so where the data are invented."""
    return title if data == RECORDED else f"{title} ({data} data)"


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of `statistics.csv` with missing texts as empty and missing numbers as NaN.

    A column without any value is read back as numbers, so the types are set first.
    """
    typed = statistics_frame(cast(list[dict[str, Any]], frame.to_dict("records")))
    numbers = {name for name in typed if pd.api.types.is_numeric_dtype(typed[name])}
    return [
        {
            str(name): (math.nan if name in numbers else "") if pd.isna(value) else value
            for name, value in row.items()
        }
        for row in typed.to_dict("records")
    ]


def subset_words(subset: str) -> str:
    """Return in words which patients a row is about."""
    if subset.startswith("source_"):
        return f"source {source_words(subset)}"
    return SUBSET_WORDS.get(subset, subset.replace("_", " "))


def source_words(subset: str) -> str:
    """Return the name of the source that a subset stands for."""
    return subset.removeprefix("source_").replace("_", " ")


def analysis_words(analysis: str) -> str:
    """Return the name of an analysis that has no words of its own, made readable.

    >>> analysis_words("transition.win_odds")
    'Win odds'
    """
    words = analysis.rpartition(".")[2].replace("_", " ")
    return words[:1].upper() + words[1:]


def _table(
    name: str,
    title: str,
    columns: Sequence[str],
    rows: Iterable[Row],
    notes: Iterable[str],
    data: str,
    **options: Any,
) -> Table:
    said = (DATA_NOTES[data], *notes)
    return Table(
        name=name, title=titled(title, data), columns=tuple(columns), rows=tuple(rows),
        notes=tuple(note for note in said if note), data=data, **options,
    )  # fmt: skip


def _count(value: Any) -> int | None:
    return None if value == "" or value is None or pd.isna(value) else int(value)


def _worst(statuses: Iterable[str]) -> str:
    found = set(statuses)
    return next((name for name in ("not_estimable", "unstable") if name in found), "ok")


def _in_order(values: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys(values))


# Table 1


def characteristics(statistics: pd.DataFrame, data: str = RECORDED) -> Table:
    """Return who the patients are, overall and by source, from the rows `describe.*`."""
    rows = [
        row for row in records(statistics)
        if row["analysis"].startswith("describe.")
        and (row["subset"] == ALL or row["subset"].startswith("source_"))
    ]  # fmt: skip
    subsets = _in_order(row["subset"] for row in rows) or [ALL]
    found = {(row["analysis"], row["subset"], row["term"]): row for row in rows}
    footnotes = _Footnotes()
    lines: list[Row] = []
    for analysis in _in_order(row["analysis"] for row in rows):
        if analysis == "describe.patients":
            continue
        terms = _in_order(row["term"] for row in rows if row["analysis"] == analysis)
        by_subset = [{term: found.get((analysis, subset, term)) for term in terms}
                     for subset in subsets]  # fmt: skip
        lines += _described(analysis.removeprefix("describe."), terms, by_subset, footnotes)
    notes = [
        "Intervals such as 7%-8% count at their midpoint; an interval without an upper end counts "
        "as missing. Where no line says missing, no value is missing.",
        f"CAPTEM cycles are shown as a description; whatever goes with them is {CYCLES}.",
        *footnotes.notes(),
    ]
    columns = ["Characteristic", *(_heading(subset, found) for subset in subsets)]
    return _table("characteristics", "Characteristics of the patients", columns, lines, notes, data)


def _heading(subset: str, found: dict[tuple[str, str, str], dict[str, Any]]) -> str:
    words = "All patients" if subset == ALL else source_words(subset)
    row = found.get(("describe.patients", subset, ""))
    n = _count(row["n_patients"]) if row else None
    return f"{words[:1].upper()}{words[1:]}" + (f" (n = {n})" if n is not None else "")


def _described(
    name: str,
    terms: list[str],
    by_subset: list[dict[str, dict[str, Any] | None]],
    footnotes: _Footnotes,
) -> list[Row]:
    """Return the rows of one characteristic: a median, or a count for each of its levels."""
    words = MEASURE_WORDS.get(name, analysis_words(name))
    levels = [term for term in terms if term != "missing"]
    if "median" in levels:
        cells, statuses = zip(*(_median(group, footnotes) for group in by_subset), strict=True)
        lines = [Row((f"{words}, median (quartiles)", *cells), status=_worst(statuses))]
    elif levels == ["yes"]:
        lines = [_shares(f"{words}, n/N (%)", "yes", by_subset, footnotes)]
    else:
        blank = ("",) * len(by_subset)
        lines = [Row((f"{words}, n/N (%)", *blank), heading=True)]
        lines += [_shares(level, level, by_subset, footnotes, True) for level in levels]
    if any((_count((group.get("missing") or {}).get("n_events")) or 0) for group in by_subset):
        lines.append(_shares("Missing", "missing", by_subset, footnotes, True))
    return lines


def _median(group: dict[str, dict[str, Any] | None], footnotes: _Footnotes) -> tuple[str, str]:
    middle, low, high = (group.get(name) for name in ("median", "quartile_1", "quartile_3"))
    if middle is None:
        return rounding.EMPTY, "ok"
    mark = _mark(middle, footnotes)
    if middle["status"] == "not_estimable":
        return f"{rounding.EMPTY}{mark}", middle["status"]
    if _count(middle["n_patients"]) == 1 or low is None or high is None:
        return f"{rounding.measure(middle['estimate'])}{mark}", middle["status"]
    text = rounding.spread(middle["estimate"], low["estimate"], high["estimate"])
    return f"{text}{mark}", middle["status"]


def _shares(
    words: str,
    term: str,
    by_subset: list[dict[str, dict[str, Any] | None]],
    footnotes: _Footnotes,
    indent: bool = False,
) -> Row:
    cells, statuses = [], []
    for group in by_subset:
        row = group.get(term)
        if row is None:
            cells.append(rounding.EMPTY)
            continue
        statuses.append(row["status"])
        cells.append(_share(row, footnotes))
    return Row((words, *cells), indent=indent, status=_worst(statuses))


def _share(row: dict[str, Any], footnotes: _Footnotes) -> str:
    """Print a proportion row as n/N (%), of lesions where it counts lesions."""
    n = _count(row["n_lesions"])
    n = _count(row["n_patients"]) if n is None else n
    events, mark = _count(row["n_events"]), _mark(row, footnotes)
    if row["status"] == "not_estimable" or events is None or n is None:
        return f"{_STATUS_WORDS.get(row['status'], rounding.EMPTY)}{mark}"
    return f"{rounding.share(events, n)}{mark}"


def _mark(row: dict[str, Any], footnotes: _Footnotes) -> str:
    """Return the footnote mark of a row that is not to be read like the others."""
    if row["status"] == "ok":
        return ""
    words = _STATUS_WORDS.get(row["status"], row["status"])
    return footnotes.mark(f"{words}: {reason_words(row['reason'])}")


# Transitions


def transition_matrix(
    matrix: pd.DataFrame, statistics: pd.DataFrame | None = None, data: str = RECORDED
) -> Table:
    """Return the scores at baseline (rows) against those at follow-up, with the totals.

    Counts to which patients with interval scores contribute a part are marked with a dagger.
    """
    ordered = matrix.set_index("score_pre").loc[list(STEPS)]
    counts = ordered[[str(step) for step in STEPS]].to_numpy(dtype=float)
    split = ordered[[f"split_{step}" for step in STEPS]].to_numpy(dtype=float)
    lines = [
        Row(
            (
                f"Baseline {step}",
                *(_cell(counts[i, j], split[i, j]) for j in STEPS),
                _cell(counts[i].sum(), split[i].sum()),
            )
        )
        for i, step in enumerate(STEPS)
    ]
    totals = [_cell(counts[:, j].sum(), split[:, j].sum()) for j in STEPS]
    lines.append(Row(("Total", *totals, rounding.measure(counts.sum(), 2))))
    notes = ["Patients scored at both scans; the diagonal holds those whose score stayed the same."]
    if split.sum() > 0:
        notes.append(
            f"{SPLIT} Includes patients whose score is an interval: each is split evenly over the "
            "scores that the interval leaves open, for showing only. No test uses the split."
        )
    notes += _undetermined(statistics)
    columns = ["Krenning score", *(f"Follow-up {step}" for step in STEPS), "Total"]
    return _table(
        "transition_matrix", "Krenning score at baseline and at follow-up, patients", columns,
        lines, [*notes, SINGLE_ARM], data,
    )  # fmt: skip


def _cell(count: float, split: float) -> str:
    return rounding.measure(count, 2) + (SPLIT if split > 0 else "")


def _undetermined(statistics: pd.DataFrame | None) -> list[str]:
    if statistics is None:
        return []
    row = find(records(statistics), "transition.proportion", "krenning", ALL, "undetermined")
    count = _count(row["n_events"]) if row else None
    if not count:
        return []
    noun = "patient" if count == 1 else "patients"
    return [f"In {count} {noun} the interval leaves open whether uptake rose, stayed or fell."]


def find(
    rows: Iterable[dict[str, Any]], analysis: str, outcome: str, subset: str, term: str = ""
) -> dict[str, Any] | None:
    """Return the row reported for an estimate: the first of the methods that give it."""
    key = (analysis, outcome, subset, term)
    return next((row for row in rows if _key(row) == key), None)


def _key(row: dict[str, Any]) -> tuple[str, str, str, str]:
    return row["analysis"], row["outcome"], row["subset"], row["term"]


def transitions(statistics: pd.DataFrame, data: str = RECORDED) -> Table:
    """Return how often uptake and the SSTR criterion changed, and the tests of that."""
    rows = [
        row for row in records(statistics)
        if row["analysis"].startswith(("transition.", "criterion."))
        and row["subset"] in (ALL, CONFIRMATORY)
    ]  # fmt: skip
    rows = _reported(rows)
    footnotes = _Footnotes()
    lines: list[Row] = []
    for subset, outcome in _in_order((row["subset"], row["outcome"]) for row in rows):
        group = [row for row in rows if (row["subset"], row["outcome"]) == (subset, outcome)]
        words = OUTCOME_WORDS.get(outcome, outcome.replace("_", " "))
        heading = f"{words}, {subset_words(subset)}"
        lines.append(Row((heading, *("",) * 5), heading=True))
        lines += [_change(row, footnotes) for row in group if not _nothing_open(row)]
    notes = [
        SINGLE_ARM,
        "SSTR criterion met speaks of uptake alone; it is necessary for PRRT and not sufficient.",
        "Lesions of one patient are not independent, so their shares have no interval here."
        if any(row["outcome"].startswith("lesion_") for row in rows) else "",
        "CI, confidence interval. All tests are two-sided.",
        "Over all completions: the interval allows for whatever the scores given as an interval "
        "may be; the share counts what is certain."
        if any("completions" in str(row["interval_method"]) for row in rows) else "",
        *footnotes.notes(),
    ]  # fmt: skip
    columns = ["Finding", "n/N (%) or estimate", f"{_level(rows)}CI", "P", "Role", "Method"]
    return _table(
        "transitions", "Change from baseline to follow-up", columns, lines, notes, data, wide=True,
        text_columns=(0, 4, 5),
    )  # fmt: skip


def _nothing_open(row: dict[str, Any]) -> bool:
    """Say whether a line tells only that the scores leave the criterion open in nobody."""
    of_criterion = row["analysis"].startswith("criterion.") and row["term"] == "undetermined"
    return of_criterion and not _count(row["n_events"])


def _reported(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leave out the further intervals of a proportion; `statistics.csv` keeps them."""
    seen: set[tuple[str, str, str, str]] = set()
    kept = []
    for row in rows:
        if row["estimand"] != "proportion" or _key(row) not in seen:
            kept.append(row)
        seen.add(_key(row))
    return kept


def _level(rows: Iterable[dict[str, Any]]) -> str:
    """Return the level of the intervals for the heading, or nothing where they differ."""
    levels = {row["conf_level"] for row in rows if not math.isnan(row["conf_level"])}
    return f"{rounding.level(levels.pop())} " if len(levels) == 1 else ""


def _change(row: dict[str, Any], footnotes: _Footnotes) -> Row:
    words = CHANGE_WORDS.get((row["analysis"], row["term"]))
    if words is None:
        words = ": ".join(filter(None, (analysis_words(row["analysis"]), row["term"])))
    cells = (words, _value(row, footnotes), _interval(row), _p(row, footnotes), row["role"])
    return Row((*cells, _methods(row)), indent=True, status=row["status"])


def _value(row: dict[str, Any], footnotes: _Footnotes) -> str:
    if row["estimand"] == "proportion":
        return _share(row, footnotes)
    if row["status"] == "not_estimable":
        return f"{_STATUS_WORDS[row['status']]}{_mark(row, footnotes)}"
    if math.isnan(row["estimate"]):
        # A test has no estimate; its mark, if any, stands at P.
        n = _count(row["n_patients"])
        return rounding.EMPTY if n is None else f"n = {n}"
    return rounding.number(row["estimate"]) + _mark(row, footnotes)


def _interval(row: dict[str, Any]) -> str:
    low, high = row["conf_low"], row["conf_high"]
    if row["status"] == "not_estimable" or (math.isnan(low) and math.isnan(high)):
        return rounding.EMPTY
    n = _count(row["n_patients"])
    if row["estimand"] == "proportion" and n is not None:
        return rounding.percent_interval(low, high, n)
    return rounding.interval(low, high)


def _p(row: dict[str, Any], footnotes: _Footnotes) -> str:
    if row["status"] == "not_estimable":
        return rounding.EMPTY
    text = rounding.p_cell(row["p_value"])
    if math.isnan(row["estimate"]):
        text += _mark(row, footnotes)
    low, high = rounding.p_cell(row["p_low"]), rounding.p_cell(row["p_high"])
    if low == high or rounding.EMPTY in (low, high):
        return text
    return text + footnotes.mark(
        f"interval scores leave P open from {low} to {high}; the largest is shown"
    )


def _methods(row: dict[str, Any]) -> str:
    names = _in_order(name for name in (row["interval_method"], row["p_method"]) if name)
    return "; ".join(names) or rounding.EMPTY


# Associations


def associations(statistics: pd.DataFrame, data: str = RECORDED) -> Table:
    """Return whether uptake gain goes with MIB1, with cycles: rank correlations."""
    rows = [row for row in records(statistics) if row["analysis"].startswith("association.")]
    footnotes = _Footnotes()
    lines: list[Row] = []
    for subset, outcome in _in_order((row["subset"], row["outcome"]) for row in rows):
        group = [row for row in rows if (row["subset"], row["outcome"]) == (subset, outcome)]
        words = "Ratio of SUVmax" if outcome == "suvmax" else "Gain of the Krenning score, steps"
        lines.append(Row((f"{words}, {subset_words(subset)}", *("",) * 5), heading=True))
        lines += [_correlation(row, footnotes) for row in group]
    notes = [
        SINGLE_ARM,
        "A change falls where the baseline is high, whatever the treatment; the models, which hold "
        "the baseline fixed, are the better answer.",
        *footnotes.notes(),
    ]
    columns = ["With", "Correlation", "P", "n", "Role", "Method"]
    return _table(
        "associations", "What goes with uptake gain", columns, lines, notes, data, wide=True,
        text_columns=(0, 4, 5),
    )  # fmt: skip


def _correlation(row: dict[str, Any], footnotes: _Footnotes) -> Row:
    words = PREDICTOR_WORDS.get(row["analysis"], analysis_words(row["analysis"]))
    if row["analysis"] == "association.cycles":
        words += footnotes.mark(CYCLES)
    n = _count(row["n_patients"])
    size = rounding.EMPTY if n is None else str(n)
    method = _methods(row) if row["p_method"] else row["estimand"]
    cells = (words, _value(row, footnotes), _p(row, footnotes), size, row["role"], method)
    return Row(cells, indent=True, status=row["status"])


# Noise, selection and readers


def noise(statistics: pd.DataFrame, data: str = RECORDED) -> Table:
    """Return what would be seen without any effect, and with readers who err, a line a setting."""
    rows = [
        row for row in records(statistics)
        if row["analysis"].startswith("bias.") or row["analysis"] == "sensitivity.reader_error"
    ]  # fmt: skip
    footnotes = _Footnotes()
    lines: list[Row] = []
    for subset in _in_order(row["subset"] for row in rows):
        chosen = [row for row in rows if row["subset"] == subset]
        for words, begins in (
            ("No effect of the treatment, noise and selection alone", "bias."),
            ("This study, its scores read again with errors", "sensitivity."),
        ):
            group = [row for row in chosen if row["analysis"].startswith(begins)]
            if not group:
                continue
            lines.append(Row((f"{words}, {subset_words(subset)}", *("",) * 5), heading=True))
            # The same refusal for every setting would be the same line many times.
            if all(row["status"] == "not_estimable" for row in group):
                cells = (f"any{_mark(group[0], footnotes)}", *(rounding.EMPTY,) * 5)
                lines.append(Row(cells, indent=True, status="not_estimable"))
                continue
            for term in _in_order(row["term"] for row in group):
                lines.append(_setting([row for row in group if row["term"] == term], footnotes))
    said = _in_order(
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
    return _table(
        "noise", "What noise and selection alone would give", columns, lines, notes, data,
        wide=True,
    )  # fmt: skip


def _setting(group: list[dict[str, Any]], footnotes: _Footnotes) -> Row:
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
    return Row(cells, indent=True, status=mean["status"] if mean else "ok")


def _variant(row: dict[str, Any]) -> str:
    parts = row["row_id"].split("/")
    return parts[4] if len(parts) > 4 else ""


def _gain(
    row: dict[str, Any] | None, found: dict[tuple[str, str, str], dict[str, Any]], notes: _Footnotes
) -> str:
    """Return a mean gain, or the reliability that gives it, and what interval scores leave."""
    if row is None:
        return rounding.EMPTY
    if row["status"] == "not_estimable":
        return f"{_STATUS_WORDS[row['status']]}{_mark(row, notes)}"
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


def agreement(statistics: pd.DataFrame, data: str = RECORDED) -> Table:
    """Return whether readers agree, with one another and with what the SUVs alone would say."""
    rows = [
        row for row in records(statistics)
        if row["analysis"].startswith("agreement.")
        or row["analysis"] == "sensitivity.fixed_reference"
    ]  # fmt: skip
    rows = _reported(rows)
    footnotes = _Footnotes()
    lines: list[Row] = []
    for subset, analysis in _in_order((row["subset"], row["analysis"]) for row in rows):
        group = [row for row in rows if (row["subset"], row["analysis"]) == (subset, analysis)]
        words = NOISE_WORDS.get(analysis, analysis_words(analysis))
        lines.append(Row((f"{words}, {subset_words(subset)}", *("",) * 5), heading=True))
        lines += [_occasion(row, footnotes) for row in group]
    notes = [
        "The score derived from SUVs is a declared surrogate and never takes the place of a "
        "reader's: above liver 3, above spleen 4, else 0 to 2 unless the config draws finer lines.",
        "With the organs of baseline at both scans, a change of liver or spleen alone, as by a "
        "somatostatin analogue, cannot move the derived score.",
        *footnotes.notes(),
    ]
    columns = ["Finding", "Where", "n/N (%) or estimate", "95% CI", "n", "Method"]
    return _table(
        "agreement", "Readers, and what the SUVs alone would say", columns, lines, notes, data,
        wide=True, text_columns=(0, 1, 5),
    )  # fmt: skip


def _occasion(row: dict[str, Any], footnotes: _Footnotes) -> Row:
    words = row["estimand"][:1].upper() + row["estimand"][1:]
    if row["estimand"] == "proportion":
        words = "Share of patients"
    n = _count(row["n_patients"])
    cells = (
        words,
        OCCASION_WORDS.get(row["term"], row["term"]),
        _value(row, footnotes),
        _interval(row),
        rounding.EMPTY if n is None else str(n),
        _methods(row),
    )
    return Row(cells, indent=True, status=row["status"])


# Models


def models(statistics: pd.DataFrame, data: str = RECORDED) -> Table:
    """Return the terms of every model; one that could not be fitted is there with its reason."""
    rows = [row for row in records(statistics) if row["analysis"].startswith("model.")]
    footnotes = _Footnotes()
    lines: list[Row] = []
    for analysis, subset in _in_order((row["analysis"], row["subset"]) for row in rows):
        group = [row for row in rows if (row["analysis"], row["subset"]) == (analysis, subset)]
        words = MODEL_WORDS.get(analysis, analysis_words(analysis))
        heading = f"{words} ({group[0]['estimand']}), {subset_words(subset)}"
        lines.append(Row((heading, *("",) * 6), heading=True))
        lines += [_term(row, footnotes) for row in group]
    notes = [
        SINGLE_ARM,
        "Odds ratio: the factor by which the odds of a higher follow-up score differ per unit of "
        "the term, for the same values of the other terms. Ratio: the factor by which SUVmax at "
        "follow-up differs.",
        "CI, confidence interval; HC3, standard errors that allow unequal variances. "
        "All tests are two-sided.",
        *footnotes.notes(),
    ]
    columns = ["Term", "Estimate", f"{_level(rows)}CI", "P", "n", "Role", "Method"]
    return _table(
        "models", "What goes with the value at follow-up", columns, lines, notes, data, wide=True,
        text_columns=(0, 5, 6),
    )  # fmt: skip


def _term(row: dict[str, Any], footnotes: _Footnotes) -> Row:
    fallback = ", ".join(filter(None, (row["term"].replace("_", " "), row["unit"])))
    words = TERM_LABELS.get(row["term"], fallback)
    if row["term"] == "captem_cycles":
        words += footnotes.mark(CYCLES)
    n, lesions = _count(row["n_patients"]), _count(row["n_lesions"])
    size = rounding.EMPTY if n is None else str(n)
    size += f" ({lesions} lesions)" if lesions is not None else ""
    cells = (words, _value(row, footnotes), _interval(row), _p(row, footnotes), size, row["role"])
    return Row((*cells, _methods(row)), indent=True, status=row["status"])


def all_tables(
    statistics: pd.DataFrame, matrix: pd.DataFrame, sources: pd.DataFrame
) -> list[Table]:
    """Return every table of the study, in the order of a manuscript, numbered in their titles."""
    data = data_kind(sources)
    tables = [
        characteristics(statistics, data),
        transition_matrix(matrix, statistics, data),
        transitions(statistics, data),
        associations(statistics, data),
        models(statistics, data),
        noise(statistics, data),
        agreement(statistics, data),
    ]
    return [
        replace(table, title=f"Table {number}. {table.title}")
        for number, table in enumerate(tables, start=1)
    ]
