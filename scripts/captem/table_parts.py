"""What every table is made of: rows, footnotes, and how a row of `statistics.csv` is printed.

Every cell is text, rounded by `captem.rounding`. A footnote mark stands in brackets, `[a]`, so that
the same text serves every format; `captem.table_formats` raises it. A row that is `unstable` or
`not_estimable` carries its status and a footnote with the reason.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pandas as pd

from captem import rounding
from captem.origin import MIXED, RECORDED, SYNTHETIC
from captem.statistics import frame as statistics_frame
from captem.wording import SUBSET_WORDS, reason_words

DATA_NOTES = {
    RECORDED: "",
    SYNTHETIC: "Synthetic data: every value is invented.",
    MIXED: "Partly synthetic data: the values of some sources are invented.",
}
SINGLE_ARM = "A single arm does not show a drug effect."
CYCLES = "association only: cycles are counted after baseline and responders are given more"
READER_ROWS = ("sensitivity.fixed_reference", "sensitivity.reader_error")
# Rows beside the reported one that the tables leave to `statistics.csv`.
LEFT_OUT = ("asymptotic", "scored", "exact", "tango")
STATUS_WORDS = {"unstable": "unstable", "not_estimable": "not estimable"}
# How the reason of a row begins whose count is too small to be shown (`captem.disclosure`).
MASKED = "masked"

NOISE_WORDS = {
    "agreement.readers": "Two readers",
    "agreement.surrogate": "Reader's score contradicted by the SUVs alone",
    "sensitivity.fixed_reference": "Score derived from SUVs",
    "bias.regression_to_mean": "Gain expected from noise and selection alone",
    "bias.no_effect": "What would be seen without any effect",
    "sensitivity.reader_error": "Readings repeated with errors",
}
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
class Footnotes:
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


def table(
    name: str,
    title: str,
    columns: Sequence[str],
    rows: Iterable[Row],
    notes: Iterable[str],
    data: str,
    **options: Any,
) -> Table:
    """Return a table with the note on its data first, and in its title where they are invented."""
    said = (DATA_NOTES[data], *notes)
    return Table(
        name=name, title=titled(title, data), columns=tuple(columns), rows=tuple(rows),
        notes=tuple(note for note in said if note), data=data, **options,
    )  # fmt: skip


def count(value: Any) -> int | None:
    """Return a count as a number, None where there is none."""
    return None if value == "" or value is None or pd.isna(value) else int(value)


def worst(statuses: Iterable[str]) -> str:
    """Return the status that a row of several statistics has."""
    found = set(statuses)
    return next((name for name in ("not_estimable", "unstable") if name in found), "ok")


def in_order(values: Iterable[Any]) -> list[Any]:
    """Return the distinct values in the order of their first appearance."""
    return list(dict.fromkeys(values))


def find(
    rows: Iterable[dict[str, Any]], analysis: str, outcome: str, subset: str, term: str = ""
) -> dict[str, Any] | None:
    """Return the row reported for an estimate: the first of the methods that give it."""
    wanted = (analysis, outcome, subset, term)
    return next((row for row in rows if key(row) == wanted), None)


def key(row: dict[str, Any]) -> tuple[str, str, str, str]:
    """Return what tells an estimate apart, whatever the method."""
    return row["analysis"], row["outcome"], row["subset"], row["term"]


def reported(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leave out the other methods for an estimate (`LEFT_OUT`); `statistics.csv` keeps them."""
    return [row for row in rows if row["row_id"].rpartition("/")[2] not in LEFT_OUT]


def level(rows: Iterable[dict[str, Any]]) -> str:
    """Return the level of the intervals for the heading, or nothing where they differ."""
    levels = {row["conf_level"] for row in rows if not math.isnan(row["conf_level"])}
    return f"{rounding.level(levels.pop())} " if len(levels) == 1 else ""


def refused_words(row: dict[str, Any]) -> str:
    """Return what stands where a row gives no number: `masked`, or the words of its status."""
    if row["status"] == "not_estimable" and str(row["reason"]).startswith(MASKED):
        return MASKED
    return STATUS_WORDS.get(row["status"], str(row["status"]))


def blank(row: dict[str, Any] | None) -> str:
    """Return what stands in a cell beside the estimate of a row that gives no number."""
    masked = row is not None and refused_words(row) == MASKED
    return MASKED if masked else rounding.EMPTY


def size(row: dict[str, Any]) -> str:
    """Print how many patients a row rests on, and in brackets how many lesions, if it has."""
    n, lesions = count(row["n_patients"]), count(row["n_lesions"])
    if n is None:
        return blank(row)
    return f"{n} ({lesions})" if lesions is not None else str(n)


def size_heading(rows: Iterable[dict[str, Any]]) -> str:
    """Return the heading of a column of `size`."""
    return "n (lesions)" if any(count(row["n_lesions"]) is not None for row in rows) else "n"


def share(row: dict[str, Any], footnotes: Footnotes) -> str:
    """Print a proportion row as n/N (%), of lesions where it counts lesions."""
    n = count(row["n_lesions"])
    n = count(row["n_patients"]) if n is None else n
    events, raised = count(row["n_events"]), mark(row, footnotes)
    if row["status"] == "not_estimable" or events is None or n is None:
        return f"{rounding.EMPTY if row['status'] == 'ok' else refused_words(row)}{raised}"
    return f"{rounding.share(events, n)}{raised}"


def mark(row: dict[str, Any], footnotes: Footnotes) -> str:
    """Return the footnote mark of a row that is not to be read like the others."""
    if row["status"] == "ok":
        return ""
    words, reason = refused_words(row), reason_words(row["reason"])
    return footnotes.mark(reason if words == MASKED else f"{words}: {reason}")


def value(row: dict[str, Any], footnotes: Footnotes) -> str:
    """Print an estimate with its footnote mark; a test without one by its n."""
    if row["estimand"] == "proportion":
        return share(row, footnotes)
    if row["status"] == "not_estimable":
        return f"{refused_words(row)}{mark(row, footnotes)}"
    if math.isnan(row["estimate"]):
        # A test has no estimate; its mark, if any, stands at P.
        n = count(row["n_patients"])
        return rounding.EMPTY if n is None else f"n = {n}"
    return rounding.number(row["estimate"]) + mark(row, footnotes)


def interval(row: dict[str, Any]) -> str:
    """Print an interval, of a proportion in percent."""
    low, high = row["conf_low"], row["conf_high"]
    if row["status"] == "not_estimable" or (math.isnan(low) and math.isnan(high)):
        return rounding.EMPTY
    n = count(row["n_patients"])
    if row["estimand"] == "proportion" and n is not None:
        return rounding.percent_interval(low, high, n)
    return rounding.interval(low, high)


def p_value(row: dict[str, Any], footnotes: Footnotes) -> str:
    """Print P with a footnote on what interval scores leave open."""
    if row["status"] == "not_estimable":
        return rounding.EMPTY
    text = rounding.p_cell(row["p_value"])
    if math.isnan(row["estimate"]):
        text += mark(row, footnotes)
    if not math.isnan(row["p_adjusted"]):
        adjusted = rounding.p_value(row["p_adjusted"])
        text += footnotes.mark(f"P {adjusted} by Holm within the secondary questions")
    low, high = rounding.p_cell(row["p_low"]), rounding.p_cell(row["p_high"])
    if low == high or rounding.EMPTY in (low, high):
        return text
    said = f"interval scores leave P open from {low} to {high}; the largest is shown"
    if "bounds" in row["p_method"]:
        said = f"interval scores leave P open between {low} and {high}, bounds that may be wide"
    return text + footnotes.mark(said)


def methods(row: dict[str, Any]) -> str:
    """Return the methods of interval and P in words."""
    names = in_order(name for name in (row["interval_method"], row["p_method"]) if name)
    return "; ".join(names) or rounding.EMPTY
