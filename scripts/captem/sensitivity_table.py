"""The table of the primary contrast under each alternative; which ones there are: `sensitivity`."""

from __future__ import annotations

import math
import re
from typing import Any

import pandas as pd

from captem import rounding
from captem import table_parts as parts
from captem.origin import RECORDED
from captem.statistics import ALL
from captem.wording import alternative_words

_ELSEWHERE = ("sensitivity.fixed_reference", "sensitivity.reader_error")
# Lines that differ only in how few patients they have share a footnote.
_FEW = re.compile(
    r"[\d.]+ effective observations per coefficient"
    r"(?:, fewer than |; at least )([\d.]+)(?: are needed)?"
)
_REPORTED = ("model.krenning", "log2_mib1")


def sensitivity(statistics: pd.DataFrame, data: str = RECORDED) -> parts.Table:
    """Return the reported primary contrast of each subset, and below it every alternative."""
    everything = parts.records(statistics)
    rows = [
        row for row in everything
        if row["analysis"].startswith("sensitivity.") and row["analysis"] not in _ELSEWHERE
    ]  # fmt: skip
    footnotes = parts.Footnotes()
    lines: list[parts.Row] = []
    of_sources = [row for row in rows if row["analysis"] == "sensitivity.source"]
    rest = [row for row in rows if row["analysis"] != "sensitivity.source"]
    for subset in parts.in_order(row["subset"] for row in rest):
        words = parts.subset_words(subset)
        lines.append(parts.Row((words[:1].upper() + words[1:], *("",) * 5), heading=True))
        as_reported = parts.find(everything, _REPORTED[0], "krenning", subset, _REPORTED[1])
        if as_reported:
            lines.append(_line("as reported", as_reported, footnotes))
        asked = [row for row in rest if row["subset"] == subset]
        if as_reported and all(row["status"] == "not_estimable" for row in (as_reported, *asked)):
            # Each would say the same again; `statistics.csv` has them one by one.
            lines.append(_line("every alternative", as_reported, footnotes))
            continue
        lines += _alternatives(asked, footnotes)
        if subset == ALL:
            lines += [
                _line(f"only {parts.subset_words(row['subset'])}", row, footnotes)
                for row in of_sources
            ]
    notes = [
        "Each line asks the primary question in another way and stands for itself: the lines share "
        "their patients, so how many of them agree says nothing. Odds ratio of a higher follow-up "
        "score per doubling of MIB1, given the baseline score, unless the line says otherwise.",
        parts.SINGLE_ARM,
        *footnotes.notes(),
    ]
    size = parts.size_heading(rows)
    columns = ["Alternative", "Estimate", f"{parts.level(rest)}CI", "P", size, "Method"]
    return parts.table(
        "sensitivity", "Does MIB1 go with follow-up uptake, asked in other ways", columns, lines,
        notes, data, wide=True, text_columns=(0, 5),
    )  # fmt: skip


def _alternatives(rows: list[dict[str, Any]], footnotes: parts.Footnotes) -> list[parts.Row]:
    """Return a line a row; where an analysis is refused as a whole, one line for it."""
    lines = []
    for analysis in parts.in_order(row["analysis"] for row in rows):
        group = [row for row in rows if row["analysis"] == analysis]
        reasons = {row["reason"] for row in group if row["status"] == "not_estimable"}
        if len(group) > 1 and len(reasons) == 1 and all(
            row["status"] == "not_estimable" for row in group
        ):  # fmt: skip
            lines.append(_line(alternative_words(analysis), group[0], footnotes))
            continue
        lines += [
            _line(alternative_words(analysis, row["term"], _variant(row)), row, footnotes)
            for row in group
        ]
    return lines


def _variant(row: dict[str, Any]) -> str:
    """Return what a row's name has behind its term."""
    named = [row["analysis"], row["outcome"], row["subset"], *filter(None, [row["term"]])]
    return str(row["row_id"]).removeprefix("/".join(named)).strip("/")


def _line(words: str, row: dict[str, Any], footnotes: parts.Footnotes) -> parts.Row:
    row = row | {
        "reason": _FEW.sub(r"fewer than \1 effective observations per coefficient", row["reason"])
    }
    tested = math.isnan(row["estimate"]) and row["status"] != "not_estimable"
    estimate = f"test only{parts.mark(row, footnotes)}" if tested else parts.value(row, footnotes)
    p = rounding.EMPTY if row["status"] == "not_estimable" else rounding.p_cell(row["p_value"])
    cells = (
        words,
        estimate,
        parts.interval(row),
        p,
        parts.size(row),
        parts.methods(row),
    )
    return parts.Row(cells, indent=True, status=row["status"])
